// Runs into a limit of the machine, as its first argument says, and makes so many calls.
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <vector>

#include "program.h"

namespace app {

NOINLINE void step() { Touch(); }

// In bursts, with pauses in which a reader that keeps up has the time to.
NOINLINE void work(int calls) {
  for (int i = 0; i < calls; ++i) {
    step();
    if (i % 400 == 399) usleep(1000);
  }
}

// With nothing in between.
NOINLINE void works_hard(int calls) {
  for (int i = 0; i < calls; ++i) step();
}

NOINLINE int descend(int depth) {
  const int below = depth > 1 ? descend(depth - 1) : 0;
  Touch();
  return below + 1;
}

}  // namespace app

namespace {

UNTRACED void Limit(__rlimit_resource_t resource, rlim_t value) {
  rlimit limit;
  getrlimit(resource, &limit);
  limit.rlim_cur = value;
  setrlimit(resource, &limit);
}

// Everything that this program does not need itself fails, or kills it.
UNTRACED void Filter(unsigned action) {
  std::vector<sock_filter> code = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
  };
  for (const int number :
       {SYS_write, SYS_exit_group, SYS_exit, SYS_brk, SYS_mmap, SYS_munmap, SYS_mprotect, SYS_futex,
        SYS_madvise, SYS_clock_nanosleep, SYS_fstat, SYS_newfstatat, SYS_rt_sigprocmask}) {
    code.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(number), 0, 1));
    code.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  }
  code.push_back(BPF_STMT(BPF_RET | BPF_K, action));
  const sock_fprog program = {static_cast<unsigned short>(code.size()), code.data()};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) _exit(77);
}

// What a daemon does: all descriptors closed, and their numbers used for something else.
UNTRACED void CloseAndReuse(const char* file) {
  closefrom(3);
  for (int i = 0; i < 1100; ++i) {
    if (open(file, O_WRONLY | O_CREAT | O_APPEND, 0600) < 0) break;
  }
}

UNTRACED int Deep(int depth) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, size_t{1} << 30);
  pthread_t thread;
  const auto run = [](void* wanted) -> void* {
    return reinterpret_cast<void*>(intptr_t{app::descend(*static_cast<int*>(wanted))});
  };
  if (pthread_create(&thread, &attributes, run, &depth) != 0) return 77;
  void* reached = nullptr;
  pthread_join(thread, &reached);
  return reinterpret_cast<intptr_t>(reached) == depth ? 0 : 1;
}

}  // namespace

int main(int, char** argv) {
  const std::string what = argv[1];
  const int calls = atoi(argv[2]);
  const char* argument = argv[3];
  // The number that the program's own file gets is its own.
  const int own = open("/dev/null", O_RDONLY);
  printf("descriptor %d\n", own);
  fflush(stdout);
  if (what == "deep") return Deep(calls);
  if (what == "short-threads") {
    for (int i = 0; i < calls; ++i) std::thread(app::step).join();
    return 0;
  }
  if (what == "many") {
    app::works_hard(calls);
    printf("done\n");
    return 3;
  }
  app::work(calls / 2);
  if (what == "eperm") Filter(SECCOMP_RET_ERRNO | EPERM);
  if (what == "kill") Filter(SECCOMP_RET_KILL_PROCESS);
  if (what == "closefrom") CloseAndReuse(argument);
  if (what == "chdir" && chdir(argument) != 0) return 77;
  if (what == "chroot" && (chroot(argument) != 0 || chdir("/") != 0)) return 77;
  if (what == "fsize") Limit(RLIMIT_FSIZE, strtoull(argument, nullptr, 10));
  if (what == "as") Limit(RLIMIT_AS, strtoull(argument, nullptr, 10));
  if (what == "rmdir" && system(("rm -rf " + std::string(argument)).c_str()) != 0) return 77;
  app::work(calls - calls / 2);
  printf("done\n");
  return 3;
}
