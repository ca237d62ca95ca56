#include "runtime/summary.h"

#include <fcntl.h>
#include <unistd.h>

namespace autotrace {
namespace {

struct Cause {
  format::Counter counter;
  const char* description;
};
constexpr Cause kCauses[] = {
    {format::Counter::kDroppedRingFull, "the ring was full: raise ring_size or narrow modules"},
    {format::Counter::kDroppedInHook, "called inside a hook's own work"},
    {format::Counter::kDroppedBeforeStart, "called before the runtime was started"},
    {format::Counter::kDroppedNoMemory, "no memory for a thread's recorder"},
    {format::Counter::kDroppedDisk, "could not be written to disk"},
    {format::Counter::kDroppedDiskCap, "removed to keep to max_disk"},
    {format::Counter::kDroppedExport, "not taken by the endpoint"},
};

}  // namespace

std::string SummaryText(const SummaryFacts& facts) {
  std::string text =
      std::to_string(facts.spans) + " spans of " + std::to_string(facts.functions) + " functions";
  uint64_t dropped = 0;
  for (const Cause& cause : kCauses) dropped += facts.counters[static_cast<int>(cause.counter)];
  text += dropped == 0 ? ", none dropped" : ", " + std::to_string(dropped) + " dropped:";
  for (const Cause& cause : kCauses) {
    const uint64_t count = facts.counters[static_cast<int>(cause.counter)];
    if (count > 0) text += "\n  " + std::to_string(count) + " " + cause.description;
  }
  if (!facts.endpoint.empty()) text += "\nsent to " + facts.endpoint;
  if (!facts.run_path.empty()) {
    text +=
        "\nrecorded in " + facts.run_path + "\nlook at it with: autotracer tree " + facts.run_path;
  }
  return text;
}

void WriteSummaryFile(const std::string& path, const std::string& text) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return;
  const std::string lines = text + "\n";
  [[maybe_unused]] const ssize_t written = write(file, lines.data(), lines.size());
  close(file);
}

}  // namespace autotrace
