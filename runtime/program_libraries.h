// What the runtime has to ask the dynamic linker about the program's own libraries. A static
// program has none: there the link editor answers (record_only/program_libraries.cc).
#ifndef AUTOTRACE_RUNTIME_PROGRAM_LIBRARIES_H_
#define AUTOTRACE_RUNTIME_PROGRAM_LIBRARIES_H_

#include <dlfcn.h>
#include <pthread.h>

namespace autotrace {

struct CppLibrary;

using CreateThread = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);

// It has to know of every thread, and lets a forked child of a program with threads start none.
bool HasThreadSanitizer();
// How our own threads are started: as the program's are, so that sanitizers know of them, but for
// AddressSanitizer, which can do without and would speak of ours in a forked child, where it is
// not.
CreateThread CreateOwnThread();

// Are these two addresses in the same loaded binary? Async-signal-safe.
inline bool InSameBinary(const void* first, const void* second) {
  dl_find_object found[2];
  return _dl_find_object(const_cast<void*>(first), &found[0]) == 0 &&
         _dl_find_object(const_cast<void*>(second), &found[1]) == 0 &&
         found[0].dlfo_link_map == found[1].dlfo_link_map;
}

// The library of this file name, for dlsym(3), or null when it is not there. No system calls, which
// dlopen(3) makes for one that is not there, and which the program may have forbidden. Takes the
// dynamic linker's locks.
void* LoadedLibrary(const char* file);

// The type of std::exception in the program's C++ library, or null.
const void* TypeOfStdException(CppLibrary* library);

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_PROGRAM_LIBRARIES_H_
