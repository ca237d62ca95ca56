// What the symbolizer's tests share: compiling the fixtures with both compilers, and running
// binutils as a second opinion.
#ifndef AUTOTRACE_TESTS_SYMBOLIZER_TEST_PROGRAMS_H_
#define AUTOTRACE_TESTS_SYMBOLIZER_TEST_PROGRAMS_H_

#include <stdint.h>

#include <map>
#include <string>
#include <vector>

#include "symbolizer/module_image.h"

namespace autotrace::symbolizer {

enum class Compiler { kGcc, kClang };
const char* Name(Compiler compiler);

// Runs a shell command; the current test fails unless it succeeds. Returns its standard output.
std::string Run(const std::string& command);

// Compiles fixtures (names below fixtures/, or absolute paths) and links them into `output`.
void Compile(Compiler compiler, const std::string& flags, const std::vector<std::string>& sources,
             const std::string& output);

std::string Fixture(const std::string& name);

std::vector<Symbol> Functions(const ModuleImage& image);
// Start addresses by qualified name; of several functions of one name the last one.
std::map<std::string, uint64_t> AddressesByName(const ModuleImage& image);

// Addresses of the last byte of each call instruction, by objdump.
std::vector<uint64_t> CallSites(const std::string& path);

}  // namespace autotrace::symbolizer

#endif  // AUTOTRACE_TESTS_SYMBOLIZER_TEST_PROGRAMS_H_
