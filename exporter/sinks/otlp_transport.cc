#include "exporter/sinks/otlp_transport.h"

namespace autotrace::exporter {

bool MayPass(const SendResult& result) {
  switch (result.outcome) {
    case SendOutcome::kCannotResolve:
    case SendOutcome::kCannotConnect:
    case SendOutcome::kTimedOut:
    case SendOutcome::kTlsFailed:
    case SendOutcome::kConnectionLost:
      return true;
    case SendOutcome::kHttpStatus:
      return result.http_status == 429 || result.http_status == 502 || result.http_status == 503 ||
             result.http_status == 504;
    case SendOutcome::kAccepted:
    case SendOutcome::kProtocolError:
      return false;
  }
  return false;
}

bool WasReached(const SendResult& result) {
  return result.outcome != SendOutcome::kCannotResolve &&
         result.outcome != SendOutcome::kCannotConnect && result.outcome != SendOutcome::kTlsFailed;
}

bool RefusesAll(const SendResult& result) {
  if (result.outcome == SendOutcome::kAccepted || MayPass(result)) return false;
  return result.http_status != 400 && result.http_status != 413;
}

}  // namespace autotrace::exporter
