// Takes the hooks out of functions that are not wanted, so that their calls cost next to nothing:
// the calls of hooks that stand for them are found (hook_sites.h) and erased (code_writer.h), and
// can be restored when the decision changes.
//
// It works on what the decider tells: a function that was decided about, wanted or not, and from
// where its hook was called. The body that this lies in is disassembled once. Calls that stand
// there for functions that nobody has decided about yet are remembered until somebody does. While
// calls of a function are open, its hooks at the ends of calls stay: these end as they began.
// Background thread only. A module stays mapped while Apply works on it; Forget says that it goes.
#ifndef AUTOTRACE_RUNTIME_HOOK_ERASER_H_
#define AUTOTRACE_RUNTIME_HOOK_ERASER_H_

#include <stddef.h>
#include <stdint.h>

#include <string>
#include <unordered_map>
#include <vector>

#include "runtime/code_writer.h"
#include "runtime/hook_sites.h"
#include "runtime/module.h"
#include "runtime/open_functions.h"

namespace autotrace {

// Calls of hooks that stand in code, not the times that they are made.
struct ErasedHooks {
  uint64_t erased = 0;     // now
  uint64_t functions = 0;  // that have erased ones
  // Not erased though they may stand for functions that are not wanted.
  uint64_t unknown_function = 0;  // the argument is not certain
  uint64_t unknown_form = 0;      // cannot be changed by one byte
  uint64_t changed = 0;           // the code is not what it was: a breakpoint, another tool
  uint64_t not_writable = 0;      // the code's pages could not be made writable
  // Bodies, with an unknown number of calls.
  uint64_t without_symbol = 0;
  uint64_t undecodable = 0;

  uint64_t left() const { return unknown_function + unknown_form + changed + not_writable; }
};

class HookEraser {
 public:
  explicit HookEraser(std::vector<HookAddress> hooks) : finder_(std::move(hooks)) {}

  // Loads what it needs. False, with the reason, when nothing can be erased.
  bool Load(std::string* reason) { return finder_.Load(reason); }

  // `function` was decided to be wanted or not, perhaps otherwise than before. `called_from`: where
  // its hook was called, an address in the body that the call stands in. `was_wanted`: some time
  // before, so that calls of it may be open.
  void Decide(const Module& module, uint64_t function, uint64_t called_from, bool wanted,
              bool was_wanted = false);
  // Does Apply need to know what is open?
  bool asks_what_is_open() const { return !closing_.empty(); }
  // Erases and restores what was decided since the last time.
  void Apply(const OpenFunctions& open = {});
  // Brings all hooks back.
  void RestoreAll();
  // The module is gone or about to go, and its code with it.
  void Forget(const Module& module);

  ErasedHooks counts() const;

 private:
  struct Site {
    HookSite hook;
    const Module* module = nullptr;
    bool erased = false;
    bool failed = false;
  };
  struct Function {
    bool wanted = true;
    // How often it still has to be seen without open calls before its hooks at their ends can go. A
    // thread may be about to begin one that no look finds yet.
    int looks = 0;
    std::vector<uint64_t> sites;  // addresses
  };
  // Disassembled again while the dynamic linker may still fill in what leads to a hook.
  struct Body {
    const Module* module = nullptr;
    AddressRange range = {};
    HookSites found;
    int looks = 0;
    uint64_t next_look = 0;  // pass
  };

  const LinkedBinary& BinaryOf(const Module& module);
  void Look(Body* body);
  void LookAgain();
  bool IsWanted(uint64_t function) const;
  void LookAtClosing(const OpenFunctions& open);
  bool MayErase(const HookSite& hook) const;
  void Change(const Module& module, std::vector<uint64_t>* addresses);

  HookSiteFinder finder_;
  std::unordered_map<uint64_t, Function> functions_;  // by address
  std::unordered_map<uint64_t, Site> sites_;          // by the address of the byte
  std::unordered_map<uint64_t, Body> bodies_;         // by where they begin
  std::unordered_map<const Module*, LinkedBinary> binaries_;
  std::vector<uint64_t> incomplete_;  // bodies to look at again
  std::vector<uint64_t> closing_;     // functions with looks to come
  // Sites whose state is to change.
  std::unordered_map<const Module*, std::vector<uint64_t>> pending_;
  uint64_t passes_ = 0;
  ErasedHooks totals_;  // without those of bodies
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_HOOK_ERASER_H_
