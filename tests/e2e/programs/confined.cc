// Throws where it may not open anything. Its first argument: "descriptors" (the numbers that its
// files get), or "filter" (what it does not need itself would kill it; nothing was thrown before).
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <initializer_list>
#include <stdexcept>

#include "program.h"

namespace app {

NOINLINE void fails() { throw std::runtime_error("confined"); }

NOINLINE void tries() {
  try {
    fails();
  } catch (const std::runtime_error&) {
    Touch();
  }
}

NOINLINE void first() { Touch(); }

}  // namespace app

UNTRACED static void Filter() {
  static sock_filter code[32] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
  };
  unsigned short size = 1;
  for (const int number : {SYS_write, SYS_exit_group, SYS_exit, SYS_brk, SYS_mmap, SYS_munmap,
                           SYS_futex, SYS_fstat, SYS_newfstatat, SYS_rt_sigprocmask}) {
    code[size++] = BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(number), 0, 1);
    code[size++] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  }
  code[size++] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
  const sock_fprog program = {size, code};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) _exit(77);
}

int main(int, char** argv) {
  app::first();
  if (strcmp(argv[1], "filter") == 0) {
    Filter();
    app::tries();
    puts("done");
    return 0;
  }
  const int before = open("/dev/null", O_RDONLY);
  app::tries();
  const int after = open("/dev/null", O_RDONLY);
  printf("%d %d\n", before, after);
  return 0;
}
