#include "runtime/decider.h"

#include <string.h>

#include <algorithm>

#include "runtime/module_payload.h"
#include "runtime/own_stack.h"
#include "runtime/recorder.h"
#include "runtime/uncancelled.h"
#include "symbolizer/function_name.h"

namespace autotrace {
namespace {

constexpr size_t kLongestName = 16 << 10;
// Longer linker names would need more stack to demangle than there is; they are their own names.
constexpr size_t kLongestDemangled = 12 << 10;

// A function as patterns see it. What takes long is found out when it is asked for.
class SeenFunction final : public filters::Function {
 public:
  SeenFunction(Module* module, uint64_t function) : module_(module), function_(function) {
    if (module != nullptr) module->image.FindFunction(function - module->load_bias, &symbol_);
  }

  std::string_view name() const override {
    Demangle();
    return {name_, name_size_};
  }
  std::string_view module_path() const override {
    return module_ == nullptr ? std::string_view() : module_->path_view();
  }
  std::string_view source_file() const override {
    FetchFacts();
    return {path_, path_size_};
  }
  bool compiler_made() const override {
    FetchFacts();
    return facts_.compiler_made;
  }
  std::string_view linker_name() const { return symbol_.name; }
  // False when another thread was reading the facts that were asked for: what was said of them is
  // only what is most likely.
  bool is_certain() const { return is_certain_; }

 private:
  void Demangle() const {
    if (name_size_ > 0 || symbol_.name.empty()) return;
    if (symbol_.name.size() <= kLongestDemangled) {
      name_size_ = symbolizer::QualifiedName(symbol_.name, name_, sizeof(name_));
      name_size_ = std::min(name_size_, sizeof(name_) - 1);
    } else {
      name_size_ = std::min(symbol_.name.size(), sizeof(name_));
      memcpy(name_, symbol_.name.data(), name_size_);
    }
  }
  void FetchFacts() const {
    if (fetched_) return;
    fetched_ = true;
    if (module_ == nullptr ||
        !module_->image.FindFacts(function_ - module_->load_bias, &facts_, &is_certain_)) {
      return;
    }
    const bool absolute = !facts_.file.empty() && facts_.file[0] == '/';
    if (!absolute && !facts_.directory.empty()) {
      Append(facts_.directory);
      Append("/");
    }
    Append(facts_.file);
  }
  void Append(std::string_view text) const {
    const size_t part = std::min(text.size(), sizeof(path_) - path_size_);
    if (part == 0) return;
    memcpy(path_ + path_size_, text.data(), part);
    path_size_ += part;
  }

  Module* module_;
  uint64_t function_;
  symbolizer::Symbol symbol_;
  mutable char name_[kLongestName];
  mutable size_t name_size_ = 0;
  mutable bool fetched_ = false;
  mutable bool is_certain_ = true;
  mutable symbolizer::FunctionFacts facts_;
  mutable char path_[4096];
  mutable size_t path_size_ = 0;
};

// Tells readers of modules by records of the thread that sees them.
class RecordedNews final : public ModuleNews {
 public:
  explicit RecordedNews(Recorder* recorder) : recorder_(recorder) {}
  bool Tell(const Module& module, uint64_t ticks) override {
    const ModulePayload payload({&module, ticks, /*unloaded=*/false}, format::kMaxRecordedPath);
    return recorder_->WriteModule(payload.bytes());
  }

