"""Programs that die: what had ended is there, what was open is marked, nothing half is shown."""

import contextlib
import os
import random
import signal
import subprocess
import time

from harness import (
    ONE_BUILD, TIMEOUT_SECONDS, TRAP_BUILDS, Run, Skip, case, clean_environment)
from cases_live import endpoint, environment

# How often the random kill is tried; 200 when asked for by hand.
KILLS = int(os.environ.get("KILLS", "20"))


class Killed:
    """What Run needs to know of a process that was killed."""

    def __init__(self, stdout, returncode):
        self.stdout, self.stderr, self.returncode = stdout, "", returncode


def start(test, build, how, data_dir, env=None, *arguments):
    values = clean_environment() | {"AUTOTRACE_MODULES": "app", "AUTOTRACE_DIR": str(data_dir)}
    return subprocess.Popen([test.program(build, "death.cc"), how, *arguments], cwd=test.directory,
                            env=values | (env or {}), stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


def kill_after(test, build, seconds, data_dir, env=None, how="serve"):
    """Kills a program that serves requests; the numbers of those that it said had ended."""
    process = start(test, build, how, data_dir, env)
    first = process.stdout.readline()
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    return what_died_said(test, process, data_dir, first)


def what_died_said(test, process, data_dir, first=""):
    out, _ = process.communicate(timeout=TIMEOUT_SECONDS)
    whole = first + out[:out.rfind("\n") + 1]
    return Run(test, [], Killed(out, process.returncode), data_dir), [*map(int, whole.split())]


def expect_all_ended_are_there(run, ended):
    forest = run.forest()  # fails for a span without its parent
    numbers = [span.attributes["number"] for span in forest.named("numbered")
               if "number" in span.attributes]
    assert len(numbers) == len(set(numbers)), "a span stands twice"
    missing = set(ended) - set(numbers)
    assert not missing, f"{len(missing)} of {len(ended)} ended spans are missing"
    # One more may have ended between its end and the message.
    assert max(numbers) <= ended[-1] + 2, (max(numbers), ended[-1])
    # The request before the last said one had ended whole.
    for request in forest.named("app::request")[:-2]:
        names = [span.name for span in request.children]
        assert names.count("app::step") == 5 and len(names) == 6, names
    return forest


@case(ONE_BUILD)
def a_kill_at_a_random_moment_loses_no_ended_span(test, build):
    chance = random.Random(KILLS)
    for attempt in range(KILLS):
        # Half of them before the program is as old as open spans are copied apart.
        seconds = chance.choice((0.02, 0.2)) * chance.random()
        data_dir = test.directory / f"kill{attempt}"
        run, ended = kill_after(test, build, seconds, data_dir)
        forest = expect_all_ended_are_there(run, ended)
        assert [root.name for root in forest.roots] == ["app::serve"], forest.roots
        assert forest.roots[0].attributes["autotrace.unfinished"] is True
        test.autotracer("recover", data_dir=data_dir)
        assert run.forest().by_id.keys() == forest.by_id.keys(), "recovery changed what is read"
        test.autotracer("tree", data_dir=data_dir)


@case(ONE_BUILD)
def a_kill_during_live_export_loses_no_ended_span_of_the_recording(test, build):
    with endpoint(test) as collector:
        data_dir = test.directory / "live"
        run, ended = kill_after(test, build, 0.3, data_dir,
                                environment(collector, AUTOTRACE_RECORD="true"))
        expect_all_ended_are_there(run, ended)


@contextlib.contextmanager
def memory_limit(bytes_):
    """A control group with so much memory; gives the file that takes process ids."""
    own = next((line.split(":", 2)[2] for line in open("/proc/self/cgroup", encoding="utf-8").read()
                .splitlines() if "memory" in line.split(":")[1].split(",")), None)
    if own is not None:
        parent, limits = "/sys/fs/cgroup/memory" + own, ("memory.limit_in_bytes",)
    else:
        own = open("/proc/self/cgroup", encoding="utf-8").read().partition("0::")[2].strip()
        parent, limits = "/sys/fs/cgroup" + own, ("memory.max", "memory.swap.max")
    group = f"{parent}/autotrace-test-{os.getpid()}"
    try:
        os.mkdir(group)
        for limit in limits:
            with open(f"{group}/{limit}", "w", encoding="utf-8") as file:
                file.write("0" if "swap" in limit else str(bytes_))
    except OSError as error:
        if os.path.isdir(group):
            os.rmdir(group)
        raise Skip(f"cannot make a control group that limits memory: {error}") from error
    try:
        yield f"{group}/cgroup.procs"
    finally:
        os.rmdir(group)


@case(TRAP_BUILDS)
def a_kill_for_lack_of_memory_loses_no_ended_span(test, build):
    data_dir = test.directory / "killed"
    program = test.program(build, "death.cc")
    # A shell that joins the group and becomes the program.
    with memory_limit(96 << 20) as members, subprocess.Popen(
            ["/bin/sh", "-c", f'echo $$ > {members} && exec "$@"', "sh", program, "grow"],
            cwd=test.directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=clean_environment() | {"AUTOTRACE_MODULES": "app", "AUTOTRACE_DIR": str(data_dir)}
    ) as process:
        try:
            run, ended = what_died_said(test, process, data_dir)
        finally:
            process.kill()
    assert run.status == -signal.SIGKILL, run.status
    assert len(ended) > 50, ended
    forest = expect_all_ended_are_there(run, ended)
    assert [root.name for root in forest.roots] == ["app::serve"], forest.roots
    test.autotracer("recover", data_dir=data_dir)
    assert run.forest().by_id.keys() == forest.by_id.keys(), "recovery changed what is read"


@case(TRAP_BUILDS)
def every_way_to_die_leaves_a_whole_tree(test, build):
    ways = (("segv", -signal.SIGSEGV), ("abort", -signal.SIGABRT), ("_exit", 9),
            ("quick_exit", 9), ("kill", -signal.SIGKILL))
    for how, status in ways:
        for late in ((), ("late",)):
            run = test.run(test.program(build, "death.cc"), how, *late, modules="app",
                           status=status)
            forest = run.forest()
            (root,) = forest.roots
            assert root.name == "app::run", root
            assert root.attributes["autotrace.unfinished"] is True, root
            steps = forest.named("app::step")
            assert len(steps) == 2, forest.text()
            assert steps[0].parent_id == root.span_id, forest.text()
            inner = forest.by_id[steps[1].parent_id]
            assert inner.attributes["autotrace.unfinished"] is True, inner
            assert inner.parent_id == root.span_id, forest.text()
            known = inner.name == "app::end"
            assert known or inner.attributes.get("autotrace.placeholder") is True, inner
            for command in (("tree",), ("report",), ("recover",), ("tree",)):
                test.autotracer(*command, data_dir=run.data_dir)
            assert run.forest().text() == forest.text()


@case(ONE_BUILD)
def what_is_open_for_long_is_seen_by_its_name_while_the_program_runs(test, build):
    data_dir = test.directory / "open"
    process = start(test, build, "wait", data_dir)
    try:
        assert process.stdout.readline() == "waiting\n"
        time.sleep(0.4)
        expected = """
            app::run  unfinished
              app::step
              app::end  unfinished
                app::step x4
        """
        run = Run(test, [], Killed("", 0), data_dir)
        run.expect_tree(expected)
        tree = test.autotracer("tree", data_dir=data_dir).stdout
        assert "app::end" in tree and "app::step" in tree, tree
    finally:
        process.kill()
        process.communicate()
    run.expect_tree(expected)
    test.autotracer("recover", data_dir=data_dir)
    run.expect_tree(expected)
