#include "runtime/signal_stack.h"

namespace autotrace {

std::atomic<bool> g_may_have_signal_stacks{true};

}  // namespace autotrace
