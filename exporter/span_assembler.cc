#include "exporter/span_assembler.h"

#include <string_view>
#include <utility>

#include "exporter/thread_traces.h"
#include "filters/known_function.h"

namespace autotrace::exporter {

const Span& SpanAssembler::Assemble(const RawSpan& raw, const SpanPlace& place,
                                    const Thread* thread, SpanDetails* details,
                                    ExceptionEvents* exceptions) {
  Span& span = span_;
  span.trace_id = place.trace_id;
  span.span_id = MakeSpanId(SpanIdOf(process_->info().secret, raw.sequence));
  span.parent_span_id = place.parent;
  span.parent_is_remote = place.parent_is_remote;
  span.manual = (raw.flags & format::kSpanManual) != 0;
  span.unfinished = (raw.flags & format::kSpanUnfinished) != 0;
  span.placeholder = raw.placeholder;
  span.error = (raw.flags & format::kSpanError) != 0;
  span.start_unix_nanos = clock_->ToUnixNanos(raw.start);
  span.end_unix_nanos = clock_->ToUnixNanos(raw.end);
  AddressSpace::FunctionRecord* function =
      span.manual || raw.function == 0 ? nullptr : addresses_->FunctionAt(raw.function, raw.start);
  span.function = function != nullptr ? &function->function : nullptr;
  span.name = function != nullptr ? std::string_view(function->function.name)
              : raw.placeholder   ? "(unknown)"
                                  : "(unnamed)";
  span.caller = addresses_->CallSiteAt(raw.call_site, raw.start);
  span.thread = thread;
  span.process = process_->HandOut();
  span.pipeline_id = span.pipeline_id_key = {};
  span.attributes.clear();
  span.events.clear();
  span.error_description.clear();
  span.stacktrace.clear();
  if (details != nullptr) AddDetails(details, raw.start, exceptions);
  if (!place.parent.valid() || place.parent_is_remote) AddPipelineId(details, function);
  return span;
}

void SpanAssembler::AddDetails(SpanDetails* details, uint64_t start, ExceptionEvents* exceptions) {
  if (details->name().has_value()) span_.name = *details->name();
  span_.attributes = std::move(details->attributes());
  span_.stacktrace = addresses_->StackText(details->stack(), start);
  if (details->exception().has_value()) {
    exceptions->AddTo(&span_, *details->exception(), *clock_, *addresses_);
  }
}

// For the first span of a trace in this process.
void SpanAssembler::AddPipelineId(const SpanDetails* details,
                                  AddressSpace::FunctionRecord* function) {
  std::string_view id = process_->pipelines().general_id();
  if (details != nullptr && details->pipeline_id().has_value()) {
    id = *details->pipeline_id();
  } else if (function != nullptr) {
    if (!function->pipeline_known) {
      const Function& facts = function->function;
      function->pipeline_id = process_->pipelines().IdFor(
          filters::KnownFunction(facts.name, facts.module_path, facts.file));
      function->pipeline_known = true;
    }
    id = function->pipeline_id;
  }
  if (id.empty()) return;
  if (span_.parent_is_remote && process_->config().pipeline_id_on == filters::PipelineIdOn::kRoot) {
    // In a forked child that is as it should be: the id is on a root in the same run.
    if (process_->info().parent_process_key == 0) ++suppressed_pipeline_ids_;
    return;
  }
  span_.pipeline_id = id;
  span_.pipeline_id_key = process_->config().pipeline_id_key;
}

}  // namespace autotrace::exporter
