#include "filters_util.h"

#include "program.h"

namespace util {

NOINLINE void trim(void (*callback)()) {
  callback();
  Touch();
}

}  // namespace util
