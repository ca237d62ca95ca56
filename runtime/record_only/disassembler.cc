// In a static program, which cannot load libZydis.so: nothing is erased.
#include "runtime/disassembler.h"

namespace autotrace {

bool Disassembler::Load(std::string* reason) {
  *reason = "a static program cannot load libZydis";
  return false;
}

bool Disassembler::Decode(uint64_t, size_t, DecodedInstruction*) { return false; }

}  // namespace autotrace
