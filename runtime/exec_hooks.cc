// exec and posix_spawn: the span that starts a program is the parent of that program's spans.
//
// The new program's environment gets a TRACEPARENT in place of what it had. Exported as glibc's
// versions only, like the functions in unwind_hooks.cc. system() and popen() start programs from
// inside glibc and are not seen. Functions here may run in a child of vfork(): what they need is on
// the stack, they take no lock, and they leave nothing behind.
#include <errno.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/real_function.h"
#include "runtime/session.h"
#include "runtime/thread_slot.h"
#include "runtime/trace_parent.h"
#include "symbolizer/raw_syscalls.h"

extern "C" char** environ;

namespace autotrace {
namespace {

constexpr char kVariable[] = "TRACEPARENT=";
constexpr size_t kVariableSize = sizeof(kVariable) - 1;

// "TRACEPARENT=…" for the span that is open here. False: the environment is to stay as it is.
class Propagation {
 public:
  Propagation() {
    if (Recorder* recorder = t_slot.active) {
      WithRecorder(recorder, [&](Recorder* own) { parent_ = own->PinCurrent(); });
    } else {
      parent_ = t_slot.forked_by;
    }
    if (!parent_.exists()) return;
    memcpy(text_, kVariable, kVariableSize);
    FormatTraceParent(parent_, Session::Current()->shared().secret, text_ + kVariableSize);
    text_[kVariableSize + kTraceParentSize] = '\0';
  }

  bool is_wanted() const { return parent_.exists(); }

  // Pointers that `WriteTo` needs for this environment.
  static size_t Places(char* const* environment) {
    size_t count = 0;
    while (environment != nullptr && environment[count] != nullptr) ++count;
    return count + 2;
  }
  void WriteTo(char** target, char* const* environment) {
    for (; environment != nullptr && *environment != nullptr; ++environment) {
      if (strncmp(*environment, kVariable, kVariableSize) != 0) *target++ = *environment;
    }
    *target++ = text_;
    *target = nullptr;
  }

 private:
  OuterParent parent_;
  char text_[kVariableSize + kTraceParentSize + 1];
};

// Calls start(environment) with the changed environment or, when no span is open, the given one.
template <typename Start>
__attribute__((always_inline)) inline auto WithPropagation(char* const* environment, Start start) {
  Propagation propagation;
  if (!propagation.is_wanted()) return start(environment);
  auto** changed =
      static_cast<char**>(__builtin_alloca(Propagation::Places(environment) * sizeof(char*)));
  propagation.WriteTo(changed, environment);
  return start(const_cast<char* const*>(changed));
}

// This process's recording ends here if the program is replaced; if that fails it goes on.
void BeforeExec() {
  Session* session = Session::Current();
  if (session != nullptr && t_slot.active != nullptr) session->BeforeExec();
}

using Execute = int (*)(const char*, char* const*, char* const*);
using ExecuteFile = int (*)(int, char* const*, char* const*);
using ExecuteAt = int (*)(int, const char*, char* const*, char* const*, int);
using Spawn = int (*)(pid_t*, const char*, const posix_spawn_file_actions_t*,
                      const posix_spawnattr_t*, char* const*, char* const*);

constinit RealFunction g_execve = AUTOTRACE_REAL(execve, "GLIBC_2.2.5");
constinit RealFunction g_execvpe = AUTOTRACE_REAL(execvpe, "GLIBC_2.11");
constinit RealFunction g_fexecve = AUTOTRACE_REAL(fexecve, "GLIBC_2.2.5");
constinit RealFunction g_execveat = AUTOTRACE_REAL(execveat, "GLIBC_2.34");
constinit RealFunction g_spawn = AUTOTRACE_REAL(posix_spawn, "GLIBC_2.15");
constinit RealFunction g_spawn_old = AUTOTRACE_REAL(posix_spawn, "GLIBC_2.2.5");
constinit RealFunction g_spawnp = AUTOTRACE_REAL(posix_spawnp, "GLIBC_2.15");
constinit RealFunction g_spawnp_old = AUTOTRACE_REAL(posix_spawnp, "GLIBC_2.2.5");

// A child of vfork() must not look functions up.
__attribute__((constructor)) void FindRealFunctions() {
  for (RealFunction* function : {&g_execve, &g_execvpe, &g_fexecve, &g_execveat, &g_spawn,
                                 &g_spawn_old, &g_spawnp, &g_spawnp_old}) {
    function->Find();
  }
}

int ExecuteThrough(RealFunction* real, const char* path, char* const* arguments,
                   char* const* environment) {
  return WithPropagation(environment, [&](char* const* changed) {
    BeforeExec();
    return real->As<Execute>()(path, arguments, changed);
  });
}

int SpawnThrough(RealFunction* real, pid_t* pid, const char* path,
                 const posix_spawn_file_actions_t* actions, const posix_spawnattr_t* attributes,
                 char* const* arguments, char* const* environment) {
  return WithPropagation(environment, [&](char* const* changed) {
    return real->As<Spawn>()(pid, path, actions, attributes, arguments, changed);
  });
}

// The arguments of execl and its relatives, up to and with the null; with `environment`, also what
// stands behind it.
size_t CountArguments(va_list list) {
  size_t count = 1;
  while (va_arg(list, const char*) != nullptr) ++count;
  return count;
}

}  // namespace
}  // namespace autotrace

