#include "runtime/stack_capture.h"

#include <unwind.h>

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
  // The stack pointer at this instruction. The root's own frame has the very address; its callers
  // lie above.
  if (_Unwind_GetCFA(context) > capture->frame_address) {
    capture->addresses[capture->count++] = instruction;
  }
  return _URC_NO_REASON;
}

}  // namespace

void InitializeStackCapture() {
  uint64_t address;
  CaptureStack(0, &address, 1);
}

size_t CaptureStack(uint64_t frame_address, uint64_t* addresses, size_t capacity) {
  Capture capture = {frame_address, addresses, capacity, 0};
  _Unwind_Backtrace(&AddFrame, &capture);
  return capture.count;
}

}  // namespace autotrace
