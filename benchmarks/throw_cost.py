#!/usr/bin/env python3
"""Measures what tracing adds to a thrown and caught exception, side by side in one run.

usage: throw_cost.py BUILD_DIR [--throws N] [--depth N] [--rounds N] [--compiler CXX]

Builds throw_loop.cc without and with instrumentation and, in each round, times an exception that
passes DEPTH functions: uninstrumented, instrumented and off, recorded, and recorded without the
stack of the throw. Prints nanoseconds per throw and the ratio to the uninstrumented one of the same
round.
"""

import argparse
import os
import pathlib
import shlex
import shutil
import sys
import tempfile

from side_by_side import print_ratios, run

HERE = pathlib.Path(__file__).resolve().parent


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('build_dir', type=pathlib.Path)
    parser.add_argument('--throws', type=int, default=50_000)
    parser.add_argument('--depth', type=int, default=5)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--compiler', default='g++-12')
    options = parser.parse_args()
    runtime = (options.build_dir / 'runtime' / 'libautotrace-cpp.so').resolve()
    autotracer = (options.build_dir / 'cli' / 'autotracer').resolve()

    with tempfile.TemporaryDirectory() as folder:
        build = [options.compiler, '-O2', str(HERE / 'throw_loop.cc')]
        run(build + ['-o', 'plain'], folder)
        flags, _ = run([str(autotracer), 'flags', '--compiler', options.compiler], folder)
        run(build + shlex.split(flags) + ['-o', 'traced', '-Wl,--push-state,--no-as-needed', str(runtime),
                             '-Wl,--pop-state', f'-Wl,-rpath,{runtime.parent}'], folder)
        arguments = [str(options.throws), str(options.depth)]
        recording = {'AUTOTRACE_MODULES': 'app', 'AUTOTRACE_MAX_DISK': '16GiB'}
        variants = {
            'uninstrumented': lambda: run(['./plain', *arguments], folder),
            'off': lambda: run(['./traced', *arguments], folder),
            'recorded': lambda: run(['./traced', *arguments], folder, **recording),
            'without stacks': lambda: run(['./traced', *arguments], folder, **recording,
                                          AUTOTRACE_EXCEPTION_STACKTRACE='false'),
        }
        nanos = {name: [] for name in variants}
        for _ in range(options.rounds):
            for name, measure in variants.items():
                shutil.rmtree(pathlib.Path(folder) / 'autotrace.data', ignore_errors=True)
                nanos[name].append(float(measure()[0]))
        print(f'{options.compiler}, {os.cpu_count()} cores, {options.rounds} rounds of '
              f'{options.throws:,} exceptions through {options.depth} functions')
        print_ratios(nanos, 'uninstrumented', 'ns/throw', digits=(0, 2))
    return 0


if __name__ == '__main__':
    sys.exit(main())
