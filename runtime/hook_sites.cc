#include "runtime/hook_sites.h"

#include <string.h>

#include <algorithm>

#include "runtime/disassembler.h"

namespace autotrace {
namespace {

using Flow = DecodedInstruction::Flow;
using Sets = DecodedInstruction::Sets;

constexpr size_t kNowhere = SIZE_MAX;

template <typename Word>
Word ReadAt(uint64_t address) {
  Word word;
  memcpy(&word, reinterpret_cast<const void*>(address), sizeof(word));
  return word;
}

// The byte that makes a call or jump do nothing, or return, in as many bytes. 0: there is none.
//   e8 rel32        call hook         a9 imm32       test eax, imm32
//   ff 15 disp32    call [rip+disp]   85 15 disp32   test [rip+disp], edx
//   e9 rel32        jmp hook          c3             ret, as the hook would have done
//   ff 25 disp32    jmp [rip+disp]    c3
// Calls clobber the flags as well. The last two leave bytes behind that are never reached.
uint8_t ErasedOpcode(const DecodedInstruction& instruction) {
  // Of prefixes, only the address size one is known to change nothing: linkers pad with it when
  // they turn a call through memory into a direct one.
  const bool plain = instruction.opcode_offset == 0 ||
                     (instruction.opcode_offset == 1 && ReadAt<uint8_t>(instruction.address) == 0x67);
  if (!plain) return 0;
  const bool jumps = instruction.flow == Flow::kJump;
  switch (instruction.opcode) {
    case 0xe8:
      return 0xa9;
    case 0xff:
      return jumps ? 0xc3 : 0x85;
    case 0xe9:
      return 0xc3;
    default:
      return 0;
  }
}

}  // namespace

// A function's instructions, in order, and what joins them.
struct HookSiteFinder::Body {
  Range module;
  std::vector<DecodedInstruction> code;
  std::vector<bool> is_target;  // something jumps here

  size_t At(uint64_t address) const {
    const auto found = std::lower_bound(
        code.begin(), code.end(), address,
        [](const DecodedInstruction& each, uint64_t value) { return each.address < value; });
    return found != code.end() && found->address == address
               ? static_cast<size_t>(found - code.begin())
               : kNowhere;
  }

  // The instruction before this one that sets the register, in the same basic block.
  size_t SetterOf(Register number, size_t index) const {
    while (index > 0 && !is_target[index]) {
      const DecodedInstruction& before = code[--index];
      if (before.Changes(number)) return index;
      if (before.flow == Flow::kJump || before.flow == Flow::kEnd) break;
    }
    return kNowhere;
  }

  // What this instruction, which sets a register, makes of it. False when that is not certain.
  bool ConstantSetBy(const DecodedInstruction& setter, uint64_t* value) const {
    switch (setter.sets) {
      case Sets::kConstant:
        *value = setter.value;
        return true;
      case Sets::kMemoryWord:
        // Of the global offset table, which the dynamic linker fills in once.
        if (!module.Contains(setter.value) || setter.value % sizeof(uint64_t) != 0) return false;
        *value = ReadAt<uint64_t>(setter.value);
        return true;
      default:
        return false;
    }
  }

  // The one constant that this register is set to in the whole body. What is popped is the caller's,
  // and is not used here.
  bool OnlyConstant(Register number, uint64_t* value) const {
    bool found = false;
    for (const DecodedInstruction& each : code) {
      if (!each.Changes(number) || each.flow == Flow::kCall) continue;
      if (each.sets == Sets::kRestored && each.destination == number) continue;
      uint64_t constant = 0;
      if (each.destination != number || !ConstantSetBy(each, &constant)) return false;
      if (found && constant != *value) return false;
      found = true;
      *value = constant;
    }
    return found;
  }

