// The attributes of a span one by one, without building the vector that AllAttributes returns: what
// the encoders use, once per span. The two list the same attributes (a test compares them).
#ifndef AUTOTRACE_EXPORTER_SINKS_SPAN_ATTRIBUTES_H_
#define AUTOTRACE_EXPORTER_SINKS_SPAN_ATTRIBUTES_H_

#include <stdint.h>

#include <string_view>
#include <utility>
#include <variant>

#include "exporter/span.h"

namespace autotrace::exporter {

// A value that does not own its text.
using AttributeView = std::variant<std::string_view, int64_t, double, bool>;

inline AttributeView View(const AttributeValue& value) {
  return std::visit([](const auto& alternative) { return AttributeView(alternative); }, value);
}

// Did the program set this attribute itself?
inline bool SetByProgram(const Span& span, std::string_view key) {
  for (const Attribute& attribute : span.attributes) {
    if (attribute.first == key) return true;
  }
  return false;
}

// Calls visit(std::string_view key, const AttributeView& value) for each attribute. Keys are
// unique: what the program set itself wins over what autotrace would have set.
template <typename Visit>
void ForEachAttribute(const Span& span, Visit&& visit) {
  const auto automatic = [&](std::string_view key, const AttributeView& value) {
    if (!SetByProgram(span, key)) visit(key, value);
  };
  if (span.function != nullptr) {
    automatic("code.function.name", std::string_view(span.function->name));
    if (!span.function->file.empty()) {
      automatic("code.file.path", std::string_view(span.function->file));
      if (span.function->line != 0) automatic("code.line.number", int64_t{span.function->line});
    }
  }
  if (!span.stacktrace.empty()) automatic("code.stacktrace", std::string_view(span.stacktrace));
  automatic("thread.id", static_cast<int64_t>(span.thread->tid));
  if (!span.thread->name.empty()) automatic("thread.name", std::string_view(span.thread->name));
  if (span.caller != nullptr) {
    automatic("autotrace.caller", std::string_view(span.caller->description));
  }
  if (span.unfinished) automatic("autotrace.unfinished", true);
  if (span.placeholder) automatic("autotrace.placeholder", true);
  if (!span.pipeline_id.empty()) automatic(span.pipeline_id_key, span.pipeline_id);
  for (const Attribute& attribute : span.attributes) {
    visit(std::string_view(attribute.first), View(attribute.second));
  }
}

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_SINKS_SPAN_ATTRIBUTES_H_
