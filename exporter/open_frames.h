// The calls that one thread was last seen inside of, and which of them have ended since. What is
// left at the end of a process's data becomes unfinished spans.
#ifndef AUTOTRACE_EXPORTER_OPEN_FRAMES_H_
#define AUTOTRACE_EXPORTER_OPEN_FRAMES_H_

#include <stdint.h>

#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "runtime/trace_format.h"

namespace autotrace::exporter {

class OpenFrames {
 public:
  struct Frame {
    format::OpenFrame frame;
    bool closed = false;  // its own record was seen
  };

  // A kOpenFrames block of this thread. Replaces the frames if it is newer; one that comes again
  // does not open frames that ended meanwhile.
  absl::Status Replace(const format::OpenFramesHeader& header, std::string_view frames);

  // A span record of this thread: the frame that it closes is no longer open. Start in ticks.
  void Close(uint64_t function, uint64_t start, uint64_t sequence) {
    if (start <= latest_start_) CloseFrame(function, start, sequence);
  }
  // A root got its sequence: the frame it is gets it, too.
  void Identify(uint64_t function, uint64_t start, uint64_t sequence);

  // Outermost first.
  std::vector<Frame>& frames() { return frames_; }
  const format::OpenFramesHeader& header() const { return header_; }

 private:
  void CloseFrame(uint64_t function, uint64_t start, uint64_t sequence);
  Frame* Find(uint64_t function, uint64_t start, uint64_t sequence);

  format::OpenFramesHeader header_{};
  bool is_set_ = false;
  std::vector<Frame> frames_;
  uint64_t latest_start_ = 0;  // most spans began later, so that one comparison does for them
};

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_OPEN_FRAMES_H_
