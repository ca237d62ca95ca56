// A library that is compiled more than once, each time under another name of the same length
// (-DPLUGIN=alpha): the results have the same size and the same functions at the same offsets.
#include "program.h"

namespace PLUGIN {

NOINLINE void step() { Touch(); }

NOINLINE void run(void (*callback)()) {
  step();
  if (callback != nullptr) callback();
  Touch();
}

}  // namespace PLUGIN

extern "C" NOINLINE __attribute__((visibility("default"))) void plugin_run(void (*callback)()) {
  PLUGIN::run(callback);
  Touch();
}
