// What the command says on stderr: one line each, beginning with "autotracer: ".
#ifndef AUTOTRACE_CLI_MESSAGES_H_
#define AUTOTRACE_CLI_MESSAGES_H_

#include <string_view>

#include "absl/status/status.h"

namespace autotrace::cli {

void PrintMessage(std::string_view text);
void PrintWarning(std::string_view text);
// The status's message without its code: "NOT_FOUND" means nothing to people.
void PrintError(const absl::Status& status);

}  // namespace autotrace::cli

#endif  // AUTOTRACE_CLI_MESSAGES_H_
