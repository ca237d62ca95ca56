// OTLP over HTTP against a receiver on the loopback interface that behaves as told.
#include "exporter/sinks/otlp_http.h"

#include <signal.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "exporter/sinks/failure_log.h"
#include "tests/sinks/test_program.h"
#include "tests/support/test_files.h"

namespace autotrace::exporter {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::Receiver;
using Clock = std::chrono::steady_clock;

std::unique_ptr<OtlpHttpSender> MakeSender(
    const std::string& endpoint, std::vector<std::pair<std::string, std::string>> headers = {}) {
  auto sender = OtlpHttpSender::Create({.endpoint = endpoint, .headers = std::move(headers)});
  REQUIRE(sender.ok());
  return std::move(*sender);
}

SendResult SendTo(const Receiver& receiver,
                  std::vector<std::pair<std::string, std::string>> headers = {}) {
  return MakeSender(receiver.url(), std::move(headers))->Send("body", Clock::now() + seconds(20));
}

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("a request is a POST of the body with OTLP's headers and the user's") {
  const Receiver receiver;
  std::string body("binary \0 body", 13);
  body.append(2'000'000, 'x');
  const auto sender =
      MakeSender(receiver.url(), {{"x-api-key", "secret key"}, {"Content-Type", "text/plain"}});
  const SendResult result = sender->Send(body, Clock::now() + seconds(20));
  CHECK(result.outcome == SendOutcome::kAccepted);
  CHECK(result.http_status == 200);
  REQUIRE(receiver.bodies().size() == 1);
  CHECK(test::ReadFile(receiver.bodies()[0]) == body);
  const std::string headers = receiver.headers(0);
  INFO(headers);
  CHECK(Contains(headers, R"("path": "/v1/traces")"));
  CHECK(Contains(headers, R"("content-type": "application/x-protobuf")"));
  CHECK(Contains(headers, R"("user-agent": "OTel-OTLP-Exporter-autotrace/)"));
  CHECK(Contains(headers, R"("x-api-key": "secret key")"));
  CHECK_FALSE(Contains(headers, R"("expect")"));
}

TEST_CASE("requests in a row use one connection, and a new one after a rest") {
  const Receiver receiver;
  const auto sender = MakeSender(receiver.url());
  const auto port_of = [&receiver](int request) {
    const std::string headers = receiver.headers(request);
    const size_t at = headers.find("\"port\": ");
    REQUIRE(at != std::string::npos);
    return headers.substr(at, headers.find(',', at) - at);
  };
  for (int i = 0; i < 3; ++i) {
    if (i == 2) sender->Rest();
    REQUIRE(sender->Send("body", Clock::now() + seconds(20)).outcome == SendOutcome::kAccepted);
  }
  CHECK(port_of(0) == port_of(1));
  CHECK(port_of(1) != port_of(2));
}

TEST_CASE("a partial success tells how many spans were rejected and why") {
  // ExportTraceServiceResponse{partial_success{rejected_spans: 3, error_message: "too old"}}
  const Receiver receiver({"--body-hex", "0a0b08031207746f6f206f6c64"});
  const SendResult result = SendTo(receiver);
  CHECK(result.outcome == SendOutcome::kAccepted);
  CHECK(result.rejected_spans == 3);
  CHECK(result.detail == "too old");
}

TEST_CASE("a success whose body is not what it says is a success") {
  const Receiver receiver({"--body", "\x0a\x7f garbage"});
  const SendResult result = SendTo(receiver);
  CHECK(result.outcome == SendOutcome::kAccepted);
  CHECK(result.rejected_spans == 0);
  CHECK(result.detail.empty());
}

TEST_CASE("a refusal's words are kept: of a text, its first 200 characters on one line") {
  const Receiver receiver({"--answer", "400", "--content-type", "text/plain", "--body",
                           "no\nsuch tenant " + std::string(300, '.')});
  const SendResult result = SendTo(receiver);
  CHECK(result.outcome == SendOutcome::kHttpStatus);
  CHECK(result.http_status == 400);
  CHECK(result.detail == "no such tenant " + std::string(185, '.') + "...");
}

TEST_CASE("a refusal's words are kept: of a google.rpc.Status, its message") {
  // Status{code: 3, message: "bad span"}
  const Receiver receiver({"--answer", "400", "--body-hex", "08031208626164207370616e"});
  CHECK(SendTo(receiver).detail == "bad span");
}

TEST_CASE("a refusal that quotes a header does not reveal it") {
  const Receiver receiver(
      {"--answer", "401", "--content-type", "text/plain", "--echo-header", "authorization"});
  const SendResult result = SendTo(receiver, {{"authorization", "Bearer s3cr3t-token"}});
  CHECK(result.http_status == 401);
  CHECK(result.detail == "refused: ****");
}

TEST_CASE("redirects are not followed") {
  const Receiver elsewhere;
  const Receiver receiver({"--answer", "307", "--location", elsewhere.url()});
  const SendResult result = SendTo(receiver);
  CHECK(result.outcome == SendOutcome::kHttpStatus);
  CHECK(result.http_status == 307);
  CHECK(elsewhere.bodies().empty());
}

TEST_CASE("a refused connection is told apart") {
  const Receiver receiver({"--refuse"});
  const SendResult result = SendTo(receiver);
  CHECK(result.outcome == SendOutcome::kCannotConnect);
  CHECK(result.detail == "Connection refused");
}

TEST_CASE("an answer that is not HTTP is told apart") {
  const Receiver receiver({"--garbage"});
  CHECK(SendTo(receiver).outcome == SendOutcome::kProtocolError);
}

TEST_CASE("TLS to an endpoint without it is told apart") {
  const Receiver receiver;
  std::string endpoint = receiver.url();
  endpoint.insert(4, "s");
  const SendResult result = MakeSender(endpoint)->Send("body", Clock::now() + seconds(20));
  CHECK(result.outcome == SendOutcome::kTlsFailed);
}

TEST_CASE("a request ends at its deadline when there is no answer, and the next one works") {
  const Receiver receiver({"--stall"});
  const auto sender = MakeSender(receiver.url());
  const auto start = Clock::now();
  const SendResult result = sender->Send("body", start + milliseconds(300));
  CHECK(result.outcome == SendOutcome::kTimedOut);
  CHECK(result.detail == "no answer in time");
  CHECK(Clock::now() - start >= milliseconds(300));
  CHECK(Clock::now() - start < seconds(5));
  CHECK(sender->Send("body", Clock::now() + milliseconds(50)).outcome == SendOutcome::kTimedOut);
}

TEST_CASE("a limit set by another thread ends a request that is under way") {
  const Receiver receiver({"--stall"});
  const auto sender = MakeSender(receiver.url());
  std::thread limiter([&sender] {
    std::this_thread::sleep_for(milliseconds(100));
    sender->LimitTo(Clock::now());
  });
  const auto start = Clock::now();
  CHECK(sender->Send("body", start + seconds(60)).outcome == SendOutcome::kTimedOut);
  CHECK(Clock::now() - start < seconds(10));
  limiter.join();
}

TEST_CASE("only http and https endpoints are taken") {
  for (const char* endpoint : {"", "collector:4318", "ftp://collector", "file:///etc/passwd"}) {
    CHECK(OtlpHttpSender::Create({.endpoint = endpoint}).status().code() ==
          absl::StatusCode::kInvalidArgument);
  }
  CHECK(OtlpHttpSender::Create({.endpoint = "HTTPS://collector/v1/traces"}).ok());
}

TEST_CASE("a header that would smuggle in another one is refused, and its value not shown") {
  const auto sender = OtlpHttpSender::Create(
      {.endpoint = "http://collector", .headers = {{"authorization", "t0ken\r\nevil: 1"}}});
  CHECK(sender.status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(Contains(std::string(sender.status().message()), "authorization"));
  CHECK_FALSE(Contains(std::string(sender.status().message()), "t0ken"));
}

TEST_CASE("an endpoint is shown without what may be secret in it") {
  CHECK(EndpointForPeople("http://user:pass@host:4318/v1/traces?key=1#x") ==
        "http://host:4318/v1/traces");
  CHECK(EndpointForPeople("https://host/a@b") == "https://host/a@b");
  CHECK(EndpointForPeople("nonsense") == "nonsense");
}

TEST_CASE("each kind of failure is logged once, with what to do, and a count at the end") {
  std::vector<std::string> lines;
  FailureLog log("http://host:4317/v1/traces",
                 [&lines](const std::string& line) { lines.push_back(line); });
  const SendResult refused{SendOutcome::kCannotConnect, 0, 0, "Connection refused"};
  const SendResult missing{SendOutcome::kHttpStatus, 404, 0, "nothing here"};
  const SendResult busy{SendOutcome::kHttpStatus, 503, 0, ""};
  const SendResult grpc{SendOutcome::kProtocolError, 0, 0, "weird"};
  const SendResult partial{SendOutcome::kAccepted, 200, 2, "too old"};
  for (int i = 0; i < 3; ++i) {
    for (const SendResult& result : {refused, missing, busy, grpc, partial}) log.Report(result, 2);
  }
  log.Summarize({});
  REQUIRE(lines.size() == 5);
  log.Summarize({.queue_full = 1, .failed = 30, .unsent = 0});
  CHECK(lines[0] ==
        "cannot send spans to http://host:4317/v1/traces: cannot connect (Connection refused); is "
        "a collector listening there? See OTEL_EXPORTER_OTLP_ENDPOINT (or "
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, with its path); trying again");
  CHECK(Contains(lines[1], "HTTP status 404 (nothing here); check the path"));
  CHECK(Contains(lines[2], "HTTP status 503; the endpoint is overloaded or down"));
  CHECK(Contains(lines[3], "failed (weird); port 4317 usually speaks gRPC"));
  CHECK(lines[4] == "http://host:4317/v1/traces rejected 2 spans of a request: too old");
  CHECK(lines[5] ==
        "31 spans did not reach http://host:4317/v1/traces: 1 queue full, 30 failed or rejected");
}

}  // namespace
}  // namespace autotrace::exporter
