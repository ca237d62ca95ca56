#include "exporter/pack_columns.h"

#include <string.h>

#include "exporter/byte_order.h"
#include "exporter/records.h"
#include "runtime/trace_format.h"

namespace autotrace::exporter {
namespace {

using format::kMask48;
using format::RecordKind;

// A record's shape: its kind in the low four bits, then how its sequence and its parent are given.
constexpr uint8_t kKindMask = 0x0f;
constexpr int kSequenceShift = 4;
constexpr int kParentShift = 6;
enum class SequenceIs : uint8_t { kNext, kLastParent, kOther };
enum class ParentIs : uint8_t { kOfTheOneBefore, kOfThisFunction, kOther };

constexpr int kClockBits = 48;

// Small numbers of either sign to small ones without: 0, -1, 1, -2, ... to 0, 1, 2, 3, ...
uint64_t Folded(uint64_t difference) {
  return (difference << 1) ^ (static_cast<int64_t>(difference) < 0 ? ~uint64_t{0} : 0);
}
uint64_t Unfolded(uint64_t folded) { return (folded >> 1) ^ (~(folded & 1) + 1); }

// Clocks have 48 bits and wrap around.
uint64_t ClockDifference(uint64_t later, uint64_t earlier) {
  const uint64_t difference = (later - earlier) << (64 - kClockBits);
  return static_cast<uint64_t>(static_cast<int64_t>(difference) >> (64 - kClockBits));
}

// The fields of kSpan and kSpanWithCaller (runtime/trace_format.h).
struct SpanFields {
  RecordKind kind = RecordKind::kSpan;
  uint16_t flags = 0;
  uint64_t function = 0;
  uint64_t start = 0;
  uint64_t duration = 0;
  uint64_t sequence = 0;
  uint64_t parent = 0;
  uint64_t call_site = 0;

  uint64_t end() const { return (start + duration) & kMask48; }

  // False when the unused bits of the last word are in use.
  bool Parse(std::string_view record) {
    uint64_t words[5] = {};
    memcpy(words, record.data(), record.size());
    kind = format::KindOf(words[0]);
    flags = format::FlagsOf(words[0]);
    function = format::AddressOf(words[0]);
    start = words[1] >> 16;
    sequence = words[2] >> 16;
    parent = words[3] >> 16;
    call_site = words[4] >> 16;
    duration = (words[1] & 0xffff) | (words[2] & 0xffff) << 16 | (words[3] & 0xffff) << 32;
    return (words[4] & 0xffff) == 0;
  }

  void AppendTo(std::string* records) const {
    const uint64_t words[5] = {format::HeadWord(kind, flags, function),
                               start << 16 | (duration & 0xffff),
                               sequence << 16 | ((duration >> 16) & 0xffff),
                               parent << 16 | ((duration >> 32) & 0xffff), call_site << 16};
    records->append(reinterpret_cast<const char*>(words),
                    kind == RecordKind::kSpan ? format::kSpanBytes : format::kSpanWithCallerBytes);
  }
};

bool IsSpan(RecordKind kind) {
  return kind == RecordKind::kSpan || kind == RecordKind::kSpanWithCaller;
}

// After each span, on both sides.
void Remember(const SpanFields& span, SpanExpectations::Thread* thread,
              SpanExpectations::Function* function, SpanExpectations* expected) {
  // Parents, whose sequences are older, do not set the count back.
  if (span.sequence > thread->last_sequence) thread->last_sequence = span.sequence;
  thread->last_parent = span.parent;
  thread->last_end = span.end();
  function->last_parent = span.parent;
  expected->first_child_starts.erase(span.sequence);
  if (span.parent != 0) expected->first_child_starts.try_emplace(span.parent, span.start);
}

}  // namespace

void AppendNumber(std::string* bytes, uint64_t number) {
  for (; number >= 0x80; number >>= 7) bytes->push_back(static_cast<char>(number | 0x80));
  bytes->push_back(static_cast<char>(number));
}

bool TakeNumber(std::string_view* bytes, uint64_t* number) {
  *number = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    uint8_t group = 0;
    if (!Take(bytes, &group)) return false;
    *number |= uint64_t{group & 0x7fu} << shift;
    if ((group & 0x80) == 0) return true;
  }
  return false;
}

// ---- Writing -----------------------------------------------------------------------------------

