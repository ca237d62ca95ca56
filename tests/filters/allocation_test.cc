// Decisions are taken on traced threads, possibly inside the program's own malloc: they must not
// allocate. This program's operator new counts for itself.
#include <stdint.h>
#include <stdlib.h>

#include <catch2/catch.hpp>
#include <new>
#include <string_view>

#include "filters/function_filter.h"
#include "filters/known_function.h"

namespace {

thread_local uint64_t allocations = 0;

void* Allocate(size_t size) {
  ++allocations;
  void* memory = malloc(size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(size_t size) { return Allocate(size); }
void* operator new[](size_t size) { return Allocate(size); }
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  ++allocations;
  return malloc(size == 0 ? 1 : size);
}
void* operator new[](size_t size, const std::nothrow_t& tag) noexcept {
  return operator new(size, tag);
}
void operator delete(void* memory) noexcept { free(memory); }
void operator delete[](void* memory) noexcept { free(memory); }
void operator delete(void* memory, size_t) noexcept { free(memory); }
void operator delete[](void* memory, size_t) noexcept { free(memory); }

namespace autotrace::filters {
namespace {

TEST_CASE("a decision allocates nothing", "[filter]") {
  Config config;
  config.modules = {"app", "**::run*", "libx.so", "src/**/*.cc", "my_service", "app::Box<*>", "*"};
  config.exclude = {"std", "app::operator<"};
  config.exclude_subtree = {"**::log"};
  config.roots = {"app::handle"};
  config.min_duration_for = {{"app::db", 1}, {"x.cc", 2}};
  const FunctionFilter filter(config);

  const std::string_view names[] = {
      "main",
      "app::run(int)::{lambda(std::string)#1}::operator()",
      "app::Box<std::vector<std::basic_string<char, std::char_traits<char> > > >::get",
      "app::operator<< <int>",
      "std::vector<int>::push_back",
      ""};
  const uint64_t before = allocations;
  for (std::string_view name : names) {
    const KnownFunction function(name, "/opt/lib/libx.so.1", "/p/src/a/b/../c/x.cc");
    static_cast<void>(filter.Decide(function));
  }
  const uint64_t after = allocations;
  CHECK(after == before);
  // The counter counts.
  CHECK_FALSE(filter.UnmatchedPatterns().empty());
  CHECK(allocations > after);
}

}  // namespace
}  // namespace autotrace::filters
