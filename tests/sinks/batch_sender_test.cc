// The sender with a transport that the test controls: no network.
#include "exporter/sinks/batch_sender.h"

#include <pthread.h>
#include <signal.h>
#include <stdint.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "tests/sinks/test_spans.h"

namespace autotrace::exporter {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::SpanMaker;
using Clock = std::chrono::steady_clock;

// What the test and the transport, which the sender owns, share.
struct Endpoint {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::string> bodies;  // accepted
  bool stalled = false;
  bool sending = false;
  int rests = 0;
  SendResult answer;
  Deadline limit = Deadline::max();
  std::string thread_name;
  bool signals_blocked = false;
};

class FakeTransport final : public OtlpTransport {
 public:
  explicit FakeTransport(Endpoint* endpoint) : endpoint_(*endpoint) {}

  SendResult Send(std::string_view body, Deadline deadline) override {
    std::unique_lock lock(endpoint_.mutex);
    NoteThread();
    endpoint_.sending = true;
    endpoint_.changed.notify_all();
    for (;;) {
      const Deadline until = std::min(deadline, endpoint_.limit);
      if (!endpoint_.stalled) break;
      if (Clock::now() >= until) {
        endpoint_.sending = false;
        return {SendOutcome::kTimedOut, 0, 0, ""};
      }
      endpoint_.changed.wait_until(lock, until);
    }
    endpoint_.sending = false;
    if (endpoint_.answer.outcome == SendOutcome::kAccepted) endpoint_.bodies.emplace_back(body);
    endpoint_.changed.notify_all();
    return endpoint_.answer;
  }

  void LimitTo(Deadline deadline) override {
    const std::lock_guard lock(endpoint_.mutex);
    endpoint_.limit = deadline;
    endpoint_.changed.notify_all();
  }

  void Rest() override {
    const std::lock_guard lock(endpoint_.mutex);
    ++endpoint_.rests;
    endpoint_.changed.notify_all();
  }

 private:
  void NoteThread() {
    char name[16] = "";
    pthread_getname_np(pthread_self(), name, sizeof(name));
    endpoint_.thread_name = name;
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    endpoint_.signals_blocked =
        sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGPIPE) == 1;
  }

  Endpoint& endpoint_;
};

struct Fixture {
  Endpoint endpoint;
  SpanMaker maker;
  uint64_t reported_lost = 0;  // read after Close
  std::unique_ptr<BatchSender> sender;

  explicit Fixture(BatchSenderOptions options) {
    auto started =
        BatchSender::Start(options, std::make_unique<FakeTransport>(&endpoint),
                           [this](const SendResult&, uint64_t spans) { reported_lost += spans; });
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
  fixture.endpoint.answer.outcome = SendOutcome::kCannotConnect;
  fixture.Consume(3);
  CHECK_FALSE(fixture.sender->Flush(Clock::now() + seconds(20)));
  fixture.sender->Close(Clock::now());
  CHECK(fixture.sender->dropped().failed == 3);
  CHECK(fixture.reported_lost == 3);
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
  CHECK(fixture.sender->dropped().failed == 2);
  CHECK(fixture.sender->dropped().unsent == 5);
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
