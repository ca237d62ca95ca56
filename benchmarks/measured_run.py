"""Runs one command, which has to succeed, and tells what it took: of the process and all that it
waited for."""

import dataclasses
import os
import subprocess
import tempfile
import time


@dataclasses.dataclass
class Finished:
    stdout: str
    stderr: str
    seconds: float
    cpu_seconds: float  # user and system


class CommandFailed(Exception):
    """The command, its status, and the end of what it said."""


def clean_environment(**changes):
    """The environment without what steers tracers, and with these changes."""
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith(('AUTOTRACE_', 'OTEL_', 'LD_', 'XRAY_', 'UFTRACE_', 'LTTNG_'))}
    return {**kept, **changes}


def run_measured(command, folder, **environment):
    with tempfile.TemporaryFile('w+') as stdout, tempfile.TemporaryFile('w+') as stderr:
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, env=clean_environment(**environment),
                                   stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        texts = []
        for stream in (stdout, stderr):
            stream.seek(0)
            texts.append(stream.read())
    if process.returncode != 0:
        words = ' '.join(map(str, command))
        raise CommandFailed(f'{words}: status {process.returncode}\n{texts[0]}{texts[1]}'[-2000:])
    return Finished(*texts, seconds, usage.ru_utime + usage.ru_stime)
