#!/usr/bin/env python3
"""Measures what start-up and exit cost: programs without the runtime, linked to it and off,
recording, and with it while nothing matches, so that all hooks are erased, or may not be. A small
program, and one of 300,000 functions that calls a thousand of them, or 20,000.

usage: startup.py BUILD_DIR [--runs N] [--functions N] [--only PROGRAM,...]

Runs all in turn N times and prints medians and what they are more than without the runtime; the
worst is that of one turn. PROGRAM is small, large or called (the one with 20,000 calls).
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
UNLINKED = 'without the runtime'
NOTHING = {'AUTOTRACE_MODULES': 'no_such_namespace'}
# What is set in the environment.
VARIANTS = {
    UNLINKED: {},
    'off': {},
    'recording': {'AUTOTRACE_MODULES': '*'},
    'recording by name': {'AUTOTRACE_MODULES': 'large_service'},
    'nothing matches': NOTHING,
    'nothing matches, hooks stay': {**NOTHING, 'AUTOTRACE_PATCH': 'off'},
}
OF_SMALL = (UNLINKED, 'off', 'recording')
# Variant, most milliseconds and MiB more than without the runtime; None: no bound.
GOALS = {
    ('small', 'off'): (1, None),
    ('small', 'recording'): (15, None),
    ('large', 'recording'): (60, 30),
}
CALLED = {'large': 1000, 'called': 20_000}


class Startup:
    """A section of the report."""

    def __init__(self, runtime, folder, runs, functions, only=('small', 'large', 'called')):
        self.runtime = runtime
        self.folder = folder / 'startup'
        self.runs = runs
        self.functions = functions
        self.only = only
        self.timer = self.folder / 'time_process'
        self.launches = 0

    def measure(self, say):
        """By program and variant, what time_process tells of each run."""
        self.folder.mkdir(parents=True)
        subprocess.run(['gcc-12', '-O2', str(HERE / 'time_process.c'), '-o', str(self.timer)],
                       check=True)
        say('start-up: building')
        programs = {name: self._build(name) for name in self.only}
        results = {program: {variant: [] for variant in variants_of(program)}
                   for program in programs}
        for run in range(self.runs):
            say(f'start-up, run {run + 1} of {self.runs}')
            for program, (unlinked, linked) in programs.items():
                for variant, runs in results[program].items():
                    runs.append(self._run(unlinked if variant == UNLINKED else linked, variant))
        shutil.rmtree(self.folder / 'runs', ignore_errors=True)
        return {'functions': self.functions, 'programs': results}

    def _run(self, program, variant):
        # A folder for each, removed at the end: some filesystems are slow for a while where many
        # files were removed.
        measured = {}
        for options in ([], ['--memory']):
            self.launches += 1
            finished = run_measured([str(self.timer), *options, str(program)], self.folder,
                                    AUTOTRACE_DIR=str(self.folder / 'runs' / str(self.launches)),
                                    **VARIANTS[variant])
            measured |= json.loads(finished.stdout)
        return measured

    def _build(self, name):
        return self._small() if name == 'small' else self._large(name)

    def _small(self):
        source = self.folder / 'small.c'
        source.write_text(SMALL)
        return self._link('small', ['-finstrument-functions', str(source)])

    def _large(self, name):
        folder = self.folder / f'{name}.objects'
        many_functions.build(folder, self.functions, CALLED[name])
        built = self._link(name, [str(folder / 'main.c'), *map(str, folder.glob('*.o'))])
        shutil.rmtree(folder)
        return built

    def _link(self, name, inputs):
        """The program without the runtime, and with it."""
        unlinked, linked = self.folder / f'{name}.unlinked', self.folder / f'{name}.linked'
        library = self.runtime.parent
        build = ['gcc-12', '-O2', *inputs, '-o']
        subprocess.run([*build, str(unlinked)], check=True)
        subprocess.run([*build, str(linked), f'-L{library}', '-Wl,--no-as-needed', '-lautotrace-cpp',
                        f'-Wl,-rpath,{library}'], check=True)
        return unlinked, linked


def variants_of(program):
    return OF_SMALL if program == 'small' else VARIANTS


def render(results):
    titles = {'small': 'a small program'}
    for program, called in CALLED.items():
        titles[program] = (f'a program of {results["functions"]:,} functions, {called:,} of them '
                           'called')
    lines = []
    for program, variants in results['programs'].items():
        base = variants[UNLINKED]
        for variant, runs in variants.items():
            wall, cpu, faults, *memory = [
                more_than(base, runs, key)
                for key in ('wall_ms', 'cpu_ms', 'page_faults', 'peak_kib', 'private_kib',
                            'shared_kib')]
            peak, private, shared = [kib / 1024 for kib in memory]
            worst = max(run['wall_ms'] - other['wall_ms'] for run, other in zip(runs, base))
            lines.append([
                f'{titles[program]}, {variant}',
                markdown.median_and_spread([run['wall_ms'] for run in runs]),
                *([''] * 7 if runs is base else
                  [f'{wall:+.2f}', f'{worst:+.2f}', f'{cpu:+.2f}', f'{faults:+,.0f}',
                   f'{peak:+.1f}', f'{private:+.1f} and {shared:+.1f}',
                   met(GOALS.get((program, variant)), wall, peak)]),
            ])
    return ('#### Start-up and exit\n\n'
            + markdown.table(['', 'ms', 'more', 'worst, more', 'processor, more',
                              'page faults, more', 'peak MiB, more',
                              'private and shared MiB at the end, more', 'goal, met'], lines))


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
    parser.add_argument('--runs', type=int, default=10)
    parser.add_argument('--functions', type=int, default=300_000)
    parser.add_argument('--only', default='small,large,called')
    options = parser.parse_args()
    runtime = (options.build_dir / 'runtime' / 'libautotrace-cpp.so').resolve()
    with tempfile.TemporaryDirectory() as folder:
        section = Startup(runtime, pathlib.Path(folder), options.runs, options.functions,
                          options.only.split(','))
        print(render(section.measure(lambda _: None)))
    return 0


if __name__ == '__main__':
    sys.exit(main())
