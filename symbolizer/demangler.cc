#include "symbolizer/demangler.h"

#include <string.h>

// libiberty.h would declare basename() in a way that contradicts <string.h>.
#define HAVE_DECL_BASENAME 1
#include <libiberty/demangle.h>

namespace autotrace::symbolizer {
namespace {

// From libiberty's options: it refuses names of over 1024 characters without this one. Here the
// length and the stack are bounded instead.
constexpr int kFunctionOptions = DMGL_NO_RECURSE_LIMIT;
constexpr int kTypeOptions = DMGL_NO_RECURSE_LIMIT | DMGL_PARAMS | DMGL_TYPES;

constexpr size_t kStackPerCharacter = 440;
constexpr size_t kStackAtLeast = 16 * 1024;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Where the pieces of a text go until it is too long. libiberty has no way to be told to stop, so
// it is left by a jump; it allocates nothing but stack. The compiler's own jump, since the C
// library's may be replaced by one that tells the recorder.
struct BoundedOutput {
  void (*write)(void* context, const char* piece, size_t size);
  void* context;
  size_t left;
  void* give_up[5];

  // Left by a jump that sanitizers do not see: theirs would unpoison a stack that they do not know
  // and miss an exit.
  __attribute__((no_sanitize("address", "thread"))) static void Callback(const char* piece,
                                                                         size_t size,
                                                                         void* output) {
    auto* bounded = static_cast<BoundedOutput*>(output);
    if (size > bounded->left) __builtin_longjmp(bounded->give_up, 1);
    bounded->left -= size;
    bounded->write(bounded->context, piece, size);
  }
};

// <call-offset> ::= h <number> _ | v <number> _ <number> _ without its letter: moves past `count`
// numbers, each with its underscore. Null when that is not what stands there.
const char* SkipNumbers(const char* text, int count) {
  for (; count > 0; --count) {
    if (*text == 'n') ++text;
    if (!IsDigit(*text)) return nullptr;
    while (IsDigit(*text)) ++text;
    if (*text++ != '_') return nullptr;
  }
  return text;
}

const char* SkipCallOffset(const char* text) {
  if (*text == 'h') return SkipNumbers(text + 1, 1);
  if (*text == 'v') return SkipNumbers(text + 1, 2);
  return nullptr;
}

// A thunk is shown under the name of its function. Turns "_ZThn16_N1A1fEv" into "_ZN1A1fEv" in
// place and returns where that starts; `name` itself when it is no thunk.
char* SkipThunk(char* name) {
  const char* encoding = nullptr;
  if (strncmp(name, "_ZTc", 4) == 0) {
    encoding = SkipCallOffset(name + 4);
    if (encoding != nullptr) encoding = SkipCallOffset(encoding);
  } else if (strncmp(name, "_ZT", 3) == 0) {
    encoding = SkipCallOffset(name + 3);
  } else if (strncmp(name, "_ZGTt", 5) == 0 || strncmp(name, "_ZGTn", 5) == 0) {
    encoding = name + 5;
  }
  if (encoding == nullptr) return name;
  char* start = name + (encoding - name) - 2;
  start[0] = '_';
  start[1] = 'Z';
  return start;
}

// An upper bound of what libiberty's demangler puts on the stack. Besides its recursion and its
// arrays of components, it copies the list of enclosing templates for each reference to a template
// parameter.
size_t DemanglerStack(std::string_view name) {
  size_t templates = 0;
  size_t references = 0;
  for (size_t i = 0; i < name.size(); ++i) {
    const char next = i + 1 < name.size() ? name[i + 1] : '\0';
    if (name[i] == 'I') ++templates;
    if ((name[i] == 'R' || name[i] == 'O') && (next == 'T' || next == 'S')) ++references;
  }
  // Each entry takes 16 bytes; an entry reached through a substitution counts twice.
  return kStackAtLeast + kStackPerCharacter * name.size() + 64 * templates * (references + 1);
}

// In a frame of its own, so that the copy's space is only taken when the name is demangled, and so
// that no caller's variables live across the jump.
[[gnu::noinline]] DemangleResult DemangleBounded(std::string_view mangled, DemangledForm form,
                                                 BoundedOutput* output) {
  char copy[kMaxDemangledLength + 1];
  memcpy(copy, mangled.data(), mangled.size());
  copy[mangled.size()] = '\0';
  if (__builtin_setjmp(output->give_up) != 0) return DemangleResult::kTooLarge;
  const bool is_function = form == DemangledForm::kFunction;
  const int done = cplus_demangle_v3_callback(is_function ? SkipThunk(copy) : copy,
                                              is_function ? kFunctionOptions : kTypeOptions,
                                              BoundedOutput::Callback, output);
  return done != 0 ? DemangleResult::kDone : DemangleResult::kNotMangled;
}

}  // namespace

DemangleResult Demangle(std::string_view mangled, DemangledForm form, size_t stack,
                        void (*write)(void* context, const char* piece, size_t size),
                        void* context) {
  if (mangled.size() > kMaxDemangledLength || DemanglerStack(mangled) > stack) {
    return DemangleResult::kTooLarge;
  }
  BoundedOutput output = {write, context, MaxDemangledText(mangled), {}};
  return DemangleBounded(mangled, form, &output);
}

}  // namespace autotrace::symbolizer
