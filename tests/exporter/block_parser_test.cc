#include "exporter/block_parser.h"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "exporter/file_access.h"
#include "runtime/block_stream.h"
#include "tests/support/test_files.h"

namespace autotrace::exporter {
namespace {

using format::BlockKind;

struct Parsed {
  std::vector<std::string> payloads;
  std::vector<Damage> damage;
  uint64_t truncated = 0;
};

Parsed Drain(BlockParser& parser) {
  Parsed parsed;
  for (Block block; parser.Next(&block);) parsed.payloads.emplace_back(block.payload);
  parsed.damage = parser.damage();
  parsed.truncated = parser.truncated_bytes();
  return parsed;
}

Parsed ParseBytes(const std::string& bytes) {
  BlockParser parser{std::string_view(bytes)};
  return Drain(parser);
}

// Reads through a file; both ways must see the same.
Parsed ParseFile(const std::string& bytes) {
  const test::TemporaryFolder folder;
  absl::StatusOr<OpenedFile> file = OpenForReading(folder.Write("stream", bytes));
  REQUIRE(file.ok());
  FileSource source(*std::move(file));
  BlockParser parser(&source, 0, source.size());
  return Drain(parser);
}

Parsed Parse(const std::string& bytes) {
  Parsed from_memory = ParseBytes(bytes);
  const Parsed from_file = ParseFile(bytes);
  CHECK(from_file.payloads == from_memory.payloads);
  CHECK(from_file.damage.size() == from_memory.damage.size());
  CHECK(from_file.truncated == from_memory.truncated);
  return from_memory;
}

std::string Stream(const std::vector<std::string>& payloads) {
  std::string bytes;
  for (const std::string& payload : payloads) AppendBlock(&bytes, BlockKind::kRecords, payload);
  return bytes;
}

using Payloads = std::vector<std::string>;

TEST_CASE("blocks of any size come out in order") {
  const Payloads payloads = {"", "a", "12345678", std::string(3'000'000, 'x'), "last"};
  const Parsed parsed = Parse(Stream(payloads));
  CHECK(parsed.payloads == payloads);
  CHECK(parsed.damage.empty());
  CHECK(parsed.truncated == 0);
}

TEST_CASE("a block with a flipped bit is skipped and the next one is found") {
  std::string bytes = Stream({"first", "second", "third"});
  const size_t second = Stream({"first"}).size();
  SECTION("in the payload") { bytes[second + sizeof(format::BlockHeader)] ^= 1; }
  SECTION("in the magic") { bytes[second] ^= 0x40; }
  SECTION("in the checksum") { bytes[second + 12] ^= 1; }
  SECTION("in the size, within the stream") { bytes[second + 8] ^= 1; }
  SECTION("in the size, beyond the stream") { bytes[second + 10] ^= 1; }
  SECTION("in the size, beyond what is allowed") { bytes[second + 11] ^= 0x40; }
  const Parsed parsed = Parse(bytes);
  CHECK(parsed.payloads == Payloads{"first", "third"});
  REQUIRE(parsed.damage.size() == 1);
  CHECK(parsed.damage[0].offset == second);
  CHECK(parsed.damage[0].size == Stream({"second"}).size());
  CHECK(parsed.truncated == 0);
}

TEST_CASE("a stream cut off anywhere in its last block is truncated, not damaged") {
  const std::string whole = Stream({"first", "the second block"});
  const size_t second = Stream({"first"}).size();
  for (size_t size = second + 1; size < whole.size(); ++size) {
    const Parsed parsed = ParseBytes(whole.substr(0, size));
    INFO("cut at " << size);
    CHECK(parsed.payloads == Payloads{"first"});
    CHECK(parsed.damage.empty());
    CHECK(parsed.truncated == size - second);
  }
}

TEST_CASE("the last block counts when only its padding is missing") {
  const std::string whole = Stream({"abc"});
  const Parsed parsed = Parse(whole.substr(0, whole.size() - 5));
  CHECK(parsed.payloads == Payloads{"abc"});
  CHECK(parsed.truncated == 0);
}

TEST_CASE("garbage is damage, also without any block after it") {
  const Parsed parsed = Parse(Stream({"first"}) + std::string(100'000, 'z'));
  CHECK(parsed.payloads == Payloads{"first"});
  REQUIRE(parsed.damage.size() == 1);
  CHECK(parsed.damage[0].size == 100'000);
}

TEST_CASE("a block is found behind more damage than is read at a time") {
  const Parsed parsed = Parse(std::string(5 << 20, '\0') + Stream({"late"}));
  CHECK(parsed.payloads == Payloads{"late"});
  REQUIRE(parsed.damage.size() == 1);
  CHECK(parsed.damage[0].size == 5 << 20);
}

TEST_CASE("a stream of headers that promise megabytes is given up in bounded time") {
  format::BlockHeader header = {format::kBlockMagic, 6, 0, 1 << 20, 0xdead};
  std::string bytes;
  for (int i = 0; i < 200'000; ++i) AppendStruct(&bytes, header);
  const Parsed parsed = Parse(bytes);  // 3 MB; every header would checksum 1 MB
  CHECK(parsed.payloads.empty());
  CHECK(parsed.damage.size() == 1);
}

TEST_CASE("a file that shrinks while it is read ends where it ends") {
  const test::TemporaryFolder folder;
  const std::string payload(2'000'000, 'x');
  const std::string path = folder.Write("stream", Stream({payload, payload, payload}));
  absl::StatusOr<OpenedFile> file = OpenForReading(path);
  REQUIRE(file.ok());
  FileSource source(*std::move(file));
  BlockParser parser(&source, 0, source.size());
  Block block;
  REQUIRE(parser.Next(&block));
  REQUIRE(truncate(path.c_str(), 100) == 0);
  int more = 0;
  while (parser.Next(&block)) ++more;
  CHECK(more <= 1);  // what was read ahead
}

TEST_CASE("pipes, folders and symbolic links are not opened") {
  const test::TemporaryFolder folder;
  const std::string pipe = folder.path() + "/pipe";
  const std::string link = folder.path() + "/link";
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  REQUIRE(symlink(folder.Write("file", "x").c_str(), link.c_str()) == 0);
  CHECK_FALSE(OpenForReading(pipe).ok());
  CHECK_FALSE(OpenForReading(link).ok());
  CHECK_FALSE(OpenForReading(folder.path()).ok());
  CHECK(OpenForReading(folder.path() + "/file").ok());
}

}  // namespace
}  // namespace autotrace::exporter
