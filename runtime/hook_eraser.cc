#include "runtime/hook_eraser.h"

#include <algorithm>

namespace autotrace {
namespace {

// A body is looked at again after 1, 2, 4, ... passes, so often.
constexpr int kMostLooks = 12;
// Looks without open calls of a function before its hooks at their ends go.
constexpr int kLooksAtOpenCalls = 4;

}  // namespace

bool HookEraser::IsWanted(uint64_t function) const {
  const auto found = functions_.find(function);
  return found == functions_.end() || found->second.wanted;
}

bool HookEraser::MayErase(const HookSite& hook) const {
  const auto found = functions_.find(hook.function);
  return found != functions_.end() && !found->second.wanted &&
         (!hook.is_exit || found->second.looks == 0);
}

void HookEraser::Decide(const Module& module, uint64_t function, uint64_t called_from, bool wanted,
                        bool was_wanted) {
  Function& decided = functions_[function];
  if (was_wanted && decided.wanted && !wanted) {
    if (decided.looks == 0) closing_.push_back(function);
    decided.looks = kLooksAtOpenCalls;
  }
  decided.wanted = wanted;
  for (const uint64_t address : decided.sites) pending_[sites_[address].module].push_back(address);
  // The call's own instruction, which the address is behind.
  const uint64_t call = called_from - 1 - module.load_bias;
  symbolizer::Symbol symbol;
  const bool is_own = module.image.FindFunction(function - module.load_bias, &symbol) &&
                      call - symbol.address < symbol.size;
  // (Looking for what an address lies inside of takes an index that the first look makes.)
  if (!is_own && (!module.image.FindFunction(call, &symbol) || symbol.size == 0)) {
    if (!wanted) ++totals_.without_symbol;
    return;
  }
  const uint64_t begin = module.load_bias + symbol.address;
  const auto [place, added] = bodies_.try_emplace(begin);
  if (!added) return;
  Body& body = place->second;
  body.module = &module;
  body.range = {begin, begin + symbol.size};
  Look(&body);
}

const LinkedBinary& HookEraser::BinaryOf(const Module& module) {
  return binaries_.try_emplace(&module, module.start, module.end, module.load_bias).first->second;
}

void HookEraser::Look(Body* body) {
  body->found = {};
  ++body->looks;
  if (!finder_.Find(body->range, BinaryOf(*body->module), &body->found)) {
    ++totals_.undecodable;
    return;
  }
  for (const HookSite& hook : body->found.sites) {
    const auto [place, added] = sites_.try_emplace(hook.address);
    if (!added) continue;
    place->second.hook = hook;
    place->second.module = body->module;
    functions_[hook.function].sites.push_back(hook.address);
    if (!IsWanted(hook.function)) pending_[body->module].push_back(hook.address);
  }
  // What was found once is erased the next time, and no call any more.
  body->found.sites.clear();
  if (body->found.unresolved > 0 && body->looks < kMostLooks) {
    body->next_look = passes_ + (uint64_t{1} << body->looks);
    incomplete_.push_back(body->range.begin);
  }
}

void HookEraser::LookAgain() {
  std::vector<uint64_t> due;
  const auto is_due = [&](uint64_t begin) {
    const auto body = bodies_.find(begin);
    if (body == bodies_.end()) return true;  // forgotten
    if (body->second.next_look > passes_) return false;
    due.push_back(begin);
    return true;
  };
  incomplete_.erase(std::remove_if(incomplete_.begin(), incomplete_.end(), is_due),
                    incomplete_.end());
  for (const uint64_t begin : due) Look(&bodies_[begin]);
}

void HookEraser::LookAtClosing(const OpenFunctions& open) {
  const auto is_done = [&](uint64_t function) {
    Function& closing = functions_[function];
    closing.looks = open.MayBeOpen(function) ? kLooksAtOpenCalls : closing.looks - 1;
    if (closing.looks > 0 && !closing.wanted) return false;
    closing.looks = 0;
    for (const uint64_t address : closing.sites) {
      if (sites_[address].hook.is_exit) pending_[sites_[address].module].push_back(address);
    }
    return true;
  };
  closing_.erase(std::remove_if(closing_.begin(), closing_.end(), is_done), closing_.end());
}

void HookEraser::Apply(const OpenFunctions& open) {
  ++passes_;
  LookAgain();
  LookAtClosing(open);
  for (auto& [module, addresses] : pending_) Change(*module, &addresses);
  pending_.clear();
}

void HookEraser::Change(const Module& module, std::vector<uint64_t>* addresses) {
  std::sort(addresses->begin(), addresses->end());
  addresses->erase(std::unique(addresses->begin(), addresses->end()), addresses->end());
  std::vector<CodeChange> changes;
  for (const uint64_t address : *addresses) {
    const Site& site = sites_[address];
    const bool erase = MayErase(site.hook);
    if (erase == site.erased || (erase && site.failed)) continue;
    changes.push_back({address, erase ? site.hook.original : site.hook.erased,
                       erase ? site.hook.erased : site.hook.original});
  }
  if (changes.empty()) return;
  const int protection = BinaryOf(module).ProtectionOfCode(changes.front().address);
  const bool writable = ChangeCode(&changes, protection);
  for (const CodeChange& change : changes) {
    Site& site = sites_[change.address];
    if (change.made) {
      site.erased = !site.erased;
    } else if (!site.failed) {
      site.failed = true;
      ++(writable ? totals_.changed : totals_.not_writable);
    }
  }
}

void HookEraser::RestoreAll() {
  for (auto& [address, function] : functions_) function.wanted = true;
  for (const auto& [address, site] : sites_) {
    if (site.erased) pending_[site.module].push_back(address);
  }
  Apply();
}

void HookEraser::Forget(const Module& module) {
  pending_.erase(&module);
  binaries_.erase(&module);
  std::erase_if(sites_, [&](const auto& site) { return site.second.module == &module; });
  std::erase_if(bodies_, [&](const auto& body) { return body.second.module == &module; });
  const auto is_gone = [&](uint64_t function) {
    return function - module.start < module.end - module.start;
  };
  std::erase_if(functions_, [&](const auto& function) { return is_gone(function.first); });
  std::erase_if(closing_, is_gone);
}

ErasedHooks HookEraser::counts() const {
  ErasedHooks counts = totals_;
  for (const auto& [address, function] : functions_) {
    uint64_t erased = 0;
    for (const uint64_t site : function.sites) {
      const auto found = sites_.find(site);
      if (found != sites_.end() && found->second.erased) ++erased;
    }
    counts.erased += erased;
    counts.functions += erased > 0 ? 1 : 0;
  }
  for (const auto& [address, body] : bodies_) {
    counts.unknown_function += body.found.unknown_function;
    counts.unknown_form += body.found.unknown_form;
  }
  return counts;
}

}  // namespace autotrace
