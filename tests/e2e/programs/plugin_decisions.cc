// One function for each thing that a compiler plugin's decision looks at; cases_plugin.py says what
// is to become of each.
#include "plugin_decisions.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <autotrace/c_api.h>

#include "program.h"

namespace app {

int Point::out_of_line() const { return x_; }
static int helper(int value) { return value + 1; }
inline int calls_out_of_line(int value) { return helper(value); }
int constant(int) { return 3; }

inline int if_and_switch(int value) {
  if (value < 0) return -value;
  switch (value) {
    case 1:
      return 7;
    default:
      break;
  }
  return value;
}
inline int loop_for(const std::string& text) {
  int sum = 0;
  for (const char c : text) sum += c;
  return sum;
}
inline int loop_while(int value) {
  while (value > 10) value /= 2;
  return value;
}
inline int jump_back(int value) {
again:
  value /= 2;
  if (value > 10) goto again;
  return value;
}
inline int jump_forward(int value) {
  if (value > 10) goto done;
  value += 1;
done:
  return value;
}
inline int once(int value) {
  do {
    ++value;
  } while (0);
  return value;
}
inline int recursive(int value) { return value <= 0 ? 0 : recursive(value - 1); }
inline int throws(int value) {
#ifdef __cpp_exceptions
  if (value < 0) throw std::out_of_range("negative");
#else
  if (value < 0) std::abort();
#endif
  return value;
}
inline int assembler(int value) {
  __asm__ volatile("" ::: "memory");
  return value;
}
inline int through_pointer(int (*function)(int), int value) { return function(value); }

// Calls that vanish, and calls that stay.
inline int calls_inline(const Point& point) { return point.x() + if_and_switch(1); }
inline bool string_empty(const std::string& text) { return text.empty(); }
inline int vector_element(const std::vector<int>& values) { return values[0]; }
inline int dereferenced(const std::unique_ptr<int>& pointer) { return *pointer; }
inline int greater(int value) { return std::max(value, 3); }
inline int atomically(std::atomic<int>& value) { return value.fetch_add(1); }
inline unsigned small_copy(const char* bytes) {
  unsigned value;
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}
inline void copy(char* to, const char* from, std::size_t size) { std::memcpy(to, from, size); }
inline std::string copied(const std::string& text) { return text; }
inline int with_local(const std::string& text) {
  const std::vector<int> values;
  return static_cast<int>(values.size() + text.size());
}
inline int* allocated() { return new int(3); }
inline int& once_for_all() {
  static std::string text = "text";
  static int value = static_cast<int>(text.size());
  return value;
}
template <typename Number>
Number evaluated(Number value) {
  if (__builtin_is_constant_evaluated()) {
    while (value > 10) value /= 2;
  }
  return value;
}

template <typename Value>
Value twice(Value value) {
  return value + value;
}
template <>
int twice<int>(int value) {
  return value * 2;
}

struct Shape {
  virtual ~Shape() {}
  virtual int area() const { return 1; }
};
struct Square final : Shape {
  using Shape::Shape;
  int area() const override { return 4; }
};
inline int through_table(const Shape& shape) { return shape.area(); }
inline int known_class(const Square& square) { return square.area(); }

struct Numbered {
  std::string name;
  explicit Numbered(int number) : name(std::to_string(number)) {}
};
struct Inheriting : Numbered {
  using Numbered::Numbered;
};

AUTOTRACE_NO_TRACE void marked_no_trace() {}
AUTOTRACE_ALWAYS_TRACE inline int marked_always(int value) { return value; }
inline int calls_marked_always(int value) { return marked_always(value); }
struct Marked {
  AUTOTRACE_ALWAYS_TRACE Marked() : value_(1) {}
  AUTOTRACE_ALWAYS_TRACE int value() const { return value_; }
  template <typename Number>
  AUTOTRACE_ALWAYS_TRACE Number as() const {
    return static_cast<Number>(value_);
  }
  int value_;
};

int run() {
  const Point point(1, 2);
  Part part("part");
  Part copy_of_part = part;
  copy_of_part = part;
  Outside outside;
  const Box<std::string> box{"box"};
  const Inheriting inheriting(4);
  const Marked marked;
  std::vector<int> values = {3, 1, 2};
  std::sort(values.begin(), values.end(), [](int a, int b) { return a < b; });
  std::for_each(values.begin(), values.end(), [&](int value) {
    for (int i = 0; i < value; ++i) part.name += 'x';
  });
  std::unique_ptr<int> pointer(allocated());
  std::atomic<int> counter(0);
  char bytes[16] = "0123456789";
  char other[16];
  copy(other, bytes, values.size());
  const Square square;
  marked_no_trace();
  return point.x() + point.out_of_line() + point.sum() + helper(0) + calls_out_of_line(1) +
         constant(1) + if_and_switch(2) + loop_for("text") + loop_while(20) + jump_back(20) +
         jump_forward(1) + once(1) + recursive(2) + throws(1) + assembler(1) +
         through_pointer(constant, 1) + calls_inline(point) + string_empty(part.name) +
         vector_element(values) + dereferenced(pointer) + greater(2) + atomically(counter) +
         static_cast<int>(small_copy(bytes)) + static_cast<int>(copied("text").size()) +
         with_local("text") + once_for_all() + evaluated(3) + twice(2) +
         static_cast<int>(twice(2.0)) + static_cast<int>(twice(std::string("x")).size()) +
         through_table(square) + known_class(square) + static_cast<int>(box.copy().size()) +
         static_cast<int>(box.get().size()) + static_cast<int>(box.size()) + marked_always(1) +
         calls_marked_always(1) + marked.value() + marked.as<int>() + in_header(1) +
         static_cast<int>(inheriting.name.size());
}

}  // namespace app

int main() {
  app::run();
  return 0;
}
