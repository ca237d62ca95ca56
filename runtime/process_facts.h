// Facts about this process and machine that a recording starts with, and small helpers to name
// files. At start and on the background thread only: allocates.
#ifndef AUTOTRACE_RUNTIME_PROCESS_FACTS_H_
#define AUTOTRACE_RUNTIME_PROCESS_FACTS_H_

#include <stdint.h>

#include <string>

namespace autotrace {

// 16 lower-case digits.
std::string HexDigits(uint64_t value);

// Eight bytes from the kernel's random generator.
uint64_t RandomWord();

// Field 22 of /proc/PID/stat (proc(5)): with the pid it names one process for good. 0: unknown.
uint64_t KernelStartTime();

std::string ExecutablePath();
std::string CommandLine();  // arguments, NUL separated
std::string HostName();
std::string OsDescription();

// The whole of a small file; empty when it cannot be read.
std::string ReadSmallFile(const char* path);

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_PROCESS_FACTS_H_
