#include "exporter/span_details.h"

#include <utility>

#include "exporter/byte_order.h"

namespace autotrace::exporter {
namespace {

// Below this many, looking through them is quicker than an index.
constexpr size_t kIndexFrom = 16;

// The value as its type says; nothing when its size is not that type's.
std::optional<AttributeValue> ParseValue(format::AttributeType type, std::string_view bytes) {
  switch (type) {
    case format::AttributeType::kString:
      return AttributeValue(std::string(bytes));
    case format::AttributeType::kInt:
      if (bytes.size() != sizeof(int64_t)) return std::nullopt;
      return AttributeValue(Load<int64_t>(bytes.data()));
    case format::AttributeType::kDouble:
      if (bytes.size() != sizeof(double)) return std::nullopt;
      return AttributeValue(Load<double>(bytes.data()));
    case format::AttributeType::kBool:
      if (bytes.size() != 1) return std::nullopt;
      return AttributeValue(bytes[0] != 0);
  }
  return std::nullopt;
}

}  // namespace

absl::Status SpanDetails::Add(format::ExtensionType type, std::string_view payload) {
  switch (type) {
    case format::ExtensionType::kName:
      name_ = std::string(payload);
      return absl::OkStatus();
    case format::ExtensionType::kPipelineId:
      pipeline_id_ = std::string(payload);
      return absl::OkStatus();
    case format::ExtensionType::kLongStart:
      if (payload.size() != sizeof(uint64_t)) break;
      long_start_ = Load<uint64_t>(payload.data());
      return absl::OkStatus();
    case format::ExtensionType::kStack:
      stack_.clear();
      for (uint64_t address = 0; Take(&payload, &address);) stack_.push_back(address);
      return absl::OkStatus();
    case format::ExtensionType::kAttribute:
      return AddAttribute(payload);
    case format::ExtensionType::kException:
      return AddException(payload);
    default:
      return absl::OkStatus();
  }
  return absl::DataLossError("an extension record has a wrong size");
}

absl::Status SpanDetails::AddException(std::string_view payload) {
  format::ExceptionHeader header;
  if (!Take(&payload, &header) ||
      payload.size() != uint64_t{header.stack_count} * sizeof(uint64_t) + header.type_size +
                            header.message_size) {
    return absl::DataLossError("an exception's parts do not fill its record");
  }
  ExceptionDetails& exception = exception_.emplace();
  exception.id = header.id;
  exception.ticks = header.ticks;
  exception.is_described = !payload.empty();
  for (uint32_t i = 0; i < header.stack_count; ++i) {
    Take(&payload, &exception.stack.emplace_back());
  }
  exception.type = payload.substr(0, header.type_size);
  exception.message = payload.substr(header.type_size);
  return absl::OkStatus();
}

absl::Status SpanDetails::AddAttribute(std::string_view payload) {
  format::AttributeHeader header;
  if (!Take(&payload, &header) || payload.size() < header.key_size ||
      payload.size() - header.key_size < header.value_size) {
    return absl::DataLossError("an attribute is longer than its record");
  }
  const std::string_view key = payload.substr(0, header.key_size);
  const std::string_view bytes = payload.substr(header.key_size, header.value_size);
  std::optional<AttributeValue> value =
      ParseValue(static_cast<format::AttributeType>(header.type), bytes);
  if (!value.has_value()) return absl::DataLossError("an attribute's value has a wrong size");

  AttributeValue& target = ValueOf(key);
  auto* text = std::get_if<std::string>(&target);
  const bool continues = continued_ && continued_key_ == key && text != nullptr &&
                         std::holds_alternative<std::string>(*value);
  if (continues) {
    text->append(bytes);
  } else {
    target = *std::move(value);
  }
  continued_ = header.continued != 0;
  if (continued_) continued_key_ = key;
  return absl::OkStatus();
}

AttributeValue& SpanDetails::ValueOf(std::string_view key) {
  if (attributes_.size() < kIndexFrom) {
    for (Attribute& attribute : attributes_) {
      if (attribute.first == key) return attribute.second;
    }
  } else {
    if (index_.empty()) {
      for (size_t i = 0; i < attributes_.size(); ++i) index_[attributes_[i].first] = i;
    }
    const auto [known, is_new] = index_.try_emplace(std::string(key), attributes_.size());
    if (!is_new) return attributes_[known->second].second;
  }
  return attributes_.emplace_back(std::string(key), AttributeValue()).second;
}

}  // namespace autotrace::exporter
