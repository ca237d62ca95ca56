// spdlog and fmt, both header-only: formats of all kinds, a logger that several threads write to,
// and errors in formats, which are exceptions.
#define FMT_HEADER_ONLY
#include <fmt/ranges.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr int kThreads = 4;
constexpr int kLines = 25;

struct Point {
  int x;
  int y;
};

}  // namespace

template <>
struct fmt::formatter<Point> {
  constexpr auto parse(format_parse_context& context) { return context.begin(); }
  auto format(const Point& point, format_context& context) const {
    if (point.x < 0) throw std::runtime_error("negative");
    return fmt::format_to(context.out(), "<{}, {}>", point.x, point.y);
  }
};

namespace {

void Formats(spdlog::logger* logger) {
  const std::map<std::string, std::vector<int>> map = {{"a", {1, 2}}, {"b", {}}};
  for (int i = 0; i < 40; ++i) {
    logger->info("{:>8} {:#x} {:08.3f} {:e} {}", i, i * 31, i / 3.0, i * 1e10, "text");
    logger->warn("{} {} {:*^12}", map, Point{i, -i}, i % 2 == 0);
    logger->debug("not shown {}", i);
  }
  logger->error("{}", Point{-1, 0});  // caught by the logger, told to its error handler
  for (const char* text : {"{", "{:d}", "{0} {}", "{7}"}) {
    try {
      const std::string formatted = fmt::format(fmt::runtime(text), "word");
      printf("%s\n", formatted.c_str());
    } catch (const fmt::format_error& error) {
      printf("%s: %s\n", text, error.what());
    }
  }
}

void LogFromThreads(const std::shared_ptr<spdlog::logger>& logger) {
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([logger, thread] {
      for (int line = 0; line < kLines; ++line) {
        logger->info("thread {} line {:3} of {}", thread, line, kLines);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace

int main() {
  std::ostringstream text;
  const auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(text);
  const auto logger = std::make_shared<spdlog::logger>("plain", sink);
  int errors = 0;
  logger->set_pattern("[%n] [%^%l%$] %v");
  logger->set_error_handler([&errors](const std::string&) { ++errors; });
  Formats(logger.get());
  LogFromThreads(logger);
  printf("%zu bytes, %d errors\n", text.str().size(), errors);
}
