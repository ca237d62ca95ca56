// What a process says of itself in its kProcess block, and the OpenTelemetry resource made of it.
#ifndef AUTOTRACE_EXPORTER_PROCESS_INFO_H_
#define AUTOTRACE_EXPORTER_PROCESS_INFO_H_

#include <stdint.h>

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "exporter/span.h"
#include "filters/config.h"
#include "runtime/ids.h"

namespace autotrace::exporter {

struct ProcessInfo {
  uint64_t pid = 0;
  uint64_t parent_pid = 0;
  uint64_t start_unix_nanos = 0;
  std::string executable;
  std::string host_name;
  std::string runtime_version;
  IdSecret secret;
  std::string config_yaml;
  uint64_t ticks_per_second = 0;  // 0: not said
  std::string ring_path;          // empty: private memory
  std::string run_path;           // empty: not recorded to disk, or not said
  uint64_t kernel_start_time = 0;
  std::string os_type;
  std::string os_description;
  std::string arguments;            // NUL separated; empty: not to be told
  uint64_t process_key = 0;         // 0: not said
  uint64_t parent_process_key = 0;  // 0: not forked from a process of this run
};

// From the payload of a kProcess block. Keys it does not know are passed over; DataLoss when the
// payload ends inside of a pair.
absl::StatusOr<ProcessInfo> ParseProcess(std::string_view payload);

// OpenTelemetry's resource attributes of the process. `process_key` 0: not known.
std::vector<Attribute> ResourceOf(const ProcessInfo& info, const filters::Config& config,
                                  uint64_t process_key);

// Sets an attribute, replacing one of the same key.
void SetAttribute(std::vector<Attribute>* attributes, std::string_view key, AttributeValue value);

// The last component of a path.
std::string BaseName(std::string_view path);

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_PROCESS_INFO_H_
