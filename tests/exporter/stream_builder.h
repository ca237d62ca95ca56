// Makes block streams, segments and rings as a recorder would, for tests.
//
//   StreamBuilder stream;
//   stream.Process().Clock(0, kEpoch).Module(1, "/bin/app", 0x1000, 0x9000).Thread(1, 42, "main");
//   stream.Function(0x1100, "_ZN3app3runEv", 1);
//   Records records;
//   records.TraceBegin({.function = 0x1100, .start = 10, .root_sequence = 1});
//   records.Span({.function = 0x1100, .start = 10, .end = 20, .sequence = 1});
//   stream.Add(1, records, 20);
//   std::string file = stream.Segment(0);
#ifndef AUTOTRACE_TESTS_EXPORTER_STREAM_BUILDER_H_
#define AUTOTRACE_TESTS_EXPORTER_STREAM_BUILDER_H_

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/block_stream.h"
#include "runtime/ids.h"
#include "runtime/trace_format.h"

namespace autotrace::testing {

inline constexpr uint64_t kEpoch = 1'700'000'000'000'000'000;  // unix nanoseconds

// Of a kModule block or record.
inline std::string ModulePayload(uint32_t id, std::string_view path, uint64_t start, uint64_t end,
                                 uint64_t load_bias = 0, std::string_view build_id = {},
                                 uint64_t ticks = 0, uint32_t flags = 0) {
  format::ModuleEntry entry = {};
  entry.id = id;
  entry.ticks = ticks;
  entry.flags = flags;
  entry.path_size = static_cast<uint32_t>(path.size());
  entry.build_id_size = static_cast<uint32_t>(build_id.size());
  entry.load_bias = load_bias;
  entry.start = start;
  entry.end = end;
  std::string payload;
  AppendStruct(&payload, entry);
  return payload.append(path).append(build_id);
}

// Records of one thread, as they stand in a chunk.
class Records {
 public:
  struct SpanFields {
    uint64_t function = 0;
    uint64_t start = 0;  // ticks
    uint64_t end = 0;
    uint64_t sequence = 0;
    uint64_t parent = 0;
    uint64_t call_site = 0;  // 0: a record without caller
    uint16_t flags = 0;
  };
  Records& Span(const SpanFields& span) {
    const uint64_t duration = span.end - span.start;
    return RawSpan(span, duration < format::kMaxDuration ? duration : format::kMaxDuration);
  }
  // With the duration's 48 bits given apart from the end.
  Records& RawSpan(const SpanFields& span, uint64_t duration) {
    const auto kind =
        span.call_site != 0 ? format::RecordKind::kSpanWithCaller : format::RecordKind::kSpan;
    Word(format::HeadWord(kind, span.flags, span.function));
    Word(span.start << 16 | (duration & 0xffff));
    Word(span.sequence << 16 | (duration >> 16 & 0xffff));
    Word(span.parent << 16 | (duration >> 32 & 0xffff));
    if (span.call_site != 0) Word(span.call_site << 16);
    return *this;
  }

  struct TraceFields {
    uint64_t function = 0;
    uint64_t start = 0;
    uint64_t root_sequence = 0;
    std::array<uint64_t, 2> trace_id{};  // zero: left to the reader
    uint64_t parent_span_id = 0;         // with kTraceRemoteParent
    uint64_t parent_sequence = 0;        // with kTraceLocalParent
    uint16_t flags = 0;
  };
  Records& TraceBegin(const TraceFields& trace) {
    format::TraceBegin begin = {};
    begin.head = format::HeadWord(format::RecordKind::kTraceBegin, trace.flags, trace.function);
    begin.start = trace.start;
    begin.root_sequence = trace.root_sequence;
    begin.trace_id[0] = trace.trace_id[0];
    begin.trace_id[1] = trace.trace_id[1];
    begin.parent_span_id = trace.parent_span_id;
    begin.parent_sequence = trace.parent_sequence;
    AppendStruct(&bytes_, begin);
    return *this;
  }

