#include "exporter/process_info.h"

#include <stdio.h>

#include <algorithm>
#include <utility>

#include "exporter/byte_order.h"
#include "runtime/trace_format.h"

namespace autotrace::exporter {
namespace {

using format::ProcessKey;

uint64_t Number(std::string_view value) {
  return value.size() == sizeof(uint64_t) ? Load<uint64_t>(value.data()) : 0;
}

void SetField(ProcessInfo* info, ProcessKey key, std::string_view value) {
  switch (key) {
    case ProcessKey::kPid:
      info->pid = Number(value);
      break;
    case ProcessKey::kParentPid:
      info->parent_pid = Number(value);
      break;
    case ProcessKey::kStartUnixNanos:
      info->start_unix_nanos = Number(value);
      break;
    case ProcessKey::kExecutable:
      info->executable = value;
      break;
    case ProcessKey::kHostName:
      info->host_name = value;
      break;
    case ProcessKey::kRuntimeVersion:
      info->runtime_version = value;
      break;
    case ProcessKey::kIdSecret:
      if (value.size() == sizeof(info->secret.key)) {
        memcpy(info->secret.key, value.data(), value.size());
      }
      break;
    case ProcessKey::kConfigYaml:
      info->config_yaml = value;
      break;
    case ProcessKey::kTicksPerSecond:
      info->ticks_per_second = Number(value);
      break;
    case ProcessKey::kRingPath:
      info->ring_path = value;
      break;
    case ProcessKey::kRunPath:
      info->run_path = value;
      break;
    case ProcessKey::kKernelStartTime:
      info->kernel_start_time = Number(value);
      break;
    case ProcessKey::kOsType:
      info->os_type = value;
      break;
    case ProcessKey::kOsDescription:
      info->os_description = value;
      break;
    case ProcessKey::kExecutableArgs:
      info->arguments = value;
      break;
    case ProcessKey::kParentProcessKey:
      info->parent_process_key = Number(value);
      break;
    case ProcessKey::kProcessKey:
      info->process_key = Number(value);
      break;
    case ProcessKey::kClockKind:
      break;
  }
}

// A version 4 UUID (RFC 9562) whose random bits are a function of the process's identity.
std::string InstanceId(const ProcessInfo& info, uint64_t process_key) {
  const uint64_t identity = process_key != 0 ? process_key : info.pid;
  const IdSecret& secret = info.secret;
  uint64_t high = Mix(identity, ~secret.key[0], info.start_unix_nanos);
  uint64_t low = Mix(identity, info.start_unix_nanos, ~secret.key[1]);
  high = (high & ~uint64_t{0xf000}) | 0x4000;
  low = (low & ~(uint64_t{3} << 62)) | (uint64_t{2} << 62);
  char text[40];
  snprintf(text, sizeof(text), "%08x-%04x-%04x-%04x-%012llx", static_cast<unsigned>(high >> 32),
           static_cast<unsigned>(high >> 16 & 0xffff), static_cast<unsigned>(high & 0xffff),
           static_cast<unsigned>(low >> 48),
           static_cast<unsigned long long>(low & format::kMask48));
  return text;
}

std::string JoinArguments(std::string_view arguments) {
  while (!arguments.empty() && arguments.back() == '\0') arguments.remove_suffix(1);
  std::string joined(arguments);
  std::replace(joined.begin(), joined.end(), '\0', ' ');
  return joined;
}

}  // namespace

absl::StatusOr<ProcessInfo> ParseProcess(std::string_view payload) {
  ProcessInfo info;
  while (!payload.empty()) {
    uint32_t key = 0;
    uint32_t size = 0;
    std::string_view value;
    if (!Take(&payload, &key) || !Take(&payload, &size) || !TakePadded(&payload, size, &value)) {
      return absl::DataLossError("the process block ends inside of a value");
    }
    SetField(&info, static_cast<ProcessKey>(key), value);
  }
  return info;
}

std::vector<Attribute> ResourceOf(const ProcessInfo& info, const filters::Config& config,
                                  uint64_t process_key) {
  std::vector<Attribute> resource;
  const auto add = [&](const char* key, const std::string& value) {
    if (!value.empty()) resource.emplace_back(key, value);
  };
  const std::string name = BaseName(info.executable);
  add("service.name", !config.service_name.empty() ? config.service_name
                      : !name.empty()              ? name
                                                   : std::string("unknown_service:cpp"));
  add("service.instance.id", InstanceId(info, process_key));
  add("telemetry.sdk.name", "autotrace");
  add("telemetry.sdk.language", "cpp");
  add("telemetry.sdk.version",
      info.runtime_version.empty() ? std::string(AUTOTRACE_VERSION) : info.runtime_version);
  resource.emplace_back("process.pid", static_cast<int64_t>(info.pid));
  if (info.parent_pid != 0) {
    resource.emplace_back("process.parent_pid", static_cast<int64_t>(info.parent_pid));
  }
  add("process.executable.name", name);
  add("process.executable.path", info.executable);
  add("process.command_line", JoinArguments(info.arguments));
  add("host.name", info.host_name);
  add("os.type", info.os_type);
  add("os.description", info.os_description);
  for (const auto& [key, value] : config.resource_attributes) {
    // OTEL_SERVICE_NAME and its like are stronger than a service.name among the attributes.
    if (key == "service.name" && !config.service_name.empty()) continue;
    SetAttribute(&resource, key, value);
  }
  return resource;
}

void SetAttribute(std::vector<Attribute>* attributes, std::string_view key, AttributeValue value) {
  for (Attribute& attribute : *attributes) {
    if (attribute.first == key) {
      attribute.second = std::move(value);
      return;
    }
  }
  attributes->emplace_back(std::string(key), std::move(value));
}

std::string BaseName(std::string_view path) {
  const size_t slash = path.rfind('/');
  return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1));
}

}  // namespace autotrace::exporter
