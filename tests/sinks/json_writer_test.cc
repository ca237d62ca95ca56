#include "exporter/sinks/json_writer.h"

#include <stdint.h>

#include <catch2/catch.hpp>
#include <limits>
#include <string>
#include <string_view>

#include "exporter/sinks/utf8.h"

namespace autotrace::exporter {
namespace {

template <typename Write>
std::string Json(Write write) {
  std::string out;
  JsonWriter json(&out);
  write(json);
  return out;
}

std::string Repaired(std::string_view text) {
  std::string out;
  AppendValidUtf8(text, &out);
  return out;
}

TEST_CASE("values of objects and arrays are separated by commas at every depth") {
  CHECK(Json([](JsonWriter& json) {
          json.BeginObject();
          json.Key("a");
          json.BeginArray();
          json.Int(1);
          json.BeginObject();
          json.EndObject();
          json.Bool(true);
          json.EndArray();
          json.Key("b");
          json.Uint(std::numeric_limits<uint64_t>::max());
          json.EndObject();
        }) == R"({"a":[1,{},true],"b":18446744073709551615})");
}

TEST_CASE("quotes, backslashes and control characters are escaped, other text is not") {
  constexpr char kText[] = "\"\\/\b\n\r\t\x01\x1f\x7f\0é€😀";
  const std::string_view text(kText, sizeof(kText) - 1);
  CHECK(Json([&](JsonWriter& json) { json.String(text); }) ==
        "\"\\\"\\\\/\\u0008\\n\\r\\t\\u0001\\u001f\x7f\\u0000é€😀\"");
}

TEST_CASE("64-bit integers can be written as strings") {
  CHECK(Json([](JsonWriter& json) { json.IntString(std::numeric_limits<int64_t>::min()); }) ==
        "\"-9223372036854775808\"");
}

TEST_CASE("doubles read back the same, and those JSON lacks are strings") {
  CHECK(Json([](JsonWriter& json) { json.Double(0.1); }) == "0.1");
  CHECK(Json([](JsonWriter& json) { json.Double(1e300); }) == "1e+300");
  CHECK(Json([](JsonWriter& json) { json.Double(-0.0); }) == "-0");
  CHECK(Json([](JsonWriter& json) { json.Double(std::numeric_limits<double>::quiet_NaN()); }) ==
        "\"NaN\"");
  CHECK(Json([](JsonWriter& json) { json.Double(-std::numeric_limits<double>::infinity()); }) ==
        "\"-Infinity\"");
}

TEST_CASE("nanoseconds become microseconds with three decimals") {
  CHECK(Json([](JsonWriter& json) { json.Microseconds(0); }) == "0.000");
  CHECK(Json([](JsonWriter& json) { json.Microseconds(1234567); }) == "1234.567");
  CHECK(Json([](JsonWriter& json) { json.Microseconds(-1007); }) == "-1.007");
  CHECK(Json([](JsonWriter& json) { json.Microseconds(std::numeric_limits<int64_t>::min()); }) ==
        "-9223372036854775.808");
}

TEST_CASE("ids are lower-case hexadecimal") {
  const uint8_t bytes[] = {0x00, 0xab, 0xff};
  CHECK(Json([&](JsonWriter& json) { json.Hex(bytes, sizeof(bytes)); }) == "\"00abff\"");
}

TEST_CASE("valid UTF-8 is left alone") {
  for (const char* text : {"", "plain", "é", "€", "😀", "\xef\xbf\xbf", "\xf4\x8f\xbf\xbf"}) {
    CHECK(ValidUtf8Prefix(text) == std::string_view(text).size());
    CHECK(Repaired(text) == text);
  }
}

TEST_CASE("bytes that are no UTF-8 are replaced one by one") {
  CHECK(Repaired("a\xff"
                 "b") == "a\uFFFDb");
  CHECK(Repaired("\xc0\x80") == "\uFFFD\uFFFD");                      // overlong
  CHECK(Repaired("\xed\xa0\x80") == "\uFFFD\uFFFD\uFFFD");            // surrogate
  CHECK(Repaired("\xf4\x90\x80\x80") == "\uFFFD\uFFFD\uFFFD\uFFFD");  // above U+10FFFF
  CHECK(Repaired("ok\xe2\x82") == "ok\uFFFD\uFFFD");                  // cut off
  CHECK(Json([](JsonWriter& json) { json.String("\"\xff\""); }) == "\"\\\"\uFFFD\\\"\"");
}

}  // namespace
}  // namespace autotrace::exporter
