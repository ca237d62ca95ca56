#include "runtime/session.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <exception>

#include "filters/config_loader.h"
#include "runtime/block_stream.h"
#include "runtime/clock.h"
#include "runtime/exception_text.h"
#include "runtime/futex.h"
#include "runtime/libunwind_capture.h"
#include "runtime/log.h"
#include "runtime/orphaned_rings.h"
#include "runtime/process_facts.h"
#include "runtime/program_libraries.h"
#include "runtime/stack_capture.h"
#include "runtime/thread_slot.h"
#include "runtime/thread_stack.h"
#include "runtime/trace_parent.h"

namespace autotrace {

std::atomic<SessionState> g_state{SessionState::kUnstarted};
std::atomic<uint64_t> g_calls_before_start{0};
Session* Session::current_ = nullptr;

namespace {

// What writing to disk may take at the program's end, beside the network's own bound.
constexpr uint64_t kDiskTimeout = 10'000'000'000;

// Only names that switch tracing on; LoadConfig does the rest. Nothing else happens in a program
// that does not ask for tracing.
bool EnvironmentAsks() {
  for (const char* name : {"AUTOTRACE_MODULES", "AUTOTRACE_CONFIG", "AUTOTRACE_ENABLED"}) {
    const char* value = getenv(name);
    if (value != nullptr && value[0] != '\0') return true;
  }
  return false;
}

// What of this the runtime can do in this kind of program.
filters::Config PossibleHere(filters::Config config) {
  if (config.live_export() && !LiveExporter::IsSupported()) {
    Log("a static program cannot send its spans: they are recorded to disk instead");
    config.otlp_endpoint.clear();
    config.record = filters::Tristate::kOn;
  }
  return config;
}

}  // namespace

void Session::StartFromEnvironment(std::vector<HookAddress> (*hooks)()) {
  // The environment of a set-uid program belongs to somebody else.
  if (!EnvironmentAsks() || getauxval(AT_SECURE) != 0) {
    g_state.store(SessionState::kOff, std::memory_order_release);
    return;
  }
  const InternalThreadScope internal;
  InitializeLog();
  Session* session = nullptr;
  SessionState state = SessionState::kOff;
  try {
    const filters::LoadResult loaded = filters::LoadConfig();
    // A program that is not to be traced says nothing, whatever else its environment holds.
    if (loaded.config.active) {
      for (const std::string& warning : loaded.warnings) Log(warning);
      if (!loaded.error.empty()) {
        Log(loaded.error + "; this run is not traced");
      } else {
        session = new Session(PossibleHere(loaded.config), hooks());
        // Before Begin: the background thread and the hooks find it there.
        current_ = session;
        if (session->Begin()) state = SessionState::kOn;  // never destroyed
      }
    }
  } catch (const std::exception& error) {
    LogParts({"cannot start: ", error.what(), "; this run is not traced"});
  }
  if (state != SessionState::kOn && session != nullptr) {
    current_ = nullptr;
    session->shared_.ring.Unlink();
    session->shared_.ring.Abandon();
    delete session;
  }
  g_state.store(state, std::memory_order_release);
}

Session::Session(const filters::Config& config, std::vector<HookAddress> hooks)
    : config_(config),
      filter_(config_),
      decider_(config_, &filter_, &modules_, &shared_.short_calls),
      erasing_(std::move(hooks), &decider_, &pool_, &shared_) {}

bool Session::Begin() {
  ChooseClock();
  if (config_.live_export() && !SendsLive()) {
    Log("this program has forbidden itself the time stamp counter, which sending needs: spans are "
        "not sent");
  }
  InitializeThreadStacks();
  pid_ = getpid();
  fork_mark_.Set();
  executable_ = ExecutablePath();
  kernel_start_time_ = KernelStartTime();
  if (!OpenRun()) return false;
  if (!shared_.decisions.Initialize() || !CreateRing()) {
    Log("no memory for the ring; this run is not traced");
    return false;
  }
  EstimateClockRate();  // by now enough time has passed
  modules_.AddLoaded(executable_);

  shared_.callers = config_.callers;
  shared_.max_depth = config_.max_depth;
  shared_.slow_once_is_slow = config_.min_duration_mode == filters::DurationMode::kFunction;
  LimitShortCalls(config_);
  SetThresholds(filter_);
  paused_ = config_.start_paused;
  if (paused_) ChangeFilter();
  shared_.decide = [](uint64_t function, uint64_t frame_address, Recorder* recorder,
                      format::Counter* lost) {
    return current_->decider_.Decide(function, frame_address, recorder, lost);
  };
  shared_.learn = [](uint64_t function) { current_->decider_.Learn(function); };
  if (SendsLive() && !config_.recorded()) {
    shared_.is_thread_entry = [](uint64_t frame_address, uint64_t stack_end) {
      return current_->decider_.IsCalledByThreadStart(frame_address, stack_end);
    };
  }
  shared_.is_inside = [](uint64_t function, uint64_t address) {
    return current_->decider_.IsInside(function, address);
  };
  shared_.keep_errors = config_.keep_errors;
  shared_.describe_exception = &DescribeException;
  if (config_.root_stacktrace || config_.exception_stacktrace) ChooseUnwinder();

  OpenSinks();
  if (segments_ == nullptr && !SendsLive()) return false;
  OpenControl();
  if (pthread_key_create(&thread_key_, &ThreadEnds) != 0) return false;
  pthread_atfork(
      [] {
        if (current_ != nullptr) current_->BeforeFork();
      },
      [] {
        if (current_ != nullptr) current_->AfterForkInParent();
      },
      [] {
        if (current_ != nullptr) current_->AfterForkInChild();
      });
  // quick_exit runs no destructors; what it does run is meant for this.
  at_quick_exit([] {
    if (current_ != nullptr) current_->Stop();
  });
  if (const char* parent = getenv("TRACEPARENT")) {
    OuterParent outside;
    if (ParseTraceParent(parent, &outside)) {
      pool_.set_process_parent(outside);
    } else if (parent[0] != '\0') {
      Log(std::string("TRACEPARENT: \"") + parent +
          "\" is no traceparent value "
          "(00-TRACE_ID-SPAN_ID-FLAGS); ignored");
    }
  }
  shared_.ring.Count(format::Counter::kDroppedBeforeStart,
                     g_calls_before_start.load(std::memory_order_relaxed));
  StartThread();
  if (run_.first) RemoveOldRuns();
  return true;
}

void Session::ChooseUnwinder() {
  auto* capture = &CaptureStack;
  const char* why_not = nullptr;
  if (config_.unwinder == filters::Unwinder::kLibunwind) why_not = OpenLibunwind();
  if (why_not != nullptr) Log(std::string(why_not) + "; stacks are those of unwinder: own");
  if (config_.unwinder == filters::Unwinder::kLibunwind && why_not == nullptr) {
    capture = &CaptureStackByLibunwind;
  } else {
    InitializeStackCapture();
  }
  if (config_.root_stacktrace) shared_.capture_stack = capture;
  if (config_.exception_stacktrace) shared_.capture_thrown_stack = capture;
}

// False: there is nowhere to record to.
bool Session::OpenRun() {
  if (!config_.recorded() && !config_.spools()) return true;
  run_ = OpenRunFolder(config_.dir);
  if (!run_.path.empty()) return true;
  if (!SendsLive()) {
    Log(run_.error + "; this run is not traced");
  } else if (config_.recorded()) {
    Log(run_.error + "; spans are sent only");
  } else {
    Log(run_.error + "; spans are sent, but those that wait when the program is killed are lost");
  }
  return SendsLive();
}

// On a thread of its own with a descriptor table of its own: the program opens files at the same
// time, and the numbers it gets are not to depend on ours.
void Session::RemoveOldRuns() try {
  old_runs_ = RunsToPrune(config_.dir, config_.keep_runs, run_.path);
  if (config_.keep_runs == 0 || !config_.thread) return;
  if (old_runs_.empty() && !MayHaveOrphanedRings(shared_.ring.path())) return;
  cleaner_.Start(
      [](void* argument) {
        const InternalThreadScope internal;
        auto* session = static_cast<Session*>(argument);
        // ThreadSanitizer knows one table only, and would take equal numbers for a race.
        if (!HasThreadSanitizer() && unshare(CLONE_FILES) != 0) return;
        try {
          for (const std::string& run : session->old_runs_) {
            const ForkGate::Inside inside(&session->cleaner_gate_);
            if (const uint64_t unsent = RemoveRun(run); unsent > 0) {
              Log("removed " + run + " with " + std::to_string(unsent / 1024) +
                  " KiB that were not sent, to keep to keep_runs; autotracer push sends what is "
                  "left");
            }
          }
          RemoveOrphanedRings(session->shared_.ring.path(), &session->cleaner_gate_);
        } catch (const std::exception&) {
          // As below.
        }
      },
      this);
} catch (const std::exception&) {
  // Without memory the old runs stay a little longer.
}

void Session::StartThread() {
  const auto run = [](void* session) { static_cast<Session*>(session)->RunInBackground(); };
  started_ = MonotonicNanos();
  const bool may_start = parent_process_key_ == 0 || !HasThreadSanitizer();
  if (config_.thread && may_start && thread_.Start(run, this)) return;
  if (config_.thread && may_start) {
    Log("cannot start a thread: what is recorded stays in the ring until the program ends");
  }
  // Nobody else will do what that thread does while the program runs.
  pool_.set_recycle_at_once(true);
  if (segments_ != nullptr) segments_->KeepRoom();
  while (shared_.ring.ReserveOpenFrames() || shared_.ring.Grow()) {
  }
}

bool Session::CreateRing() {
  process_key_ = RandomWord();
  shared_.secret = {{RandomWord(), RandomWord()}};
  Ring::Options options;
  options.size = config_.ring_size;
  options.process_key = process_key_;
  options.kernel_start_time = kernel_start_time_;
  options.recorded_to = run_.path;
  if (!shared_.ring.Create(options)) return false;
  if (shared_.ring.path().empty()) {
    Log("no room in /dev/shm for the ring: it is in private memory, and what is not yet written "
        "when the program is killed is lost");
  }
  return true;
}

void Session::OpenSinks() {
  drainer_ = std::make_unique<Drainer>(&shared_, &pool_, &modules_, &decider_);
  live_.reset();
  spool_.reset();
  segments_.reset();
  sent_.reset();
  if (!run_.path.empty()) OpenSegments();
  AnnounceProcess();
  // The live exporter is loaded by the background thread: it brings libraries with it.
}

void Session::OpenSegments() {
  constexpr uint64_t kSpoolSegmentBytes = uint64_t{4} << 20;  // so that what was sent goes soon
  SegmentWriter::Options options;
  options.folder = run_.path;
  options.process_key = process_key_;
  options.max_run_bytes = config_.max_disk;
  options.is_spool = !config_.recorded();
  options.keep_room_later = true;
  if (options.is_spool) options.segment_bytes = kSpoolSegmentBytes;
  if (config_.spools()) {
    sent_ = std::make_unique<SentFile>();
    options.sent = sent_.get();
  }
  segments_ = std::make_unique<SegmentWriter>(options);
  if (!segments_->ok()) {
    Log("cannot write to " + run_.path + ": " + strerror(segments_->error()));
    segments_.reset();
    sent_.reset();
    return;
  }
  if (!config_.spools()) return drainer_->AddSink(segments_.get());
  spool_ = std::make_unique<Spool>(segments_.get(), sent_.get(), run_.path, config_.recorded());
  drainer_->AddSink(spool_.get());
  spool_->Begin();
}

void Session::AnnounceProcess() {
  drainer_->Emit(format::BlockKind::kProcess, ProcessPayload(), /*in_ring=*/true);
  // A program that is killed right after its start leaves the names of its functions.
  drainer_->EmitModules();
  drainer_->EmitClock();
}

std::string Session::ProcessPayload() const {
  using format::ProcessKey;
  std::string payload;
  AppendProcessNumber(&payload, ProcessKey::kPid, static_cast<uint64_t>(pid_));
  AppendProcessNumber(&payload, ProcessKey::kParentPid, static_cast<uint64_t>(getppid()));
  AppendProcessNumber(&payload, ProcessKey::kStartUnixNanos, g_clock.start_unix_nanos);
  AppendProcessText(&payload, ProcessKey::kExecutable, executable_);
  AppendProcessText(&payload, ProcessKey::kHostName, HostName());
  AppendProcessText(&payload, ProcessKey::kOsType, "linux");
  AppendProcessText(&payload, ProcessKey::kOsDescription, OsDescription());
  AppendProcessText(&payload, ProcessKey::kRuntimeVersion, AUTOTRACE_VERSION);
  AppendProcessText(
      &payload, ProcessKey::kIdSecret,
      {reinterpret_cast<const char*>(shared_.secret.key), sizeof(shared_.secret.key)});
  AppendProcessText(&payload, ProcessKey::kConfigYaml, filters::ToYaml(config_, false));
  AppendProcessNumber(&payload, ProcessKey::kClockKind, g_clock.use_tsc ? 1 : 0);
  AppendProcessNumber(&payload, ProcessKey::kTicksPerSecond, g_clock.ticks_per_second);
  AppendProcessText(&payload, ProcessKey::kRingPath, shared_.ring.path());
  AppendProcessText(&payload, ProcessKey::kRunPath, run_.path);
  AppendProcessNumber(&payload, ProcessKey::kKernelStartTime, kernel_start_time_);
  if (config_.process_args) {
    AppendProcessText(&payload, ProcessKey::kExecutableArgs, CommandLine());
  }
  AppendProcessNumber(&payload, ProcessKey::kProcessKey, process_key_);
  if (parent_process_key_ != 0) {
    AppendProcessNumber(&payload, ProcessKey::kParentProcessKey, parent_process_key_);
  }
  return payload;
}

// ---- End ---------------------------------------------------------------------------------------

void Session::Stop() {
  if (stopped_.exchange(true, std::memory_order_acq_rel)) return;
  // A child made by clone(2) alone shares nothing that could be stopped here.
  if (!fork_mark_.IsSameProcess()) return;
  const InternalThreadScope internal;
  g_state.store(SessionState::kOff, std::memory_order_release);
  CloseThread(format::kSpanUnfinished);
  stop_.store(1, std::memory_order_seq_cst);
  shared_.ring.WakeReaderNow();
  try {
    if (!thread_.started()) {
      Finish();
    } else if (!thread_.Join(kDiskTimeout + config_.otlp_timeout)) {
      Log("gave up waiting for the recording to be written; `autotracer recover` reads the rest");
    } else if (!finished_) {
      Finish();  // that thread had no memory to go on with
    }
  } catch (const std::exception& error) {
    LogParts({"the recording is incomplete: ", error.what()});
  }
}

bool Session::Flush(uint64_t timeout_nanos) {
  if (!thread_.started()) return false;
  const uint64_t deadline = MonotonicNanos() + timeout_nanos;
  flush_timeout_.store(timeout_nanos, std::memory_order_relaxed);
  const uint32_t wanted = flush_requested_.fetch_add(1, std::memory_order_seq_cst) + 1;
  shared_.ring.WakeReaderNow();
  for (;;) {
    const uint32_t done = flush_done_.load(std::memory_order_acquire);
    if (static_cast<int32_t>(done - wanted) >= 0) {
      return flush_complete_.load(std::memory_order_relaxed);
    }
    const uint64_t now = MonotonicNanos();
    if (now >= deadline) return false;
    FutexWait(&flush_done_, done, deadline - now);
  }
}

}  // namespace autotrace
