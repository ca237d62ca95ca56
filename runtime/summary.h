// What a session says at its end: how much was recorded, what was dropped and why, how to look at
// it.
#ifndef AUTOTRACE_RUNTIME_SUMMARY_H_
#define AUTOTRACE_RUNTIME_SUMMARY_H_

#include <stdint.h>

#include <string>
#include <vector>

#include "runtime/hook_eraser.h"
#include "runtime/trace_format.h"

namespace autotrace {

struct SummaryFacts {
  uint64_t spans = 0;  // that can be looked at
  uint64_t functions = 0;
  uint64_t counters[static_cast<int>(format::Counter::kCount)] = {};
  ErasedHooks hooks;
  std::string why_no_hooks_erased;  // empty: they were, or nothing was to be erased
  uint64_t quiet = 0;               // functions that fell quiet
  std::string quiet_names;          // lines about them, each after a newline
  std::string run_path;             // empty: not recorded to disk
  std::string endpoint;             // empty: not exported
};

// Lines without a trailing newline on the last.
std::string SummaryText(const SummaryFacts& facts);

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_SUMMARY_H_
