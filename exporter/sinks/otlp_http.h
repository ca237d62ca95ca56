// OTLP over HTTP with protobuf or JSON bodies, by libcurl. No redirects are followed and no
// protocol but http and https is spoken; proxies are taken from the environment, as curl does.
#ifndef AUTOTRACE_EXPORTER_SINKS_OTLP_HTTP_H_
#define AUTOTRACE_EXPORTER_SINKS_OTLP_HTTP_H_

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "exporter/sinks/otlp_transport.h"
#include "filters/config.h"

namespace autotrace::exporter {

struct OtlpHttpOptions {
  std::string endpoint;  // the full URL: "http://collector:4318/v1/traces"
  std::vector<std::pair<std::string, std::string>> headers = {};  // values are secret
  bool json = false;  // what bodies are; false: protobuf
  bool gzip = false;  // compresses them
  // PEM files for https; empty: the system's authorities, and no certificate of ours.
  std::string authorities = {};
  std::string certificate = {};
  std::string key = {};
};

// As configured; the endpoint, too.
OtlpHttpOptions OtlpHttpOptionsOf(const filters::Config& config);

class OtlpHttpSender final : public OtlpTransport {
 public:
  // InvalidArgument when the endpoint is no http or https URL or a header cannot be sent as it is;
  // Unavailable when libcurl cannot work here. Connects to nothing yet.
  static absl::StatusOr<std::unique_ptr<OtlpHttpSender>> Create(OtlpHttpOptions options);
  ~OtlpHttpSender() override;
  OtlpHttpSender(const OtlpHttpSender&) = delete;
  OtlpHttpSender& operator=(const OtlpHttpSender&) = delete;

  SendResult Send(std::string_view body, Deadline deadline) override;
  void LimitTo(Deadline deadline) override;
  void Rest() override;

 private:
  struct Response;
  class Gzip;

  explicit OtlpHttpSender(OtlpHttpOptions options);
  bool Prepare();
  // Runs the request; false when time ran out first. *code is curl's result (CURLcode).
  bool Perform(Deadline deadline, int* code);
  SendResult Describe(bool in_time, int code, const Response& response) const;
  std::string WithoutSecrets(std::string_view text) const;
  bool SetFiles();

  const OtlpHttpOptions options_;
  // libcurl's own types (CURL, curl_slist, CURLM), which its header declares as void or macros.
  std::unique_ptr<Gzip> gzip_;
  void* easy_ = nullptr;
  void* request_headers_ = nullptr;
  std::mutex multi_mutex_;  // LimitTo wakes it while Rest may take it away
  void* multi_ = nullptr;
  std::atomic<std::chrono::steady_clock::rep> limit_;  // since the clock's epoch
};

// The endpoint as it may be shown: without user name, password, query and fragment.
std::string EndpointForPeople(std::string_view endpoint);

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_SINKS_OTLP_HTTP_H_
