#!/usr/bin/env python3
"""Compares traces of real programs with what valgrind's callgrind counts; prints a table.

    run_oracle.py --list                        names of all comparisons
    run_oracle.py --paths paths.json NAME...    makes these; a part of a name will do
    run_oracle.py --paths paths.json --table    makes all, and prints a line per program

paths.json says where the things under test are; CMake writes it to BUILD/tests/oracle/paths.json.
docs/guarantees.md says what is compared. Exit status: 0 no differences, 1 some.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import sys
import tempfile
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
import harness
import oracle
import programs

DIFFERENCES_SHOWN = 20
CASES = {f"{program.name}.{build}": (program, build)
         for program in programs.ALL for build in program.builds}
COLUMNS = ("program", "functions", "calls", "pairs", "call sites", "differences")
# One that must find differences: the function that is excluded leaves no spans.
SELF_CHECK = "a_missing_function_is_found"


def compare(name, paths, valgrind, tracing=None):
    """The result, or the text of what went wrong."""
    program, build = CASES[name]
    with tempfile.TemporaryDirectory(prefix="autotrace-oracle-") as directory:
        try:
            directory = os.path.realpath(directory)
            return oracle.Oracle(paths, valgrind, program, build, directory, tracing).compare()
        except Exception:
            return f"{name}: {traceback.format_exc()}"


def check_itself(paths, valgrind):
    """True if a function that leaves no spans is what the oracle finds, and all that it finds."""
    result = compare("stb.gcc-O0", paths, valgrind, {"AUTOTRACE_EXCLUDE": "stbds_hash_string"})
    if isinstance(result, str):
        print(result)
        return False
    found = {done.what: done.differences for done in result.comparisons}
    missing = "stbds_hash_string: callgrind 601, trace 0"
    expected = found["calls"] == [f"calls: {missing}"] and found["hooks"] == [f"hooks: {missing}"]
    # It has two callers and calls nothing.
    expected = expected and len(found["pairs"]) == len(found["call sites"]) == 2
    if not expected:
        print("\n".join(result.differences))
    return expected


def cells(name, results):
    """A row of the table: what the results of one or several builds have in common."""

    def total(number):
        return f"{sum(map(number, results)):,}"

    def of(what, number):
        return total(lambda result: number(result.of(what)) if result.of(what) else 0)

    return (name, total(lambda result: result.functions),
            of("calls", lambda done: done.events), of("pairs", lambda done: done.compared),
            of("call sites", lambda done: done.compared),
            total(lambda result: len(result.differences)))


def print_table(results, by_program):
    groups = {}
    for result in results:
        name = result.name
        if by_program:
            name = name.partition(".")[0]
        groups.setdefault(name, []).append(result)
    rows = [COLUMNS, *(cells(name, group) for name, group in groups.items())]
    if len(groups) > 1:
        rows.append(cells("all", results))
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        print(row[0].ljust(widths[0]),
              *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:])), sep="  ")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--list", action="store_true", help="print the names of all comparisons")
    parser.add_argument("--table", action="store_true",
                        help="one line per program, whatever its builds")
    parser.add_argument("--paths", help="the paths.json that CMake wrote")
    options = parser.parse_args()
    if options.list:
        print("\n".join([*CASES, SELF_CHECK]))
        return 0
    if options.paths is None:
        parser.error("--paths is needed to compare")
    settings = json.loads(pathlib.Path(options.paths).read_text())
    valgrind = settings.pop("valgrind")
    paths = harness.Paths(**settings)
    if options.names == [SELF_CHECK]:
        return 0 if check_itself(paths, valgrind) else 1

    names = [name for name in CASES if any(part in name for part in options.names or [""])]
    if not names:
        parser.error(f"nothing is named so: {' '.join(options.names)}")
    results = []
    failures = []
    # The work is done by other processes: compilers, valgrind; reading what they left is ours.
    with concurrent.futures.ProcessPoolExecutor(os.cpu_count()) as pool:
        for result in pool.map(compare, names, [paths] * len(names), [valgrind] * len(names)):
            (failures if isinstance(result, str) else results).append(result)
    for result in results:
        failures += result.differences[:DIFFERENCES_SHOWN]
    print_table(results, options.table)
    for failure in failures:
        print(failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
