// What traced threads left in a ring (or a reader took out of it), read by the layouts of
// runtime/trace_format.h alone, and checked for what must hold for every recording.
#ifndef AUTOTRACE_TESTS_RUNTIME_RECORDED_SPANS_H_
#define AUTOTRACE_TESTS_RUNTIME_RECORDED_SPANS_H_

#include <stdint.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/ring.h"
#include "runtime/trace_format.h"

namespace autotrace::test {

struct RecordedSpan {
  uint64_t function = 0;
  uint64_t start = 0;  // the clock's low 48 bits
  uint64_t duration = 0;
  uint64_t sequence = 0;
  uint64_t parent = 0;
  uint64_t call_site = 0;  // 0 when not recorded
  uint16_t flags = 0;
  uint32_t thread_index = 0;
  uint64_t root_sequence = 0;  // of the trace it was written in; its own when alone

  uint64_t end() const { return start + duration; }
};

struct RecordedTrace {
  format::TraceBegin begin = {};
  uint16_t flags = 0;
  uint32_t thread_index = 0;
};

struct RecordedExtension {
  format::ExtensionType type = format::ExtensionType::kName;
  uint64_t sequence = 0;
  std::string payload;
};

class RecordedSpans {
 public:
  // The records of one piece of one thread's stream; pieces are to come in order. Fails the test
  // when they do not follow the format.
  void AddRecords(uint32_t thread_index, std::string_view records);
  // The same, when `records` begins a chunk: what follows must not need anything before it.
  void AddChunk(uint32_t thread_index, std::string_view records);

  // Traces in the order of their roots' starts, "a(b c(d)) | e"; children in the order of their
  // starts. A span that is not plain is followed by a mark: ! missed exit, ~ unfinished, * error.
  // A manual span shows as #[its name], a root below a span of another stack or thread as @ and its
  // tree.
  std::string Trees() const;
  // Fails the test unless sequences are unique, every parent is there, on the same thread, in the
  // same trace, encloses its child, and roots are what their trace says.
  void CheckConsistency() const;

  const std::vector<RecordedSpan>& spans() const { return spans_; }
  const std::vector<RecordedTrace>& traces() const { return traces_; }
  const std::vector<RecordedExtension>& extensions() const { return extensions_; }
  // Spans of the function that trees show as `name`, in the order in which they were written.
  std::vector<RecordedSpan> Of(char name) const;
  std::string NameOfManual(uint64_t sequence) const;
  // The value of an attribute, its pieces joined.
  std::string AttributeOf(uint64_t sequence, std::string_view key) const;

 private:
  std::string Tree(const RecordedSpan& span) const;
  // The parent of a root, which is on another stack or thread; 0: none.
  uint64_t OuterParentOf(const RecordedSpan& root) const;

  std::vector<RecordedSpan> spans_;
  std::vector<RecordedTrace> traces_;
  std::vector<RecordedExtension> extensions_;
  std::map<uint32_t, uint64_t> current_root_;  // by thread
};

// All chunks that are in use, in each thread's order.
RecordedSpans ReadRing(Ring* ring);

}  // namespace autotrace::test

#endif  // AUTOTRACE_TESTS_RUNTIME_RECORDED_SPANS_H_
