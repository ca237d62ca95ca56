// Reads a recorded run as live export and `push` do, from records to OTLP protobuf requests, which
// are counted and thrown away: reader_throughput RUN_FOLDER. Prints one line of JSON: spans, bytes
// of requests, seconds of wall clock and of processor time, and the process's peak memory.
#include <stdint.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>
#include <utility>

#include "exporter/run_reader.h"
#include "exporter/sinks/otlp_batcher.h"
#include "exporter/sinks/otlp_encoder.h"

namespace autotrace::exporter {
namespace {

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

// Not ru_maxrss, which counts what the process was before it executed this program.
uint64_t PeakKib() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    uint64_t peak = 0;
    if (word == "VmHWM:" && status >> peak) return peak;
  }
  return 0;
}

int Main(const std::string& path) {
  const auto start = std::chrono::steady_clock::now();
  absl::StatusOr<Run> run = FindRun("", path);
  if (!run.ok()) {
    fprintf(stderr, "%s\n", std::string(run.status().message()).c_str());
    return 1;
  }
  RunReader reader(*std::move(run));
  const OtlpProtobufEncoding encoding;
  uint64_t bytes = 0;
  OtlpBatcher batcher(encoding, {}, [&bytes](const OtlpRequest& request) {
    bytes += request.body.size();
    return absl::OkStatus();
  });
  const absl::Status status = reader.Read(batcher);
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
  if (!status.ok()) return 1;
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  const uint64_t peak_kib = PeakKib();
  printf(
      "{\"spans\": %llu, \"bytes\": %llu, \"seconds\": %.4f, \"cpu_seconds\": %.4f, "
      "\"peak_bytes\": %llu}\n",
      static_cast<unsigned long long>(reader.statistics().spans),
      static_cast<unsigned long long>(bytes), wall.count(),
      Seconds(usage.ru_utime) + Seconds(usage.ru_stime),
      static_cast<unsigned long long>(peak_kib) * 1024);
  return 0;
}

}  // namespace
}  // namespace autotrace::exporter

int main(int argc, char** argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: %s RUN_FOLDER\n", argv[0]);
    return 2;
  }
  return autotrace::exporter::Main(argv[1]);
}
