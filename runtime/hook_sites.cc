#include "runtime/hook_sites.h"

#include <string.h>

#include <algorithm>

#include "runtime/disassembler.h"
#include "runtime/register_constants.h"

namespace autotrace {
namespace {

using Flow = DecodedInstruction::Flow;

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
  const bool plain =
      instruction.opcode_offset == 0 ||
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

bool HookSiteFinder::Find(Range body, Range module, HookSites* found) const {
  std::vector<DecodedInstruction> code;
  for (uint64_t at = body.begin; at < body.end; at = code.back().end()) {
    code.emplace_back();
    if (!Disassembler::Decode(at, body.end - at, &code.back())) return false;
  }
  const auto in_module = [](uint64_t address, const void* range) {
    return address % sizeof(uint64_t) == 0 && static_cast<const Range*>(range)->Contains(address);
  };
  RegisterConstants constants(code, in_module, &module);
  if (!constants.Analyse()) return false;
  for (size_t i = 0; i < code.size(); ++i) {
    const DecodedInstruction& each = code[i];
    if (each.target == 0) continue;
    const Target target =
        each.through_memory ? TargetInSlot(each.target, module) : TargetOf(each.target, module);
    if (target == Target::kUnresolved) ++found->unresolved;
    if (target != Target::kHook) continue;
    const uint8_t erased = each.flow == Flow::kConditionalJump ? 0 : ErasedOpcode(each);
    uint64_t function = 0;
    if (erased == 0) {
      ++found->unknown_form;
    } else if (!constants.Before(i, kFirstArgument, &function)) {
      ++found->unknown_function;
    } else {
      found->sites.push_back({each.address + each.opcode_offset, function, each.opcode, erased});
    }
  }
  return true;
}

}  // namespace autotrace
