// Writing to a FILE with the reason when it fails. What the file sinks share.
#ifndef AUTOTRACE_EXPORTER_SINKS_FILE_OUTPUT_H_
#define AUTOTRACE_EXPORTER_SINKS_FILE_OUTPUT_H_

#include <errno.h>
#include <stdio.h>

#include <string_view>

#include "absl/status/status.h"

namespace autotrace::exporter {

inline absl::Status WriteToFile(std::string_view text, FILE* file) {
  errno = 0;
  if (fwrite(text.data(), 1, text.size(), file) == text.size()) return absl::OkStatus();
  return absl::ErrnoToStatus(errno != 0 ? errno : EIO, "cannot write the output");
}

inline absl::Status FlushFile(FILE* file) {
  errno = 0;
  if (fflush(file) == 0 && ferror(file) == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno != 0 ? errno : EIO, "cannot write the output");
}

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_SINKS_FILE_OUTPUT_H_
