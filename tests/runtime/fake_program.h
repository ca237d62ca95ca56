// A traced program that was never compiled: tests call the recorder as the hooks would, with
// invented functions and stack addresses, and look at what came out.
//
//   FakeProgram program;
//   program.Decide('b', decision::kKnown);  // hidden; functions are recorded unless decided
//   FakeThread thread(&program);
//   thread.Call('a', [&] { thread.Call('b', [&] { thread.Call('c'); }); });
//   CHECK(program.Trees() == "a(c)");
#ifndef AUTOTRACE_TESTS_RUNTIME_FAKE_PROGRAM_H_
#define AUTOTRACE_TESTS_RUNTIME_FAKE_PROGRAM_H_

#include <stdint.h>

#include <atomic>
#include <memory>
#include <string>

#include "recorded_spans.h"
#include "runtime/recorder.h"

namespace autotrace::test {

// A threshold that no call in a test reaches, in ticks.
inline constexpr uint64_t kForever = uint64_t{1} << 47;

// What functions are recorded as when nothing else was said.
inline constexpr uint16_t kRecorded = decision::kKnown | decision::kRecord;

// The address of the function that trees show as `name`, and back.
constexpr uint64_t FunctionOf(char name) { return 0x5555'0000'0000 + uint64_t(uint8_t(name)) * 64; }
char NameOf(uint64_t function);
// Where calls of it come from.
constexpr uint64_t CallSiteOf(char name) { return FunctionOf(name) + 0x7'0000'0000; }

class FakeProgram {
 public:
  struct Options {
    uint64_t ring_size = uint64_t{8} << 20;
    std::string ring_folder;  // empty: private memory
    bool fast_clock = true;   // false: as on a machine without a usable time stamp counter
    bool callers = true;
  };
  FakeProgram() : FakeProgram(Options()) {}
  explicit FakeProgram(const Options& options);
  FakeProgram(const FakeProgram&) = delete;
  FakeProgram& operator=(const FakeProgram&) = delete;
  ~FakeProgram();

  RecorderShared& shared() { return shared_; }
  Ring& ring() { return shared_.ring; }

  void Decide(char name, uint16_t bits) { shared_.decisions.Store(FunctionOf(name), bits); }
  // The minimum duration of functions that are only recorded, in ticks.
  void set_threshold(uint64_t ticks) { shared_.thresholds[0] = ticks; }

  uint64_t Counted(format::Counter counter) {
    return shared_.ring.header()->counters[static_cast<int>(counter)].load();
  }
  // How often a function was decided about because no decision was stored.
  static int decisions_asked_for();

  // What stands in the ring now.
  RecordedSpans Recorded() { return ReadRing(&shared_.ring); }
  std::string Trees() { return Recorded().Trees(); }
  // Frees every chunk that its thread has left, as a reader does that has read them.
  void FreeFullChunks();
  // Frees all chunks, as if the ring were a new one.
  void FreeAllChunks();

  uint32_t NextThreadIndex() { return ++last_thread_index_; }

 private:
  RecorderShared shared_;
  std::atomic<uint32_t> last_thread_index_{0};
};

// For tests that hold with both clocks: the test case runs once with each.
FakeProgram::Options EitherClock();

// A thread of it, with a stack that calls go down on. Addresses, not memory.
class FakeThread {
 public:
  static constexpr uint64_t kStackEnd = 0x7ffe'0000'0000;
  static constexpr uint64_t kStackBytes = uint64_t{8} << 20;
  static constexpr uint64_t kFrameBytes = 64;

  // `shadow_bytes`: of the shadow stack's first segment.
  explicit FakeThread(FakeProgram* program, size_t shadow_bytes = size_t{64} << 10);
  FakeThread(const FakeThread&) = delete;
  FakeThread& operator=(const FakeThread&) = delete;
  ~FakeThread();

  static uint64_t ThreadId();
  Recorder& recorder() { return recorder_; }

  // Is a handler's beginning told, by Catch?
  void set_catch_is_told(bool told) { catch_is_told_ = told; }
  // An exception of this object, where the innermost call stands.
  void Throw(const int* object, bool again = false) {
    recorder_.ExceptionRaised({.object = object, .again = again, .catch_is_told = catch_is_told_},
                              stack_pointer_ - 32);
  }
  // The unwinder gives up so many calls and enters the one below them, whose exit hook GCC's code
  // calls next and Clang's does not. There it cleans up, or else a handler begins.
  void Unwind(int calls, const int* object, bool is_handler = false) {
    stack_pointer_ += calls * kFrameBytes;
    recorder_.UnwoundTo(stack_pointer_, {.object = object, .catch_is_told = catch_is_told_},
                        is_handler);
  }
  void Catch(const int* object) { recorder_.ExceptionCaught(object); }
  // The lowest address of the innermost call's frame.
  uint64_t stack_pointer() const { return stack_pointer_; }
  void set_stack_pointer(uint64_t address) { stack_pointer_ = address; }

  // Exactly what the hooks do.
  void Enter(char name) { EnterAt(name, stack_pointer_ -= kFrameBytes); }
  void Leave(char name) {
    LeaveFunction(FunctionOf(name));
    stack_pointer_ += kFrameBytes;
  }
  // Inlined into the innermost call, which was called from `call_site`: compilers give the hook the
  // frame and the return address of the function around it.
  void EnterInlined(char name, uint64_t call_site) {
    EnterFunction(FunctionOf(name), call_site, stack_pointer_);
  }
  // Without moving the stack pointer: on another stack, or where another call was before.
  void EnterAt(char name, uint64_t frame_address) {
    EnterFunction(FunctionOf(name), CallSiteOf(name), frame_address);
  }
  void LeaveFrame(char name) { LeaveFunction(FunctionOf(name)); }
  // The call returns without its exit hook: an exception passed, or longjmp.
  void Vanish() { stack_pointer_ += kFrameBytes; }

  void EnterFunction(uint64_t function, uint64_t call_site, uint64_t frame_address) {
    if (!recorder_.EnterFast(function, call_site, frame_address)) {
      recorder_.Enter(function, call_site, frame_address);
    }
  }
  void LeaveFunction(uint64_t function) {
    if (!recorder_.LeaveFast(function, stack_pointer_)) recorder_.Leave(function, stack_pointer_);
  }

  void Call(char name) {
    Enter(name);
    Leave(name);
  }
  template <typename Body>
  void Call(char name, Body body) {
    Enter(name);
    body();
    Leave(name);
  }

 private:
  void* shadow_memory_;
  size_t shadow_bytes_;
  Recorder recorder_;
  ThrownExceptions thrown_;
  uint64_t stack_pointer_ = kStackEnd - 4096;
  bool catch_is_told_ = true;
};

}  // namespace autotrace::test

#endif  // AUTOTRACE_TESTS_RUNTIME_FAKE_PROGRAM_H_
