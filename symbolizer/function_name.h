// From a linker name to the name that a span carries: the qualified function without return type,
// arguments, ABI tags or clone suffixes.
//
//   linker name                                  name
//   _ZN8pipeline7extractEv                       pipeline::extract
//   _ZN8pipeline5twiceIiEET_S1_                  pipeline::twice<int>
//   _ZN8pipeline12_GLOBAL__N_16helperEv.part.0   pipeline::(anonymous namespace)::helper
//   _ZN8pipeline5ThingD2Ev                       pipeline::Thing::~Thing
//   _ZZN8pipeline3runEvENKUliE_clEi              pipeline::run()::{lambda(int)#1}::operator()
//   _ZZN8pipeline3runEvENK3$_0clEi               pipeline::run()::$_0::operator()
//   _ZThn16_N8pipeline5Thing3runEv               pipeline::Thing::run
//   _ZN1a1bB5cxx11Ev                             a::b
//   main                                         main
//   work.constprop.0                             work
#ifndef AUTOTRACE_SYMBOLIZER_FUNCTION_NAME_H_
#define AUTOTRACE_SYMBOLIZER_FUNCTION_NAME_H_

#include <stddef.h>

#include <string>
#include <string_view>

namespace autotrace::symbolizer {

// Linker names that demangler.h finds too large, and those that could need more stack than there
// is, are not demangled in full: what is left is the scope up to the first template argument,
// "app::Parser<...>".
//
// Enough for every name that is demangled, and somewhat less than a stack of 1 MiB. Real names take
// 120 bytes per character, contrived ones 430.
inline constexpr size_t kQualifiedNameStack = 960 * 1024;

// Writes the name into out[0, capacity), always NUL-terminated when capacity > 0, and returns its
// length without the NUL; a name that does not fit is cut, between two characters of UTF-8. A
// linker name that cannot be demangled is its own name, without clone suffixes. Async-signal-safe.
// Uses at most `stack` bytes of stack, which must be 64 KB or more; callers on foreign stacks
// switch to their own first.
size_t QualifiedName(std::string_view linker_name, char* out, size_t capacity,
                     size_t stack = kQualifiedNameStack);

// The same for readers, of any length.
std::string QualifiedName(std::string_view linker_name);

}  // namespace autotrace::symbolizer

#endif  // AUTOTRACE_SYMBOLIZER_FUNCTION_NAME_H_
