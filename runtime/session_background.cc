// What a session's background thread does: drains the ring into the sinks until the session stops,
// then finishes the recording.
#include <algorithm>
#include <exception>

#include "filters/config_loader.h"
#include "filters/dropped_functions.h"
#include "runtime/clock.h"
#include "runtime/futex.h"
#include "runtime/log.h"
#include "runtime/session.h"
#include "runtime/summary.h"
#include "runtime/thread_slot.h"
#include "symbolizer/function_name.h"

namespace autotrace {
namespace {

constexpr uint64_t kMillisecond = 1'000'000;
// The reader looks this often while the program records, and this often while it does not; a
// claimed chunk ends the longer one, and a share of all chunks the shorter one.
constexpr uint64_t kBusySleep = 2 * kMillisecond;
constexpr uint64_t kIdleSleep = 100 * kMillisecond;
constexpr int kPassesUntilIdle = 50;
constexpr uint32_t kShareThatWakes = 8;
// For so long it does not sleep at all while each look finds so many bytes.
constexpr uint64_t kRestless = 50 * kMillisecond;
constexpr uint64_t kBurst = 64 << 10;
// What takes time, and what short programs do without, is done after so long.
constexpr uint64_t kYouth = 10 * kMillisecond;
// The rest of the ring's first memory is mapped after so long, or when so many chunks are claimed.
constexpr uint64_t kMapsRingAfter = 100 * kMillisecond;
constexpr uint32_t kClaimsThatMap = 16;
// Open spans are copied this often. A young program is looked at more often, so that a kill early
// in its life costs little.
constexpr uint64_t kHousekeepingInterval = 100 * kMillisecond;
constexpr uint64_t kFirstHousekeepingInterval = kMillisecond;
// A ring that was not used more than this for so long gives memory back.
constexpr double kQuietUse = 1.0 / 16;
constexpr uint64_t kQuietTime = 2000 * kMillisecond;
constexpr size_t kMostQuietInSummary = 20;

// For the program's end, which may come on any thread.
std::string NameOnSmallStack(std::string_view linker_name) {
  constexpr size_t kStack = 64 * 1024;
  char name[1024];
  return {name, symbolizer::QualifiedName(linker_name, name, sizeof(name), kStack)};
}

}  // namespace

void Session::RunInBackground() {
  const InternalThreadScope internal;
  try {
    if (SendsLive()) {
      const ForkGate::Inside inside(&gate_);
      // Loading it, and its first look at debug information, take longer than the ring's beginning
      // lasts.
      while (shared_.ring.Grow()) {
      }
      live_ = std::make_unique<LiveExporter>(filters::ToYaml(config_, true), sent_.get());
      if (live_->ok()) {
        if (spool_ != nullptr) {
          spool_->set_live(live_.get());
        } else {
          drainer_->AddSink(live_.get());
        }
        drainer_->EmitFirstClockLines();
        AnnounceProcess();
        drainer_->EmitAllModules();
      }
    }
    idle_passes_ = 0;
    quiet_since_ = MonotonicNanos();
    ring_is_mapped_ = false;
    bool woken = false;
    while (!IsAskedToStop()) {
      const uint32_t flush = flush_requested_.load(std::memory_order_acquire);
      Drainer::PassResult pass;
      {
        const ForkGate::Inside inside(&gate_);
        if (!ring_is_mapped_) MapRing(woken);
        pass = drainer_->Pass();
        if (pass.ring_use > kQuietUse) quiet_since_ = MonotonicNanos();
        ObeyControl();
        if (erasing_.Look()) idle_passes_ = 0;
        Housekeeping(MonotonicNanos());
      }
      if (flush == flush_done_.load(std::memory_order_relaxed)) {
        woken = WaitForWork(pass);
      } else {
        AnswerFlush(flush);
      }
    }
    const ForkGate::Inside inside(&gate_);
    Finish();
  } catch (const std::exception& error) {
    LogParts({"recording stopped: ", error.what()});
  }
}

void Session::AnswerFlush(uint32_t flush) {
  const ForkGate::Inside inside(&gate_);
  bool complete = segments_ == nullptr || segments_->Flush(0);
  const uint64_t timeout = flush_timeout_.load(std::memory_order_relaxed);
  if (spool_ != nullptr) {
    complete = spool_->Flush(timeout) && complete;
  } else if (live_ != nullptr) {
    complete = live_->Flush(timeout) && complete;
  }
  if (leave_nothing_.exchange(false, std::memory_order_acq_rel)) LeaveNothing();
  flush_complete_.store(complete, std::memory_order_relaxed);
  flush_done_.store(flush, std::memory_order_release);
  FutexWake(&flush_done_);
}

bool Session::IsAskedToFlush() const {
  return flush_requested_.load(std::memory_order_seq_cst) !=
         flush_done_.load(std::memory_order_relaxed);
}

// Once the ring is in use, or may soon be: a short program uses little of it. A step at a time: in
// between the ring is emptied. (Threads that are faster touch it themselves.)
void Session::MapRing(bool in_use) {
  if (!in_use && MonotonicNanos() - started_ < kMapsRingAfter) return;
  ring_is_mapped_ = !shared_.ring.MapAhead();
}

// True: the program uses the ring.
bool Session::WaitForWork(const Drainer::PassResult& pass) {
  idle_passes_ = pass.bytes == 0 ? idle_passes_ + 1 : 0;
  if (pass.ring_use > 0.25) return true;
  // The ring of a young program is small, and a thread that sleeps may be woken late.
  if (pass.bytes >= kBurst && MonotonicNanos() - started_ < kRestless) return true;
  const bool idle = idle_passes_ >= kPassesUntilIdle;
  const uint32_t share = shared_.ring.chunks_with_memory() / kShareThatWakes;
  return shared_.ring.WaitForWork(
      idle ? kIdleSleep : kBusySleep,
      idle ? 1 : std::max(ring_is_mapped_ ? share : std::min(share, kClaimsThatMap), 1u),
      [this] { return IsAskedToStop() || IsAskedToFlush(); });
}

void Session::Housekeeping(uint64_t now) {
  const uint64_t interval =
      std::clamp((now - started_) / 8, kFirstHousekeepingInterval, kHousekeepingInterval);
  if (now - last_housekeeping_ < interval &&
      !copy_open_frames_.exchange(false, std::memory_order_acq_rel)) {
    return;
  }
  last_housekeeping_ = now;
  quiet_.Look();
  TellOfQuiet();
  erasing_.Apply();
  if (forget_again_ > 0) {
    --forget_again_;
    ForgetDecisions();
  }
  drainer_->EmitGoneModules();
  pool_.GiveMemoryBack();
  if (now - last_release_ >= kHousekeepingInterval) {
    last_release_ = now;
    modules_.ReleaseQuietPages();
  }
  if (now - quiet_since_ > kQuietTime) shared_.ring.Shrink();
  drainer_->CopyOpenFrames();
  if (segments_ != nullptr) segments_->ForgetClockBefore(drainer_->oldest_start());
  if (now - started_ > kYouth) {
    if (segments_ != nullptr) segments_->KeepRoom();
    shared_.ring.ReserveOpenFrames();
  }
  if (spool_ != nullptr) {
    if (drainer_->has_open_calls()) spool_->Begin();
    spool_->RemoveSent();
  }
  drainer_->EmitClockIfDue();
}

void Session::TellOfQuiet() {
  const std::string news = quiet_.TakeNews();
  if (!news.empty()) drainer_->Emit(format::BlockKind::kQuiet, news);
}

// Where the program is replaced nobody else will remove what was sent.
void Session::LeaveNothing() {
  if (spool_ == nullptr || drainer_->has_open_calls()) return;
  if (!spool_->RemoveIfAllSent()) return;
  control_.Remove();
  RemoveIfEmpty(run_);
}

void Session::Finish() {
  // Threads may go on for as long as the program's end takes. What they do from here on is not
  // recorded, so that what is read now is whole.
  shared_.stopped.store(true, std::memory_order_relaxed);
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  pool_.ForEach([](ThreadRecorders* thread) {
    thread->ForEachRecorder([](Recorder* recorder) { recorder->CloseFastPaths(); });
  });
  while (drainer_->Pass().bytes > 0) {
  }
  drainer_->CopyOpenFrames();
  if (spool_ != nullptr && drainer_->has_open_calls()) spool_->Begin();
  drainer_->EmitOpenFrames();
  drainer_->EmitClock();
  TellOfQuiet();
  auto& counters = shared_.ring.header()->counters;
  if (segments_ != nullptr && config_.recorded()) {
    counters[static_cast<int>(format::Counter::kDroppedDiskCap)].store(segments_->removed_spans(),
                                                                       std::memory_order_relaxed);
    shared_.ring.Count(format::Counter::kDroppedDisk, segments_->FindDeletedSpans());
  }
  // Before the counters are written, since it adds to them.
  const Spool::Outcome outcome = CloseExport();
  counters[static_cast<int>(format::Counter::kDroppedExport)].store(
      outcome.dropped + (config_.recorded() ? 0 : outcome.lost), std::memory_order_relaxed);
  drainer_->EmitCounters();
  const format::ClockPoint end = CurrentClockPoint();
  drainer_->Emit(format::BlockKind::kEnd, {reinterpret_cast<const char*>(&end), sizeof(end)});
  if (segments_ != nullptr) segments_->Close(0);
  control_.Remove();
  shared_.ring.header()->finished.store(1, std::memory_order_release);
  shared_.ring.Unlink();
  TellOfUnsent(outcome);
  WriteSummary();
  if (spool_ != nullptr && !config_.recorded()) RemoveIfEmpty(run_);
  finished_ = true;
}

Spool::Outcome Session::CloseExport() {
  if (live_ != nullptr && live_->ok()) live_->Close(config_.otlp_timeout);
  if (spool_ != nullptr) return spool_->Settle(drainer_->has_open_calls());
  Spool::Outcome outcome;
  if (live_ != nullptr) outcome.dropped = live_->counts().dropped;
  return outcome;
}

void Session::TellOfUnsent(const Spool::Outcome& outcome) const {
  if (outcome.lost > 0) {
    Log(std::to_string(outcome.lost) + " spans were neither sent nor " +
        (config_.recorded() ? "recorded" : "kept on disk") + " and are lost");
  }
  if (outcome.kept > 0) {
    Log(std::to_string(outcome.kept) +
        " spans were not sent and are kept; send them with: " + "autotracer push " + run_.path);
  }
}

void Session::WriteSummary() {
  SummaryFacts facts;
  facts.spans = drainer_->recorded_spans();
  facts.functions = decider_.functions().count();
  facts.hooks = erasing_.counts();
  facts.why_no_hooks_erased = erasing_.reason();
  facts.quiet = quiet_.functions().size();
  facts.quiet_names = QuietNames(kMostQuietInSummary);
  for (int i = 0; i < static_cast<int>(format::Counter::kCount); ++i) {
    facts.counters[i] = shared_.ring.header()->counters[i].load(std::memory_order_relaxed);
  }
  if (segments_ != nullptr && config_.recorded()) {
    facts.spans -= std::min(facts.spans, facts.counters[int(format::Counter::kDroppedDisk)] +
                                             facts.counters[int(format::Counter::kDroppedDiskCap)]);
  }
  const bool is_recorded = segments_ != nullptr && config_.recorded();
  facts.run_path = is_recorded ? run_.path : "";
  facts.endpoint = live_ != nullptr ? config_.otlp_endpoint : "";
  const std::string text = SummaryText(facts);
  if (is_recorded) segments_->WriteBeside(".summary", text + "\n");
  WarnOfUnmatchedPatterns();
  const bool first = run_.first || run_.path.empty();
  const bool wanted = config_.summary == filters::Tristate::kOn ||
                      (config_.summary == filters::Tristate::kAuto && StderrIsTerminal());
  if (!first || !wanted || parent_process_key_ != 0) return;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    Log(std::string_view(text).substr(at, end - at));
    at = end + 1;
  }
}

