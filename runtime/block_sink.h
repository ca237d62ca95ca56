// Where drained blocks go: the run's segment files, the live exporter. Background thread only.
#ifndef AUTOTRACE_RUNTIME_BLOCK_SINK_H_
#define AUTOTRACE_RUNTIME_BLOCK_SINK_H_

#include <stddef.h>
#include <stdint.h>

#include <string_view>

#include "runtime/trace_format.h"

namespace autotrace {

// A block of records; its payload is head followed by body.
struct RecordsBlock {
  format::RecordsHeader head;
  std::string_view body;
  uint64_t spans;

  std::string_view head_bytes() const {
    return {reinterpret_cast<const char*>(&head), sizeof(head)};
  }
};

class BlockSink {
 public:
  virtual ~BlockSink() = default;
  // One block; its payload is head followed by body. `spans` is how many span records it holds.
  // Returns false when it could not be taken; the caller counts the spans as dropped.
  virtual bool Block(format::BlockKind kind, std::string_view head, std::string_view body,
                     uint64_t spans) = 0;
  // Several blocks of records in one go, which for files is several times as fast: as many of the
  // first as could be taken so; returns how many. The others are to be given one by one.
  virtual size_t RecordsAtOnce(const RecordsBlock* /*blocks*/, size_t /*count*/) { return 0; }
  // After a refusal: how large a block of records would be taken all the same, in bytes with its
  // header. 0: the cause is another one than size.
  virtual uint64_t Room() const { return 0; }
  // Records that Block refused, also in parts: they are not given again. True when they reach their
  // destination all the same; else the caller counts the spans as dropped.
  virtual bool Refused(std::string_view /*head*/, std::string_view /*body*/, uint64_t /*spans*/) {
    return false;
  }
  // The drainer has given all that was recorded when its present pass began.
  virtual void PassEnded() {}
  // Everything given so far is to reach its destination by then.
  virtual bool Flush(uint64_t timeout_nanos) = 0;
  // No more blocks.
  virtual void Close(uint64_t timeout_nanos) = 0;
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_BLOCK_SINK_H_
