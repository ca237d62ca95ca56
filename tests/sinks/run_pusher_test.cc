// Sending what processes left: from where it was, in order, each span once.
#include "exporter/sinks/run_pusher.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "exporter/block_parser.h"
#include "exporter/thread_traces.h"
#include "exporter/unsent_reader.h"
#include "tests/exporter/recorded_run.h"
#include "tests/exporter/small_program.h"
#include "tests/sinks/fake_transport.h"

namespace autotrace::exporter {
namespace {

using testing::Begin;
using testing::Child;
using testing::kLoad;
using testing::kRun;
using testing::MakeFrame;
using testing::Preamble;
using testing::ProcessFields;
using testing::RecordedRun;
using testing::Records;
using testing::StreamBuilder;
using testing::WithChildren;

constexpr uint64_t kNow = 999;

// One dead process in a run, and an endpoint.
struct Fixture {
  RecordedRun recorded;
  test::Endpoint endpoint;
  BatchSenderOptions sender;
  ProcessFields fields;

  Fixture() {
    sender.first_backoff = std::chrono::milliseconds(1);
    sender.batch.max_spans = 1;
  }

  void AddSegment(const StreamBuilder& stream, uint32_t index) {
    recorded.AddSegment(stream, index);
  }
  std::string SentPath() const {
    const std::string path = recorded.SegmentPath(fields, 0);
    return path.substr(0, path.find(".000000")) + ".sent";
  }
  void SetSent(const SentState& state, bool is_spool = true) const {
    std::filesystem::remove(SentPath());
    SentFile file;
    const int folder = open(recorded.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    REQUIRE(file.Create(folder, SentPath(), fields.process_key, is_spool, state));
    close(folder);
  }
  SentState Sent() const {
    SentFileContent content;
    REQUIRE(ParseSentFile(test::ReadFile(SentPath()), fields.process_key, &content));
    return content.state;
  }
  absl::StatusOr<PushResult> Push(bool from_the_start = false) {
    const absl::StatusOr<Run> run = recorded.Find();
    REQUIRE(run.ok());
    PushOptions options;
    options.sender = sender;
    options.from_the_start = from_the_start;
    options.connect = [this]() -> absl::StatusOr<std::unique_ptr<OtlpTransport>> {
      return std::unique_ptr<OtlpTransport>(new test::FakeTransport(&endpoint));
    };
    ModuleFiles modules(/*source_locations=*/false);
    return PushProcess(run->processes.at(0), &modules, options);
  }
  // The sequences of the spans that arrived, in order, out of 1 to 99.
  std::vector<uint64_t> Arrived() const {
    std::vector<uint64_t> sequences;
    for (const std::string& body : endpoint.bodies) {
      for (uint64_t sequence = 1; sequence < 100; ++sequence) {
        // OTLP's field 2 of 8 bytes: the span's own id, not its parent's.
        const SpanId id = MakeSpanId(SpanIdOf(fields.secret, sequence));
        if (body.find("\x12\x08" + std::string(id.bytes.begin(), id.bytes.end())) !=
            std::string::npos) {
          sequences.push_back(sequence);
        }
      }
    }
    return sequences;
  }
  bool ArrivedWith(std::string_view text) const {
    return std::any_of(endpoint.bodies.begin(), endpoint.bodies.end(),
                       [&](const auto& body) { return body.find(text) != std::string::npos; });
  }
};

// Where the blocks of a segment begin; the end of the last one at the end.
std::vector<uint64_t> Positions(const StreamBuilder& stream, uint32_t index) {
  std::vector<uint64_t> positions;
  const std::string bytes = stream.Segment(index);
  BlockParser parser(std::string_view(bytes).substr(sizeof(format::SegmentHeader)));
  uint64_t end = 0;
  for (Block block; parser.Next(&block);) {
    positions.push_back(format::Position(index, sizeof(format::SegmentHeader) + block.offset));
    end = format::Position(index, sizeof(format::SegmentHeader) + block.end);
  }
  positions.push_back(end);
  return positions;
}

using Sequences = std::vector<uint64_t>;

TEST_CASE("a spool is sent in order, what was open as unfinished, and is gone then") {
  Fixture fixture;
  fixture.AddSegment(Preamble(fixture.fields).Add(1, WithChildren(Begin(), 2, 3), kNow), 0);
  fixture.AddSegment(Preamble(fixture.fields).State(1, Begin(), true).Add(1, Child(5), kNow), 1);
  fixture.SetSent({});
  const auto result = fixture.Push();
  REQUIRE(result.ok());
  CHECK(result->complete);
  CHECK(result->sent == 5);
  CHECK(result->warnings.empty());
  CHECK(fixture.Arrived() == Sequences{2, 3, 4, 5, 1});
  CHECK(fixture.ArrivedWith("autotrace.unfinished"));
  CHECK(std::filesystem::is_empty(fixture.recorded.path()));
}

TEST_CASE("a recording stays, and is not sent twice unless that is asked for") {
  Fixture fixture;
  fixture.AddSegment(Preamble(fixture.fields).Add(1, WithChildren(Begin(), 2, 3), kNow), 0);
  CHECK(fixture.Push()->sent == 4);
  CHECK(fixture.Sent().all);
  CHECK(fixture.Push()->complete);
  CHECK(fixture.Push()->sent == 0);
  CHECK(fixture.endpoint.bodies.size() == 4);
  CHECK(fixture.Push(/*from_the_start=*/true)->sent == 4);
  CHECK(fixture.endpoint.bodies.size() == 8);
  CHECK(std::filesystem::exists(fixture.recorded.SegmentPath(fixture.fields, 0)));
}

TEST_CASE("it goes on where it was, from whatever span") {
  StreamBuilder stream = Preamble(ProcessFields());
  stream.Add(1, WithChildren(Begin(), 2, 2), kNow).Add(1, WithChildren({}, 4, 3), kNow);
  const std::vector<uint64_t> at = Positions(stream, 0);
  const uint64_t first = at[at.size() - 3];
  const uint64_t second = at[at.size() - 2];
  const uint64_t end = at[at.size() - 1];
  const std::vector<std::pair<SentState, Sequences>> cases = {
      {{first, 0, false}, {2, 3, 4, 5, 6, 1}},
      {{first, 1, false}, {3, 4, 5, 6, 1}},
      {{second, 0, false}, {4, 5, 6, 1}},
      {{second, 2, false}, {6, 1}},
      {{end, 0, false}, {1}},
  };
  for (const auto& [state, expected] : cases) {
    Fixture fixture;
    fixture.AddSegment(stream, 0);
    fixture.SetSent(state);
    REQUIRE(fixture.Push().ok());
    CHECK(fixture.Arrived() == expected);
  }
}

TEST_CASE("a push that ends early says how far it came, and the next one sends the rest") {
  Fixture fixture;
  fixture.sender.stop_when_refused = true;
  fixture.AddSegment(Preamble(fixture.fields)
                         .Add(1, WithChildren(Begin(), 2, 20), kNow)
                         .Add(1, WithChildren({}, 22, 20), kNow),
                     0);
  fixture.SetSent({});
  const int arrives = GENERATE(0, 1, 7, 20, 27, 40);
  fixture.endpoint.first_answers.assign(static_cast<size_t>(arrives),
                                        {SendOutcome::kAccepted, 200, 0, ""});
  fixture.endpoint.answer = {SendOutcome::kHttpStatus, 401, 0, ""};
  const auto failed = fixture.Push();
  REQUIRE(failed.ok());
  CHECK_FALSE(failed->complete);
  CHECK(failed->sent == static_cast<uint64_t>(arrives));
  CHECK(failed->rejected == 0);
  fixture.endpoint.answer = {SendOutcome::kAccepted, 200, 0, ""};
  CHECK(fixture.Push()->complete);
  Sequences all;
  for (uint64_t sequence = 2; sequence < 42; ++sequence) all.push_back(sequence);
  all.push_back(1);
  CHECK(fixture.Arrived() == all);
}

TEST_CASE("failures that may pass are waited for") {
  Fixture fixture;
  fixture.AddSegment(Preamble(fixture.fields).Add(1, WithChildren(Begin(), 2, 3), kNow), 0);
  fixture.SetSent({});
  fixture.endpoint.first_answers = {{SendOutcome::kCannotConnect, 0, 0, ""},
                                    {SendOutcome::kHttpStatus, 503, 0, ""}};
  CHECK(fixture.Push()->complete);
  CHECK(fixture.Arrived() == Sequences{2, 3, 4, 1});
}

TEST_CASE("what was sent before tells where the rest belongs") {
  Fixture fixture;
  Records records = WithChildren(Begin(), 2, 1);
  records.Name(9, "the name");
  StreamBuilder stream = Preamble(fixture.fields);
  stream.Add(1, records, kNow);
  const uint64_t sent = Positions(stream, 0).back();
  Records rest;
  rest.Span({.start = 30, .end = 40, .sequence = 9, .parent = 1, .flags = format::kSpanManual});
  fixture.AddSegment(stream.Add(1, rest, kNow), 0);
  fixture.SetSent({sent, 0, false});
  REQUIRE(fixture.Push().ok());
  CHECK(fixture.Arrived() == Sequences{9, 1});
  CHECK(fixture.ArrivedWith("the name"));
  const TraceId trace = TraceOfRoot(fixture.fields.secret, 1);
  CHECK(fixture.endpoint.bodies[0].find(std::string(trace.bytes.begin(), trace.bytes.end())) !=
        std::string::npos);
}

TEST_CASE("a parent that was open is sent, though its children were sent before") {
  Fixture fixture;
  Records records = Begin();
  records.Span({.function = kLoad, .start = 20, .end = 30, .sequence = 3, .parent = 2});
  StreamBuilder stream = Preamble(fixture.fields);
  stream.Add(1, records, kNow);
  const uint64_t sent = Positions(stream, 0).back();
  SECTION("known from the copy of open calls") {
    stream.OpenFrames(1, 100, {MakeFrame(kRun, 5, 1), MakeFrame(kLoad, 10, 2)});
  }
  SECTION("opened after the last copy") {}
  fixture.AddSegment(stream, 0);
  fixture.SetSent({sent, 0, false});
  REQUIRE(fixture.Push().ok());
  CHECK(fixture.Arrived() == Sequences{1, 2});
}

TEST_CASE("a parent that was sent before is not missing") {
  Fixture fixture;
  Records first = Begin();
  first.Span({.function = kLoad, .start = 20, .end = 30, .sequence = 2, .parent = 1});
  first.Span({.function = kRun, .start = 5, .end = 40, .sequence = 1});
  StreamBuilder stream = Preamble(fixture.fields);
  stream.Add(1, first, kNow);
  const uint64_t sent = Positions(stream, 0).back();
  // Another thread, which span 2 had started.
  Records second;
  const TraceId trace = TraceOfRoot(fixture.fields.secret, 1);
  std::array<uint64_t, 2> words;
  memcpy(words.data(), trace.bytes.data(), sizeof(words));
  second.TraceBegin({.function = kRun,
                     .start = 25,
                     .root_sequence = 7,
                     .trace_id = words,
                     .parent_sequence = 2,
                     .flags = format::kTraceLocalParent});
  second.Span({.function = kRun, .start = 25, .end = 90, .sequence = 7});
  fixture.AddSegment(stream.Add(2, second, kNow), 0);
  fixture.SetSent({sent, 0, false});
  REQUIRE(fixture.Push().ok());
  CHECK(fixture.Arrived() == Sequences{7});
  CHECK(fixture.endpoint.bodies.size() == 1);
}

TEST_CASE("a call that the last copy has open, and that ended before the kill, is sent once") {
  Fixture fixture;
  Records records = Begin();
  records.Span({.function = kLoad, .start = 50, .end = 120, .sequence = 2, .parent = 1});
  fixture.AddSegment(Preamble(fixture.fields).Add(1, records, kNow), 0);
  // As `autotracer recover` writes it.
  fixture.AddSegment(
      Preamble(fixture.fields).OpenFrames(1, 100, {MakeFrame(kRun, 5, 1), MakeFrame(kLoad, 50, 0)}),
      1);
  fixture.SetSent({});
  REQUIRE(fixture.Push().ok());
  CHECK(fixture.Arrived() == Sequences{2, 1});
  CHECK(fixture.endpoint.bodies.size() == 2);
}

TEST_CASE("what another pusher is at work on is left alone") {
  Fixture fixture;
  fixture.AddSegment(Preamble(fixture.fields).Add(1, WithChildren(Begin(), 2, 3), kNow), 0);
  fixture.SetSent({});
  const int held = open(fixture.SentPath().c_str(), O_RDWR | O_CLOEXEC);
  REQUIRE(flock(held, LOCK_EX) == 0);
  CHECK(absl::IsAborted(fixture.Push().status()));
  CHECK(fixture.endpoint.bodies.empty());
  close(held);
  CHECK(fixture.Push()->complete);
}

TEST_CASE("segments that were removed before they were sent are mentioned") {
  Fixture fixture;
  fixture.AddSegment(Preamble(fixture.fields).State(1, Begin(), true).Add(1, Child(5), kNow), 3);
  SentState state;
  bool warns = true;
  SECTION("all from the first one") {}
  SECTION("from the middle of one") { state = {format::Position(2, 5000), 7, false}; }
  SECTION("but not when all before were sent") {
    state = {format::Position(2, 5000), 0, false};
    warns = false;
  }
  fixture.SetSent(state);
  const auto result = fixture.Push();
  REQUIRE(result.ok());
  CHECK(result->complete);
  CHECK(result->warnings.empty() != warns);
}

TEST_CASE("damage is reported, and the rest is sent") {
  Fixture fixture;
  std::string bytes = Preamble(fixture.fields)
                          .Add(1, WithChildren(Begin(), 2, 3), kNow)
                          .Add(1, Child(5), kNow)
                          .Segment(0);
  bytes[bytes.size() - 20] ^= 1;
  fixture.recorded.AddFile(SegmentName({fixture.fields.pid, fixture.fields.process_key}, 0), bytes);
  fixture.SetSent({});
  const auto result = fixture.Push();
  REQUIRE(result.ok());
  CHECK(result->complete);
  CHECK(fixture.Arrived() == Sequences{2, 3, 4, 1});
  CHECK(result->warnings.size() == 1);
}

TEST_CASE("what is not sent yet is counted in spans and bytes, the ring's part as well") {
  Fixture fixture;
  fixture.fields = fixture.recorded.Fields();
  StreamBuilder stream = Preamble(fixture.fields);
  stream.Add(1, WithChildren(Begin(), 2, 3), kNow);
  const uint64_t begin = *(Positions(stream, 0).end() - 2);
  fixture.AddSegment(stream, 0);
  fixture.recorded.SetRing(testing::RingBuilder(fixture.fields)
                               .Chunk(1, 1, WithChildren(Begin(), 2, 7))
                               .Heartbeat(kNow));
  const auto count = [&] { return CountUnsent(fixture.recorded.Find()->processes.at(0)); };
  CHECK(count().spans == 7);
  fixture.SetSent({begin, 2, false});
  CHECK(count().spans == 5);
  CHECK(count().bytes > 4 * format::kSpanBytes);
  fixture.SetSent({begin, 2, true});
  CHECK(count().spans == 0);
}

}  // namespace
}  // namespace autotrace::exporter
