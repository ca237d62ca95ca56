// Parses large JSON documents with nlohmann-json and asks them questions: the tables of the world's
// languages, countries and their parts, in Debian's package iso-codes. Arguments: rounds.
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "programs/timed_program.h"

namespace {

UNTRACED std::string ReadFile(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

}  // namespace

UNTRACED uint64_t RunProgram(int rounds) {
  const std::string folder = "/usr/share/iso-codes/json/";
  const std::string languages_text = ReadFile(folder + "iso_639-3.json");
  const std::string places_text = ReadFile(folder + "iso_3166-2.json");
  uint64_t answer = 0;
  for (int round = 0; round < rounds; ++round) {
    const nlohmann::json languages = nlohmann::json::parse(languages_text);
    for (const nlohmann::json& language : languages.at("639-3")) {
      if (language.at("type") == "L" && language.contains("alpha_2")) ++answer;
      answer += language.at("name").get<std::string>().size();
    }
    const nlohmann::json places = nlohmann::json::parse(places_text);
    for (const nlohmann::json& place : places.at("3166-2")) {
      answer += place.value("parent", "").size();
    }
    answer += places.dump().size();
  }
  return answer;
}