  Records& Extension(format::ExtensionType type, uint64_t sequence, std::string_view payload) {
    const uint64_t head = format::HeadWord(format::RecordKind::kExtension,
                                           static_cast<uint16_t>(type), payload.size());
    AppendStruct(&bytes_, format::Extension{head, sequence});
    bytes_.append(payload);
    AppendPadding(&bytes_);
    return *this;
  }
  Records& Name(uint64_t sequence, std::string_view name) {
    return Extension(format::ExtensionType::kName, sequence, name);
  }
  Records& Attribute(uint64_t sequence, std::string_view key, format::AttributeType type,
                     std::string_view value, bool continued = false) {
    format::AttributeHeader header = {};
    header.type = static_cast<uint8_t>(type);
    header.continued = continued;
    header.key_size = static_cast<uint16_t>(key.size());
    header.value_size = static_cast<uint32_t>(value.size());
    std::string payload;
    AppendStruct(&payload, header);
    payload.append(key).append(value);
    return Extension(format::ExtensionType::kAttribute, sequence, payload);
  }
  Records& StringAttribute(uint64_t sequence, std::string_view key, std::string_view value,
                           bool continued = false) {
    return Attribute(sequence, key, format::AttributeType::kString, value, continued);
  }
  template <typename T>
  Records& NumberAttribute(uint64_t sequence, std::string_view key, format::AttributeType type,
                           T value) {
    return Attribute(sequence, key, type, {reinterpret_cast<const char*>(&value), sizeof(value)});
  }
  Records& Stack(uint64_t sequence, const std::vector<uint64_t>& addresses) {
    return Extension(format::ExtensionType::kStack, sequence,
                     {reinterpret_cast<const char*>(addresses.data()), addresses.size() * 8});
  }
  // Without `type`: as what follows the span that an exception is described with.
  Records& Exception(uint64_t sequence, uint64_t id, uint64_t ticks, std::string_view type = "",
                     std::string_view message = "", const std::vector<uint64_t>& stack = {}) {
    format::ExceptionHeader header = {};
    header.id = id;
    header.ticks = ticks;
    header.type_size = static_cast<uint32_t>(type.size());
    header.message_size = static_cast<uint32_t>(message.size());
    header.stack_count = static_cast<uint32_t>(stack.size());
    std::string payload;
    AppendStruct(&payload, header);
    for (const uint64_t address : stack) AppendStruct(&payload, address);
    payload.append(type).append(message);
    return Extension(format::ExtensionType::kException, sequence, payload);
  }
  Records& Module(std::string_view payload) {
    ++modules_;
    return Extension(format::ExtensionType::kModule, 0x7f00'0000'0010, payload);
  }
  Records& Word(uint64_t word) {
    AppendStruct(&bytes_, word);
    return *this;
  }

  const std::string& bytes() const { return bytes_; }
  uint32_t size() const { return static_cast<uint32_t>(bytes_.size()); }
  uint32_t modules() const { return modules_; }

 private:
  std::string bytes_;
  uint32_t modules_ = 0;
};

struct ProcessFields {
  uint64_t pid = 4711;
  uint64_t process_key = 0x00c0ffee00c0ffee;
  uint64_t kernel_start_time = 1;  // no process of today was started then
  uint64_t start_unix_nanos = kEpoch;
  uint64_t ticks_per_second = 1'000'000'000;
  std::string executable = "/opt/app/bin/my_service";
  std::string config_yaml;
  std::string ring_path;
  std::string host_name;
  std::string arguments;
  uint64_t parent_process_key = 0;
  IdSecret secret = {{0x1234567890abcdef, 0xfedcba0987654321}};
};

class StreamBuilder {
 public:
  explicit StreamBuilder(ProcessFields fields = {}) : fields_(std::move(fields)) {}

