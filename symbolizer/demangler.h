// libiberty's demangler within bounds. A mangled name refers back to its own parts, so a short one
// can stand for a text that is exponentially longer: "S_IS0_S0_E" has S0_ twice, and the next part
// may have that one twice. Names come from files that anybody may have written.
#ifndef AUTOTRACE_SYMBOLIZER_DEMANGLER_H_
#define AUTOTRACE_SYMBOLIZER_DEMANGLER_H_

#include <stddef.h>

#include <string_view>

namespace autotrace::symbolizer {

// Longer names are not demangled.
inline constexpr size_t kMaxDemangledLength = 2048;
// A demangled text that would be longer is given up. Relative to its name, so that a file of many
// such names takes no more than a small multiple of its size; "_ZNSsC1Ev" has ten times its length.
constexpr size_t MaxDemangledText(std::string_view mangled) { return 256 + 32 * mangled.size(); }

enum class DemangledForm { kFunction, kType };  // "_ZN1a1fEv"; "N1a5ThingE", as in std::type_info
enum class DemangleResult {
  kDone,
  kNotMangled,  // nothing was written, or the start of something
  kTooLarge,    // the name, the stack it may need, or its text, of which the start was written
};

// Passes the text to write(context, piece, size) in pieces of up to 256 characters: a function
// without parameters and return type, or a type. Uses at most `stack` bytes of stack beyond what
// `write` uses. Async-signal-safe if `write` is; `write` must not need a destructor to run, since
// what is too large is left by a jump over it.
DemangleResult Demangle(std::string_view mangled, DemangledForm form, size_t stack,
                        void (*write)(void* context, const char* piece, size_t size),
                        void* context);

}  // namespace autotrace::symbolizer

#endif  // AUTOTRACE_SYMBOLIZER_DEMANGLER_H_
