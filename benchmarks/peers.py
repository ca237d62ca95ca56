"""Tracers of other projects, from Debian's packages (scripts/packages-bench.txt)."""

import re
import shlex
import shutil

from lttng_session import DATA, LttngSession
from measured_run import run_measured
from tracers import Preloaded, Tracer


class Peer(Tracer):
    """tool: the command without which it cannot be measured."""

    tool = None

    def why_not(self):
        return None if shutil.which(self.tool) else f'{self.tool} is not installed'


class Uftrace(Peer):
    """`uftrace record`, of the instrumented functions only, which is the cheapest for it."""

    tool = 'uftrace'
    DATA = 'uftrace.data'

    def __init__(self, name, options, records=False):
        super().__init__(name, 'hooked', records=records)
        self.options = options

    def prefix(self, workload):
        return ['uftrace', 'record', '--no-libcall', '--no-event', *self.options, '-d', self.DATA]

    def dropped(self, finished):
        lost = re.search(r'LOST (\d+) records', finished.stderr)
        return int(lost.group(1)) if lost else 0

    def read_back(self, workload, folder):
        if '--nop' in self.options:
            return None
        report = run_measured(['uftrace', 'report', '-d', self.DATA, '-f', 'call'], folder).stdout
        return sum(int(calls) for calls in re.findall(r'^ +(\d+)  \S', report, re.MULTILINE))

    def clear(self, folder):
        shutil.rmtree(folder / self.DATA, ignore_errors=True)


class Gprof(Peer):
    """gcc -pg, which counts calls and keeps no records of them."""

    tool = 'gprof'

    def __init__(self):
        super().__init__('gprof (-pg)', 'pg')

    def read_back(self, workload, folder):
        graph = run_measured(['gprof', '-b', '-q', workload.path(self.build), 'gmon.out'],
                             folder).stdout
        # In each function's own line: calls by others, and by itself.
        calls = re.findall(r'^\[\d+\] +[\d.]+ +[\d.]+ +[\d.]+ +(\d+)(?:\+(\d+))?', graph,
                           re.MULTILINE)
        return sum(int(others) + int(own or 0) for others, own in calls)

    def clear(self, folder):
        (folder / 'gmon.out').unlink(missing_ok=True)


class XRay(Peer):
    """Clang's XRay, off or with its flight data recorder, which keeps all in memory until the end."""

    tool = 'llvm-xray-14'
    FILE = 'xray-log.'
    BYTES_PER_CALL = 16

    def __init__(self, name, records=False, calls=0):
        super().__init__(name, 'xray', base='clang', records=records)
        self.buffers = calls * self.BYTES_PER_CALL * 5 // 4 // 2**20 + 64

    def environment(self, workload):
        if not self.records:
            return {}
        # By default it forgets calls of less than 5 microseconds.
        return {'XRAY_FDR_OPTIONS': 'func_duration_threshold_us=0:buffer_size=1048576:'
                                    f'buffer_max={self.buffers}',
                'XRAY_OPTIONS': f'xray_logfile_base={self.FILE}'}

    def read_back(self, workload, folder):
        if not self.records:
            return None
        (log,) = folder.glob(self.FILE + '*')
        # It takes the records at the border of two buffers for an exit without an entry.
        table = run_measured([self.tool, 'account', '--keep-going', '-f', 'csv', '-m',
                              workload.path(self.build), log.name], folder).stdout
        return sum(int(calls) for calls in re.findall(r'^\d+,(\d+),', table, re.MULTILINE))

    def clear(self, folder):
        for log in folder.glob(self.FILE + '*'):
            log.unlink()


class Lttng(Preloaded):
    """LTTng-UST's ready-made hooks; its daemons take the events out of shared memory."""

    def __init__(self, name, library, session):
        super().__init__(name, library)
        self.records = True
        self.session = session

    def why_not(self):
        return self.session.why_not()

    def environment(self, workload):
        environment = super().environment(workload)
        if self.session.home is not None:
            environment['LTTNG_HOME'] = self.session.home
        return environment

    def shown_command(self, workload, arguments):
        before = [shlex.join(['lttng', *words])
                  for words in self.session.commands_before(f'$PWD/{DATA}')]
        program = [workload.path(self.build), *arguments]
        return '; '.join([*before, ' '.join([f'LD_PRELOAD={self.library}', *program])])

    def run(self, workload, arguments, folder):
        self.session.begin(folder)
        try:
            return super().run(workload, arguments, folder)
        finally:
            self.session.discard_if_open()

    def dropped(self, finished):
        return self.session.finish()

    def daemon_nanos(self):
        return self.session.daemon_nanos

    def read_back(self, workload, folder):
        return self.session.count_events(folder) // 2  # an entry and an exit each

    def clear(self, folder):
        self.session.clear(folder)

    def close(self):
        self.session.close()


def program_peers():
    """Those that need no build of their own."""
    session = LttngSession()
    return [
        Uftrace('uftrace record', [], records=True),
        Uftrace('uftrace record -t 1us', ['-t', '1us']),
        Lttng('LTTng-UST cyg-profile', 'liblttng-ust-cyg-profile.so', session),
    ]


def peer_tracers(most_calls):
    """most_calls: that a program will make."""
    session = LttngSession()
    return [
        Uftrace('uftrace record', [], records=True),
        Uftrace('uftrace record -t 10us', ['-t', '10us']),
        Uftrace('uftrace record --nop', ['--nop']),
        Lttng('LTTng-UST cyg-profile', 'liblttng-ust-cyg-profile.so', session),
        Lttng('LTTng-UST cyg-profile-fast', 'liblttng-ust-cyg-profile-fast.so', session),
        Gprof(),
        Tracer('uninstrumented, Clang', 'clang', base='clang'),
        XRay('XRay, off'),
        XRay('XRay, flight data recorder', records=True, calls=most_calls),
    ]
