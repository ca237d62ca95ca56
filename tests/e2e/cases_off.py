"""Not asked for anything, the runtime leaves no trace of itself."""

import re
import shutil
import subprocess

from harness import BOTH_COMPILERS, ONE_BUILD, Skip, case, clean_environment

# What a runtime that does something would have to use. Opening files for reading is how the loader
# works, and looked at apart.
SYSTEM_CALLS = ("clone,clone3,fork,vfork,mkdir,mkdirat,memfd_create,creat,open,openat,unlink,"
                "unlinkat,socket,mprotect,rt_sigaction,sigaltstack,ftruncate,fallocate")


def system_calls(test, program, env=None):
    """The calls of a run, each as strace prints it, in order."""
    if not shutil.which("strace"):
        raise Skip("strace is not installed")
    log = test.directory / "strace.log"
    done = subprocess.run(
        ["strace", "-f", "-qq", "-o", str(log), "-e", "trace=" + SYSTEM_CALLS, str(program)],
        cwd=test.directory, env=clean_environment() | (env or {}), capture_output=True, text=True,
        check=False)
    if "PTRACE" in done.stderr:
        raise Skip("strace is not allowed here: " + done.stderr.strip())
    assert done.returncode == 0 and done.stdout == "done\n" and not done.stderr, done
    return [line.split(None, 1)[1] for line in log.read_text().splitlines()]


def without_loading(calls):
    """Leaves out how the loader maps libraries: reads, and protecting what it has relocated."""
    return [call for call in calls
            if not re.match(r'openat\(.*O_RDONLY', call) and not call.startswith("mprotect(")]


@case(BOTH_COMPILERS)
def off_makes_no_thread_and_no_file(test, build):
    program = test.program(build, "nested.cc")
    before = sorted(test.directory.iterdir())
    calls = without_loading(system_calls(test, program))
    assert calls == [], calls
    assert sorted(test.directory.iterdir()) == before + [test.directory / "strace.log"]


@case(BOTH_COMPILERS)
def off_reads_nothing_but_its_library(test, build):
    with_runtime = system_calls(test, test.program(build, "nested.cc"))
    without = system_calls(test, test.program(build, "nested.cc", runtime=False))
    opened = [{re.search(r'"([^"]*)"', call).group(1) for call in calls
               if "openat(" in call and "ENOENT" not in call} for calls in (with_runtime, without)]
    (only_with,) = opened[0] - opened[1]
    # Opened by its soname, which the path of the library begins with.
    assert test.paths.runtime.startswith(only_with), only_with


@case(BOTH_COMPILERS)
def off_leaves_the_text_unwritable(test, build):
    calls = system_calls(test, test.program(build, "nested.cc"))
    assert not any("PROT_WRITE" in call and "PROT_EXEC" in call for call in calls), calls


@case(ONE_BUILD)
def disabled_in_the_file_is_off(test, build):
    run = test.run(test.program(build, "nested.cc"), config="""
        enabled: false
        modules: [app]
    """)
    run.expect_nothing_recorded()


@case(ONE_BUILD)
def on_is_seen_by_the_same_means(test, build):
    # Guards the tests above: they could not fail if strace did not show these calls.
    calls = without_loading(system_calls(test, test.program(build, "nested.cc"), env={
        "AUTOTRACE_MODULES": "app", "AUTOTRACE_DIR": str(test.directory / "data")}))
    assert any(call.startswith(("clone(", "clone3(")) for call in calls), calls
    assert any(call.startswith("mkdir") for call in calls), calls
