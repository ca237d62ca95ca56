#include "recorded_spans.h"

#include <string.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>
#include <tuple>

#include "fake_program.h"

namespace autotrace::test {
namespace {

using format::RecordKind;

uint64_t WordAt(std::string_view records, size_t at) {
  uint64_t word = 0;
  REQUIRE(at + sizeof(word) <= records.size());
  memcpy(&word, records.data() + at, sizeof(word));
  return word;
}

RecordedSpan SpanAt(std::string_view records, size_t at, bool with_caller) {
  const uint64_t head = WordAt(records, at);
  const uint64_t words[3] = {WordAt(records, at + 8), WordAt(records, at + 16),
                             WordAt(records, at + 24)};
  RecordedSpan span;
  span.function = format::AddressOf(head);
  span.flags = format::FlagsOf(head);
  span.start = words[0] >> 16;
  span.sequence = words[1] >> 16;
  span.parent = words[2] >> 16;
  span.duration = (words[0] & 0xffff) | (words[1] & 0xffff) << 16 | (words[2] & 0xffff) << 32;
  if (with_caller) {
    const uint64_t caller = WordAt(records, at + 32);
    REQUIRE((caller & 0xffff) == 0);
    span.call_site = caller >> 16;
  }
  return span;
}

}  // namespace

void RecordedSpans::AddChunk(uint32_t thread_index, std::string_view records) {
  current_root_.erase(thread_index);
  AddRecords(thread_index, records);
}

void RecordedSpans::AddRecords(uint32_t thread_index, std::string_view records) {
  size_t at = 0;
  while (at < records.size()) {
    const uint64_t head = WordAt(records, at);
    const RecordKind kind = format::KindOf(head);
    if (kind == RecordKind::kNone) {
      REQUIRE(head == 0);
      return;
    }
    if (kind == RecordKind::kSpan || kind == RecordKind::kSpanWithCaller) {
      const bool with_caller = kind == RecordKind::kSpanWithCaller;
      RecordedSpan span = SpanAt(records, at, with_caller);
      span.thread_index = thread_index;
      if (span.flags & format::kSpanAlone) {
        span.root_sequence = span.sequence;
      } else {
        // No span may come before its trace is announced.
        REQUIRE(current_root_.count(thread_index) == 1);
        span.root_sequence = current_root_[thread_index];
      }
      spans_.push_back(span);
      at += with_caller ? format::kSpanWithCallerBytes : format::kSpanBytes;
    } else if (kind == RecordKind::kTraceBegin) {
      REQUIRE(at + sizeof(format::TraceBegin) <= records.size());
      RecordedTrace trace;
      memcpy(&trace.begin, records.data() + at, sizeof(trace.begin));
      trace.flags = format::FlagsOf(head);
      trace.thread_index = thread_index;
      current_root_[thread_index] = trace.begin.root_sequence;
      traces_.push_back(trace);
      at += sizeof(format::TraceBegin);
    } else {
      REQUIRE(kind == RecordKind::kExtension);
      const uint64_t size = format::AddressOf(head);
      REQUIRE(size <= format::kMaxExtensionPayload);
      const size_t padded = (size + 7) / 8 * 8;
      REQUIRE(at + sizeof(format::Extension) + padded <= records.size());
      const std::string_view payload = records.substr(at + sizeof(format::Extension), padded);
      REQUIRE(payload.substr(size).find_first_not_of('\0') == std::string_view::npos);
      extensions_.push_back({static_cast<format::ExtensionType>(format::FlagsOf(head)),
                             WordAt(records, at + 8), std::string(payload.substr(0, size))});
      at += sizeof(format::Extension) + padded;
    }
  }
}

void RecordedSpans::CheckConsistency() const {
  std::map<uint64_t, const RecordedSpan*> by_sequence;
  for (const RecordedSpan& span : spans_) {
    REQUIRE(span.sequence != 0);
    REQUIRE(by_sequence.emplace(span.sequence, &span).second);
  }
  for (const RecordedSpan& span : spans_) {
    if (span.parent == 0) {
      REQUIRE(span.root_sequence == span.sequence);
      continue;
    }
    REQUIRE(span.root_sequence != span.sequence);
    REQUIRE((span.flags & format::kSpanAlone) == 0);
    const auto parent = by_sequence.find(span.parent);
    REQUIRE(parent != by_sequence.end());
    REQUIRE(parent->second->thread_index == span.thread_index);
    REQUIRE(parent->second->root_sequence == span.root_sequence);
    REQUIRE(parent->second->start <= span.start);
    REQUIRE(parent->second->end() >= span.end());
  }
}

std::string RecordedSpans::Trees() const {
  CheckConsistency();
  std::vector<const RecordedSpan*> roots;
  for (const RecordedSpan& span : spans_) {
    if (span.parent == 0 && OuterParentOf(span) == 0) roots.push_back(&span);
  }
  std::sort(roots.begin(), roots.end(), [](const RecordedSpan* left, const RecordedSpan* right) {
    return std::tie(left->start, left->sequence) < std::tie(right->start, right->sequence);
  });
  std::string text;
  for (const RecordedSpan* root : roots) text += (text.empty() ? "" : " | ") + Tree(*root);
  return text;
}

std::string RecordedSpans::Tree(const RecordedSpan& span) const {
  std::string text(1, NameOf(span.function));
  if (span.flags & format::kSpanManual) {
    text += '[';
    text += NameOfManual(span.sequence);
    text += ']';
  }
  if (span.flags & format::kSpanMissedExit) text += '!';
  if (span.flags & format::kSpanUnfinished) text += '~';
  if (span.flags & format::kSpanError) text += '*';
  std::vector<const RecordedSpan*> children;
  for (const RecordedSpan& child : spans_) {
    if (child.parent == span.sequence || OuterParentOf(child) == span.sequence) {
      children.push_back(&child);
    }
  }
  if (children.empty()) return text;
  std::sort(
      children.begin(), children.end(), [](const RecordedSpan* left, const RecordedSpan* right) {
        return std::tie(left->start, left->sequence) < std::tie(right->start, right->sequence);
      });
  text += '(';
  for (const RecordedSpan* child : children) {
    if (text.back() != '(') text += ' ';
    if (child->parent == 0) text += '@';
    text += Tree(*child);
  }
  return text + ')';
}

uint64_t RecordedSpans::OuterParentOf(const RecordedSpan& root) const {
  if (root.parent != 0 || (root.flags & format::kSpanAlone) != 0) return 0;
  for (const RecordedTrace& trace : traces_) {
    if (trace.begin.root_sequence == root.sequence) return trace.begin.parent_sequence;
  }
  return 0;
}

std::vector<RecordedSpan> RecordedSpans::Of(char name) const {
  std::vector<RecordedSpan> found;
  for (const RecordedSpan& span : spans_) {
    if (span.function == FunctionOf(name)) found.push_back(span);
  }
  return found;
}

std::string RecordedSpans::NameOfManual(uint64_t sequence) const {
  for (const RecordedExtension& extension : extensions_) {
    if (extension.sequence == sequence && extension.type == format::ExtensionType::kName) {
      return extension.payload;
    }
  }
  return "";
}

std::string RecordedSpans::AttributeOf(uint64_t sequence, std::string_view key) const {
  std::string value;
  bool continues = false;
  for (const RecordedExtension& extension : extensions_) {
    if (extension.sequence != sequence || extension.type != format::ExtensionType::kAttribute) {
      continue;
    }
    format::AttributeHeader header;
    REQUIRE(extension.payload.size() >= sizeof(header));
    memcpy(&header, extension.payload.data(), sizeof(header));
    REQUIRE(extension.payload.size() == sizeof(header) + header.key_size + header.value_size);
    if (std::string_view(extension.payload).substr(sizeof(header), header.key_size) != key) {
      continue;
    }
    if (!continues) value.clear();  // a later value replaces the earlier one
    value += extension.payload.substr(sizeof(header) + header.key_size);
    continues = header.continued != 0;
  }
  return value;
}

RecordedSpans ReadRing(Ring* ring) {
  std::vector<Ring::Chunk*> chunks;
  for (uint32_t i = 0; i < ring->chunk_count(); ++i) {
    if (ring->chunk(i)->header.state.load() != format::ChunkState::kFree) {
      chunks.push_back(ring->chunk(i));
    }
  }
  std::sort(chunks.begin(), chunks.end(), [](const Ring::Chunk* left, const Ring::Chunk* right) {
    return std::tie(left->header.thread_index, left->header.chunk_sequence) <
           std::tie(right->header.thread_index, right->header.chunk_sequence);
  });
  RecordedSpans recorded;
  for (const Ring::Chunk* chunk : chunks) {
    recorded.AddChunk(chunk->header.thread_index,
                      {reinterpret_cast<const char*>(chunk->data), ring->chunk_data_bytes()});
  }
  return recorded;
}

}  // namespace autotrace::test