bool PackColumnWriter::Add(uint32_t thread_index, std::string_view records) {
  SpanExpectations::Thread& thread = expected_.ThreadOf(thread_index);
  while (!records.empty()) {
    uint64_t head = 0;
    if (records.size() < sizeof(head)) return false;
    memcpy(&head, records.data(), sizeof(head));
    const size_t size = RecordSize(head);
    if (size == 0 || size > records.size()) return false;
    const std::string_view record = records.substr(0, size);
    if (IsSpan(format::KindOf(head))) {
      if (!AddSpan(&thread, record)) return false;
    } else {
      column(PackColumn::kShape).push_back(static_cast<char>(format::KindOf(head)));
      column(PackColumn::kOther).append(record);
    }
    records.remove_prefix(size);
  }
  return true;
}

bool PackColumnWriter::AddSpan(SpanExpectations::Thread* thread, std::string_view record) {
  SpanFields span;
  if (!span.Parse(record)) return false;

  const auto [number, is_new] =
      expected_.function_numbers.try_emplace(span.function, expected_.functions.size());
  AppendNumber(&column(PackColumn::kFunction), number->second);
  if (is_new) {
    expected_.functions.emplace_back().address = span.function;
    AppendNumber(&column(PackColumn::kAddress), span.function);
  }
  SpanExpectations::Function& function = expected_.functions[number->second];
  if (span.kind == RecordKind::kSpanWithCaller) {
    const auto [site, is_new_site] =
        function.call_site_numbers.try_emplace(span.call_site, function.call_sites.size());
    AppendNumber(&column(PackColumn::kCallSite), site->second);
    if (is_new_site) {
      function.call_sites.push_back(span.call_site);
      AppendNumber(&column(PackColumn::kAddress), span.call_site);
    }
  }

  SequenceIs sequence_is = SequenceIs::kOther;
  if (span.sequence == thread->last_sequence + 1) {
    sequence_is = SequenceIs::kNext;
  } else if (span.sequence == thread->last_parent) {
    sequence_is = SequenceIs::kLastParent;
  } else {
    AppendNumber(&column(PackColumn::kSequence), Folded(span.sequence - thread->last_sequence));
  }
  ParentIs parent_is = ParentIs::kOther;
  if (span.parent == thread->last_parent) {
    parent_is = ParentIs::kOfTheOneBefore;
  } else if (span.parent == function.last_parent) {
    parent_is = ParentIs::kOfThisFunction;
  } else {
    AppendNumber(&column(PackColumn::kParent), Folded(span.sequence - span.parent));
  }
  column(PackColumn::kShape)
      .push_back(static_cast<char>(static_cast<uint8_t>(span.kind) |
                                   static_cast<uint8_t>(sequence_is) << kSequenceShift |
                                   static_cast<uint8_t>(parent_is) << kParentShift));
  AppendNumber(&column(PackColumn::kFlags), span.flags);

  const auto child = expected_.first_child_starts.find(span.sequence);
  if (child == expected_.first_child_starts.end()) {
    AppendNumber(&column(PackColumn::kLeafStart),
                 Folded(ClockDifference(span.start, thread->last_end)));
    AppendNumber(&column(PackColumn::kDuration), span.duration);
  } else {
    // The duration, not the end, since it may be longer than the clock's bits tell.
    AppendNumber(&column(PackColumn::kOuterStart),
                 Folded(ClockDifference(child->second, span.start)));
    AppendNumber(&column(PackColumn::kOuterEnd),
                 Folded(ClockDifference(span.end(), thread->last_end)));
  }
  Remember(span, thread, &function, &expected_);
  return true;
}

// ---- Reading -----------------------------------------------------------------------------------

PackColumnReader::PackColumnReader(const PackColumns& columns) {
  for (size_t i = 0; i < kPackColumns; ++i) rest_[i] = columns[i];
}

bool PackColumnReader::TakeNumber(PackColumn which, uint64_t* number) {
  return exporter::TakeNumber(&column(which), number);
}

bool PackColumnReader::TakeDifference(PackColumn which, uint64_t* difference) {
  if (!TakeNumber(which, difference)) return false;
  *difference = Unfolded(*difference);
  return true;
}

