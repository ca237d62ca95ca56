#include <sys/auxv.h>

#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/messages.h"

int main(int argc, char** argv) {
  // It reads and writes files that its environment names, and starts programs.
  if (getauxval(AT_SECURE) != 0) {
    autotrace::cli::PrintMessage(
        "not made to run with rights that its user does not have (set-user-id, set-group-id, file "
        "capabilities)");
    return autotrace::cli::kExitFailed;
  }
  return autotrace::cli::RunAutotracer(argc, argv);
}
