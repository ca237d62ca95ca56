#include "runtime/summary.h"

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
    {format::Counter::kDroppedNoMemory, "no memory for a thread's open calls"},
    {format::Counter::kDroppedDisk, "could not be written to disk, or were removed from it"},
    {format::Counter::kDroppedDiskCap, "removed to keep to max_disk"},
    {format::Counter::kDroppedExport, "not taken by the endpoint"},
};

std::string HooksText(const ErasedHooks& hooks) {
  std::string text = std::to_string(hooks.erased) + " calls of hooks erased, of " +
                     std::to_string(hooks.functions) + " functions that are not recorded";
  const struct {
    uint64_t count;
    const char* description;
  } left[] = {
      {hooks.unknown_function, "calls left: for which function is not certain"},
      {hooks.unknown_form, "calls left: they cannot be erased in one byte"},
      {hooks.changed, "calls left: something else has changed the code, as debuggers do"},
      {hooks.not_writable, "calls left: the code cannot be made writable"},
      {hooks.without_symbol, "functions left: nothing says where they end"},
      {hooks.undecodable, "functions left: they could not be disassembled"},
  };
  for (const auto& [count, description] : left) {
    if (count > 0) text += "\n  " + std::to_string(count) + " " + description;
  }
  return text;
}

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
  const uint64_t details = facts.counters[static_cast<int>(format::Counter::kLostDetails)];
  if (details > 0) {
    text += "\nmissing " + std::to_string(details) +
            " names or attributes of spans: the ring was full: raise ring_size";
  }
  if (facts.hooks.erased > 0 || facts.hooks.left() > 0) text += "\n" + HooksText(facts.hooks);
  if (!facts.why_no_hooks_erased.empty()) {
    text += "\nno hooks erased: " + facts.why_no_hooks_erased;
  }
  if (facts.quiet > 0) {
    text += "\n" + std::to_string(facts.quiet) + (facts.quiet == 1 ? " function" : " functions") +
            " not recorded any more, always shorter than min_duration:" + facts.quiet_names;
  }
  if (!facts.endpoint.empty()) text += "\nsent to " + facts.endpoint;
  if (!facts.run_path.empty()) {
    text +=
        "\nrecorded in " + facts.run_path + "\nlook at it with: autotracer tree " + facts.run_path;
  }
  return text;
}

}  // namespace autotrace
