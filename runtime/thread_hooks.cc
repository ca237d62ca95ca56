// pthread_create: the span that starts a thread is the parent of that thread's spans, and the size
// of its stack is known.
//
// Exported as glibc's versions only, like the functions in unwind_hooks.cc; std::thread and
// std::async come here, too. Allocates nothing: what is handed to the new thread lies in a fixed
// set of places, and a thread that finds none free is started without a parent.
#include <pthread.h>
#include <stdint.h>

#include <atomic>

#include "runtime/real_function.h"
#include "runtime/session.h"
#include "runtime/thread_slot.h"
#include "runtime/thread_stack.h"

namespace autotrace {
namespace {

using Routine = void* (*)(void*);
using CreateThread = int (*)(pthread_t*, const pthread_attr_t*, Routine, void*);

// What a new thread takes over before it runs the program's function.
struct StartingThread {
  std::atomic<bool> used;
  Routine routine;
  void* argument;
  OuterParent parent;
  uint64_t stack_size;
};
constexpr int kPlaces = 256;
constinit StartingThread g_starting[kPlaces] = {};

StartingThread* TakePlace() {
  for (StartingThread& place : g_starting) {
    bool used = false;
    if (!place.used.load(std::memory_order_relaxed) &&
        place.used.compare_exchange_strong(used, true, std::memory_order_acquire)) {
      return &place;
    }
  }
  return nullptr;
}

AUTOTRACE_NOT_WATCHED void* RunThread(void* starting) {
  auto* place = static_cast<StartingThread*>(starting);
  const Routine routine = place->routine;
  void* argument = place->argument;
  t_slot.outer = place->parent;
  t_slot.stack_size = place->stack_size;
  place->used.store(false, std::memory_order_release);
  return routine(argument);  // a tail call: the thread's stack looks as it would without us
}

// Null: the thread is to be started as it is.
StartingThread* Prepare(const pthread_attr_t* attributes, Routine routine, void* argument) {
  if (g_state.load(std::memory_order_relaxed) != SessionState::kOn) return nullptr;
  OuterParent parent;
  Recorder* recorder = t_slot.active;
  if (recorder != nullptr && Session::Current()->config().thread_parents) {
    WithRecorder(recorder, [&](Recorder* own) { parent = own->PinCurrent(); });
  }
  if (!parent.exists() && attributes == nullptr) return nullptr;
  StartingThread* place = TakePlace();
  if (place == nullptr) return nullptr;
  place->routine = routine;
  place->argument = argument;
  place->parent = parent;
  place->stack_size = ThreadStackSize(attributes);
  return place;
}

int Create(RealFunction* real, pthread_t* thread, const pthread_attr_t* attributes, Routine routine,
           void* argument) {
  const auto create = real->As<CreateThread>();
  StartingThread* place = Prepare(attributes, routine, argument);
  if (place == nullptr) return create(thread, attributes, routine, argument);
  const int error = create(thread, attributes, &RunThread, place);
  if (error != 0) place->used.store(false, std::memory_order_release);
  return error;
}

constinit RealFunction g_create = AUTOTRACE_REAL(pthread_create, "GLIBC_2.34");
constinit RealFunction g_create_old = AUTOTRACE_REAL(pthread_create, "GLIBC_2.2.5");

}  // namespace
}  // namespace autotrace

AUTOTRACE_INTERPOSED int autotrace_pthread_create(pthread_t* thread,
                                                  const pthread_attr_t* attributes,
                                                  void* (*routine)(void*), void* argument) {
  return autotrace::Create(&autotrace::g_create, thread, attributes, routine, argument);
}
AUTOTRACE_INTERPOSED int autotrace_pthread_create_old(pthread_t* thread,
                                                      const pthread_attr_t* attributes,
                                                      void* (*routine)(void*), void* argument) {
  return autotrace::Create(&autotrace::g_create_old, thread, attributes, routine, argument);
}

AUTOTRACE_REPLACE(autotrace_pthread_create, pthread_create, "GLIBC_2.34");
#if defined(__x86_64__)
AUTOTRACE_REPLACE_OLD(autotrace_pthread_create_old, pthread_create, "GLIBC_2.2.5");
#endif
