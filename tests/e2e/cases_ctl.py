"""A running program is paused, resumed and told what else to record."""

import contextlib
import os
import subprocess
import time

from harness import BOTH_COMPILERS, ONE_BUILD, TIMEOUT_SECONDS, Run, case, clean_environment


class Service:
    """A service that runs, and a command to steer it."""

    def __init__(self, test, process, data_dir):
        self.test = test
        self.process = process
        self.data_dir = data_dir

    def ctl(self, request, status=0):
        return self.test.autotracer("ctl", self.process.pid, request, data_dir=self.data_dir,
                                    status=status)

    def spans(self):
        facts = dict(line.split(": ", 1) for line in self.ctl("status").stdout.splitlines()[1:])
        return int(facts["spans"])

    def now(self):
        """Names of what the last half second left: a settled state."""
        time.sleep(0.3)
        before = len(self.forest().spans)
        time.sleep(0.5)
        return {span.name for span in self.forest().spans[before:]}

    def forest(self):
        killed = subprocess.CompletedProcess([], 0, "", "")
        return Run(self.test, [], killed, self.data_dir).forest()


@contextlib.contextmanager
def service(test, build, source="service.cc", kind=Service, **environment):
    program = test.program(build, source)
    data_dir = test.directory / "data"
    values = clean_environment() | {"AUTOTRACE_MODULES": "app", "AUTOTRACE_DIR": str(data_dir)}
    with subprocess.Popen([program], env=values | environment, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            yield kind(test, process, data_dir)
            out, err = process.communicate("", timeout=TIMEOUT_SECONDS)
            assert process.returncode == 0 and (not out or out.endswith(" wrong 0\n")), out
            assert not err, err
        finally:
            process.kill()
    (run,) = data_dir.iterdir()
    assert not [path for path in run.iterdir() if path.suffix == ".control"]


RECORDED = {"app::request", "app::parse", "app::slow", "by hand"}


@case(BOTH_COMPILERS)
def a_program_is_paused_and_goes_on(test, build):
    with service(test, build) as running:
        assert running.now() == RECORDED
        said = running.ctl("off").stdout.splitlines()
        assert said[0] == "paused" and said[1] == "modules: app", said
        assert running.now() == set()
        assert "hooks erased: 0" not in running.ctl("status").stdout
        assert running.ctl("on").stdout.startswith("recording\n")
        assert running.now() == RECORDED
        # What was open when it was paused ended as it began.
        running.forest()


class Jobs(Service):
    """A program that does as it is told (programs/jobs.cc)."""

    def do(self, letter):
        self.process.stdin.write(letter)
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def let_hooks_go(self):
        """Until those are erased that may be."""
        time.sleep(1)

    def durations(self):
        return [span.duration for span in self.forest().spans if span.name == "app::job"]


@case(BOTH_COMPILERS)
def a_call_that_is_open_when_the_program_is_paused_ends_when_it_ends(test, build):
    with service(test, build, "jobs.cc", Jobs) as running:
        # Its hooks are known.
        running.do("j")
        first = int(running.do("e"))
        running.do("j")
        running.ctl("off")
        running.let_hooks_go()
        second = int(running.do("e"))
        running.let_hooks_go()
        running.ctl("on")
        running.do("o")
        durations = running.durations()
        assert len(durations) == 2, durations
        assert durations[0] <= first and second / 2 < durations[1] <= second, (durations, second)
        # From then on the hook at its end is gone like all others.
        running.ctl("off")
        running.let_hooks_go()
        assert "hooks erased: 4 of 2 functions" in running.ctl("status").stdout


@case(ONE_BUILD)
def what_is_recorded_is_changed_while_the_program_runs(test, build):
    with service(test, build) as running:
        running.ctl("modules=storage,app::slow")
        assert running.now() == {"storage::read", "app::slow", "by hand"}
        running.ctl("exclude=storage")
        assert running.now() == {"app::slow", "by hand"}
        said = running.ctl("min_duration=1ms").stdout
        assert "exclude: storage" in said and "min_duration: 1ms" in said, said
        running.ctl("modules=app")
        running.ctl("exclude=")
        # Parents of what is kept are kept.
        assert running.now() == {"app::slow", "app::request", "by hand"}
        running.ctl("min_duration=0s")
        assert running.now() == RECORDED


@case(ONE_BUILD)
def a_program_may_start_paused(test, build):
    with service(test, build, AUTOTRACE_START="paused") as running:
        assert running.now() == set()
        assert running.ctl("on").stdout.startswith("recording\n")
        assert running.now() == RECORDED


@case(ONE_BUILD)
def a_request_that_is_not_understood_changes_nothing(test, build):
    with service(test, build) as running:
        for request, said in (
                ("stop", '"stop": expected on, off, status, modules=, exclude=, min_duration= or '
                         "quiet_after="),
                ("min_duration=3", 'min_duration: found "3", expected a duration with a unit: '
                                   "write 3s or 3ms"),
                ("ring_size=1M", "ring_size: cannot be changed while the program runs; modules, "
                                 "exclude, min_duration and quiet_after can")):
            refused = running.ctl(request, status=2)
            assert refused.stderr == f"autotracer: {said}\n", refused
        assert running.now() == RECORDED


@case(ONE_BUILD)
def a_program_that_is_not_there_is_said(test, build):
    with service(test, build) as running:
        refused = test.autotracer("ctl", os.getpid(), "off", data_dir=running.data_dir, status=1)
        assert f"no traced program with process id {os.getpid()} runs" in refused.stderr, refused
        # In the way of the file: a link.
        (control,) = running.data_dir.glob("*/*.control")
        moved = control.rename(test.directory / "moved")
        control.symlink_to(moved)
        assert "Too many levels of symbolic links" in running.ctl("off", status=1).stderr
        control.unlink()
        moved.rename(control)
