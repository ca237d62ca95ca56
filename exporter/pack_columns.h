// Spans as columns: each field of consecutive records in a stream of its own, as its difference
// from what the records before let one expect, so that a compressor finds little left to store.
//
//   field       expected to be                                 stream holds
//   sequence    the thread's last one + 1, or the last parent  which of these, else the difference
//   parent      that of the span before, or of the last span   which of these, else the difference
//               of the same function                           from the span's own sequence
//   function    one of those seen before                       its number
//   call site   one of that function's                         its number
//   start, end  of a span without children: begins where the   differences, in clock ticks
//               last one ended; with children: begins with
//               the first of them and ends with the last
//
// Lossless for every record that is as docs/trace-format.md says; what is not is refused. One
// writer and one reader, with the same expectations. Not thread-safe.
#ifndef AUTOTRACE_EXPORTER_PACK_COLUMNS_H_
#define AUTOTRACE_EXPORTER_PACK_COLUMNS_H_

#include <stddef.h>
#include <stdint.h>

#include <array>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace autotrace::exporter {

enum class PackColumn : uint8_t {
  kShape,       // a byte per record: kind, and how sequence and parent are given
  kFlags,       // of spans
  kFunction,    // number
  kCallSite,    // number
  kSequence,    // differences
  kParent,      // differences
  kLeafStart,   // differences
  kDuration,    // of spans without children
  kOuterStart,  // differences, of spans with children
  kOuterEnd,    // differences
  kAddress,     // of functions and call sites, when first seen
  kOther,       // other records, as they are
  kCount,
};
inline constexpr size_t kPackColumns = static_cast<size_t>(PackColumn::kCount);

using PackColumns = std::array<std::string, kPackColumns>;

// What both sides expect; alike after the same records.
class SpanExpectations {
 public:
  struct Thread {
    uint64_t last_sequence = 0;
    uint64_t last_parent = 0;
    uint64_t last_end = 0;
  };
  struct Function {
    uint64_t address = 0;
    uint64_t last_parent = 0;
    std::vector<uint64_t> call_sites;
    std::unordered_map<uint64_t, size_t> call_site_numbers;
  };

  Thread& ThreadOf(uint32_t index) { return threads_[index]; }

  std::vector<Function> functions;
  std::unordered_map<uint64_t, size_t> function_numbers;
  // Of spans that were named as a parent and have not come yet: when their first child began.
  std::unordered_map<uint64_t, uint64_t> first_child_starts;

 private:
  std::unordered_map<uint32_t, Thread> threads_;
};

class PackColumnWriter {
 public:
  // The records of one kRecords block. False when one is not well formed; what was added by then is
  // of no use any more.
  bool Add(uint32_t thread_index, std::string_view records);
  const PackColumns& columns() const { return columns_; }

 private:
  bool AddSpan(SpanExpectations::Thread* thread, std::string_view record);
  std::string& column(PackColumn which) { return columns_[static_cast<size_t>(which)]; }

  PackColumns columns_;
  SpanExpectations expected_;
};

class PackColumnReader {
 public:
  explicit PackColumnReader(const PackColumns& columns);
  // The records of the next block, `bytes` of them. False when the columns do not hold them.
  bool Take(uint32_t thread_index, size_t bytes, std::string* records);

 private:
  bool TakeSpan(SpanExpectations::Thread* thread, uint8_t shape, std::string* records);
  bool TakeOther(std::string* records);
  bool TakeNumber(PackColumn which, uint64_t* number);
  bool TakeDifference(PackColumn which, uint64_t* difference);
  bool TakeFunction(SpanExpectations::Function** function);
  bool TakeCallSite(SpanExpectations::Function* function, uint64_t* call_site);
  std::string_view& column(PackColumn which) { return rest_[static_cast<size_t>(which)]; }

  std::array<std::string_view, kPackColumns> rest_;
  SpanExpectations expected_;
};

// Unsigned numbers in groups of seven bits, lowest first; the top bit says that another one
// follows.
void AppendNumber(std::string* bytes, uint64_t number);
bool TakeNumber(std::string_view* bytes, uint64_t* number);

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_PACK_COLUMNS_H_
