#include "runtime/register_constants.h"

#include <string.h>

#include <algorithm>

namespace autotrace {
namespace {

using Flow = DecodedInstruction::Flow;
using Sets = DecodedInstruction::Sets;

constexpr size_t kNowhere = SIZE_MAX;
constexpr uint16_t kKeptByCalls = 0xf028;  // RBX, RBP, R12 to R15

constexpr uint16_t Bit(Register number) { return static_cast<uint16_t>(1u << number); }

}  // namespace

bool RegisterConstants::State::Get(Register number, uint64_t* value) const {
  if ((known & Bit(number)) == 0) return false;
  *value = values[number];
  return true;
}

void RegisterConstants::State::Set(Register number, uint64_t value) {
  known |= Bit(number);
  values[number] = value;
}

RegisterConstants::RegisterConstants(const std::vector<DecodedInstruction>& code,
                                     bool (*readable)(uint64_t, const void*), const void* context)
    : code_(code), readable_(readable), context_(context) {}

bool RegisterConstants::Analyse() {
  if (!FindBlocks()) return false;
  FindOnlyConstants();
  if (!jumps_through_table_) Propagate();
  return true;
}

size_t RegisterConstants::InstructionAt(uint64_t address) const {
  const auto found = std::lower_bound(
      code_.begin(), code_.end(), address,
      [](const DecodedInstruction& each, uint64_t value) { return each.address < value; });
  return found != code_.end() && found->address == address
             ? static_cast<size_t>(found - code_.begin())
             : kNowhere;
}

bool RegisterConstants::FindBlocks() {
  if (code_.empty()) return true;
  std::vector<bool> begins(code_.size() + 1);
  begins[0] = true;
  for (size_t i = 0; i < code_.size(); ++i) {
    const DecodedInstruction& each = code_[i];
    if (each.flow != Flow::kNext && each.flow != Flow::kCall) begins[i + 1] = true;
    if (each.flow == Flow::kJump && each.target == 0) jumps_through_table_ = true;
    const bool inside = !each.through_memory && each.target >= code_.front().address &&
                        each.target < code_.back().end();
    if (!inside) continue;
    const size_t target = InstructionAt(each.target);
    if (target == kNowhere) return false;
    begins[target] = true;
  }
  for (size_t i = 0; i < code_.size(); ++i) {
    if (begins[i]) blocks_.push_back({i, code_.size(), false, {}});
    if (begins[i] && blocks_.size() > 1) blocks_[blocks_.size() - 2].last = i;
  }
  return true;
}

size_t RegisterConstants::BlockOf(size_t instruction) const {
  const auto behind =
      std::upper_bound(blocks_.begin(), blocks_.end(), instruction,
                       [](size_t value, const Block& block) { return value < block.first; });
  return static_cast<size_t>(behind - blocks_.begin()) - 1;
}

// Adds what is known on one way into a block. True when less is known there than before.
bool RegisterConstants::Meet(size_t block, const State& state) {
  State& entry = blocks_[block].entry;
  if (!blocks_[block].reached) {
    blocks_[block].reached = true;
    entry = state;
    return true;
  }
  const uint16_t before = entry.known;
  entry.known &= state.known;
  for (Register number = 0; number < kRegisters; ++number) {
    if (entry.values[number] != state.values[number]) entry.Forget(Bit(number));
  }
  return entry.known != before;
}

void RegisterConstants::Propagate() {
  std::vector<bool> has_way_in(blocks_.size());
  const auto visit_ways_out = [&](const Block& block, auto visit) {
    const DecodedInstruction& last = code_[block.last - 1];
    if (last.flow != Flow::kCall && !last.through_memory && last.target != 0) {
      const size_t target = InstructionAt(last.target);
      if (target != kNowhere) visit(BlockOf(target));
    }
    const bool goes_on = last.flow != Flow::kJump && last.flow != Flow::kEnd;
    if (goes_on && block.last < code_.size()) visit(BlockOf(block.last));
  };
  for (const Block& block : blocks_) {
    visit_ways_out(block, [&](size_t next) { has_way_in[next] = true; });
  }
  std::vector<size_t> waiting;
  for (size_t i = 0; i < blocks_.size(); ++i) {
    if (i != 0 && has_way_in[i]) continue;
    Meet(i, only_constants_);
    waiting.push_back(i);
  }
  // Blocks that only each other lead to are reached last.
  const auto work = [&] {
    while (!waiting.empty()) {
      const Block& block = blocks_[waiting.back()];
      waiting.pop_back();
      State state = block.entry;
      for (size_t i = block.first; i < block.last; ++i) Run(code_[i], &state);
      visit_ways_out(block, [&](size_t next) {
        if (Meet(next, state)) waiting.push_back(next);
      });
    }
  };
  work();
  for (size_t i = 0; i < blocks_.size(); ++i) {
    if (blocks_[i].reached) continue;
    Meet(i, only_constants_);
    waiting.push_back(i);
    work();
  }
}

void RegisterConstants::Run(const DecodedInstruction& instruction, State* state) const {
  uint64_t value = 0;
  bool known = false;
  switch (instruction.sets) {
    case Sets::kConstant:
      value = instruction.value;
      known = true;
      break;
    case Sets::kCopy:
      known = state->Get(instruction.source, &value);
      break;
    case Sets::kMemoryWord:
      known = readable_(instruction.value, context_);
      if (known) memcpy(&value, reinterpret_cast<const void*>(instruction.value), sizeof(value));
      break;
    case Sets::kNothing:
    case Sets::kRestored:
    case Sets::kOther:
      break;
  }
  state->Forget(instruction.changes);
  if (known && instruction.flow != Flow::kCall) state->Set(instruction.destination, value);
}

// What is popped is the caller's, and no function passes that on as its own.
void RegisterConstants::FindOnlyConstants() {
  uint16_t spoiled = static_cast<uint16_t>(~kKeptByCalls);
  for (const DecodedInstruction& each : code_) {
    if (each.flow == Flow::kCall) continue;
    uint16_t changes = each.changes;
    if (each.sets == Sets::kRestored) changes &= static_cast<uint16_t>(~Bit(each.destination));
    State after;
    Run(each, &after);
    uint64_t value = 0;
    uint64_t other = 0;
    if (changes != 0 && each.destination != kNoRegister && after.Get(each.destination, &value) &&
        (!only_constants_.Get(each.destination, &other) || other == value)) {
      only_constants_.Set(each.destination, value);
      changes &= static_cast<uint16_t>(~Bit(each.destination));
    }
    spoiled |= changes;
  }
  only_constants_.Forget(spoiled);
}

bool RegisterConstants::Before(size_t instruction, Register number, uint64_t* value) {
  const size_t block = BlockOf(instruction);
  if (block != at_block_ || instruction < at_instruction_ || at_instruction_ == 0) {
    at_block_ = block;
    at_instruction_ = blocks_[block].first;
    now_ = jumps_through_table_ ? only_constants_ : blocks_[block].entry;
  }
  for (; at_instruction_ < instruction; ++at_instruction_) Run(code_[at_instruction_], &now_);
  return now_.Get(number, value);
}

}  // namespace autotrace
