// In a static program, which cannot load libunwind.so.8.
#include "runtime/libunwind_capture.h"

namespace autotrace {

const char* OpenLibunwind() { return "a static program cannot load libunwind"; }

size_t CaptureStackByLibunwind(uint64_t, uint64_t*, size_t) { return 0; }

}  // namespace autotrace
