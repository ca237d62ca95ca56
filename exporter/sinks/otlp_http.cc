#include "exporter/sinks/otlp_http.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "exporter/sinks/otlp_response.h"

namespace autotrace::exporter {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kMaxResponseBytes = 64 * 1024;
// Shorter values ("1", "gzip") are no secrets, and replacing them would garble messages.
constexpr size_t kShortestSecret = 6;

// What the OTLP exporter specification recommends: product and version by RFC 9110, and the
// language, which it wants named as well.
constexpr char kUserAgent[] = "OTel-OTLP-Exporter-autotrace/" AUTOTRACE_VERSION " (cpp)";

// A socket that executed programs do not inherit and that does not become the program's standard
// output when that happens to be closed.
curl_socket_t OpenSocket(void*, curlsocktype, curl_sockaddr* address) {
  const int descriptor =
      socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  if (descriptor < 0) return CURL_SOCKET_BAD;
  if (descriptor > STDERR_FILENO) return descriptor;
  const int moved = fcntl(descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  close(descriptor);
  return moved < 0 ? CURL_SOCKET_BAD : moved;
}

size_t StoreBody(char* data, size_t, size_t size, void* target) {
  auto* body = static_cast<std::string*>(target);
  // The rest is read and forgotten, which keeps the connection usable.
  body->append(data, std::min(size, kMaxResponseBytes - std::min(kMaxResponseBytes, body->size())));
  return size;
}

// Initialized by curl, OpenSSL would take itself apart at exit, when a request may still be under
// way. Here it is only told not to, and only if nobody uses it yet.
void KeepTlsUntilTheEnd() {
  constexpr uint64_t kNoAtExit = 0x00080000;  // OPENSSL_INIT_NO_ATEXIT, openssl/crypto.h
  using Initialize = int (*)(uint64_t options, const void* settings);
  const auto initialize = reinterpret_cast<Initialize>(dlsym(RTLD_DEFAULT, "OPENSSL_init_crypto"));
  if (initialize != nullptr) initialize(kNoAtExit, nullptr);
}

bool IsPrintable(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; });
}

// Told at once, and not with each request that fails.
absl::Status CheckReadable(const char* what, const std::string& path) {
  if (path.empty() || access(path.c_str(), R_OK) == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("the OTLP endpoint's ", what, " '", path,
                                                 "' cannot be read: ", strerror(errno)));
}

absl::Status CheckOptions(const OtlpHttpOptions& options) {
  for (const auto& [what, path] :
       {std::pair<const char*, const std::string&>("certificate", options.authorities),
        {"client certificate", options.certificate},
        {"client key", options.key}}) {
    if (absl::Status status = CheckReadable(what, path); !status.ok()) return status;
  }
  if (!absl::StartsWithIgnoreCase(options.endpoint, "http://") &&
      !absl::StartsWithIgnoreCase(options.endpoint, "https://")) {
    return absl::InvalidArgumentError(absl::StrCat("the OTLP endpoint '",
                                                   EndpointForPeople(options.endpoint),
                                                   "' is not an http:// or https:// URL"));
  }
  for (const auto& [name, value] : options.headers) {
    if (name.empty() || !IsPrintable(name) || absl::StrContains(name, ':') ||
        absl::StrContains(name, ' ')) {
      return absl::InvalidArgumentError(
          "a header name among the OTLP headers is empty or holds a blank, a colon or a control "
          "character");
    }
    if (!IsPrintable(value)) {
      return absl::InvalidArgumentError(
          absl::StrCat("the value of the OTLP header '", name, "' holds a control character"));
    }
  }
  return absl::OkStatus();
}

SendOutcome OutcomeOf(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return SendOutcome::kCannotResolve;
    case CURLE_COULDNT_CONNECT:
      return SendOutcome::kCannotConnect;
    case CURLE_OPERATION_TIMEDOUT:
      return SendOutcome::kTimedOut;
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_OUT_OF_MEMORY:  // as little an answer
      return SendOutcome::kConnectionLost;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_INVALIDCERTSTATUS:
      return SendOutcome::kTlsFailed;
    default:
      return SendOutcome::kProtocolError;
  }
}

}  // namespace

// Compresses one body after the other.
class OtlpHttpSender::Gzip {
 public:
  ~Gzip() {
    if (ready_) deflateEnd(&stream_);
  }
  // False without memory.
  bool Initialize() {
    constexpr int kGzipWindow = 15 + 16;  // zlib.h, deflateInit2: the largest window, gzip's header
    constexpr int kUsualMemory = 8;
    ready_ = deflateInit2(&stream_, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzipWindow, kUsualMemory,
                          Z_DEFAULT_STRATEGY) == Z_OK;
    return ready_;
  }
  // Valid until the next time.
  std::string_view Compress(std::string_view body) {
    deflateReset(&stream_);
    compressed_.resize(deflateBound(&stream_, body.size()));
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(body.data()));
    stream_.avail_in = static_cast<uInt>(body.size());
    stream_.next_out = reinterpret_cast<Bytef*>(compressed_.data());
    stream_.avail_out = static_cast<uInt>(compressed_.size());
    deflate(&stream_, Z_FINISH);
    return std::string_view(compressed_).substr(0, stream_.total_out);
  }

 private:
  z_stream stream_ = {};
  bool ready_ = false;
  std::string compressed_;
};

