// The part of plugin_decisions.cc that stands in a header, to be precompiled.
#ifndef AUTOTRACE_TESTS_E2E_PROGRAMS_PLUGIN_DECISIONS_H_
#define AUTOTRACE_TESTS_E2E_PROGRAMS_PLUGIN_DECISIONS_H_

#include <cstddef>
#include <string>
#include <utility>

namespace app {

class Point {
 public:
  Point(int x, int y) : x_(x), y_(y) {}
  int x() const { return x_; }
  int sum() const;
  int out_of_line() const;

 private:
  int x_;
  int y_;
};
inline int Point::sum() const { return x() + y_; }

inline int in_header(int value) {
  const auto more = [](int number) { return number + 1; };
  return more(value);
}

struct Part {
  std::string name;
  explicit Part(std::string text) : name(std::move(text)) {}
  Part(const Part&) = default;
  Part& operator=(const Part&) = default;
};
struct Outside {
  std::string name;
  Outside();
  ~Outside();
};
inline Outside::Outside() = default;
inline Outside::~Outside() = default;

template <typename Value>
struct Box {
  Value value;
  const Value& get() const;
  std::size_t size() const { return value.size(); }
  Value copy() const { return value; }
};
template <typename Value>
const Value& Box<Value>::get() const {
  return value;
}

}  // namespace app

#endif  // AUTOTRACE_TESTS_E2E_PROGRAMS_PLUGIN_DECISIONS_H_
