"""Compares what a trace says about calls with what callgrind counted.

All of it is about places, (path of a module, address in it), never about names: overloads, clones
and local functions of equal names are told apart.
"""

import bisect
import collections
import dataclasses
import os
import re

from harness import output_of

# A call of a hook, direct or through a register or the GOT, is so many bytes long.
LONGEST_CALL = 7
# Linker names of thunks, and what callgrind calls functions without a symbol.
STUB_PREFIXES = ("_ZTh", "_ZTv", "_ZTc", "0x")


class Symbols:
    """The functions of the traced modules, by nm."""

    def __init__(self, modules):
        self._entries = {}  # module -> sorted entries
        self._ends = {}  # place of an entry -> end
        self.names = {}
        for module in modules:
            self._read(module)

    def _read(self, module):
        for line in output_of(["nm", "-S", "--defined-only", module]).splitlines():
            words = line.split()
            if len(words) == 4 and words[2] in "tTwWi":
                entry = (module, int(words[0], 16))
                self._ends[entry] = max(self._ends.get(entry, 0), entry[1] + int(words[1], 16))
                self.names[entry] = words[3]
        self._entries[module] = sorted(address for path, address in self._ends if path == module)

    def covers(self, place):
        return place[0] in self._entries

    def is_call(self, place):
        """Is the instruction at this place a call (or a jump)? False in other modules."""
        module, address = place
        if not self.covers(place):
            return False
        text = output_of(["objdump", "-d", "--no-show-raw-insn", f"--start-address={address:#x}",
                          f"--stop-address={address + LONGEST_CALL:#x}", module])
        return re.search(rf"^ *{address:x}:\t(\w+)", text, re.MULTILINE)[1] == "call"

    def function_at(self, place):
        """The place of the entry of the function that this one lies in; None: in none of these."""
        module, address = place
        entries = self._entries.get(module, [])
        index = bisect.bisect_right(entries, address) - 1
        if index < 0:
            return None
        entry = (module, entries[index])
        return entry if address < self._ends[entry] else None


class HookSites:
    """Which instruction announces which functions, and how often: what hook_sites.c noted."""

    def __init__(self, text):
        self._noted = collections.defaultdict(collections.Counter)  # place behind the call -> these
        for line in text.splitlines():
            module, address, function_module, function, count = line.split("\t")
            place = (os.path.realpath(module), int(address, 16))
            announced = (os.path.realpath(function_module), int(function, 16))
            self._noted[place][announced] += int(count)
        self.functions = {function for noted in self._noted.values() for function in noted}
        self.modules = {module for module, _ in self.functions}

    def announced_by(self, call):
        """What a call at this place announces; None: it calls no hook."""
        module, address = call
        for length in range(5, LONGEST_CALL + 1):
            if (module, address + length) in self._noted:
                return self._noted[(module, address + length)]
        return None

    def outside_of_their_functions(self, symbols):
        """Functions that are announced by code of other functions: they were inlined there."""
        return {function for (module, behind), noted in self._noted.items() for function in noted
                if symbols.function_at((module, behind - 1)) != function}


def hook_calls(profile, sites):
    """Function -> how often a hook was called for it.

    Callgrind counts by instruction. Where one announces several functions, what was noted says how
    many of these calls are whose; together they have to be as many as callgrind counted.
    """
    announcing = {call: sites.announced_by(call) for call, _ in profile.calls}
    hooks = {callee for call, callee in profile.calls if announcing[call] is not None}
    assert len(hooks) == 1, f"several functions that would be the hook: {hooks}"
    counts = collections.Counter()
    for (call, callee), count in profile.calls.items():
        if callee not in hooks:
            continue
        noted = announcing[call]
        if noted is not None and len(noted) == 1:
            counts[next(iter(noted))] += count
        elif noted is not None and noted.total() == count:
            counts.update(noted)
        else:
            counts[("hook called at", call, noted)] += count
    return counts


def calls(profile, functions):
    """Function -> how often callgrind saw it called."""
    counts = collections.Counter()
    for (_, callee), count in profile.calls.items():
        if callee in functions:
            counts[callee] += count
    return counts


def recorded_calls(recording):
    return collections.Counter(span.function for span in recording.spans)


def names_of_others(profile, functions):
    """Of what ran and is none of `functions`: what callgrind is to see through."""
    names = {profile.names[place] for place in functions if place in profile.names}
    others = {name for place, name in profile.names.items() if place not in functions}
    assert not names & others, f"two functions of one name, only one traced: {names & others}"
    return sorted(profile.all_names - names)


def pairs(profile, functions, symbols):
    """(caller, callee) -> how often, both of `functions`; callgrind saw through all others."""
    counts = collections.Counter()
    for (call, callee), count in profile.calls.items():
        caller = symbols.function_at(call)
        if callee in functions and caller in functions:
            counts[(caller, callee)] += count
    return counts


def recorded_pairs(recording):
    """The same of spans and their parents on the same thread."""
    by_sequence = {span.sequence: span.function for span in recording.spans}
    return collections.Counter(
        (by_sequence[span.parent], span.function) for span in recording.spans if span.parent)


OUTSIDE = ("", 0)


def call_sites(profile, functions, symbols):
    """(call instruction, callee) -> how often. Calls from other modules are from OUTSIDE.

    What a stub jumps to is called by who called the stub: the thunk of a virtual function, or an
    entry of the section .plt.got, which callgrind does not know (that of .plt, it does).
    """
    behind = {}
    for jump, callee in profile.calls:
        stub = symbols.function_at(jump) or jump
        # Clang's thunks at -O0 are functions like others, and call.
        if profile.names.get(stub, "").startswith(STUB_PREFIXES) and not symbols.is_call(jump):
            assert behind.setdefault(stub, callee) == callee, f"{stub} jumps to several functions"
    counts = collections.Counter()
    for (call, callee), count in profile.calls.items():
        callee = behind.get(callee, callee)
        if callee in functions and (symbols.function_at(call) or call) not in behind:
            counts[(call if symbols.covers(call) else OUTSIDE, callee)] += count
    return counts


def recorded_call_sites(recording, profile, symbols):
    """The same of spans, which know where their calls return to."""
    instructions = sorted({call for call, _ in profile.calls})
    counts = collections.Counter()
    for (return_place, function), count in collections.Counter(
            (span.return_place, span.function) for span in recording.spans).items():
        call = OUTSIDE
        if symbols.covers(return_place):
            call = instructions[bisect.bisect_left(instructions, return_place) - 1]
            if call[0] != return_place[0] or return_place[1] - call[1] > LONGEST_CALL:
                call = ("no call before", return_place)
        counts[(call, function)] += count
    return counts


@dataclasses.dataclass
class Comparison:
    """Of two counts of the same things."""

    what: str
    compared: int = 0  # things that both count
    events: int = 0  # how often they happened
    differences: list = dataclasses.field(default_factory=list)


def compare(what, counted, recorded, describe):
    comparison = Comparison(what, len(counted), sum(counted.values()))
    for thing in counted.keys() | recorded.keys():
        if counted[thing] != recorded[thing]:
            comparison.differences.append(
                f"{what}: {describe(thing)}: callgrind {counted[thing]}, trace {recorded[thing]}")
    return comparison
