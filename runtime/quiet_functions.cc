#include "runtime/quiet_functions.h"

#include <new>
#include <utility>

#include "runtime/clock.h"

namespace autotrace {

namespace {

// Afterwards push_back does not throw.
template <typename T>
void ReserveOneMore(std::vector<T>* list) {
  if (list->size() == list->capacity()) list->reserve(2 * list->size() + 1);
}

}  // namespace

void QuietFunctions::Look() {
  try {
    LookAtCandidates();
  } catch (const std::bad_alloc&) {
    // What was not settled waits for the next time.
  }
}

void QuietFunctions::LookAtCandidates() {
  const AppendLog<uint64_t>& log = shared_->short_calls.candidates();
  std::vector<Candidate>& waiting = lists_->waiting;
  for (; looked_at_ < log.count(); ++looked_at_) {
    const uint64_t* candidate = log.at(looked_at_);
    if (candidate == nullptr) break;
    if (*candidate != 0) waiting.push_back({*candidate, Now()});
  }
  if (waiting.empty()) return;
  const OpenFunctions open = OpenFunctions::LookAt(pool_, *shared_);
  for (size_t i = 0; i < waiting.size();) {
    if (!Settle(waiting[i], open)) {
      ++i;
    } else {
      waiting[i] = waiting.back();
      waiting.pop_back();
    }
  }
}

// Throws before it has changed anything.
bool QuietFunctions::Settle(const Candidate& candidate, const OpenFunctions& open) {
  ReserveOneMore(&lists_->functions);
  ReserveOneMore(&lists_->news);
  const uint64_t function = candidate.function;
  ShortCalls& calls = shared_->short_calls;
  const Module* module = modules_->Find(function);
  if (module == nullptr || !module->lasts) {
    calls.Exempt(function);
    return true;
  }
  if (calls.IsQuiet(function)) {  // since before this process was forked
    Note(*module, function);
    return true;
  }
  const uint64_t known = shared_->decisions.Lookup(function);
  if (known == 0) return false;  // about to be decided about again
  const uint16_t bits = DecisionOf(known);
  if ((bits & decision::kMeasured) == 0) return true;  // it was slow
  // The exit of a call that is not recorded would end an open one that is, of which it is a part.
  const uint64_t now = Now();
  if (!open.is_certain() || now - candidate.since < shared_->Threshold(bits)) return false;
  const uint64_t start = open.OldestStart(function);
  if (start != 0 && now - start >= shared_->Threshold(bits)) {
    calls.Exempt(function);
    return true;
  }
  // In this order: whoever decides about it meanwhile finds that it is quiet.
  calls.MakeQuiet(function);
  shared_->decisions.Replace(known, decision::kKnown);
  if ((DecisionOf(shared_->decisions.Lookup(function)) & decision::kRecord) != 0) {
    calls.Exempt(function);  // it was slow just now
    return true;
  }
  erasing_->LeaveOut(*module, function);
  Note(*module, function);
  return true;
}

void QuietFunctions::Note(const Module& module, uint64_t function) {
  const uint64_t calls = shared_->short_calls.CallsOf(function);
  lists_->functions.push_back({&module, function, calls});
  lists_->news.push_back({function, module.id, 0, calls});
}

std::string QuietFunctions::TakeNews() {
  std::vector<format::QuietEntry>& news = lists_->news;
  std::string payload(reinterpret_cast<const char*>(news.data()),
                      news.size() * sizeof(format::QuietEntry));
  news.clear();
  return payload;
}

void QuietFunctions::RestoreAll() {
  shared_->short_calls.Reset();
  for (const QuietFunction& quiet : lists_->functions) {
    lists_->news.push_back({quiet.function, quiet.module->id, 0, 0});
  }
  lists_->functions.clear();
  lists_->waiting.clear();
}

void QuietFunctions::AbandonInChild() {
  abandoned_.push_back(std::move(lists_));  // they may be in the middle of anything
  lists_ = std::make_unique<Lists>();
  looked_at_ = 0;
}

}  // namespace autotrace
