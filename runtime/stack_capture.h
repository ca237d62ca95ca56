// Return addresses of the present stack, for `root_stacktrace` and `exception_stacktrace`.
//
// By GCC's unwinder, of which this library has a copy of its own: it takes no descriptors and makes
// no system calls (libunwind does both on the thread that throws), and no locks, because nobody
// registers unwind tables with this copy; it finds those of loaded binaries through
// _dl_find_object. A frame that has none, such as code made at run time, ends the stack.
#ifndef AUTOTRACE_RUNTIME_STACK_CAPTURE_H_
#define AUTOTRACE_RUNTIME_STACK_CAPTURE_H_

#include <stddef.h>
#include <stdint.h>

namespace autotrace {

// At start: what the unwinder does once, it does now.
void InitializeStackCapture();

// The frames at or above `frame_address`, innermost first: where the function that has this frame
// was called from, and so on outwards. Traced threads; no allocation, lock or system call.
size_t CaptureStack(uint64_t frame_address, uint64_t* addresses, size_t capacity);

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_STACK_CAPTURE_H_
