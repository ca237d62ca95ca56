#include "symbolizer/symbol_table.h"

#include <string.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>

#include "symbolizer/byte_reader.h"
#include "symbolizer/raw_syscalls.h"

namespace autotrace::symbolizer {
namespace {

// How many symbols before the nearest one may still reach over an address. Symbols nest only in
// hand-written assembly and in what compilers split off.
constexpr uint32_t kNestedSymbols = 32;

bool IsLocal(const Elf64_Sym& symbol) { return ELF64_ST_BIND(symbol.st_info) == STB_LOCAL; }

// Which of several symbols at one address to show: higher is better.
int Rank(const Elf64_Sym& symbol) { return (IsLocal(symbol) ? 0 : 2) + (symbol.st_size > 0); }

uint64_t HashOf(uint64_t address) { return address * 0x9e3779b97f4a7c15u; }

}  // namespace

struct SymbolTable::Index {
  size_t mapped_bytes;
  uint32_t count;       // of entries; a power of two in a hash table
  int slot_bits;        // log2(count) of a hash table
  int number_bits;      // that a symbol number + 1 takes in a hash table's entry
  uint32_t entries[1];  // hash table: symbol number + 1 below a tag, 0 when free; sorted: number

  // The rest of an entry is a part of the address's hash, so that symbols are rarely looked at in
  // vain: they are all over the file.
  uint32_t SlotOf(uint64_t address) const {
    return static_cast<uint32_t>(HashOf(address) >> (64 - slot_bits));
  }
  uint32_t TagOf(uint64_t address) const {
    return static_cast<uint32_t>(HashOf(address) << slot_bits >> 32) >> number_bits << number_bits;
  }
  uint32_t NumberIn(uint32_t entry) const { return (entry & ((1u << number_bits) - 1)) - 1; }
  bool HasTag(uint32_t entry, uint32_t tag) const { return (entry ^ tag) >> number_bits == 0; }

