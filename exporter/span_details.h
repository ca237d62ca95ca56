// What extension records say of one span: name, attributes, stack and the like. They stand before
// the span's own record, so they are collected here until it comes.
#ifndef AUTOTRACE_EXPORTER_SPAN_DETAILS_H_
#define AUTOTRACE_EXPORTER_SPAN_DETAILS_H_

#include <stdint.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "exporter/span.h"
#include "runtime/trace_format.h"

namespace autotrace::exporter {

// What a kException extension says.
struct ExceptionDetails {
  uint64_t id = 0;            // of the thread's exceptions
  uint64_t ticks = 0;         // when it was thrown
  bool is_described = false;  // false: the rest stood with an earlier span
  std::string type;           // mangled
  std::string message;
  std::vector<uint64_t> stack;  // return addresses, innermost first
};

class SpanDetails {
 public:
  // One extension's payload, without padding. Types it does not know are passed over.
  absl::Status Add(format::ExtensionType type, std::string_view payload);

  const std::optional<std::string>& name() const { return name_; }
  const std::optional<std::string>& pipeline_id() const { return pipeline_id_; }
  const std::optional<uint64_t>& long_start() const { return long_start_; }  // ticks
  // Return addresses, innermost first.
  const std::vector<uint64_t>& stack() const { return stack_; }
  const std::optional<ExceptionDetails>& exception() const { return exception_; }
  // In the order in which they were set; of a key the later value.
  std::vector<Attribute>& attributes() { return attributes_; }

 private:
  absl::Status AddAttribute(std::string_view payload);
  absl::Status AddException(std::string_view payload);
  AttributeValue& ValueOf(std::string_view key);

  std::optional<std::string> name_;
  std::optional<std::string> pipeline_id_;
  std::optional<uint64_t> long_start_;
  std::vector<uint64_t> stack_;
  std::optional<ExceptionDetails> exception_;
  std::vector<Attribute> attributes_;
  absl::flat_hash_map<std::string, size_t> index_;  // of attributes_, once there are many
  std::string continued_key_;  // of the string that the next extension continues
  bool continued_ = false;
};

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_SPAN_DETAILS_H_
