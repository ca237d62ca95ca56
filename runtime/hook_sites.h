// Where compiled code calls the hooks, and for which function: found by disassembly, so that the
// calls of functions that nobody wants can be erased (hook_eraser.h).
//
// The hooks of one function stand in its own body and in every body that it was inlined into, and
// one body calls hooks for several functions. So a call counts as found only when the function that
// it passes is certain (register_constants.h). x86-64. Background thread only: allocates, and reads
// code that has to stay mapped meanwhile.
#ifndef AUTOTRACE_RUNTIME_HOOK_SITES_H_
#define AUTOTRACE_RUNTIME_HOOK_SITES_H_

#include <stddef.h>
#include <stdint.h>

#include <string>
#include <utility>
#include <vector>

namespace autotrace {

// One call. Storing `erased` at `address` turns it into an instruction of the same length that
// does nothing a caller could notice; storing `original` brings it back. One byte, so that threads
// that run there meanwhile execute either.
struct HookSite {
  uint64_t address;
  uint64_t function;
  uint8_t original;
  uint8_t erased;
  bool is_exit;
};

// Where calls of a hook lead.
struct HookAddress {
  uint64_t address;
  bool is_exit;
};

struct HookSites {
  std::vector<HookSite> sites;
  size_t unknown_function = 0;  // calls whose argument is not certain
  size_t unknown_form = 0;      // jumps to a hook that cannot be erased in one byte
  // Calls through a linkage table that the dynamic linker has not filled in: they may be hooks.
  size_t unresolved = 0;
};

struct AddressRange {
  uint64_t begin;
  uint64_t end;
  bool Contains(uint64_t address) const { return address - begin < end - begin; }
};

// Where in a loaded binary may be looked: its code, and what the dynamic linker fills in for it.
// The program's own data is none of this, may be changed at any time, and may even be unreadable.
class LinkedBinary {
 public:
  // As its program headers say, which lie at its start. Without them, nothing may be looked at.
  LinkedBinary(uint64_t start, uint64_t end, uint64_t load_bias);
  LinkedBinary(std::vector<AddressRange> code, std::vector<AddressRange> linked)
      : code_(std::move(code)), linked_(std::move(linked)) {}

  bool IsCode(uint64_t address, size_t size) const { return IsIn(code_, address, size); }
  // How code is mapped there: PROT_READ and so on.
  int ProtectionOfCode(uint64_t address) const;
  bool IsLinked(uint64_t address, size_t size) const { return IsIn(linked_, address, size); }

 private:
  static bool IsIn(const std::vector<AddressRange>& ranges, uint64_t address, size_t size);

  std::vector<AddressRange> code_;
  std::vector<AddressRange> writable_code_;  // a part of code_
  std::vector<AddressRange> linked_;
};

class HookSiteFinder {
 public:
  explicit HookSiteFinder(std::vector<HookAddress> hooks) : hooks_(std::move(hooks)) {}

  // Loads the disassembler, libZydis. False, with the reason, when it cannot.
  bool Load(std::string* reason);

  // Finds the calls in one function's body, which lies in `binary`. False, with nothing added, when
  // the bytes do not decode as instructions from the first to the last.
  bool Find(AddressRange body, const LinkedBinary& binary, HookSites* found) const;

 private:
  enum class Target { kOther, kEntryHook, kExitHook, kUnresolved };

  Target TargetOf(uint64_t address, const LinkedBinary& binary) const;
  Target TargetInSlot(uint64_t slot, const LinkedBinary& binary) const;
  // kOther or a hook.
  Target HookAt(uint64_t address) const;

  std::vector<HookAddress> hooks_;
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_HOOK_SITES_H_
