// The rules of traced threads: no malloc, no errno change, bounded stack.
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <string>
#include <thread>
#include <vector>

#include "symbolizer/function_name.h"
#include "symbolizer/module_image.h"
#include "test_programs.h"
#include "tests/support/test_files.h"

namespace {
thread_local bool count_allocations = false;
std::atomic<int> allocations{0};
}  // namespace

// Takes the place of libc's in this program.
extern "C" void* __libc_malloc(size_t size);
extern "C" void* malloc(size_t size) {
  if (count_allocations) ++allocations;
  return __libc_malloc(size);
}

namespace autotrace::symbolizer {
namespace {

using test::TemporaryFolder;

TEST_CASE("the traced-thread half neither allocates nor touches errno") {
  const TemporaryFolder folder;
  Compile(Compiler::kClang, "-O0 -gdwarf-5", {"facts.cc", "facts_other.cc"}, folder / "facts");
  Run("strip --only-keep-debug " + (folder / "facts") + " -o " + (folder / "facts.debug"));
  Run("cd " + folder.path() + " && strip facts && objcopy --add-gnu-debuglink=facts.debug facts");
  const std::string path = folder / "facts";
  allocations = 0;
  errno = 4711;
  count_allocations = true;
  int functions = 0;
  int facts_found = 0;
  {
    ModuleImage missing;
    missing.Map("/nonexistent/file");
    ModuleImage image;
    image.Map(path.c_str());
    for (uint64_t address = 0; address < 0x8000; ++address) {
      Symbol symbol;
      if (!image.FindFunction(address, &symbol)) continue;
      ++functions;
      char name[256];
      QualifiedName(symbol.name, name, sizeof(name));
      FunctionFacts facts;
      if (image.FindFacts(address, &facts)) ++facts_found;
    }
    image.references_hooks();
  }
  count_allocations = false;
  CHECK(errno == 4711);
  CHECK(allocations == 0);
  CHECK(functions > 100);
  CHECK(facts_found > 20);
}

// Runs on the stack that the header promises to be enough, with nothing mapped below it: more would
// end the test program.
class SmallStack {
 public:
  SmallStack() {
    memory_ =
        mmap(nullptr, kGuard + kQualifiedNameStack, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(memory_ != MAP_FAILED);
    REQUIRE(mprotect(static_cast<char*>(memory_) + kGuard, kQualifiedNameStack,
                     PROT_READ | PROT_WRITE) == 0);
  }
  ~SmallStack() { munmap(memory_, kGuard + kQualifiedNameStack); }
  size_t Demangle(const std::string& linker_name) {
    linker_name_ = &linker_name;
    getcontext(&context_);
    context_.uc_stack.ss_sp = static_cast<char*>(memory_) + kGuard;
    context_.uc_stack.ss_size = kQualifiedNameStack;
    context_.uc_link = &caller_;
    current_ = this;
    makecontext(&context_, &SmallStack::Main, 0);
    swapcontext(&caller_, &context_);
    return size_;
  }

 private:
  static constexpr size_t kGuard = 1 << 20;
  static void Main() {
    SmallStack* self = current_;
    self->size_ = QualifiedName(*self->linker_name_, self->out_, sizeof(self->out_));
  }
  static SmallStack* current_;
  void* memory_;
  ucontext_t context_;
  ucontext_t caller_;
  const std::string* linker_name_ = nullptr;
  char out_[256];
  size_t size_ = 0;
};
SmallStack* SmallStack::current_ = nullptr;

std::string Repeat(const std::string& text, size_t count) {
  std::string result;
  for (size_t i = 0; i < count; ++i) result += text;
  return result;
}

TEST_CASE("no name takes more stack than promised") {
  SmallStack stack;
  for (size_t count = 1; count < 2100; count = count * 5 / 4 + 1) {
    const size_t half = count / 2;
    const std::string names[] = {
        "_Z1fI" + std::string(count, 'P') + "iEvv",
        "_Z1f" + std::string(count, 'F'),
        "_Z1fIX" + Repeat("ng", half) + "Li1EEEvv",
        "_Z1fIX" + std::string(count, 'L') + "EEvv",
        "_Z" + std::string(count, 'Z') + "1fv",
        "_ZN" + Repeat("1aI", count / 3) + "i" + std::string(count / 3, 'E') + "Evv",
        "_Z1fIJ" + Repeat("RT_", count / 3) + "EEvv",
        "_Z1fI" + Repeat("1aIRT_", count / 8) + "i" + std::string(count / 8, 'E') + "Evv",
        "_Z1fI" + Repeat("1aIOT_", count / 8) + "i" + std::string(count / 8, 'E') + "EvDpT_",
        "_ZN1a" + Repeat("UlvE_", count / 5) + "clEv",
        "_Z1fI" + Repeat("DpT_", count / 4) + "Evv",
        "_Z1fIXcv" + Repeat("cv", half) + "iEEvv",
        "_Z1fI" + Repeat("A_", half) + "iEvv",
        "_Z1fI" + Repeat("M1a", count / 3) + "iEvv",
        "_Z1fI" + Repeat("PF", half) + "vEvv",
    };
    for (const std::string& name : names) {
      INFO(name);
      CHECK(stack.Demangle(name) > 0);
    }
  }
}

TEST_CASE("two threads may ask one image for functions at once") {
  const TemporaryFolder folder;
  Compile(Compiler::kGcc, "-O0 -g", {"facts.cc", "facts_other.cc"}, folder / "facts");
  for (int round = 0; round < 20; ++round) {
    ModuleImage image;
    REQUIRE(image.Map((folder / "facts").c_str()));
    const std::vector<Symbol> functions = Functions(image);
    std::atomic<int> wrong{0};
    const auto ask = [&] {
      for (const Symbol& function : functions) {
        Symbol found;
        FunctionFacts facts;
        if (!image.FindFunction(function.address, &found)) ++wrong;
        if (found.address != function.address) ++wrong;
        image.FindFacts(function.address, &facts);
      }
    };
    std::thread first(ask);
    std::thread second(ask);
    first.join();
    second.join();
    CHECK(wrong == 0);
  }
}

}  // namespace
}  // namespace autotrace::symbolizer
