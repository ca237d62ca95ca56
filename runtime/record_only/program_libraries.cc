// In a static program: the link editor has put the program's own libraries in.
#include "runtime/program_libraries.h"

#include "runtime/real_function.h"

// The C++ library that is hidden inside the archive has this type, too; CMakeLists.txt gives the
// program's its name, _ZTISt9exception. Null in a program that has no such type.
// NOLINTNEXTLINE(readability-identifier-naming): the name is the link editor's.
extern "C" __attribute__((weak)) const char autotrace_programs_std_exception;

namespace autotrace {
namespace {

// Asks for it for the unwinder in the archive, which would call it without asking.
__attribute__((used)) constexpr auto kPthreadOnce = &pthread_once;

}  // namespace

bool HasThreadSanitizer() { return false; }

CreateThread CreateOwnThread() { return reinterpret_cast<CreateThread>(&__real_pthread_create); }

void* LoadedLibrary(const char*) { return nullptr; }

const void* TypeOfStdException(CppLibrary*) { return &autotrace_programs_std_exception; }

}  // namespace autotrace
