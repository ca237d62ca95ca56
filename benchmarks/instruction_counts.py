#!/usr/bin/env python3
"""Counts the instructions that a call costs the thread that makes it: repeatable, unlike time.

usage: instruction_counts.py BUILD_DIR [--compiler CC] [--check] [--write]

Runs a workload under valgrind's callgrind twice for each kind of call, with different numbers of
calls, and divides the difference; only what the calls do is counted. The workload is leaf_loop.c,
where calls have many siblings, and deep_tree.c, where each has none. Prints a table. With --check,
compares with instruction_counts.json and ends with 1 when a count has grown by more than 3%; with
--write, writes that file.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

from side_by_side import run

HERE = pathlib.Path(__file__).resolve().parent
COMMITTED = HERE / 'instruction_counts.json'
ALLOWED_GROWTH = 0.03
# Far apart, so that what start and end cost, which is not the same each time, does not show.
CALLS = (100_000, 600_000)


@dataclasses.dataclass(frozen=True)
class Variant:
    """A kind of call: how it is made."""
    environment: dict
    workload: str = 'leaf_loop'


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('build_dir', type=pathlib.Path)
    parser.add_argument('--compiler', default='gcc-12')
    parser.add_argument('--check', action='store_true')
    parser.add_argument('--write', action='store_true')
    options = parser.parse_args()
    runtime = (options.build_dir / 'runtime' / 'libautotrace-cpp.so').resolve()

    with tempfile.TemporaryDirectory() as folder:
        for workload in ('leaf_loop', 'deep_tree'):
            run([options.compiler, '-O2', '-finstrument-functions', str(HERE / f'{workload}.c'),
                 '-lpthread', '-o', workload], folder)
        run([options.compiler, '-O2', '-shared', '-fPIC', str(HERE / 'floor_hooks.c'), '-o',
             'floor.so'], folder)
        counts = {name: count(folder, variant) for name, variant in variants(runtime).items()}

    committed = json.loads(COMMITTED.read_text()) if COMMITTED.exists() else {}
    grown = []
    print(f'{"instructions per call":24}{"now":>8}{"committed":>11}')
    for name, value in counts.items():
        before = committed.get(name)
        print(f'{name:24}{value:8.1f}' + (f'{before:11.1f}' if before is not None else ''))
        if before is None or value > before * (1 + ALLOWED_GROWTH):
            grown.append(name)
    if options.write:
        COMMITTED.write_text(json.dumps(counts, indent=2) + '\n')
    if options.check and grown:
        print(f'more than {ALLOWED_GROWTH:.0%} over {COMMITTED.name}: {", ".join(grown)}; if that is '
              'worth it, run with --write and say why in the commit', file=sys.stderr)
        return 1
    return 0


def variants(runtime):
    # A ring for all of it, and nobody who empties it: valgrind runs one thread at a time, and lets
    # the background thread have its turn as it likes.
    recording = {'LD_PRELOAD': str(runtime), 'AUTOTRACE_MODULES': '*', 'AUTOTRACE_SUMMARY': '0',
                 'AUTOTRACE_THREAD': '0', 'AUTOTRACE_RING_SIZE': '64MiB'}
    return {
        'empty hooks': Variant({}),
        'floor': Variant({'LD_PRELOAD': './floor.so'}),
        'off': Variant({'LD_PRELOAD': str(runtime)}),
        'recorded': Variant(recording),
        'recorded, only child': Variant(recording, 'deep_tree'),
        'too short': Variant({**recording, 'AUTOTRACE_MIN_DURATION': '100s'}),
        'not wanted': Variant({**recording, 'AUTOTRACE_MODULES': 'main'}),
    }


def count(folder, variant):
    """Instructions per call, rounded to a tenth."""
    few, many = (instructions_of_main_thread(folder, calls, variant) for calls in CALLS)
    return round((many - few) / (CALLS[1] - CALLS[0]), 1)


def instructions_of_main_thread(folder, calls, variant):
    settings = {name: value for name, value in os.environ.items()
                if not name.startswith(('AUTOTRACE_', 'OTEL_', 'LD_'))}
    # Through env(1), so that only the program gets the library, and not valgrind.
    words = [f'{name}={value}' for name, value in variant.environment.items()]
    for old in pathlib.Path(folder).glob('counts.*'):
        old.unlink()
    subprocess.run(['valgrind', '-q', '--trace-children=yes', '--tool=callgrind',
                    '--separate-threads=yes', '--toggle-collect=loop*',
                    '--callgrind-out-file=counts.%p',
                    'env', *words, f'./{variant.workload}', str(calls)],
                   cwd=folder, env=settings, check=True, capture_output=True)
    (main_thread,) = pathlib.Path(folder).glob('counts.*-01')
    return int(re.search(r'^totals: (\d+)', main_thread.read_text(), re.MULTILINE).group(1))


if __name__ == '__main__':
    sys.exit(main())
