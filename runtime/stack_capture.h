// Return addresses of the present stack, by libunwind, for `root_stacktrace`. libunwind is opened
// only when stacks are asked for.
#ifndef AUTOTRACE_RUNTIME_STACK_CAPTURE_H_
#define AUTOTRACE_RUNTIME_STACK_CAPTURE_H_

#include <stddef.h>
#include <stdint.h>

namespace autotrace {

// Opens libunwind. False (with the reason logged) when it is not there. At start.
bool InitializeStackCapture();

// The frames at or above `frame_address`, innermost first: where the function that has this frame
// was called from, and so on outwards. Traced threads; allocates nothing, but libunwind reads
// unwind tables and may take its own locks.
size_t CaptureStack(uint64_t frame_address, uint64_t* addresses, size_t capacity);

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_STACK_CAPTURE_H_
