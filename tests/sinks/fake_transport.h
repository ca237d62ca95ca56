// A transport that the test controls: no network.
#ifndef AUTOTRACE_TESTS_SINKS_FAKE_TRANSPORT_H_
#define AUTOTRACE_TESTS_SINKS_FAKE_TRANSPORT_H_

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "exporter/sinks/otlp_transport.h"

namespace autotrace::test {

// What the test and the transport, which the sender owns, share.
struct Endpoint {
  using Clock = std::chrono::steady_clock;

  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::string> bodies;  // accepted
  bool stalled = false;
  bool sending = false;
  int rests = 0;
  int attempts = 0;
  std::vector<Clock::time_point> attempted;
  std::deque<exporter::SendResult> first_answers;  // before `answer`
  exporter::SendResult answer;
  exporter::Deadline limit = exporter::Deadline::max();
  std::string thread_name;
  bool signals_blocked = false;
};

class FakeTransport final : public exporter::OtlpTransport {
 public:
  explicit FakeTransport(Endpoint* endpoint) : endpoint_(*endpoint) {}

  exporter::SendResult Send(std::string_view body, exporter::Deadline deadline) override {
    std::unique_lock lock(endpoint_.mutex);
    NoteThread();
    endpoint_.sending = true;
    endpoint_.changed.notify_all();
    for (;;) {
      const exporter::Deadline until = std::min(deadline, endpoint_.limit);
      if (!endpoint_.stalled) break;
      if (Endpoint::Clock::now() >= until) {
        endpoint_.sending = false;
        return {exporter::SendOutcome::kTimedOut, 0, 0, ""};
      }
      endpoint_.changed.wait_until(lock, until);
    }
    endpoint_.sending = false;
    exporter::SendResult answer = endpoint_.answer;
    if (!endpoint_.first_answers.empty()) {
      answer = endpoint_.first_answers.front();
      endpoint_.first_answers.pop_front();
    }
    if (answer.outcome == exporter::SendOutcome::kAccepted) endpoint_.bodies.emplace_back(body);
    ++endpoint_.attempts;
    endpoint_.attempted.push_back(Endpoint::Clock::now());
    endpoint_.changed.notify_all();
    return answer;
  }

  void LimitTo(exporter::Deadline deadline) override {
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

}  // namespace autotrace::test

#endif  // AUTOTRACE_TESTS_SINKS_FAKE_TRANSPORT_H_
