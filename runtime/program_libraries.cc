#include "runtime/program_libraries.h"

#include <dlfcn.h>

#include <exception>
#include <typeinfo>

namespace autotrace {

CreateThread ProgramsCreateThread() {
  static const auto create = reinterpret_cast<CreateThread>(dlsym(RTLD_DEFAULT, "pthread_create"));
  return create != nullptr ? create : &pthread_create;
}

const void* TypeOfStdException(CppLibrary* library) {
  constexpr const char* kSymbol = "_ZTISt9exception";
  const void* type = library->exception_type.load(std::memory_order_acquire);
  if (type != nullptr) return type;
  void* handle = dlopen(library->file, RTLD_LAZY | RTLD_NOLOAD);
  // Linked into the program. Types are compared by name, so libstdc++'s in here does as well.
  if (handle == nullptr) return library->version != nullptr ? &typeid(std::exception) : nullptr;
  type = library->version != nullptr ? dlvsym(handle, kSymbol, library->version)
                                     : dlsym(handle, kSymbol);
  library->exception_type.store(type, std::memory_order_release);
  return type;
}

}  // namespace autotrace