  std::string ProcessPayload() const {
    using format::ProcessKey;
    std::string payload;
    AppendProcessNumber(&payload, ProcessKey::kPid, fields_.pid);
    AppendProcessNumber(&payload, ProcessKey::kParentPid, 1);
    AppendProcessNumber(&payload, ProcessKey::kStartUnixNanos, fields_.start_unix_nanos);
    AppendProcessText(&payload, ProcessKey::kExecutable, fields_.executable);
    AppendProcessText(&payload, ProcessKey::kHostName, fields_.host_name);
    AppendProcessText(&payload, ProcessKey::kRuntimeVersion, "0.1.0");
    AppendProcessText(&payload, ProcessKey::kIdSecret,
                      {reinterpret_cast<const char*>(fields_.secret.key), 16});
    AppendProcessText(&payload, ProcessKey::kConfigYaml, fields_.config_yaml);
    AppendProcessNumber(&payload, ProcessKey::kTicksPerSecond, fields_.ticks_per_second);
    AppendProcessText(&payload, ProcessKey::kRingPath, fields_.ring_path);
    AppendProcessNumber(&payload, ProcessKey::kKernelStartTime, fields_.kernel_start_time);
    AppendProcessText(&payload, ProcessKey::kOsType, "linux");
    if (!fields_.arguments.empty()) {
      AppendProcessText(&payload, ProcessKey::kExecutableArgs, fields_.arguments);
    }
    if (fields_.parent_process_key != 0) {
      AppendProcessNumber(&payload, ProcessKey::kParentProcessKey, fields_.parent_process_key);
    }
    return payload;
  }
  StreamBuilder& Process() { return Block(format::BlockKind::kProcess, ProcessPayload()); }
  // From here on a tick is rise / run nanoseconds.
  StreamBuilder& Clock(uint64_t ticks, uint64_t unix_nanos, uint64_t rise = 1, uint64_t run = 1) {
    return Struct(format::BlockKind::kClock, format::ClockLine{ticks, unix_nanos, rise, run});
  }
  StreamBuilder& Module(uint32_t id, std::string_view path, uint64_t start, uint64_t end,
                        uint64_t load_bias = 0, std::string_view build_id = {}, uint64_t ticks = 0,
                        uint32_t flags = 0) {
    return Block(format::BlockKind::kModule,
                 ModulePayload(id, path, start, end, load_bias, build_id, ticks, flags));
  }
  StreamBuilder& Function(uint64_t address, std::string_view linker_name, uint32_t module_id) {
    std::string payload;
    AppendStruct(&payload, format::FunctionEntry{address, module_id, 0,
                                                 static_cast<uint16_t>(linker_name.size())});
    payload.append(linker_name);
    AppendPadding(&payload);
    return Block(format::BlockKind::kFunctions, payload);
  }
  StreamBuilder& Thread(uint32_t index, uint64_t tid, std::string_view name) {
    std::string payload;
    AppendStruct(&payload, format::ThreadEntry{index, static_cast<uint32_t>(name.size()), tid});
    payload.append(name);
    return Block(format::BlockKind::kThread, payload);
  }
  // `ticks`: no span here ended later.
  StreamBuilder& Add(uint32_t thread_index, const Records& records, uint64_t ticks,
                     uint32_t chunk_sequence = 1, uint32_t chunk_offset = 0) {
    std::string payload;
    AppendStruct(&payload,
                 format::RecordsHeader{thread_index, chunk_sequence, chunk_offset, 0, ticks});
    payload.append(records.bytes());
    return Block(format::BlockKind::kRecords, payload);
  }
  StreamBuilder& OpenFrames(uint32_t thread_index, uint64_t ticks,
                            const std::vector<format::OpenFrame>& frames,
                            std::array<uint64_t, 2> trace_id = {}) {
    std::string payload;
    AppendStruct(
        &payload,
        format::OpenFramesHeader{
            thread_index, static_cast<uint32_t>(frames.size()), ticks, {trace_id[0], trace_id[1]}});
    for (const format::OpenFrame& frame : frames) AppendStruct(&payload, frame);
    return Block(format::BlockKind::kOpenFrames, payload);
  }
  StreamBuilder& Quiet(uint64_t address, uint32_t module_id, uint64_t calls) {
    return Struct(format::BlockKind::kQuiet, format::QuietEntry{address, module_id, 0, calls});
  }
  // What the records before left open.
  StreamBuilder& State(uint32_t thread_index, const Records& records, bool has_current) {
    std::string payload;
    AppendStruct(&payload, format::ThreadStateHeader{thread_index,
                                                     has_current ? format::kHasCurrentTrace : 0u});
    payload.append(records.bytes());
    return Block(format::BlockKind::kThreadState, payload);
  }
  StreamBuilder& Counter(format::Counter counter, uint64_t value) {
    return Struct(format::BlockKind::kCounters,
                  format::CounterEntry{static_cast<uint32_t>(counter), 0, value});
  }
  StreamBuilder& End(uint64_t ticks, uint64_t unix_nanos) {
    return Struct(format::BlockKind::kEnd, format::ClockPoint{ticks, unix_nanos});
  }
  StreamBuilder& Block(format::BlockKind kind, std::string_view payload) {
    AppendBlock(&bytes_, kind, payload);
    return *this;
  }

  const ProcessFields& fields() const { return fields_; }
  const std::string& bytes() const { return bytes_; }
  void Clear() { bytes_.clear(); }

  // A whole segment file of what was added so far.
  std::string Segment(uint32_t index) const {
    std::string bytes;
    AppendStruct(&bytes, MakeSegmentHeader(fields_.process_key, index));
    return bytes + bytes_;
  }

 private:
  template <typename T>
  StreamBuilder& Struct(format::BlockKind kind, const T& value) {
    return Block(kind, {reinterpret_cast<const char*>(&value), sizeof(value)});
  }

  ProcessFields fields_;
  std::string bytes_;
};

inline format::OpenFrame MakeFrame(uint64_t function, uint64_t start, uint64_t sequence,
                                   uint16_t flags = 0, uint64_t call_site = 0) {
  return {format::HeadWord(format::RecordKind::kSpanWithCaller, flags, function), start, sequence,
          call_site};
}

// A ring file.
class RingBuilder {
 public:
  // Bytes, multiples of 8: of a chunk with its header, of the metadata and of an open-frame area.
  struct Sizes {
    uint32_t chunk = 4096;
    uint64_t area = 8192;
  };

