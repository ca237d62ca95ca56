// RapidJSON: a document is written, read as a tree and as events, validated against a schema, and
// asked by pointers; all of it with the library's own allocators.
#include <rapidjson/document.h>
#include <rapidjson/error/en.h>
#include <rapidjson/pointer.h>
#include <rapidjson/prettywriter.h>
#include <rapidjson/reader.h>
#include <rapidjson/schema.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <cstdio>
#include <string>

namespace {

constexpr int kRecords = 60;

std::string WriteRecords() {
  rapidjson::StringBuffer buffer;
  rapidjson::PrettyWriter<rapidjson::StringBuffer> writer(buffer);
  writer.StartArray();
  for (int i = 0; i < kRecords; ++i) {
    writer.StartObject();
    writer.Key("id");
    writer.Int(i);
    writer.Key("name");
    writer.String(("name \"" + std::to_string(i * i) + "\" \u00fc").c_str());
    writer.Key("weight");
    writer.Double(i / 7.0);
    writer.Key("tags");
    writer.StartArray();
    for (int tag = 0; tag < i % 4; ++tag) writer.String("tag");
    writer.EndArray();
    writer.EndObject();
  }
  writer.EndArray();
  return buffer.GetString();
}

struct Totals : rapidjson::BaseReaderHandler<rapidjson::UTF8<>, Totals> {
  bool Int(int) { return Number(); }
  bool Uint(unsigned) { return Number(); }
  bool Double(double) { return Number(); }
  bool Key(const char*, rapidjson::SizeType, bool) {
    ++keys;
    return true;
  }
  bool Number() {
    ++numbers;
    return true;
  }
  int keys = 0;
  int numbers = 0;
};

void ReadEvents(const std::string& text) {
  Totals totals;
  rapidjson::Reader reader;
  rapidjson::StringStream stream(text.c_str());
  const bool read = !reader.Parse(stream, totals).IsError();
  printf("events: read %d, %d keys, %d numbers\n", read, totals.keys, totals.numbers);
}

void Validate(const rapidjson::Document& document) {
  rapidjson::Document schema_text;
  schema_text.Parse(R"({"type": "array", "items": {"type": "object",
    "properties": {"id": {"type": "integer", "minimum": 0}, "name": {"pattern": "^name"},
                   "tags": {"type": "array", "uniqueItems": false}},
    "required": ["id", "name"], "anyOf": [{"required": ["weight"]}, {"required": ["mass"]}]}})");
  const rapidjson::SchemaDocument schema(schema_text);
  rapidjson::SchemaValidator validator(schema);
  printf("valid: %d\n", document.Accept(validator));
}

void AskAndChange(rapidjson::Document* document) {
  double sum = 0;
  for (int i = 0; i < kRecords; i += 3) {
    const std::string path = "/" + std::to_string(i) + "/weight";
    sum += rapidjson::Pointer(path.c_str()).Get(*document)->GetDouble();
    rapidjson::Pointer(path.c_str()).Set(*document, i);
  }
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
  document->Accept(writer);
  printf("sum %.3f, %zu bytes\n", sum, buffer.GetSize());
}

void Errors() {
  for (const char* text : {"{", "[1,2", "{\"a\":}", "nul", "\"\\x\"", "[1,]"}) {
    rapidjson::Document document;
    document.Parse(text);
    printf("%zu: %s\n", document.GetErrorOffset(),
           rapidjson::GetParseError_En(document.GetParseError()));
  }
}

}  // namespace

int main() {
  const std::string text = WriteRecords();
  ReadEvents(text);
  rapidjson::Document document;
  document.Parse(text.c_str());
  rapidjson::Document copy;
  copy.CopyFrom(document, copy.GetAllocator());
  printf("equal %d, %zu bytes\n", copy == document, text.size());
  Validate(document);
  AskAndChange(&document);
  Errors();
}
