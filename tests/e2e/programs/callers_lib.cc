#include "callers.h"

namespace lib {

NOINLINE static void local(void (*callback)(int)) {
  REPORT_CALLER();
  callback(4);
  Touch();
}

NOINLINE void serve(void (*callback)(int)) {
  REPORT_CALLER();
  local(callback);
  callback(5);
  Touch();
}

}  // namespace lib
