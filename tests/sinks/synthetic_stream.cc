#include "tests/sinks/synthetic_stream.h"

#include <string.h>

#include <string_view>

#include "runtime/block_stream.h"
#include "runtime/ids.h"
#include "runtime/trace_format.h"

namespace autotrace::test {
namespace {

using format::BlockKind;
using format::RecordKind;

constexpr uint32_t kThreadIndex = 1;
constexpr uint64_t kFunctionAddress = 0x401000;
constexpr uint64_t kStartTicks = 1'000'000'000;  // the clock counts nanoseconds
constexpr uint64_t kStartUnixNanos = 1'785'542'400'000'000'000;
constexpr uint64_t kEndTicks = kStartTicks + 1'000'000'000;
constexpr IdSecret kSecret = {{0x1234, 0x5678}};

StreamBlock Block(BlockKind kind, std::string payload) {
  return {static_cast<uint16_t>(kind), std::move(payload)};
}

StreamBlock ProcessBlock() {
  std::string payload;
  AppendProcessNumber(&payload, format::ProcessKey::kPid, 4242);
  AppendProcessNumber(&payload, format::ProcessKey::kStartUnixNanos, kStartUnixNanos);
  AppendProcessText(&payload, format::ProcessKey::kExecutable, "/nonexistent/my_service");
  AppendProcessText(
      &payload, format::ProcessKey::kIdSecret,
      std::string_view(reinterpret_cast<const char*>(kSecret.key), sizeof(kSecret.key)));
  AppendProcessNumber(&payload, format::ProcessKey::kClockKind, 0);
  AppendProcessNumber(&payload, format::ProcessKey::kTicksPerSecond, 1'000'000'000);
  return Block(BlockKind::kProcess, std::move(payload));
}

StreamBlock ModuleBlock() {
  constexpr std::string_view kPath = "/nonexistent/my_service";
  format::ModuleEntry entry{};
  entry.id = 1;
  entry.path_size = kPath.size();
  entry.flags = format::kModuleMainProgram;
  entry.start = 0x400000;
  entry.end = 0x500000;
  entry.ticks = kStartTicks;
  std::string payload;
  AppendStruct(&payload, entry);
  payload += kPath;
  AppendPadding(&payload);
  return Block(BlockKind::kModule, std::move(payload));
}

StreamBlock FunctionsBlock() {
  constexpr std::string_view kName = "_ZN8pipeline3runEv";
  format::FunctionEntry entry{};
  entry.address = kFunctionAddress;
  entry.module_id = 1;
  entry.name_size = kName.size();
  std::string payload;
  AppendStruct(&payload, entry);
  payload += kName;
  AppendPadding(&payload);
  return Block(BlockKind::kFunctions, std::move(payload));
}

StreamBlock ThreadBlock() {
  constexpr std::string_view kName = "worker";
  format::ThreadEntry entry{};
  entry.index = kThreadIndex;
  entry.name_size = kName.size();
  entry.tid = 4243;
  std::string payload;
  AppendStruct(&payload, entry);
  payload += kName;
  AppendPadding(&payload);
  return Block(BlockKind::kThread, std::move(payload));
}

StreamBlock RecordsBlock(const std::string& records) {
  static_assert(sizeof(format::RecordsHeader) == 24);
  format::RecordsHeader header{};
  header.thread_index = kThreadIndex;
  header.chunk_sequence = 1;
  header.ticks = kEndTicks;
  std::string payload;
  AppendStruct(&payload, header);
  payload += records;
  return Block(BlockKind::kRecords, std::move(payload));
}

void AppendSpan(std::string* records, uint64_t sequence, uint64_t parent, uint64_t start,
                uint64_t duration) {
  const auto word = [duration](uint64_t value, int part) {
    return value << 16 | (duration >> (16 * part) & 0xffff);
  };
  const uint64_t words[4] = {format::HeadWord(RecordKind::kSpan, 0, kFunctionAddress),
                             word(start & format::kMask48, 0), word(sequence, 1), word(parent, 2)};
  records->append(reinterpret_cast<const char*>(words), sizeof(words));
}

std::string TraceBeginRecord() {
  format::TraceBegin begin{};
  begin.head = format::HeadWord(RecordKind::kTraceBegin, 0, kFunctionAddress);
  begin.start = kStartTicks;
  begin.root_sequence = 1;
  TraceIdOf(kSecret, 1, begin.trace_id);
  std::string record;
  AppendStruct(&record, begin);
  return record;
}

}  // namespace

std::vector<StreamBlock> StreamHead() {
  const format::ClockLine line{kStartTicks, kStartUnixNanos, 1, 1};
  std::string clock;
  AppendStruct(&clock, line);
  return {ProcessBlock(), Block(BlockKind::kClock, clock), ModuleBlock(), FunctionsBlock(),
          ThreadBlock(),  RecordsBlock(TraceBeginRecord())};
}

StreamBlock StreamChildren(uint64_t first_sequence, uint64_t count) {
  std::string records;
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t sequence = first_sequence + i;
    AppendSpan(&records, sequence, 1, kStartTicks + 10 * sequence, 5);
  }
  return RecordsBlock(records);
}

StreamBlock StreamOpenRoot() {
  format::OpenFramesHeader header{};
  header.thread_index = kThreadIndex;
  header.count = 1;
  header.ticks = kEndTicks;
  TraceIdOf(kSecret, 1, header.trace_id);
  format::OpenFrame frame{};
  frame.head = format::HeadWord(RecordKind::kSpanWithCaller, 0, kFunctionAddress);
  frame.start = kStartTicks;
  frame.sequence = 1;
  std::string payload;
  AppendStruct(&payload, header);
  AppendStruct(&payload, frame);
  return Block(BlockKind::kOpenFrames, std::move(payload));
}

std::vector<StreamBlock> StreamTail() {
  std::string root;
  AppendSpan(&root, 1, 0, kStartTicks, kEndTicks - kStartTicks);
  const format::ClockPoint point{kEndTicks, kStartUnixNanos + (kEndTicks - kStartTicks)};
  std::string end;
  AppendStruct(&end, point);
  return {RecordsBlock(root), Block(BlockKind::kEnd, end)};
}

}  // namespace autotrace::test
