// Input: a traceparent value, as another program hands it on.
#include <string>

#include "runtime/trace_parent.h"
#include "tests/fuzz/fuzz_target.h"

namespace autotrace::fuzz {

void TestInput(std::string_view bytes) {
  // A copy of its own: a read beyond it is then a read beyond an allocation.
  const std::string text(bytes);
  OuterParent parent;
  if (!ParseTraceParent(text, &parent)) return;
  Require((parent.trace_id[0] | parent.trace_id[1]) != 0 && parent.span_id != 0,
          "ids are not zero");
  char formatted[kTraceParentSize];
  FormatTraceParent(parent, IdSecret{}, formatted);
  Require(text.substr(2, 51) == std::string(formatted + 2, 51), "ids are what was read");
  OuterParent again;
  Require(ParseTraceParent({formatted, sizeof(formatted)}, &again), "what is written is read");
}

}  // namespace autotrace::fuzz
