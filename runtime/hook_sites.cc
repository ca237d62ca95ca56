#include "runtime/hook_sites.h"

#include <elf.h>
#include <string.h>
#include <sys/mman.h>

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

LinkedBinary::LinkedBinary(uint64_t start, uint64_t end, uint64_t load_bias) {
  if (end - start < sizeof(Elf64_Ehdr)) return;
  const auto header = ReadAt<Elf64_Ehdr>(start);
  if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
      header.e_phoff + header.e_phnum * sizeof(Elf64_Phdr) > end - start) {
    return;
  }
  uint64_t dynamic = 0;
  for (size_t i = 0; i < header.e_phnum; ++i) {
    const auto segment = ReadAt<Elf64_Phdr>(start + header.e_phoff + i * sizeof(Elf64_Phdr));
    const AddressRange range = {load_bias + segment.p_vaddr,
                                load_bias + segment.p_vaddr + segment.p_memsz};
    if (range.begin < start || range.end > end) continue;
    if (segment.p_type == PT_LOAD && (segment.p_flags & PF_X) != 0) {
      code_.push_back(range);
      if ((segment.p_flags & PF_W) != 0) writable_code_.push_back(range);
    }
    if (segment.p_type == PT_GNU_RELRO) linked_.push_back(range);
    if (segment.p_type == PT_DYNAMIC) dynamic = range.begin;
  }
  if (dynamic == 0) return;
  // What is bound at the first call stands in a table of its own.
  uint64_t table = 0;
  uint64_t entries = 0;
  for (;; dynamic += sizeof(Elf64_Dyn)) {
    const auto entry = ReadAt<Elf64_Dyn>(dynamic);
    if (entry.d_tag == DT_NULL) break;
    if (entry.d_tag == DT_PLTGOT) table = entry.d_un.d_ptr;
    if (entry.d_tag == DT_PLTRELSZ) entries = entry.d_un.d_val / sizeof(Elf64_Rela);
  }
  if (table == 0) return;
  if (table < start) table += load_bias;  // the dynamic linker has not put the address there
  constexpr uint64_t kOwnEntries = 3;
  const uint64_t table_end = table + (kOwnEntries + entries) * sizeof(uint64_t);
  if (table >= start && table_end <= end) linked_.push_back({table, table_end});
}

int LinkedBinary::ProtectionOfCode(uint64_t address) const {
  return PROT_READ | PROT_EXEC | (IsIn(writable_code_, address, 1) ? PROT_WRITE : 0);
}

bool LinkedBinary::IsIn(const std::vector<AddressRange>& ranges, uint64_t address, size_t size) {
  return std::any_of(ranges.begin(), ranges.end(), [=](const AddressRange& range) {
    return range.Contains(address) && size <= range.end - address;
  });
}

bool HookSiteFinder::Load(std::string* reason) { return Disassembler::Load(reason); }

HookSiteFinder::Target HookSiteFinder::HookAt(uint64_t address) const {
  for (const HookAddress& hook : hooks_) {
    if (hook.address == address) return hook.is_exit ? Target::kExitHook : Target::kEntryHook;
  }
  return Target::kOther;
}

HookSiteFinder::Target HookSiteFinder::TargetInSlot(uint64_t slot,
                                                    const LinkedBinary& binary) const {
  if (!binary.IsLinked(slot, sizeof(uint64_t))) return Target::kOther;
  const auto value = ReadAt<uint64_t>(slot);
  if (const Target hook = HookAt(value); hook != Target::kOther) return hook;
  // Before its first call, a slot leads back into the linkage table.
  return binary.IsCode(value, 1) ? Target::kUnresolved : Target::kOther;
}

// A hook, or an entry of the linkage table: [endbr64] [bnd] jmp [rip+disp].
HookSiteFinder::Target HookSiteFinder::TargetOf(uint64_t address,
                                                const LinkedBinary& binary) const {
  if (const Target hook = HookAt(address); hook != Target::kOther) return hook;
  constexpr size_t kEntryBytes = 16;
  if (!binary.IsCode(address, kEntryBytes)) return Target::kOther;
  constexpr uint32_t kEndBranch = 0xfa1e0ff3;
  if (ReadAt<uint32_t>(address) == kEndBranch) address += sizeof(kEndBranch);
  if (ReadAt<uint8_t>(address) == 0xf2) ++address;
  if (ReadAt<uint16_t>(address) != 0x25ff) return Target::kOther;
  const auto displacement = ReadAt<int32_t>(address + 2);
  return TargetInSlot(address + 6 + static_cast<uint64_t>(int64_t{displacement}), binary);
}

bool HookSiteFinder::Find(AddressRange body, const LinkedBinary& binary, HookSites* found) const {
  if (!binary.IsCode(body.begin, body.end - body.begin)) return false;
  std::vector<DecodedInstruction> code;
  for (uint64_t at = body.begin; at < body.end; at = code.back().end()) {
    code.emplace_back();
    if (!Disassembler::Decode(at, body.end - at, &code.back())) return false;
  }
  const auto is_linked = [](uint64_t address, const void* context) {
    return static_cast<const LinkedBinary*>(context)->IsLinked(address, sizeof(uint64_t));
  };
  RegisterConstants constants(code, is_linked, &binary);
  if (!constants.Analyse()) return false;
  for (size_t i = 0; i < code.size(); ++i) {
    const DecodedInstruction& each = code[i];
    if (each.target == 0) continue;
    const Target target =
        each.through_memory ? TargetInSlot(each.target, binary) : TargetOf(each.target, binary);
    if (target == Target::kUnresolved) ++found->unresolved;
    if (target != Target::kEntryHook && target != Target::kExitHook) continue;
    const uint8_t erased = each.flow == Flow::kConditionalJump ? 0 : ErasedOpcode(each);
    uint64_t function = 0;
    if (erased == 0) {
      ++found->unknown_form;
    } else if (!constants.Before(i, kFirstArgument, &function)) {
      ++found->unknown_function;
    } else {
      found->sites.push_back({each.address + each.opcode_offset, function, each.opcode, erased,
                              target == Target::kExitHook});
    }
  }
  return true;
}

}  // namespace autotrace
