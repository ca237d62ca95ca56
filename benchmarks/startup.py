#!/usr/bin/env python3
"""Measures what start-up and exit cost: the same small program without the runtime, linked to it and
off, and recording.

usage: startup.py BUILD_DIR [--runs N] [--compiler CC]

Runs the three in turn N times and prints medians in milliseconds and the difference to the first.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

PROGRAM = 'int leaf(int x) { return x + 1; }\nint main(void) { return leaf(-1); }\n'


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('build_dir', type=pathlib.Path)
    parser.add_argument('--runs', type=int, default=50)
    parser.add_argument('--compiler', default='gcc-12')
    options = parser.parse_args()
    library = (options.build_dir / 'runtime').resolve()

    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / 'small.c'
        source.write_text(PROGRAM)
        build = [options.compiler, '-O2', '-finstrument-functions', str(source), '-o']
        subprocess.run(build + [f'{folder}/unlinked'], check=True)
        subprocess.run(build + [f'{folder}/linked', f'-L{library}', '-Wl,--no-as-needed',
                                '-lautotrace-cpp', f'-Wl,-rpath,{library}'], check=True)
        plain = {name: value for name, value in os.environ.items()
                 if not name.startswith(('AUTOTRACE_', 'OTEL_'))}
        variants = {
            'without the runtime': ([f'{folder}/unlinked'], plain),
            'linked, off': ([f'{folder}/linked'], plain),
            'linked, recording': ([f'{folder}/linked'], {**plain, 'AUTOTRACE_MODULES': 'leaf'}),
        }
        times = {name: [] for name in variants}
        for _ in range(options.runs):
            for name, (command, environment) in variants.items():
                start = time.perf_counter()
                subprocess.run(command, cwd=folder, env=environment, check=True)
                times[name].append((time.perf_counter() - start) * 1e3)
        base = statistics.median(times['without the runtime'])
        for name, values in times.items():
            median = statistics.median(values)
            print(f'{name:20}{median:8.2f} ms{median - base:+8.2f} ms')


if __name__ == '__main__':
    main()
