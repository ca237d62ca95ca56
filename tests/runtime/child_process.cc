#include "child_process.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

namespace autotrace::test {

int RunInChild(const std::function<int()>& body) {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    alarm(60);
    _exit(body());
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void CheckOnTmpfs(const std::string& folder, const std::string& size,
                  const std::function<int()>& body) {
  constexpr int kCannotMount = 77;
  const std::string option = "size=" + size;
  const int result = RunInChild([&] {
    if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return kCannotMount;
    mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
    if (mount("tmpfs", folder.c_str(), "tmpfs", 0, option.c_str()) != 0) return kCannotMount;
    return body();
  });
  if (result == kCannotMount) {
    WARN("no right to mount a tmpfs here: not tested");
    return;
  }
  CHECK(result == 0);
}

void LimitFileSize(unsigned long bytes) {
  const rlimit limit = {bytes, bytes};
  setrlimit(RLIMIT_FSIZE, &limit);
}

}  // namespace autotrace::test
