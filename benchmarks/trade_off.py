"""Real programs with the compiler plugin: what leaving out short functions saves, and what it loses.

A point of the curve is how many leaves the plugin drops, whether it is given a profile of what was
short in a run before, and after how many short calls a function falls quiet. What is lost is measured against the program without the plugin: of its calls that took
1 us or longer there, the share whose function still records such calls. (Per function: those of its
calls that are recorded, of those that were made; and of its long calls those that are still
recorded when functions fall quiet.)
"""

import statistics

import markdown
from measured_run import run_measured
from programs import RealPrograms
from tracers import Autotrace, Tracer

MIN_DURATION = '1us'
REFERENCE = 'without plugin'
# Build and calls until a function falls quiet; 0: never.
POINTS = (
    ('plugin_none', 0), ('plugin_none', 10_000),
    ('plugin_inline', 0), ('plugin_inline', 100_000), ('plugin_inline', 10_000),
    ('plugin_inline', 1_000),
    ('plugin_all', 0), ('plugin_all', 10_000),
    ('profile', 0), ('profile', 10_000),
)
LEAVES = {'plugin_none': 'none', 'plugin_inline': 'inline', 'plugin_all': 'all'}
PROFILE = 'profile'  # this build has one, and is otherwise the next
PROFILED = 'plugin_inline'
DROPS = {'plugin_none': 'no leaves', 'plugin_inline': 'inline leaves (default)',
         'plugin_all': 'all leaves', PROFILE: 'profile'}


class TradeOff(RealPrograms):
    """A section of the report."""

    def measure_program(self, program, say):
        flags = {'hooked': self.flags('--no-plugin')}
        for build, leaves in LEAVES.items():
            flags[build] = self.flags('--modules', program.modules, '--leaves', leaves)
        if not any('-fplugin=' in word for word in flags['plugin_none']):
            return {'title': program.title, 'missing': 'the compiler plugin'}
        for build in ('plain', *flags):
            program.compile(build, self.folder, flags.get(build, []))
        say(f'{program.name}: profile')
        flags[PROFILE] = self._profile(program)
        program.compile(PROFILE, self.folder, flags[PROFILE])
        arguments = [str(program.rounds * self.factor)]
        rows = self._rows()
        results = {name: {'nanos': [], 'command': tracer.shown_command(program, arguments)}
                   for name, tracer in rows.items()}
        longer = {}
        for number in range(self.rounds):
            say(f'{program.name}, round {number + 1} of {self.rounds}')
            for name, tracer in rows.items():
                self._measure_once(program, tracer, arguments, results[name], longer)
        say(f'{program.name}: counting calls')
        self._add_shares(rows, results, longer,
                         {build: self._count(program, build)
                          for build in ('hooked', *LEAVES, PROFILE)})
        return {'title': program.title, 'name': program.name, 'modules': program.modules,
                'rows': results}

    def _profile(self, program):
        """The flags that compile with what one round of the program showed."""
        tracer = Autotrace('all', self.tools, {'AUTOTRACE_RING_SIZE': '2GiB', 'AUTOTRACE_THREAD': '0'}, PROFILED)
        tracer.run(program, ['1'], self.folder)
        profile = f'{program.name}.profile'
        run_measured([str(self.tools.autotracer), 'profile', '--min-duration', MIN_DURATION, '-o', profile],
                     self.folder)
        tracer.clear(self.folder)
        return self.flags('--modules', program.modules, '--leaves', LEAVES[PROFILED], '--profile',
                          profile)

    def _measure_once(self, program, tracer, arguments, result, longer):
        """Adds to `result`, and once to `longer`: calls of MIN_DURATION or more, by function."""
        outcome = tracer.run(program, arguments, self.folder)
        result['nanos'].append(outcome.printed['nanos'])
        result['dropped'] = outcome.dropped
        if outcome.dropped is not None and tracer.name not in longer:
            longer[tracer.name] = self._calls_by_function()
        tracer.clear(self.folder)

    @staticmethod
    def _add_shares(rows, results, longer, made):
        for name in longer:
            build = rows[name].build
            results[name]['share'] = share(longer[REFERENCE], made['hooked'], made[build],
                                           longer[name], longer[row_name(build, 0)])

    def _rows(self):
        settings = {'AUTOTRACE_MIN_DURATION': MIN_DURATION}
        rows = {
            'uninstrumented': Tracer('uninstrumented', 'plain'),
            **{name: Autotrace(name, self.tools, None, build) for name, build in INERT.items()},
        }
        for build, quiet in (('hooked', 0), ('hooked', 10_000), *POINTS):
            name = row_name(build, quiet)
            more = {'AUTOTRACE_QUIET_AFTER': str(quiet)} if quiet else {}
            rows[name] = Autotrace(name, self.tools, settings | more, build)
        return rows

    def _count(self, program, build):
        """Of calls that are all recorded, one round: by function. In a ring that holds them all."""
        tracer = Autotrace('all', self.tools, {'AUTOTRACE_RING_SIZE': '2GiB', 'AUTOTRACE_THREAD': '0'}, build)
        if (dropped := tracer.run(program, ['1'], self.folder).dropped) > 0:
            raise RuntimeError(f'{dropped} calls of {program.name} were dropped')
        calls = self._calls_by_function()
        tracer.clear(self.folder)
        return calls

    def _calls_by_function(self):
        report = run_measured([str(self.tools.autotracer), 'report', '--top', '0'], self.folder)
        return calls_by_function(report.stdout)


