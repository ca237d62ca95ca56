#include <nlohmann/json.hpp>
#include <stdexcept>

#include "pipeline.h"

namespace {

std::runtime_error BadRecord(std::size_t index, const std::string& what) {
  return std::runtime_error("record " + std::to_string(index) + ": " + what);
}

std::string TextField(const nlohmann::json& record, const char* key, std::size_t index) {
  const auto field = record.find(key);
  if (field == record.end()) return {};
  if (!field->is_string()) throw BadRecord(index, std::string("\"") + key + "\" is not a text");
  return field->get<std::string>();
}

}  // namespace

namespace pipeline_app {

LanguageRecord process_record(const nlohmann::json& record, std::size_t index) {
  if (!record.is_object()) throw BadRecord(index, "not an object");
  LanguageRecord language;
  language.code = TextField(record, "alpha_3", index);
  if (language.code.empty()) throw BadRecord(index, "\"alpha_3\" is missing");
  language.two_letter_code = TextField(record, "alpha_2", index);
  language.name = normalize_name(TextField(record, "name", index));
  const std::string inverted_name = TextField(record, "inverted_name", index);
  if (!inverted_name.empty()) language.inverted_name = normalize_name(inverted_name);

  const std::string scope = TextField(record, "scope", index);
  const std::string type = TextField(record, "type", index);
  if (scope.size() != 1 || type.size() != 1) {
    throw BadRecord(index, "\"scope\" and \"type\" have to be one letter each");
  }
  language.scope = scope[0];
  language.type = type[0];
  return language;
}

}  // namespace pipeline_app
