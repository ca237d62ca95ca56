// How a recorder puts records into its chunks of the ring: traces, details of spans, and what
// happens when a chunk is full.
#include <string.h>

#include <algorithm>

#include "runtime/block_stream.h"
#include "runtime/recorder.h"

namespace autotrace {
void Recorder::BeginTrace() {
  root_ = RootFrame();
  if (root_ == nullptr) return;
  SetSequence(root_);
  // (A handler may have closed the fast path, see recorder_inner.cc.)
  if (chunk_ != nullptr) write_fast_end_ = write_end_ - kSpanWords;
  WriteTraceBegin(0);
  if (shared_->capture_stack != nullptr) WriteStack(root_->sequence, root_->frame_address);
}

void Recorder::WriteTraceBegin(uint16_t extra_flags) {
  constexpr size_t kWords = sizeof(format::TraceBegin) / sizeof(uint64_t);
  if (write_ + kWords > write_end_ || chunk_ == nullptr) {
    NextChunk(extra_flags);  // writes the trace at its head
    return;
  }
  uint64_t* record = write_;
  write_ += kWords;
  *write_ = 0;
  auto* begin = reinterpret_cast<format::TraceBegin*>(record);
  uint16_t flags = extra_flags;
  begin->start = root_->start;
  begin->root_sequence = root_->sequence;
  begin->call_site = root_->call_site;
  begin->parent_sequence = 0;
  begin->parent_span_id = 0;
  CurrentTraceId(shared_->secret, begin->trace_id);
  if (outer_.exists() && root_ != cut_root_) {
    flags |= outer_.sequence != 0 ? format::kTraceLocalParent : format::kTraceRemoteParent;
    begin->parent_span_id = outer_.span_id;
    begin->parent_sequence = outer_.sequence;
  }
  if (root_ == cut_root_) flags |= format::kTraceCut;
  __atomic_store_n(&begin->head,
                   format::HeadWord(format::RecordKind::kTraceBegin, flags, root_->function),
                   __ATOMIC_RELEASE);
}

void Recorder::WriteStack(uint64_t sequence, uint64_t frame_address) {
  uint64_t addresses[kMaxStackDepth];
  const size_t count = shared_->capture_stack(frame_address, addresses, kMaxStackDepth);
  WriteExtension(format::ExtensionType::kStack, sequence,
                 {{reinterpret_cast<const char*>(addresses), count * sizeof(uint64_t)}});
}

void Recorder::WriteExtension(format::ExtensionType type, uint64_t sequence,
                              std::initializer_list<std::string_view> payload) {
  size_t size = 0;
  for (const std::string_view part : payload) size += part.size();
  const size_t padded = (size + 7) / 8 * 8;
  uint64_t* record = Reserve((sizeof(format::Extension) + padded) / sizeof(uint64_t));
  if (record == nullptr) {
    // An identity names an open span, whose own record will say the same.
    if (type != format::ExtensionType::kIdentity) {
      shared_->ring.Count(format::Counter::kLostDetails);
    }
    return;
  }
  record[1] = sequence;
  char* out = reinterpret_cast<char*>(record + 2);
  memset(out + padded - std::min<size_t>(padded, 8), 0, std::min<size_t>(padded, 8));
  for (const std::string_view part : payload) {
    if (!part.empty()) memcpy(out, part.data(), part.size());
    out += part.size();
  }
  __atomic_store_n(
      record, format::HeadWord(format::RecordKind::kExtension, static_cast<uint16_t>(type), size),
      __ATOMIC_RELEASE);
}

bool Recorder::WriteModule(std::string_view payload) {
  const size_t padded = PadTo8(payload.size());
  uint64_t* record = Reserve((sizeof(format::Extension) + padded) / sizeof(uint64_t));
  if (record == nullptr) return false;
  char* out = reinterpret_cast<char*>(record + 2);
  memset(out + padded - 8, 0, 8);
  memcpy(out, payload.data(), payload.size());
  shared_->module_records.Add(reinterpret_cast<format::Extension*>(record));
  __atomic_store_n(
      record,
      format::HeadWord(format::RecordKind::kExtension,
                       static_cast<uint16_t>(format::ExtensionType::kModule), payload.size()),
      __ATOMIC_RELEASE);
  // For readers from outside, which look for these records only where there are some.
  chunk_->header.module_records.fetch_add(1, std::memory_order_release);
  return true;
}

uint64_t* Recorder::Reserve(size_t words) {
  if (chunk_ == nullptr || write_ + words > write_end_) {
    // Not counted: counters count spans, and this span will be counted if it is lost as well.
    if (!NextChunk() || write_ + words > write_end_) return nullptr;
  }
  uint64_t* record = write_;
  write_ += words;
  *write_ = 0;
  return record;
}

void Recorder::ReleaseChunk() {
  if (chunk_ == nullptr) return;
  Ring::Release(chunk_);
  chunk_ = nullptr;
  write_ = write_end_ = write_fast_end_ = nullptr;
}

bool Recorder::NextChunk(uint16_t trace_flags) {
  ReleaseChunk();
  chunk_ = shared_->ring.Claim(thread_index_, tid_, chunk_sequence_ + 1, Now());
  shared_->ring.WakeReader();
  if (chunk_ == nullptr) return false;
  ++chunk_sequence_;
  write_ = chunk_->data;
  const size_t words = shared_->ring.chunk_data_bytes() / sizeof(uint64_t);
  write_end_ = chunk_->data + words - 1;
  write_fast_end_ = write_end_ - kSpanWords;
  // Each chunk says which trace its spans belong to, so that it can be read alone.
  if (root_ != nullptr) WriteTraceBegin(trace_flags);
  return true;
}
}  // namespace autotrace
