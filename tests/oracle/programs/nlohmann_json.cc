// nlohmann-json: documents are built, written, read in four formats, compared, patched and sorted;
// broken ones are refused by exceptions.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

using nlohmann::json;

namespace {

json MakeTree(int depth, int width) {
  if (depth == 0) return width * 1.5;
  json node = json::object();
  for (int i = 0; i < width; ++i) {
    node["key" + std::to_string(i)] =
        i % 2 == 0 ? json::array({i, "text\u00e9 \n", nullptr, true}) : MakeTree(depth - 1, width);
  }
  return node;
}

// Follows the events of the parser without building anything.
class DepthCounter : public nlohmann::json_sax<json> {
 public:
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override { return Enter(); }
  bool key(string_t&) override { return true; }
  bool end_object() override { return Leave(); }
  bool start_array(std::size_t) override { return Enter(); }
  bool end_array() override { return Leave(); }
  bool parse_error(std::size_t, const std::string&, const json::exception&) override {
    return false;
  }
  int deepest() const { return deepest_; }

 private:
  bool Enter() {
    deepest_ = std::max(deepest_, ++depth_);
    return true;
  }
  bool Leave() {
    --depth_;
    return true;
  }
  int depth_ = 0;
  int deepest_ = 0;
};

void RoundTrips(const json& document) {
  const std::string text = document.dump(2);
  const json parsed = json::parse(text);
  DepthCounter counter;
  json::sax_parse(text, &counter);
  printf("text: %zu bytes, equal %d, depth %d\n", text.size(), parsed == document,
         counter.deepest());
  const std::vector<std::uint8_t> packed = json::to_msgpack(parsed);
  printf("msgpack: %zu bytes, equal %d\n", packed.size(), json::from_msgpack(packed) == document);
  const std::vector<std::uint8_t> cbor = json::to_cbor(parsed);
  printf("cbor: %zu bytes, equal %d\n", cbor.size(), json::from_cbor(cbor) == document);
}

void Patches(const json& document) {
  json changed = document;
  changed["key1"]["key0"][1] = "other";
  changed.erase("key3");
  const json patch = json::diff(document, changed);
  printf("patch: %zu operations, equal %d, flat %zu\n", patch.size(),
         document.patch(patch) == changed, document.flatten().size());
}

void Sorting(int count) {
  json numbers = json::array();
  for (int i = 0; i < count; ++i) numbers.push_back(i * 7919 % 61);
  // The library's own operator< and iterators, called by the standard library's algorithm.
  std::sort(numbers.begin(), numbers.end());
  printf("sorted: %s\n", numbers[5].dump().c_str());
}

void Errors() {
  int count = 0;
  for (const char* text : {"{", "[1,2", "{\"a\":}", "nul", "\"\\x\"", "[1,]", "\"\xff\""}) {
    try {
      count += json::parse(text).is_null() ? 0 : 100;
    } catch (const json::parse_error&) {
      ++count;
    }
    const json array = {1, 2, text};
    try {
      count += array.at("x").is_null() ? 0 : 100;
    } catch (const json::type_error&) {
      ++count;
    }
    try {
      count += array.at(7).is_null() ? 0 : 100;
    } catch (const json::out_of_range&) {
      ++count;
    }
  }
  printf("errors: %d\n", count);
}

}  // namespace

int main(int, char** arguments) {
  const int size = atoi(arguments[1]);
  const json document = MakeTree(size, 4);
  RoundTrips(document);
  Patches(document);
  Sorting(6 * size);
  Errors();
}
