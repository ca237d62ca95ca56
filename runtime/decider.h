// Decides about functions at first sight: which binary, what name, what do the filters say.
//
// Runs on traced threads, on a stack of its own, without malloc, lock or errno. What it decided is
// kept in a log that the background thread passes on, so that a recording holds the names of its
// functions even when their binary is gone later.
#ifndef AUTOTRACE_RUNTIME_DECIDER_H_
#define AUTOTRACE_RUNTIME_DECIDER_H_

#include <stdint.h>

#include <atomic>
#include <string_view>

#include "filters/config.h"
#include "filters/function_filter.h"
#include "runtime/decision_table.h"
#include "runtime/module_table.h"

namespace autotrace {

struct DecidedFunction {
  uint64_t address;
  uint32_t module_id;
  uint16_t bits;
  std::string_view linker_name;  // in the module's mapping; empty when it has no symbol
};

class Decider {
 public:
  Decider(const filters::Config& config, const filters::FunctionFilter* filter,
          ModuleTable* modules, DecisionTable* table);

  // The function's bits (decision_table.h), which it also stores in the table, except while its
  // module is just coming or going. 0, and nothing stored, without memory to find them out. The
  // calling thread runs the function. Async-signal-safe.
  uint16_t Decide(uint64_t function);

  // Is everything between this frame and the end of its stack the machinery that starts threads
  // (libc, libpthread, namespace std)? Async-signal-safe.
  bool IsCalledByThreadStart(uint64_t frame_address, uint64_t stack_end);
  // Does this address of code lie in this function, which was decided about?
  bool IsInside(uint64_t function, uint64_t address);

  // The functions decided to be recorded, in order. Background thread: entries below the returned
  // count are complete.
  size_t decided_count();
  const DecidedFunction& decided(size_t index) const;

 private:
  static constexpr size_t kBlockEntries = 1024;
  static constexpr size_t kBlocks = 1024;
  struct Block {
    std::atomic<bool> ready[kBlockEntries];
    DecidedFunction functions[kBlockEntries];
  };

  void DecideOnOwnStack(uint64_t function, uint16_t* bits);
  bool IsThreadMachinery(uint64_t return_address);
  uint16_t Bits(const filters::Decision& decided) const;
  void Log(const DecidedFunction& function);
  // The block that holds this entry, mapped when it is missing; null without memory.
  Block* BlockOf(size_t index);

  const filters::FunctionFilter* filter_;
  ModuleTable* modules_;
  DecisionTable* table_;
  bool measured_mode_;
  bool depth_limited_;
  std::atomic<size_t> logged_{0};
  size_t complete_ = 0;  // background thread: how many entries are known to be filled in
  std::atomic<Block*> blocks_[kBlocks] = {};
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_DECIDER_H_
