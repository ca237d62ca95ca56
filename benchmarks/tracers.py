"""Ways to run a program: one row of the tables each. Those of other projects are in peers.py.

A tracer runs a workload in a folder and says what came out: times as the program measured them, what
was dropped, and, if asked, how many calls can be read back.
"""

import dataclasses
import re
import shlex
import shutil

from measured_run import run_measured


class DoesNotApply(Exception):
    """The row means nothing here; why."""


@dataclasses.dataclass
class Outcome:
    printed: dict  # by the program
    elsewhere_nanos: float  # processor time outside of the threads that made the calls
    dropped: int | None  # calls; None: nobody says
    stderr: str = ''


class Tracer:
    """Runs the program as it is; the base of all others.

    name: of the row. build: a key of workloads.BUILDS. base: the build without instrumentation that
    it is compared with. records: does it record every call?
    """

    def __init__(self, name, build, base='plain', records=False):
        self.name = name
        self.build = build
        self.base = base
        self.records = records

    def why_not(self):
        """Why it cannot be measured here; None: it can."""
        return None

    def environment(self, workload):
        """Variables that the program is run with."""
        return {}

    def prefix(self, workload):
        """Words in front of the program."""
        return []

    def command(self, workload, arguments):
        return [*self.prefix(workload), workload.path(self.build), *arguments]

    def shown_command(self, workload, arguments):
        """What to type to repeat it."""
        variables = [f'{name}={shlex.quote(value)}'
                     for name, value in self.environment(workload).items()]
        return ' '.join([*variables, *self.command(workload, arguments)])

    def run(self, workload, arguments, folder):
        finished = run_measured(self.command(workload, arguments), folder,
                                **self.environment(workload))
        printed = workload.parse(finished.stdout)
        elsewhere = finished.cpu_seconds * 1e9 - printed['cpu_nanos'] + self.daemon_nanos()
        return Outcome(printed, elsewhere, self.dropped(finished), finished.stderr)

    def daemon_nanos(self):
        """Processor time that others spent on the last run."""
        return 0

    def dropped(self, finished):
        return None

    def read_back(self, workload, folder):
        """Calls in what the last run left; None: it records none."""
        return None

    def clear(self, folder):
        """Removes what the last run left."""

    def close(self):
        """Ends what it keeps running between runs."""


class Preloaded(Tracer):
    """Hooks from a library."""

    def __init__(self, name, library):
        super().__init__(name, 'hooked')
        self.library = library

    def environment(self, workload):
        return {'LD_PRELOAD': str(self.library)}


class Autotrace(Tracer):
    """This project's runtime, with these settings beside the usual ones; None: not asked for."""

    DATA = 'autotrace.data'

    def __init__(self, name, tools, settings, build='hooked', records=False):
        super().__init__(name, build, records=records)
        self.tools = tools
        self.settings = settings
        self.recorded_spans = 0  # of the last run

    def environment(self, workload):
        environment = {'LD_PRELOAD': str(self.tools.runtime)}
        if self.settings is not None:
            environment |= {'AUTOTRACE_MODULES': workload.modules, 'AUTOTRACE_SUMMARY': '1',
                            'AUTOTRACE_MAX_DISK': '64GiB', **self.settings}
        return environment

    def dropped(self, finished):
        if self.settings is None:
            return None
        spans, dropped = re.search(r'(\d+) spans of .*?, (none|\d+) dropped',
                                   finished.stderr).groups()
        self.recorded_spans = int(spans)
        return 0 if dropped == 'none' else int(dropped)

    def read_back(self, workload, folder):
        if self.settings is None:
            return None
        if self.recorded_spans == 0:
            return 0  # there is nothing to report on
        report = run_measured([str(self.tools.autotracer), 'report', '--top', '0'], folder).stdout
        calls = re.findall(r'^ *([\d,]+) .* (\S+)$', report, re.MULTILINE)
        return sum(int(count.replace(',', '')) for count, name in calls if name != '(unknown)')

    def clear(self, folder):
        shutil.rmtree(folder / self.DATA, ignore_errors=True)


@dataclasses.dataclass(frozen=True)
class Tools:
    """What was built of this project."""
    runtime: object
    autotracer: object


class Erased(Autotrace):
    """Only where the summary says that hooks were erased."""

    def run(self, workload, arguments, folder):
        outcome = super().run(workload, arguments, folder)
        if not re.search(r'\b[1-9]\d* .*\berased\b', outcome.stderr):
            raise DoesNotApply('this runtime erases no hooks')
        return outcome


def own_tracers(tools, floor, min_duration='10us'):
    """The rows that need nothing but this project and a compiler."""
    return [
        Tracer('uninstrumented', 'plain'),
        Tracer('empty hooks', 'hooked'),
        Preloaded('the floor', floor),
        Autotrace('recorded', tools, {}, records=True),
        Autotrace(f'too short ({min_duration})', tools, {'AUTOTRACE_MIN_DURATION': min_duration}),
        Autotrace('not wanted, by table', tools,
                  {'AUTOTRACE_MODULES': 'main', 'AUTOTRACE_PATCH': 'off'}),
        Erased('not wanted, erased', tools,
               {'AUTOTRACE_MODULES': 'main', 'AUTOTRACE_PATCH': 'auto'}),
        Autotrace('off', tools, None),
    ]
