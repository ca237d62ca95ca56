// In a static program, which cannot load libautotrace-cpp-export.so. Session makes none.
#include "runtime/live_exporter.h"

namespace autotrace {

bool LiveExporter::IsSupported() { return false; }

LiveExporter::LiveExporter(const std::string&, SentFile*) {}

bool LiveExporter::Block(format::BlockKind, std::string_view, std::string_view, uint64_t) {
  return true;
}

bool LiveExporter::Flush(uint64_t) { return true; }

void LiveExporter::Close(uint64_t) {}

bool LiveExporter::Hand(format::BlockKind, std::string_view, std::string_view, uint64_t, uint64_t) {
  return true;
}

autotrace_export_counts LiveExporter::counts() const { return {}; }

}  // namespace autotrace
