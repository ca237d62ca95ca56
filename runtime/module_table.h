// The loaded binaries that traced functions live in, and which of them are gone.
//
// Those present at start are added then; later ones when a function of theirs is first seen, on the
// traced thread, through _dl_find_object (glibc 2.35 and later: lock-free and async-signal-safe).
// dlopen is not interposed. That a binary is gone is noticed by the interposed dlclose, by the
// background thread, and by the first new function that is seen in its place. Then the decisions
// about its functions are taken out of the decision table, or the next binary there would get them;
// they are kept for the case that it comes back.
//
// Threads that notice a change at the same time never wait for each other: one makes it, the others
// go on and do not store what they decide meanwhile.
#ifndef AUTOTRACE_RUNTIME_MODULE_TABLE_H_
#define AUTOTRACE_RUNTIME_MODULE_TABLE_H_

#include <stddef.h>
#include <stdint.h>

#include <atomic>
#include <string>

#include "runtime/decision_table.h"
#include "runtime/module.h"
#include "runtime/module_changes.h"

namespace autotrace {

class ModuleTable {
 public:
  // Owns neither. The ring may be created later.
  ModuleTable(DecisionTable* decisions, Ring* ring) : decisions_(decisions), changes_(ring) {}

  // Adds what is loaded now. At start only.
  void AddLoaded(const std::string& executable);

  // The module of this address, added if it is new; null when no binary is there or the table is
  // full. Async-signal-safe.
  Module* Find(uint64_t address);

  struct Found {
    Module* module;
    // Another thread is noticing a change at this place: what is decided now must not be stored.
    bool settled;
  };
  // The same for an address whose code the calling thread is running, so that its binary cannot be
  // unloaded: makes sure that it is this one and not one that was there before.
  Found FindRunning(uint64_t address);

  // Notices which modules are gone. Any thread; no lock, no wait, no errno. One look-up for each
  // module, and some twenty system calls for each that has functions which were decided about, the
  // program itself left out.
  void Check();
  // Before a dlclose(3) of this handle, which is a link_map in glibc; Check is for afterwards. The
  // decisions about the library's functions must be gone before it is, or another thread could open
  // another library in its place and call that before the closing thread has looked. If it stays,
  // the first call of a function of it brings them back. Any thread; no lock, no wait, no errno.
  void BeforeClose(const void* handle);
  // Tells readers about modules that are gone and may come back. Those that are replaced are told
  // about at once; this is for callers in what nobody traces. Background thread, now and then.
  void TellUnloads();

  // The oldest change that was not taken yet. Background thread.
  bool NextChange(ModuleChange* change) { return changes_.Next(change); }
  // Everything is to be told again, and no other thread of before is at work. In a forked child.
  void AfterFork();

  size_t size() const;
  // Null while another thread is still filling it in. index < size().
  Module* at(size_t index) const { return modules_[index].load(std::memory_order_acquire); }

 private:
  static constexpr size_t kCapacity = 8192;
  struct Place;

  Found FindAt(uint64_t address, bool running);
  Module* Add(const Place& place);
  void DropDecisions(const Place& place);
  static bool IsThere(Module* module);
  static void CountDecision(Module* module);
  void Retire(Module* module);
  void TakeDecisions(Module* module);
  bool Return(Module* module);
  bool WasReplaced(const Module& module) const;
  bool RetireOthers(const Module* module, uint64_t start, uint64_t end);
  void TellUnload(Module* module);
  void TellLoad(Module* module);

  DecisionTable* const decisions_;
  ModuleChanges changes_;
  std::string executable_;
  std::atomic<size_t> count_{0};
  std::atomic<Module*> modules_[kCapacity] = {};
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_MODULE_TABLE_H_
