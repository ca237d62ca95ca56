#include "exporter/pack_frame.h"

#include <catch2/catch.hpp>
#include <random>

#include "exporter/pack_columns.h"
#include "tests/exporter/small_program.h"
#include "tests/exporter/stream_builder.h"

namespace autotrace::exporter {
namespace {

using testing::Begin;
using testing::Preamble;
using testing::StreamBuilder;
using testing::WithChildren;

constexpr int kLevel = 3;

std::string Blocks() {
  StreamBuilder stream = Preamble({});
  stream.Add(1, WithChildren(Begin(), 2, 300), 9000)
      .Add(2, WithChildren({}, 302, 100), 9000, 7, 64);
  stream.Counter(format::Counter::kDroppedDisk, 3);
  return stream.Add(1, WithChildren({}, 402, 50), 9500).End(9999, testing::kEpoch).bytes();
}

void CheckComesBack(const std::string& bytes) {
  const absl::StatusOr<std::string> unpacked = UnpackFrame(PackFrame(bytes, kLevel), bytes.size());
  REQUIRE(unpacked.ok());
  CHECK(*unpacked == bytes);
}

TEST_CASE("blocks come back byte for byte, and spans are small") {
  const std::string bytes = Blocks();
  CheckComesBack(bytes);
  // 450 regular spans and some 2 KB of other things.
  CHECK(PackFrame(bytes, kLevel).size() < 1500);
}

TEST_CASE("what is not made of well-formed blocks comes back, too") {
  std::string bytes = Blocks();
  SECTION("nothing") { bytes.clear(); }
  SECTION("text") { bytes = "some text"; }
  SECTION("a flipped bit") {
    for (size_t i = 0; i < bytes.size(); i += 97) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ 4);
      CheckComesBack(damaged);
    }
  }
  SECTION("an end that was not written") { bytes.resize(bytes.size() - 20); }
  SECTION("something in the padding") {
    StreamBuilder stream;
    stream.Thread(1, 42, "four");
    bytes = stream.bytes();
    bytes.back() = 'x';
  }
  SECTION("a header that is in use where it should not be") { bytes[6] = 1; }
  SECTION("records that end inside of one") {
    StreamBuilder stream;
    std::string payload(sizeof(format::RecordsHeader), '\0');
    payload += testing::Child(3).bytes().substr(0, 24);
    bytes = stream.Block(format::BlockKind::kRecords, payload).bytes();
  }
  SECTION("a block of an unknown kind") {
    StreamBuilder stream;
    bytes = stream.Block(static_cast<format::BlockKind>(4711), "news").bytes();
  }
  CheckComesBack(bytes);
}

TEST_CASE("what stands behind a frame is not looked at") {
  const std::string bytes = Blocks();
  const absl::StatusOr<std::string> unpacked =
      UnpackFrame(PackFrame(bytes, kLevel) + std::string(1000, '\0'), bytes.size());
  REQUIRE(unpacked.ok());
  CHECK(*unpacked == bytes);
}

TEST_CASE("a frame that is cut off is refused") {
  const std::string bytes = Blocks();
  const std::string frame = PackFrame(bytes, kLevel);
  for (size_t size = 0; size < frame.size(); size += 5) {
    CHECK(absl::IsDataLoss(UnpackFrame(frame.substr(0, size), bytes.size()).status()));
  }
}

TEST_CASE("a frame of another size than was packed is refused") {
  const std::string bytes = Blocks();
  const std::string frame = PackFrame(bytes, kLevel);
  for (const size_t size : {size_t{0}, bytes.size() - 8, bytes.size() + 8, kMaxFrameBytes + 8}) {
    CHECK(absl::IsDataLoss(UnpackFrame(frame, size).status()));
  }
}

TEST_CASE("flipped bits give as many bytes as were asked for, or an error") {
  std::mt19937_64 random(GENERATE(range(0, 4)));
  const std::string bytes = Blocks();
  const std::string frame = PackFrame(bytes, kLevel);
  int refused = 0;
  for (int round = 0; round < 500; ++round) {
    std::string damaged = frame;
    damaged[random() % damaged.size()] ^= static_cast<char>(1 << random() % 8);
    const absl::StatusOr<std::string> unpacked = UnpackFrame(damaged, bytes.size());
    if (unpacked.ok()) CHECK(unpacked->size() == bytes.size());
    refused += unpacked.ok() ? 0 : 1;
  }
  CHECK(refused > 250);
}

TEST_CASE("streams that claim to be larger than a frame are not made room for") {
  std::string frame(1, '\1');  // columns
  AppendNumber(&frame, uint64_t{1} << 62);
  AppendNumber(&frame, 3);
  frame += "abc";
  CHECK(absl::IsDataLoss(UnpackFrame(frame, 1000).status()));
}

}  // namespace
}  // namespace autotrace::exporter
