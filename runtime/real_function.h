// A function of another library that one of ours takes the place of.
//
// Ours are exported under versions that only the dynamic linker takes (exports.map), so the real
// ones have to be asked for by version, too. Looked up when first needed: a program in C may load
// its C++ library late. Looking up takes the dynamic linker's locks; `Find` at the library's start
// spares that where it matters.
#ifndef AUTOTRACE_RUNTIME_REAL_FUNCTION_H_
#define AUTOTRACE_RUNTIME_REAL_FUNCTION_H_

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>

#include <atomic>

namespace autotrace {

class RealFunction {
 public:
  // `version` null: the default one. `file`: the library that has it, for when it is not among the
  // program's global symbols that come after this library's.
  constexpr RealFunction(const char* name, const char* version, const char* file = "libc.so.6")
      : name_(name), version_(version), file_(file) {}

  // Null when there is none. Keeps errno.
  void* Find() {
    void* found = found_.load(std::memory_order_acquire);
    if (__builtin_expect(found != nullptr, 1)) return found;
    const int error_number = errno;
    found = FindIn(RTLD_NEXT);
    if (found == nullptr) {
      void* library = dlopen(file_, RTLD_LAZY | RTLD_NOLOAD);
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
  std::atomic<void*> found_{nullptr};
};

}  // namespace autotrace

#define AUTOTRACE_INTERPOSED extern "C" __attribute__((visibility("default")))

#endif  // AUTOTRACE_RUNTIME_REAL_FUNCTION_H_
