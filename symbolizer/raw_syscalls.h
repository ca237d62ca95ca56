// System calls without libc: for code that runs on traced threads.
//
// The libc wrappers set errno, may be interposed by the program, and some are cancellation points.
// These are none of that: each issues one system call and returns its result, or -errno on
// failure. Async-signal-safe. x86-64 and AArch64 Linux.
#ifndef AUTOTRACE_SYMBOLIZER_RAW_SYSCALLS_H_
#define AUTOTRACE_SYMBOLIZER_RAW_SYSCALLS_H_

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>

namespace autotrace::raw {

#if defined(__x86_64__)
inline long Syscall(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0,
                    long f = 0) {
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}
#elif defined(__aarch64__)
inline long Syscall(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0,
                    long f = 0) {
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc #0"
                   : "+r"(x0)
                   : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                   : "memory");
  return x0;
}
#else
#error "autotrace has no raw system calls for this processor"
#endif

// Is this result of a call that returns a pointer an error (-4095 to -1)?
inline bool IsError(const void* result) {
  return reinterpret_cast<uintptr_t>(result) > static_cast<uintptr_t>(-4096L);
}
inline int ErrorOf(const void* result) {
  return static_cast<int>(-reinterpret_cast<intptr_t>(result));
}

// Descriptor or -errno.
inline int OpenAt(int directory, const char* path, int flags, mode_t mode = 0) {
  return static_cast<int>(
      Syscall(SYS_openat, directory, reinterpret_cast<long>(path), flags, mode));
}
inline int Close(int descriptor) { return static_cast<int>(Syscall(SYS_close, descriptor)); }

// 0 or -errno. On the two supported processors the kernel's structure is libc's.
inline int Fstat(int descriptor, struct stat* status) {
  return static_cast<int>(Syscall(SYS_fstat, descriptor, reinterpret_cast<long>(status)));
}

// Bytes, 0 at the end of the file, or -errno.
inline ssize_t Read(int descriptor, void* buffer, size_t size) {
  return Syscall(SYS_read, descriptor, reinterpret_cast<long>(buffer), static_cast<long>(size));
}
inline ssize_t PositionedRead(int descriptor, void* buffer, size_t size, off_t offset) {
  return Syscall(SYS_pread64, descriptor, reinterpret_cast<long>(buffer), static_cast<long>(size),
                 offset);
}
inline ssize_t Write(int descriptor, const void* buffer, size_t size) {
  return Syscall(SYS_write, descriptor, reinterpret_cast<long>(buffer), static_cast<long>(size));
}

// Length of the link's text, which gets no NUL, or -errno.
inline ssize_t ReadLinkAt(int directory, const char* path, char* buffer, size_t size) {
  return Syscall(SYS_readlinkat, directory, reinterpret_cast<long>(path),
                 reinterpret_cast<long>(buffer), static_cast<long>(size));
}

#if defined(__SANITIZE_THREAD__)
// ThreadSanitizer has to know that memory is new, or it takes what was done at its addresses before
// for races; but not of descriptors, whose opening it does not see. In builds of our own with it
// only.
inline void* Mmap(void* address, size_t size, int protection, int flags, int descriptor,
                  off_t offset) {
  if (address == nullptr) {
    const int error_number = errno;
    address = ::mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (address == MAP_FAILED) address = nullptr;
    errno = error_number;
    if (address != nullptr) flags |= MAP_FIXED;
  }
  return reinterpret_cast<void*>(Syscall(SYS_mmap, reinterpret_cast<long>(address),
                                         static_cast<long>(size), protection, flags, descriptor,
                                         offset));
}
inline int Munmap(void* address, size_t size) {
  const int error_number = errno;
  const int result = ::munmap(address, size) == 0 ? 0 : -errno;
  errno = error_number;
  return result;
}
#else
// Address, or a pointer for which IsError() holds.
inline void* Mmap(void* address, size_t size, int protection, int flags, int descriptor,
                  off_t offset) {
  return reinterpret_cast<void*>(Syscall(SYS_mmap, reinterpret_cast<long>(address),
                                         static_cast<long>(size), protection, flags, descriptor,
                                         offset));
}
inline int Munmap(void* address, size_t size) {
  return static_cast<int>(
      Syscall(SYS_munmap, reinterpret_cast<long>(address), static_cast<long>(size)));
}
#endif
inline void* Mremap(void* address, size_t old_size, size_t new_size, int flags) {
  return reinterpret_cast<void*>(Syscall(SYS_mremap, reinterpret_cast<long>(address),
                                         static_cast<long>(old_size), static_cast<long>(new_size),
                                         flags));
}
inline int Madvise(const void* address, size_t size, int advice) {
  return static_cast<int>(
      Syscall(SYS_madvise, reinterpret_cast<long>(address), static_cast<long>(size), advice));
}

}  // namespace autotrace::raw

#endif  // AUTOTRACE_SYMBOLIZER_RAW_SYSCALLS_H_
