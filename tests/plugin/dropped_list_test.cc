#include "plugin/dropped_list.h"

#include <catch2/catch.hpp>

namespace autotrace::plugin {
namespace {

constexpr char kBegin[] = "\t.pushsection .autotrace.dropped,\"MS\",@progbits,1\n";
constexpr char kEnd[] = "\t.popsection\n";

std::string Section(const std::string& directives) { return kBegin + directives + kEnd; }

TEST_CASE("nothing is said of what is kept or of the standard library", "[plugin]") {
  DroppedList list;
  list.Add("_ZN3app3runEv", "app.cc", {Reason::kKept, "app"});
  list.Add("_ZNSt6vectorIiSaIiEE4sizeEv", "/usr/include/c++/12/vector",
           {Reason::kStandardLibrary, ""});
  CHECK(list.Assembler().empty());
}

TEST_CASE("functions stand with the letter of their reason, files once", "[plugin]") {
  DroppedList list;
  list.Add("_ZNK3app5Point1xEv", "point.h", {Reason::kStraightLine, ""});
  list.Add("_ZN3app4PartC1Ev", "point.h", {Reason::kCompilerMade, ""});
  list.Add("_ZN3app5quietEv", "", {Reason::kNoTrace, ""});
  list.Add("main", "main.c", {Reason::kNotMatched, ""});
  CHECK(list.Assembler() == Section("\t.string \"c_ZN3app4PartC1Ev\"\n"
                                    "\t.string \"fmain.c\"\n"
                                    "\t.string \"fpoint.h\"\n"
                                    "\t.string \"l_ZNK3app5Point1xEv\"\n"
                                    "\t.string \"mmain\"\n"
                                    "\t.string \"n_ZN3app5quietEv\"\n"));
}

TEST_CASE("instances of a template stand together, unless one has hooks", "[plugin]") {
  DroppedList list;
  list.Add("_ZN3app3BoxIiE3getEv", "", {Reason::kStraightLine, ""});
  list.Add("_ZN3app3BoxIlE3getEv", "", {Reason::kStraightLine, ""});
  list.Add("_ZN3app5twiceIiEET_S1_", "", {Reason::kStraightLine, ""});
  list.Add("_ZN3app5twiceISsEET_S1_", "", {Reason::kKept, ""});
  CHECK(list.Assembler() == Section("\t.string \"l_ZN3app5twiceIiEET_S1_\"\n"
                                    "\t.string \"lapp::Box<>::get\"\n"));
}

TEST_CASE("what assemblers would take for something else is escaped", "[plugin]") {
  DroppedList list;
  list.Add("f\"\\\xc3\xa4\n", "", {Reason::kNotMatched, ""});
  CHECK(list.Assembler() == Section("\t.string \"mf\\042\\134\\303\\244\\012\"\n"));
}

}  // namespace
}  // namespace autotrace::plugin
