"""LTTng's daemons and recording sessions.

Root's session daemon has one place for its sockets on a machine, wherever LTTNG_HOME is; where one
runs already, LTTng is not measured rather than disturbed.
"""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

from measured_run import clean_environment, run_measured

SESSION = 'autotrace_bench'
DATA = 'lttng.data'
# Per processor. Large enough that the consumer daemon can be away for a while.
BUFFERS = ['--num-subbuf=16', '--subbuf-size=4M']


class LttngSession:
    """Starts a session daemon when first needed; it ends with close()."""

    def __init__(self):
        self.daemon = None
        self.home = None
        self.is_open = False
        self.cpu_before = 0
        self.daemon_nanos = 0  # of the last session

    def why_not(self):
        for tool in ('lttng', 'lttng-sessiond', 'babeltrace2'):
            if not shutil.which(tool):
                return f'{tool} is not installed'
        if self.daemon is None and runs_already():
            return 'another lttng-sessiond is running'
        return None

    @staticmethod
    def commands_before(data):
        """Of lttng, before a program is run; it writes to the folder `data`."""
        return [
            ['create', SESSION, f'--output={data}'],
            ['enable-channel', '--userspace', *BUFFERS, 'calls'],
            ['enable-event', '--userspace', '--channel=calls', 'lttng_ust_cyg_profile*:*'],
            ['start'],
        ]

    def begin(self, folder):
        self._start_daemon()
        for command in self.commands_before(folder / DATA):
            self._lttng(*command)
            self.is_open = True
        self.cpu_before = self._daemons_cpu_nanos()

    def finish(self):
        """Stops the session; returns how many events were discarded."""
        self._lttng('stop')
        self.daemon_nanos = self._daemons_cpu_nanos() - self.cpu_before
        listing = self._lttng('list', SESSION)
        self.discard_if_open()
        return sum(int(count) for count in
                   re.findall(r'(?:Discarded events|Lost packets): (\d+)', listing))

    def discard_if_open(self):
        if self.is_open:
            self.is_open = False
            self._lttng('destroy', SESSION)

    def count_events(self, folder):
        last = run_measured(['babeltrace2', DATA, '--component=counter:sink.utils.counter',
                             '--params=step=+0'], folder).stdout
        return int(re.findall(r'(\d+) Event messages?', last)[-1])

    def clear(self, folder):
        shutil.rmtree(folder / DATA, ignore_errors=True)

    def close(self):
        if self.daemon is not None:
            self.daemon.terminate()
            self.daemon.wait()
            self.daemon = None
            shutil.rmtree(self.home, ignore_errors=True)

    def _start_daemon(self):
        if self.daemon is not None:
            return
        self.home = tempfile.mkdtemp(prefix='lttng-')
        self.daemon = subprocess.Popen(['lttng-sessiond', '--no-kernel', '--quiet'],
                                       env=clean_environment(LTTNG_HOME=self.home),
                                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
        for _ in range(100):
            if subprocess.run(['lttng', '--no-sessiond', '--quiet', 'list'], capture_output=True,
                              env=clean_environment(LTTNG_HOME=self.home)).returncode == 0:
                return
            time.sleep(0.1)
        raise RuntimeError('lttng-sessiond does not answer')

    def _lttng(self, *words):
        return run_measured(['lttng', '--no-sessiond', *words], self.home,
                            LTTNG_HOME=self.home).stdout

    def _daemons_cpu_nanos(self):
        """Of the session daemon and of the consumer daemons that it started."""
        return sum(cpu_nanos(pid) for pid in descendants(self.daemon.pid))


def runs_already():
    file = pathlib.Path('/var/run/lttng/lttng-sessiond.pid' if os.getuid() == 0 else
                        pathlib.Path.home() / '.lttng' / 'lttng-sessiond.pid')
    return file.exists() and pathlib.Path(f'/proc/{file.read_text().strip()}').exists()


def descendants(pid):
    parents = {}
    for file in pathlib.Path('/proc').glob('[0-9]*/stat'):
        try:
            # The name, in parentheses, may hold anything.
            parents[int(file.parent.name)] = int(file.read_text().rpartition(')')[2].split()[1])
        except OSError:
            continue  # it has ended
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def cpu_nanos(pid):
    """Of its present threads."""
    return sum(int(file.read_text().split()[0])
               for file in pathlib.Path(f'/proc/{pid}/task').glob('*/schedstat'))