INERT = {'off, plugin and profile': PROFILE, 'off, plugin': 'plugin_inline',
         'off, without plugin': 'hooked'}


def row_name(build, quiet):
    name = REFERENCE if build == 'hooked' else f'plugin, {DROPS[build]}'
    return name + (f', quiet after {quiet:,}' if quiet else '')


def calls_by_function(report):
    """From what `autotracer report` prints."""
    head, *lines = report.splitlines()
    column = head.index('function')
    calls = {}
    for line in lines:
        number = line.split()[0].replace(',', '')
        if not number.isdigit():
            break  # what is said about the run as a whole
        name = line[column:].split('  ')[0]
        calls[name] = calls.get(name, 0) + int(number)
    return calls


def share(reference, all_made, made, longer, longer_without_quiet):
    """See above; every argument is calls by function."""
    appear = 0
    for name, count in reference.items():
        recorded = min(1, made.get(name, 0) / max(all_made.get(name, 0), 1))
        # What was long once is long by chance, or not, the next time.
        before = longer_without_quiet.get(name, 0)
        kept = min(1, longer.get(name, 0) / before) if before else 1
        appear += count * recorded * kept
    return appear / max(sum(reference.values()), 1)


def render(results):
    parts = ['### Leaving out short functions']
    for program in results:
        parts.append(f'#### {program["title"]}')
        if 'missing' in program:
            parts.append(f'Not measured: `{program["missing"]}` is not there.')
            continue
        base = program['rows']['uninstrumented']['nanos']
        lines = []
        for name, row in program['rows'].items():
            ratios = [value / other for value, other in zip(row['nanos'], base)]
            lines.append([name, markdown.median_and_spread([nanos / 1e6 for nanos in row['nanos']]),
                          f'{statistics.median(ratios):.2f}', f'{max(ratios):.2f}',
                          '' if row['dropped'] is None else f'{row["dropped"]:,}',
                          f'{row["share"]:.2%}' if 'share' in row else ''])
        parts.append(f'`{program["name"]}`; asked for: `{program["modules"]}`, '
                     f'`AUTOTRACE_MIN_DURATION={MIN_DURATION}`.')
        parts.append(markdown.table(['', 'ms', '× uninstrumented, median', 'worst', 'dropped',
                                     f'calls of {MIN_DURATION} or longer that still appear'], lines))
    return '\n\n'.join(parts)
