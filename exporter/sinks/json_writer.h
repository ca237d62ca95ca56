// Writes JSON (RFC 8259) into a string, for the file sinks: commas and escapes are its business,
// nesting is the caller's. Text that is not UTF-8 is repaired.
//
//   JsonWriter json(&out);
//   json.BeginObject();
//   json.Key("name");
//   json.String("a \"b\"");
//   json.EndObject();          // {"name":"a \"b\""}
#ifndef AUTOTRACE_EXPORTER_SINKS_JSON_WRITER_H_
#define AUTOTRACE_EXPORTER_SINKS_JSON_WRITER_H_

#include <stddef.h>
#include <stdint.h>

#include <string>
#include <string_view>

namespace autotrace::exporter {

class JsonWriter {
 public:
  // Appends to `out`, which must outlive the writer.
  explicit JsonWriter(std::string* out) : out_(out) {}
  JsonWriter(const JsonWriter&) = delete;
  JsonWriter& operator=(const JsonWriter&) = delete;

  void BeginObject() { Begin('{'); }
  void EndObject() { End('}'); }
  void BeginArray() { Begin('['); }
  void EndArray() { End(']'); }
  void Key(std::string_view key);

  void String(std::string_view text);
  void Bool(bool value);
  void Int(int64_t value);
  void Uint(uint64_t value);
  // A 64-bit integer as a decimal string, as protobuf's JSON mapping wants it.
  void IntString(int64_t value);
  void UintString(uint64_t value);
  // The shortest number that reads back the same; what JSON cannot express becomes the string
  // "NaN", "Infinity" or "-Infinity", as in protobuf's JSON mapping.
  void Double(double value);
  // Nanoseconds as a number of microseconds with three decimals, exactly.
  void Microseconds(int64_t nanoseconds);
  // Bytes as a string of lower-case hexadecimal digits.
  void Hex(const uint8_t* bytes, size_t size);
  // JSON that was written elsewhere: a value, or elements of an array joined by commas.
  void Raw(std::string_view json);

 private:
  void Begin(char bracket);
  void End(char bracket);
  void Separate();
  void AppendEscaped(std::string_view text);

  std::string* out_;
  bool needs_comma_ = false;
};

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_SINKS_JSON_WRITER_H_
