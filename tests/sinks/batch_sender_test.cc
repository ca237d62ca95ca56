// The sender with a transport that the test controls: no network.
#include "exporter/sinks/batch_sender.h"

#include <signal.h>
#include <stdint.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/sinks/fake_transport.h"
#include "tests/sinks/test_spans.h"

namespace autotrace::exporter {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::Endpoint;
using test::FakeTransport;
using test::SpanMaker;
using Clock = std::chrono::steady_clock;

struct Fixture {
  Endpoint endpoint;
  SpanMaker maker;
  uint64_t reported_lost = 0;   // read after Close
  std::vector<SentMark> marks;  // with endpoint.mutex
  std::unique_ptr<BatchSender> sender;

  explicit Fixture(BatchSenderOptions options) {
    auto started = BatchSender::Start(
        options, std::make_unique<FakeTransport>(&endpoint),
        [this](const SendResult&, uint64_t spans) { reported_lost += spans; },
        [this](const SentMark& mark) {
          const std::lock_guard lock(endpoint.mutex);
          marks.push_back(mark);
          endpoint.changed.notify_all();
        });
    REQUIRE(started.ok());
    sender = std::move(*started);
  }
  ~Fixture() {
    if (sender != nullptr) sender->Close(Clock::now());
  }

  void Consume(int spans) {
    for (int i = 0; i < spans; ++i) {
      REQUIRE(sender->Consume(maker.Make(static_cast<uint8_t>(i + 1))).ok());
    }
  }
  // A block of so many spans, which stands in a file from here to there.
  void Block(uint64_t begin, uint64_t end, int spans) {
    sender->BeginBlock(begin, true);
    Consume(spans);
    sender->EndBlock(end);
  }
  void SetStalled(bool stalled) {
    const std::lock_guard lock(endpoint.mutex);
    endpoint.stalled = stalled;
    endpoint.changed.notify_all();
  }
  template <typename Condition>
  bool Eventually(Condition condition) {
    std::unique_lock lock(endpoint.mutex);
    return endpoint.changed.wait_for(lock, seconds(20), condition);
  }
};

BatchSenderOptions Options(size_t max_spans, std::chrono::nanoseconds delay) {
  BatchSenderOptions options;
  options.batch.max_spans = max_spans;
  options.delay = delay;
  return options;
}

TEST_CASE("a full batch is sent at once") {
  Fixture fixture(Options(2, hours(1)));
  fixture.Consume(5);
  CHECK(fixture.Eventually([&] { return fixture.endpoint.bodies.size() == 2; }));
}

TEST_CASE("a batch that is not full is sent after the delay") {
  Fixture fixture(Options(512, milliseconds(20)));
  const auto start = Clock::now();
  fixture.Consume(1);
  CHECK(fixture.Eventually([&] { return fixture.endpoint.bodies.size() == 1; }));
  CHECK(Clock::now() - start >= milliseconds(20));
  fixture.Consume(1);  // and the next one, too
  CHECK(fixture.Eventually([&] { return fixture.endpoint.bodies.size() == 2; }));
}

TEST_CASE("a flush sends what is batched and says so") {
  Fixture fixture(Options(512, hours(1)));
  fixture.Consume(3);
  CHECK(fixture.sender->Flush(Clock::now() + seconds(20)));
  CHECK(fixture.endpoint.bodies.size() == 1);
  CHECK(fixture.sender->dropped().total() == 0);
}

TEST_CASE("a flush that runs out of time says so, and the spans still arrive later") {
  Fixture fixture(Options(512, hours(1)));
  fixture.SetStalled(true);
  fixture.Consume(3);
  CHECK_FALSE(fixture.sender->Flush(Clock::now() + milliseconds(10)));
  fixture.SetStalled(false);
  CHECK(fixture.Eventually([&] { return fixture.endpoint.bodies.size() == 1; }));
}

TEST_CASE("a flush whose spans are refused says so") {
  Fixture fixture(Options(512, hours(1)));
  fixture.endpoint.answer.outcome = SendOutcome::kProtocolError;
  fixture.Consume(3);
  CHECK_FALSE(fixture.sender->Flush(Clock::now() + seconds(20)));
  fixture.sender->Close(Clock::now());
  CHECK(fixture.sender->dropped().failed == 3);
  CHECK(fixture.reported_lost == 3);
}

// ---- Failures that may pass ----

SendResult Status(int status) { return {SendOutcome::kHttpStatus, status, 0, ""}; }

TEST_CASE("what is worth sending again: no answer at all, and four statuses") {
  for (const int status : {429, 502, 503, 504}) CHECK(MayPass(Status(status)));
  for (const int status : {301, 400, 401, 403, 404, 408, 413, 415, 500, 501}) {
    CHECK_FALSE(MayPass(Status(status)));
  }
  for (const SendOutcome outcome :
       {SendOutcome::kCannotResolve, SendOutcome::kCannotConnect, SendOutcome::kTimedOut,
        SendOutcome::kTlsFailed, SendOutcome::kConnectionLost}) {
    CHECK(MayPass({outcome, 0, 0, ""}));
  }
  CHECK_FALSE(MayPass({SendOutcome::kAccepted, 200, 0, ""}));
  CHECK_FALSE(MayPass({SendOutcome::kProtocolError, 0, 0, ""}));
}

TEST_CASE("a request that failed for a while is sent again, and those behind it in their order") {
  BatchSenderOptions options = Options(1, hours(1));
  options.first_backoff = milliseconds(1);
  Fixture fixture(options);
  fixture.endpoint.first_answers = {{SendOutcome::kCannotConnect, 0, 0, ""},
                                    {SendOutcome::kConnectionLost, 0, 0, ""},
                                    Status(503),
                                    {SendOutcome::kAccepted, 200, 0, ""},
                                    Status(429)};
  fixture.Consume(3);
  CHECK(fixture.Eventually([&] { return fixture.endpoint.bodies.size() == 3; }));
  fixture.sender->Close(Clock::now() + seconds(20));
  CHECK(fixture.endpoint.attempts == 7);
  CHECK(fixture.sender->dropped().total() == 0);
  CHECK(fixture.reported_lost == 0);
  CHECK(fixture.sender->sent() == 3);
  for (size_t i = 0; i < 3; ++i) {
    const SpanId id = test::MakeSpanId(static_cast<uint8_t>(i + 1));
    const std::string bytes(id.bytes.begin(), id.bytes.end());
    CHECK(fixture.endpoint.bodies[i].find(bytes) != std::string::npos);
  }
}

TEST_CASE("between attempts there is twice as much time each, up to a bound, and never none") {
  BatchSenderOptions options = Options(1, hours(1));
  options.first_backoff = milliseconds(20);
  options.longest_backoff = milliseconds(80);
  Fixture fixture(options);
  fixture.endpoint.answer = Status(503);
  fixture.Consume(1);
  REQUIRE(fixture.Eventually([&] { return fixture.endpoint.attempts == 6; }));
  const std::vector<Clock::time_point>& at = fixture.endpoint.attempted;
  for (const auto& [index, least] :
       std::vector<std::pair<size_t, int>>{{0, 10}, {1, 20}, {2, 40}, {3, 40}, {4, 40}}) {
    CHECK(at[index + 1] - at[index] >= milliseconds(least));
  }
}

TEST_CASE("a flush does not wait for an endpoint that is away") {
  Fixture fixture(Options(512, hours(1)));
  fixture.endpoint.answer.outcome = SendOutcome::kCannotConnect;
  fixture.Consume(3);
  const auto start = Clock::now();
  for (int i = 0; i < 3; ++i) CHECK_FALSE(fixture.sender->Flush(Clock::now() + seconds(60)));
  CHECK(Clock::now() - start < seconds(20));
  CHECK(fixture.sender->dropped().total() == 0);
  {
    const std::lock_guard lock(fixture.endpoint.mutex);
    CHECK(fixture.endpoint.attempts >= 3);  // each tried
    fixture.endpoint.answer = {SendOutcome::kAccepted, 200, 0, ""};
  }
  CHECK(fixture.sender->Flush(Clock::now() + seconds(60)));
  CHECK(fixture.endpoint.bodies.size() == 1);
}

TEST_CASE("at the end nobody waits for an endpoint that cannot be reached") {
  Fixture fixture(Options(1, hours(1)));
  fixture.endpoint.answer.outcome =
      GENERATE(SendOutcome::kCannotConnect, SendOutcome::kCannotResolve, SendOutcome::kTlsFailed);
  fixture.Consume(5);
  const auto start = Clock::now();
  fixture.sender->Close(start + seconds(60));
  CHECK(Clock::now() - start < seconds(20));
  CHECK(fixture.sender->dropped().unsent == 5);
}

TEST_CASE("at the end an endpoint that is overloaded is tried again as long as there is time") {
  BatchSenderOptions options = Options(1, hours(1));
  options.first_backoff = milliseconds(5);
  Fixture fixture(options);
  SECTION("and takes it in time") {
    fixture.endpoint.first_answers = {Status(503), Status(503), Status(503)};
    fixture.Consume(1);
    fixture.sender->Close(Clock::now() + seconds(20));
    CHECK(fixture.endpoint.bodies.size() == 1);
    CHECK(fixture.sender->dropped().total() == 0);
  }
  SECTION("and does not") {
    fixture.endpoint.answer = Status(503);
    fixture.Consume(1);
    const auto start = Clock::now();
    fixture.sender->Close(start + milliseconds(200));
    CHECK(Clock::now() - start < seconds(10));
    CHECK(fixture.endpoint.attempts > 2);
    CHECK(fixture.sender->dropped().unsent == 1);
  }
}

// ---- Spans that are kept elsewhere until they were sent ----

BatchSenderOptions Keeping(size_t max_spans) {
  BatchSenderOptions options = Options(max_spans, hours(1));
  options.keep = true;
  options.first_backoff = milliseconds(1);
  return options;
}

TEST_CASE("how far everything was sent is told as a place in the files") {
  Fixture fixture(Keeping(2));
  fixture.Block(100, 200, 3);
  fixture.Block(200, 300, 0);
  fixture.Block(300, 400, 2);
  CHECK(fixture.sender->Flush(Clock::now() + seconds(20)));
  CHECK(fixture.marks == std::vector<SentMark>{{100, 2}, {300, 1}, {400, 0}});
  CHECK(fixture.sender->unsent() == 0);
}

TEST_CASE("what the endpoint refuses is done with, what fails for a while is not") {
  Fixture fixture(Keeping(1));
  fixture.endpoint.first_answers = {Status(400), Status(503)};
  fixture.SetStalled(true);  // no answer before the blocks are whole
  fixture.Block(100, 200, 1);
  fixture.Block(200, 300, 1);
  fixture.SetStalled(false);
  REQUIRE(fixture.Eventually([&] { return fixture.endpoint.bodies.size() == 1; }));
  fixture.sender->Close(Clock::now() + seconds(20));
  CHECK(fixture.marks == std::vector<SentMark>{{200, 0}, {300, 0}});
  CHECK(fixture.sender->dropped().failed == 1);
  CHECK(fixture.sender->sent() == 1);
}

TEST_CASE("a full queue is told, and what is handed in all the same is not dropped") {
  BatchSenderOptions options = Keeping(1);
  options.max_queue_bytes = 2000;
  Fixture fixture(options);
  fixture.SetStalled(true);
  CHECK_FALSE(fixture.sender->IsFull());
  fixture.Block(100, 200, 50);
  CHECK(fixture.sender->IsFull());
  CHECK(fixture.sender->unsent() == 50);
  CHECK(fixture.sender->dropped().total() == 0);
  SECTION("it has room again when the endpoint answers") {
    fixture.SetStalled(false);
    CHECK(fixture.sender->WaitForRoom());
    CHECK(fixture.sender->Flush(Clock::now() + seconds(20)));
    CHECK(fixture.endpoint.bodies.size() == 50);
    CHECK_FALSE(fixture.sender->IsFull());
  }
  SECTION("at the end it is unsent, not dropped") {
    fixture.sender->Close(Clock::now() + milliseconds(20));
    CHECK(fixture.sender->unsent() == 50);
    CHECK(fixture.sender->dropped().total() == 0);
    CHECK(fixture.marks.empty());
  }
  SECTION("spans that stand in no file are dropped") {
    fixture.sender->BeginBlock(0, false);
    fixture.Consume(4);
    fixture.sender->EndBlock(0);
    CHECK(fixture.sender->dropped().queue_full == 4);
    CHECK(fixture.sender->unsent() == 50);
  }
}

TEST_CASE("sending stops when it has failed for too long") {
  BatchSenderOptions options = Keeping(1);
  options.give_up_after = milliseconds(50);
  Fixture fixture(options);
  fixture.endpoint.answer = Status(503);
  fixture.Block(100, 200, 3);
  CHECK_FALSE(fixture.sender->SendAll());
  CHECK(fixture.sender->has_stopped());
  CHECK_FALSE(fixture.sender->WaitForRoom());
  CHECK(fixture.sender->unsent() == 3);
  CHECK(fixture.endpoint.attempts > 1);
}

TEST_CASE("sending stops when the endpoint refuses everything, if that is asked for") {
  BatchSenderOptions options = Keeping(1);
  options.stop_when_refused = true;
  Fixture fixture(options);
  const int status = GENERATE(401, 404, 500);
  fixture.endpoint.first_answers = {Status(400), Status(413)};  // these two are to blame themselves
  fixture.endpoint.answer = Status(status);
  fixture.SetStalled(true);  // no answer before the blocks are whole
  fixture.Block(100, 200, 1);
  fixture.Block(200, 300, 1);
  fixture.Block(300, 400, 2);
  fixture.SetStalled(false);
  CHECK_FALSE(fixture.sender->SendAll());
  CHECK(fixture.sender->dropped().failed == 2);
  CHECK(fixture.sender->unsent() == 2);
  CHECK(fixture.marks == std::vector<SentMark>{{200, 0}, {300, 0}});
}

TEST_CASE("spans that the endpoint rejects are counted") {
  Fixture fixture(Options(512, hours(1)));
  fixture.endpoint.answer.rejected_spans = 2;
  fixture.Consume(3);
  CHECK_FALSE(fixture.sender->Flush(Clock::now() + seconds(20)));
  CHECK(fixture.sender->dropped().failed == 2);
}

TEST_CASE("a full queue drops new spans, counts them, and keeps nobody waiting") {
  BatchSenderOptions options = Options(1, hours(1));
  options.max_queue_bytes = 2000;
  Fixture fixture(options);
  fixture.SetStalled(true);
  const auto start = Clock::now();
  fixture.Consume(100);
  CHECK(Clock::now() - start < seconds(5));
  const uint64_t dropped = fixture.sender->dropped().queue_full;
  CHECK(dropped > 50);
  CHECK(dropped < 100);
  fixture.SetStalled(false);
  CHECK(fixture.Eventually([&] { return fixture.endpoint.bodies.size() == 100 - dropped; }));
}

TEST_CASE("closing sends what there is when the endpoint answers") {
  Fixture fixture(Options(2, hours(1)));
  fixture.Consume(5);
  fixture.sender->Close(Clock::now() + seconds(20));
  CHECK(fixture.endpoint.bodies.size() == 3);
  CHECK(fixture.sender->dropped().total() == 0);
}

TEST_CASE("closing gives up a request that is stalled when time is over, and counts the rest") {
  Fixture fixture(Options(2, hours(1)));
  fixture.SetStalled(true);
  fixture.Consume(7);
  REQUIRE(fixture.Eventually([&] { return fixture.endpoint.sending; }));
  const auto start = Clock::now();
  fixture.sender->Close(start + milliseconds(100));
  CHECK(Clock::now() - start >= milliseconds(100));
  CHECK(Clock::now() - start < seconds(5));
  CHECK(fixture.sender->dropped().failed == 0);
  CHECK(fixture.sender->dropped().unsent == 7);
}

TEST_CASE("spans that come after closing are counted") {
  Fixture fixture(Options(1, hours(1)));
  fixture.sender->Close(Clock::now() + seconds(20));
  fixture.Consume(2);
  CHECK(fixture.sender->dropped().unsent == 2);
}

TEST_CASE("the transport rests when nothing is left to send") {
  Fixture fixture(Options(1, hours(1)));
  REQUIRE(fixture.Eventually([&] { return fixture.endpoint.rests == 1; }));
  fixture.Consume(1);
  CHECK(fixture.Eventually([&] { return fixture.endpoint.rests == 2; }));
}

TEST_CASE("the sending thread has a name and blocks all signals, the caller's mask is kept") {
  sigset_t before;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  Fixture fixture(Options(1, hours(1)));
  sigset_t after;
  pthread_sigmask(SIG_SETMASK, nullptr, &after);
  CHECK(sigismember(&before, SIGTERM) == sigismember(&after, SIGTERM));
  fixture.Consume(1);
  REQUIRE(fixture.sender->Flush(Clock::now() + seconds(20)));
  CHECK(fixture.endpoint.thread_name == "autotrace-otlp");
  CHECK(fixture.endpoint.signals_blocked);
}

}  // namespace
}  // namespace autotrace::exporter
