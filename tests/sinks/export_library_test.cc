// libautotrace-cpp-export.so as the runtime uses it: loaded, fed with blocks, flushed and closed,
// against a receiver on the loopback interface.
#include <dlfcn.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <functional>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "exporter/export_abi.h"
#include "filters/config.h"
#include "filters/config_loader.h"
#include "tests/sinks/synthetic_stream.h"
#include "tests/sinks/test_program.h"

namespace autotrace {
namespace {

using std::chrono::seconds;
using test::ProgramResult;
using test::Receiver;
using test::StreamBlock;
using Clock = std::chrono::steady_clock;

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kMillisecond = 1'000'000;

// The log callback takes no context.
std::mutex log_mutex;
std::vector<std::string> log_lines;

void Log(const char* line) {
  const std::lock_guard lock(log_mutex);
  log_lines.emplace_back(line);
}

template <typename Function>
Function Load(const char* name) {
  void* library = dlopen(AUTOTRACE_EXPORT_LIBRARY, RTLD_NOW | RTLD_LOCAL);
  INFO((library == nullptr ? dlerror() : ""));
  REQUIRE(library != nullptr);
  auto* function = reinterpret_cast<Function>(dlsym(library, name));
  REQUIRE(function != nullptr);
  return function;
}

std::string Yaml(const std::string& endpoint, uint64_t request_timeout) {
  filters::Config config;
  config.active = true;
  config.otlp_timeout = request_timeout;
  config.otlp_endpoint = endpoint;
  config.otlp_headers = {{"authorization", "Bearer s3cr3t-token"}};
  return filters::ToYaml(config, /*with_secrets=*/true);
}

class Exporter {
 public:
  // `keeps`: what is handed in is kept until it was sent.
  explicit Exporter(const std::string& endpoint, bool keeps = false,
                    uint64_t request_timeout = 10 * kSecond) {
    log_lines.clear();
    const autotrace_export_host host = {Log, keeps ? Sent : nullptr, this};
    handle_ = Load<autotrace_export_open_t>("autotrace_export_open")(
        AUTOTRACE_EXPORT_ABI_VERSION, Yaml(endpoint, request_timeout).c_str(), &host);
    const std::lock_guard lock(log_mutex);
    INFO((log_lines.empty() ? std::string() : log_lines[0]));
    REQUIRE(handle_ != nullptr);
  }
  ~Exporter() { Close(0); }

  int Block(const StreamBlock& block, uint64_t begin = 0, uint64_t end = 0) {
    return block_(handle_, block.kind, block.payload.data(), block.payload.size(), begin, end);
  }
  void Blocks(const std::vector<StreamBlock>& blocks) {
    for (const StreamBlock& block : blocks) Block(block);
  }
  // A root with this many children, in blocks of at most 1000.
  void Trace(uint64_t children) {
    Blocks(test::StreamHead());
    for (uint64_t sent = 0; sent < children; sent += 1000) {
      Block(test::StreamChildren(2 + sent, std::min<uint64_t>(1000, children - sent)));
    }
    Blocks(test::StreamTail());
  }
  int Flush(uint64_t timeout) {
    return Load<autotrace_export_flush_t>("autotrace_export_flush")(handle_, timeout);
  }
  autotrace_export_counts Counts() {
    autotrace_export_counts counts;
    Load<autotrace_export_count_t>("autotrace_export_count")(handle_, &counts);
    return counts;
  }
  uint64_t Dropped() { return Counts().dropped; }
  // The final counts.
  autotrace_export_counts Close(uint64_t timeout) {
    autotrace_export_counts counts = {};
    if (handle_ != nullptr) {
      Load<autotrace_export_close_t>("autotrace_export_close")(handle_, timeout, &counts);
    }
    handle_ = nullptr;
    return counts;
  }

  // What the exporter told last of what was sent. Read after Close.
  uint64_t sent_position = 0;
  uint64_t sent_spans = 0;

 private:
  static void Sent(void* context, uint64_t position, uint64_t spans) {
    static_cast<Exporter*>(context)->sent_position = position;
    static_cast<Exporter*>(context)->sent_spans = spans;
  }

