"""Runs a program under valgrind's callgrind and reads what it counted."""

import collections
import dataclasses
import os
import subprocess

TIMEOUT_SECONDS = 120


@dataclasses.dataclass
class Profile:
    """Calls as callgrind saw them. A place is (path of the object, address in it)."""

    # (place of the call instruction, place of what it called) -> how often. Where functions were
    # skipped: the instruction of the innermost function on the stack that was not.
    calls: collections.Counter
    names: dict  # place of a called function -> its linker name
    all_names: set  # of everything that ran


def run(valgrind, command, output, skipped_names=(), **options):
    """The profile, and what the program printed.

    skipped_names: functions that callgrind is to see through: what they call counts as called by
    whoever called them.
    """
    valgrind_command = [
        valgrind, "--tool=callgrind", "--quiet", f"--callgrind-out-file={output}",
        # It has something to say about debug information that it does not need.
        f"--log-file={output}.log",
        "--demangle=no", "--dump-instr=yes", "--dump-line=no", "--compress-pos=no",
        # A function calling itself is a call like others, and has one name.
        "--separate-recs=1", "--skip-direct-rec=no",
        # Threads take turns: the runtime's own must get its share.
        "--fair-sched=yes",
        *(f"--fn-skip={name}" for name in skipped_names)]
    process = subprocess.run(valgrind_command + command, capture_output=True, text=True,
                             timeout=TIMEOUT_SECONDS, check=False, **options)
    assert process.returncode == 0 and not process.stderr, process
    return _parse(output), process.stdout


def _parse(path):
    """The format: https://valgrind.org/docs/manual/cl-format.html"""
    calls = collections.Counter()
    names = {}
    all_names = set()
    objects = _Names()
    functions = _Names()
    caller_object = callee_object = callee = called = None
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith("0x"):
                if called is not None:
                    instruction = int(line[:line.index(" ")], 16)
                    calls[((caller_object, instruction), called[0])] += called[1]
                    called = None
            elif line.startswith("calls="):
                count, address = line[len("calls="):].split()[:2]
                place = (callee_object or caller_object, int(address, 16))
                called = (place, int(count))
                names[place] = callee
                callee_object = None
            elif line.startswith("cfn="):
                callee = functions.get(line[len("cfn="):])
                all_names.add(callee)
            elif line.startswith("cob="):
                callee_object = os.path.realpath(objects.get(line[len("cob="):]))
            elif line.startswith("fn="):
                all_names.add(functions.get(line[len("fn="):]))
            elif line.startswith("ob="):
                caller_object = os.path.realpath(objects.get(line[len("ob="):]))
    return Profile(calls, names, all_names)


class _Names:
    """"(7) name" defines number 7, "(7)" refers to it."""

    def __init__(self):
        self._known = {}

    def get(self, text):
        number, _, name = text.rstrip("\n").partition(" ")
        if name:
            self._known[number] = name
        return self._known[number]
