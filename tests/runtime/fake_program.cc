#include "fake_program.h"

#include <catch2/catch.hpp>

#include "runtime/clock.h"
#include "runtime/memory.h"
#include "symbolizer/raw_syscalls.h"

namespace autotrace::test {
namespace {

DecisionTable* g_decisions = nullptr;
std::atomic<int> g_decisions_asked_for{0};

uint16_t DecideToRecord(uint64_t function, uint64_t, Recorder*, format::Counter*) {
  ++g_decisions_asked_for;
  g_decisions->Store(function, kRecorded);
  return kRecorded;
}

}  // namespace

char NameOf(uint64_t function) {
  const uint64_t index = (function - FunctionOf('\0')) / 64;
  return function == 0 ? '#' : index < 128 ? static_cast<char>(index) : '?';
}

FakeProgram::Options EitherClock() {
  FakeProgram::Options options;
  options.fast_clock = GENERATE(true, false);
  return options;
}

FakeProgram::FakeProgram(const Options& options) {
  static const bool clock_is_ready = [] {
    InitializeClock();
    return g_clock.use_tsc;
  }();
  // Both clocks count up; that is all that these tests need of them.
  g_clock.use_tsc = clock_is_ready && options.fast_clock;
  g_decisions = &shared_.decisions;
  g_decisions_asked_for = 0;
  Ring::Options ring;
  ring.size = ring.first_chunks = options.ring_size;  // nobody is there to let it grow
  ring.folder = options.ring_folder;
  REQUIRE(shared_.ring.Create(ring));
  REQUIRE(shared_.decisions.Initialize());
  shared_.secret = {{0x1234567890abcdef, 0xfedcba0987654321}};
  shared_.callers = options.callers;
  shared_.decide = &DecideToRecord;
}

FakeProgram::~FakeProgram() {
  shared_.ring.Unlink();
  shared_.ring.Abandon();
}

int FakeProgram::decisions_asked_for() { return g_decisions_asked_for; }

void FakeProgram::FreeFullChunks() {
  for (uint32_t i = 0; i < shared_.ring.chunk_count(); ++i) {
    Ring::Chunk* chunk = shared_.ring.chunk(i);
    if (chunk->header.state.load() == format::ChunkState::kFull) shared_.ring.Free(chunk);
  }
}

void FakeProgram::FreeAllChunks() {
  for (uint32_t i = 0; i < shared_.ring.chunk_count(); ++i) {
    Ring::Chunk* chunk = shared_.ring.chunk(i);
    if (chunk->header.state.load() != format::ChunkState::kFree) shared_.ring.Free(chunk);
  }
}

uint64_t FakeThread::ThreadId() { return static_cast<uint64_t>(raw::Syscall(SYS_gettid)); }

FakeThread::FakeThread(FakeProgram* program, size_t shadow_bytes)
    : shadow_memory_(MapMemory(shadow_bytes)), shadow_bytes_(shadow_bytes), thrown_() {
  recorder_.Initialize(&program->shared(), program->NextThreadIndex(),
                       StackSegment::Place(shadow_memory_, shadow_bytes),
                       {kStackEnd - kStackBytes, kStackEnd}, ThreadId());
  recorder_.set_thrown_exceptions(&thrown_);
}

FakeThread::~FakeThread() {
  recorder_.CloseAll(format::kSpanMissedExit);
  recorder_.Trim();
  UnmapMemory(shadow_memory_, shadow_bytes_);
}

}  // namespace autotrace::test
