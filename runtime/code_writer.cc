#include "runtime/code_writer.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#include <algorithm>

#include "symbolizer/raw_syscalls.h"

namespace autotrace {
namespace {

constexpr uint64_t kPage = 4096;
// Pages closer together than this are made writable in one go.
constexpr uint64_t kNear = 16 * kPage;

bool Protect(uint64_t begin, uint64_t end, int protection) {
  return raw::Syscall(SYS_mprotect, static_cast<long>(begin), static_cast<long>(end - begin),
                      protection) == 0;
}

// (ThreadSanitizer keeps no state for code.)
__attribute__((noinline, no_sanitize("thread"))) void Store(CodeChange* change) {
  auto* byte = reinterpret_cast<uint8_t*>(change->address);
  uint8_t expected = change->from;
  change->made = __atomic_compare_exchange_n(byte, &expected, change->to, /*weak=*/false,
                                             __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

}  // namespace

bool ChangeCode(std::vector<CodeChange>* changes, int protection) {
  std::sort(changes->begin(), changes->end(),
            [](const CodeChange& a, const CodeChange& b) { return a.address < b.address; });
  bool all = true;
  for (size_t first = 0; first < changes->size();) {
    const uint64_t begin = (*changes)[first].address / kPage * kPage;
    uint64_t end = begin + kPage;
    size_t last = first;
    for (; last < changes->size() && (*changes)[last].address < end + kNear; ++last) {
      end = (*changes)[last].address / kPage * kPage + kPage;
    }
    if (Protect(begin, end, protection | PROT_WRITE)) {
      std::for_each(changes->begin() + static_cast<ptrdiff_t>(first),
                    changes->begin() + static_cast<ptrdiff_t>(last),
                    [](CodeChange& change) { Store(&change); });
      Protect(begin, end, protection);
    } else {
      all = false;
    }
    first = last;
  }
  return all;
}

}  // namespace autotrace
