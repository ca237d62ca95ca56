#include "runtime/live_exporter.h"

#include <dlfcn.h>

#include "runtime/log.h"

namespace autotrace {
namespace {

constexpr char kLibrary[] = "libautotrace-cpp-export.so.0";

// Beside this library, else wherever the loader finds it.
void* LoadLibrary() {
  Dl_info own;
  if (dladdr(reinterpret_cast<void*>(&LoadLibrary), &own) != 0 && own.dli_fname != nullptr) {
    const std::string path = own.dli_fname;
    const std::string folder = path.substr(0, path.rfind('/') + 1);
    for (const std::string& place : {folder, folder + "../exporter/sinks/"}) {
      void* library = dlopen((place + kLibrary).c_str(), RTLD_NOW | RTLD_LOCAL);
      if (library != nullptr) return library;
    }
  }
  return dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
}

void LogLine(const char* line) { Log(line); }

void StoreSent(void* sent, uint64_t position, uint64_t spans) {
  static_cast<SentFile*>(sent)->Store({position, spans, false});
}

template <typename Function>
bool Resolve(void* library, const char* name, Function* function) {
  *function = reinterpret_cast<Function>(dlsym(library, name));
  return *function != nullptr;
}

}  // namespace

bool LiveExporter::IsSupported() { return true; }

LiveExporter::LiveExporter(const std::string& config_yaml, SentFile* sent) {
  void* library = LoadLibrary();
  if (library == nullptr) {
    const char* why = dlerror();
    Log(std::string("cannot export live: ") + (why != nullptr ? why : kLibrary) +
        "; install the package that holds it, or unset the OTLP endpoint to record to disk");
    return;
  }
  autotrace_export_open_t open = nullptr;
  if (!Resolve(library, "autotrace_export_open", &open) ||
      !Resolve(library, "autotrace_export_block", &block_) ||
      !Resolve(library, "autotrace_export_flush", &flush_) ||
      !Resolve(library, "autotrace_export_count", &count_) ||
      !Resolve(library, "autotrace_export_close", &close_)) {
    Log(std::string("cannot export live: ") + kLibrary + " is of another version");
    return;
  }
  const autotrace_export_host host = {LogLine, sent != nullptr ? StoreSent : nullptr, sent};
  exporter_ = open(AUTOTRACE_EXPORT_ABI_VERSION, config_yaml.c_str(), &host);
}

bool LiveExporter::Block(format::BlockKind kind, std::string_view head, std::string_view body,
                         uint64_t) {
  Hand(kind, head, body, 0, 0);
  return true;
}

bool LiveExporter::Hand(format::BlockKind kind, std::string_view head, std::string_view body,
                        uint64_t begin, uint64_t end) {
  if (exporter_ == nullptr) return true;
  payload_.assign(head);
  payload_.append(body);
  return block_(exporter_, static_cast<uint16_t>(kind), payload_.data(), payload_.size(), begin,
                end) == 0;
}

autotrace_export_counts LiveExporter::counts() const {
  autotrace_export_counts counts = final_counts_;
  if (exporter_ != nullptr) count_(exporter_, &counts);
  return counts;
}

bool LiveExporter::Flush(uint64_t timeout_nanos) {
  return exporter_ == nullptr || flush_(exporter_, timeout_nanos) == 0;
}

void LiveExporter::Close(uint64_t timeout_nanos) {
  if (exporter_ == nullptr) return;
  close_(exporter_, timeout_nanos, &final_counts_);
  is_closed_ = true;
  exporter_ = nullptr;
}

}  // namespace autotrace
