#include "runtime/lasting_code.h"

#include <link.h>

#include <algorithm>
#include <string_view>

namespace autotrace {
namespace {

std::string_view BaseName(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// A binary as the loader has it.
class LoadedBinary {
 public:
  explicit LoadedBinary(const dl_phdr_info& info) : name_(info.dlpi_name), bias_(info.dlpi_addr) {
    start_ = UINT64_MAX;
    for (int i = 0; i < info.dlpi_phnum; ++i) {
      const ElfW(Phdr)& segment = info.dlpi_phdr[i];
      if (segment.p_type == PT_LOAD) {
        start_ = std::min(start_, bias_ + segment.p_vaddr);
        end_ = std::max(end_, bias_ + segment.p_vaddr + segment.p_memsz);
      } else if (segment.p_type == PT_DYNAMIC) {
        dynamic_ = reinterpret_cast<const ElfW(Dyn)*>(bias_ + segment.p_vaddr);
      }
    }
    for (const ElfW(Dyn)* entry = dynamic_; entry != nullptr && entry->d_tag != DT_NULL; ++entry) {
      // The loader has made it an address, except where the section cannot be written to.
      if (entry->d_tag == DT_STRTAB) strings_ = entry->d_un.d_ptr;
    }
    if (strings_ != 0 && strings_ < start_) strings_ += bias_;
  }

  bool is_program() const { return name_.empty(); }
  uint64_t start() const { return start_; }
  uint64_t end() const { return end_; }

  // Calls visit(name) for each library that it was linked to.
  template <typename Visit>
  void ForEachNeeded(Visit visit) const {
    ForEachString(DT_NEEDED, visit);
  }

  // Is it what the loader found for this name?
  bool IsCalled(std::string_view needed) const {
    if (needed.find('/') != std::string_view::npos) return name_ == needed;
    bool called = BaseName(name_) == needed;
    ForEachString(DT_SONAME, [&](std::string_view name) { called = called || name == needed; });
    return called;
  }

 private:
  template <typename Visit>
  void ForEachString(decltype(ElfW(Dyn)::d_tag) tag, Visit visit) const {
    if (strings_ == 0) return;
    for (const ElfW(Dyn)* entry = dynamic_; entry != nullptr && entry->d_tag != DT_NULL; ++entry) {
      if (entry->d_tag == tag) visit(reinterpret_cast<const char*>(strings_ + entry->d_un.d_val));
    }
  }

  std::string_view name_;
  uint64_t bias_;
  uint64_t start_ = 0;
  uint64_t end_ = 0;
  const ElfW(Dyn) * dynamic_ = nullptr;
  uint64_t strings_ = 0;
};

}  // namespace

void LastingCode::Find() {
  std::vector<LoadedBinary> loaded;
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* list) {
        static_cast<std::vector<LoadedBinary>*>(list)->emplace_back(*info);
        return 0;
      },
      &loaded);
  // The program itself comes first, except in a namespace that was made by dlmopen. What was opened
  // later under the name of a library that it needs stands behind that one.
  if (loaded.empty() || !loaded[0].is_program()) return;
  std::vector<size_t> lasting = {0};
  for (size_t next = 0; next < lasting.size(); ++next) {
    loaded[lasting[next]].ForEachNeeded([&](std::string_view needed) {
      const auto found =
          std::find_if(loaded.begin(), loaded.end(),
                       [&](const LoadedBinary& binary) { return binary.IsCalled(needed); });
      const auto index = static_cast<size_t>(found - loaded.begin());
      if (found != loaded.end() &&
          std::find(lasting.begin(), lasting.end(), index) == lasting.end()) {
        lasting.push_back(index);
      }
    });
  }
  for (const size_t index : lasting) {
    ranges_.push_back({loaded[index].start(), loaded[index].end()});
  }
  std::sort(ranges_.begin(), ranges_.end(),
            [](const Range& one, const Range& other) { return one.start < other.start; });
}

bool LastingCode::Contains(uint64_t address) const {
  const auto after =
      std::upper_bound(ranges_.begin(), ranges_.end(), address,
                       [](uint64_t wanted, const Range& range) { return wanted < range.start; });
  return after != ranges_.begin() && address < std::prev(after)->end;
}

}  // namespace autotrace
