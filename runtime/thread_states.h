// What the records of each thread so far leave open: traces whose roots have not ended, and what
// extensions said of spans whose records have not come. A segment begins with it (kThreadState), so
// that it can be read when the ones before it are gone.
//
// Follows records exactly as readers do (docs/trace-format.md, 7). Background thread only.
#ifndef AUTOTRACE_RUNTIME_THREAD_STATES_H_
#define AUTOTRACE_RUNTIME_THREAD_STATES_H_

#include <stddef.h>
#include <stdint.h>

#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "runtime/trace_format.h"

namespace autotrace {

class ThreadStates {
 public:
  // The records of a kRecords block. Blocks of one thread come in their order.
  void Add(uint32_t thread_index, std::string_view records);
  // No more records of this thread follow.
  void Forget(uint32_t thread_index) { threads_.erase(thread_index); }
  // kThreadState blocks of threads of which something is open.
  void AppendBlocks(std::string* blocks) const;

 private:
  // As many roots as readers keep open, and details that beginnings of segments have room for.
  static constexpr size_t kMostRoots = 4096;
  static constexpr size_t kMostDetailBytes = 512 << 10;

  struct Thread {
    std::vector<format::TraceBegin> roots;  // open, in the order in which they were begun last
    bool has_current = false;               // the last root's trace is the current one
    // Extension records by the span's sequence.
    std::unordered_map<uint64_t, std::string> details;
    // The last exception that was described: spans that it leaves later refer to it.
    std::string exception;
  };
  // Extensions of one block whose spans have not come, as views into the block.
  struct Fresh {
    uint64_t sequence;
    std::string_view record;
  };

  bool IsOrdinary(const Thread& thread, uint64_t head, std::string_view record) const;
  void Begin(Thread* thread, std::string_view record);
  void Extend(Thread* thread, uint64_t head, std::string_view record);
  void End(Thread* thread, uint64_t head, std::string_view record);
  void ForgetDetails(Thread* thread);
  void Keep(Thread* thread, const Fresh& extension);

  std::map<uint32_t, Thread> threads_;  // by index
  std::vector<Fresh> fresh_;
  size_t detail_bytes_ = 0;
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_THREAD_STATES_H_
