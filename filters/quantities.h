// Durations and sizes as people write them, with a unit.
#ifndef AUTOTRACE_FILTERS_QUANTITIES_H_
#define AUTOTRACE_FILTERS_QUANTITIES_H_

#include <stdint.h>

#include <string>
#include <string_view>

namespace autotrace::filters {

// "250ns", "10us", "1.5ms", "2s", "0" to nanoseconds; a fraction of a nanosecond counts as one.
// On failure false and *error says what was found and what was expected.
bool ParseDuration(std::string_view text, uint64_t* nanoseconds, std::string* error);
// 1500000 to "1.5ms". ParseDuration reads back exactly the same.
std::string FormatDuration(uint64_t nanoseconds);

// "1GiB", "500MiB", "64kB", "512B", "0" to bytes. Errors as above.
bool ParseSize(std::string_view text, uint64_t* bytes, std::string* error);
// 1073741824 to "1GiB". ParseSize reads back exactly the same.
std::string FormatSize(uint64_t bytes);

// A whole number without sign. False when it is none or is greater than `maximum`.
bool ParseWholeNumber(std::string_view text, uint64_t maximum, uint64_t* number);

}  // namespace autotrace::filters

#endif  // AUTOTRACE_FILTERS_QUANTITIES_H_
