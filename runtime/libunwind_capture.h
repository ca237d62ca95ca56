// CaptureStack (stack_capture.h) by libunwind, for those who ask for it (`unwinder: libunwind`).
//
// libunwind finds its way through code that was made at run time and announced to it
// (_U_dyn_register), and through frames without unwind tables. For the latter it takes a pipe, and
// asks the kernel about memory: a program that closes descriptors it does not know, or that has a
// seccomp filter, is better off with the runtime's own unwinder.
#ifndef AUTOTRACE_RUNTIME_LIBUNWIND_CAPTURE_H_
#define AUTOTRACE_RUNTIME_LIBUNWIND_CAPTURE_H_

#include <stddef.h>
#include <stdint.h>

namespace autotrace {

// Opens libunwind.so.8. Null, or why that cannot be done. At start; before that is not to be
// captured.
const char* OpenLibunwind();

// As CaptureStack, but with system calls. Keeps errno.
size_t CaptureStackByLibunwind(uint64_t frame_address, uint64_t* addresses, size_t capacity);

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_LIBUNWIND_CAPTURE_H_
