// Where the binaries lie that stay loaded as long as the program: itself and the libraries that it
// was linked to, directly or by others of them. All else can be unloaded. What was preloaded counts
// as that, too, because nothing tells it from what an early constructor opened.
#ifndef AUTOTRACE_RUNTIME_LASTING_CODE_H_
#define AUTOTRACE_RUNTIME_LASTING_CODE_H_

#include <stdint.h>

#include <vector>

namespace autotrace {

class LastingCode {
 public:
  // Looks for them. At start, before anybody asks.
  void Find();

  // Async-signal-safe.
  bool Contains(uint64_t address) const;

 private:
  struct Range {
    uint64_t start;
    uint64_t end;
  };
  std::vector<Range> ranges_;  // sorted; they do not overlap
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_LASTING_CODE_H_
