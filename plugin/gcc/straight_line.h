// Whether a function is straight-line: no loop, and no call that would be left once everything is
// inlined that is defined inline and straight-line itself.
//
// It is judged by the function as it was written, with its callees', before any optimization, so
// that the answer does not depend on the level of optimization. Where something is not certain, the
// answer is no. To be asked when the whole translation unit has been parsed.
#ifndef AUTOTRACE_PLUGIN_GCC_STRAIGHT_LINE_H_
#define AUTOTRACE_PLUGIN_GCC_STRAIGHT_LINE_H_

#include "plugin/gcc/gcc_headers.h"

namespace autotrace::plugin {

class StraightLine {
 public:
  explicit StraightLine(Leaves leaves) : leaves_(leaves) {}

  bool Is(tree function);

 private:
  class Walk;
  enum class State : uint8_t { kBeingAsked, kNo, kYes };

  // Does a call of it vanish?
  bool IsInlinedAway(tree callee);

  Leaves leaves_;
  std::unordered_map<tree, State> known_;
};

}  // namespace autotrace::plugin

#endif  // AUTOTRACE_PLUGIN_GCC_STRAIGHT_LINE_H_
