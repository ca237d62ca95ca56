// Two namespaces in two source files, for the filters.
#include "filters_util.h"
#include "program.h"

namespace app {

NOINLINE void callback() { Touch(); }
NOINLINE void parse() {
  for (int i = 0; i < 2; ++i) util::trim(callback);
  Touch();
}
NOINLINE void load() {
  for (int i = 0; i < 3; ++i) parse();
  Touch();
}
NOINLINE void commit() { Touch(); }
NOINLINE void store() {
  commit();
  Touch();
}
NOINLINE void report() { Touch(); }
NOINLINE void run() {
  load();
  store();
  report();
  Touch();
}

}  // namespace app

int main() {
  app::run();
  return 0;
}
