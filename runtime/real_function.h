// A function of another library that one of ours takes the place of, in the two forms that the
// runtime has.
//
// In the shared library ours are exported under versions that only the dynamic linker takes
// (exports.map), so the real ones have to be asked for by version, too. Looked up when first
// needed: a program in C may load its C++ library late. Looking up takes the dynamic linker's
// locks; `Find` at the library's start spares that where it matters.
//
// In the archive for static programs (AUTOTRACE_STATIC) the link editor does it: with --wrap=NAME,
// who asks for NAME gets __wrap_NAME, which is ours, and who asks for __real_NAME gets the real
// one.
#ifndef AUTOTRACE_RUNTIME_REAL_FUNCTION_H_
#define AUTOTRACE_RUNTIME_REAL_FUNCTION_H_

#include <errno.h>
#include <stdlib.h>

#include <atomic>

// In a build with ThreadSanitizer, which is called at the beginning and end of functions: this one
// may be called before it has begun, and exceptions pass through without finding anything to clean
// up.
#define AUTOTRACE_NOT_WATCHED __attribute__((no_sanitize("thread")))
#define AUTOTRACE_INTERPOSED extern "C" __attribute__((visibility("default"))) AUTOTRACE_NOT_WATCHED

#if AUTOTRACE_STATIC

#include "runtime/record_only/wrapped_functions.h"

#define AUTOTRACE_DECLARE_REAL(name) extern "C" void __real_##name();
#define AUTOTRACE_DECLARE_WEAK_REAL(name) extern "C" __attribute__((weak)) void __real_##name();
AUTOTRACE_WRAPPED_FUNCTIONS(AUTOTRACE_DECLARE_REAL)
AUTOTRACE_WRAPPED_CPP_FUNCTIONS(AUTOTRACE_DECLARE_WEAK_REAL)

namespace autotrace {

class RealFunction {
 public:
  explicit constexpr RealFunction(void (*found)()) : found_(found) {}

  // Null when there is none.
  void* Find() { return reinterpret_cast<void*>(found_); }

  // For a function that was called by its name, and so exists.
  template <typename Function>
  Function As() {
    if (found_ == nullptr) abort();
    return reinterpret_cast<Function>(found_);
  }

 private:
  void (*const found_)();
};

}  // namespace autotrace

// The initializer of a RealFunction.
#define AUTOTRACE_REAL(name, ...) RealFunction(&__real_##name)
// `symbol` takes the place of the function `name`. A static program knows one version of it.
#define AUTOTRACE_REPLACE(symbol, name, version) \
  __asm__(".globl __wrap_" #name "\n\t.set __wrap_" #name ", " #symbol)
#define AUTOTRACE_REPLACE_OLD(symbol, name, version) static_assert(true)

#else  // AUTOTRACE_STATIC

#include <dlfcn.h>

#include "runtime/program_libraries.h"

namespace autotrace {

class RealFunction {
 public:
  // One of glibc's, unless another library after this one takes its place as well: a sanitizer's,
  // which has to know of threads and jumps. That one has no version.
  constexpr RealFunction(const char* name, const char* version)
      : name_(name), version_(version), file_("libc.so.6"), has_stand_ins_(true) {}
  // `version` null: the default one. `file`: the library that has it, for when it is not among the
  // program's global symbols that come after this library's.
  constexpr RealFunction(const char* name, const char* version, const char* file)
      : name_(name), version_(version), file_(file), has_stand_ins_(false) {}

  // Null when there is none. Keeps errno.
  void* Find() {
    void* found = found_.load(std::memory_order_acquire);
    if (__builtin_expect(found != nullptr, 1)) return found;
    const int error_number = errno;
    found = FindIn(RTLD_NEXT);
    if (found != nullptr && has_stand_ins_) {
      void* first = dlsym(RTLD_NEXT, name_);
      if (first != nullptr && !InSameBinary(first, found)) found = first;
    }
    if (found == nullptr) {
      void* library = LoadedLibrary(file_);
      if (library != nullptr) found = FindIn(library);
    }
    errno = error_number;
    found_.store(found, std::memory_order_release);
    return found;
  }

  // For a function that was called by its name, and so exists.
  template <typename Function>
  Function As() {
    void* found = Find();
    if (found == nullptr) abort();
    return reinterpret_cast<Function>(found);
  }

 private:
  void* FindIn(void* scope) const {
    return version_ != nullptr ? dlvsym(scope, name_, version_) : dlsym(scope, name_);
  }

  const char* name_;
  const char* version_;
  const char* file_;
  bool has_stand_ins_;
  std::atomic<void*> found_{nullptr};
};

}  // namespace autotrace

// The initializer of a RealFunction: its name, version and, where it is not libc, library.
#define AUTOTRACE_REAL(name, ...) RealFunction(#name, __VA_ARGS__)
// `symbol` takes the place of this version of the function `name`.
#define AUTOTRACE_REPLACE(symbol, name, version) __asm__(".symver " #symbol "," #name "@" version)
// The same for a version that only binaries built long ago ask for.
#define AUTOTRACE_REPLACE_OLD(symbol, name, version) AUTOTRACE_REPLACE(symbol, name, version)

#endif  // AUTOTRACE_STATIC

#endif  // AUTOTRACE_RUNTIME_REAL_FUNCTION_H_