bool PackColumnReader::Take(uint32_t thread_index, size_t bytes, std::string* records) {
  SpanExpectations::Thread& thread = expected_.ThreadOf(thread_index);
  const size_t end = records->size() + bytes;
  while (records->size() < end) {
    uint8_t shape = 0;
    if (!exporter::Take(&column(PackColumn::kShape), &shape)) return false;
    const bool taken = IsSpan(static_cast<RecordKind>(shape & kKindMask))
                           ? TakeSpan(&thread, shape, records)
                           : TakeOther(records);
    if (!taken) return false;
  }
  return records->size() == end;
}

bool PackColumnReader::TakeOther(std::string* records) {
  std::string_view& others = column(PackColumn::kOther);
  uint64_t head = 0;
  if (others.size() < sizeof(head)) return false;
  memcpy(&head, others.data(), sizeof(head));
  const size_t size = RecordSize(head);
  if (size == 0 || size > others.size()) return false;
  records->append(others.substr(0, size));
  others.remove_prefix(size);
  return true;
}

bool PackColumnReader::TakeFunction(SpanExpectations::Function** function) {
  uint64_t number = 0;
  if (!TakeNumber(PackColumn::kFunction, &number)) return false;
  if (number == expected_.functions.size()) {
    uint64_t address = 0;
    if (!TakeNumber(PackColumn::kAddress, &address)) return false;
    expected_.functions.emplace_back().address = address;
  }
  if (number >= expected_.functions.size()) return false;
  *function = &expected_.functions[number];
  return true;
}

bool PackColumnReader::TakeCallSite(SpanExpectations::Function* function, uint64_t* call_site) {
  uint64_t number = 0;
  if (!TakeNumber(PackColumn::kCallSite, &number)) return false;
  if (number == function->call_sites.size()) {
    uint64_t address = 0;
    if (!TakeNumber(PackColumn::kAddress, &address)) return false;
    function->call_sites.push_back(address);
  }
  if (number >= function->call_sites.size()) return false;
  *call_site = function->call_sites[number];
  return true;
}

bool PackColumnReader::TakeSpan(SpanExpectations::Thread* thread, uint8_t shape,
                                std::string* records) {
  SpanFields span;
  span.kind = static_cast<RecordKind>(shape & kKindMask);
  SpanExpectations::Function* function = nullptr;
  if (!TakeFunction(&function)) return false;
  span.function = function->address;
  if (span.kind == RecordKind::kSpanWithCaller && !TakeCallSite(function, &span.call_site)) {
    return false;
  }
  uint64_t difference = 0;
  switch (static_cast<SequenceIs>((shape >> kSequenceShift) & 3)) {
    case SequenceIs::kNext:
      span.sequence = thread->last_sequence + 1;
      break;
    case SequenceIs::kLastParent:
      span.sequence = thread->last_parent;
      break;
    default:
      if (!TakeDifference(PackColumn::kSequence, &difference)) return false;
      span.sequence = thread->last_sequence + difference;
  }
  switch (static_cast<ParentIs>((shape >> kParentShift) & 3)) {
    case ParentIs::kOfTheOneBefore:
      span.parent = thread->last_parent;
      break;
    case ParentIs::kOfThisFunction:
      span.parent = function->last_parent;
      break;
    default:
      if (!TakeDifference(PackColumn::kParent, &difference)) return false;
      span.parent = span.sequence - difference;
  }
  uint64_t flags = 0;
  if (!TakeNumber(PackColumn::kFlags, &flags)) return false;
  span.flags = static_cast<uint16_t>(flags);

  uint64_t time = 0;
  const auto child = expected_.first_child_starts.find(span.sequence);
  if (child == expected_.first_child_starts.end()) {
    if (!TakeDifference(PackColumn::kLeafStart, &difference) ||
        !TakeNumber(PackColumn::kDuration, &time)) {
      return false;
    }
    span.start = (thread->last_end + difference) & kMask48;
    span.duration = time & kMask48;
  } else {
    if (!TakeDifference(PackColumn::kOuterStart, &difference) ||
        !TakeDifference(PackColumn::kOuterEnd, &time)) {
      return false;
    }
    span.start = (child->second - difference) & kMask48;
    span.duration = (thread->last_end + time - span.start) & kMask48;
  }
  span.AppendTo(records);
  Remember(span, thread, function, &expected_);
  return true;
}

}  // namespace autotrace::exporter
