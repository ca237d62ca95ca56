#include "exporter/run_names.h"

#include <algorithm>
#include <charconv>

#include "absl/strings/str_format.h"
#include "runtime/sent_file.h"

namespace autotrace::exporter {
namespace {

// Takes a number of exactly (or, when 0, at least one and at most 20) `digits` digits and the text
// behind it off the front of `name`.
template <typename T>
bool TakeNumber(std::string_view* name, size_t digits, int base, std::string_view behind,
                T* value) {
  const size_t limit = digits != 0 ? digits : 20;
  const char* end = name->data() + std::min(limit, name->size());
  const auto [stop, error] = std::from_chars(name->data(), end, *value, base);
  const auto used = static_cast<size_t>(stop - name->data());
  if (error != std::errc() || (digits != 0 && used != digits)) return false;
  name->remove_prefix(used);
  if (!name->starts_with(behind)) return false;
  name->remove_prefix(behind.size());
  return true;
}

}  // namespace

bool IsRunName(std::string_view name) {
  uint64_t number = 0;
  return TakeNumber(&name, 8, 10, "-", &number) && TakeNumber(&name, 6, 10, ".", &number) &&
         TakeNumber(&name, 6, 10, "-", &number) && TakeNumber(&name, 0, 10, "", &number) &&
         name.empty();
}

bool IsPackName(std::string_view name) { return name.ends_with(kPackSuffix); }

std::string_view RunNameOf(std::string_view name) {
  if (IsPackName(name)) name.remove_suffix(std::string_view(kPackSuffix).size());
  return name;
}

std::string SegmentName(const ProcessId& process, uint32_t index) {
  return absl::StrFormat("%d-%016x.%06d.seg", process.pid, process.process_key, index);
}

bool ParseSegmentName(std::string_view name, ProcessId* process, uint32_t* index) {
  return TakeNumber(&name, 0, 10, "-", &process->pid) &&
         TakeNumber(&name, 16, 16, ".", &process->process_key) &&
         TakeNumber(&name, 6, 10, kSegmentSuffix, index) && name.empty();
}

bool IsLastingFile(std::string_view name) {
  ProcessId process;
  uint32_t index = 0;
  if (ParseSegmentName(name, &process, &index)) return true;
  return TakeNumber(&name, 0, 10, "-", &process.pid) &&
         TakeNumber(&name, 16, 16, "", &process.process_key) &&
         (name == kSummarySuffix || name == kSentSuffix);
}

}  // namespace autotrace::exporter
