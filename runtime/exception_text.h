// What an exception object is: its type, and its message if it is a std::exception.
//
// Reads the structures that the Itanium C++ ABI's exception handling part lays down
// (https://itanium-cxx-abi.github.io/cxx-abi/abi-eh.html, 2.2.1), as libstdc++ and libc++abi have
// them; both keep the layout, since code compiled against older versions depends on it.
// Traced threads, while an exception is thrown.
#ifndef AUTOTRACE_RUNTIME_EXCEPTION_TEXT_H_
#define AUTOTRACE_RUNTIME_EXCEPTION_TEXT_H_

#include <unwind.h>

#include <atomic>

#include "runtime/recorder.h"

namespace autotrace {

// A C++ library: where its type of std::exception is.
struct CppLibrary {
  const char* file;
  const char* version;  // of the symbol; null: the default one
  std::atomic<const void*> exception_type{nullptr};
};

// False when this is no C++ exception that we know the layout of. Fills in object, type, library
// and `again`.
bool ParseException(const _Unwind_Exception* exception, CppLibrary* library,
                    RaisedException* parsed);

// For RecorderShared::describe_exception. Calls the program's what(), with hooks inside it off.
ExceptionText DescribeException(const RaisedException& raised);

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_EXCEPTION_TEXT_H_
