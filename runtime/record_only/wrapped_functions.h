// The functions that ours take the place of in a static program: the link editor is told of each
// with
// --wrap (CMakeLists.txt reads this list).
#ifndef AUTOTRACE_RUNTIME_RECORD_ONLY_WRAPPED_FUNCTIONS_H_
#define AUTOTRACE_RUNTIME_RECORD_ONLY_WRAPPED_FUNCTIONS_H_

// Of the C library and the unwinder, which every static program is linked with.
#define AUTOTRACE_WRAPPED_FUNCTIONS(F) \
  F(_Unwind_RaiseException)            \
  F(_Unwind_Resume_or_Rethrow)         \
  F(_Unwind_SetGR)                     \
  F(_Unwind_SetIP)                     \
  F(__longjmp_chk)                     \
  F(_longjmp)                          \
  F(clone)                             \
  F(execl)                             \
  F(execle)                            \
  F(execlp)                            \
  F(execv)                             \
  F(execve)                            \
  F(execveat)                          \
  F(execvp)                            \
  F(execvpe)                           \
  F(fexecve)                           \
  F(longjmp)                           \
  F(posix_spawn)                       \
  F(posix_spawnp)                      \
  F(pthread_create)                    \
  F(setcontext)                        \
  F(sigaltstack)                       \
  F(siglongjmp)                        \
  F(swapcontext)                       \
  F(syscall)

// Of a C++ library, which a program in C has none of.
#define AUTOTRACE_WRAPPED_CPP_FUNCTIONS(F) F(__cxa_begin_catch)

#endif  // AUTOTRACE_RUNTIME_RECORD_ONLY_WRAPPED_FUNCTIONS_H_