  // Zeroed; null when there is no memory.
  static Index* Allocate(uint64_t count) {
    const size_t bytes = sizeof(Index) + count * sizeof(uint32_t);
    // All of it is going to be written to.
    void* memory = raw::Mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (raw::IsError(memory)) return nullptr;
    auto* index = static_cast<Index*>(memory);
    index->mapped_bytes = bytes;
    index->count = static_cast<uint32_t>(count);
    return index;
  }
  static void Free(Index* index) {
    if (index != nullptr) raw::Munmap(index, index->mapped_bytes);
  }
};

SymbolTable::~SymbolTable() {
  Index::Free(hash_.load(std::memory_order_acquire));
  Index::Free(sorted_.load(std::memory_order_acquire));
}

bool SymbolTable::Attach(const ElfFile& elf, uint32_t type) {
  const size_t index = elf.FindSectionOfType(type);
  if (index == 0) return false;
  const Elf64_Shdr section = elf.Section(index);
  if (section.sh_entsize != sizeof(Elf64_Sym) || section.sh_link >= elf.section_count() ||
      (section.sh_flags & SHF_COMPRESSED) != 0) {
    return false;
  }
  const std::string_view symbols = elf.Contents(section);
  // Half of what 32 bits can number: a hash table has up to four times as many entries.
  const size_t count = std::min(symbols.size() / sizeof(Elf64_Sym), size_t{1} << 29);
  if (count == 0) return false;
  elf_ = elf;
  symbols_ = symbols;
  names_ = elf.Contents(elf.Section(section.sh_link));
  count_ = static_cast<uint32_t>(count);
  return true;
}

bool SymbolTable::Find(uint64_t address, Symbol* symbol, bool* read_all) const {
  return (FindStart(address, symbol, read_all) || FindContaining(address, symbol, read_all)) &&
         !symbol->name.empty();
}

void SymbolTable::ForEachFunction(void (*visit)(void* context, const Symbol& symbol),
                                  void* context) const {
  for (uint32_t i = 0; i < count_; ++i) {
    const Elf64_Sym symbol = At(i);
    if (!IsFunction(symbol)) continue;
    const Symbol described = Describe(symbol);
    if (!described.name.empty()) visit(context, described);
  }
}

bool SymbolTable::Mentions(std::string_view name) const {
  for (uint32_t i = 0; i < count_; ++i) {
    const uint32_t offset = At(i).st_name;
    if (offset >= names_.size() || names_.size() - offset <= name.size() ||
        memcmp(names_.data() + offset, name.data(), name.size()) != 0) {
      continue;
    }
    const char next = names_[offset + name.size()];
    if (next == '\0' || next == '@') return true;
  }
  return false;
}

// Does not look at its name: the names of a large binary are the larger part of its symbols, and
// only few of them are ever asked for.
bool SymbolTable::IsFunction(const Elf64_Sym& symbol) const {
  const int type = ELF64_ST_TYPE(symbol.st_info);
  return (type == STT_FUNC || type == STT_GNU_IFUNC) && symbol.st_shndx != SHN_UNDEF &&
         symbol.st_name != 0 && symbol.st_name < names_.size();
}

Elf64_Sym SymbolTable::At(uint32_t index) const {
  Elf64_Sym symbol;
  memcpy(&symbol, symbols_.data() + size_t{index} * sizeof(symbol), sizeof(symbol));
  return symbol;
}

Symbol SymbolTable::Describe(const Elf64_Sym& symbol) const {
  return {StringAt(names_, symbol.st_name), symbol.st_value, symbol.st_size};
}

size_t SymbolTable::CountFunctions() const {
  size_t functions = 0;
  for (uint32_t i = 0; i < count_; ++i) functions += IsFunction(At(i)) ? 1 : 0;
  return functions;
}

bool SymbolTable::FindStart(uint64_t address, Symbol* symbol, bool* read_all) const {
  const Index* hash = UseIndex(&hash_, &SymbolTable::BuildHash, read_all);
  if (hash == nullptr) return false;
  const uint32_t mask = hash->count - 1;
  const uint32_t tag = hash->TagOf(address);
  for (uint32_t slot = hash->SlotOf(address);; ++slot) {
    const uint32_t entry = hash->entries[slot & mask];
    if (entry == 0) return false;
    if (!hash->HasTag(entry, tag)) continue;
    const Elf64_Sym candidate = At(hash->NumberIn(entry));
    if (candidate.st_value != address) continue;
    *symbol = Describe(candidate);
    return true;
  }
}

bool SymbolTable::FindContaining(uint64_t address, Symbol* symbol, bool* read_all) const {
  const Index* sorted = UseIndex(&sorted_, &SymbolTable::BuildSorted, read_all);
  if (sorted == nullptr) return false;
  const uint32_t* first = sorted->entries;
  const uint32_t* after =
      std::upper_bound(first, first + sorted->count, address,
                       [this](uint64_t wanted, uint32_t i) { return wanted < At(i).st_value; });
  const auto end = static_cast<uint32_t>(after - first);
  for (uint32_t back = 1; back <= kNestedSymbols && back <= end; ++back) {
    if (!Contains(end - back, *sorted, address)) continue;
    *symbol = Describe(At(sorted->entries[end - back]));
    return true;
  }
  return false;
}

// A symbol without a size reaches to the next one, or to the end of its section.
bool SymbolTable::Contains(uint32_t position, const Index& sorted, uint64_t address) const {
  const Elf64_Sym symbol = At(sorted.entries[position]);
  if (symbol.st_size > 0) return address - symbol.st_value < symbol.st_size;
  if (symbol.st_shndx >= elf_.section_count()) return false;
  const Elf64_Shdr section = elf_.Section(symbol.st_shndx);
  if (address - section.sh_addr >= section.sh_size) return false;
  for (uint32_t i = position + 1; i < sorted.count; ++i) {
    const uint64_t next = At(sorted.entries[i]).st_value;
    if (next != symbol.st_value) return address < next;
  }
  return true;
}

const SymbolTable::Index* SymbolTable::UseIndex(std::atomic<Index*>* published,
                                                Index* (SymbolTable::*build)() const,
                                                bool* read_all) const {
  Index* index = published->load(std::memory_order_acquire);
  if (index != nullptr || count_ == 0) return index;
  *read_all = true;
  Index* built = (this->*build)();
  if (built == nullptr) return nullptr;
  if (published->compare_exchange_strong(index, built, std::memory_order_acq_rel)) return built;
  Index::Free(built);
  return index;
}

SymbolTable::Index* SymbolTable::BuildHash() const {
  const uint64_t functions = CountFunctions();
  const uint64_t slots = std::bit_ceil(functions + functions / 2 + 2);
  Index* hash = Index::Allocate(slots);
  if (hash == nullptr) return nullptr;
  hash->slot_bits = std::countr_zero(slots);
  hash->number_bits = std::bit_width(count_);
  const uint32_t mask = hash->count - 1;
  for (uint32_t i = 0; i < count_; ++i) {
    const Elf64_Sym symbol = At(i);
    if (!IsFunction(symbol)) continue;
    const uint32_t tag = hash->TagOf(symbol.st_value);
    for (uint32_t slot = hash->SlotOf(symbol.st_value);; ++slot) {
      uint32_t& entry = hash->entries[slot & mask];
      if (entry == 0) {
        entry = tag | (i + 1);
        break;
      }
      if (!hash->HasTag(entry, tag)) continue;
      const Elf64_Sym present = At(hash->NumberIn(entry));
      if (present.st_value != symbol.st_value) continue;
      if (Rank(symbol) > Rank(present)) entry = tag | (i + 1);
      break;
    }
  }
  return hash;
}

SymbolTable::Index* SymbolTable::BuildSorted() const {
  Index* sorted = Index::Allocate(CountFunctions());
  if (sorted == nullptr) return nullptr;
  uint32_t* end = sorted->entries;
  for (uint32_t i = 0; i < count_; ++i) {
    if (IsFunction(At(i))) *end++ = i;
  }
  // Searched from the end, so the best of several at one address comes last.
  std::sort(sorted->entries, end, [this](uint32_t left, uint32_t right) {
    const Elf64_Sym a = At(left);
    const Elf64_Sym b = At(right);
    if (a.st_value != b.st_value) return a.st_value < b.st_value;
    if (Rank(a) != Rank(b)) return Rank(a) < Rank(b);
    return left > right;
  });
  return sorted;
}

}  // namespace autotrace::symbolizer
