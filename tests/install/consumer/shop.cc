// The consumer's program. Prints 12, traced or not.
#include <cstdio>

#include "billing.h"
#include "stock.h"

namespace shop {
__attribute__((noinline)) int Order(int article) {
  const int reserved = stock::Reserve(article);
  return billing::Charge(reserved);
}
}  // namespace shop

int main() {
  std::printf("%d\n", shop::Order(5));
  return 0;
}
