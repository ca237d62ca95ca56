#!/usr/bin/env python3
"""Measures a recorded call against the floor, side by side in one run.

usage: floor_ratio.py BUILD_DIR [--calls N] [--rounds N] [--compiler CC]

Builds leaf_loop.c with and without -finstrument-functions and, in each round, times one small
function called N times in one thread: uninstrumented, with empty hooks (glibc's), with the floor's
hooks (floor_hooks.c) and recorded by autotrace. Prints nanoseconds per call, the ratio to the floor
of the same round, and what the recording holds. Ratios are what counts; a spare core is needed for
the background thread. Exits 1 when a span was dropped.
"""

import argparse
import os
import pathlib
import re
import shutil
import sys
import tempfile

from side_by_side import print_ratios, run

HERE = pathlib.Path(__file__).resolve().parent


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('build_dir', type=pathlib.Path)
    parser.add_argument('--calls', type=int, default=30_000_000)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--compiler', default='gcc-12')
    options = parser.parse_args()
    runtime = (options.build_dir / 'runtime' / 'libautotrace-cpp.so').resolve()
    autotracer = (options.build_dir / 'cli' / 'autotracer').resolve()

    with tempfile.TemporaryDirectory() as folder:
        build = [options.compiler, '-O2', str(HERE / 'leaf_loop.c'), '-lpthread', '-o']
        run(build + ['plain'], folder)
        run(build + ['hooked', '-finstrument-functions'], folder)
        run([options.compiler, '-O2', '-shared', '-fPIC', str(HERE / 'floor_hooks.c'), '-o',
             'floor.so'], folder)
        calls = str(options.calls)
        recording = {'LD_PRELOAD': str(runtime), 'AUTOTRACE_MODULES': 'leaf,loop',
                     'AUTOTRACE_MAX_DISK': '16GiB', 'AUTOTRACE_SUMMARY': '1'}
        variants = {
            'uninstrumented': lambda: run(['./plain', calls], folder),
            'empty hooks': lambda: run(['./hooked', calls], folder),
            'floor': lambda: run(['./hooked', calls], folder, LD_PRELOAD='./floor.so'),
            'recorded': lambda: run(['./hooked', calls], folder, **recording),
            'too short': lambda: run(['./hooked', calls], folder,
                                     **{**recording, 'AUTOTRACE_MIN_DURATION': '1s'}),
            'not wanted': lambda: run(['./hooked', calls], folder,
                                      **{**recording, 'AUTOTRACE_MODULES': 'main'}),
        }
        nanos = {name: [] for name in variants}
        lost = False
        for _ in range(options.rounds):
            for name, measure in variants.items():
                shutil.rmtree(pathlib.Path(folder) / 'autotrace.data', ignore_errors=True)
                output, messages = measure()
                nanos[name].append(float(output))
                if name == 'recorded':
                    spans = int(re.search(r'(\d+) spans', messages).group(1))
                    lost |= spans != options.calls + 1 or 'none dropped' not in messages
                    print(f'recorded {spans:,} spans of {options.calls + 1:,} calls;',
                          'none dropped' if 'none dropped' in messages else messages.strip(),
                          flush=True)
        report, _ = run([str(autotracer), '--version'], folder)
        print(f'{report.strip()}, {options.compiler}, {os.cpu_count()} cores,',
              f'{options.rounds} rounds of {options.calls:,} calls')
        print_ratios(nanos, 'floor', 'ns/call', digits=(2, 3))
    return 1 if lost else 0


if __name__ == '__main__':
    sys.exit(main())
