// Starts itself again, in the way that its argument names, from inside a call.
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "program.h"

extern char** environ;

namespace app {

char* self = nullptr;
char child_argument[] = "child";

NOINLINE void child() {
  const char* parent = getenv("TRACEPARENT");
  printf("child %zu\n", parent != nullptr ? strlen(parent) : 0);
  fflush(stdout);
}

UNTRACED static void Execute(const char* how) {
  char* arguments[] = {self, child_argument, nullptr};
  if (strcmp(how, "execve") == 0) execve(self, arguments, environ);
  if (strcmp(how, "execv") == 0) execv(self, arguments);
  if (strcmp(how, "execvp") == 0) execvp(self, arguments);
  if (strcmp(how, "execvpe") == 0) execvpe(self, arguments, environ);
  if (strcmp(how, "execl") == 0) execl(self, self, child_argument, nullptr);
  if (strcmp(how, "execlp") == 0) execlp(self, self, child_argument, nullptr);
  if (strcmp(how, "execle") == 0) execle(self, self, child_argument, nullptr, environ);
  if (strcmp(how, "fexecve") == 0) fexecve(open(self, O_RDONLY), arguments, environ);
}

NOINLINE void fails_to_execute() {
  char path[] = "/nonexistent/program";
  char* arguments[] = {path, nullptr};
  execv(path, arguments);
  printf("%s\n", strerror(errno));
  fflush(stdout);
}

NOINLINE void replaces() { Execute("execve"); }

NOINLINE void starts(const char* how) {
  pid_t pid = 0;
  char* arguments[] = {self, child_argument, nullptr};
  if (strcmp(how, "posix_spawn") == 0) {
    posix_spawn(&pid, self, nullptr, nullptr, arguments, environ);
  } else if (strcmp(how, "posix_spawnp") == 0) {
    posix_spawnp(&pid, self, nullptr, nullptr, arguments, environ);
  } else if (strcmp(how, "vfork") == 0) {
    pid = vfork();
    if (pid == 0) {
      execve(self, arguments, environ);
      _exit(1);
    }
  } else if (strcmp(how, "system") == 0) {
    if (system((std::string(self) + " child").c_str()) != 0) exit(1);
    return;
  } else if (strcmp(how, "popen") == 0) {
    FILE* stream = popen((std::string(self) + " child").c_str(), "r");
    char line[64];
    while (fgets(line, sizeof(line), stream) != nullptr) fputs(line, stdout);
    if (pclose(stream) != 0) exit(1);
    return;
  } else {
    pid = fork();
    if (pid == 0) {
      Execute(how);
      _exit(1);
    }
  }
  int status = 0;
  waitpid(pid, &status, 0);
  printf("status %d\n", WEXITSTATUS(status));
}

NOINLINE void run(const char* how) {
  if (strcmp(how, "replace") == 0) replaces();
  if (strcmp(how, "fail") == 0) {
    fails_to_execute();
  } else {
    starts(how);
  }
  Touch();
}

}  // namespace app

UNTRACED int main(int, char** arguments) {
  static char path[4096];
  const ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 1);
  if (size < 0) return 1;
  app::self = path;
  if (strcmp(arguments[1], "child") == 0) {
    app::child();
  } else {
    app::run(arguments[1]);
  }
  return 0;
}
