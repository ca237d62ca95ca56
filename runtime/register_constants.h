// Which general purpose registers hold which constants where in a function's body: a forward
// data-flow analysis over its instructions.
//
// What is found holds on every path through the body. Where paths begin that cannot be seen (the
// landing pads of exceptions, a part of the function that lies elsewhere), and in every block of
// code that jumps through a table, only those registers are known that calls keep and that the
// whole body sets to one constant. Background thread only.
#ifndef AUTOTRACE_RUNTIME_REGISTER_CONSTANTS_H_
#define AUTOTRACE_RUNTIME_REGISTER_CONSTANTS_H_

#include <stddef.h>
#include <stdint.h>

#include <vector>

#include "runtime/disassembler.h"

namespace autotrace {

class RegisterConstants {
 public:
  // `code`: the body's instructions, in order, without gaps. `readable(address)`: may the 8 bytes
  // there be read, which the dynamic linker filled in? Both must outlive this.
  RegisterConstants(const std::vector<DecodedInstruction>& code,
                    bool (*readable)(uint64_t, const void*), const void* context);

  // False when a jump leads into the middle of an instruction: the code is not what it seemed.
  bool Analyse();

  // What is in this register right before the instruction. False when that is not certain. After
  // Analyse, for instructions in ascending order.
  bool Before(size_t instruction, Register number, uint64_t* value);

 private:
  static constexpr Register kRegisters = 16;
  struct State {
    uint16_t known = 0;  // bits of registers
    uint64_t values[kRegisters] = {};
    bool Get(Register number, uint64_t* value) const;
    void Set(Register number, uint64_t value);
    void Forget(uint16_t registers) { known &= static_cast<uint16_t>(~registers); }
  };
  struct Block {
    size_t first = 0;
    size_t last = 0;  // the instruction behind it
    bool reached = false;
    State entry;
  };

  size_t InstructionAt(uint64_t address) const;
  bool FindBlocks();
  size_t BlockOf(size_t instruction) const;
  void Propagate();
  bool Meet(size_t block, const State& state);
  void Run(const DecodedInstruction& instruction, State* state) const;
  void FindOnlyConstants();

  const std::vector<DecodedInstruction>& code_;
  bool (*const readable_)(uint64_t, const void*);
  const void* const context_;
  bool jumps_through_table_ = false;
  std::vector<Block> blocks_;
  State only_constants_;  // of registers that the whole body sets to one constant each
  size_t at_block_ = 0;   // Before: where it is
  size_t at_instruction_ = 0;
  State now_;
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_REGISTER_CONSTANTS_H_
