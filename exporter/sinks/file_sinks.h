// The formats that spans can be written to files in, by name: what `autotracer export --to` takes.
// A new file format is one class and one line in file_sinks.cc.
#ifndef AUTOTRACE_EXPORTER_SINKS_FILE_SINKS_H_
#define AUTOTRACE_EXPORTER_SINKS_FILE_SINKS_H_

#include <stdio.h>

#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "exporter/span.h"

namespace autotrace::exporter {

// "otlp-json", "chrome".
std::vector<std::string_view> FileFormats();

// A sink that writes to `file`, which it neither owns nor closes; Finish flushes it. An unknown
// format is InvalidArgument and names the known ones.
absl::StatusOr<std::unique_ptr<SpanSink>> MakeFileSink(std::string_view format, FILE* file);

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_SINKS_FILE_SINKS_H_
