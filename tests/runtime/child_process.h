// Runs a piece of a test in a process of its own, for what would change the test's own process:
// limits, descriptors, the environment, a death by signal.
#ifndef AUTOTRACE_TESTS_RUNTIME_CHILD_PROCESS_H_
#define AUTOTRACE_TESTS_RUNTIME_CHILD_PROCESS_H_

#include <functional>
#include <string>

namespace autotrace::test {

// Forks, and ends the child with what `body` returns (0 to 125). Returns that, or 128 plus the
// number of the signal that killed the child; a child that runs longer than a minute is killed by
// SIGALRM. No Catch2 macros inside of `body`.
int RunInChild(const std::function<int()>& body);

// Checks that `body` returns 0 in a child that has a tmpfs of its own mounted on `folder`; `size`
// is what mount(8) takes, "2m". The mount is seen by nobody else and gone with the child. Where the
// right to mount is missing, nothing is checked, and the test says so.
void CheckOnTmpfs(const std::string& folder, const std::string& size,
                  const std::function<int()>& body);

// Lowers RLIMIT_FSIZE of this process. For children.
void LimitFileSize(unsigned long bytes);

}  // namespace autotrace::test

#endif  // AUTOTRACE_TESTS_RUNTIME_CHILD_PROCESS_H_
