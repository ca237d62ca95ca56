// The `traceparent` value by which a span is named to other programs (W3C Trace Context, section
// 3.2), handed on in the environment as TRACEPARENT (OpenTelemetry: "Environment Variables as
// Context Propagation Carriers").
#ifndef AUTOTRACE_RUNTIME_TRACE_PARENT_H_
#define AUTOTRACE_RUNTIME_TRACE_PARENT_H_

#include <stddef.h>

#include <string_view>

#include "runtime/ids.h"
#include "runtime/recorder.h"

namespace autotrace {

// "00-", 32 digits, "-", 16 digits, "-01".
inline constexpr size_t kTraceParentSize = 55;

// Reads a value of any version that has version 00's fields. False, and `parent` unchanged, for
// what section 3.2 calls invalid: wrong sizes or digits, version ff, ids of zeros only.
// Async-signal-safe.
bool ParseTraceParent(std::string_view text, OuterParent* parent);

// Writes kTraceParentSize characters and no zero byte. `identity` exists; its span is of a process
// with this secret, or one outside. Async-signal-safe.
void FormatTraceParent(const OuterParent& identity, const IdSecret& secret, char* text);

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_TRACE_PARENT_H_
