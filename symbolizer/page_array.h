// A growing array in pages of its own, for traced threads: std::vector without malloc or
// exceptions. Elements are plain data. Not thread-safe; async-signal-safe.
#ifndef AUTOTRACE_SYMBOLIZER_PAGE_ARRAY_H_
#define AUTOTRACE_SYMBOLIZER_PAGE_ARRAY_H_

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include <type_traits>

#include "symbolizer/raw_syscalls.h"

namespace autotrace::symbolizer {

template <typename T>
class PageArray {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  PageArray() = default;
  PageArray(const PageArray&) = delete;
  PageArray& operator=(const PageArray&) = delete;
  ~PageArray() {
    if (data_ != nullptr) raw::Munmap(data_, bytes_);
  }

  // False when there is no memory; the array is then unchanged.
  bool Append(const T& value) {
    if ((size_ + 1) * sizeof(T) > bytes_ && !Grow()) return false;
    data_[size_++] = value;
    return true;
  }
  // Forgets the elements from index `size` on and keeps the memory.
  void Truncate(size_t size) { size_ = size < size_ ? size : size_; }

  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T& operator[](size_t index) { return data_[index]; }
  const T& operator[](size_t index) const { return data_[index]; }

 private:
  static constexpr size_t kFirstBytes = 16384;

  bool Grow() {
    void* grown = data_ == nullptr ? raw::Mmap(nullptr, kFirstBytes, PROT_READ | PROT_WRITE,
                                               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                                   : raw::Mremap(data_, bytes_, bytes_ * 2, MREMAP_MAYMOVE);
    if (raw::IsError(grown)) return false;
    bytes_ = data_ == nullptr ? kFirstBytes : bytes_ * 2;
    data_ = static_cast<T*>(grown);
    return true;
  }

  T* data_ = nullptr;
  size_t size_ = 0;
  size_t bytes_ = 0;
};

}  // namespace autotrace::symbolizer

#endif  // AUTOTRACE_SYMBOLIZER_PAGE_ARRAY_H_
