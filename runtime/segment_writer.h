// Writes blocks to a run's folder: one process's segment files, each readable alone.
//
// A segment starts with the process, module and function blocks known so far. When the run is
// larger than its limit, this process's oldest segments go and their spans are counted. Writes are
// write(2), never a mapping, so a full disk is an error code and not a signal, on any thread. The
// descriptor is checked before use: programs close descriptors that they do not know (closefrom).
// Background thread only, after the constructor.
#ifndef AUTOTRACE_RUNTIME_SEGMENT_WRITER_H_
#define AUTOTRACE_RUNTIME_SEGMENT_WRITER_H_

#include <stdint.h>
#include <sys/types.h>

#include <deque>
#include <map>
#include <string>
#include <string_view>

#include "runtime/block_sink.h"

namespace autotrace {

class SegmentWriter final : public BlockSink {
 public:
  struct Options {
    std::string folder;  // of the run; exists
    uint64_t process_key = 0;
    uint64_t max_run_bytes = uint64_t{1} << 30;
    uint64_t segment_bytes = uint64_t{64} << 20;
  };

  // Opens the first segment. See error() for why it failed.
  explicit SegmentWriter(const Options& options);
  ~SegmentWriter() override;

  bool Block(format::BlockKind kind, std::string_view head, std::string_view body,
             uint64_t spans) override;
  bool Flush(uint64_t timeout_nanos) override;
  void Close(uint64_t timeout_nanos) override;

  bool ok() const { return error_ == 0; }
  int error() const { return error_; }  // errno of the first failure
  // Spans in segments that were removed to keep to the limit.
  uint64_t removed_spans() const { return removed_spans_; }
  // "<folder>/<pid>-<key>", to which suffixes are added.
  const std::string& stem() const { return stem_; }

 private:
  struct Segment {
    uint32_t index;
    uint64_t bytes;
    uint64_t spans;
  };

  std::string PathOf(uint32_t index) const;
  bool OpenNext();
  // The header and what every segment repeats.
  bool WriteBeginning();
  void AddToBeginning(format::BlockKind kind, std::string_view payload);
  bool Reopen();
  bool IsStillOurs() const;
  bool Write(std::string_view head, std::string_view body, std::string_view tail);
  bool WriteBlock(format::BlockKind kind, std::string_view head, std::string_view body);
  void KeepToLimit();
  uint64_t OtherProcessesBytes() const;

  Options options_;
  std::string stem_;
  // Blocks that every segment starts with. Of modules that come and go again and again only the
  // last coming and the last going, or segments would in the end hold nothing else.
  std::string preamble_;
  struct ModuleBlocks {
    std::string loaded;
    std::string unloaded;
  };
  std::map<uint32_t, ModuleBlocks> modules_;  // by id
  std::string clock_;                         // the latest kClock block, with which it ends
  std::deque<Segment> segments_;
  uint64_t own_bytes_ = 0;
  uint64_t removed_spans_ = 0;
  int file_ = -1;
  dev_t device_ = 0;
  ino_t inode_ = 0;
  int error_ = 0;
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_SEGMENT_WRITER_H_
