// In a static program: by the unwinder that is linked into it.
//
// That one takes a lock and, the first time, memory from malloc. A thread that throws is about to
// do both anyway, so there it does no harm; at any other place it could wait for itself.
#include "runtime/stack_capture.h"

#include <errno.h>
#include <unwind.h>

#include "runtime/log.h"

namespace autotrace {
namespace {

struct Capture {
  uint64_t frame_address;
  uint64_t* addresses;
  size_t capacity;
  size_t count;
};

_Unwind_Reason_Code AddFrame(_Unwind_Context* context, void* argument) {
  auto* capture = static_cast<Capture*>(argument);
  const uint64_t instruction = _Unwind_GetIP(context);
  if (instruction == 0 || capture->count == capture->capacity) return _URC_NORMAL_STOP;
  if (_Unwind_GetCFA(context) > capture->frame_address) {
    capture->addresses[capture->count++] = instruction;
  }
  return _URC_NO_REASON;
}

}  // namespace

bool InitializeStackCapture(StackOf what) {
  if (what == StackOf::kThrow) return true;
  Log("root_stacktrace has no effect in a static program");
  return false;
}

size_t CaptureStack(uint64_t frame_address, uint64_t* addresses, size_t capacity) {
  const int error_number = errno;
  Capture capture = {frame_address, addresses, capacity, 0};
  _Unwind_Backtrace(&AddFrame, &capture);
  errno = error_number;
  return capture.count;
}

}  // namespace autotrace
