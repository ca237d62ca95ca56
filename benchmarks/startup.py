#!/usr/bin/env python3
"""Measures what start-up and exit cost: programs without the runtime, linked to it and off, and
recording; a small one, and one of 300,000 functions that calls a thousand of them.

usage: startup.py BUILD_DIR [--runs N] [--functions N]

Runs all in turn N times and prints medians and what they are more than without the runtime.
"""

import argparse
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

import many_functions
import markdown
from measured_run import run_measured

HERE = pathlib.Path(__file__).resolve().parent
SMALL = 'int leaf(int x) { return x + 1; }\nint main(void) { return leaf(-1); }\n'
VARIANTS = ('without the runtime', 'off', 'recording')
# Variant, most milliseconds and MiB more than without the runtime; None: no bound.
GOALS = {
    ('small', 'off'): (1, None),
    ('small', 'recording'): (15, None),
    ('large', 'recording'): (60, 30),
}


class Startup:
    """A section of the report."""

    def __init__(self, runtime, folder, runs, functions):
        self.runtime = runtime
        self.folder = folder / 'startup'
        self.runs = runs
        self.functions = functions

    def measure(self, say):
        """By program and variant: milliseconds of wall clock and processor, and KiB, of each run."""
        self.folder.mkdir(parents=True)
        timer = self.folder / 'time_process'
        subprocess.run(['gcc-12', '-O2', str(HERE / 'time_process.c'), '-o', str(timer)], check=True)
        say('start-up: building')
        programs = {'small': self._small(), 'large': self._large()}
        results = {program: {variant: [] for variant in VARIANTS} for program in programs}
        for run in range(self.runs):
            say(f'start-up, run {run + 1} of {self.runs}')
            for program, (unlinked, linked) in programs.items():
                for variant in VARIANTS:
                    command = unlinked if variant == VARIANTS[0] else linked
                    settings = {'AUTOTRACE_MODULES': '*'} if variant == 'recording' else {}
                    finished = run_measured([str(timer), str(command)], self.folder, **settings)
                    results[program][variant].append(json.loads(finished.stdout))
                shutil.rmtree(self.folder / 'autotrace.data', ignore_errors=True)
        return {'functions': self.functions, 'programs': results}

    def _small(self):
        source = self.folder / 'small.c'
        source.write_text(SMALL)
        return self._link('small', ['-finstrument-functions', str(source)])

    def _large(self):
        folder = self.folder / 'large'
        many_functions.build(folder, self.functions)
        return self._link('large', [str(folder / 'main.c'), *map(str, folder.glob('*.o'))])

    def _link(self, name, inputs):
        """The program without the runtime, and with it."""
        unlinked, linked = self.folder / f'{name}.unlinked', self.folder / f'{name}.linked'
        library = self.runtime.parent
        build = ['gcc-12', '-O2', *inputs, '-o']
        subprocess.run([*build, str(unlinked)], check=True)
        subprocess.run([*build, str(linked), f'-L{library}', '-Wl,--no-as-needed', '-lautotrace-cpp',
                        f'-Wl,-rpath,{library}'], check=True)
        return unlinked, linked


def render(results):
    titles = {'small': 'a small program',
              'large': f'a program of {results["functions"]:,} functions, 1,000 of them called'}
    lines = []
    for program, variants in results['programs'].items():
        base = variants[VARIANTS[0]]
        for variant, runs in variants.items():
            more = [more_than(base, runs, key) for key in ('wall_ms', 'cpu_ms', 'peak_kib')]
            lines.append([
                f'{titles[program]}, {variant}',
                markdown.median_and_spread([run['wall_ms'] for run in runs]),
                *([''] * 4 if runs is base else
                  [f'{more[0]:+.2f}', f'{more[1]:+.2f}', f'{more[2] / 1024:+.1f}',
                   met(GOALS.get((program, variant)), more[0], more[2] / 1024)]),
            ])
    return ('#### Start-up and exit\n\n'
            + markdown.table(['', 'ms', 'more', 'processor, more', 'peak MiB, more', 'goal, met'],
                             lines))


def more_than(base, runs, key):
    return (statistics.median(run[key] for run in runs)
            - statistics.median(run[key] for run in base))


def met(goal, milliseconds, mebibytes):
    if goal is None:
        return ''
    most_milliseconds, most_mebibytes = goal
    text = f'at most {most_milliseconds} ms'
    holds = milliseconds <= most_milliseconds
    if most_mebibytes is not None:
        text += f', {most_mebibytes} MiB'
        holds = holds and mebibytes <= most_mebibytes
    return f'{text}: {"yes" if holds else "no"}'


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('build_dir', type=pathlib.Path)
    parser.add_argument('--runs', type=int, default=30)
    parser.add_argument('--functions', type=int, default=300_000)
    options = parser.parse_args()
    runtime = (options.build_dir / 'runtime' / 'libautotrace-cpp.so').resolve()
    with tempfile.TemporaryDirectory() as folder:
        section = Startup(runtime, pathlib.Path(folder), options.runs, options.functions)
        print(render(section.measure(lambda _: None)))
    return 0


if __name__ == '__main__':
    sys.exit(main())
