"""Real programs: what tracing does to their time as a whole."""

import dataclasses
import json
import pathlib
import re
import shlex
import statistics
import subprocess

import markdown
from measured_run import CommandFailed, run_measured
from peers import program_peers
from tracers import DoesNotApply, own_tracers
from workloads import BUILDS, C_COMPILERS, HERE, compile_hooks

CXX_COMPILERS = {'gcc': 'g++-12', 'clang': 'clang++-14'}
# What scripts/setup --bench makes of Debian's source package.
SQLITE = pathlib.Path('sqlite')
ISO_CODES = pathlib.Path('/usr/share/iso-codes/json/iso_639-3.json')


@dataclasses.dataclass(frozen=True)
class Program:
    """Like workloads.Workload, for the C++ files in programs/."""
    name: str
    title: str
    modules: str
    includes: tuple = ()
    c_sources: tuple = ()
    libraries: tuple = ()
    needs: pathlib.Path = HERE
    rounds: int = 1  # as many as make some ten million calls

    def path(self, build):
        return f'./{self.name}.{build}'

    @staticmethod
    def parse(stdout):
        return json.loads(stdout)

    def compile(self, build, folder, instrumentation):
        """`instrumentation`: flags that stand for -finstrument-functions."""
        family, flags, _ = BUILDS[build]
        flags = instrumentation if '-finstrument-functions' in flags else flags
        includes = [f'-I{include}' for include in (HERE, *self.includes)]
        objects = []
        for source in self.c_sources:
            # The compilers' flags for C++ leave out folders that C does not use.
            objects.append(f'{self.name}.{build}.{len(objects)}.o')
            subprocess.run([C_COMPILERS[family], '-O2', *flags, '-w', '-c', str(source), '-o',
                            objects[-1]], cwd=folder, check=True)
        subprocess.run([CXX_COMPILERS[family], '-std=c++17', '-O2', *flags, *includes,
                        str(HERE / 'programs' / f'{self.name}.cc'), *objects, '-pthread',
                        *self.libraries, '-o', self.path(build)], cwd=folder, check=True)


def programs(build_folder):
    sqlite = build_folder / SQLITE
    return (
        Program('json_query', 'nlohmann-json, parsing and querying', 'nlohmann', needs=ISO_CODES),
        Program('sqlite_import', 'SQLite, an import', '*', (sqlite,), (sqlite / 'sqlite3.c',),
                ('-ldl', '-lm'), needs=sqlite / 'sqlite3.c', rounds=4),
        Program('eigen_solve', 'Eigen, sparse equations', 'Eigen', ('/usr/include/eigen3',),
                needs=pathlib.Path('/usr/include/eigen3/Eigen/Dense')),
    )


class RealPrograms:
    """A section of the report."""

    def __init__(self, root, tools, folder, rounds, factor):
        self.programs = programs(root / 'build')
        self.tools = tools
        self.folder = folder
        self.rounds = rounds
        self.factor = factor

    def measure(self, say):
        results = []
        for program in self.programs:
            if not program.needs.exists():
                results.append({'title': program.title, 'missing': str(program.needs)})
                continue
            say(f'{program.name}: building')
            results.append(self.measure_program(program, say))
        return results

    def flags(self, *options):
        """What compiles in the hooks."""
        command = [str(self.tools.autotracer), 'flags', '--compiler', CXX_COMPILERS['gcc'], *options]
        return shlex.split(run_measured(command, self.folder).stdout)

    def measure_program(self, program, say):
        flags = self.flags()
        for build in ('plain', 'hooked'):
            program.compile(build, self.folder, flags)
        floor = compile_hooks('floor_hooks', self.folder)
        tracers = own_tracers(self.tools, floor, min_duration='1us') + program_peers()
        arguments = [str(program.rounds * self.factor)]
        rows = {tracer.name: {'rounds': [], 'command': tracer.shown_command(program, arguments)}
                for tracer in tracers if tracer.why_not() is None}
        try:
            for number in range(self.rounds):
                say(f'{program.name}, round {number + 1} of {self.rounds}')
                for tracer in tracers[number % len(tracers):] + tracers[:number % len(tracers)]:
                    if tracer.name in rows:
                        self._run(tracer, program, arguments, rows, number == self.rounds - 1)
        finally:
            for tracer in tracers:
                tracer.close()
        return {'title': program.title, 'name': program.name, 'modules': program.modules,
                'flags': ' '.join(flags), 'calls': self._count_calls(program, arguments), 'rows': rows}

    def _run(self, tracer, program, arguments, rows, is_last):
        try:
            outcome = tracer.run(program, arguments, self.folder)
            rows[tracer.name]['rounds'].append({
                'nanos': outcome.printed['nanos'],
                'answer': outcome.printed['answer'],
                'elsewhere_nanos': outcome.elsewhere_nanos,
                'dropped': outcome.dropped,
                'read_back': tracer.read_back(program, self.folder) if is_last else None,
            })
        except (DoesNotApply, CommandFailed):
            del rows[tracer.name]
        finally:
            tracer.clear(self.folder)

    def _count_calls(self, program, arguments):
        counter = compile_hooks('counting_hooks', self.folder)
        finished = run_measured([program.path('hooked'), *arguments], self.folder,
                                LD_PRELOAD=str(counter))
        return int(re.search(r'hooked calls: (\d+)', finished.stderr).group(1))


def render(results):
    parts = []
    for program in results:
        parts.append(f'#### {program["title"]}')
        if 'missing' in program:
            parts.append(f'Not measured: `{program["missing"]}` is not there.')
            continue
        parts.append(f'`{program["name"]}`, built with `{program["flags"]}`: {program["calls"]:,} '
                     f'hooked calls; asked for: `{program["modules"]}`.')
        parts.append(render_table(program))
    measured = [program for program in results if 'rows' in program]
    if measured:
        parts.append(f'Commands for `{measured[0]["name"]}`, by row; the others differ in its name and '
                     'in what is asked for:')
        parts.append(markdown.table(['', ''], [[name, f'`{row["command"]}`']
                                               for name, row in measured[0]['rows'].items()]))
    return '\n\n'.join(parts)


def render_table(program):
    titles = ['', 'ms', '× uninstrumented, median', 'worst', 'more per hooked call, ns', 'dropped',
              'calls read back', 'elsewhere ms']
    base = [run['nanos'] for run in program['rows']['uninstrumented']['rounds']]
    lines = []
    for name, row in program['rows'].items():
        nanos = [run['nanos'] for run in row['rounds']]
        ratios = [value / other for value, other in zip(nanos, base)]
        more = statistics.median(nanos) - statistics.median(base)
        dropped = [run['dropped'] for run in row['rounds'] if run['dropped'] is not None]
        read_back = row['rounds'][-1]['read_back']
        lines.append([
            name,
            markdown.median_and_spread([value / 1e6 for value in nanos]),
            f'{statistics.median(ratios):.2f}',
            f'{max(ratios):.2f}',
            '' if name == 'uninstrumented' else markdown.figure(more / program['calls']),
            f'{max(dropped):,}' if dropped else '',
            f'{read_back:,}' if read_back is not None else '',
            markdown.figure(
                statistics.median(run['elsewhere_nanos'] for run in row['rounds']) / 1e6),
        ])
    return markdown.table(titles, lines)
