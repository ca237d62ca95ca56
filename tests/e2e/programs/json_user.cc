// Drives nlohmann-json: a library of templates, all of whose functions are traced.
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "program.h"

using nlohmann::json;

namespace shop {

struct Item {
  std::string name;
  int count = 0;
};

NOINLINE void to_json(json& target, const Item& item) {
  target = json{{"name", item.name}, {"count", item.count}};
}
NOINLINE void from_json(const json& source, Item& item) {
  source.at("name").get_to(item.name);
  source.at("count").get_to(item.count);
}

}  // namespace shop

int main() {
  const json document = json::parse(R"({"items": [{"name": "nut", "count": 3},
      {"name": "bolt", "count": 4}], "open": true, "price": 1.25, "note": null})");
  int count = 0;
  for (const shop::Item& item : document.at("items").get<std::vector<shop::Item>>()) {
    count += item.count;
  }

  json copy = document;
  copy["items"].push_back(shop::Item{"gear", 5});
  copy["tags"] = std::map<std::string, int>{{"a", 1}, {"b", 2}};
  copy.merge_patch(json{{"open", false}});
  const json difference = json::diff(document, copy);
  const json patched = document.patch(difference);

  bool refused = false;
  try {
    copy["broken"] = json::parse("{\"broken\": ");
  } catch (const json::parse_error&) {
    refused = true;
  }
  std::printf("%d %zu %d %d %s\n", count, difference.size(), patched == copy, refused,
              copy.dump().c_str());
  return 0;
}
