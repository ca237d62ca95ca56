// What the seeds of sent_file_fuzz and the target itself have to agree on.
#ifndef AUTOTRACE_TESTS_FUZZ_SENT_FILE_SEEDS_H_
#define AUTOTRACE_TESTS_FUZZ_SENT_FILE_SEEDS_H_

#include <stdint.h>

namespace autotrace::fuzz {

inline constexpr uint64_t kSentFileKey = 0x00c0ffee00c0ffee;

}  // namespace autotrace::fuzz

#endif  // AUTOTRACE_TESTS_FUZZ_SENT_FILE_SEEDS_H_
