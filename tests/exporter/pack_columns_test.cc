#include "exporter/pack_columns.h"

#include <catch2/catch.hpp>
#include <random>

#include "tests/exporter/small_program.h"
#include "tests/exporter/stream_builder.h"

namespace autotrace::exporter {
namespace {

using testing::Records;
using Random = std::mt19937_64;

struct Block {
  uint32_t thread_index = 1;
  std::string records;
};

size_t SizeOf(const PackColumns& columns) {
  size_t size = 0;
  for (const std::string& column : columns) size += column.size();
  return size;
}

PackColumns ToColumns(const std::vector<Block>& blocks) {
  PackColumnWriter writer;
  for (const Block& block : blocks) REQUIRE(writer.Add(block.thread_index, block.records));
  return writer.columns();
}

void CheckComesBack(const std::vector<Block>& blocks) {
  const PackColumns columns = ToColumns(blocks);
  PackColumnReader reader(columns);
  for (const Block& block : blocks) {
    std::string records;
    REQUIRE(reader.Take(block.thread_index, block.records.size(), &records));
    REQUIRE(records == block.records);
  }
  std::string more;
  CHECK_FALSE(reader.Take(1, format::kSpanBytes, &more));
}

// As a recorder writes them: each function ends after what it called.
Records Tree(int depth, uint64_t* sequence, uint64_t* clock, uint64_t parent,
             Records records = {}) {
  const uint64_t own = ++*sequence;
  const uint64_t start = *clock += 13;
  if (depth > 0) {
    for (int child = 0; child < 3; ++child) {
      records = Tree(depth - 1, sequence, clock, own, std::move(records));
    }
  }
  *clock += 20 + *clock % 7;
  return records.Span({.function = 0x401000 + 0x40 * static_cast<uint64_t>(depth),
                       .start = start,
                       .end = *clock,
                       .sequence = own,
                       .parent = parent,
                       .call_site = 0x402000});
}

TEST_CASE("numbers come back, and one that does not end is refused") {
  for (const uint64_t number : {uint64_t{0}, uint64_t{127}, uint64_t{128}, ~uint64_t{0}}) {
    std::string bytes;
    AppendNumber(&bytes, number);
    std::string_view rest = bytes;
    uint64_t taken = 1;
    REQUIRE(TakeNumber(&rest, &taken));
    CHECK(taken == number);
    CHECK(rest.empty());
    rest = std::string_view(bytes).substr(0, bytes.size() - 1);
    CHECK_FALSE(TakeNumber(&rest, &taken));
  }
  const std::string endless(20, '\xff');
  std::string_view rest = endless;
  uint64_t taken = 0;
  CHECK_FALSE(TakeNumber(&rest, &taken));
}

TEST_CASE("a tree of calls comes back, and takes few bytes a span") {
  uint64_t sequence = 0;
  uint64_t clock = 1'000'000;
  const Records records = Tree(7, &sequence, &clock, 0);
  const std::vector<Block> blocks = {{1, records.bytes()}};
  CheckComesBack(blocks);
  CHECK(SizeOf(ToColumns(blocks)) < 8 * sequence);
}

TEST_CASE("every kind of record and every flag comes back") {
  Records records;
  records.TraceBegin({.function = 0x1100, .start = 5, .root_sequence = 1, .trace_id = {7, 8}});
  records.Name(2, "by hand").StringAttribute(2, "key", "value").Stack(2, {0x1101, 0x1202});
  for (int bit = 0; bit < 12; ++bit) {
    records.Span({.start = 20,
                  .end = 25,
                  .sequence = 2,
                  .parent = 1,
                  .flags = static_cast<uint16_t>(1 << bit)});
  }
  records.RawSpan({.function = 0x1100, .start = 5, .sequence = 1}, format::kMaxDuration);
  records.Word(format::HeadWord(format::RecordKind::kEndOfChunk, 0, 0));
  CheckComesBack({{1, records.bytes()}});
}

TEST_CASE("spans that nothing lets one expect come back") {
  Random random(GENERATE(range(0, 6)));
  // Few values and many, so that what was expected comes and does not come.
  const auto field = [&](uint64_t most) {
    return random() % 2 == 0 ? random() % 5 : random() % most & format::kMask48;
  };
  std::vector<Block> blocks;
  for (int number = 0; number < 40; ++number) {
    Records records;
    for (uint64_t span = random() % 50; span > 0; --span) {
      const uint64_t all = format::kMask48 + 1;
      records.RawSpan({.function = field(all),
                       .start = field(all),
                       .sequence = field(all),
                       .parent = field(all),
                       .call_site = field(all),
                       .flags = static_cast<uint16_t>(random() & 0xfff)},
                      field(all));
    }
    blocks.push_back({static_cast<uint32_t>(random() % 4), records.bytes()});
  }
  CheckComesBack(blocks);
}

TEST_CASE("what is no record is refused") {
  const std::string span = testing::Child(3).bytes();
  PackColumnWriter writer;
  SECTION("half of one") { CHECK_FALSE(writer.Add(1, std::string_view(span).substr(0, 24))); }
  SECTION("half a word") { CHECK_FALSE(writer.Add(1, std::string_view(span).substr(0, 4))); }
  SECTION("nothing was written there") { CHECK_FALSE(writer.Add(1, std::string(32, '\0'))); }
  SECTION("an unknown kind") { CHECK_FALSE(writer.Add(1, std::string(32, '\xff'))); }
  SECTION("bits in use that have no meaning") {
    Records records;
    records.Span({.function = 1, .start = 5, .end = 6, .sequence = 1, .call_site = 9});
    std::string bytes = records.bytes();
    bytes[32] = 1;
    CHECK_FALSE(writer.Add(1, bytes));
  }
}

TEST_CASE("columns that are too short, or of anything, give no more records than asked for") {
  Random random(GENERATE(range(0, 4)));
  uint64_t sequence = 0;
  uint64_t clock = 5;
  const Records records = Tree(4, &sequence, &clock, 0);
  const PackColumns columns = ToColumns({{1, records.bytes()}});
  for (int round = 0; round < 500; ++round) {
    PackColumns damaged = columns;
    const size_t which = random() % kPackColumns;
    std::string& column = damaged[which];
    if (column.empty()) continue;
    const bool is_cut = round % 2 == 0;
    if (is_cut) {
      column.resize(random() % column.size());
    } else {
      column[random() % column.size()] ^= static_cast<char>(1 << random() % 8);
    }
    PackColumnReader reader(damaged);
    std::string taken;
    const bool is_taken = reader.Take(1, records.bytes().size(), &taken);
    CHECK((!is_taken || taken.size() == records.bytes().size()));
    if (is_cut) CHECK((!is_taken || taken != records.bytes()));
  }
}

}  // namespace
}  // namespace autotrace::exporter
