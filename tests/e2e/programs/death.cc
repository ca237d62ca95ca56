// Ends in the way that its first argument says, or works until it is killed. Says over standard
// output which spans have ended: a span's number, and only after its end.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <string>

#include <autotrace/autotrace.h>

#include "program.h"

namespace app {

NOINLINE void numbered(int number) {
  autotrace::Span span("numbered");
  span.SetAttribute("number", int64_t{number});
}

NOINLINE void step() { Touch(); }

NOINLINE void request(int number) {
  for (int i = 0; i < 5; ++i) step();
  numbered(number);
}

}  // namespace app

namespace host {

// Requests until it is killed, or so many. `growth`: bytes that each request takes and keeps.
void Serve(int count, size_t growth = 0) {
  for (int number = 1; count == 0 || number <= count; ++number) {
    app::request(number);
    char line[16];
    const int size = snprintf(line, sizeof(line), "%d\n", number);
    if (write(STDOUT_FILENO, line, static_cast<size_t>(size)) != size) _exit(1);
    if (growth > 0) {
      void* kept = memset(malloc(growth), 1, growth);
      __asm__ volatile("" ::"r"(kept) : "memory");
    }
    usleep(300);  // so that reading what it left takes no longer than it lived
  }
}

}  // namespace host

namespace app {

// All of them in one trace, which never ends.
NOINLINE void serve(size_t growth) { host::Serve(0, growth); }

// Spans of which a few thousand are more than the exporter keeps in memory.
NOINLINE void large(int count) {
  const std::string text(16 << 10, 'x');
  for (int number = 1; number <= count; ++number) {
    autotrace::Span span("numbered");
    span.SetAttribute("number", int64_t{number});
    span.SetAttribute("text", text);
    usleep(300);
  }
}

NOINLINE void end(const std::string& how) {
  step();
  // Not null, which a sanitizer would look out for.
  if (how == "segv") *reinterpret_cast<volatile int*>(uintptr_t{64}) = 1;
  if (how == "abort") abort();
  if (how == "_exit") _exit(9);
  if (how == "quick_exit") quick_exit(9);
  if (how == "kill") kill(getpid(), SIGKILL);
  if (how == "wait") {
    for (int i = 0; i < 3; ++i) step();
    write(STDOUT_FILENO, "waiting\n", 8);
    for (;;) pause();
  }
}

NOINLINE void run(const std::string& how, bool late) {
  step();
  if (late) usleep(250'000);
  end(how);
}

}  // namespace app

int main(int argc, char** argv) {
  const std::string how = argv[1];
  if (how == "serve") app::serve(0);
  if (how == "grow") app::serve(256 << 10);
  if (how == "requests") {  // each a trace of its own
    host::Serve(argc > 2 ? atoi(argv[2]) : 0);
  } else if (how == "large") {
    app::large(atoi(argv[2]));
  } else {
    app::run(how, argc > 2);
  }
  return 0;
}
