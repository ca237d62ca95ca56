// Carries encoded OTLP requests to an endpoint, one at a time. HTTP is otlp_http.h; BatchSender
// drives a transport from its thread, and retries, compression or gRPC come in behind or around
// this interface.
#ifndef AUTOTRACE_EXPORTER_SINKS_OTLP_TRANSPORT_H_
#define AUTOTRACE_EXPORTER_SINKS_OTLP_TRANSPORT_H_

#include <stdint.h>

#include <chrono>
#include <string>
#include <string_view>

namespace autotrace::exporter {

// Steady, so that a step of the wall clock neither cuts a wait short nor draws it out.
using Deadline = std::chrono::steady_clock::time_point;

enum class SendOutcome : uint8_t {
  kAccepted,       // also when the endpoint rejected some spans: see rejected_spans
  kCannotResolve,  // the endpoint's host name
  kCannotConnect,  // refused, unreachable
  kTimedOut,
  kTlsFailed,
  kConnectionLost,  // before there was a whole answer
  kHttpStatus,      // answered, but not with 2xx: see http_status
  kProtocolError,   // anything else, such as an answer that is not HTTP
};

struct SendResult {
  SendOutcome outcome = SendOutcome::kAccepted;
  int http_status = 0;          // 0: there was no answer
  uint64_t rejected_spans = 0;  // of an accepted request (OTLP's partial success)
  // For people, one line without control characters or secrets: the endpoint's own words or the
  // reason. May be empty.
  std::string detail;
};

// Is the same request worth sending again? No answer came, or one that OTLP calls retryable
// (https://opentelemetry.io/docs/specs/otlp/#failures-1).
bool MayPass(const SendResult& result);
// Was there somebody at the other end?
bool WasReached(const SendResult& result);
// Would every other request be refused in the same way? Not where it is this one's content or size.
bool RefusesAll(const SendResult& result);

class OtlpTransport {
 public:
  virtual ~OtlpTransport() = default;

  // Sends one encoded ExportTraceServiceRequest and waits for the answer until `deadline`. Callable
  // on one thread at a time, which should have SIGPIPE blocked or ignored. Does not throw.
  virtual SendResult Send(std::string_view body, Deadline deadline) = 0;

  // Makes a Send that is under way, and every later one, give up at `deadline` at the latest.
  // Callable on any thread.
  virtual void LimitTo(Deadline deadline) = 0;

  // Nothing more is to be sent for now: closes connections, so that an idle exporter holds no
  // descriptor that the program could close or take for its own. On Send's thread.
  virtual void Rest() {}
};

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_SINKS_OTLP_TRANSPORT_H_
