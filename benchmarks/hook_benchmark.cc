// What single hooks and manual spans cost, with Google Benchmark. The hooks are called by hand, for
// functions that hook_benchmark.yaml decides about differently:
//
//   AUTOTRACE_CONFIG=benchmarks/hook_benchmark.yaml hook_benchmark
//
// A pass is an entry and an exit. All calls are children of one root, as in most programs.
#include <benchmark/benchmark.h>
#include <x86intrin.h>

#include <array>
#include <cstddef>
#include <utility>

#include <autotrace/autotrace.h>

extern "C" void __cyg_profile_func_enter(void* function, void* call_site);
extern "C" void __cyg_profile_func_exit(void* function, void* call_site);

namespace bench {

// Never called; the hooks get their addresses. Different bodies, or they would share one.
__attribute__((noinline)) int root() { return 1; }
__attribute__((noinline)) int recorded() { return 2; }
__attribute__((noinline)) int too_short() { return 3; }
__attribute__((noinline)) int not_wanted() { return 4; }

template <size_t kNumber>
__attribute__((noinline)) int fresh() {
  return static_cast<int>(kNumber) + 100;
}

}  // namespace bench

namespace {

using Function = int (*)();

void* const kCallSite = reinterpret_cast<void*>(&bench::root);

void Enter(Function function) {
  __cyg_profile_func_enter(reinterpret_cast<void*>(function), kCallSite);
}
void Exit(Function function) {
  __cyg_profile_func_exit(reinterpret_cast<void*>(function), kCallSite);
}

void ReadTimeStampCounter(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(__rdtsc());
}
BENCHMARK(ReadTimeStampCounter)->Name("one reading of the time stamp counter");

void Hooks(benchmark::State& state, Function function) {
  Enter(bench::root);
  for (auto _ : state) {
    Enter(function);
    Exit(function);
  }
  Exit(bench::root);
}
BENCHMARK_CAPTURE(Hooks, , bench::recorded)->Name("hooks of a recorded call");
BENCHMARK_CAPTURE(Hooks, , bench::too_short)->Name("hooks of a call that is too short");
BENCHMARK_CAPTURE(Hooks, , bench::not_wanted)->Name("hooks of a function that is not wanted");

// Functions that nobody has seen before: each is decided about once, so there are only so many.
constexpr size_t kFreshFunctions = 8192;
constexpr size_t kFreshInARun = 512;

template <size_t... kNumbers>
constexpr std::array<Function, sizeof...(kNumbers)> FreshFunctions(
    std::index_sequence<kNumbers...>) {
  return {&bench::fresh<kNumbers>...};
}

void FirstSight(benchmark::State& state) {
  static constexpr auto kFunctions = FreshFunctions(std::make_index_sequence<kFreshFunctions>());
  static size_t next = 0;
  Enter(bench::root);
  for (auto _ : state) {
    if (next == kFreshFunctions) {
      state.SkipWithError("all functions have been seen");
      break;
    }
    Enter(kFunctions[next]);
    Exit(kFunctions[next]);
    ++next;
  }
  Exit(bench::root);
}
BENCHMARK(FirstSight)->Iterations(kFreshInARun)->Name("first call of a function");

void ManualSpan(benchmark::State& state) {
  Enter(bench::root);
  for (auto _ : state) {
    const autotrace::Span span("read a block");
    benchmark::DoNotOptimize(span.recording());
  }
  Exit(bench::root);
}
BENCHMARK(ManualSpan)->Name("manual span");

void ManualSpanWithAttributes(benchmark::State& state) {
  Enter(bench::root);
  for (auto _ : state) {
    const autotrace::Span span("read a block", {{"file", "index"}, {"block", 7}});
    benchmark::DoNotOptimize(span.recording());
  }
  Exit(bench::root);
}
BENCHMARK(ManualSpanWithAttributes)->Name("manual span with two attributes");

}  // namespace

BENCHMARK_MAIN();
