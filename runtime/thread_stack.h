// Where a thread's own stack lies, as opposed to stacks that a program makes itself.
//
// Known without a system call, a lock or glibc's private structures: the main thread's stack ends
// where the loader says and is as large as its limit, another thread's ends at its control block
// and is as large as it was asked for. Traced threads: async-signal-safe.
#ifndef AUTOTRACE_RUNTIME_THREAD_STACK_H_
#define AUTOTRACE_RUNTIME_THREAD_STACK_H_

#include <pthread.h>
#include <stdint.h>

#include "runtime/stack_range.h"

namespace autotrace {

// Once, before threads trace.
void InitializeThreadStacks();

// The size that a thread with these attributes (null: the default ones) will have. Takes the lock
// that pthread_create takes.
uint64_t ThreadStackSize(const pthread_attr_t* attributes);

// The calling thread's. `size`: as ThreadStackSize said when it was started, or 0: it was not
// asked. A stack may be larger; never smaller unless it was asked for without our knowledge.
StackRange OwnStackOfThread(uint64_t size);

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_THREAD_STACK_H_
