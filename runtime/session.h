// One tracing session of this process: configuration, recorders, ring, background thread and sinks,
// from start to the program's end. There is at most one, made by the library's constructor when the
// environment asks for it; it is never destroyed, because threads may call hooks until the very
// end.
#ifndef AUTOTRACE_RUNTIME_SESSION_H_
#define AUTOTRACE_RUNTIME_SESSION_H_

#include <pthread.h>
#include <stdint.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "filters/config.h"
#include "filters/dropped_functions.h"
#include "filters/function_filter.h"
#include "runtime/background_thread.h"
#include "runtime/clock.h"
#include "runtime/control_page.h"
#include "runtime/decider.h"
#include "runtime/drainer.h"
#include "runtime/fork_gate.h"
#include "runtime/fork_mark.h"
#include "runtime/hook_erasing.h"
#include "runtime/live_exporter.h"
#include "runtime/module_table.h"
#include "runtime/quiet_functions.h"
#include "runtime/recorder.h"
#include "runtime/run_folder.h"
#include "runtime/segment_writer.h"
#include "runtime/sent_file.h"
#include "runtime/spool.h"
#include "runtime/thread_recorders.h"

namespace autotrace {

enum class SessionState : uint32_t {
  kUnstarted,  // the constructor has not run yet
  kOff,        // not asked for, or it cannot work; or it is over
  kOn,
};

// What hooks look at first when their thread has no recorder.
extern std::atomic<SessionState> g_state;
// Calls seen before the constructor ran; they are counted, not recorded.
extern std::atomic<uint64_t> g_calls_before_start;

class Session {
 public:
  // Reads the configuration and starts tracing if it says so. Prints one line and stays off when
  // something is wrong. Called once, by the library's constructor.
  // `hooks` gives the addresses of this library's hooks; not asked when off.
  static void StartFromEnvironment(std::vector<HookAddress> (*hooks)());
  // Null when off.
  static Session* Current() { return current_; }

  // At the program's end: closes what is open, drains, says goodbye. Bounded in time.
  void Stop();
  // Waits until all that was recorded so far has reached the sinks. False after the time is over.
  bool Flush(uint64_t timeout_nanos);

  const filters::Config& config() const { return config_; }
  RecorderPool& pool() { return pool_; }
  ModuleTable& modules() { return modules_; }
  RecorderShared& shared() { return shared_; }

  // False in a child that was made without fork(), and so without the handlers below.
  bool IsSameProcess() const { return fork_mark_.IsSameProcess(); }

  // Fork and exec handlers; on the thread that does it.
  // False: a thread of ours is still in what the child may find locked.
  bool BeforeFork();
  void AfterForkInParent();
  // The calling thread is about to replace the program; if that fails everything goes on. Brings
  // what is recorded and what is open to where a reader finds it. Bounded in time.
  void BeforeExec();
  void AfterForkInChild();
  // The same around a fork that runs no handlers. True: the child can be traced.
  bool BeforeClone();
  void AfterCloneInParent();
  void AfterCloneInChild(bool is_traced);

  // Hooks find the thread's recorders here when it ends.
  pthread_key_t thread_key() const { return thread_key_; }

 private:
  Session(const filters::Config& config, std::vector<HookAddress> hooks);

  void BecomeTheChild();
  static void EndFork();
  bool IsOnlyThread();
  bool Begin();
  bool CreateRing();
  void ChooseUnwinder();
  bool OpenRun();
  void OpenSinks();
  void OpenSegments();
  void AnnounceProcess();
  std::string ProcessPayload() const;
  void StartThread();
  void RemoveOldRuns();
  // In session_background.cc. Finish also at the end of a session that has no thread of its own.
  void RunInBackground();
  // (What sends uses clocks of libraries, which read the time stamp counter.)
  bool SendsLive() const { return config_.live_export() && !g_clock.ask_kernel; }
  bool IsAskedToStop() const { return stop_.load(std::memory_order_seq_cst) != 0; }
  bool IsAskedToFlush() const;
  void AnswerFlush(uint32_t flush);
  void MapRing(bool in_use);
  bool WaitForWork(const Drainer::PassResult& pass);
  void Housekeeping(uint64_t now);
  void TellOfQuiet();
  void LeaveNothing();
  // In session_control.cc.
  void OpenControl();
  void ObeyControl();
  void Obey(const std::string& request);
  void ChangeFilter();
  void LimitShortCalls(const filters::Config& config);
  void SetThresholds(const filters::FunctionFilter& filter);
  void ForgetDecisions();
  std::string StatusText() const;
  void Finish();
  Spool::Outcome CloseExport();
  void TellOfUnsent(const Spool::Outcome& outcome) const;
  void WriteSummary();
  // A line for each of so many quiet functions, and one for all others, each after a newline.
  std::string QuietNames(size_t most) const;
  void WarnOfUnmatchedPatterns() const;
  filters::DroppedMatch FindDropped(const filters::Pattern& pattern) const;

  static Session* current_;

  filters::Config config_;
  filters::FunctionFilter filter_;
  RecorderShared shared_;
  RecorderPool pool_{&shared_};
  ModuleTable modules_{&shared_.decisions};
  Decider decider_;
  HookErasing erasing_;
  QuietFunctions quiet_{&shared_, &pool_, &modules_, &erasing_};
  // What `autotracer ctl` changed: the configuration, and the filters made of it, of which threads
  // may use any.
  ControlFile control_;
  std::unique_ptr<filters::Config> steered_;
  std::vector<std::unique_ptr<filters::FunctionFilter>> filters_;
  bool paused_ = false;
  int forget_again_ = 0;
  std::unique_ptr<Drainer> drainer_;
  RunFolder run_;
  // How far everything was sent; while the live exporter lives, and longer.
  std::unique_ptr<SentFile> sent_;
  std::unique_ptr<SegmentWriter> segments_;
  std::unique_ptr<Spool> spool_;  // writes to segments_
  std::unique_ptr<LiveExporter> live_;
  // What these were in the processes that this one was forked from.
  struct Abandoned {
    std::unique_ptr<Drainer> drainer;
    std::unique_ptr<SentFile> sent;
    std::unique_ptr<SegmentWriter> segments;
    std::unique_ptr<Spool> spool;
    std::unique_ptr<LiveExporter> live;
  };
  std::vector<Abandoned> parents_;
  BackgroundThread thread_;
  ForkGate gate_;
  pthread_key_t thread_key_ = 0;
  uint64_t process_key_ = 0;
  uint64_t parent_process_key_ = 0;
  uint64_t kernel_start_time_ = 0;
  pid_t pid_ = 0;
  ForkMark fork_mark_;
  std::vector<std::string> old_runs_;
  BackgroundThread cleaner_;
  bool waited_for_cleaner_ = false;
  ForkGate cleaner_gate_;
  std::string executable_;
  int idle_passes_ = 0;
  bool ring_is_mapped_ = false;
  uint64_t started_ = 0;
  uint64_t last_housekeeping_ = 0;
  uint64_t last_release_ = 0;
  uint64_t quiet_since_ = 0;
  std::atomic<uint32_t> stop_{0};
  std::atomic<uint32_t> flush_requested_{0};
  std::atomic<uint32_t> flush_done_{0};  // a futex
  std::atomic<uint64_t> flush_timeout_{0};
  std::atomic<bool> flush_complete_{true};
  std::atomic<bool> copy_open_frames_{false};
  std::atomic<bool> leave_nothing_{false};  // the program may be replaced after the next flush
  std::atomic<bool> stopped_{false};
  bool finished_ = false;  // all of Finish was done
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_SESSION_H_
