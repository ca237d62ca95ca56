#include "exporter/sinks/failure_log.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace autotrace::exporter {
namespace {

constexpr char kEndpointSettings[] =
    "OTEL_EXPORTER_OTLP_ENDPOINT (or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, with its path)";

// 4317 is where collectors speak gRPC.
bool LooksLikeGrpc(const std::string& endpoint) { return absl::StrContains(endpoint, ":4317"); }

std::string AdviceForStatus(int status) {
  if (status >= 300 && status < 400) {
    return absl::StrCat("redirects are not followed: set ", kEndpointSettings,
                        " to where it leads");
  }
  switch (status) {
    case 401:
    case 403:
      return "check the credentials in OTEL_EXPORTER_OTLP_HEADERS";
    case 404:
    case 405:
      return absl::StrCat("check the path in ", kEndpointSettings,
                          "; it usually ends in /v1/traces");
    case 413:
      return "the endpoint takes smaller requests only: raise its limit to 4 MiB";
    case 415:
      return "the endpoint does not take OTLP in protobuf over HTTP";
    case 429:
    case 502:
    case 503:
    case 504:
      return "the endpoint is overloaded or down";
    default:
      return "see the endpoint's own log";
  }
}

std::string AdviceForProtocol(const std::string& endpoint) {
  return LooksLikeGrpc(endpoint) ? "port 4317 usually speaks gRPC; OTLP over HTTP is at port 4318"
                                 : "is it an OTLP endpoint for HTTP?";
}

std::string Advice(const std::string& endpoint, const SendResult& result) {
  switch (result.outcome) {
    case SendOutcome::kCannotResolve:
      return absl::StrCat("check the host name in ", kEndpointSettings);
    case SendOutcome::kCannotConnect:
      return absl::StrCat("is a collector listening there? See ", kEndpointSettings);
    case SendOutcome::kTimedOut:
      return "OTEL_EXPORTER_OTLP_TIMEOUT is the time a request may take";
    case SendOutcome::kTlsFailed:
      return "check the scheme (http or https) and the certificate";
    case SendOutcome::kHttpStatus:
      return AdviceForStatus(result.http_status);
    case SendOutcome::kConnectionLost:
      return LooksLikeGrpc(endpoint) ? AdviceForProtocol(endpoint)
                                     : "it was closed before there was an answer";
    case SendOutcome::kProtocolError:
      return AdviceForProtocol(endpoint);
    case SendOutcome::kAccepted:
      break;
  }
  return "";
}

std::string Reason(const SendResult& result) {
  std::string reason;
  switch (result.outcome) {
    case SendOutcome::kCannotResolve:
      reason = "host name not resolved";
      break;
    case SendOutcome::kCannotConnect:
      reason = "cannot connect";
      break;
    case SendOutcome::kTimedOut:
      reason = "timed out";
      break;
    case SendOutcome::kTlsFailed:
      reason = "TLS failed";
      break;
    case SendOutcome::kConnectionLost:
      reason = "connection lost";
      break;
    case SendOutcome::kHttpStatus:
      reason = absl::StrCat("HTTP status ", result.http_status);
      break;
    case SendOutcome::kProtocolError:
      reason = "failed";
      break;
    case SendOutcome::kAccepted:
      break;
  }
  return result.detail.empty() ? reason : absl::StrCat(reason, " (", result.detail, ")");
}

std::string Count(uint64_t spans) { return absl::StrCat(spans, spans == 1 ? " span" : " spans"); }

}  // namespace

std::string DescribeFailure(const std::string& endpoint, const SendResult& result, uint64_t spans) {
  if (result.outcome == SendOutcome::kAccepted) {
    return spans > 0 ? absl::StrCat(endpoint, " rejected ", Count(spans), " of a request: ",
                                    result.detail.empty() ? "no reason given" : result.detail)
                     : absl::StrCat(endpoint, " accepted spans with a warning: ", result.detail);
  }
  return absl::StrCat("cannot send spans to ", endpoint, ": ", Reason(result), "; ",
                      Advice(endpoint, result), MayPass(result) ? "; trying again" : "");
}

FailureLog::FailureLog(std::string endpoint, std::function<void(const std::string& line)> log)
    : endpoint_(std::move(endpoint)), log_(std::move(log)) {}

void FailureLog::Report(const SendResult& result, uint64_t spans) {
  if (!reported_.insert({static_cast<int>(result.outcome), result.http_status}).second) return;
  log_(DescribeFailure(endpoint_, result, spans));
}

void FailureLog::Summarize(const DroppedSpans& dropped) {
  if (dropped.total() == 0) return;
  std::vector<std::string> causes;
  if (dropped.queue_full > 0) causes.push_back(absl::StrCat(dropped.queue_full, " queue full"));
  if (dropped.failed > 0) causes.push_back(absl::StrCat(dropped.failed, " failed or rejected"));
  if (dropped.unsent > 0) causes.push_back(absl::StrCat(dropped.unsent, " unsent at the end"));
  log_(absl::StrCat(Count(dropped.total()), " did not reach ", endpoint_, ": ",
                    absl::StrJoin(causes, ", ")));
}

}  // namespace autotrace::exporter
