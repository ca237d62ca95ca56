#include "cli/messages.h"

#include <stdio.h>

#include <string>

#include "cli/strings.h"

namespace autotrace::cli {

void PrintMessage(std::string_view text) {
  // One write for each line, so that lines of several processes do not mix.
  const std::string line = Concat("autotracer: ", text, "\n");
  fwrite(line.data(), 1, line.size(), stderr);
}

void PrintWarning(std::string_view text) { PrintMessage(Concat("warning: ", text)); }

void PrintError(const absl::Status& status) { PrintMessage(ToStd(status.message())); }

}  // namespace autotrace::cli
