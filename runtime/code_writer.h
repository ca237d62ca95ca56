// Changes single bytes of code while other threads run it.
//
// A byte is stored at once and the instruction it belongs to keeps its length, so whoever runs it
// meanwhile executes the old instruction or the new one. The pages stay executable throughout; they
// are writable only while bytes are stored. Background thread only.
#ifndef AUTOTRACE_RUNTIME_CODE_WRITER_H_
#define AUTOTRACE_RUNTIME_CODE_WRITER_H_

#include <stddef.h>
#include <stdint.h>

#include <vector>

namespace autotrace {

struct CodeChange {
  uint64_t address;
  uint8_t from;
  uint8_t to;
  bool made = false;
};

// Makes those changes whose byte is `from`: a debugger may have its breakpoint there. The code
// stays mapped meanwhile; `protection` is what its pages have (PROT_READ and so on). Sorts the
// changes. False when some pages could not be made writable: what lies there is unchanged.
bool ChangeCode(std::vector<CodeChange>* changes, int protection);

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_CODE_WRITER_H_
