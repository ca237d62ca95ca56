// Runs a function on a stack of ours instead of the traced thread's, which may have a few hundred
// bytes left (a signal handler's alternate stack, a fiber).
#ifndef AUTOTRACE_RUNTIME_OWN_STACK_H_
#define AUTOTRACE_RUNTIME_OWN_STACK_H_

namespace autotrace {

// Calls function(argument) on a stack of 1 MiB; on the present one when there is no memory. Async-
// signal-safe and lock-free: concurrent callers get stacks of their own.
void CallOnOwnStack(void (*function)(void* argument), void* argument);

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_OWN_STACK_H_
