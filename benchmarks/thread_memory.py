#!/usr/bin/env python3
"""Measures the memory of a program with many short-lived threads: not linked to the runtime, linked
and off, and recording.

usage: thread_memory.py BUILD_DIR [--threads N] [--runs N] [--compiler CXX]

Builds many_threads.cc and runs it with all threads in turn (eight at a time) and with all of them
alive at once. Prints medians of N runs: the peak of the program's resident memory (the ring in
/dev/shm included), what it still has four seconds after the threads ended, both in MiB, the
difference to the program that is not linked, a thread's share in that, and how many spans were
recorded and dropped.
"""

import argparse
import pathlib
import re
import shlex
import shutil
import statistics
import sys
import tempfile

from side_by_side import run


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('build_dir', type=pathlib.Path)
    parser.add_argument('--threads', type=int, default=2000)
    parser.add_argument('--runs', type=int, default=10)
    parser.add_argument('--compiler', default='g++-12')
    options = parser.parse_args()
    runtime = (options.build_dir / 'runtime' / 'libautotrace-cpp.so').resolve()
    autotracer = (options.build_dir / 'cli' / 'autotracer').resolve()
    source = pathlib.Path(__file__).resolve().parent / 'many_threads.cc'

    with tempfile.TemporaryDirectory() as folder:
        data = pathlib.Path(folder) / 'autotrace.data'
        flags, _ = run([str(autotracer), 'flags', '--compiler', options.compiler], folder)
        build = [options.compiler, '-O2', '-pthread', *shlex.split(flags), str(source)]
        run(build + ['-o', 'unlinked'], folder)
        run(build + ['-o', 'linked', '-Wl,--push-state,--no-as-needed', str(runtime),
                     '-Wl,--pop-state', f'-Wl,-rpath,{runtime.parent}'], folder)
        variants = {'not linked': ('unlinked', {}), 'linked, off': ('linked', {}),
                    'recording': ('linked', {'AUTOTRACE_MODULES': 'app'})}
        print(f'{options.threads:,} threads, median of {options.runs} runs, MiB')
        for how in ('in-turn', 'at-once'):
            print(f'{how:16}{"peak":>8}{"more":>8}{"after":>8}{"more":>8}{"KiB/thread":>12}  spans')
            samples = {name: [] for name in variants}
            spans = {}
            for _ in range(options.runs):
                for name, (program, environment) in variants.items():
                    shutil.rmtree(data, ignore_errors=True)
                    out, _ = run(['./' + program, str(options.threads), how], folder, **environment)
                    samples[name].append([int(kib) for kib in out.split()])
                    for summary in data.glob('*/*.summary'):
                        spans.setdefault(name, []).append(
                            re.match(r'(.*?) of .*?, (\w+ dropped)', summary.read_text()).groups())
            medians = {name: [statistics.median(column) / 1024 for column in zip(*values)]
                       for name, values in samples.items()}
            base = medians['not linked']
            for name, (peak, after) in medians.items():
                share = (peak - base[0]) * 1024 / options.threads
                print(f'{name:16}{peak:8.1f}{peak - base[0]:8.1f}{after:8.1f}{after - base[1]:8.1f}'
                      f'{share:12.1f}  {", ".join(sorted(set(sum(spans.get(name, []), ()))))}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
