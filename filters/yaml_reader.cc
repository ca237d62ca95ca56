#include "filters/yaml_reader.h"

#include <yaml.h>

#include <set>

#include "filters/message_text.h"

namespace autotrace::filters {
namespace {

constexpr int kMaximumDepth = 16;
constexpr size_t kMaximumValues = 50'000;

Position ToPosition(const yaml_mark_t& mark) { return {mark.line + 1, mark.column + 1}; }

// libyaml's event, freed on all ways out.
class Event {
 public:
  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event() { yaml_event_delete(&event_); }

  yaml_event_t* get() { return &event_; }
  const yaml_event_t* operator->() const { return &event_; }
  Position position() const { return ToPosition(event_.start_mark); }

 private:
  yaml_event_t event_ = {};
};

class Reader {
 public:
  Reader(std::string_view text, YamlError* error) : text_(text), error_(*error) {
    initialized_ = yaml_parser_initialize(&parser_) != 0;
    if (!initialized_) return;
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()),
                                 text.size());
    yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  ~Reader() {
    if (initialized_) yaml_parser_delete(&parser_);
  }

  bool ReadDocument(YamlValue* value) {
    if (!initialized_) return Fail({}, "out of memory");
    bool document = false;
    while (true) {
      Event event;
      if (!Next(&event)) return false;
      switch (event->type) {
        case YAML_STREAM_END_EVENT:
          return true;
        case YAML_DOCUMENT_START_EVENT:
          if (document) return Fail(event.position(), "found a second document, expected one");
          document = true;
          break;
        case YAML_STREAM_START_EVENT:
        case YAML_DOCUMENT_END_EVENT:
          break;
        default:
          if (!ReadValue(event, /*depth=*/1, value)) return false;
      }
    }
  }

 private:
  // Always false, so that callers can return it.
  bool Fail(Position position, std::string text) {
    error_.position = position;
    error_.text = std::move(text);
    return false;
  }

  bool Next(Event* event) {
    return yaml_parser_parse(&parser_, event->get()) != 0 || FailToParse();
  }

  bool FailToParse() {
    const std::string problem = parser_.problem == nullptr ? "broken YAML" : parser_.problem;
    if (parser_.error == YAML_MEMORY_ERROR) return Fail({}, "out of memory");
    if (parser_.error == YAML_READER_ERROR) {
      return Fail(PositionOfOffset(parser_.problem_offset), "found broken text: " + problem);
    }
    std::string text = "found broken YAML: ";
    if (parser_.context != nullptr) text += std::string(parser_.context) + ", ";
    text += problem;
    // A pattern such as *::run looks like an alias.
    const bool alias = parser_.context != nullptr &&
                       std::string_view(parser_.context).find("alias") != std::string_view::npos;
    if (alias) text += " (a value that begins with * needs quotes)";
    return Fail(ToPosition(alias ? parser_.context_mark : parser_.problem_mark), std::move(text));
  }

  Position PositionOfOffset(size_t offset) const {
    Position position{1, 1};
    for (char c : text_.substr(0, offset)) {
      if (c == '\n') {
        ++position.line;
        position.column = 1;
      } else if ((static_cast<unsigned char>(c) & 0xc0) != 0x80) {
        ++position.column;
      }
    }
    return position;
  }

  bool ReadValue(const Event& event, int depth, YamlValue* value) {
    value->position = event.position();
    if (++values_ > kMaximumValues) {
      return Fail(value->position,
                  "found more than " + std::to_string(kMaximumValues) + " values, expected fewer");
    }
    if (depth > kMaximumDepth) {
      return Fail(value->position, "found values nested deeper than " +
                                       std::to_string(kMaximumDepth) + " levels, expected fewer");
    }
    switch (event->type) {
      case YAML_SCALAR_EVENT:
        ReadText(event, value);
        return true;
      case YAML_SEQUENCE_START_EVENT:
        return ReadList(depth, value);
      case YAML_MAPPING_START_EVENT:
        return ReadMap(depth, value);
      case YAML_ALIAS_EVENT: {
        const std::string name = reinterpret_cast<const char*>(event->data.alias.anchor);
        return Fail(value->position, "found the alias *" + Escaped(name.substr(0, 60)) +
                                         ", expected a value (one that begins with * needs "
                                         "quotes)");
      }
      default:
        return Fail(value->position, "found broken YAML");
    }
  }

  static void ReadText(const Event& event, YamlValue* value) {
    const auto& scalar = event->data.scalar;
    value->text.assign(reinterpret_cast<const char*>(scalar.value), scalar.length);
    const bool nothing = scalar.style == YAML_PLAIN_SCALAR_STYLE &&
                         (value->text.empty() || value->text == "~" || value->text == "null");
    value->kind = nothing ? YamlValue::Kind::kNothing : YamlValue::Kind::kText;
  }

  bool ReadList(int depth, YamlValue* value) {
    value->kind = YamlValue::Kind::kList;
    while (true) {
      Event event;
      if (!Next(&event)) return false;
      if (event->type == YAML_SEQUENCE_END_EVENT) return true;
      if (!ReadValue(event, depth + 1, &value->items.emplace_back())) return false;
    }
  }

  bool ReadMap(int depth, YamlValue* value) {
    value->kind = YamlValue::Kind::kMap;
    std::set<std::string> keys;
    while (true) {
      Event key_event;
      if (!Next(&key_event)) return false;
      if (key_event->type == YAML_MAPPING_END_EVENT) return true;
      auto& [key, entry] = value->entries.emplace_back();
      if (!ReadValue(key_event, depth + 1, &key)) return false;
      if (key.kind != YamlValue::Kind::kText) {
        return Fail(key.position,
                    "found " + std::string(KindName(key.kind)) + " as a key, expected text");
      }
      if (!keys.insert(key.text).second) {
        error_.key = key.text;
        return Fail(key.position, "found this key a second time, expected it once");
      }
      Event entry_event;
      if (!Next(&entry_event) || !ReadValue(entry_event, depth + 1, &entry)) return false;
    }
  }

  std::string_view text_;
  YamlError& error_;
  yaml_parser_t parser_ = {};
  bool initialized_ = false;
  size_t values_ = 0;
};

}  // namespace

bool ReadYaml(std::string_view text, YamlValue* value, YamlError* error) {
  *value = YamlValue();
  *error = YamlError();
  if (text.size() > kMaximumYamlSize) {
    error->text = "found " + std::to_string(text.size()) + " bytes, expected at most 1MiB";
    return false;
  }
  return Reader(text, error).ReadDocument(value);
}

std::string_view KindName(YamlValue::Kind kind) {
  switch (kind) {
    case YamlValue::Kind::kNothing:
      return "nothing";
    case YamlValue::Kind::kText:
      return "text";
    case YamlValue::Kind::kList:
      return "a list";
    case YamlValue::Kind::kMap:
      return "a map";
  }
  return "";
}

}  // namespace autotrace::filters