  // What is in the register right before this instruction.
  bool ValueOf(Register number, size_t index, uint64_t* value) const {
    constexpr uint16_t kKeptByCalls = 0xf028;  // RBX, RBP, R12 to R15
    constexpr int kMostCopies = 4;
    for (int copies = 0; copies < kMostCopies; ++copies) {
      const size_t setter = SetterOf(number, index);
      if (setter == kNowhere) {
        return ((kKeptByCalls >> number) & 1) != 0 && OnlyConstant(number, value);
      }
      const DecodedInstruction& found = code[setter];
      if (found.destination != number || found.flow == Flow::kCall) return false;
      if (found.sets != Sets::kCopy) return ConstantSetBy(found, value);
      number = found.source;
      index = setter;
    }
    return false;
  }
};

bool HookSiteFinder::Load(std::string* reason) { return Disassembler::Load(reason); }

bool HookSiteFinder::IsHook(uint64_t address) const {
  return std::find(hooks_.begin(), hooks_.end(), address) != hooks_.end();
}

HookSiteFinder::Target HookSiteFinder::TargetInSlot(uint64_t slot, Range module) const {
  if (!module.Contains(slot) || !module.Contains(slot + sizeof(uint64_t) - 1)) {
    return Target::kOther;
  }
  const auto value = ReadAt<uint64_t>(slot);
  if (IsHook(value)) return Target::kHook;
  // Before its first call, a slot leads back into the linkage table.
  return module.Contains(value) ? Target::kUnresolved : Target::kOther;
}

// A hook, or an entry of the linkage table: [endbr64] [bnd] jmp [rip+disp].
HookSiteFinder::Target HookSiteFinder::TargetOf(uint64_t address, Range module) const {
  if (IsHook(address)) return Target::kHook;
  constexpr uint64_t kEntryBytes = 16;
  if (!module.Contains(address) || !module.Contains(address + kEntryBytes - 1)) {
    return Target::kOther;
  }
  constexpr uint32_t kEndBranch = 0xfa1e0ff3;
  if (ReadAt<uint32_t>(address) == kEndBranch) address += sizeof(kEndBranch);
  if (ReadAt<uint8_t>(address) == 0xf2) ++address;
  if (ReadAt<uint16_t>(address) != 0x25ff) return Target::kOther;
  const auto displacement = ReadAt<int32_t>(address + 2);
  return TargetInSlot(address + 6 + static_cast<uint64_t>(int64_t{displacement}), module);
}

bool HookSiteFinder::Decode(Range body, Range module, Body* decoded) const {
  decoded->module = module;
  for (uint64_t at = body.begin; at < body.end;) {
    DecodedInstruction instruction;
    if (!Disassembler::Decode(at, body.end - at, &instruction)) return false;
    decoded->code.push_back(instruction);
    at = instruction.end();
  }
  decoded->is_target.resize(decoded->code.size());
  for (const DecodedInstruction& each : decoded->code) {
    if (each.target == 0 || each.through_memory || !body.Contains(each.target)) continue;
    const size_t target = decoded->At(each.target);
    if (target == kNowhere) return false;  // into the middle of what was taken for an instruction
    decoded->is_target[target] = true;
  }
  return true;
}

bool HookSiteFinder::Find(Range body, Range module, HookSites* found) const {
  Body decoded;
  if (!Decode(body, module, &decoded)) return false;
  for (size_t i = 0; i < decoded.code.size(); ++i) {
    const DecodedInstruction& each = decoded.code[i];
    if (each.target == 0) continue;
    const Target target = each.through_memory ? TargetInSlot(each.target, module)
                                              : TargetOf(each.target, module);
    if (target == Target::kUnresolved) ++found->unresolved;
    if (target != Target::kHook) continue;
    const uint8_t erased = each.flow == Flow::kConditionalJump ? 0 : ErasedOpcode(each);
    uint64_t function = 0;
    if (erased == 0) {
      ++found->unknown_form;
    } else if (!decoded.ValueOf(kFirstArgument, i, &function)) {
      ++found->unknown_function;
    } else {
      found->sites.push_back(
          {each.address + each.opcode_offset, function, each.opcode, erased});
    }
  }
  return true;
}

}  // namespace autotrace