// Also for the program's end.
std::string Session::QuietNames(size_t most) const {
  const std::vector<QuietFunction>& functions = quiet_.functions();
  std::string lines;
  for (size_t i = 0; i < functions.size() && i < most; ++i) {
    const Module& module = *functions[i].module;
    symbolizer::Symbol symbol;
    lines += "\n  ";
    lines += module.image.FindFunction(functions[i].function - module.load_bias, &symbol)
                 ? NameOnSmallStack(symbol.name)
                 : "a function without a symbol";
    lines += " after " + std::to_string(functions[i].calls) + " calls";
  }
  if (functions.size() > most) {
    lines += "\n  and " + std::to_string(functions.size() - most) + " more";
  }
  return lines;
}

void Session::WarnOfUnmatchedPatterns() const {
  if (!filters_.empty()) return;  // by whatever filter there was meanwhile
  for (const filters::UnmatchedPattern& unmatched : filter_.UnmatchedPatterns()) {
    const std::string dropped = FindDropped(*unmatched.pattern).Describe();
    Log("no function that ran matches " + unmatched.text() +
        (dropped.empty() ? "" : "; the compiler plugin left out " + dropped) +
        "; `autotracer functions " + executable_ + "` lists what there is");
  }
}

// What the plugins left out of the binaries that were loaded at any time.
filters::DroppedMatch Session::FindDropped(const filters::Pattern& pattern) const {
  filters::DroppedMatch all;
  for (size_t index = 0; index < modules_.size(); ++index) {
    const Module* module = modules_.at(index);
    if (module == nullptr) continue;
    const std::string_view section = module->image.SectionContents(filters::kDroppedSection);
    all.Add(filters::MatchDropped(pattern, section, module->path_view(), NameOnSmallStack));
  }
  return all;
}

}  // namespace autotrace