struct OtlpHttpSender::Response {
  std::string body;
  char error[CURL_ERROR_SIZE] = "";
};

OtlpHttpOptions OtlpHttpOptionsOf(const filters::Config& config) {
  OtlpHttpOptions options;
  options.endpoint = config.otlp_endpoint;
  options.headers = config.otlp_headers;
  options.json = config.otlp_protocol == filters::OtlpProtocol::kHttpJson;
  options.gzip = config.otlp_compression == filters::OtlpCompression::kGzip;
  options.authorities = config.otlp_certificate;
  options.certificate = config.otlp_client_certificate;
  options.key = config.otlp_client_key;
  return options;
}

absl::StatusOr<std::unique_ptr<OtlpHttpSender>> OtlpHttpSender::Create(OtlpHttpOptions options) {
  if (absl::Status status = CheckOptions(options); !status.ok()) return status;
  std::unique_ptr<OtlpHttpSender> sender(new OtlpHttpSender(std::move(options)));
  if (!sender->Prepare()) return absl::UnavailableError("libcurl could not be initialized");
  return sender;
}

OtlpHttpSender::OtlpHttpSender(OtlpHttpOptions options)
    : options_(std::move(options)), limit_(Deadline::max().time_since_epoch().count()) {}

OtlpHttpSender::~OtlpHttpSender() {
  Rest();
  if (easy_ != nullptr) curl_easy_cleanup(easy_);
  curl_slist_free_all(static_cast<curl_slist*>(request_headers_));
}

