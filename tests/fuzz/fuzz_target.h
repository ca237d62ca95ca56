// What every file *_fuzz.cc here has: one function that is given foreign bytes and reads them as
// the product does. libFuzzer calls it with bytes of its own making (libfuzzer_entry.cc);
// replay_main.cc, in every other build, with the files in seeds/.
#ifndef AUTOTRACE_TESTS_FUZZ_FUZZ_TARGET_H_
#define AUTOTRACE_TESTS_FUZZ_FUZZ_TARGET_H_

#include <stdio.h>
#include <stdlib.h>

#include <string_view>

namespace autotrace::fuzz {

// Ends by returning; anything else (a crash, a sanitizer's report, Require) is a finding.
void TestInput(std::string_view bytes);

// Ends the process, saying what did not hold, unless it holds.
inline void Require(bool holds, const char* what) {
  if (holds) return;
  fprintf(stderr, "does not hold: %s\n", what);
  abort();
}

// Reads every byte, so that a view of what is not there is noticed.
inline void Touch(std::string_view text) {
  unsigned char sum = 0;
  for (const char c : text) sum = static_cast<unsigned char>(sum + c);
  asm volatile("" : : "r"(sum));  // used
}

}  // namespace autotrace::fuzz

#endif  // AUTOTRACE_TESTS_FUZZ_FUZZ_TARGET_H_
