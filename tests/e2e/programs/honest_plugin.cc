// A library that says what it is: every function makes a manual span with the library's name
// (-DPLUGIN=alpha), so that a test can tell whether a call was taken for another library's. It is
// also called by what dlopen and dlclose run, a constructor and a destructor, and by a thread of
// its own (-DWITH_WORKER), which the destructor waits for.
#include <pthread.h>
#include <sched.h>

#include <atomic>

#include <autotrace/autotrace.h>

#include "program.h"

#define TEXT(name) #name
#define SAY(name) const autotrace::Span says(TEXT(name))

namespace PLUGIN {

NOINLINE void begin() { SAY(PLUGIN); }
NOINLINE void step() { SAY(PLUGIN); }
NOINLINE void run() {
  SAY(PLUGIN);
  step();
}
NOINLINE void work() { SAY(PLUGIN); }
NOINLINE void end() { SAY(PLUGIN); }

class Worker {
 public:
  UNTRACED Worker() { pthread_create(&thread_, nullptr, &Work, this); }
  UNTRACED ~Worker() {
    stop_ = true;
    pthread_join(thread_, nullptr);
  }

 private:
  UNTRACED static void* Work(void* self) {
    do {
      work();
      sched_yield();
    } while (!static_cast<Worker*>(self)->stop_);
    return nullptr;
  }

  pthread_t thread_;
  std::atomic<bool> stop_{false};
};

struct Life {
  UNTRACED Life() { begin(); }
  UNTRACED ~Life() { end(); }
#ifdef WITH_WORKER
  Worker worker;
#endif
};
static Life life;

}  // namespace PLUGIN

extern "C" UNTRACED void plugin_run(void (*)()) { PLUGIN::run(); }
