#include "exporter/address_space.h"

#include <link.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>

#include "tests/exporter/stream_builder.h"

namespace exporter_test {

// Two functions of this very program, to be found in its symbol table and debug information.
[[gnu::noinline]] uint64_t CallerAddress() {
  return reinterpret_cast<uint64_t>(__builtin_return_address(0));
}
[[gnu::noinline]] uint64_t CallsAbove() {
  const uint64_t address = CallerAddress();  // kCallLine
  asm volatile("" ::: "memory");
  return address;
}
constexpr uint32_t kCallLine = __LINE__ - 4;

}  // namespace exporter_test

namespace autotrace::exporter {
namespace {

using testing::ModulePayload;
using testing::StreamBuilder;

constexpr uint64_t kNow = 1000;  // ticks

// The payload of the one block that a stream holds.
std::string_view Payload(const StreamBuilder& stream) {
  return std::string_view(stream.bytes()).substr(sizeof(format::BlockHeader));
}
std::string FunctionPayload(uint64_t address, std::string_view name, uint32_t module_id) {
  StreamBuilder stream;
  stream.Function(address, name, module_id);
  return std::string(Payload(stream));
}

struct OwnProgram {
  std::string path = std::filesystem::read_symlink("/proc/self/exe");
  uint64_t load_bias = 0;

