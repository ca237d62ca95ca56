#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "pipeline.h"

namespace pipeline_app {

std::vector<LanguageRecord> extract_data(const std::string& languages_path) {
  std::ifstream file(languages_path, std::ios::binary);
  if (!file) {
    throw std::runtime_error("cannot read " + languages_path + ": " + std::strerror(errno) +
                             " (the package iso-codes holds it)");
  }
  nlohmann::json document;
  try {
    document = nlohmann::json::parse(file);
  } catch (const nlohmann::json::exception& error) {
    throw std::runtime_error(languages_path + " is not valid JSON: " + error.what());
  }
  const auto list = document.find("639-3");
  if (list == document.end() || !list->is_array()) {
    throw std::runtime_error(languages_path + " holds no list named \"639-3\"");
  }

  std::vector<LanguageRecord> records;
  records.reserve(list->size());
  for (const nlohmann::json& record : *list) {
    records.push_back(process_record(record, records.size()));
  }
  return records;
}

}  // namespace pipeline_app
