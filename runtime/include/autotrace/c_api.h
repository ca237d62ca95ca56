/* autotrace's C interface: manual spans beside the automatic ones.
 *
 * The C++ header autotrace.h stands on this one; C programs and other languages use it directly.
 * When tracing is off every function returns at once and a span is {0, 0}. All functions may be
 * called from any thread and never fail visibly, throw, or change errno. They are not
 * async-signal-safe unless said so.
 *
 *   autotrace_span span = autotrace_span_begin("load", 4);
 *   autotrace_span_set_int(span, "rows", 4, 7910);
 *   autotrace_span_end(span);
 *
 * Strings are given with their sizes in bytes, need no terminating zero, should be UTF-8, and are
 * copied before the function returns.
 */
#ifndef AUTOTRACE_C_API_H_
#define AUTOTRACE_C_API_H_

#include <stddef.h>
#include <stdint.h>

/* Keeps a function out of automatic tracing, at compile time. */
#define AUTOTRACE_NO_TRACE __attribute__((no_instrument_function))

/* Keeps a function in automatic tracing that autotrace's compiler plugin would leave out. Without
 * the plugin every function is in it. */
#if defined(__clang__)
#define AUTOTRACE_ALWAYS_TRACE __attribute__((annotate("autotrace_always_trace")))
#elif defined(__has_attribute)
#if __has_attribute(autotrace_always_trace) /* the plugin is here */
#define AUTOTRACE_ALWAYS_TRACE __attribute__((autotrace_always_trace))
#endif
#endif
#ifndef AUTOTRACE_ALWAYS_TRACE
#define AUTOTRACE_ALWAYS_TRACE
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* A span that was begun and not yet ended. Copies denote the same span. */
typedef struct autotrace_span {
  uint64_t sequence; /* its number in this process; 0: tracing is off */
  uint64_t thread;   /* the number of the thread that began it */
} autotrace_span;

/* Is the runtime recording now? */
int autotrace_recording(void);

/* Begins a span below the innermost open span, manual or automatic, of this thread; without one it
 * is the root of a new trace. It is never dropped for being short. */
autotrace_span autotrace_span_begin(const char* name, size_t name_size);

/* Ends it, on the thread that began it; spans begun after it on this thread that are still open end
 * with it. A span that has already ended, or belongs to another thread, is left alone. */
void autotrace_span_end(autotrace_span span);

/* Sets an attribute; a later value for the same key replaces the earlier one. Ignored after the end
 * and on another thread. */
void autotrace_span_set_string(autotrace_span span, const char* key, size_t key_size,
                               const char* value, size_t value_size);
void autotrace_span_set_int(autotrace_span span, const char* key, size_t key_size, int64_t value);
void autotrace_span_set_double(autotrace_span span, const char* key, size_t key_size, double value);
void autotrace_span_set_bool(autotrace_span span, const char* key, size_t key_size, int value);

/* For programs that switch between stacks of their own (fibers, coroutines that have stacks), so
 * that each stack's calls nest among themselves. makecontext and swapcontext need none of this, nor
 * do C++20 coroutines, which run on their caller's stack.
 *
 * created: these `size` bytes from `low` are a stack. The first spans on it are children of the
 * span that is open where it is first switched to. switched: the calling thread is now on another
 * stack than at the last call; to be called right after each switch, on the stack that was switched
 * to, the thread's own one included. destroyed: the stack that begins at `low` is given up; what is
 * still open on it ends. Not to be called on that stack itself. */
void autotrace_stack_created(const void* low, size_t size);
void autotrace_stack_switched(void);
void autotrace_stack_destroyed(const void* low);

/* Waits until what has been recorded so far is written to the run's folder and, in live export,
 * sent. Returns 0, or -1 when that took longer than `timeout_nanos` or tracing is off. */
int autotrace_flush(uint64_t timeout_nanos);

#ifdef __cplusplus
}
#endif

#endif /* AUTOTRACE_C_API_H_ */
