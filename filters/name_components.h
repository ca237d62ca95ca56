// A qualified C++ name taken apart at "::", without being misled by what stands in brackets or by
// operators.
//
//   name                                         components (base | with template arguments)
//   app::twice<a::b>                             app, twice | twice<a::b>
//   app::run(int)::{lambda(a::b)#1}::operator()  app, run (a function), {lambda(a::b)#1},
//   operator() app::(anonymous namespace)::helper           app, (anonymous namespace), helper
//   app::operator<< <int>                        app, operator<< | operator<< <int>
//   app::Text::operator std::string              app, Text, operator std::string
//
// Used by patterns, on traced threads: everything here is async-signal-safe, allocates nothing and
// takes time linear in the name.
#ifndef AUTOTRACE_FILTERS_NAME_COMPONENTS_H_
#define AUTOTRACE_FILTERS_NAME_COMPONENTS_H_

#include <stddef.h>
#include <stdint.h>

#include <string_view>

namespace autotrace::filters {

// Walks a name token by token and knows at each place how many brackets are open. A token is one
// character, "->", or the word `operator` with the symbol that belongs to it.
class NameScanner {
 public:
  explicit NameScanner(std::string_view text) noexcept : text_(text) {}

  bool AtEnd() const noexcept { return position_ >= text_.size(); }
  // At a "::" that parts components.
  bool AtSeparator() const noexcept;
  void SkipSeparator() noexcept { position_ += 2; }
  void Advance() noexcept;

  size_t position() const noexcept { return position_; }
  // Outside all brackets, and not in the type that a conversion operator names.
  bool outside() const noexcept { return depth_ == 0 && !in_conversion_; }
  // Outside all brackets.
  bool at_top() const noexcept { return depth_ == 0; }
  // Every bracket so far has its partner.
  bool balanced() const noexcept { return depth_ == 0 && !stray_; }

 private:
  bool AtOperatorWord() const noexcept;
  void PassOperator() noexcept;
  void Open(bool angle) noexcept;
  void CloseAngle() noexcept;
  void CloseOther() noexcept;

  // Levels that the kind of bracket is remembered for; deeper ones are only counted.
  static constexpr uint32_t kRemembered = 64;

  std::string_view text_;
  size_t position_ = 0;
  uint64_t angles_ = 0;  // bit i: the bracket at level i is a '<'
  uint32_t depth_ = 0;
  bool in_conversion_ = false;
  bool stray_ = false;
};

// The components of one name; points into it. Components past kMaximum are left out.
class NameComponents {
 public:
  static constexpr size_t kMaximum = 48;

  explicit NameComponents(std::string_view name) noexcept;

  size_t size() const noexcept { return size_; }
  // Without template arguments and parameters. May end in a space.
  std::string_view base(size_t index) const noexcept {
    return name_.substr(components_[index].begin, components_[index].base_size);
  }
  // With template arguments, without parameters.
  std::string_view with_arguments(size_t index) const noexcept {
    return name_.substr(components_[index].begin, components_[index].full_size);
  }
  // Carries a parameter list: what follows is inside of this function.
  bool is_function(size_t index) const noexcept { return components_[index].function; }

 private:
  struct Component {
    uint32_t begin;
    uint32_t base_size;
    uint32_t full_size;
    bool function;
  };

  std::string_view name_;
  size_t size_ = 0;
  Component components_[kMaximum];
};

}  // namespace autotrace::filters

#endif  // AUTOTRACE_FILTERS_NAME_COMPONENTS_H_
