// Runs a function on a stack of ours instead of the traced thread's, which may have a few hundred
// bytes left (a signal handler's alternate stack, a fiber).
#ifndef AUTOTRACE_RUNTIME_OWN_STACK_H_
#define AUTOTRACE_RUNTIME_OWN_STACK_H_

namespace autotrace {

// Calls function(argument) on a stack of 1 MiB. False, without a call, when there is no memory for
// one: the present stack may be too small. Async-signal-safe and lock-free: concurrent callers get
// stacks of their own.
bool CallOnOwnStack(void (*function)(void* argument), void* argument);

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_OWN_STACK_H_
