// One x86-64 instruction at a time, as far as finding calls of hooks needs it: libZydis behind a
// few fields. The library is opened at run time, so that programs that erase nothing do not load
// it. Background thread only.
#ifndef AUTOTRACE_RUNTIME_DISASSEMBLER_H_
#define AUTOTRACE_RUNTIME_DISASSEMBLER_H_

#include <stddef.h>
#include <stdint.h>

#include <string>

namespace autotrace {

// A general purpose register by its number in instructions, 0 (RAX) to 15; kNoRegister: none.
using Register = uint8_t;
inline constexpr Register kNoRegister = 16;
inline constexpr Register kStackPointer = 4;
inline constexpr Register kFirstArgument = 7;  // RDI

struct DecodedInstruction {
  enum class Flow : uint8_t { kNext, kCall, kJump, kConditionalJump, kEnd };
  enum class Sets : uint8_t {
    kNothing,
    kConstant,    // `value`
    kMemoryWord,  // the 8 bytes at the address `value`
    kCopy,        // of `source`
    kRestored,    // popped
    kOther,
  };

  uint64_t address = 0;
  uint8_t size = 0;
  uint8_t opcode_offset = 0;  // from the address to the opcode's byte, behind prefixes
  uint8_t opcode = 0;
  Flow flow = Flow::kNext;
  // Of a call or jump: where it leads to, or, through memory, where that stands. 0: not known.
  uint64_t target = 0;
  bool through_memory = false;
  // What happens to general purpose registers: bits of those that it changes, and, when it is a
  // plain move, what `destination` becomes.
  uint16_t changes = 0;
  Sets sets = Sets::kNothing;
  Register destination = kNoRegister;
  Register source = kNoRegister;
  uint64_t value = 0;

  uint64_t end() const { return address + size; }
  bool Changes(Register number) const { return ((changes >> number) & 1) != 0; }
};

class Disassembler {
 public:
  // False, with the reason, when the library cannot be used.
  static bool Load(std::string* reason);

  // The instruction at `address`, of at most `room` bytes. False when there is none. After Load.
  static bool Decode(uint64_t address, size_t room, DecodedInstruction* instruction);
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_DISASSEMBLER_H_
