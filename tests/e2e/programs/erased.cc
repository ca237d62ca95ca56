// Calls functions that are not wanted from eight threads until their hooks have gone from the code,
// and says in which bytes the code then differs from its file.
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "program.h"

extern "C" const char __ehdr_start __attribute__((visibility("hidden")));

namespace other {

NOINLINE int plain(int x) {
  Touch();
  return x + 1;
}
inline int inlined(int x) {
  Touch();
  return x * 3;
}
NOINLINE int last_call(int x) { return plain(x ^ 5); }
NOINLINE int recursive(int x) {
  Touch();
  return x <= 0 ? 0 : recursive(x - 1) + 1;
}
NOINLINE int catches(int x) {
  try {
    if (x % 64 == 0) throw std::runtime_error("now and then");
    return plain(x);
  } catch (const std::exception&) {
    return inlined(x);
  }
}
struct Object {
  explicit Object(int x) : value(x) { Touch(); }
  ~Object() { Touch(); }
  NOINLINE int member() const { return inlined(value); }
  int value;
};
NOINLINE int variadic(int count, ...) { return count; }

}  // namespace other

namespace app {

NOINLINE unsigned work() {
  unsigned sum = 0;
  std::vector<int> numbers;
  for (int i = 0; i < 500; ++i) {
    const other::Object object(i);
    numbers.push_back(other::plain(i) + other::inlined(i) + other::last_call(i));
    sum = sum * 31 +
          static_cast<unsigned>(numbers.back() + other::recursive(i % 5) + other::catches(i) +
                                object.member() + other::variadic(2, i, 1.5));
  }
  return sum;
}

}  // namespace app

namespace host {

struct Difference {
  size_t bytes = 0;
  std::set<std::string> kinds;
};

// Between the executable file's code and the code in memory.
UNTRACED Difference Differences() {
  Difference result;
  const int file = open("/proc/self/exe", O_RDONLY);
  struct stat facts;
  fstat(file, &facts);
  const auto size = static_cast<size_t>(facts.st_size);
  const auto* bytes =
      static_cast<const unsigned char*>(mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0));
  Elf64_Ehdr header;
  memcpy(&header, bytes, sizeof(header));
  for (int i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    memcpy(&segment, bytes + header.e_phoff + static_cast<size_t>(i) * sizeof(segment),
           sizeof(segment));
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0) continue;
    const bool fixed = header.e_type == ET_EXEC;
    const auto* memory = reinterpret_cast<const unsigned char*>(
        (fixed ? 0 : reinterpret_cast<uint64_t>(&__ehdr_start)) + segment.p_vaddr);
    for (size_t at = 0; at < segment.p_filesz; ++at) {
      const unsigned char before = bytes[segment.p_offset + at];
      if (before == memory[at]) continue;
      char kind[32];
      snprintf(kind, sizeof(kind), "%02x %02x", before, memory[at]);
      result.kinds.insert(kind);
      ++result.bytes;
    }
  }
  munmap(const_cast<unsigned char*>(bytes), size);
  close(file);
  return result;
}

// From here on no thread can make code writable.
UNTRACED void ForbidWritableCode() {
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[2])),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  sock_fprog program = {sizeof(code) / sizeof(code[0]), code};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) != 0) {
    _exit(77);
  }
}

UNTRACED void Run(const std::string& how) {
  if (how == "forbid") ForbidWritableCode();
  constexpr unsigned kThreads = 8;
  std::atomic<bool> done{false};
  std::atomic<unsigned> calls{0};
  std::atomic<unsigned> wrong{0};
  const unsigned expected = app::work();
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < kThreads; ++i) {
    threads.emplace_back([&]() __attribute__((no_instrument_function)) {
      while (!done.load()) {
        if (app::work() != expected) ++wrong;
        ++calls;
        usleep(500);
      }
    });
  }
  // Until nothing has changed for a while.
  Difference last;
  for (int quiet = 0, left = 100; quiet < 10 && left > 0; --left) {
    usleep(50'000);
    Difference now = Differences();
    const bool may_change = how == "erased" && now.bytes == 0;
    quiet = now.bytes == last.bytes && !may_change ? quiet + 1 : 0;
    last = now;
  }
  done = true;
  for (std::thread& thread : threads) thread.join();
  printf("calls %u wrong %u bytes %zu\n", calls.load() + 1, wrong.load(), last.bytes);
  for (const std::string& kind : last.kinds) printf("%s\n", kind.c_str());
}

}  // namespace host

UNTRACED int main(int, char** arguments) {
  host::Run(arguments[1]);
  return 0;
}
