// One function of each kind that has a name of its own.
#include "program.h"

namespace app {

template <typename T>
NOINLINE T twice(T value) {
  Touch();
  return value + value;
}

template <typename T>
struct Box {
  T value;
  NOINLINE T get() const {
    Touch();
    return value;
  }
  template <int N>
  NOINLINE T add() const {
    Touch();
    return value + N;
  }
};

struct Thing {
  int value;
  NOINLINE explicit Thing(int v) : value(v) { Touch(); }
  NOINLINE ~Thing() { Touch(); }
  NOINLINE Thing operator+(const Thing& other) const {
    Touch();
    return Thing(value + other.value);
  }
  NOINLINE explicit operator bool() const {
    Touch();
    return value != 0;
  }
  NOINLINE int operator()(int factor) const {
    Touch();
    return value * factor;
  }
};

struct Shape {
  virtual int area() const = 0;
};
struct Square : Shape {
  NOINLINE int area() const override {
    Touch();
    return 4;
  }
};

namespace {
NOINLINE int helper() {
  Touch();
  return 1;
}
}  // namespace

inline namespace v2 {
[[gnu::abi_tag("new")]] NOINLINE int tagged() {
  Touch();
  return 2;
}
}  // namespace v2

NOINLINE int run(const Shape& shape) {
  int sum = twice(1) + static_cast<int>(twice(1.5));
  sum += Box<int>{3}.get() + Box<int>{3}.add<7>();
  {
    const Thing one(1);
    const Thing two = one + one;
    if (two) sum += two(5);
  }
  sum += shape.area() + helper() + tagged();
  const auto lambda = [&sum](int value) __attribute__((noinline)) {
    Touch();
    return value + sum;
  };
  sum += lambda(1);
  Touch();
  return sum;
}

}  // namespace app

int main() {
  const app::Square square;
  return app::run(square) > 0 ? 0 : 1;
}
