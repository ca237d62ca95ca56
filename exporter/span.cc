#include "exporter/span.h"

#include <algorithm>
#include <iterator>

namespace autotrace::exporter {
namespace {

template <size_t kSize>
std::string HexOf(const std::array<uint8_t, kSize>& bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * kSize);
  for (const uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 0xf];
  }
  return text;
}

}  // namespace

std::string Hex(const TraceId& id) { return HexOf(id.bytes); }
std::string Hex(const SpanId& id) { return HexOf(id.bytes); }

std::vector<Attribute> AllAttributes(const Span& span) {
  std::vector<Attribute> all;
  const auto add = [&](std::string_view key, AttributeValue value) {
    // What the program set itself wins.
    const bool own = std::any_of(span.attributes.begin(), span.attributes.end(),
                                 [&](const Attribute& set) { return set.first == key; });
    if (!own) all.emplace_back(std::string(key), std::move(value));
  };
  if (span.function != nullptr) {
    add("code.function.name", span.function->name);
    if (!span.function->file.empty()) {
      add("code.file.path", span.function->file);
      if (span.function->line != 0) add("code.line.number", int64_t{span.function->line});
    }
  }
  if (!span.stacktrace.empty()) add("code.stacktrace", span.stacktrace);
  if (span.thread != nullptr) {
    add("thread.id", static_cast<int64_t>(span.thread->tid));
    if (!span.thread->name.empty()) add("thread.name", span.thread->name);
  }
  if (span.caller != nullptr) add("autotrace.caller", span.caller->description);
  if (span.unfinished) add("autotrace.unfinished", true);
  if (span.placeholder) add("autotrace.placeholder", true);
  if (!span.pipeline_id.empty()) add(span.pipeline_id_key, std::string(span.pipeline_id));
  std::copy(span.attributes.begin(), span.attributes.end(), std::back_inserter(all));
  return all;
}

}  // namespace autotrace::exporter
