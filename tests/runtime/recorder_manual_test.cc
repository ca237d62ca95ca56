// Spans that the program begins and ends itself.
#include <string.h>

#include <catch2/catch.hpp>

#include "fake_program.h"

namespace autotrace::test {
namespace {

using format::AttributeType;

class ManualThread : public FakeThread {
 public:
  using FakeThread::FakeThread;
  uint64_t Begin(std::string_view name) { return recorder().BeginManual(name, stack_pointer()); }
  void End(uint64_t span) { recorder().EndManual(span); }
  void Set(uint64_t span, std::string_view key, std::string_view value) {
    recorder().WriteAttribute(span, key, AttributeType::kString, value.data(), value.size());
  }
};

TEST_CASE("manual and automatic spans nest in one tree") {
  FakeProgram::Options options;
  options.fast_clock = GENERATE(true, false);
  FakeProgram program(options);
  ManualThread thread(&program);
  thread.Call('a', [&] {
    const uint64_t outer = thread.Begin("outer");
    thread.Call('b', [&] {
      const uint64_t inner = thread.Begin("inner");
      thread.Call('c');
      thread.End(inner);
    });
    thread.End(outer);
    thread.Call('d');
  });
  CHECK(program.Trees() == "a(#[outer](b(#[inner](c))) d)");
}

TEST_CASE("a manual span can be a root") {
  FakeProgram program;
  ManualThread thread(&program);
  const uint64_t root = thread.Begin("root");
  thread.Call('a', [&] { thread.Call('b'); });
  thread.End(root);
  const uint64_t leaf = thread.Begin("leaf");
  thread.End(leaf);
  CHECK(program.Trees() == "#[root](a(b)) | #[leaf]");
  const RecordedSpans recorded = program.Recorded();
  for (const RecordedTrace& trace : recorded.traces()) {
    CHECK(format::AddressOf(trace.begin.head) == 0);
  }
}

TEST_CASE("a manual span is never dropped for being short, nor are its ancestors") {
  FakeProgram program;
  program.set_threshold(kForever);
  ManualThread thread(&program);
  thread.Call('a', [&] {
    thread.Call('b', [&] { thread.End(thread.Begin("short")); });
    thread.Call('c');
  });
  CHECK(program.Trees() == "a(b(#[short]))");
}

TEST_CASE("the end of an outer manual span ends what is open inside it") {
  FakeProgram program;
  ManualThread thread(&program);
  const uint64_t outer = thread.Begin("outer");
  const uint64_t middle = thread.Begin("middle");
  const uint64_t inner = thread.Begin("inner");
  thread.End(outer);
  CHECK_FALSE(thread.recorder().IsOpen(middle));
  CHECK_FALSE(thread.recorder().IsOpen(inner));
  thread.End(inner);  // too late: changes nothing
  thread.Call('a');
  CHECK(program.Trees() == "#[outer](#[middle]!(#[inner]!)) | a");
}

TEST_CASE("ending a manual span twice ends nothing else") {
  FakeProgram program;
  ManualThread thread(&program);
  thread.Call('a', [&] {
    const uint64_t span = thread.Begin("once");
    thread.End(span);
    thread.End(span);
    thread.End(0);
    thread.End(span + 1000);
    thread.Call('b');
  });
  CHECK(program.Trees() == "a(#[once] b)");
}

TEST_CASE("a manual span inside a call does not outlive it") {
  FakeProgram program;
  ManualThread thread(&program);
  thread.Call('a', [&] {
    thread.Call('b', [&] { thread.Begin("forgotten"); });
    thread.Call('c');
  });
  CHECK(program.Trees() == "a(b(#[forgotten]!) c)");
}

TEST_CASE("a manual span begun in a helper with a large frame keeps its children") {
  // A constructor that was not inlined, or a wrapper in another language: its frame lies deeper
  // than those of the calls that follow.
  FakeProgram program;
  ManualThread thread(&program);
  thread.Call('a', [&] {
    const uint64_t span =
        thread.recorder().BeginManual("begun deeper", thread.stack_pointer() - 4096);
    thread.Call('b', [&] { thread.Call('c'); });
    thread.End(span);
  });
  CHECK(program.Trees() == "a(#[begun deeper](b(c)))");
}

TEST_CASE("a manual span does not become a child of a call that is over") {
  FakeProgram program;
  ManualThread thread(&program);
  thread.Call('a', [&] {
    thread.Enter('b');
    thread.Vanish();
    thread.End(thread.Begin("after the exception"));
  });
  CHECK(program.Trees() == "a(b! #[after the exception])");
}

TEST_CASE("attributes are written with their types") {
  FakeProgram program;
  ManualThread thread(&program);
  const uint64_t span = thread.Begin("span");
  const int64_t integer = -42;
  const double real = 2.5;
  const uint8_t yes = 1;
  thread.Set(span, "text", "value");
  thread.Set(span, "empty", "");
  thread.recorder().WriteAttribute(span, "int", AttributeType::kInt, &integer, sizeof(integer));
  thread.recorder().WriteAttribute(span, "double", AttributeType::kDouble, &real, sizeof(real));
  thread.recorder().WriteAttribute(span, "bool", AttributeType::kBool, &yes, sizeof(yes));
  thread.Set(span, "text", "later value");
  thread.End(span);

  const RecordedSpans recorded = program.Recorded();
  CHECK(recorded.AttributeOf(span, "text") == "later value");
  CHECK(recorded.AttributeOf(span, "empty").empty());
  CHECK(recorded.AttributeOf(span, "int") ==
        std::string(reinterpret_cast<const char*>(&integer), sizeof(integer)));
  CHECK(recorded.AttributeOf(span, "double") ==
        std::string(reinterpret_cast<const char*>(&real), sizeof(real)));
  CHECK(recorded.AttributeOf(span, "bool") == std::string(1, '\1'));
  std::map<std::string, int> types;
  for (const RecordedExtension& extension : recorded.extensions()) {
    if (extension.type != format::ExtensionType::kAttribute) continue;
    format::AttributeHeader header;
    memcpy(&header, extension.payload.data(), sizeof(header));
    types[extension.payload.substr(sizeof(header), header.key_size)] = header.type;
  }
  const std::map<std::string, int> expected = {
      {"text", 1}, {"empty", 1}, {"int", 2}, {"double", 3}, {"bool", 4}};
  CHECK(types == expected);
}

TEST_CASE("a value longer than an extension continues in the next ones") {
  FakeProgram::Options options;
  options.ring_size = GENERATE(uint64_t{256} << 10, uint64_t{8} << 20);
  FakeProgram program(options);
  ManualThread thread(&program);
  std::string value;
  while (value.size() < 100'000) value += std::to_string(value.size()) + ' ';
  const uint64_t span = thread.Begin("span");
  thread.Set(span, "long", value);
  thread.Set(span, "short", "after it");
  thread.End(span);
  REQUIRE(program.Counted(format::Counter::kDroppedRingFull) == 0);
  const RecordedSpans recorded = program.Recorded();
  CHECK(recorded.AttributeOf(span, "long") == value);
  CHECK(recorded.AttributeOf(span, "short") == "after it");
  CHECK(recorded.spans().size() == 1);
}

TEST_CASE("names and keys of any length are cut, not lost") {
  FakeProgram::Options options;
  options.ring_size = GENERATE(uint64_t{256} << 10, uint64_t{32} << 20);
  FakeProgram program(options);
  ManualThread thread(&program);
  const std::string endless(200'000, 'n');
  const uint64_t span = thread.Begin(endless);
  thread.Set(span, endless, "value");
  thread.End(span);
  const RecordedSpans recorded = program.Recorded();
  CHECK(recorded.spans().size() == 1);
  const std::string name = recorded.NameOfManual(span);
  CHECK(name.size() >= 1024);
  CHECK(name == endless.substr(0, name.size()));
  REQUIRE(recorded.extensions().size() == 2);
}

}  // namespace
}  // namespace autotrace::test
