// The last step to a span: a record whose place in its trace is known gets its names, wall-clock
// times, pipeline id, and what extension records said of it. Used by SpanDecoder, which finds out
// the place.
#ifndef AUTOTRACE_EXPORTER_SPAN_ASSEMBLER_H_
#define AUTOTRACE_EXPORTER_SPAN_ASSEMBLER_H_

#include <stdint.h>

#include "exporter/address_space.h"
#include "exporter/clock_map.h"
#include "exporter/described_process.h"
#include "exporter/exception_events.h"
#include "exporter/span.h"
#include "exporter/span_details.h"

namespace autotrace::exporter {

// A span as records tell it.
struct RawSpan {
  uint64_t function = 0;
  uint16_t flags = 0;
  uint64_t start = 0;  // ticks
  uint64_t end = 0;
  uint64_t sequence = 0;
  uint64_t call_site = 0;
  bool placeholder = false;  // stands in for a span without a record
};

// Where a span stands.
struct SpanPlace {
  TraceId trace_id;
  SpanId parent;  // not valid(): none
  bool parent_is_remote = false;
};

// Not thread-safe.
class SpanAssembler {
 public:
  // Owns none of them; they must outlive it.
  SpanAssembler(AddressSpace* addresses, DescribedProcess* process, ClockMap* clock)
      : addresses_(addresses), process_(process), clock_(clock) {}

  // The span is valid until the next call, and as long as `details` (null: none) is left alone: it
  // points into them and takes their attributes. `exceptions` are those of the thread.
  const Span& Assemble(const RawSpan& raw, const SpanPlace& place, const Thread* thread,
                       SpanDetails* details, ExceptionEvents* exceptions);

  // See DecodeStatistics.
  uint64_t suppressed_pipeline_ids() const { return suppressed_pipeline_ids_; }

 private:
  void AddDetails(SpanDetails* details, uint64_t start, ExceptionEvents* exceptions);
  void AddPipelineId(const SpanDetails* details, AddressSpace::FunctionRecord* function);

  AddressSpace* const addresses_;
  DescribedProcess* const process_;
  ClockMap* const clock_;
  Span span_;  // reused, so that a plain span allocates nothing
  uint64_t suppressed_pipeline_ids_ = 0;
};

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_SPAN_ASSEMBLER_H_