  OwnProgram() {
    dl_iterate_phdr(
        [](dl_phdr_info* info, size_t, void* self) {
          static_cast<OwnProgram*>(self)->load_bias = info->dlpi_addr;
          return 1;  // the program itself comes first
        },
        this);
  }
  std::string Module(std::string_view build_id = {}) const {
    return ModulePayload(1, path, load_bias, load_bias + (uint64_t{1} << 30), load_bias, build_id);
  }
};

TEST_CASE("a function that was not told is found in its module's file") {
  const OwnProgram program;
  ModuleFiles files(true);
  AddressSpace space(&files);
  REQUIRE(space.AddModule(program.Module()).ok());
  const Function& function =
      space.FunctionAt(reinterpret_cast<uint64_t>(&exporter_test::CallsAbove), kNow)->function;
  CHECK(function.name == "exporter_test::CallsAbove");
  CHECK(function.module_path == program.path);
  CHECK_THAT(function.file, Catch::Matchers::EndsWith("tests/exporter/address_space_test.cc"));
  CHECK(function.line > 0);
  CHECK(function.line < exporter_test::kCallLine);
}

TEST_CASE("a caller is told with function, file and line") {
  const OwnProgram program;
  ModuleFiles files(true);
  AddressSpace space(&files);
  REQUIRE(space.AddModule(program.Module()).ok());
  const CallSite* caller = space.CallSiteAt(exporter_test::CallsAbove(), kNow);
  REQUIRE(caller != nullptr);
  CHECK_THAT(caller->description,
             Catch::Matchers::StartsWith("exporter_test::CallsAbove (") &&
                 Catch::Matchers::EndsWith("tests/exporter/address_space_test.cc:" +
                                           std::to_string(exporter_test::kCallLine) + ")"));
  CHECK(space.CallSiteAt(exporter_test::CallsAbove(), kNow) == caller);
  CHECK(space.CallSiteAt(0, kNow) == nullptr);
}

TEST_CASE("without source locations callers are functions only") {
  const OwnProgram program;
  ModuleFiles files(false);
  AddressSpace space(&files);
  REQUIRE(space.AddModule(program.Module()).ok());
  CHECK(space.CallSiteAt(exporter_test::CallsAbove(), kNow)->description ==
        "exporter_test::CallsAbove");
}

TEST_CASE("a file that was rebuilt since the run is not used") {
  const OwnProgram program;
  ModuleFiles files(true);
  AddressSpace space(&files);
  REQUIRE(space.AddModule(program.Module("another build")).ok());
  const auto address = reinterpret_cast<uint64_t>(&exporter_test::CallsAbove);
  const std::string offset = [&] {
    std::ostringstream text;
    text << std::hex << address - program.load_bias;
    return text.str();
  }();
  const Function& function = space.FunctionAt(address, kNow)->function;
  CHECK(function.name == "autotrace_exporter_test+0x" + offset);
  CHECK(function.file.empty());
}

TEST_CASE("what lies in no module, or in one that is gone, is an address") {
  ModuleFiles files(true);
  AddressSpace space(&files);
  REQUIRE(space.AddModule(ModulePayload(1, "/nowhere/libgone.so", 0x5000, 0x6000, 0x4000)).ok());
  CHECK(space.FunctionAt(0x5010, kNow)->function.name == "libgone.so+0x1010");
  CHECK(space.CallSiteAt(0x5011, kNow)->description == "libgone.so+0x1010");
  CHECK(space.FunctionAt(0x7000, kNow)->function.name == "0x7000");
}

TEST_CASE("a module that is a pipe or a device is not read") {
  ModuleFiles files(true);
  AddressSpace space(&files);
  REQUIRE(space.AddModule(ModulePayload(1, "/dev/zero", 0x5000, 0x6000)).ok());
  CHECK(space.FunctionAt(0x5010, kNow)->function.name == "zero+0x5010");
}

TEST_CASE("repeated entries change nothing") {
  ModuleFiles files(false);
  AddressSpace space(&files);
  const AddressSpace::FunctionRecord* first = nullptr;
  for (int repeat = 0; repeat < 3; ++repeat) {
    REQUIRE(space.AddModule(ModulePayload(1, "/a", 0x1000, 0x2000)).ok());
    REQUIRE(space.AddFunctions(FunctionPayload(0x1100, "_ZN1a1fEv", 1)).ok());
    if (first == nullptr) first = space.FunctionAt(0x1100, kNow);
    CHECK(space.FunctionAt(0x1100, kNow) == first);
  }
  CHECK(first->function.name == "a::f");
}

TEST_CASE("a module at the place of an unloaded one brings its own functions") {
  ModuleFiles files(false);
  AddressSpace space(&files);
  const std::string old_module = ModulePayload(1, "/old.so", 0x1000, 0x3000);
  const std::string old_function = FunctionPayload(0x1100, "_ZN3old1fEv", 1);
  const std::string new_module = ModulePayload(2, "/new.so", 0x2000, 0x4000);
  REQUIRE(space.AddModule(old_module).ok());
  REQUIRE(space.AddFunctions(FunctionPayload(0x2100, "_ZN3old1gEv", 1)).ok());
  const Function* before = &space.FunctionAt(0x2100, kNow)->function;
  REQUIRE(space.CallSiteAt(0x2201, kNow)->description == "old.so+0x2200");
  REQUIRE(space.AddModule(new_module).ok());
  CHECK(space.FunctionAt(0x2100, kNow)->function.name == "new.so+0x2100");
  CHECK(space.CallSiteAt(0x2201, kNow)->description == "new.so+0x2200");
  CHECK(before->name == "old::g");  // what was handed out stays
  // The next segment repeats everything in order.
  REQUIRE(space.AddModule(old_module).ok());
  REQUIRE(space.AddFunctions(FunctionPayload(0x2100, "_ZN3old1gEv", 1)).ok());
  REQUIRE(space.AddModule(new_module).ok());
  CHECK(space.FunctionAt(0x2100, kNow)->function.name == "new.so+0x2100");
}

// ---- One module after the other at the same address --------------------------------------------

std::string LoadedAt(uint32_t id, std::string_view path, uint64_t ticks) {
  return ModulePayload(id, path, 0x1000, 0x3000, 0x1000, {}, ticks);
}
std::string UnloadedAt(uint32_t id, std::string_view path, uint64_t ticks) {
  return ModulePayload(id, path, 0x1000, 0x3000, 0x1000, {}, ticks, format::kModuleUnloaded);
}

TEST_CASE("a call is named by the module that was there when it began") {
  ModuleFiles files(false);
  AddressSpace space(&files);
  REQUIRE(space.AddModule(LoadedAt(1, "/a.so", 100)).ok());
  REQUIRE(space.AddFunctions(FunctionPayload(0x1100, "_ZN1a1fEv", 1)).ok());
  REQUIRE(space.AddModule(LoadedAt(2, "/b.so", 200)).ok());
  REQUIRE(space.AddFunctions(FunctionPayload(0x1100, "_ZN1b1fEv", 2)).ok());
  REQUIRE(space.AddModule(LoadedAt(1, "/a.so", 300)).ok());
  // In any order, again and again: spans of several threads, and of long calls.
  for (const uint64_t start : {350u, 199u, 250u, 100u, 299u, 200u, 300u}) {
    INFO(start);
    const bool is_b = start >= 200 && start < 300;
    CHECK(space.FunctionAt(0x1100, start)->function.name == (is_b ? "b::f" : "a::f"));
    CHECK(space.FunctionAt(0x1100, start)->function.module_path == (is_b ? "/b.so" : "/a.so"));
    CHECK(space.CallSiteAt(0x1101, start)->description == (is_b ? "b.so+0x100" : "a.so+0x100"));
  }
}

TEST_CASE("what was noticed late is what was there from the start") {
  ModuleFiles files(false);
  AddressSpace space(&files);
  REQUIRE(space.AddModule(LoadedAt(1, "/a.so", 100)).ok());
  CHECK(space.FunctionAt(0x1100, 50)->function.name == "a.so+0x100");
  CHECK(space.CallSiteAt(0x1101, 50)->description == "a.so+0x100");
}

TEST_CASE("a caller in what came after an unloaded module is not named by that one") {
  ModuleFiles files(false);
  AddressSpace space(&files);
  REQUIRE(space.AddModule(LoadedAt(1, "/a.so", 100)).ok());
  REQUIRE(space.CallSiteAt(0x1101, 250)->description == "a.so+0x100");
  REQUIRE(space.AddModule(UnloadedAt(1, "/a.so", 200)).ok());
  CHECK(space.CallSiteAt(0x1101, 199)->description == "a.so+0x100");
  CHECK(space.CallSiteAt(0x1101, 250)->description == "0x1100");
  // A function is recorded only after its module was noticed, so this one is still the old one's.
  CHECK(space.FunctionAt(0x1100, 250)->function.name == "a.so+0x100");
  SECTION("it comes back") {
    REQUIRE(space.AddModule(LoadedAt(1, "/a.so", 300)).ok());
    CHECK(space.CallSiteAt(0x1101, 350)->description == "a.so+0x100");
  }
  SECTION("another one comes") {
    REQUIRE(space.AddModule(LoadedAt(2, "/b.so", 300)).ok());
    CHECK(space.CallSiteAt(0x1101, 250)->description == "0x1100");
    CHECK(space.CallSiteAt(0x1101, 350)->description == "b.so+0x100");
  }
}

TEST_CASE("news of modules may come in any order") {
  // Threads tell at the same time, and some are stopped in the middle.
  std::vector<std::string> news = {LoadedAt(1, "/a.so", 100), UnloadedAt(1, "/a.so", 180),
                                   LoadedAt(2, "/b.so", 200), LoadedAt(1, "/a.so", 300),
                                   LoadedAt(3, "/c.so", 400)};
  std::sort(news.begin(), news.end());
  do {
    ModuleFiles files(false);
    AddressSpace space(&files);
    for (const std::string& payload : news) {
      REQUIRE(space.AddModule(payload).ok());
      space.FunctionAt(0x1100, 350);  // what is remembered of an answer must not stay
    }
    for (const auto& [ticks, name] : std::vector<std::pair<uint64_t, std::string>>{
             {150, "a.so"}, {199, "a.so"}, {250, "b.so"}, {350, "a.so"}, {400, "c.so"}}) {
      INFO(ticks);
      REQUIRE(space.FunctionAt(0x1100, ticks)->function.name == name + "+0x100");
      const bool gone = ticks == 199;
      REQUIRE(space.CallSiteAt(0x1101, ticks)->description == (gone ? "0x1100" : name + "+0x100"));
    }
  } while (std::next_permutation(news.begin(), news.end()));
}

TEST_CASE("where another module was noticed since, the one before is gone") {
  ModuleFiles files(false);
  AddressSpace space(&files);
  REQUIRE(space.AddModule(ModulePayload(1, "/a", 0x1000, 0x4000, 0, {}, 100)).ok());
  REQUIRE(space.AddModule(ModulePayload(2, "/b", 0x1000, 0x2000, 0, {}, 200)).ok());
  // Nobody said so of the first one, whose addresses were more.
  CHECK(space.CallSiteAt(0x3001, 150)->description == "a+0x3000");
  CHECK(space.CallSiteAt(0x3001, 250)->description == "0x3000");
  CHECK(space.FunctionAt(0x3000, 250)->function.name == "a+0x3000");
}

TEST_CASE("segments that repeat what was loaded and unloaded change nothing") {
  ModuleFiles files(false);
  AddressSpace space(&files);
  const auto check = [&] {
    CHECK(space.FunctionAt(0x1100, 150)->function.name == "a.so+0x100");
    CHECK(space.FunctionAt(0x1100, 250)->function.name == "b.so+0x100");
    CHECK(space.FunctionAt(0x1100, 350)->function.name == "a.so+0x100");
    CHECK(space.CallSiteAt(0x1101, 350)->description == "a.so+0x100");
    CHECK(space.CallSiteAt(0x1101, 190)->description == "0x1100");
  };
  REQUIRE(space.AddModule(LoadedAt(1, "/a.so", 100)).ok());
  REQUIRE(space.AddModule(UnloadedAt(1, "/a.so", 180)).ok());
  REQUIRE(space.AddModule(LoadedAt(2, "/b.so", 200)).ok());
  REQUIRE(space.AddModule(UnloadedAt(2, "/b.so", 280)).ok());
  REQUIRE(space.AddModule(LoadedAt(1, "/a.so", 300)).ok());
  check();
  // The beginning of the next segment: the last that is known of each.
  REQUIRE(space.AddModule(LoadedAt(1, "/a.so", 300)).ok());
  REQUIRE(space.AddModule(LoadedAt(2, "/b.so", 200)).ok());
  REQUIRE(space.AddModule(UnloadedAt(2, "/b.so", 280)).ok());
  check();
}

TEST_CASE("modules that overlap only in part are told apart where they do") {
  ModuleFiles files(false);
  AddressSpace space(&files);
  REQUIRE(space.AddModule(ModulePayload(1, "/a", 0x1000, 0x2000, 0, {}, 10)).ok());
  REQUIRE(space.AddModule(ModulePayload(2, "/b", 0x3000, 0x4000, 0, {}, 20)).ok());
  REQUIRE(space.AddModule(ModulePayload(3, "/c", 0x1800, 0x3800, 0, {}, 30)).ok());
  CHECK(space.FunctionAt(0x1100, 40)->function.name == "a+0x1100");
  CHECK(space.FunctionAt(0x1900, 20)->function.name == "a+0x1900");
  CHECK(space.FunctionAt(0x1900, 40)->function.name == "c+0x1900");
  CHECK(space.FunctionAt(0x2900, 5)->function.name == "c+0x2900");
  CHECK(space.FunctionAt(0x3100, 29)->function.name == "b+0x3100");
  CHECK(space.FunctionAt(0x3900, 40)->function.name == "b+0x3900");
  CHECK(space.FunctionAt(0x4000, 40)->function.name == "0x4000");
}

TEST_CASE("a module whose coming is not known any more was there until it was unloaded") {
  ModuleFiles files(false);
  AddressSpace space(&files);
  REQUIRE(space.AddModule(LoadedAt(2, "/b.so", 200)).ok());
  REQUIRE(space.AddModule(UnloadedAt(1, "/a.so", 180)).ok());
  CHECK(space.FunctionAt(0x1100, 150)->function.name == "a.so+0x100");
  CHECK(space.FunctionAt(0x1100, 250)->function.name == "b.so+0x100");
}

TEST_CASE("entries that end too early are errors, and what stood before them counts") {
  ModuleFiles files(false);
  AddressSpace space(&files);
  const std::string module = ModulePayload(1, "/some/path", 0x1000, 0x2000);
  for (size_t size = 0; size < module.size(); ++size) {
    CHECK_FALSE(space.AddModule(module.substr(0, size)).ok());
  }
  const std::string one = FunctionPayload(0x1100, "_ZN1a1fEv", 1);
  CHECK_FALSE(space.AddFunctions(one + one.substr(0, 20)).ok());
  CHECK(space.FunctionAt(0x1100, kNow)->function.name == "a::f");
}

}  // namespace
}  // namespace autotrace::exporter