bool OtlpHttpSender::Prepare() {
  // Once in a process and never undone: curl_global_cleanup would also take away what the program
  // itself uses.
  static const bool curl_works = [] {
    KeepTlsUntilTheEnd();
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  }();
  if (!curl_works) return false;
  easy_ = curl_easy_init();
  if (easy_ == nullptr) return false;

  curl_slist* headers = nullptr;
  const auto add_header = [&headers](const std::string& line) {
    curl_slist* longer = curl_slist_append(headers, line.c_str());
    if (longer != nullptr) headers = longer;
    return longer != nullptr;
  };
  bool added = add_header(options_.json ? "Content-Type: application/json"
                                        : "Content-Type: application/x-protobuf");
  if (options_.gzip) {
    gzip_ = std::make_unique<Gzip>();
    if (!gzip_->Initialize()) return false;
    added &= add_header("Content-Encoding: gzip");
  }
  added &= add_header("Expect:");  // no round trip before a large body
  for (const auto& [name, value] : options_.headers) {
    if (absl::EqualsIgnoreCase(name, "content-type") ||
        absl::EqualsIgnoreCase(name, "content-encoding")) {
      continue;
    }
    // curl's way to write a header without a value is a semicolon.
    added &= add_header(value.empty() ? name + ";" : absl::StrCat(name, ": ", value));
  }
  request_headers_ = headers;
  if (!added) return false;

  // Strings are copied by curl. NOSIGNAL: no SIGALRM, no handlers touched. QUICK_EXIT: a name
  // server that does not answer holds nobody up, its thread is left behind.
  return curl_easy_setopt(easy_, CURLOPT_URL, options_.endpoint.c_str()) == CURLE_OK &&
         curl_easy_setopt(easy_, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
         curl_easy_setopt(easy_, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
         curl_easy_setopt(easy_, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
         curl_easy_setopt(easy_, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK &&
         curl_easy_setopt(easy_, CURLOPT_POST, 1L) == CURLE_OK &&
         curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
         curl_easy_setopt(easy_, CURLOPT_USERAGENT, kUserAgent) == CURLE_OK &&
         curl_easy_setopt(easy_, CURLOPT_OPENSOCKETFUNCTION, OpenSocket) == CURLE_OK &&
         curl_easy_setopt(easy_, CURLOPT_WRITEFUNCTION, StoreBody) == CURLE_OK && SetFiles();
}

bool OtlpHttpSender::SetFiles() {
  const auto set = [this](CURLoption option, const std::string& path) {
    return path.empty() || curl_easy_setopt(easy_, option, path.c_str()) == CURLE_OK;
  };
  return set(CURLOPT_CAINFO, options_.authorities) && set(CURLOPT_SSLCERT, options_.certificate) &&
         set(CURLOPT_SSLKEY, options_.key);
}

SendResult OtlpHttpSender::Send(std::string_view body, Deadline deadline) {
  if (multi_ == nullptr) {
    const std::lock_guard lock(multi_mutex_);
    multi_ = curl_multi_init();
  }
  if (multi_ == nullptr) return {SendOutcome::kConnectionLost, 0, 0, "out of memory"};
  if (gzip_ != nullptr) body = gzip_->Compress(body);
  Response response;
  curl_easy_setopt(easy_, CURLOPT_POSTFIELDS, body.data());
  curl_easy_setopt(easy_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  curl_easy_setopt(easy_, CURLOPT_WRITEDATA, &response.body);
  curl_easy_setopt(easy_, CURLOPT_ERRORBUFFER, response.error);
  const absl::Cleanup forget_buffers = [this] {
    curl_easy_setopt(easy_, CURLOPT_POSTFIELDS, nullptr);
    curl_easy_setopt(easy_, CURLOPT_WRITEDATA, nullptr);
    curl_easy_setopt(easy_, CURLOPT_ERRORBUFFER, nullptr);
  };
  int code = CURLE_OK;
  const bool in_time = Perform(deadline, &code);
  return Describe(in_time, code, response);
}

bool OtlpHttpSender::Perform(Deadline deadline, int* code) {
  if (curl_multi_add_handle(multi_, easy_) != CURLM_OK) {
    *code = CURLE_OUT_OF_MEMORY;
    return true;
  }
  const absl::Cleanup remove = [this] { curl_multi_remove_handle(multi_, easy_); };
  for (;;) {
    int running = 0;
    if (curl_multi_perform(multi_, &running) != CURLM_OK) {
      *code = CURLE_OUT_OF_MEMORY;
      return true;
    }
    int messages = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_, &messages)) {
      if (message->msg != CURLMSG_DONE) continue;
      *code = message->data.result;
      return true;
    }
    const Deadline limit{Clock::duration(limit_.load(std::memory_order_acquire))};
    const auto left = std::min(deadline, limit) - Clock::now();
    if (left <= Clock::duration::zero()) return false;
    // LimitTo wakes the poll; a second at most, so that nothing depends on that.
    const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    curl_multi_poll(multi_, nullptr, 0, static_cast<int>(std::min<int64_t>(milliseconds, 1000)),
                    nullptr);
  }
}

void OtlpHttpSender::LimitTo(Deadline deadline) {
  limit_.store(deadline.time_since_epoch().count(), std::memory_order_release);
  const std::lock_guard lock(multi_mutex_);
  if (multi_ != nullptr) curl_multi_wakeup(multi_);
}

void OtlpHttpSender::Rest() {
  const std::lock_guard lock(multi_mutex_);
  if (multi_ == nullptr) return;
  curl_multi_cleanup(multi_);
  multi_ = nullptr;
}

SendResult OtlpHttpSender::Describe(bool in_time, int code, const Response& response) const {
  SendResult result;
  if (!in_time) {
    curl_off_t connected = 0;
    curl_easy_getinfo(easy_, CURLINFO_CONNECT_TIME_T, &connected);
    result.outcome = SendOutcome::kTimedOut;
    result.detail = connected > 0 ? "no answer in time" : "no connection in time";
    return result;
  }
  if (code != CURLE_OK) {
    long system_error = 0;
    curl_easy_getinfo(easy_, CURLINFO_OS_ERRNO, &system_error);
    result.outcome = OutcomeOf(static_cast<CURLcode>(code));
    if (result.outcome == SendOutcome::kCannotConnect && system_error != 0) {
      char buffer[128];
      result.detail = strerror_r(static_cast<int>(system_error), buffer, sizeof(buffer));
    } else {
      result.detail = WithoutSecrets(response.error[0] != '\0'
                                         ? response.error
                                         : curl_easy_strerror(static_cast<CURLcode>(code)));
    }
    return result;
  }
  long status = 0;
  const char* content_type = nullptr;
  curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(easy_, CURLINFO_CONTENT_TYPE, &content_type);
  const OtlpResponse parsed = ParseOtlpResponse(
      static_cast<int>(status), content_type != nullptr ? content_type : "", response.body);
  result.outcome =
      status >= 200 && status < 300 ? SendOutcome::kAccepted : SendOutcome::kHttpStatus;
  result.http_status = static_cast<int>(status);
  result.rejected_spans = parsed.rejected_spans;
  result.detail = WithoutSecrets(parsed.message);
  return result;
}

// Endpoints like to quote what they did not like.
std::string OtlpHttpSender::WithoutSecrets(std::string_view text) const {
  std::string shown(text);
  for (const auto& [name, value] : options_.headers) {
    if (value.size() < kShortestSecret) continue;
    absl::StrReplaceAll({{value, "****"}}, &shown);
    // "Bearer TOKEN": the token alone, too.
    const size_t blank = value.rfind(' ');
    if (blank != std::string::npos && value.size() - blank > kShortestSecret) {
      absl::StrReplaceAll({{value.substr(blank + 1), "****"}}, &shown);
    }
  }
  return shown;
}

std::string EndpointForPeople(std::string_view endpoint) {
  endpoint = endpoint.substr(0, endpoint.find_first_of("?#"));
  const size_t scheme_end = endpoint.find("://");
  if (scheme_end == std::string_view::npos) return std::string(endpoint);
  const size_t host = scheme_end + 3;
  const size_t path = std::min(endpoint.find('/', host), endpoint.size());
  const size_t at = endpoint.substr(0, path).rfind('@');
  if (at == std::string_view::npos || at < host) return std::string(endpoint);
  return std::string(endpoint.substr(0, host)).append(endpoint.substr(at + 1));
}

}  // namespace autotrace::exporter