 private:
  Recorder* recorder_;
};

// What stands on the stack, between variables and after them as well. (AddressSanitizer minds.)
__attribute__((no_sanitize("address"))) uint64_t WordAt(uint64_t address) {
  return *reinterpret_cast<const uint64_t*>(address);
}

// Where the entry hook with this frame address was called. (It runs on this thread.)
uint64_t ReturnAddressOfHook(uint64_t frame_address) {
#ifdef __x86_64__
  return WordAt(frame_address - sizeof(uint64_t));
#else
  static_cast<void>(frame_address);
  return 0;
#endif
}

// Bits of Decider::logged_.
constexpr uint16_t kNameLogged = decision::kRecord;
constexpr uint16_t kHookLogged = decision::kHideSubtree;

bool HasEffect(uint16_t bits) { return (bits & (decision::kRecord | decision::kHideSubtree)) != 0; }

// Does a call instruction end right before this address? (x86-64: E8 rel32, FF /2.)
bool FollowsCall(uint64_t address) {
#ifdef __x86_64__
  const auto* code = reinterpret_cast<const uint8_t*>(address);
  if (code[-5] == 0xe8) return true;
  for (const int length : {2, 3, 4, 6, 7}) {
    if (code[-length] == 0xff && (code[-length + 1] & 0x38) == 0x10) return true;
  }
  return false;
#else
  return address % 4 == 0;
#endif
}

}  // namespace

Decider::Decider(const filters::Config& config, const filters::FunctionFilter* filter,
                 ModuleTable* modules, const ShortCalls* short_calls)
    : filter_(filter),
      modules_(modules),
      short_calls_(short_calls),
      measured_mode_(config.min_duration_mode == filters::DurationMode::kFunction),
      depth_limited_(config.max_depth != 0),
      logs_hooks_(config.patch && config.thread),
      has_logged_(logged_.Initialize()) {}

uint16_t Decider::Decide(uint64_t function, uint64_t frame_address, Recorder* recorder,
                         format::Counter* lost) {
  const Uncancelled until_decided;
  // While libraries are being closed this is where every call of a function that may go comes.
  const ModuleTable::Sight sight = modules_->See(function);
  if (sight.told) {
    if (const uint16_t kept = Kept(sight.module, function); kept != 0) {
      modules_->Store(sight.module, function, kept);
      return kept;
    }
  }
  struct Call {
    Decider* decider;
    uint64_t function;
    uint64_t frame_address;
    Recorder* recorder;
    format::Counter* lost;
    uint16_t bits;
  } call = {this, function, frame_address, recorder, lost, 0};
  *lost = format::Counter::kDroppedNoMemory;
  CallOnOwnStack(
      [](void* argument) {
        auto* c = static_cast<Call*>(argument);
        c->bits = c->decider->DecideOnOwnStack(c->function, c->frame_address, c->recorder, c->lost);
      },
      &call);
  return call.bits;
}

uint16_t Decider::Kept(const Module* module, uint64_t function) {
  if (module == nullptr || !module->keeps_decisions) return 0;
  return DecisionOf(module->decisions.Lookup(function));
}

uint16_t Decider::DecideOnOwnStack(uint64_t function, uint64_t frame_address, Recorder* recorder,
                                   format::Counter* lost) {
  RecordedNews news(recorder);
  const auto [module, told] = modules_->Introduce(function, &news);
  bool is_certain = true;
  uint16_t bits = Kept(module, function);
  if (bits == 0) {
    const SeenFunction seen(module, function);
    const filters::FunctionFilter* filter = filter_.load(std::memory_order_acquire);
    bits = Bits(filter->Decide(seen), *filter, module);
    if (IsQuiet(function)) bits = decision::kKnown;
    is_certain = seen.is_certain();
    // Before any table has it: whoever records it must find its name logged. (Without memory for
    // it, readers find the function's name in its binary.)
    if (module != nullptr && (bits & decision::kRecord) != 0 &&
        !WasLogged(*module, function, kNameLogged)) {
      functions_.Add({function, module->id, bits, seen.linker_name()});
      NoteLogged(*module, function, kNameLogged);
    }
    if (logs_hooks_ && module != nullptr && module->lasts &&
        !WasLogged(*module, function, kHookLogged)) {
      hooks_.Add(
          {module, function, ReturnAddressOfHook(frame_address), autotrace::HasEffect(bits)});
      NoteLogged(*module, function, kHookLogged);
    }
    if (is_certain && module != nullptr && module->keeps_decisions) {
      module->decisions.Store(function, bits);
    }
  }
  if (told) {
    if (is_certain) modules_->Store(module, function, bits);
  } else if ((bits & decision::kRecord) != 0) {
    // Readers would take it for a function of what was there before.
    if (module != nullptr) *lost = format::Counter::kDroppedRingFull;
    return 0;
  }
  return bits;
}

bool Decider::WasLogged(const Module& module, uint64_t function, uint16_t what) const {
  return module.lasts && has_logged_ && (DecisionOf(logged_.Lookup(function)) & what) != 0;
}

void Decider::NoteLogged(const Module& module, uint64_t function, uint16_t what) {
  if (!module.lasts || !has_logged_) return;
  logged_.Store(function, DecisionOf(logged_.Lookup(function)) | what);
}

bool Decider::IsQuiet(uint64_t function) const { return short_calls_->IsQuiet(function); }

bool Decider::HasEffect(const Module& module, uint64_t function) {
  if (IsQuiet(function)) return false;
  struct Question {
    Decider* decider;
    const Module* module;
    uint64_t function;
    bool result;
  } question = {this, &module, function, true};
  CallOnOwnStack(
      [](void* argument) {
        auto* q = static_cast<Question*>(argument);
        const filters::FunctionFilter* filter = q->decider->filter_.load(std::memory_order_acquire);
        const SeenFunction seen(const_cast<Module*>(q->module), q->function);
        q->result =
            autotrace::HasEffect(q->decider->Bits(filter->Decide(seen), *filter, q->module));
      },
      &question);
  return question.result;
}

void Decider::Learn(uint64_t function) {
  Module* module = modules_->See(function).module;
  if (module == nullptr || !module->keeps_decisions) return;
  const uint64_t kept = module->decisions.Lookup(function);
  if ((DecisionOf(kept) & decision::kMeasured) != 0) {
    module->decisions.Replace(kept, AsSlow(DecisionOf(kept), measured_mode_));
  }
}

uint16_t Decider::Bits(const filters::Decision& decided, const filters::FunctionFilter& filter,
                       const Module* module) const {
  if (decided.verdict == filters::Verdict::kHideSubtree) {
    return decision::kKnown | decision::kHideSubtree;
  }
  if (decided.verdict != filters::Verdict::kRecord) return decision::kKnown;
  const auto threshold =
      static_cast<uint16_t>(std::min<size_t>(decided.threshold_class, decision::kNoThreshold - 1));
  uint16_t bits = decision::kKnown | decision::kRecord | threshold;
  if (decided.named_exactly) bits |= decision::kNamedExactly;
  if (decided.starts_trace) bits |= decision::kStartsTrace;
  if (depth_limited_) bits |= decision::kDepthLimited;
  // In span mode only as long as it may fall quiet.
  const bool may_be_quiet = short_calls_->limit() > 0 && module != nullptr && module->lasts &&
                            !decided.named_exactly && !decided.starts_trace;
  if ((measured_mode_ || may_be_quiet) && filter.thresholds()[threshold] > 0) {
    bits |= decision::kMeasured;
  }
  return bits;
}

bool Decider::IsThreadMachinery(uint64_t return_address) {
  Module* module = modules_->Find(return_address);
  if (module == nullptr) return true;  // no code: not a return address
  const std::string_view path = module->path_view();
  const std::string_view file = path.substr(path.rfind('/') + 1);
  if (file.starts_with("libc.so") || file.starts_with("libpthread") ||
      file.starts_with("libstdc++.so") || file.starts_with("libc++.so") ||
      file.starts_with("ld-linux") || file.starts_with("libautotrace-cpp")) {
    return true;
  }
  const SeenFunction caller(module, return_address - 1);
  const std::string_view name = caller.name();
  return name.starts_with("std::") || name.starts_with("__gnu_cxx::");
}

bool Decider::IsInside(uint64_t function, uint64_t address) {
  struct Question {
    Decider* decider;
    uint64_t function;
    uint64_t address;
    bool result;
  } question = {this, function, address, false};
  return CallOnOwnStack(
             [](void* argument) {
               auto* q = static_cast<Question*>(argument);
               Module* module = q->decider->modules_->Find(q->address);
               symbolizer::Symbol symbol;
               q->result = module != nullptr &&
                           module->image.FindFunction(q->address - module->load_bias, &symbol) &&
                           symbol.address + module->load_bias == q->function;
             },
             &question) &&
         question.result;
}

bool Decider::IsCalledByThreadStart(uint64_t frame_address, uint64_t stack_end) {
  // Between an entry function and the end of the stack lie some hundred bytes; whatever lies deeper
  // is not called by the thread's start.
  constexpr uint64_t kFurthest = 8192;
  struct Call {
    Decider* decider;
    uint64_t from;
    uint64_t to;
    bool result;
  } call = {this, frame_address, std::min(stack_end, frame_address + kFurthest), true};
  if (stack_end < frame_address) return false;
  const bool called = CallOnOwnStack(
      [](void* argument) {
        auto* c = static_cast<Call*>(argument);
        for (uint64_t at = c->from & ~uint64_t{7}; c->result && at + 8 <= c->to; at += 8) {
          const uint64_t word = WordAt(at);
          Module* module = word < 4096 ? nullptr : c->decider->modules_->Find(word);
          symbolizer::Symbol symbol;
          if (module == nullptr || !module->image.FindFunction(word - module->load_bias, &symbol) ||
              word - module->load_bias - symbol.address < 7 || !FollowsCall(word)) {
            continue;
          }
          c->result = c->decider->IsThreadMachinery(word);
        }
      },
      &call);
  return called && call.result;
}

}  // namespace autotrace
