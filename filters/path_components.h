// A path taken apart at '/', with "." and ".." resolved by their text alone. Points into the path.
// Async-signal-safe, allocates nothing.
#ifndef AUTOTRACE_FILTERS_PATH_COMPONENTS_H_
#define AUTOTRACE_FILTERS_PATH_COMPONENTS_H_

#include <stddef.h>

#include <string_view>

namespace autotrace::filters {

class PathComponents {
 public:
  // Of a deeper path the last ones are kept, and it no longer counts as absolute.
  static constexpr size_t kMaximum = 48;

  explicit PathComponents(std::string_view path) noexcept
      : absolute_(!path.empty() && path.front() == '/') {
    while (!path.empty()) {
      const size_t slash = path.find('/');
      Add(path.substr(0, slash));
      path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
    }
  }

  bool absolute() const noexcept { return absolute_; }
  size_t size() const noexcept { return size_; }
  std::string_view operator[](size_t index) const noexcept { return components_[index]; }
  // The file's own name; empty for an empty path.
  std::string_view base_name() const noexcept {
    return size_ == 0 ? std::string_view() : components_[size_ - 1];
  }

 private:
  void Add(std::string_view component) noexcept {
    if (component.empty() || component == ".") return;
    if (component == "..") {
      if (size_ > 0) --size_;
      return;
    }
    if (size_ == kMaximum) {
      for (size_t index = 1; index < kMaximum; ++index) components_[index - 1] = components_[index];
      --size_;
      absolute_ = false;
    }
    components_[size_++] = component;
  }

  bool absolute_;
  size_t size_ = 0;
  std::string_view components_[kMaximum];
};

}  // namespace autotrace::filters

#endif  // AUTOTRACE_FILTERS_PATH_COMPONENTS_H_
