// What libFuzzer calls.
#include <stddef.h>
#include <stdint.h>

#include "tests/fuzz/fuzz_target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  autotrace::fuzz::TestInput({reinterpret_cast<const char*>(data), size});
  return 0;
}
