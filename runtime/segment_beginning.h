// What each segment of a process begins with, so that it can be read alone: the process, its
// modules and functions, the threads that live and what is open in them, the clock. Background
// thread only, after the session's start.
#ifndef AUTOTRACE_RUNTIME_SEGMENT_BEGINNING_H_
#define AUTOTRACE_RUNTIME_SEGMENT_BEGINNING_H_

#include <stdint.h>

#include <deque>
#include <map>
#include <string>
#include <string_view>

#include "runtime/module_history.h"
#include "runtime/thread_states.h"
#include "runtime/trace_format.h"

namespace autotrace {

class SegmentBeginning {
 public:
  // Takes note of a block that is not about what happened. True when the next beginning holds it as
  // it is.
  bool Remember(format::BlockKind kind, std::string_view head, std::string_view body);
  // Takes note of a block of records. The beginning of the segment that it stands in is made
  // before.
  void RememberRecords(std::string_view head, std::string_view body);
  // Nothing that is open began earlier, nor will anything that ends be of an earlier time.
  void ForgetClockBefore(uint64_t ticks);

  // See ModuleHistory.
  void EndPass() { modules_.EndPass(); }

  std::string Blocks() const;
  // The part of them that is about modules.
  std::string ModuleBlocks() const;

 private:
  // Of spans that are open for longer (a day, about) the oldest lines are drawn together.
  static constexpr size_t kMostLines = 8192;

  void AddClock(std::string_view payload);
  void JoinLines();

  std::string process_and_functions_;
  ModuleHistory modules_;
  std::map<uint32_t, std::string> threads_;  // kThread blocks of those that live, by index
  ThreadStates states_;
  std::deque<format::ClockLine> lines_;
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_SEGMENT_BEGINNING_H_
