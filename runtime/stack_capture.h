// Return addresses of the present stack, for `root_stacktrace` and `exception_stacktrace`: by
// libunwind, which is opened only when stacks are asked for; in static programs by the unwinder
// that is linked into them (record_only/stack_capture.cc).
#ifndef AUTOTRACE_RUNTIME_STACK_CAPTURE_H_
#define AUTOTRACE_RUNTIME_STACK_CAPTURE_H_

#include <stddef.h>
#include <stdint.h>

namespace autotrace {

enum class StackOf {
  kThrow,
  kRoot,  // of any function, in whatever the program is doing
};

// Makes ready for capturing such stacks. False (with the reason logged) when they cannot be had. At
// start.
bool InitializeStackCapture(StackOf what);

// The frames at or above `frame_address`, innermost first: where the function that has this frame
// was called from, and so on outwards. Traced threads; allocates nothing, but libunwind reads
// unwind tables and may take its own locks.
size_t CaptureStack(uint64_t frame_address, uint64_t* addresses, size_t capacity);

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_STACK_CAPTURE_H_
