// The loaded binaries that traced functions live in, and which of them are gone.
//
// Those present at start are added then; later ones when a function of theirs is first seen, on the
// traced thread, through _dl_find_object (glibc 2.35 and later: lock-free and async-signal-safe).
// dlopen is not interposed. Two things must hold although libraries come and go at one address:
//
// Decisions. No hook may find what was decided about another binary's function. So the session's
// table holds nothing about code that can be unloaded while a dlclose(3) runs: it is forgotten
// before, and what is decided meanwhile is not stored. What is mapped there afterwards is seen
// anew. Each module keeps its own decisions for its return. Where a dlclose is not seen (see
// dlclose.cc), the background thread notices, or the first new function that is seen in the place.
//
// News. Readers know a function's binary by the time of the call. So the first thread that takes
// notice of a binary tells readers, before it stores or records anything about it: a record in its
// own chunk, with a time at which the binary was there and the one before was not any more. Others
// who come at the same moment do the same; nobody waits, and nobody relies on what is not told yet.
#ifndef AUTOTRACE_RUNTIME_MODULE_TABLE_H_
#define AUTOTRACE_RUNTIME_MODULE_TABLE_H_

#include <stddef.h>
#include <stdint.h>

#include <atomic>
#include <string>
#include <vector>

#include "runtime/decision_table.h"
#include "runtime/lasting_code.h"
#include "runtime/module.h"
#include "runtime/module_payload.h"

namespace autotrace {

// Where traced threads tell readers that a module is there.
class ModuleNews {
 public:
  // False when there is no room. Async-signal-safe.
  virtual bool Tell(const Module& module, uint64_t ticks) = 0;

 protected:
  ~ModuleNews() = default;
};

class ModuleTable {
 public:
  // Does not own it.
  explicit ModuleTable(DecisionTable* decisions) : decisions_(decisions) {}

  // Adds what is loaded now. At start only.
  void AddLoaded(const std::string& executable);

  // The module of this address, added if it is new; null when no binary is there or the table is
  // full. Async-signal-safe.
  Module* Find(uint64_t address);

  struct Sight {
    Module* module = nullptr;
    // Readers know that it is there: what is decided may be stored, and calls recorded. Also true
    // when no binary is there.
    bool told = false;
  };
  // The module of an address whose code the calling thread is running, so that its binary cannot be
  // unloaded; not one that was there before. See looks only, Introduce also adds it and tells
  // readers if need be. Async-signal-safe; See needs little stack.
  Sight See(uint64_t address);
  Sight Introduce(uint64_t address, ModuleNews* news);

  // Stores a decision about a function that the calling thread is running, unless it could outlive
  // the function's code. The module is told; null: none. Async-signal-safe.
  void Store(Module* module, uint64_t function, uint16_t bits);

  // Around each call of dlclose(3), on the thread that makes it. No lock, no wait, no errno.
  void BeginClose();
  void EndClose();

  // Looks which modules are gone: forgets what was decided about them, and adds them to `gone`.
  // Some twenty system calls for each module that is still there, can be unloaded, and has
  // functions which were decided about. Background thread.
  void FindGone(std::vector<ModuleChange>* gone);

  // See symbolizer::ModuleImage. Background thread.
  void ReleaseQuietPages();

  // Forgets what modules keep for their return. Background thread.
  void ForgetKeptDecisions();

  // Everything is to be told again, and no other thread of before is at work. In a forked child;
  // `own_closes`: how many calls of dlclose(3) its thread is inside of.
  void AfterFork(uint64_t own_closes);

  size_t size() const;
  Module* at(size_t index) const { return modules_[index].load(std::memory_order_acquire); }

 private:
  static constexpr size_t kCapacity = 8192;
  struct Place;

  Module* Known(const Place& place, bool running) const;
  Module* Add(const Place& place);
  bool IsPresent(const Module& module) const;
  uint64_t OthersToldAt(const Module& module) const;
  bool Tell(Module* module, ModuleNews* news);
  static bool IsThere(Module* module);

  DecisionTable* const decisions_;
  LastingCode lasting_;
  std::string executable_;
  // Every call of dlclose(3) is counted when it begins and when it has ended.
  std::atomic<uint64_t> closes_begun_{0};
  std::atomic<uint64_t> closes_ended_{0};
  // Between these lies all code that can be unloaded and was ever seen.
  std::atomic<uint64_t> removable_start_{UINT64_MAX};
  std::atomic<uint64_t> removable_end_{0};
  mutable std::atomic<size_t> count_{0};  // at least so many there are
  std::atomic<Module*> modules_[kCapacity] = {};
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_MODULE_TABLE_H_
