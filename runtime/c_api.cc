// The C interface for manual spans (autotrace/c_api.h).
#include <autotrace/c_api.h>

#include "runtime/session.h"
#include "runtime/thread_slot.h"

#define AUTOTRACE_API extern "C" __attribute__((visibility("default")))

namespace autotrace {
namespace {

// Nothing when this thread has no recorder.
template <typename Work>
void WithOwnRecorder(Work work) {
  if (Recorder* recorder = RecorderForThisThread()) WithRecorder(recorder, work);
}

void SetAttribute(autotrace_span span, std::string_view key, format::AttributeType type,
                  const void* value, size_t size) {
  if (span.sequence == 0 || key.empty()) return;
  WithOwnRecorder([&](Recorder* recorder) {
    if (recorder->IsOpen(span.sequence)) {
      recorder->WriteAttribute(span.sequence, key, type, value, size);
    }
  });
}

}  // namespace
}  // namespace autotrace

using autotrace::Recorder;
using autotrace::format::AttributeType;

AUTOTRACE_API int autotrace_recording(void) {
  return autotrace::g_state.load(std::memory_order_relaxed) == autotrace::SessionState::kOn ? 1 : 0;
}

AUTOTRACE_API autotrace_span autotrace_span_begin(const char* name, size_t name_size) {
  autotrace_span span = {0, 0};
  if (autotrace::g_state.load(std::memory_order_relaxed) != autotrace::SessionState::kOn) {
    return span;
  }
  const auto frame_address = reinterpret_cast<uint64_t>(__builtin_dwarf_cfa());
  autotrace::WithOwnRecorder([&](Recorder* recorder) {
    span.sequence = recorder->BeginManual({name, name_size}, frame_address);
    span.thread = recorder->thread_index();
  });
  return span;
}

AUTOTRACE_API void autotrace_span_end(autotrace_span span) {
  if (span.sequence == 0) return;
  autotrace::WithOwnRecorder([&](Recorder* recorder) { recorder->EndManual(span.sequence); });
}

AUTOTRACE_API void autotrace_span_set_string(autotrace_span span, const char* key, size_t key_size,
                                             const char* value, size_t value_size) {
  autotrace::SetAttribute(span, {key, key_size}, AttributeType::kString, value, value_size);
}

AUTOTRACE_API void autotrace_span_set_int(autotrace_span span, const char* key, size_t key_size,
                                          int64_t value) {
  autotrace::SetAttribute(span, {key, key_size}, AttributeType::kInt, &value, sizeof(value));
}

AUTOTRACE_API void autotrace_span_set_double(autotrace_span span, const char* key, size_t key_size,
                                             double value) {
  autotrace::SetAttribute(span, {key, key_size}, AttributeType::kDouble, &value, sizeof(value));
}

AUTOTRACE_API void autotrace_span_set_bool(autotrace_span span, const char* key, size_t key_size,
                                           int value) {
  const uint8_t byte = value != 0 ? 1 : 0;
  autotrace::SetAttribute(span, {key, key_size}, AttributeType::kBool, &byte, sizeof(byte));
}

AUTOTRACE_API int autotrace_flush(uint64_t timeout_nanos) {
  autotrace::Session* session = autotrace::Session::Current();
  return session != nullptr && session->Flush(timeout_nanos) ? 0 : -1;
}

AUTOTRACE_API void autotrace_stack_created(const void* low, size_t size) {
  const auto begin = reinterpret_cast<uint64_t>(low);
  if (begin == 0 || size == 0) return;
  autotrace::WithOwnRecorder(
      [&](Recorder* recorder) { recorder->StackCreated(begin, begin + size); });
}

AUTOTRACE_API void autotrace_stack_switched(void) {
  const auto here = reinterpret_cast<uint64_t>(__builtin_frame_address(0));
  autotrace::WithOwnRecorder([&](Recorder* recorder) { recorder->SwitchToStackOf(here); });
}

AUTOTRACE_API void autotrace_stack_destroyed(const void* low) {
  autotrace::WithOwnRecorder(
      [&](Recorder* recorder) { recorder->StackDestroyed(reinterpret_cast<uint64_t>(low)); });
}
