#include "cli/terminal.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "cli/strings.h"
#include "cli/text_format.h"

namespace autotrace::cli {
namespace {

constexpr size_t kFewestColumns = 40;
constexpr size_t kMostColumns = 1000;

bool IsSet(const char* name) {
  const char* value = getenv(name);
  return value != nullptr && *value != '\0';
}

}  // namespace

Terminal DetectTerminal(int descriptor) {
  Terminal terminal;
  terminal.is_terminal = isatty(descriptor) == 1;
  const char* kind = getenv("TERM");
  const bool is_dumb = kind == nullptr || *kind == '\0' || std::string_view(kind) == "dumb";
  terminal.colour = terminal.is_terminal && !is_dumb && !IsSet("NO_COLOR");
  struct winsize size = {};
  if (terminal.is_terminal && ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    terminal.columns = size.ws_col;
  }
  uint64_t columns = 0;
  const char* wanted = getenv("COLUMNS");
  if (wanted != nullptr && ParseNumber(wanted, &columns) && columns > 0) {
    terminal.columns = columns;
  }
  terminal.columns = std::clamp(terminal.columns, kFewestColumns, kMostColumns);
  return terminal;
}

std::string Styled(std::string_view text, Style style, bool colour) {
  if (!colour || style == Style::kPlain || text.empty()) return std::string(text);
  const char* code = "";
  switch (style) {
    case Style::kPlain:
      break;
    case Style::kDim:
      code = "\033[2m";
      break;
    case Style::kBold:
      code = "\033[1m";
      break;
    case Style::kRed:
      code = "\033[31m";
      break;
    case Style::kYellow:
      code = "\033[33m";
      break;
    case Style::kCyan:
      code = "\033[36m";
      break;
  }
  return code + std::string(text) + "\033[0m";
}

LineSink LinesTo(FILE* file) {
  return [file](std::string_view line) {
    fwrite(line.data(), 1, line.size(), file);
    fputc('\n', file);
  };
}

ProgressBar::ProgressBar(std::string label)
    : ProgressBar(std::move(label), stderr, isatty(STDERR_FILENO) == 1,
                  [] { return Clock::now(); }) {}

ProgressBar::ProgressBar(std::string label, FILE* file, bool is_terminal,
                         std::function<Clock::time_point()> now)
    : label_(std::move(label)),
      file_(file),
      is_terminal_(is_terminal),
      now_(std::move(now)),
      start_(now_()),
      last_drawn_(start_) {}

ProgressBar::~ProgressBar() {
  if (!is_drawn_) return;
  fputs("\r\033[K", file_);
  fflush(file_);
}

void ProgressBar::Update(uint64_t done, uint64_t total) {
  if (!is_terminal_) return;
  const Clock::time_point now = now_();
  if (now - start_ < std::chrono::seconds(1)) return;
  if (is_drawn_ && now - last_drawn_ < std::chrono::milliseconds(100)) return;
  last_drawn_ = now;
  is_drawn_ = true;
  constexpr size_t kBarColumns = 30;
  const double fraction =
      total == 0 ? 0 : std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
  const size_t filled = static_cast<size_t>(fraction * kBarColumns);
  const std::string bar = std::string(filled, '#') + std::string(kBarColumns - filled, '.');
  fprintf(file_, "\r\033[K%s [%s] %3d%%  %s of %s", label_.c_str(), bar.c_str(),
          static_cast<int>(fraction * 100), HumanBytes(done).c_str(), HumanBytes(total).c_str());
  fflush(file_);
}

}  // namespace autotrace::cli
