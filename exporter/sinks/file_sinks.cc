#include "exporter/sinks/file_sinks.h"

#include <string>

#include "exporter/sinks/chrome_trace.h"
#include "exporter/sinks/otlp_json.h"

namespace autotrace::exporter {
namespace {

template <typename Sink>
std::unique_ptr<SpanSink> Make(FILE* file) {
  return std::make_unique<Sink>(file);
}

struct FileFormat {
  std::string_view name;
  std::unique_ptr<SpanSink> (*make)(FILE* file);
};

constexpr FileFormat kFormats[] = {
    {"otlp-json", Make<OtlpJsonFileSink>},
    {"chrome", Make<ChromeTraceSink>},
};

}  // namespace

std::vector<std::string_view> FileFormats() {
  std::vector<std::string_view> names;
  for (const FileFormat& format : kFormats) names.push_back(format.name);
  return names;
}

absl::StatusOr<std::unique_ptr<SpanSink>> MakeFileSink(std::string_view format, FILE* file) {
  for (const FileFormat& known : kFormats) {
    if (known.name == format) return known.make(file);
  }
  std::string message = "unknown format '" + std::string(format) + "', expected one of";
  const char* separator = " ";
  for (const FileFormat& known : kFormats) {
    message.append(separator).append(known.name);
    separator = ", ";
  }
  return absl::InvalidArgumentError(message);
}

}  // namespace autotrace::exporter
