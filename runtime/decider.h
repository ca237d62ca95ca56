// Decides about functions at first sight: which binary, what name, what do the filters say.
//
// Runs on traced threads, on a stack of its own, without malloc, lock or errno. What it decided is
// kept in a log that the background thread passes on, so that a recording holds the names of its
// functions even when their binary is gone later; that a binary is there is told before
// (module_table.h).
#ifndef AUTOTRACE_RUNTIME_DECIDER_H_
#define AUTOTRACE_RUNTIME_DECIDER_H_

#include <stdint.h>

#include <atomic>
#include <string_view>

#include "filters/config.h"
#include "filters/function_filter.h"
#include "runtime/append_log.h"
#include "runtime/module_table.h"
#include "runtime/trace_format.h"

namespace autotrace {

class Recorder;
class ShortCalls;

struct DecidedFunction {
  uint64_t address;  // 0: the entry was given up
  uint32_t module_id;
  uint16_t bits;
  std::string_view linker_name;  // in the module's mapping; empty when it has no symbol
};

struct SeenHook {
  const Module* module;  // of the function; null: the entry was given up
  uint64_t function;
  uint64_t called_from;  // an address in the body that the call of the hook stands in
  bool has_effect;       // the function is recorded, or what it calls hidden
};

class Decider {
 public:
  Decider(const filters::Config& config, const filters::FunctionFilter* filter,
          ModuleTable* modules, const ShortCalls* short_calls);

  // The function's bits (decision_table.h), which it also stores where hooks look them up, as far
  // as ModuleTable::Store does. 0, and nothing stored, when they cannot be found out, or when
  // readers cannot be told of the function's module; `*lost` then says why. The calling thread runs
  // the function, from an entry hook with this frame address, and `recorder` is its own.
  // Async-signal-safe.
  uint16_t Decide(uint64_t function, uint64_t frame_address, Recorder* recorder,
                  format::Counter* lost);
  // From here on decides by this filter, which stays; what was decided before is the caller's to
  // forget, also what threads decide at this moment. Background thread.
  void set_filter(const filters::FunctionFilter* filter) {
    filter_.store(filter, std::memory_order_release);
  }
  // Would a function that was decided about be recorded, or hide others, by the present filter?
  bool HasEffect(const Module& module, uint64_t function);
  // Was it recorded, and is not any more because it was always short?
  bool IsQuiet(uint64_t function) const;
  // May hooks be erased?
  bool logs_hooks() const { return logs_hooks_; }
  // See RecorderShared::learn. Async-signal-safe.
  void Learn(uint64_t function);

  // Is everything between this frame and the end of its stack the machinery that starts threads
  // (libc, libpthread, namespace std)? Async-signal-safe.
  bool IsCalledByThreadStart(uint64_t frame_address, uint64_t stack_end);
  // Does this address of code lie in this function, which was decided about?
  bool IsInside(uint64_t function, uint64_t address);

  // The functions decided to be recorded.
  const AppendLog<DecidedFunction>& functions() const { return functions_; }
  // Hooks of all functions that were decided about in code that lasts; when hooks may be erased.
  const AppendLog<SeenHook>& hooks() const { return hooks_; }
  // In a forked child.
  void AfterFork() {
    functions_.AfterFork();
    hooks_.AfterFork();
    logged_.AfterFork();
  }

 private:
  uint16_t DecideOnOwnStack(uint64_t function, uint64_t frame_address, Recorder* recorder,
                            format::Counter* lost);
  // What its module keeps for it; 0: nothing.
  static uint16_t Kept(const Module* module, uint64_t function);
  bool IsThreadMachinery(uint64_t return_address);
  uint16_t Bits(const filters::Decision& decided, const filters::FunctionFilter& filter,
                const Module* module) const;
  bool WasLogged(const Module& module, uint64_t function, uint16_t what) const;
  void NoteLogged(const Module& module, uint64_t function, uint16_t what);

  std::atomic<const filters::FunctionFilter*> filter_;
  ModuleTable* modules_;
  const ShortCalls* short_calls_;
  bool measured_mode_;
  bool depth_limited_;
  const bool logs_hooks_;
  AppendLog<DecidedFunction> functions_;
  AppendLog<SeenHook> hooks_;
  // What the two hold of code that lasts, because functions are decided about more than once.
  DecisionTable logged_;
  const bool has_logged_;
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_DECIDER_H_
