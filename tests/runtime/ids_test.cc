#include "runtime/ids.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <vector>

namespace autotrace {
namespace {

constexpr uint64_t kSample = 1'000'000;
constexpr IdSecret kSecret = {{0x0123456789abcdef, 0xf0e1d2c3b4a59687}};

bool AllDifferent(std::vector<uint64_t> values) {
  std::sort(values.begin(), values.end());
  return std::adjacent_find(values.begin(), values.end()) == values.end();
}

TEST_CASE("different inputs of the id permutation give different outputs") {
  std::vector<uint64_t> outputs;
  // Small numbers, as sequences are; numbers that differ in high bits only; their complements.
  for (uint64_t i = 0; i < kSample; ++i) {
    outputs.push_back(Mix(i, kSecret.key[0], kSecret.key[1]));
    outputs.push_back(Mix((i + 1) << 40, kSecret.key[0], kSecret.key[1]));
    outputs.push_back(Mix(~i, kSecret.key[0], kSecret.key[1]));
  }
  CHECK(AllDifferent(outputs));
}

TEST_CASE("span ids of one process are unique and never zero") {
  std::vector<uint64_t> ids;
  for (uint64_t sequence = 1; sequence <= kSample; ++sequence) {
    ids.push_back(SpanIdOf(kSecret, sequence));
    REQUIRE(ids.back() != 0);
  }
  CHECK(AllDifferent(ids));
}

// The inverse of Mix: which input gives this output?
uint64_t Unmix(uint64_t value, uint64_t key0, uint64_t key1) {
  const auto undo_shift = [](uint64_t shifted, int bits) {
    uint64_t result = shifted;
    for (int i = 0; i < 64 / bits; ++i) result = shifted ^ (result >> bits);
    return result;
  };
  const auto inverse = [](uint64_t odd) {
    uint64_t result = odd;  // Newton's iteration modulo 2^64
    for (int i = 0; i < 6; ++i) result *= 2 - odd * result;
    return result;
  };
  value = undo_shift(value, 33) * inverse(0xc4ceb9fe1a85ec53u);
  value = undo_shift(value, 33) * inverse(0xff51afd7ed558ccdu);
  value = undo_shift(value, 33) ^ key1;
  value = undo_shift(value, 31) * inverse(0x94d049bb133111ebu);
  value = undo_shift(value, 27) * inverse(0xbf58476d1ce4e5b9u);
  return undo_shift(value, 30) - key0;
}

TEST_CASE("the sequence whose id would be zero gets an id that no other sequence has") {
  // With keys of all kinds, since the first one decides which sequence that is.
  for (uint64_t key = 1; key < 1000; ++key) {
    const IdSecret secret = {{key * 0x9e3779b97f4a7c15u, ~key}};
    const uint64_t unlucky = Unmix(0, secret.key[0], secret.key[1]);
    REQUIRE(Mix(unlucky, secret.key[0], secret.key[1]) == 0);
    REQUIRE(unlucky != 0);
    REQUIRE(SpanIdOf(secret, unlucky) != 0);
    // It has the one of sequence 0, which is never given away.
    REQUIRE(Unmix(SpanIdOf(secret, unlucky), secret.key[0], secret.key[1]) == 0);
  }
}

TEST_CASE("trace ids are unique and never zero") {
  std::vector<uint64_t> halves;
  for (uint64_t sequence = 1; sequence <= kSample; ++sequence) {
    uint64_t id[2];
    TraceIdOf(kSecret, sequence, id);
    REQUIRE((id[0] | id[1]) != 0);
    halves.push_back(id[0]);
  }
  CHECK(AllDifferent(halves));
}

TEST_CASE("trace ids stay valid with a secret of zeros") {
  for (const IdSecret& secret : {IdSecret{{0, 0}}, IdSecret{{~uint64_t{0}, ~uint64_t{0}}}}) {
    for (uint64_t sequence = 1; sequence < 1000; ++sequence) {
      uint64_t id[2];
      TraceIdOf(secret, sequence, id);
      REQUIRE((id[0] | id[1]) != 0);
      REQUIRE(SpanIdOf(secret, sequence) != 0);
    }
  }
}

TEST_CASE("ids depend on the process's secret") {
  const IdSecret other = {{kSecret.key[0], kSecret.key[1] + 1}};
  uint64_t first[2];
  uint64_t second[2];
  TraceIdOf(kSecret, 1, first);
  TraceIdOf(other, 1, second);
  CHECK(first[0] != second[0]);
  CHECK(first[1] != second[1]);
  CHECK(SpanIdOf(kSecret, 1) != SpanIdOf(other, 1));
  // A span's id does not give away its trace's.
  CHECK(SpanIdOf(kSecret, 1) != first[0]);
}

}  // namespace
}  // namespace autotrace
