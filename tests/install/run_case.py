"""Runs one case of cases.py, or installs what the cases use.

    run_case.py --list
    run_case.py --paths paths.json --install
    run_case.py --paths paths.json package.gcc.bfd
"""

import argparse
import json
import pathlib
import shutil

import cases


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--install", action="store_true")
    parser.add_argument("--paths")
    parser.add_argument("case", nargs="?")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(cases.CASES))
        return
    paths = json.loads(pathlib.Path(arguments.paths).read_text())
    name = "prefix" if arguments.install else arguments.case
    folder = pathlib.Path(paths["work"]) / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if arguments.install:
        cases.install(cases.Context(paths, folder))
    else:
        cases.CASES[name](cases.Context(paths, folder))


main()
