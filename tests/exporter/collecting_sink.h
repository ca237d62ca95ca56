// Keeps copies of the spans it gets, for tests to look at.
#ifndef AUTOTRACE_TESTS_EXPORTER_COLLECTING_SINK_H_
#define AUTOTRACE_TESTS_EXPORTER_COLLECTING_SINK_H_

#include <stdint.h>

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "exporter/span.h"

namespace autotrace::testing {

struct CollectedSpan {
  exporter::Span span;  // its views are not valid any more; the copies below are
  std::string name;
  std::string pipeline_id_key;
  std::string pipeline_id;

  const exporter::AttributeValue* attribute(std::string_view key) const {
    for (const exporter::Attribute& attribute : span.attributes) {
      if (attribute.first == key) return &attribute.second;
    }
    return nullptr;
  }
  bool is_root() const { return !span.parent_span_id.valid(); }
};

class CollectingSink : public exporter::SpanSink {
 public:
  absl::Status Consume(const exporter::Span& span) override {
    spans.push_back({span, std::string(span.name), std::string(span.pipeline_id_key),
                     std::string(span.pipeline_id)});
    return absl::OkStatus();
  }
  absl::Status Finish() override {
    ++finished;
    return absl::OkStatus();
  }

  // The only span of this name; null when there is none, or more than one.
  const CollectedSpan* Find(std::string_view name) const {
    const CollectedSpan* found = nullptr;
    for (const CollectedSpan& span : spans) {
      if (span.name != name) continue;
      if (found != nullptr) return nullptr;
      found = &span;
    }
    return found;
  }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const CollectedSpan& span : spans) names.push_back(span.name);
    return names;
  }

  std::vector<CollectedSpan> spans;
  int finished = 0;
};

}  // namespace autotrace::testing

#endif  // AUTOTRACE_TESTS_EXPORTER_COLLECTING_SINK_H_
