// libautotrace-cpp-export.so: the functions of export_abi.h over LiveExporter. Nothing is thrown
// through them, and in a forked child, where the sending thread does not exist, they do nothing.
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "absl/status/statusor.h"
#include "exporter/export_abi.h"
#include "exporter/sinks/live_exporter.h"
#include "exporter/sinks/otlp_transport.h"
#include "filters/config_loader.h"

struct autotrace_exporter {
  std::unique_ptr<autotrace::exporter::LiveExporter> live;
  pid_t owner;
};

namespace {

using autotrace::exporter::Deadline;
using autotrace::exporter::LiveExporter;
using autotrace::exporter::LiveExporterOptions;
using LogLine = void (*)(const char* line);

// Also keeps the sum of now and a timeout within the clock's range.
constexpr uint64_t kLongestTimeoutNanos = uint64_t{24} * 60 * 60 * 1'000'000'000;

std::chrono::nanoseconds Timeout(uint64_t nanos) {
  return std::chrono::nanoseconds(std::min(nanos, kLongestTimeoutNanos));
}

Deadline DeadlineIn(uint64_t timeout_nanos) {
  return std::chrono::steady_clock::now() + Timeout(timeout_nanos);
}

bool IsUsable(const autotrace_exporter* exporter) {
  return exporter != nullptr && exporter->owner == getpid();
}

autotrace_exporter* Open(const char* config_yaml, LogLine log) {
  const auto loaded = autotrace::filters::ParseConfig(config_yaml, "the exporter's configuration");
  if (!loaded.error.empty()) {
    log(loaded.error.c_str());
    return nullptr;
  }
  const autotrace::filters::Config& config = loaded.config;
  if (!config.live_export()) {
    log("live export was started without an OTLP endpoint");
    return nullptr;
  }
  LiveExporterOptions options;
  options.endpoint = config.otlp_endpoint;
  options.headers = config.otlp_headers;
  options.sender.request_timeout = Timeout(config.otlp_timeout);
  auto live = LiveExporter::Create(options, [log](const std::string& line) { log(line.c_str()); });
  if (!live.ok()) {
    log(("spans are not exported: " + std::string(live.status().message())).c_str());
    return nullptr;
  }
  return new autotrace_exporter{std::move(*live), getpid()};
}

}  // namespace

#define AUTOTRACE_EXPORTED extern "C" __attribute__((visibility("default")))

AUTOTRACE_EXPORTED autotrace_exporter* autotrace_export_open(uint32_t abi_version,
                                                             const char* config_yaml, LogLine log) {
  try {
    if (abi_version != AUTOTRACE_EXPORT_ABI_VERSION) {
      log("spans are not exported: libautotrace-cpp-export.so is of another version than the "
          "runtime library");
      return nullptr;
    }
    return Open(config_yaml, log);
  } catch (const std::exception& exception) {
    log(exception.what());
    return nullptr;
  }
}

AUTOTRACE_EXPORTED void autotrace_export_block(autotrace_exporter* exporter, uint16_t kind,
                                               const void* payload, size_t size) {
  if (!IsUsable(exporter)) return;
  try {
    exporter->live->Block(kind, std::string_view(static_cast<const char*>(payload), size));
  } catch (const std::exception&) {
    // Out of memory: the block is lost, the program goes on.
  }
}

AUTOTRACE_EXPORTED int autotrace_export_flush(autotrace_exporter* exporter,
                                              uint64_t timeout_nanos) {
  if (!IsUsable(exporter)) return -1;
  try {
    return exporter->live->Flush(DeadlineIn(timeout_nanos)) ? 0 : -1;
  } catch (const std::exception&) {
    return -1;
  }
}

AUTOTRACE_EXPORTED uint64_t autotrace_export_dropped(autotrace_exporter* exporter) {
  if (!IsUsable(exporter)) return 0;
  try {
    return exporter->live->dropped();
  } catch (const std::exception&) {
    return 0;
  }
}

AUTOTRACE_EXPORTED void autotrace_export_close(autotrace_exporter* exporter,
                                               uint64_t timeout_nanos) {
  if (!IsUsable(exporter)) return;
  try {
    exporter->live->Close(DeadlineIn(timeout_nanos));
  } catch (const std::exception&) {
    // As in autotrace_export_block; the destructor ends the thread.
  }
  delete exporter;
}

static_assert(std::is_same_v<decltype(&autotrace_export_open), autotrace_export_open_t>);
static_assert(std::is_same_v<decltype(&autotrace_export_block), autotrace_export_block_t>);
static_assert(std::is_same_v<decltype(&autotrace_export_flush), autotrace_export_flush_t>);
static_assert(std::is_same_v<decltype(&autotrace_export_dropped), autotrace_export_dropped_t>);
static_assert(std::is_same_v<decltype(&autotrace_export_close), autotrace_export_close_t>);
