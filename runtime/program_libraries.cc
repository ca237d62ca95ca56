#include "runtime/program_libraries.h"

#include <dlfcn.h>
#include <link.h>
#include <string.h>

#include <exception>
#include <typeinfo>

#include "runtime/exception_text.h"

// In programs built with ThreadSanitizer and AddressSanitizer.
extern "C" __attribute__((weak)) void __tsan_init();
extern "C" __attribute__((weak)) void __asan_init();

namespace autotrace {

void* LoadedLibrary(const char* file) {
  const auto is_it = [](dl_phdr_info* info, size_t, void* wanted) {
    const char* slash = strrchr(info->dlpi_name, '/');
    const char* name = slash != nullptr ? slash + 1 : info->dlpi_name;
    const auto* file = static_cast<const char*>(wanted);
    // Or a later version's file that stands behind the name.
    return strncmp(name, file, strlen(file)) == 0 ? 1 : 0;
  };
  if (dl_iterate_phdr(is_it, const_cast<char*>(file)) == 0) return nullptr;
  return dlopen(file, RTLD_LAZY | RTLD_NOLOAD);
}

bool HasThreadSanitizer() { return &__tsan_init != nullptr; }

CreateThread CreateOwnThread() {
  // libc's own, behind the sanitizer's back.
  static const auto create = reinterpret_cast<CreateThread>(
      dlsym(&__asan_init != nullptr ? LoadedLibrary("libc.so.6") : RTLD_DEFAULT, "pthread_create"));
  return create != nullptr ? create : &pthread_create;
}

const void* TypeOfStdException(CppLibrary* library) {
  constexpr const char* kSymbol = "_ZTISt9exception";
  const void* type = library->exception_type.load(std::memory_order_acquire);
  if (type != nullptr) return type;
  void* handle = LoadedLibrary(library->file);
  // Linked into the program. Types are compared by name, so libstdc++'s in here does as well.
  if (handle == nullptr) return library->version != nullptr ? &typeid(std::exception) : nullptr;
  type = library->version != nullptr ? dlvsym(handle, kSymbol, library->version)
                                     : dlsym(handle, kSymbol);
  library->exception_type.store(type, std::memory_order_release);
  return type;
}

}  // namespace autotrace
