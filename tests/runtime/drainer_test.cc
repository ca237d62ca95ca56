// From the ring to the sinks: everything once, in order, with what it refers to in front of it.
#include "runtime/drainer.h"

#include <string.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <memory>
#include <thread>
#include <vector>

#include "exporter/block_parser.h"
#include "fake_program.h"
#include "runtime/clock.h"
#include "runtime/module_payload.h"
#include "runtime/process_facts.h"
#include "runtime/segment_writer.h"
#include "segment_files.h"
#include "tests/support/test_files.h"

namespace autotrace::test {
namespace {

using format::BlockKind;
using format::Counter;

filters::Config ConfigOf(const char* modules) {
  filters::Config config;
  config.active = true;
  config.modules = {modules};
  return config;
}

// All that a session has between traced threads and sinks.
class Pipeline {
 public:
  explicit Pipeline(uint64_t ring_size = uint64_t{32} << 20)
      : program_(FakeProgram::Options{.ring_size = ring_size, .ring_folder = ""}) {}

  FakeProgram& program() { return program_; }
  RecorderPool& pool() { return pool_; }
  Drainer& drainer() { return drainer_; }
  ModuleTable& modules() { return modules_; }
  Decider& decider() { return decider_; }

 private:
  FakeProgram program_;
  RecorderPool pool_{&program_.shared()};
  ModuleTable modules_{&program_.shared().decisions};
  filters::Config config_ = ConfigOf("*");
  filters::FunctionFilter filter_{config_};
  Decider decider_{config_, &filter_, &modules_, &program_.shared().short_calls};
  Drainer drainer_{&program_.shared(), &pool_, &modules_, &decider_};
};

// The sink gets what follows the news of the binaries that are loaded; the first of these.
const Module& BeginWithLoaded(Pipeline* pipeline, MemorySink* sink) {
  pipeline->modules().AddLoaded(ExecutablePath());
  pipeline->drainer().AddSink(sink);
  pipeline->drainer().EmitModules();
  sink->blocks.clear();
  return *pipeline->modules().at(0);
}

constexpr StackRange kStack = {500, 2000};

void Enter(Recorder* recorder, char name, uint64_t frame_address) {
  const uint64_t function = FunctionOf(name);
  if (!recorder->EnterFast(function, 1, frame_address)) {
    recorder->Enter(function, 1, frame_address);
  }
}
void Leave(Recorder* recorder, char name) {
  const uint64_t function = FunctionOf(name);
  if (!recorder->LeaveFast(function, kStack.low)) recorder->Leave(function, kStack.low);
}

// A traced thread's life: a trace of three calls, again and again. Returns how many calls.
uint64_t CallTraces(RecorderPool* pool, int traces) {
  ThreadRecorders* recorders = pool->Acquire({}, kStack);
  if (recorders == nullptr) return 0;
  Recorder* recorder = recorders->outermost();
  for (int i = 0; i < traces; ++i) {
    Enter(recorder, 'a', 1000);
    Enter(recorder, 'b', 900);
    Leave(recorder, 'b');
    Enter(recorder, 'c', 900);
    Leave(recorder, 'c');
    Leave(recorder, 'a');
  }
  pool->Retire(recorders);
  return uint64_t(traces) * 3;
}

// Runs traced threads beside a draining one, as a session does.
uint64_t RunTracedThreads(Pipeline* pipeline, int threads, int traces) {
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> calls{0};
  std::thread background([&] {
    while (!stop) pipeline->drainer().Pass();
  });
  std::vector<std::thread> traced;
  for (int i = 0; i < threads; ++i) {
    traced.emplace_back([&] { calls += CallTraces(&pipeline->pool(), traces); });
  }
  for (std::thread& thread : traced) thread.join();
  stop = true;
  background.join();
  while (pipeline->drainer().Pass().bytes > 0) {
  }
  return calls;
}

TEST_CASE("what four threads record while it is drained is on disk exactly once") {
  Pipeline pipeline;
  const TemporaryFolder folder;
  SegmentWriter::Options options;
  options.folder = folder.path();
  options.segment_bytes = uint64_t{4} << 20;
  SegmentWriter writer(options);
  pipeline.drainer().AddSink(&writer);
  const uint64_t calls = RunTracedThreads(&pipeline, 4, 50'000);
  const uint64_t dropped = pipeline.program().Counted(Counter::kDroppedRingFull);

  const std::vector<StoredSegment> segments = ReadSegments(folder.path());
  CHECK(segments.size() > 1);
  const RecordedSpans recorded = SpansIn(AllBlocks(segments));
  CHECK(recorded.spans().size() + dropped == calls);
  CHECK(pipeline.drainer().recorded_spans() == recorded.spans().size());
  CHECK(pipeline.program().Counted(Counter::kRecordedSpans) == recorded.spans().size());
  CHECK(pipeline.program().Counted(Counter::kDroppedDisk) == 0);
  if (dropped == 0) recorded.CheckConsistency();
}

TEST_CASE("each thread's records keep their order when its chunks change quickly") {
  // The smallest ring: a chunk is filled in a few microseconds, so threads claim, leave and claim
  // again while the drainer looks at the ring.
  Pipeline pipeline(uint64_t{256} << 10);
  MemorySink sink;
  pipeline.drainer().AddSink(&sink);
  const uint64_t calls = RunTracedThreads(&pipeline, 4, 40'000);
  const RecordedSpans recorded = SpansIn(sink.blocks);  // checks the order
  CHECK(recorded.spans().size() + pipeline.program().Counted(Counter::kDroppedRingFull) == calls);
  CHECK(sink.span_count == recorded.spans().size());
  std::vector<uint64_t> sequences;
  for (const RecordedSpan& span : recorded.spans()) sequences.push_back(span.sequence);
  std::sort(sequences.begin(), sequences.end());
  CHECK(std::adjacent_find(sequences.begin(), sequences.end()) == sequences.end());
}

TEST_CASE("a chunk is drained piece by piece while its thread fills it") {
  Pipeline pipeline;
  MemorySink sink;
  pipeline.drainer().AddSink(&sink);
  FakeThread thread(&pipeline.program());
  CHECK(pipeline.drainer().Pass().bytes == 0);
  for (int i = 0; i < 10; ++i) {
    thread.Call('a', [&] { thread.Call('b'); });
    CHECK(pipeline.drainer().Pass().bytes > 0);
    CHECK(pipeline.drainer().Pass().bytes == 0);
  }
  CHECK(sink.Count(BlockKind::kRecords) == 10);
  CHECK(SpansIn(sink.blocks).Trees() ==
        "a(b) | a(b) | a(b) | a(b) | a(b) | a(b) | a(b) | a(b) | a(b) | a(b)");
}

TEST_CASE("records are dated by a clock that no span in them exceeds") {
  Pipeline pipeline;
  MemorySink sink;
  pipeline.drainer().AddSink(&sink);
  FakeThread thread(&pipeline.program());
  thread.Call('a', [&] { thread.Call('b'); });
  pipeline.drainer().Pass();
  format::RecordsHeader header = {};
  for (const StoredBlock& block : sink.blocks) {
    if (block.kind == BlockKind::kRecords) memcpy(&header, block.payload.data(), sizeof(header));
  }
  const RecordedSpans recorded = SpansIn(sink.blocks);
  REQUIRE(recorded.spans().size() == 2);
  for (const RecordedSpan& span : recorded.spans()) {
    CHECK(span.end() <= (header.ticks & format::kMask48));
  }
  CHECK(header.ticks <= Now());
}

TEST_CASE("chunks that a thread left are free after a pass, those it fills are not") {
  Pipeline pipeline(uint64_t{256} << 10);
  FakeThread thread(&pipeline.program());
  thread.Call('a', [&] {
    for (int i = 0; i < 1000; ++i) thread.Call('b');
  });
  const Drainer::PassResult first = pipeline.drainer().Pass();
  CHECK(first.ring_use > 0.15);
  const Drainer::PassResult second = pipeline.drainer().Pass();
  CHECK(second.ring_use == Approx(1.0 / pipeline.program().ring().chunk_count()));
  CHECK(pipeline.drainer().recorded_spans() == 1001);
}

TEST_CASE("spans that a sink does not take are counted") {
  Pipeline pipeline;
  MemorySink sink;
  sink.refuses = true;
  pipeline.drainer().AddSink(&sink);
  FakeThread thread(&pipeline.program());
  for (int i = 0; i < 7; ++i) thread.Call('a');
  pipeline.drainer().Pass();
  CHECK(pipeline.program().Counted(Counter::kDroppedDisk) == 7);
  sink.refuses = false;
  thread.Call('a');
  pipeline.drainer().Pass();
  CHECK(pipeline.program().Counted(Counter::kDroppedDisk) == 7);
  CHECK(sink.Count(BlockKind::kRecords) == 1);
  CHECK(sink.span_count == 1);
}

// ---- What records refer to ----

__attribute__((noinline)) int RealFunction(int value) {
  asm volatile("" : "+r"(value));
  return value + 1;
}

Decider* g_decider = nullptr;

TEST_CASE("functions and modules stand in front of the records that refer to them") {
  Pipeline pipeline;
  pipeline.modules().AddLoaded(ExecutablePath());
  g_decider = &pipeline.decider();
  pipeline.program().shared().decide = [](uint64_t function, uint64_t, Recorder* recorder,
                                          Counter* lost) {
    // (The decider looks at what lies there, and the fake thread's addresses are nobody's.)
    const auto frame_address = reinterpret_cast<uint64_t>(__builtin_frame_address(0));
    return g_decider->Decide(function, frame_address, recorder, lost);
  };
  MemorySink sink;
  pipeline.drainer().AddSink(&sink);
  pipeline.drainer().EmitModules();
  FakeThread thread(&pipeline.program());
  const auto function = reinterpret_cast<uint64_t>(&RealFunction);
  REQUIRE(RealFunction(1) == 2);
  thread.EnterFunction(function, 1, thread.stack_pointer());
  thread.LeaveFunction(function);
  pipeline.drainer().Pass();

  REQUIRE(SpansIn(sink.blocks).spans().size() == 1);
  uint32_t module_id = 0;
  bool named = false;
  for (const StoredBlock& block : sink.blocks) {
    const char* payload = block.payload.data();
    if (block.kind == BlockKind::kModule) {
      format::ModuleEntry entry;
      memcpy(&entry, payload, sizeof(entry));
      if (entry.start <= function && function < entry.end) module_id = entry.id;
    } else if (block.kind == BlockKind::kFunctions) {
      for (size_t at = 0; at < block.payload.size();) {
        format::FunctionEntry entry;
        memcpy(&entry, payload + at, sizeof(entry));
        if (entry.address == function) {
          CHECK(entry.module_id == module_id);
          CHECK(module_id != 0);
          CHECK_THAT(block.payload.substr(at + sizeof(entry), entry.name_size),
                     Catch::Contains("RealFunction"));
          named = true;
        }
        at += sizeof(entry) + (entry.name_size + 7u) / 8 * 8;
      }
    } else if (block.kind == BlockKind::kRecords) {
      CHECK(named);
    }
  }
  CHECK(named);
  // A module is told about once, and again in the ring for whoever finds it after a kill.
  const size_t modules = sink.Count(BlockKind::kModule);
  thread.EnterFunction(function, 1, thread.stack_pointer());
  thread.LeaveFunction(function);
  pipeline.drainer().Pass();
  CHECK(sink.Count(BlockKind::kModule) == modules);
  CHECK(pipeline.program().ring().header()->metadata_size.load() > 0);
}

// What a traced thread writes when it takes notice of a module.
std::string NewsOf(const Module& module, uint64_t ticks) {
  return std::string(ModulePayload({&module, ticks, false}).bytes());
}
std::vector<uint64_t> TicksOfModules(const std::vector<StoredBlock>& blocks) {
  std::vector<uint64_t> ticks;
  for (const StoredBlock& block : blocks) {
    if (block.kind != BlockKind::kModule) continue;
    format::ModuleEntry entry;
    memcpy(&entry, block.payload.data(), sizeof(entry));
    ticks.push_back(entry.ticks);
  }
  return ticks;
}

TEST_CASE("news of modules stand in front of all records, also of threads that come earlier") {
  Pipeline pipeline;
  MemorySink sink;
  const Module& module = BeginWithLoaded(&pipeline, &sink);
  FakeThread first(&pipeline.program());
  FakeThread second(&pipeline.program());
  first.Call('a');
  REQUIRE(second.recorder().WriteModule(NewsOf(module, 300)));
  REQUIRE(first.recorder().WriteModule(NewsOf(module, 200)));
  first.Call('b');
  pipeline.drainer().Pass();
  // In order of time, whoever told first.
  CHECK(TicksOfModules(sink.blocks) == std::vector<uint64_t>{200, 300});
  REQUIRE(sink.blocks.size() >= 2);
  CHECK(sink.blocks[0].kind == BlockKind::kModule);
  CHECK(sink.blocks[1].kind == BlockKind::kModule);
  CHECK(SpansIn(sink.blocks).Trees() == "a | b");
  pipeline.drainer().Pass();
  CHECK(sink.Count(BlockKind::kModule) == 2);
}

TEST_CASE("a sink that is added late gets the news that it needs") {
  std::vector<std::unique_ptr<MemorySink>> late;
  Pipeline pipeline;
  pipeline.modules().AddLoaded(ExecutablePath());
  const Module& module = *pipeline.modules().at(0);
  FakeThread thread(&pipeline.program());
  const auto known_late = [&] {
    pipeline.drainer().AddSink(late.emplace_back(std::make_unique<MemorySink>()).get());
    pipeline.drainer().EmitAllModules();
    std::vector<uint64_t> ticks = TicksOfModules(late.back()->blocks);
    // What was there at start came later.
    ticks.erase(std::remove_if(ticks.begin(), ticks.end(), [](uint64_t t) { return t > 1000; }),
                ticks.end());
    return ticks;
  };
  REQUIRE(thread.recorder().WriteModule(NewsOf(module, 200)));
  REQUIRE(thread.recorder().WriteModule(NewsOf(module, 300)));
  pipeline.drainer().Pass();
  // Spans of the time in between may not have been drained yet.
  CHECK(known_late() == std::vector<uint64_t>{200, 300});
  pipeline.drainer().Pass();
  pipeline.drainer().Pass();
  CHECK(known_late() == std::vector<uint64_t>{300});
}

TEST_CASE("news of modules survive the chunk that they stood in") {
  Pipeline pipeline(uint64_t{64} << 10);  // chunks of 4 KiB
  MemorySink sink;
  const Module& module = BeginWithLoaded(&pipeline, &sink);
  FakeThread thread(&pipeline.program());
  uint64_t told = 0;
  for (int round = 0; round < 100; ++round) {
    for (int i = 0; i < 20; ++i) told += thread.recorder().WriteModule(NewsOf(module, told + 1));
    pipeline.drainer().Pass();
  }
  CHECK(told == 2000);
  const std::vector<uint64_t> ticks = TicksOfModules(sink.blocks);
  REQUIRE(ticks.size() == told);
  CHECK(std::is_sorted(ticks.begin(), ticks.end()));
}

TEST_CASE("news of modules that find no room are refused, and not told halfway") {
  Pipeline pipeline(uint64_t{64} << 10);
  MemorySink sink;
  const Module& module = BeginWithLoaded(&pipeline, &sink);
  FakeThread thread(&pipeline.program());
  uint64_t told = 0;
  while (thread.recorder().WriteModule(NewsOf(module, told + 1))) ++told;
  CHECK(told > 100);
  CHECK_FALSE(thread.recorder().WriteModule(NewsOf(module, told + 1)));
  pipeline.drainer().Pass();
  CHECK(TicksOfModules(sink.blocks).size() == told);
}

TEST_CASE("threads that tell of modules at the same time lose none") {
  Pipeline pipeline;
  MemorySink sink;
  const Module& module = BeginWithLoaded(&pipeline, &sink);
  constexpr uint64_t kEach = 5000;
  std::atomic<bool> stop{false};
  std::thread background([&] {
    while (!stop) pipeline.drainer().Pass();
  });
  std::vector<std::thread> threads;
  for (uint64_t thread = 0; thread < 3; ++thread) {
    threads.emplace_back([&, thread] {
      ThreadRecorders* recorders = pipeline.pool().Acquire({}, {});
      for (uint64_t i = 0; i < kEach;) {
        const uint64_t ticks = 1 + thread * kEach + i;
        if (recorders->outermost()->WriteModule(NewsOf(module, ticks))) ++i;
      }
      pipeline.pool().Retire(recorders);
    });
  }
  for (std::thread& thread : threads) thread.join();
  stop = true;
  background.join();
  while (pipeline.drainer().Pass().bytes > 0) {
  }
  std::vector<uint64_t> ticks = TicksOfModules(sink.blocks);
  std::sort(ticks.begin(), ticks.end());
  REQUIRE(ticks.size() == 3 * kEach);
  CHECK(std::adjacent_find(ticks.begin(), ticks.end()) == ticks.end());
}

TEST_CASE("a thread is introduced before its records") {
  Pipeline pipeline;
  MemorySink sink;
  pipeline.drainer().AddSink(&sink);
  std::thread([&] { CallTraces(&pipeline.pool(), 1); }).join();
  pipeline.drainer().Pass();
  std::vector<uint32_t> known;
  int records = 0;
  for (const StoredBlock& block : sink.blocks) {
    if (block.kind == BlockKind::kThread) {
      format::ThreadEntry entry;
      memcpy(&entry, block.payload.data(), sizeof(entry));
      CHECK(block.payload.size() == sizeof(entry) + entry.name_size);
      CHECK(entry.tid != 0);
      known.push_back(entry.index);
    } else if (block.kind == BlockKind::kRecords) {
      format::RecordsHeader header;
      memcpy(&header, block.payload.data(), sizeof(header));
      CHECK(std::find(known.begin(), known.end(), header.thread_index) != known.end());
      ++records;
    }
  }
  CHECK(records == 1);
}

TEST_CASE("many short threads lose nothing and reuse their recorders") {
  Pipeline pipeline;
  MemorySink sink;
  pipeline.drainer().AddSink(&sink);
  std::atomic<bool> stop{false};
  std::thread background([&] {
    while (!stop) pipeline.drainer().Pass();
  });
  uint64_t calls = 0;
  for (int i = 0; i < 300; ++i) {
    std::thread([&] { calls += CallTraces(&pipeline.pool(), 5); }).join();
  }
  stop = true;
  background.join();
  while (pipeline.drainer().Pass().bytes > 0) {
  }
  const RecordedSpans recorded = SpansIn(sink.blocks);
  recorded.CheckConsistency();
  CHECK(recorded.spans().size() == calls);
  int kept = 0;
  pipeline.drainer().Pass();
  pipeline.pool().ForEach([&](ThreadRecorders*) { ++kept; });
  CHECK(kept == 0);  // all are available again
}

// ---- Open spans, clocks, counters ----

TEST_CASE("open spans are copied into the ring and, at the end, to the sinks") {
  Pipeline pipeline;
  MemorySink sink;
  pipeline.drainer().AddSink(&sink);
  ThreadRecorders* recorders = pipeline.pool().Acquire({}, kStack);
  REQUIRE(recorders != nullptr);
  Enter(recorders->outermost(), 'a', 1000);
  Enter(recorders->outermost(), 'b', 900);
  pipeline.drainer().CopyOpenFrames();
  pipeline.drainer().EmitOpenFrames();

  const format::RingHeader* header = pipeline.program().ring().header();
  CHECK(header->heartbeat_ticks.load() != 0);
  CHECK(header->heartbeat_unix_nanos.load() != 0);
  REQUIRE(header->open_frames_current.load() == 1);
  const char* area = reinterpret_cast<const char*>(header) + header->open_frames_offset;
  uint64_t size = 0;
  memcpy(&size, area, sizeof(size));
  exporter::BlockParser parser(std::string_view(area + sizeof(size), size));
  exporter::Block block;
  REQUIRE(parser.Next(&block));
  CHECK(block.kind == static_cast<uint16_t>(BlockKind::kOpenFrames));
  format::OpenFramesHeader frames;
  memcpy(&frames, block.payload.data(), sizeof(frames));
  CHECK(frames.count == 2);
  CHECK(frames.thread_index == recorders->outermost()->thread_index());
  CHECK(block.payload.size() == sizeof(frames) + 2 * sizeof(format::OpenFrame));
  CHECK_FALSE(parser.Next(&block));
  REQUIRE(sink.Count(BlockKind::kOpenFrames) == 1);
  REQUIRE(sink.blocks.size() == 2);  // the thread is introduced first
  CHECK(sink.blocks[0].kind == BlockKind::kThread);
  CHECK(sink.blocks[1].payload.size() == block.payload.size());

  Leave(recorders->outermost(), 'b');
  Leave(recorders->outermost(), 'a');
  pipeline.drainer().CopyOpenFrames();
  REQUIRE(header->open_frames_current.load() == 2);
  memcpy(&size, area + header->open_frames_capacity, sizeof(size));
  CHECK(size == 0);
  pipeline.pool().Retire(recorders);
}

TEST_CASE("all counters are emitted with their values") {
  Pipeline pipeline;
  MemorySink sink;
  pipeline.drainer().AddSink(&sink);
  constexpr auto kCount = static_cast<uint32_t>(Counter::kCount);
  for (uint32_t i = 0; i < kCount; ++i) {
    pipeline.program().ring().Count(static_cast<Counter>(i), 100 + i);
  }
  pipeline.drainer().EmitCounters();
  REQUIRE(sink.blocks.size() == 1);
  REQUIRE(sink.blocks[0].payload.size() == kCount * sizeof(format::CounterEntry));
  for (uint32_t i = 0; i < kCount; ++i) {
    format::CounterEntry entry;
    memcpy(&entry, sink.blocks[0].payload.data() + i * sizeof(entry), sizeof(entry));
    CHECK(entry.counter == i);
    CHECK(entry.value == 100 + i);
  }
}

}  // namespace
}  // namespace autotrace::test
