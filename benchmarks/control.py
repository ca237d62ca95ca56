"""A service under load that is paused, resumed and told what else to record by `autotracer ctl`:
requests per second in each state, beside the same service without instrumentation.
"""

import contextlib
import signal
import statistics
import subprocess
import time

import markdown
from measured_run import clean_environment, run_measured
from programs import CXX_COMPILERS
from workloads import HERE

# What ctl is asked for, in this order, and what is recorded then.
STATES = (
    ('off', 'off'),
    ('on', 'on: all'),
    ('modules=service', 'modules=service: one span a request'),
    ('modules=service,lookup', 'modules=service,lookup: all'),
    ('min_duration=1ms', 'min_duration=1ms'),
    ('min_duration=0s', 'min_duration=0s: all'),
)
SETTLE_SECONDS = 0.7  # what ctl changes takes effect within half a second
SAMPLE_SECONDS = 1.0
UNINSTRUMENTED = 'not instrumented'


class Control:
    """A section of the report."""

    def __init__(self, tools, folder, rounds):
        self.tools = tools
        self.folder = folder
        self.rounds = rounds

    def measure(self, say):
        say('lookup_service: building')
        for name, flags in (('service.plain', []), ('service.hooked', ['-finstrument-functions']),
                            ('client', [])):
            source = HERE / 'programs' / f'lookup_{name.split(".")[0]}.cc'
            subprocess.run([CXX_COMPILERS['gcc'], '-std=c++17', '-O2', *flags, str(source),
                            '-pthread', '-o', f'lookup_{name}'], cwd=self.folder, check=True)
        samples = {UNINSTRUMENTED: []} | {what: [] for _, what in STATES}
        failed = 0
        traced = {'LD_PRELOAD': str(self.tools.runtime), 'AUTOTRACE_MODULES': 'service,lookup',
                  'AUTOTRACE_MAX_DISK': '256MiB'}
        with (self._under_load('plain', {}) as (_, plain),
              self._under_load('hooked', traced) as (service, load)):
            for number in range(self.rounds):
                say(f'lookup_service, round {number + 1} of {self.rounds}')
                samples[UNINSTRUMENTED].append(plain.sample())
                for request, what in STATES:
                    load.resume()
                    self._ctl(service.pid, request)
                    samples[what].append(load.sample())
            failed = plain.failed + load.failed
        return {'samples': samples, 'failed': failed}

    def _ctl(self, pid, request):
        run_measured([str(self.tools.autotracer), 'ctl', str(pid), request], self.folder)

    @contextlib.contextmanager
    def _under_load(self, build, environment):
        """The service and its client, which waits until it is asked to go on."""
        socket = self.folder / f'{build}.socket'
        with contextlib.ExitStack() as stack:
            def start(command, **variables):
                process = subprocess.Popen(command, cwd=self.folder, stdin=subprocess.PIPE,
                                           stdout=subprocess.PIPE, text=True,
                                           env=clean_environment(**variables))
                stack.callback(process.kill)
                return process
            service = start([f'./lookup_service.{build}', str(socket)], **environment)
            if service.stdout.readline() != 'ready\n':
                raise RuntimeError('lookup_service did not start')
            yield service, Load(start(['./lookup_client', str(socket)]))


class Load:
    """A client, stopped but while it is sampled, so that others have the machine."""

    def __init__(self, client):
        self.client = client
        self.failed = 0
        self.client.send_signal(signal.SIGSTOP)

    def resume(self):
        self.client.send_signal(signal.SIGCONT)

    def sample(self):
        """Requests per second."""
        self.resume()
        time.sleep(SETTLE_SECONDS)
        self._ask()
        time.sleep(SAMPLE_SECONDS)
        requests, nanos = self._ask()
        self.client.send_signal(signal.SIGSTOP)
        return requests * 1e9 / nanos

    def _ask(self):
        self.client.stdin.write('\n')
        self.client.stdin.flush()
        requests, failed, nanos = map(int, self.client.stdout.readline().split())
        self.failed += failed
        return requests, nanos


def render(results):
    samples = results['samples']
    base = samples[UNINSTRUMENTED]
    lines = [[what, markdown.median_and_spread(values),
              f'{statistics.median(v / b for v, b in zip(values, base)):.2f}',
              f'{min(v / b for v, b in zip(values, base)):.2f}']
             for what, values in samples.items()]
    return '\n\n'.join([
        '### A service that is steered while it runs',
        'One client, one request after the other, over a Unix socket; `autotracer ctl` changes what '
        f'is recorded while requests go on. Requests that failed: {results["failed"]}.',
        markdown.table(['', 'requests per second', '× not instrumented, median', 'worst'], lines)])
