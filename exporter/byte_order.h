// Loads from unaligned bytes of the trace format, which is little endian like every machine that
// autotrace runs on.
#ifndef AUTOTRACE_EXPORTER_BYTE_ORDER_H_
#define AUTOTRACE_EXPORTER_BYTE_ORDER_H_

#include <stdint.h>
#include <string.h>

#include <bit>
#include <string_view>
#include <type_traits>

namespace autotrace::exporter {

static_assert(std::endian::native == std::endian::little);

template <typename T>
T Load(const char* bytes) {
  static_assert(std::is_trivially_copyable_v<T>);
  T value;
  memcpy(&value, bytes, sizeof(value));
  return value;
}

// Takes a T off the front of `bytes`; false when there are too few.
template <typename T>
bool Take(std::string_view* bytes, T* value) {
  if (bytes->size() < sizeof(T)) return false;
  *value = Load<T>(bytes->data());
  bytes->remove_prefix(sizeof(T));
  return true;
}

// Takes `size` bytes and the padding that follows them up to a multiple of 8, which may be missing
// at the very end.
inline bool TakePadded(std::string_view* bytes, size_t size, std::string_view* value) {
  if (bytes->size() < size) return false;
  *value = bytes->substr(0, size);
  const size_t padded = (size + 7) & ~size_t{7};
  bytes->remove_prefix(padded < bytes->size() ? padded : bytes->size());
  return true;
}

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_BYTE_ORDER_H_
