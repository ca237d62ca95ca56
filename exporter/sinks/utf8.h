// Valid UTF-8 out of any bytes. Names and attributes come from symbol tables and from the program,
// which may hold anything, while protobuf's `string` and JSON allow UTF-8 only: one bad byte makes
// a receiver refuse the whole batch.
#ifndef AUTOTRACE_EXPORTER_SINKS_UTF8_H_
#define AUTOTRACE_EXPORTER_SINKS_UTF8_H_

#include <stddef.h>

#include <string>
#include <string_view>

namespace autotrace::exporter {

// Size in bytes of the longest prefix of `text` that is valid UTF-8 (RFC 3629: no overlong forms,
// no surrogates, nothing above U+10FFFF).
size_t ValidUtf8Prefix(std::string_view text);

// Appends `text`, with U+FFFD in place of each byte that is part of no valid sequence.
void AppendValidUtf8(std::string_view text, std::string* out);

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_SINKS_UTF8_H_
