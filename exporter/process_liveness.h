// Does a recorded process still run?
#ifndef AUTOTRACE_EXPORTER_PROCESS_LIVENESS_H_
#define AUTOTRACE_EXPORTER_PROCESS_LIVENESS_H_

#include <stdint.h>

#include <string>

namespace autotrace::exporter {

// Field 22 of /proc/PID/stat, clock ticks since boot; 0 when there is no such process.
uint64_t KernelStartTime(uint64_t pid);

// A process of this pid that was started at this moment runs. A start time of 0 is not known, then
// any process of this pid counts.
inline bool IsAlive(uint64_t pid, uint64_t kernel_start_time) {
  const uint64_t present = KernelStartTime(pid);
  return present != 0 && (kernel_start_time == 0 || kernel_start_time == present);
}

// Of this machine; empty when it is not known.
std::string HostName();

// Is this segment being written? Its process holds a shared flock(2) on the latest one, which shows
// also from another PID namespace.
bool IsBeingWritten(const std::string& segment_path);

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_PROCESS_LIVENESS_H_
