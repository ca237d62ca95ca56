// What the command may do to its output: how wide it is and whether it may have colour; and a
// progress bar that only people see.
#ifndef AUTOTRACE_CLI_TERMINAL_H_
#define AUTOTRACE_CLI_TERMINAL_H_

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

namespace autotrace::cli {

inline constexpr size_t kDefaultColumns = 100;

struct Terminal {
  bool is_terminal = false;
  bool colour = false;
  size_t columns = kDefaultColumns;
};

// Of an open descriptor. Colour needs a terminal that is not "dumb" and no NO_COLOR in the
// environment (no-color.org: set and not empty). COLUMNS in the environment overrides the width.
Terminal DetectTerminal(int descriptor);

enum class Style : uint8_t { kPlain, kDim, kBold, kRed, kYellow, kCyan };

// `text` in a style, or as it is without colour.
std::string Styled(std::string_view text, Style style, bool colour);

// Takes lines without their line ends.
using LineSink = std::function<void(std::string_view line)>;
// Writes lines to an open file.
LineSink LinesTo(FILE* file);

// A bar on stderr, drawn from the first second on, when stderr is a terminal; gone when done.
class ProgressBar {
 public:
  using Clock = std::chrono::steady_clock;

  // `label` says what is being done: "reading".
  explicit ProgressBar(std::string label);
  // For tests: draws into `file` as if it were a terminal.
  ProgressBar(std::string label, FILE* file, bool is_terminal,
              std::function<Clock::time_point()> now);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void Update(uint64_t done, uint64_t total);

 private:
  const std::string label_;
  FILE* const file_;
  const bool is_terminal_;
  const std::function<Clock::time_point()> now_;
  const Clock::time_point start_;
  Clock::time_point last_drawn_;
  bool is_drawn_ = false;
};

}  // namespace autotrace::cli

#endif  // AUTOTRACE_CLI_TERMINAL_H_
