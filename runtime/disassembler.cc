#include "runtime/disassembler.h"

#include <dlfcn.h>

#if defined(__x86_64__)
#include <Zydis/Zydis.h>

namespace autotrace {
namespace {

constexpr char kLibrary[] = "libZydis.so.4.0";

using Init = decltype(&ZydisDecoderInit);
using DecodeFull = decltype(&ZydisDecoderDecodeFull);
using Enclosing = decltype(&ZydisRegisterGetLargestEnclosing);

ZydisDecoder decoder;
DecodeFull decode_full = nullptr;
Enclosing enclosing = nullptr;

template <typename Function>
bool Resolve(void* library, const char* name, Function* function) {
  *function = reinterpret_cast<Function>(dlsym(library, name));
  return *function != nullptr;
}

Register NumberOf(ZydisRegister name) {
  const ZydisRegister whole = enclosing(ZYDIS_MACHINE_MODE_LONG_64, name);
  if (whole < ZYDIS_REGISTER_RAX || whole > ZYDIS_REGISTER_R15) return kNoRegister;
  return static_cast<Register>(whole - ZYDIS_REGISTER_RAX);
}

bool IsInstructionRelative(const ZydisDecodedOperand& operand) {
  return operand.type == ZYDIS_OPERAND_TYPE_MEMORY && operand.mem.base == ZYDIS_REGISTER_RIP;
}

uint64_t AddressOf(const ZydisDecodedOperand& operand, const DecodedInstruction& instruction) {
  return instruction.end() + static_cast<uint64_t>(operand.mem.disp.value);
}

void DescribeFlow(const ZydisDecodedInstruction& decoded, const ZydisDecodedOperand& first,
                  DecodedInstruction* instruction) {
  using Flow = DecodedInstruction::Flow;
  switch (decoded.meta.category) {
    case ZYDIS_CATEGORY_CALL:
      instruction->flow = Flow::kCall;
      break;
    case ZYDIS_CATEGORY_UNCOND_BR:
      instruction->flow = Flow::kJump;
      break;
    case ZYDIS_CATEGORY_COND_BR:
      instruction->flow = Flow::kConditionalJump;
      break;
    case ZYDIS_CATEGORY_RET:
      instruction->flow = Flow::kEnd;
      return;
    default:
      // ud2 and hlt, behind calls that do not return.
      if (decoded.mnemonic == ZYDIS_MNEMONIC_UD2 || decoded.mnemonic == ZYDIS_MNEMONIC_HLT) {
        instruction->flow = Flow::kEnd;
      }
      return;
  }
  if (first.type == ZYDIS_OPERAND_TYPE_IMMEDIATE && first.imm.is_relative) {
    instruction->target = instruction->end() + first.imm.value.u;
  } else if (IsInstructionRelative(first)) {
    instruction->target = AddressOf(first, *instruction);
    instruction->through_memory = true;
  }
}

// What a plain move of a whole register does.
void DescribeMove(const ZydisDecodedInstruction& decoded, const ZydisDecodedOperand* operands,
                  DecodedInstruction* instruction) {
  using Sets = DecodedInstruction::Sets;
  const ZydisDecodedOperand& to = operands[0];
  if (decoded.operand_count_visible < 1 || to.type != ZYDIS_OPERAND_TYPE_REGISTER ||
      (to.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) == 0) {
    return;
  }
  const Register destination = NumberOf(to.reg.value);
  if (destination == kNoRegister) return;
  instruction->destination = destination;
  instruction->sets = Sets::kOther;
  if (decoded.mnemonic == ZYDIS_MNEMONIC_POP) {
    instruction->sets = Sets::kRestored;
    return;
  }
  // Writing 32 bits clears the others; writing fewer leaves them.
  if (to.size < 32 || decoded.operand_count_visible != 2) return;
  const ZydisDecodedOperand& from = operands[1];
  if (decoded.mnemonic == ZYDIS_MNEMONIC_LEA && to.size == 64 && IsInstructionRelative(from)) {
    instruction->sets = Sets::kConstant;
    instruction->value = AddressOf(from, *instruction);
  } else if (decoded.mnemonic == ZYDIS_MNEMONIC_MOV) {
    if (from.type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
      instruction->sets = Sets::kConstant;
      instruction->value =
          to.size == 32 ? static_cast<uint32_t>(from.imm.value.u) : from.imm.value.u;
    } else if (from.type == ZYDIS_OPERAND_TYPE_REGISTER && to.size == 64) {
      instruction->source = NumberOf(from.reg.value);
      if (instruction->source != kNoRegister) instruction->sets = Sets::kCopy;
    } else if (IsInstructionRelative(from) && to.size == 64) {
      instruction->sets = Sets::kMemoryWord;
      instruction->value = AddressOf(from, *instruction);
    }
  }
}

}  // namespace

bool Disassembler::Load(std::string* reason) {
  if (decode_full != nullptr) return true;
  void* library = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
  Init init = nullptr;
  DecodeFull decode = nullptr;
  if (library == nullptr || !Resolve(library, "ZydisDecoderInit", &init) ||
      !Resolve(library, "ZydisRegisterGetLargestEnclosing", &enclosing) ||
      !Resolve(library, "ZydisDecoderDecodeFull", &decode) ||
      !ZYAN_SUCCESS(init(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64))) {
    *reason = std::string(kLibrary) + " cannot be loaded (install libzydis4.0)";
    return false;
  }
  decode_full = decode;
  return true;
}

bool Disassembler::Decode(uint64_t address, size_t room, DecodedInstruction* instruction) {
  ZydisDecodedInstruction decoded;
  ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
  if (!ZYAN_SUCCESS(decode_full(&decoder, reinterpret_cast<const void*>(address), room, &decoded,
                                operands))) {
    return false;
  }
  *instruction = {};
  instruction->address = address;
  instruction->size = decoded.length;
  instruction->opcode = decoded.opcode;
  // Only legacy prefixes and REX stand before the opcodes that matter here.
  instruction->opcode_offset = decoded.raw.prefix_count;
  for (size_t i = 0; i < decoded.operand_count; ++i) {
    const ZydisDecodedOperand& operand = operands[i];
    if (operand.type != ZYDIS_OPERAND_TYPE_REGISTER ||
        (operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) == 0) {
      continue;
    }
    const Register number = NumberOf(operand.reg.value);
    if (number != kNoRegister) instruction->changes |= static_cast<uint16_t>(1u << number);
  }
  DescribeFlow(decoded, operands[0], instruction);
  // What a call may change, by the System V ABI: all but RBX, RBP, RSP and R12 to R15.
  constexpr uint16_t kChangedByCalls = 0x0fc7;
  if (instruction->flow == DecodedInstruction::Flow::kCall) instruction->changes |= kChangedByCalls;
  DescribeMove(decoded, operands, instruction);
  return true;
}

}  // namespace autotrace

#else

namespace autotrace {

bool Disassembler::Load(std::string* reason) {
  *reason = "hooks are erased on x86-64 only";
  return false;
}
bool Disassembler::Decode(uint64_t, size_t, DecodedInstruction*) { return false; }

}  // namespace autotrace

#endif  // __x86_64__
