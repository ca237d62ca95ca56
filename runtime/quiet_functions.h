// Functions that were called very often and were always too short to be kept fall quiet: from then
// on they are not recorded, their hooks are erased, and their names are reported ("adaptive
// quiet"). What is kept does not change by it unless such a function is slow later.
//
// Only functions in code that lasts as long as the program, that no pattern spells out, and of
// which no call is open that has lasted for longer than a short one: what is open when a function
// becomes a candidate is watched for as long as that. Background thread only.
#ifndef AUTOTRACE_RUNTIME_QUIET_FUNCTIONS_H_
#define AUTOTRACE_RUNTIME_QUIET_FUNCTIONS_H_

#include <stddef.h>
#include <stdint.h>

#include <memory>
#include <string>
#include <vector>

#include "runtime/decider.h"
#include "runtime/hook_erasing.h"
#include "runtime/module_table.h"
#include "runtime/recorder.h"
#include "runtime/thread_recorders.h"
#include "runtime/trace_format.h"

namespace autotrace {

struct QuietFunction {
  const Module* module;
  uint64_t function;
  uint64_t calls;  // seen until then
};

class QuietFunctions {
 public:
  QuietFunctions(RecorderShared* shared, RecorderPool* pool, ModuleTable* modules,
                 HookErasing* erasing)
      : shared_(shared), pool_(pool), modules_(modules), erasing_(erasing) {}

  // Looks at new candidates.
  void Look();
  // The payload of a kQuiet block about what has changed since the last time; empty: nothing has.
  std::string TakeNews();
  // All are recorded again; the caller lets them be decided about anew.
  void RestoreAll();

  // Those that are quiet now.
  const std::vector<QuietFunction>& functions() const { return lists_->functions; }

  // In a forked child, when the parent's background thread may have been at work.
  void AbandonInChild();

 private:
  struct Candidate {
    uint64_t function;
    uint64_t since;  // ticks
  };

  void LookAtCandidates();
  // False: ask again later.
  bool Settle(const Candidate& candidate, const OpenFunctions& open);
  void Note(const Module& module, uint64_t function);

  RecorderShared* shared_;
  RecorderPool* pool_;
  ModuleTable* modules_;
  HookErasing* erasing_;
  size_t looked_at_ = 0;
  struct Lists {
    std::vector<Candidate> waiting;
    std::vector<QuietFunction> functions;
    std::vector<format::QuietEntry> news;
  };
  std::unique_ptr<Lists> lists_ = std::make_unique<Lists>();
  std::vector<std::unique_ptr<Lists>> abandoned_;  // kept, never looked at
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_QUIET_FUNCTIONS_H_
