#include "runtime/libunwind_capture.h"

#include <dlfcn.h>
#include <errno.h>
// Only this process's own stack.
#define UNW_LOCAL_ONLY
#include <libunwind.h>

namespace autotrace {
namespace {

// libunwind's functions have their architecture in their names (unw_step is a macro); these are
// resolved at run time, so that other programs do not load it.
#define AUTOTRACE_TEXT2(name) #name
#define AUTOTRACE_TEXT(name) AUTOTRACE_TEXT2(name)

using InitLocal = int (*)(unw_cursor_t*, unw_context_t*);
using Step = int (*)(unw_cursor_t*);
using GetRegister = int (*)(unw_cursor_t*, int, unw_word_t*);
using GetContext = int (*)(unw_context_t*);

InitLocal init_local = nullptr;
Step step = nullptr;
GetRegister get_register = nullptr;
GetContext get_context = nullptr;

template <typename Function>
bool Resolve(void* library, const char* name, Function* function) {
  *function = reinterpret_cast<Function>(dlsym(library, name));
  return *function != nullptr;
}

}  // namespace

const char* OpenLibunwind() {
  void* library = dlopen("libunwind.so.8", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr || !Resolve(library, AUTOTRACE_TEXT(unw_tdep_getcontext), &get_context) ||
      !Resolve(library, AUTOTRACE_TEXT(unw_init_local), &init_local) ||
      !Resolve(library, AUTOTRACE_TEXT(unw_step), &step) ||
      !Resolve(library, AUTOTRACE_TEXT(unw_get_reg), &get_register)) {
    return "libunwind.so.8 cannot be loaded (install libunwind8)";
  }
  // What it does once, it does now.
  uint64_t address;
  CaptureStackByLibunwind(0, &address, 1);
  return nullptr;
}

size_t CaptureStackByLibunwind(uint64_t frame_address, uint64_t* addresses, size_t capacity) {
  const int error_number = errno;
  unw_context_t context;
  unw_cursor_t cursor;
  size_t count = 0;
  if (get_context(&context) != 0 || init_local(&cursor, &context) != 0) capacity = 0;
  while (count < capacity && step(&cursor) > 0) {
    unw_word_t stack_pointer = 0;
    unw_word_t instruction = 0;
    if (get_register(&cursor, UNW_REG_SP, &stack_pointer) != 0 ||
        get_register(&cursor, UNW_REG_IP, &instruction) != 0 || instruction == 0) {
      break;
    }
    // The root's own frame has this very address; its callers lie above.
    if (stack_pointer <= frame_address) continue;
    addresses[count++] = instruction;
  }
  errno = error_number;
  return count;
}

}  // namespace autotrace
