// Whether recorders have to reckon with alternate signal stacks.
#ifndef AUTOTRACE_RUNTIME_SIGNAL_STACK_HOOKS_H_
#define AUTOTRACE_RUNTIME_SIGNAL_STACK_HOOKS_H_

namespace autotrace {

// At start, on the program's only thread: from here on its calls of sigaltstack(2) tell. Does
// nothing, so that recorders go on asking, where these calls are not seen.
void FindOutAboutSignalStacks();

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_SIGNAL_STACK_HOOKS_H_