using autotrace::ExecuteThrough;
using autotrace::SpawnThrough;

AUTOTRACE_INTERPOSED int autotrace_execve(const char* path, char* const* arguments,
                                          char* const* environment) {
  return ExecuteThrough(&autotrace::g_execve, path, arguments, environment);
}
AUTOTRACE_INTERPOSED int autotrace_execv(const char* path, char* const* arguments) {
  return ExecuteThrough(&autotrace::g_execve, path, arguments, environ);
}
AUTOTRACE_INTERPOSED int autotrace_execvp(const char* file, char* const* arguments) {
  return ExecuteThrough(&autotrace::g_execvpe, file, arguments, environ);
}
AUTOTRACE_INTERPOSED int autotrace_execvpe(const char* file, char* const* arguments,
                                           char* const* environment) {
  return ExecuteThrough(&autotrace::g_execvpe, file, arguments, environment);
}
AUTOTRACE_INTERPOSED int autotrace_fexecve(int file, char* const* arguments,
                                           char* const* environment) {
  return autotrace::WithPropagation(environment, [&](char* const* changed) {
    autotrace::BeforeExec();
    return autotrace::g_fexecve.As<autotrace::ExecuteFile>()(file, arguments, changed);
  });
}
AUTOTRACE_INTERPOSED int autotrace_execveat(int folder, const char* path, char* const* arguments,
                                            char* const* environment, int flags) {
  return autotrace::WithPropagation(environment, [&](char* const* changed) {
    autotrace::BeforeExec();
    return autotrace::g_execveat.As<autotrace::ExecuteAt>()(folder, path, arguments, changed,
                                                            flags);
  });
}

// The forms with a list of arguments: collected on the stack, then as above.
#define AUTOTRACE_EXEC_LIST(name, real, environment_of)                              \
  AUTOTRACE_INTERPOSED int name(const char* path, const char* first, ...) {          \
    va_list list;                                                                    \
    va_start(list, first);                                                           \
    const size_t count = first != nullptr ? 1 + autotrace::CountArguments(list) : 1; \
    va_end(list);                                                                    \
    auto** arguments = static_cast<char**>(__builtin_alloca(count * sizeof(char*))); \
    arguments[0] = const_cast<char*>(first);                                         \
    va_start(list, first);                                                           \
    for (size_t i = 1; i < count; ++i) arguments[i] = va_arg(list, char*);           \
    char* const* environment = environment_of(list);                                 \
    va_end(list);                                                                    \
    return ExecuteThrough(&autotrace::real, path, arguments, environment);           \
  }
#define AUTOTRACE_OWN_ENVIRONMENT(list) environ
#define AUTOTRACE_LAST_ARGUMENT(list) va_arg(list, char* const*)
AUTOTRACE_EXEC_LIST(autotrace_execl, g_execve, AUTOTRACE_OWN_ENVIRONMENT)
AUTOTRACE_EXEC_LIST(autotrace_execlp, g_execvpe, AUTOTRACE_OWN_ENVIRONMENT)
AUTOTRACE_EXEC_LIST(autotrace_execle, g_execve, AUTOTRACE_LAST_ARGUMENT)

#define AUTOTRACE_SPAWN(name, real)                                                                \
  AUTOTRACE_INTERPOSED int name(                                                                   \
      pid_t* pid, const char* path, const posix_spawn_file_actions_t* actions,                     \
      const posix_spawnattr_t* attributes, char* const* arguments, char* const* environment) {     \
    return SpawnThrough(&autotrace::real, pid, path, actions, attributes, arguments, environment); \
  }
AUTOTRACE_SPAWN(autotrace_posix_spawn, g_spawn)
AUTOTRACE_SPAWN(autotrace_posix_spawn_old, g_spawn_old)
AUTOTRACE_SPAWN(autotrace_posix_spawnp, g_spawnp)
AUTOTRACE_SPAWN(autotrace_posix_spawnp_old, g_spawnp_old)

#if defined(__x86_64__)
AUTOTRACE_REPLACE(autotrace_execve, execve, "GLIBC_2.2.5");
AUTOTRACE_REPLACE(autotrace_execv, execv, "GLIBC_2.2.5");
AUTOTRACE_REPLACE(autotrace_execvp, execvp, "GLIBC_2.2.5");
AUTOTRACE_REPLACE(autotrace_execvpe, execvpe, "GLIBC_2.11");
AUTOTRACE_REPLACE(autotrace_fexecve, fexecve, "GLIBC_2.2.5");
AUTOTRACE_REPLACE(autotrace_execveat, execveat, "GLIBC_2.34");
AUTOTRACE_REPLACE(autotrace_execl, execl, "GLIBC_2.2.5");
AUTOTRACE_REPLACE(autotrace_execlp, execlp, "GLIBC_2.2.5");
AUTOTRACE_REPLACE(autotrace_execle, execle, "GLIBC_2.2.5");
AUTOTRACE_REPLACE(autotrace_posix_spawn, posix_spawn, "GLIBC_2.15");
AUTOTRACE_REPLACE_OLD(autotrace_posix_spawn_old, posix_spawn, "GLIBC_2.2.5");
AUTOTRACE_REPLACE(autotrace_posix_spawnp, posix_spawnp, "GLIBC_2.15");
AUTOTRACE_REPLACE_OLD(autotrace_posix_spawnp_old, posix_spawnp, "GLIBC_2.2.5");
#endif
