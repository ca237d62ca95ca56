// How runs and the files in them are called (docs/trace-format.md, 2).
#ifndef AUTOTRACE_EXPORTER_RUN_NAMES_H_
#define AUTOTRACE_EXPORTER_RUN_NAMES_H_

#include <stdint.h>

#include <compare>
#include <string>
#include <string_view>

namespace autotrace::exporter {

inline constexpr char kPackSuffix[] = ".atpack";
inline constexpr char kSegmentSuffix[] = ".seg";
inline constexpr char kSummarySuffix[] = ".summary";

// Is this the name of a run's folder?
bool IsRunName(std::string_view name);

// A packed run's file is called as its folder was, with ".atpack" behind it.
bool IsPackName(std::string_view name);
// `name` of a folder or of a pack.
std::string_view RunNameOf(std::string_view name);

struct ProcessId {
  uint64_t pid = 0;
  uint64_t process_key = 0;
  friend auto operator<=>(const ProcessId&, const ProcessId&) = default;
};

std::string SegmentName(const ProcessId& process, uint32_t index);
bool ParseSegmentName(std::string_view name, ProcessId* process, uint32_t* index);

// Is this the name of a file that stays with a run: a segment, a summary, or what was sent?
bool IsLastingFile(std::string_view name);

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_RUN_NAMES_H_
