// What tells a loaded binary from another one that is loaded at the same address later: words of
// its headers in memory, the build id among them. Text and data are left out, because they may
// change while it is loaded.
#ifndef AUTOTRACE_RUNTIME_MODULE_IDENTITY_H_
#define AUTOTRACE_RUNTIME_MODULE_IDENTITY_H_

#include <stddef.h>
#include <stdint.h>

namespace autotrace {

class ModuleIdentity {
 public:
  // Takes it of the binary whose mapping starts at `start`, which must stay loaded meanwhile. One
  // without readable headers there is like any other. Async-signal-safe.
  void Take(uint64_t start);

  // Is it still that binary? It, or whatever is there, must stay loaded meanwhile: for the thread
  // that runs its code. Async-signal-safe.
  bool HoldsWhileLoaded() const;
  // The same for a binary that may be unloaded at any moment: one system call for each word. False
  // also when nothing is there. Any thread; async-signal-safe.
  bool Holds() const;

 private:
  // Headers lie in the first page; looking further could fault.
  static constexpr size_t kLookedAt = 4096;
  static constexpr size_t kMostWords = 40;
  struct Word {
    uint32_t offset;
    uint32_t value;
  };

  uint32_t WordAt(size_t offset) const;
  void Add(size_t offset);
  void AddBuildId(size_t note_offset, size_t note_size);

  uint64_t start_ = 0;
  size_t count_ = 0;
  Word words_[kMostWords] = {};
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_MODULE_IDENTITY_H_
