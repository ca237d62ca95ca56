// Rings that killed programs left and that nobody will read any more: their run's folder was
// deleted. They would hold memory until the machine restarts.
#ifndef AUTOTRACE_RUNTIME_ORPHANED_RINGS_H_
#define AUTOTRACE_RUNTIME_ORPHANED_RINGS_H_

#include <string>

#include "runtime/fork_gate.h"
#include "runtime/ring.h"

namespace autotrace {

// Are there rings of this user, other than `own`, whose process is not to be seen? A quick look.
bool MayHaveOrphanedRings(const std::string& own, const std::string& folder = kRingFolder);

// Removes those of them that gave no sign of life for a minute, were made on this machine, and
// ended in an orderly way or belong to a run whose folder is gone. What cannot be read stays. Goes
// through the gate for each.
void RemoveOrphanedRings(const std::string& own, ForkGate* gate,
                         const std::string& folder = kRingFolder);

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_ORPHANED_RINGS_H_
