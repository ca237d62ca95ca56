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
using autotrace::exporter::SentMark;
using LogLine = void (*)(const char* line);
using Host = autotrace_export_host;
using Counts = autotrace_export_counts;

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

autotrace_exporter* Open(const char* config_yaml, const Host& host) {
  const LogLine log = host.log;
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
  options.http = autotrace::exporter::OtlpHttpOptionsOf(config);
  options.sender.json = options.http.json;
  options.sender.request_timeout = Timeout(config.otlp_timeout);
  if (host.sent != nullptr) {
    options.sender.keep = true;
    options.on_sent = [host](const SentMark& mark) {
      host.sent(host.context, mark.position, mark.spans);
    };
  }
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
                                                             const char* config_yaml,
                                                             const Host* host) {
  if (abi_version < 2) return nullptr;  // the host is something else there
  try {
    if (abi_version != AUTOTRACE_EXPORT_ABI_VERSION) {
      host->log(
          "spans are not exported: libautotrace-cpp-export.so is of another version than the "
          "runtime library");
      return nullptr;
    }
    return Open(config_yaml, *host);
  } catch (const std::exception& exception) {
    host->log(exception.what());
    return nullptr;
  }
}

AUTOTRACE_EXPORTED int autotrace_export_block(autotrace_exporter* exporter, uint16_t kind,
                                              const void* payload, size_t size, uint64_t begin,
                                              uint64_t end) {
  if (!IsUsable(exporter)) return 0;
  try {
    const std::string_view bytes(static_cast<const char*>(payload), size);
    return exporter->live->Block(kind, bytes, {begin, end}) ? 0 : -1;
  } catch (const std::exception&) {
    // Out of memory: the block is lost unless it is kept; the program goes on.
    return end != 0 ? -1 : 0;
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

AUTOTRACE_EXPORTED void autotrace_export_count(autotrace_exporter* exporter, Counts* counts) {
  *counts = {};
  if (!IsUsable(exporter)) return;
  try {
    const autotrace::exporter::LiveCounts live = exporter->live->counts();
    *counts = {live.unsent, live.dropped};
  } catch (const std::exception&) {
    // A lock that cannot be had; the counts are not known.
  }
}

AUTOTRACE_EXPORTED void autotrace_export_close(autotrace_exporter* exporter, uint64_t timeout_nanos,
                                               Counts* counts) {
  *counts = {};
  if (!IsUsable(exporter)) return;
  try {
    exporter->live->Close(DeadlineIn(timeout_nanos));
  } catch (const std::exception&) {
    // As in autotrace_export_block; the destructor ends the thread.
  }
  autotrace_export_count(exporter, counts);
  delete exporter;
}

static_assert(std::is_same_v<decltype(&autotrace_export_open), autotrace_export_open_t>);
static_assert(std::is_same_v<decltype(&autotrace_export_block), autotrace_export_block_t>);
static_assert(std::is_same_v<decltype(&autotrace_export_flush), autotrace_export_flush_t>);
static_assert(std::is_same_v<decltype(&autotrace_export_count), autotrace_export_count_t>);
static_assert(std::is_same_v<decltype(&autotrace_export_close), autotrace_export_close_t>);