  const autotrace_export_block_t block_ = Load<autotrace_export_block_t>("autotrace_export_block");
  autotrace_exporter* handle_ = nullptr;
};

std::string Summary(const Receiver& receiver) {
  std::vector<std::string> arguments = {"protobuf"};
  for (const std::string& path : receiver.bodies()) arguments.push_back(path);
  if (arguments.size() == 1) return "nothing arrived";
  arguments.emplace_back("--summary");
  return test::RunScript("check_otlp.py", arguments).output;
}

TEST_CASE("all spans of a program arrive, once, in batches of 512") {
  const Receiver receiver;
  Exporter exporter(receiver.url());
  exporter.Trace(10'000);
  CHECK(exporter.Flush(60 * kSecond) == 0);
  CHECK(exporter.Dropped() == 0);
  CHECK(Summary(receiver) == "requests=20 largest=512 spans=10001 traces=1 roots=1 orphans=0\n");
  exporter.Close(60 * kSecond);
  CHECK(receiver.bodies().size() == 20);
  CHECK(log_lines.empty());
}

TEST_CASE("closing sends what is left") {
  const Receiver receiver;
  Exporter exporter(receiver.url());
  exporter.Trace(3);
  exporter.Close(60 * kSecond);
  CHECK(Summary(receiver) == "requests=1 largest=4 spans=4 traces=1 roots=1 orphans=0\n");
  CHECK(receiver.headers(0).find("Bearer s3cr3t-token") != std::string::npos);
}

TEST_CASE("spans leave a second after they ended, without a flush") {
  const Receiver receiver;
  Exporter exporter(receiver.url());
  exporter.Trace(3);
  const auto deadline = Clock::now() + seconds(30);
  while (receiver.bodies().empty() && Clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  CHECK(receiver.bodies().size() == 1);
}

TEST_CASE("a stalled endpoint holds nobody up: blocks are taken, closing ends in time") {
  const Receiver receiver({"--stall"});
  Exporter exporter(receiver.url());
  auto start = Clock::now();
  exporter.Trace(10'000);
  CHECK(Clock::now() - start < seconds(20));  // the receiver never answers
  start = Clock::now();
  CHECK(exporter.Flush(50 * kMillisecond) == -1);
  exporter.Close(300 * kMillisecond);
  CHECK(Clock::now() - start >= std::chrono::milliseconds(350));
  CHECK(Clock::now() - start < seconds(5));
  REQUIRE(log_lines.size() == 2);
  CHECK(log_lines[0].find("timed out (no answer in time)") != std::string::npos);
  CHECK(log_lines[1].find("10001 spans did not reach http://127.0.0.1") == 0);
}

TEST_CASE("what does not fit into the queue is dropped and counted") {
  const Receiver receiver({"--stall"});
  // None is given up before all are there, however slow the machine is.
  Exporter exporter(receiver.url(), /*keeps=*/false, 300 * kSecond);
  // More than 32 MiB of requests.
  exporter.Trace(300'000);
  const uint64_t dropped = exporter.Dropped();
  CHECK(dropped > 10'000);
  CHECK(dropped < 300'000);
  exporter.Close(0);
  REQUIRE_FALSE(log_lines.empty());
  CHECK(log_lines.back().find("300001 spans did not reach") == 0);
  CHECK(log_lines.back().find(std::to_string(dropped) + " queue full") != std::string::npos);
}

TEST_CASE("an endpoint that refuses connections is one line, and a count at the end") {
  const Receiver receiver({"--refuse"});
  Exporter exporter(receiver.url());
  exporter.Trace(5'000);
  CHECK(exporter.Flush(60 * kSecond) == -1);
  CHECK(exporter.Dropped() == 0);  // it may come back
  REQUIRE(log_lines.size() == 1);
  CHECK(log_lines[0].find("cannot send spans to " + receiver.url() + ": cannot connect") == 0);
  const auto start = Clock::now();
  CHECK(exporter.Close(60 * kSecond).dropped == 5'001);
  CHECK(Clock::now() - start < seconds(20));
  REQUIRE(log_lines.size() == 2);
  CHECK(log_lines[1] == "5001 spans did not reach " + receiver.url() + ": 5001 unsent at the end");
}

TEST_CASE("spans that are kept are unsent at the end, not dropped, and a full queue says so") {
  const Receiver receiver({"--refuse"});
  Exporter exporter(receiver.url(), /*keeps=*/true);
  uint64_t position = 100;
  for (const StreamBlock& block : test::StreamHead()) {
    CHECK(exporter.Block(block, position, position + 8) == 0);
    position += 8;
  }
  uint64_t handed_in = 0;
  while (handed_in < 300'000 &&
         exporter.Block(test::StreamChildren(2 + handed_in, 1000), position, position + 8) == 0) {
    handed_in += 1000;
    position += 8;
  }
  CHECK(handed_in < 300'000);  // more than 32 MiB of requests
  // From then on no block is taken.
  CHECK(exporter.Block(test::StreamChildren(500'000, 1), position, position + 8) == -1);
  const autotrace_export_counts counts = exporter.Close(60 * kSecond);
  CHECK(counts.unsent == handed_in);
  CHECK(counts.dropped == 0);
  CHECK(exporter.sent_position == 0);
  for (const std::string& line : log_lines) CHECK(line.find("did not reach") == std::string::npos);
}

TEST_CASE("an endpoint that has what was kept is told by its place") {
  const Receiver receiver;
  Exporter exporter(receiver.url(), /*keeps=*/true);
  for (const StreamBlock& block : test::StreamHead()) exporter.Block(block, 100, 200);
  exporter.Block(test::StreamChildren(2, 700), 200, 300);
  CHECK(exporter.Flush(60 * kSecond) == 0);
  const autotrace_export_counts counts = exporter.Close(60 * kSecond);
  CHECK(counts.unsent == 0);
  CHECK(exporter.sent_position == 300);
  CHECK(exporter.sent_spans == 0);
  CHECK(Summary(receiver) == "requests=3 largest=512 spans=701 traces=1 roots=1 orphans=0\n");
}

TEST_CASE("an endpoint that answers with an error is one line for each status") {
  for (const char* status : {"400", "503"}) {
    const Receiver receiver(
        {"--answer", status, "--content-type", "text/plain", "--echo-header", "authorization"});
    Exporter exporter(receiver.url());
    exporter.Trace(2'000);
    exporter.Close(2 * kSecond);  // 503 is tried again for as long
    REQUIRE(log_lines.size() == 2);
    CHECK(log_lines[0].find(std::string("HTTP status ") + status + " (refused: ****)") !=
          std::string::npos);
    CHECK(log_lines[1].find("2001 spans did not reach") == 0);
  }
}

TEST_CASE("spans that are open at the end go out as unfinished") {
  const Receiver receiver;
  Exporter exporter(receiver.url());
  exporter.Blocks(test::StreamHead());
  exporter.Block(test::StreamChildren(2, 3));
  exporter.Block(test::StreamOpenRoot());
  exporter.Close(60 * kSecond);
  CHECK(Summary(receiver) == "requests=1 largest=4 spans=4 traces=1 roots=1 orphans=0\n");
  const ProgramResult decoded =
      test::RunScript("check_otlp.py", {"protobuf", receiver.bodies()[0]});
  CHECK(decoded.output.find("autotrace.unfinished") != std::string::npos);
}

TEST_CASE("a damaged block is one line and does not stop the others") {
  const Receiver receiver;
  Exporter exporter(receiver.url());
  exporter.Blocks(test::StreamHead());
  StreamBlock damaged = test::StreamChildren(2, 3);
  damaged.payload.resize(10);
  exporter.Block(damaged);
  exporter.Block(damaged);
  exporter.Block(test::StreamChildren(10, 3));
  exporter.Blocks(test::StreamTail());
  exporter.Close(60 * kSecond);
  CHECK(Summary(receiver).find("spans=4 ") != std::string::npos);
  REQUIRE(log_lines.size() == 1);
  CHECK(log_lines[0].find("could not be decoded") != std::string::npos);
}

TEST_CASE("what cannot work is refused with a reason") {
  const auto open = Load<autotrace_export_open_t>("autotrace_export_open");
  const autotrace_export_host host = {Log, nullptr, nullptr};
  const auto refused = [&](uint32_t version, const std::string& yaml) {
    log_lines.clear();
    CHECK(open(version, yaml.c_str(), &host) == nullptr);
    REQUIRE(log_lines.size() == 1);
    return log_lines[0];
  };
  CHECK(refused(AUTOTRACE_EXPORT_ABI_VERSION + 1, "").find("version") != std::string::npos);
  CHECK(refused(AUTOTRACE_EXPORT_ABI_VERSION, "modules: [\n").find("configuration") !=
        std::string::npos);
  CHECK(refused(AUTOTRACE_EXPORT_ABI_VERSION, "").find("without an OTLP endpoint") !=
        std::string::npos);
}

// The address sanitizer's allocator takes no care of a fork: a lock that one of the exporter's
// threads holds at that moment stays locked in the child.
#if !defined(__SANITIZE_ADDRESS__)
TEST_CASE("in a forked child an exporter does nothing and does not hang") {
  const Receiver receiver;
  Exporter exporter(receiver.url());
  exporter.Blocks(test::StreamHead());
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    exporter.Block(test::StreamChildren(2, 3));
    const bool refused = exporter.Flush(10 * kSecond) == -1 && exporter.Dropped() == 0;
    exporter.Close(10 * kSecond);
    _exit(refused ? 0 : 1);
  }
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  exporter.Blocks(test::StreamTail());
  exporter.Close(60 * kSecond);
  CHECK(Summary(receiver) == "requests=1 largest=1 spans=1 traces=1 roots=1 orphans=0\n");
}
#endif

TEST_CASE("the library exports the functions of its interface and nothing else") {
  const ProgramResult result =
      test::RunProgram({"nm", "--dynamic", "--defined-only", AUTOTRACE_EXPORT_LIBRARY});
  REQUIRE(result.status == 0);
  std::istringstream lines(result.output);
  int functions = 0;
  for (std::string line; std::getline(lines, line);) {
    INFO(line);
    if (line.find(" A AUTOTRACE_EXPORT_1") != std::string::npos) continue;
    CHECK(line.find(" T autotrace_export_") != std::string::npos);
    ++functions;
  }
  CHECK(functions == 5);
}

}  // namespace
}  // namespace autotrace
