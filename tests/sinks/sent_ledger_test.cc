// From counts of spans that were sent to places in segment files.
#include "exporter/sinks/sent_ledger.h"

#include <catch2/catch.hpp>
#include <random>
#include <utility>
#include <vector>

namespace autotrace::exporter {
namespace {

void Add(SentLedger* ledger, uint64_t begin, uint64_t end, int spans) {
  ledger->Begin(begin, true);
  for (int i = 0; i < spans; ++i) ledger->AddSpan();
  ledger->End(end);
}

TEST_CASE("a block is sent when all of its spans are, and those of the blocks before") {
  SentLedger ledger;
  Add(&ledger, 100, 200, 3);
  Add(&ledger, 200, 300, 2);
  CHECK(ledger.MarkOf(0) == SentMark{0, 0});
  CHECK(ledger.MarkOf(1) == SentMark{100, 1});
  CHECK(ledger.MarkOf(2) == SentMark{100, 2});
  CHECK(ledger.MarkOf(3) == SentMark{200, 0});
  CHECK(ledger.MarkOf(4) == SentMark{200, 1});
  CHECK(ledger.MarkOf(5) == SentMark{300, 0});
}

TEST_CASE("spans of a block that is still being handed in count from its beginning") {
  SentLedger ledger;
  Add(&ledger, 100, 200, 1);
  ledger.Begin(200, true);
  ledger.AddSpan();
  ledger.AddSpan();
  CHECK(ledger.MarkOf(1) == SentMark{200, 0});
  CHECK(ledger.MarkOf(3) == SentMark{200, 2});
  ledger.End(300);
  CHECK(ledger.MarkOf(3) == SentMark{300, 0});
}

TEST_CASE("blocks without spans are sent with the one before them") {
  SentLedger ledger;
  Add(&ledger, 100, 200, 0);
  Add(&ledger, 200, 300, 0);
  CHECK(ledger.MarkOf(0) == SentMark{300, 0});
  Add(&ledger, 300, 400, 1);
  Add(&ledger, 400, 500, 0);
  CHECK(ledger.MarkOf(0) == SentMark{300, 0});
  CHECK(ledger.MarkOf(1) == SentMark{500, 0});
}

TEST_CASE("spans of a block that somebody else sent before are counted") {
  SentLedger ledger;
  ledger.Begin(100, true, 7);
  ledger.AddSpan();
  ledger.AddSpan();
  ledger.End(200);
  CHECK(ledger.MarkOf(1) == SentMark{100, 8});
  CHECK(ledger.MarkOf(2) == SentMark{200, 0});
}

TEST_CASE("blocks that stand in no file do not move the mark") {
  SentLedger ledger;
  Add(&ledger, 100, 200, 2);
  ledger.Begin(0, false);
  ledger.AddSpan();
  ledger.AddSpan();
  ledger.End(0);
  Add(&ledger, 200, 300, 2);
  CHECK(ledger.MarkOf(2) == SentMark{200, 0});
  CHECK(ledger.MarkOf(3) == SentMark{200, 0});
  CHECK(ledger.MarkOf(5) == SentMark{200, 1});
  CHECK(ledger.MarkOf(6) == SentMark{300, 0});
}

TEST_CASE("whatever the sizes and the progress, the mark names exactly the spans that are done") {
  std::mt19937 random(GENERATE(range(1u, 20u)));
  SentLedger ledger;
  std::vector<std::pair<uint64_t, uint64_t>> spans;  // block begin, number in it; in order
  std::vector<uint64_t> ends;                        // of each span's block
  uint64_t position = 8;
  uint64_t done = 0;
  for (int block = 0; block < 300; ++block) {
    const uint64_t begin = position;
    position += 8 + random() % 100;
    const uint64_t count = random() % 4 == 0 ? 0 : random() % 5;
    ledger.Begin(begin, true);
    for (uint64_t i = 0; i < count; ++i) {
      ledger.AddSpan();
      spans.emplace_back(begin, i);
      ends.push_back(position);
    }
    ledger.End(position);
    done += random() % (ledger.total() - done + 1);
    const SentMark mark = ledger.MarkOf(done);
    for (size_t i = 0; i < spans.size(); ++i) {
      const bool named = ends[i] <= mark.position ||
                         (spans[i].first == mark.position && spans[i].second < mark.spans);
      REQUIRE(named == (i < done));
    }
  }
}

}  // namespace
}  // namespace autotrace::exporter
