// Whether a function is straight-line: no loop, and no call that would be left once everything is
// inlined that is defined inline and straight-line itself. The same question as
// plugin/gcc/straight_line.h answers, about the same source; the two should answer alike.
//
// It is judged by the function as it was written, with its callees', so that the answer does not
// depend on the level of optimization. Where something is not certain, the answer is no.
#ifndef AUTOTRACE_PLUGIN_LLVM_STRAIGHT_LINE_H_
#define AUTOTRACE_PLUGIN_LLVM_STRAIGHT_LINE_H_

#include <stdint.h>

#include <unordered_map>

#include "clang/AST/ASTContext.h"
#include "plugin/settings.h"

namespace autotrace::plugin {

class StraightLine {
 public:
  StraightLine(const clang::ASTContext& context, Leaves leaves)
      : context_(context), leaves_(leaves) {}

  bool Is(const clang::FunctionDecl& function);

 private:
  friend class StraightLineWalk;
  enum class State : uint8_t { kBeingAsked, kNo, kYes };

  bool Examine(const clang::FunctionDecl& function);
  // Does a call of it vanish?
  bool IsInlinedAway(const clang::FunctionDecl& callee);
  // The same for the end of an object's life.
  bool IsDestroyedInline(clang::QualType type);

  const clang::ASTContext& context_;
  Leaves leaves_;
  std::unordered_map<const clang::FunctionDecl*, State> known_;
};

}  // namespace autotrace::plugin

#endif  // AUTOTRACE_PLUGIN_LLVM_STRAIGHT_LINE_H_
