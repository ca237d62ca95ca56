#include "cli/terminal.h"

#include <pty.h>
#include <stdlib.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <string>

#include "cli/strings.h"

namespace autotrace::cli {
namespace {

// A terminal of 77 columns.
class PseudoTerminal {
 public:
  PseudoTerminal() {
    struct winsize size = {};
    size.ws_col = 77;
    size.ws_row = 20;
    REQUIRE(openpty(&master_, &slave_, nullptr, nullptr, &size) == 0);
    unsetenv("NO_COLOR");
    unsetenv("COLUMNS");
    setenv("TERM", "xterm", 1);
  }
  ~PseudoTerminal() {
    close(master_);
    close(slave_);
    unsetenv("NO_COLOR");
    unsetenv("COLUMNS");
  }
  int slave() const { return slave_; }

 private:
  int master_ = -1;
  int slave_ = -1;
};

TEST_CASE("a terminal has colour and its own width") {
  const PseudoTerminal pseudo;
  const Terminal terminal = DetectTerminal(pseudo.slave());
  CHECK(terminal.is_terminal);
  CHECK(terminal.colour);
  CHECK(terminal.columns == 77);
}

TEST_CASE("NO_COLOR and dumb terminals have no colour") {
  const PseudoTerminal pseudo;
  setenv("NO_COLOR", "1", 1);
  CHECK_FALSE(DetectTerminal(pseudo.slave()).colour);
  setenv("NO_COLOR", "", 1);  // no-color.org: only when not empty
  CHECK(DetectTerminal(pseudo.slave()).colour);
  setenv("TERM", "dumb", 1);
  CHECK_FALSE(DetectTerminal(pseudo.slave()).colour);
}

TEST_CASE("COLUMNS overrides the width") {
  const PseudoTerminal pseudo;
  setenv("COLUMNS", "120", 1);
  CHECK(DetectTerminal(pseudo.slave()).columns == 120);
  setenv("COLUMNS", "nonsense", 1);
  CHECK(DetectTerminal(pseudo.slave()).columns == 77);
}

TEST_CASE("a pipe has no colour and a hundred columns") {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  unsetenv("COLUMNS");
  const Terminal terminal = DetectTerminal(ends[1]);
  CHECK_FALSE(terminal.is_terminal);
  CHECK_FALSE(terminal.colour);
  CHECK(terminal.columns == 100);
  close(ends[0]);
  close(ends[1]);
}

// What a bar draws over three seconds.
std::string Drawn(bool is_terminal, bool is_slow) {
  char* text = nullptr;
  size_t size = 0;
  FILE* file = open_memstream(&text, &size);
  {
    ProgressBar::Clock::time_point now;
    ProgressBar bar("reading", file, is_terminal, [&now] { return now; });
    for (uint64_t step = 1; step <= 3; ++step) {
      now += is_slow ? std::chrono::milliseconds(900) : std::chrono::milliseconds(300);
      bar.Update(step << 20, 4 << 20);
    }
  }
  fclose(file);
  std::string drawn(text, size);
  free(text);
  return drawn;
}

TEST_CASE("a progress bar shows only on a terminal and after a second, and goes away") {
  CHECK(Drawn(false, true).empty());
  CHECK(Drawn(true, false).empty());
  const std::string drawn = Drawn(true, true);
  CHECK_FALSE(Contains(drawn, " 25%"));
  CHECK(Contains(drawn, " 50%"));
  CHECK(Contains(drawn, "3.0 MiB of 4.0 MiB"));
  CHECK(drawn.ends_with("\r\033[K"));
}

}  // namespace
}  // namespace autotrace::cli