  explicit RingBuilder(const ProcessFields& fields) : RingBuilder(fields, Sizes()) {}
  RingBuilder(const ProcessFields& fields, Sizes sizes) : fields_(fields), sizes_(sizes) {}

  RingBuilder& Chunk(uint32_t thread_index, uint32_t chunk_sequence, const Records& records,
                     format::ChunkState state = format::ChunkState::kOwned,
                     uint64_t claim_ticks = 0) {
    std::string chunk(sizes_.chunk, '\0');
    Store(&chunk, offsetof(format::ChunkHeader, state), static_cast<uint32_t>(state));
    Store(&chunk, offsetof(format::ChunkHeader, thread_index), thread_index);
    Store(&chunk, offsetof(format::ChunkHeader, chunk_sequence), chunk_sequence);
    Store(&chunk, offsetof(format::ChunkHeader, claim_ticks), claim_ticks);
    Store(&chunk, offsetof(format::ChunkHeader, module_records), records.modules());
    chunk.replace(sizeof(format::ChunkHeader), records.size(), records.bytes());
    chunks_ += chunk;
    return *this;
  }
  RingBuilder& Metadata(const StreamBuilder& stream) {
    metadata_ = stream.bytes();
    return *this;
  }
  RingBuilder& OpenFrames(const StreamBuilder& stream) {
    open_frames_ = stream.bytes();
    return *this;
  }
  RingBuilder& Counter(format::Counter counter, uint64_t value) {
    counters_[static_cast<size_t>(counter)] = value;
    return *this;
  }
  RingBuilder& Heartbeat(uint64_t ticks) {
    heartbeat_ticks_ = ticks;
    return *this;
  }

  std::string Build() const {
    using format::RingHeader;
    constexpr uint64_t kMetadata = 512;
    const uint64_t open_frames = kMetadata + sizes_.area;
    const uint64_t chunks = open_frames + 2 * sizes_.area;
    std::string bytes(chunks, '\0');
    bytes.replace(0, 8, format::kRingMagic, 8);
    Store(&bytes, offsetof(RingHeader, version), format::kVersion);
    Store(&bytes, offsetof(RingHeader, header_size), static_cast<uint32_t>(sizeof(RingHeader)));
    Store(&bytes, offsetof(RingHeader, process_key), fields_.process_key);
    Store(&bytes, offsetof(RingHeader, pid), fields_.pid);
    Store(&bytes, offsetof(RingHeader, kernel_start_time), fields_.kernel_start_time);
    Store(&bytes, offsetof(RingHeader, chunk_size), sizes_.chunk);
    Store(&bytes, offsetof(RingHeader, chunk_count),
          static_cast<uint32_t>(chunks_.size() / sizes_.chunk));
    Store(&bytes, offsetof(RingHeader, metadata_offset), kMetadata);
    Store(&bytes, offsetof(RingHeader, metadata_capacity), sizes_.area);
    Store(&bytes, offsetof(RingHeader, metadata_size), uint64_t{metadata_.size()});
    Store(&bytes, offsetof(RingHeader, open_frames_offset), open_frames);
    Store(&bytes, offsetof(RingHeader, open_frames_capacity), sizes_.area);
    Store(&bytes, offsetof(RingHeader, open_frames_current), uint64_t{2});
    Store(&bytes, offsetof(RingHeader, chunks_offset), chunks);
    Store(&bytes, offsetof(RingHeader, heartbeat_ticks), heartbeat_ticks_);
    for (size_t i = 0; i < counters_.size(); ++i) {
      Store(&bytes, offsetof(RingHeader, counters) + 8 * i, counters_[i]);
    }
    bytes.replace(kMetadata, metadata_.size(), metadata_);
    Store(&bytes, open_frames + sizes_.area, uint64_t{open_frames_.size()});
    bytes.replace(open_frames + sizes_.area + 8, open_frames_.size(), open_frames_);
    return bytes + chunks_;
  }

 private:
  template <typename T>
  static void Store(std::string* bytes, size_t offset, T value) {
    memcpy(bytes->data() + offset, &value, sizeof(value));
  }

  const ProcessFields fields_;
  const Sizes sizes_;
  std::string chunks_;
  std::string metadata_;
  std::string open_frames_;
  uint64_t heartbeat_ticks_ = 0;
  std::array<uint64_t, static_cast<size_t>(format::Counter::kCount)> counters_{};
};

}  // namespace autotrace::testing

#endif  // AUTOTRACE_TESTS_EXPORTER_STREAM_BUILDER_H_
