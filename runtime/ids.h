// Identities: sequences inside a process, W3C trace and span ids outside of it.
//
// Records carry sequences, which are short and cheap. Ids are a keyed function of (the process's
// secret, sequence), so the recorder (to inject a header) and every reader (to export) get the same
// id without storing it. Sizes and the rule that all-zero ids are invalid: W3C Trace Context,
// section 3.2.2.
#ifndef AUTOTRACE_RUNTIME_IDS_H_
#define AUTOTRACE_RUNTIME_IDS_H_

#include <stdint.h>

namespace autotrace {

struct IdSecret {
  uint64_t key[2] = {0, 0};
};

// A bijection for a given key: different inputs give different outputs (two rounds of a
// multiply-xorshift permutation, keyed in between).
constexpr uint64_t Mix(uint64_t value, uint64_t key0, uint64_t key1) {
  value += key0;
  value ^= value >> 30;
  value *= 0xbf58476d1ce4e5b9u;
  value ^= value >> 27;
  value *= 0x94d049bb133111ebu;
  value ^= value >> 31;
  value ^= key1;
  value ^= value >> 33;
  value *= 0xff51afd7ed558ccdu;
  value ^= value >> 33;
  value *= 0xc4ceb9fe1a85ec53u;
  value ^= value >> 33;
  return value;
}

// The 8 bytes of a span id, in memory order. Never zero for a sequence that is not zero.
constexpr uint64_t SpanIdOf(const IdSecret& secret, uint64_t sequence) {
  const uint64_t id = Mix(sequence, secret.key[0], secret.key[1]);
  return id != 0 ? id : Mix(0, secret.key[0], secret.key[1]);  // sequence 0 is never given away
}

// The 16 bytes of a trace id, in memory order.
constexpr void TraceIdOf(const IdSecret& secret, uint64_t root_sequence, uint64_t id[2]) {
  id[0] = Mix(root_sequence, ~secret.key[1], secret.key[0]);
  id[1] = Mix(root_sequence, secret.key[0] ^ 0x9e3779b97f4a7c15u, ~secret.key[1]) | 1;
}

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_IDS_H_
