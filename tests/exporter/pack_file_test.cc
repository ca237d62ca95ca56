// The container: pack_writer.h, pack_scanner.h and pack_reader.h together.
#include <catch2/catch.hpp>
#include <map>
#include <random>

#include "exporter/block_parser.h"
#include "exporter/pack_reader.h"
#include "runtime/block_stream.h"
#include "tests/exporter/pack_builder.h"
#include "tests/exporter/small_program.h"
#include "tests/support/test_files.h"

namespace autotrace::exporter {
namespace {

using test::TemporaryFolder;
using testing::Files;
using testing::Preamble;
using testing::StreamBuilder;
using testing::WithChildren;

constexpr char kRunName[] = "20260801-142233.123456-4711";
constexpr char kSegment[] = "4711-00c0ffee00c0ffee.000000.seg";
constexpr char kSummary[] = "4711-00c0ffee00c0ffee.summary";

std::string SegmentOf(int blocks, uint64_t spans_each = 100) {
  StreamBuilder stream = Preamble({});
  for (int i = 0; i < blocks; ++i) {
    stream.Add(1, WithChildren({}, 2 + i * spans_each, spans_each), 1'000'000'000);
  }
  return stream.End(1'000'000'000, testing::kEpoch).Segment(0);
}

Files SmallFiles() { return {{kSegment, SegmentOf(10)}, {kSummary, "1000 spans, none dropped\n"}}; }

std::string Pack(const Files& files) { return testing::MakePack(files, kRunName); }

std::string Contents(const PackReader& pack, const std::string& name) {
  absl::StatusOr<std::unique_ptr<ByteSource>> source = pack.OpenMember(name);
  REQUIRE(source.ok());
  std::string bytes((*source)->size(), '\0');
  REQUIRE((*source)->ReadAt(0, bytes.data(), bytes.size(), bytes.size()) == bytes.size());
  return bytes;
}

absl::StatusOr<std::shared_ptr<const PackReader>> Open(const TemporaryFolder& folder,
                                                       const std::string& bytes) {
  return PackReader::Open(folder.Write("pack", bytes));
}

// The spans that a segment's blocks hold, as far as they are whole.
std::string Records(const std::string& segment) {
  std::string records;
  BlockParser parser(std::string_view(segment).substr(sizeof(format::SegmentHeader)));
  for (Block block; parser.Next(&block);) {
    if (block.kind == static_cast<uint16_t>(format::BlockKind::kRecords)) records += block.payload;
  }
  return records;
}

TEST_CASE("files come back byte for byte, with the run's name") {
  const TemporaryFolder folder;
  Files files = SmallFiles();
  files["4712-00c0ffee00c0ffef.000000.seg"] = SegmentOf(3);
  files["4712-00c0ffee00c0ffef.sent"] = std::string(96, '\7');
  files["4712-00c0ffee00c0ffef.summary"] = "";
  const auto pack = Open(folder, Pack(files));
  REQUIRE(pack.ok());
  CHECK((*pack)->run_name() == kRunName);
  CHECK((*pack)->damage().empty());
  REQUIRE((*pack)->members().size() == files.size());
  for (const auto& [name, content] : files) CHECK(Contents(**pack, name) == content);
  CHECK(absl::IsNotFound((*pack)->OpenMember("4711-00c0ffee00c0ffee.000001.seg").status()));
}

TEST_CASE("a large segment is cut between blocks, with small frames at both ends") {
  const TemporaryFolder folder;
  const Files files = {{kSegment, SegmentOf(700, 1000)}};  // 22 MB
  const auto pack = Open(folder, Pack(files));
  REQUIRE(pack.ok());
  const PackMember& member = (*pack)->members().at(kSegment);
  REQUIRE(member.frames.size() >= 4);
  CHECK(member.frames.front().header.size < 2000);
  CHECK(member.frames.back().header.size < 40'000);
  for (const PackedFrame& frame : member.frames) CHECK(frame.header.size <= kMaxFrameBytes);
  CHECK(Contents(**pack, kSegment) == files.at(kSegment));
  CHECK((*pack)->bytes() < files.at(kSegment).size() / 20);
}

TEST_CASE("a source gives at once what is unpacked, and not more than was asked for") {
  const TemporaryFolder folder;
  const Files files = {{kSegment, SegmentOf(10)}};
  const auto pack = Open(folder, Pack(files));
  REQUIRE(pack.ok());
  const size_t first = (*pack)->members().at(kSegment).frames.front().header.size;
  absl::StatusOr<std::unique_ptr<ByteSource>> source = (*pack)->OpenMember(kSegment);
  REQUIRE(source.ok());
  std::string bytes(files.at(kSegment).size(), '\0');
  CHECK((*source)->ReadAt(0, bytes.data(), 8, bytes.size()) == first);
  CHECK((*source)->ReadAt(0, bytes.data(), 8, 10) == 10);
  CHECK((*source)->ReadAt(first - 4, bytes.data(), 8, 10) == 10);  // across two frames
  CHECK(bytes.substr(0, 10) == files.at(kSegment).substr(first - 4, 10));
  CHECK((*source)->ReadAt((*source)->size() - 3, bytes.data(), 8, 10) == 3);
  CHECK((*source)->ReadAt((*source)->size() + 3, bytes.data(), 8, 10) == 0);
}

TEST_CASE("damaged segments come back as they are") {
  const TemporaryFolder folder;
  std::string segment = SegmentOf(20);
  SECTION("cut off") { segment.resize(segment.size() - 50); }
  SECTION("without a header") { segment.erase(0, 32); }
  SECTION("empty") { segment.clear(); }
  SECTION("damaged in places") {
    for (size_t at = 100; at < segment.size(); at += 1000) segment[at] = '\1';
  }
  SECTION("with bytes between blocks") { segment.insert(2000, std::string(4001, 'x')); }
  const auto pack = Open(folder, Pack({{kSegment, segment}}));
  REQUIRE(pack.ok());
  CHECK((*pack)->damage().empty());
  CHECK(Contents(**pack, kSegment) == segment);
}

TEST_CASE("a pack that is cut off anywhere gives what is whole, and says so") {
  const TemporaryFolder folder;
  const Files files = SmallFiles();
  const std::string bytes = Pack(files);
  const std::string all = Records(files.at(kSegment));
  for (size_t size = sizeof(PackHeader); size < bytes.size(); size += 7) {
    const auto pack = Open(folder, bytes.substr(0, size));
    REQUIRE(pack.ok());
    CHECK_THAT((*pack)->damage(), Catch::Contains("what is whole is read"));
    if ((*pack)->members().count(kSegment) == 0) continue;
    const std::string segment = Contents(**pack, kSegment);
    CHECK(files.at(kSegment).starts_with(segment));
  }
  // Without the directory everything else is there.
  const auto pack = Open(folder, bytes.substr(0, bytes.size() - 8));
  REQUIRE(pack.ok());
  CHECK(Records(Contents(**pack, kSegment)) == all);
}

TEST_CASE("a flipped bit costs the frame that it is in and no other") {
  const TemporaryFolder folder;
  Files files = SmallFiles();
  files["4712-00c0ffee00c0ffef.000000.seg"] = SegmentOf(3);
  const std::string bytes = Pack(files);
  const auto whole = Open(folder, bytes);
  REQUIRE(whole.ok());
  std::map<std::string, size_t> frames;
  for (const auto& [name, member] : (*whole)->members()) frames[name] = member.frames.size();
  for (size_t at = sizeof(PackHeader); at < bytes.size(); at += 3) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 16);
    const auto pack = Open(folder, damaged);
    REQUIRE(pack.ok());
    size_t different = 0;
    for (const auto& [name, content] : files) {
      if ((*pack)->members().count(name) == 0 || Contents(**pack, name) != content) ++different;
    }
    CHECK(different <= 1);
  }
}

TEST_CASE("a lost frame in the middle reads as zeros, and what follows is in its place") {
  const TemporaryFolder folder;
  const Files files = {{kSegment, SegmentOf(700, 1000)}};
  std::string bytes = Pack(files);
  auto pack = Open(folder, bytes);
  REQUIRE(pack.ok());
  const std::vector<PackedFrame> frames = (*pack)->members().at(kSegment).frames;
  const FrameHeader lost = frames[1].header;
  std::string expected = files.at(kSegment);
  expected.replace(lost.offset, lost.size, lost.size, '\0');
  SECTION("its header") { bytes[frames[1].place - 40] ^= 1; }
  SECTION("its bytes") { bytes[frames[1].place + 100] ^= 1; }
  pack = Open(folder, bytes);
  REQUIRE(pack.ok());
  CHECK(Contents(**pack, kSegment) == expected);
}

// Changes one header of a pack and puts its checksum right.
template <typename Change>
std::string WithHeader(std::string bytes, const PackedFrame& frame, size_t name_size,
                       Change change) {
  const size_t begin = frame.place - PadTo8(sizeof(FrameHeader) + name_size);
  FrameHeader header;
  memcpy(&header, bytes.data() + begin, sizeof(header));
  change(&header, bytes.data() + begin + sizeof(header));
  memcpy(bytes.data() + begin, &header, sizeof(header));
  constexpr size_t kChecked = offsetof(FrameHeader, kind);
  header.header_crc32c =
      Crc32c(bytes.data() + begin + kChecked, sizeof(header) + header.name_size - kChecked);
  memcpy(bytes.data() + begin, &header, sizeof(header));
  return bytes;
}

TEST_CASE("frames that no writer makes are left out") {
  const TemporaryFolder folder;
  const Files files = SmallFiles();
  const std::string bytes = Pack(files);
  const auto whole = Open(folder, bytes);
  REQUIRE(whole.ok());
  const PackMember& member = (*whole)->members().at(kSegment);
  const auto change_last = [&](auto change) {
    return WithHeader(bytes, member.frames.back(), strlen(kSegment), change);
  };
  const uint64_t first_size = member.frames.front().header.size;
  std::string hostile;
  SECTION("a path") {
    hostile = change_last(
        [](FrameHeader*, char* name) { std::string_view("../../etc/x").copy(name, 11); });
  }
  SECTION("the name of another file") {
    hostile =
        change_last([](FrameHeader*, char* name) { std::string_view("notes.txt").copy(name, 9); });
  }
  SECTION("bytes that were there before") {
    hostile = change_last([](FrameHeader* header, char*) { header->offset = 8; });
  }
  SECTION("bytes far beyond those before") {
    hostile = change_last([](FrameHeader* header, char*) { header->offset = uint64_t{1} << 60; });
  }
  SECTION("an end beyond all numbers") {
    hostile = change_last([](FrameHeader* header, char*) { header->offset = ~uint64_t{0} - 4; });
  }
  SECTION("more bytes than a frame may hold") {
    hostile = change_last([](FrameHeader* header, char*) { header->size = kMaxFrameBytes + 1; });
  }
  SECTION("more bytes than so few can be unpacked to") {
    hostile = change_last([](FrameHeader* header, char*) {
      header->size = static_cast<uint32_t>((header->packed_size + 1) * kMostPacking);
    });
  }
  SECTION("more packed bytes than there are") {
    hostile = change_last([](FrameHeader* header, char*) { header->packed_size = 0x7fffffff; });
  }
  SECTION("no bytes") {
    hostile = change_last([](FrameHeader* header, char*) { header->size = 0; });
  }
  const auto pack = Open(folder, hostile);
  REQUIRE(pack.ok());
  CHECK_FALSE((*pack)->damage().empty());
  CHECK((*pack)->members().size() == 2);
  CHECK(Contents(**pack, kSummary) == files.at(kSummary));
  // The directory says how long it was.
  const std::string segment = Contents(**pack, kSegment);
  CHECK(segment.size() == files.at(kSegment).size());
  CHECK(segment.substr(0, first_size) == files.at(kSegment).substr(0, first_size));
  CHECK(segment.find_first_not_of('\0', first_size) == std::string::npos);
}

TEST_CASE("a frame of a kind that this reader does not know is passed over") {
  const TemporaryFolder folder;
  const std::string bytes = Pack(SmallFiles());
  const auto whole = Open(folder, bytes);
  REQUIRE(whole.ok());
  const PackedFrame& summary = (*whole)->members().at(kSummary).frames.front();
  const auto pack = Open(folder, WithHeader(bytes, summary, strlen(kSummary),
                                            [](FrameHeader* header, char*) { header->kind = 77; }));
  REQUIRE(pack.ok());
  CHECK((*pack)->members().count(kSegment) == 1);
  CHECK((*pack)->members().count(kSummary) == 0);
}

TEST_CASE("what is no pack, or a later one, is refused with its name") {
  const TemporaryFolder folder;
  std::string bytes = Pack(SmallFiles());
  auto code = absl::StatusCode::kInvalidArgument;
  SECTION("nothing") { bytes.clear(); }
  SECTION("text") { bytes = "This is a file of somebody else's."; }
  SECTION("a version that comes one day") {
    bytes[8] = 99;
    code = absl::StatusCode::kFailedPrecondition;
  }
  const auto pack = Open(folder, bytes);
  CHECK(pack.status().code() == code);
  CHECK_THAT(std::string(pack.status().message()), Catch::Contains(folder / "pack"));
}

TEST_CASE("a pack that was replaced is not mixed with the one before") {
  const TemporaryFolder folder;
  const auto pack = Open(folder, Pack(SmallFiles()));
  REQUIRE(pack.ok());
  std::filesystem::rename(folder / "pack", folder / "old");
  folder.Write("pack", test::ReadFile(folder / "old"));
  CHECK(absl::IsNotFound((*pack)->OpenMember(kSegment).status()));
}

TEST_CASE("a pack of flipped bits is read without harm") {
  std::mt19937_64 random(GENERATE(range(0, 4)));
  const TemporaryFolder folder;
  const std::string bytes = Pack(SmallFiles());
  for (int round = 0; round < 200; ++round) {
    std::string damaged = bytes;
    for (uint64_t i = random() % 20; i > 0; --i) {
      damaged[random() % damaged.size()] ^= static_cast<char>(1 << random() % 8);
    }
    const auto pack = Open(folder, damaged);
    if (!pack.ok()) continue;
    for (const auto& [name, member] : (*pack)->members()) {
      CHECK(Contents(**pack, name).size() == member.size);
    }
  }
}

}  // namespace
}  // namespace autotrace::exporter
