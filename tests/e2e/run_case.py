#!/usr/bin/env python3
"""Runs end-to-end cases.

    run_case.py --list                         names of all cases
    run_case.py --list --one-level             of those at one level of optimization for each compiler
    run_case.py --paths paths.json NAME...     runs these; a part of a name will do
    run_case.py --paths paths.json             runs all
    run_case.py --trees --paths paths.json a_generator a_coroutine   prints their trees, too

paths.json says where the things under test are; CMake writes it to BUILD/tests/e2e/paths.json.
Exit status: 0 all passed, 1 some failed, 77 all that were asked for cannot run on this machine.
"""

import argparse
import importlib
import pathlib
import sys
import traceback

import harness

sys.setrecursionlimit(100_000)  # a case's tree is deep on purpose

SKIPPED_STATUS = 77


def load_cases():
    for file in sorted(pathlib.Path(__file__).parent.glob("cases_*.py")):
        importlib.import_module(file.stem)


def at_one_level(names):
    """Of each case and compiler the build with -O2, or else its first one."""
    chosen = {}
    for name in names:
        case, build = name.rsplit(".", 1)
        family = build.split("-")[0]
        if build == family + "-O2" or (case, family) not in chosen:
            chosen[case, family] = name
    return list(chosen.values())


def select(wanted):
    """The cases that are named so, or else whose names hold the text."""
    exact = {text for text in wanted if text in harness.CASES}
    parts = set(wanted) - exact
    return [name for name in harness.CASES
            if name in exact or any(part in name for part in parts)]


def main():
    parser = argparse.ArgumentParser(description="Runs end-to-end cases.")
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--list", action="store_true", help="print the names of all cases")
    parser.add_argument("--one-level", action="store_true", help="with --list: not every build")
    parser.add_argument("--paths", help="the paths.json that CMake wrote")
    parser.add_argument("--trees", action="store_true", help="print the trees that are compared")
    options = parser.parse_args()

    load_cases()
    if options.list:
        print("\n".join(at_one_level(harness.CASES) if options.one_level else harness.CASES))
        return 0
    if options.paths is None:
        parser.error("--paths is needed to run cases")
    names = select(options.names or [""])
    if not names:
        parser.error(f"no case is named like {options.names}")

    harness.show_trees = options.trees
    paths = harness.Paths.load(options.paths)
    failed = skipped = 0
    for name in names:
        try:
            harness.run_case(name, paths)
            print(f"passed  {name}")
        except harness.Skip as reason:
            print(f"skipped {name}: {reason}")
            skipped += 1
        except Exception:  # pylint: disable=broad-except
            print(f"FAILED  {name}")
            traceback.print_exc(file=sys.stdout)
            failed += 1
    if failed:
        return 1
    return SKIPPED_STATUS if skipped == len(names) else 0


if __name__ == "__main__":
    sys.exit(main())
