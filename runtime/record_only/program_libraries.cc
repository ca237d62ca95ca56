// In a static program: the link editor has put the program's own libraries in.
#include "runtime/program_libraries.h"

#include "runtime/real_function.h"

// The C++ library that is hidden inside the archive has this type, too; CMakeLists.txt gives the
// program's its name, _ZTISt9exception. Null in a program that has no such type.
extern "C" __attribute__((weak)) const char autotrace_programs_std_exception;

namespace autotrace {

CreateThread ProgramsCreateThread() {
  return reinterpret_cast<CreateThread>(&__real_pthread_create);
}

const void* TypeOfStdException(CppLibrary*) { return &autotrace_programs_std_exception; }

}  // namespace autotrace
