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
#include "runtime/module_table.h"
#include "runtime/trace_format.h"

namespace autotrace {

class Recorder;

struct DecidedFunction {
  uint64_t address;  // 0: the entry was given up
  uint32_t module_id;
  uint16_t bits;
  std::string_view linker_name;  // in the module's mapping; empty when it has no symbol
};

class Decider {
 public:
  Decider(const filters::Config& config, const filters::FunctionFilter* filter,
          ModuleTable* modules);

  // The function's bits (decision_table.h), which it also stores where hooks look them up, as far
  // as ModuleTable::Store does. 0, and nothing stored, when they cannot be found out, or when
  // readers cannot be told of the function's module; `*lost` then says why. The calling thread runs
  // the function, and `recorder` is its own. Async-signal-safe.
  uint16_t Decide(uint64_t function, Recorder* recorder, format::Counter* lost);
  // See RecorderShared::learn. Async-signal-safe.
  void Learn(uint64_t function);

  // Is everything between this frame and the end of its stack the machinery that starts threads
  // (libc, libpthread, namespace std)? Async-signal-safe.
  bool IsCalledByThreadStart(uint64_t frame_address, uint64_t stack_end);
  // Does this address of code lie in this function, which was decided about?
  bool IsInside(uint64_t function, uint64_t address);

  // The functions decided to be recorded. Background thread. Null while the entry's thread has not
  // finished it; index < logged_count().
  size_t logged_count() const;
  const DecidedFunction* logged(size_t index) const;
  // In a forked child: gives up what other threads were about to log.
  void AfterFork();

 private:
  static constexpr size_t kBlockEntries = 1024;
  static constexpr size_t kBlocks = 1024;
  struct Block {
    std::atomic<bool> ready[kBlockEntries];
    DecidedFunction functions[kBlockEntries];
  };

  uint16_t DecideOnOwnStack(uint64_t function, Recorder* recorder, format::Counter* lost);
  // What its module keeps for it; 0: nothing.
  static uint16_t Kept(const Module* module, uint64_t function);
  bool IsThreadMachinery(uint64_t return_address);
  uint16_t Bits(const filters::Decision& decided) const;
  void Log(const DecidedFunction& function);
  // The block that holds this entry, mapped when it is missing; null without memory.
  Block* BlockOf(size_t index);

  const filters::FunctionFilter* filter_;
  ModuleTable* modules_;
  bool measured_mode_;
  bool depth_limited_;
  std::atomic<size_t> logged_{0};
  std::atomic<Block*> blocks_[kBlocks] = {};
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_DECIDER_H_
