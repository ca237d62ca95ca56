#!/usr/bin/env python3
"""Measures packed runs: bytes a span, and what packing and reading take, for the sample and for a real
program, nlohmann-json (programs.py).

usage: pack.py BUILD_DIR [--rounds N] [--levels N[,N]...]

BUILD_DIR has the samples in it, as that of the preset `release` has. Times are processor time, the
median of the rounds, for a million spans.
"""

import argparse
import pathlib
import re
import shlex
import shutil
import statistics
import sys
import tempfile

import markdown
from measured_run import run_measured
from programs import CXX_COMPILERS, programs
from tracers import Tools

MOST_BYTES_PER_SPAN = 6
RUNS = 'runs'


def sample(build, folder):
    program = build / 'samples' / 'pipeline' / 'pipeline_sample'
    return 'the sample', [str(program)], 'pipeline_app', folder


def real_program(build, tools, folder):
    program = programs(build)[0]
    flags = run_measured([str(tools.autotracer), 'flags', '--compiler', CXX_COMPILERS['gcc']],
                         folder).stdout
    program.compile('hooked', folder, shlex.split(flags))
    return program.title, [program.path('hooked'), '1'], program.modules, folder


class PackedRuns:
    def __init__(self, build, rounds, levels):
        self.build = build
        self.tools = Tools(build / 'runtime' / 'libautotrace-cpp.so', build / 'cli' / 'autotracer')
        self.rounds = rounds
        self.levels = levels

    def rows(self, folder):
        for title, command, modules, where in (sample(self.build, folder),
                                               real_program(self.build, self.tools, folder)):
            run_measured(command, where, AUTOTRACE_MODULES=modules, AUTOTRACE_DIR=str(folder / RUNS),
                         AUTOTRACE_MAX_DISK='16GiB', LD_PRELOAD=str(self.tools.runtime))
            yield from self._measure(title, folder)
            shutil.rmtree(folder / RUNS)

    def _measure(self, title, folder):
        (run,) = (folder / RUNS).iterdir()
        spans, seconds = self._read(folder, run)
        size = sum(file.stat().st_size for file in run.iterdir())
        yield [title, f'{spans:,}', 'folder', f'{size / spans:.2f}', '',
               f'{seconds / spans * 1e6:.2f}']
        for level in self.levels:
            pack = folder / f'level{level}.atpack'
            packing = [self._run(folder, 'pack', run, '--keep', '--level', level, '-o', pack)
                       for _ in range(self.rounds)]
            in_pack, seconds = self._read(folder, pack)
            if in_pack != spans:
                sys.exit(f'{in_pack} spans in the pack, {spans} in the folder')
            yield [title, f'{spans:,}', f'pack, level {level}',
                   f'{pack.stat().st_size / spans:.2f}',
                   f'{statistics.median(run.cpu_seconds for run in packing) / spans * 1e6:.2f}',
                   f'{seconds / spans * 1e6:.2f}']

    def _read(self, folder, run):
        """Spans, and seconds that exporting them took."""
        exports = [self._run(folder, 'export', run, '--to', 'otlp-json', '-o', '/dev/null')
                   for _ in range(self.rounds)]
        spans = re.search(r'([\d,]+) spans written', exports[0].stderr).group(1)
        return int(spans.replace(',', '')), statistics.median(run.cpu_seconds for run in exports)

    def _run(self, folder, *arguments):
        return run_measured([str(self.tools.autotracer), *map(str, arguments)], folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('build_dir', type=pathlib.Path)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--levels', default='1,9,19')
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        packed = PackedRuns(options.build_dir.resolve(), options.rounds,
                            [int(level) for level in options.levels.split(',')])
        rows = list(packed.rows(pathlib.Path(folder)))
    print(markdown.table(['run', 'spans', '', 'bytes a span', 'packing, s a million spans',
                          'exporting as OTLP JSON, s a million spans'], rows))
    usual = [row for row in rows if row[2] != 'folder']
    return 0 if all(float(row[3]) < MOST_BYTES_PER_SPAN for row in usual) else 1


if __name__ == '__main__':
    sys.exit(main())
