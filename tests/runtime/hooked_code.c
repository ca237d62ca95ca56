/* Functions of many shapes, compiled with hooks in several ways (CMakeLists.txt), for
 * hook_sites_test.cc and hook_eraser_test.cc. hooked_code_run calls each at least once on each
 * path. */
#define NOINLINE __attribute__((noinline))

static volatile long sink;

NOINLINE long leaf(long value) {
  __asm__ volatile("" : "+r"(value));
  return value * 3 + 1;
}

static inline __attribute__((always_inline)) long inlined(long value) {
  sink += value;
  return value + 1;
}

/* Hooks of three functions in one body. */
static inline __attribute__((always_inline)) long inlined_twice(long value) {
  return inlined(value) + inlined(value + 1);
}

NOINLINE long host(long value) { return inlined_twice(leaf(value)) + inlined(value); }

NOINLINE void ends_with_its_exit(long value) { sink = value; }

NOINLINE long many_returns(long value) {
  if (value < 0) return leaf(-value);
  for (long i = 0; i < value; ++i) {
    if (sink == i * 1000) return i;
    sink += leaf(i);
  }
  return value;
}

NOINLINE long chooses(long value) {
  switch (value) {
    case 0:
      return leaf(1);
    case 1:
      return inlined(2);
    case 2:
      ends_with_its_exit(3);
      return 0;
    case 3:
      return host(4);
    case 4:
      return many_returns(5);
    case 5:
      sink = 6;
      return 7;
    default:
      return -1;
  }
}

/* Needs many registers, so that none is left for the function's own address. */
NOINLINE long busy(long a, long b, long c, long d, long e, long f) {
  long result = 0;
  for (long i = 0; i < 10; ++i) {
    a += leaf(b) ^ c;
    b += leaf(c) ^ d;
    c += leaf(d) ^ e;
    d += leaf(e) ^ f;
    e += leaf(f) ^ a;
    f += leaf(a) ^ b;
    result += a + b + c + d + e + f;
  }
  return result;
}

NOINLINE long recursive(long depth) { return depth == 0 ? 0 : recursive(depth - 1) + leaf(depth); }

__attribute__((no_instrument_function)) void hooked_code_run(void) {
  for (long value = -3; value < 10; ++value) {
    sink += host(value);
    sink += many_returns(value);
    sink += chooses(value);
    sink += recursive(value < 0 ? 0 : value);
    ends_with_its_exit(value);
    sink += busy(value, 1, 2, 3, 4, 5);
  }
}
