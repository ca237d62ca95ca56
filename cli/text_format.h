// Numbers, durations and names as people read them in a terminal. Pure functions.
#ifndef AUTOTRACE_CLI_TEXT_FORMAT_H_
#define AUTOTRACE_CLI_TEXT_FORMAT_H_

#include <stddef.h>
#include <stdint.h>

#include <string>
#include <string_view>

namespace autotrace::cli {

// Three significant digits and a unit; minutes and hours in whole seconds and minutes.
//   0 ns   812 ns   4.84 µs   41.2 ms   1.50 s   2m 03s   1h 02m
std::string HumanDuration(uint64_t nanoseconds);

// 1234567 to "1,234,567".
std::string HumanCount(uint64_t count);

// Powers of 1024: "0 B", "1.5 KiB", "12 MiB".
std::string HumanBytes(uint64_t bytes);

// Local time, "2026-11-20 10:23:05"; "unknown" for 0.
std::string HumanTime(uint64_t unix_nanoseconds);

// Columns that UTF-8 text takes: one for each code point.
size_t DisplayWidth(std::string_view text);

// Text that is safe to print: control characters and bytes that are no UTF-8 become \n, \t or \xNN,
// so that a recorded name or attribute cannot steer the terminal.
std::string Printable(std::string_view text);

// At most `width` columns; what is too long loses its middle to "…". `text` is Printable already.
std::string CutMiddle(std::string_view text, size_t width);
// The same, losing its end.
std::string CutEnd(std::string_view text, size_t width);

// Filled with spaces to `width` columns; longer text stays as it is.
std::string PadLeft(std::string_view text, size_t width);
std::string PadRight(std::string_view text, size_t width);

// "1 span", "2 spans": `noun` gets an s unless count is 1.
std::string Counted(uint64_t count, std::string_view noun);

}  // namespace autotrace::cli

#endif  // AUTOTRACE_CLI_TEXT_FORMAT_H_
