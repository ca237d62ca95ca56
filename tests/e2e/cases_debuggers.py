"""Traced programs under valgrind and gdb: neither sees anything that is not the program's own."""

import re
import shutil
import subprocess

from harness import (ALL_BUILDS, BOTH_COMPILERS, TIMEOUT_SECONDS, Build, Run, Skip, case,
                     clean_environment, expect_text)

MIXED_TREE = """
    app::run
      app::threads
        app::work x4
          app::add x20
      app::catches
        app::fails  ERROR
          app::fails  ERROR
            app::fails  ERROR
        app::add
      app::opens
        plugin_run x3
          alpha::run
            alpha::step
      app::forks
        app::in_child
          app::work
            app::add x2
"""
MIXED_OUTPUT = "total 8770\n"
MIXED_MODULES = "app,alpha,plugin_run"


# What valgrind 3.19 reads of both compilers.
DEBUG_INFORMATION = ["-gdwarf-4"]


def mixed_program(test, build, flags=(), link=()):
    """The program, and the library that is its argument."""
    of_programs = ("-fno-pie", "-no-pie")
    library = test.program(build, "plugin.cc", name="libalpha.so", shared=True, runtime=False,
                           flags=["-DPLUGIN=alpha", *(f for f in flags if f not in of_programs)],
                           link=[word for word in link if word not in of_programs])
    return test.program(build, "mixed.cc", flags=flags, link=link), library


def tool(name):
    found = shutil.which(name)
    if found is None:
        raise Skip(f"{name} is not installed")
    return found


# ---- valgrind

def run_under_valgrind(test, *command, env=None, status=0, **options):
    """Runs it under memcheck; the run, and what was reported, by process: the program's own first."""
    log = test.directory / "valgrind"
    log.mkdir()
    run = test.run(
        tool("valgrind"), "--tool=memcheck", "--error-exitcode=99", "--leak-check=full",
        # Reported, but no error: a forked child that leaks has the exit status it would have.
        "--show-leak-kinds=definite", "--errors-for-leak-kinds=none",
        "--trace-children=no", f"--log-file={log}/%p", *command, env=env, status=None, **options)
    reports = [records(file.read_text())
               for file in sorted(log.iterdir(), key=lambda file: int(file.name))]
    assert run.status == status, (run.status, reports)
    return run, reports


def records(report):
    """What a report complains of: errors, leaks and warnings, each as one text."""
    text = re.sub(r"^==\d+== ?", "", report, flags=re.MULTILINE)
    assert "Memcheck, a memory error detector" in text and "ERROR SUMMARY: " in text, report
    return [record for record in text.split("\n\n")
            if "\n   at 0x" in record or "warning: " in record.lower()]


@case(BOTH_COMPILERS)
def memcheck_has_nothing_to_say_about_a_traced_program(test, build):
    program, library = mixed_program(test, build, DEBUG_INFORMATION)
    run, (own, *children) = run_under_valgrind(test, program, library, modules=MIXED_MODULES,
                                               status=3)
    assert not own, own
    assert run.stdout == MIXED_OUTPUT, run.stdout
    run.expect_tree(MIXED_TREE)
    # A forked child has the memory of threads that are not there: ours may have been at work.
    (child,) = children
    for record in child:
        assert "definitely lost" in record and "BackgroundThread::Main" in record, record


@case([Build("gcc", "-O2", "-static")])
def a_static_program_runs_under_valgrind(test, build):
    # Memcheck replaces functions of the C library, which it cannot in here, and is wrong then.
    run = test.run(tool("valgrind"), "--tool=none", "--quiet", test.program(build, "mixed.cc"),
                   modules="app", status=3)
    assert run.stdout == MIXED_OUTPUT, run.stdout
    assert "app::in_child" in run.forest().text()


@case(BOTH_COMPILERS)
def memcheck_has_nothing_to_say_about_other_stacks_and_jumps(test, build):
    for source, arguments in (("exception_kinds.cc", ()), ("longjmp.cc", ()), ("manual.cc", ()),
                              ("threads.cc", (20,)), ("death.cc", ("quick_exit",))):
        shutil.rmtree(test.directory / "valgrind", ignore_errors=True)
        program = test.program(build, source, flags=DEBUG_INFORMATION)
        _, (own, *_) = run_under_valgrind(test, program, *arguments, modules="app",
                                          status=9 if source == "death.cc" else 0)
        assert not own, (source, own)


@case([Build("gcc", "-O2")])
def memcheck_still_sees_the_programs_mistakes(test, build):
    # Guards the cases above: they could not fail if it saw nothing.
    _, (own, *_) = run_under_valgrind(test, test.program(build, "mistakes.cc"), "read", "lose",
                                      modules="app", status=99)
    assert len(own) == 2 and "Invalid read" in own[0] and "definitely lost" in own[1], own
    assert "app::reads_what_was_freed() (mistakes.cc:" in own[0], own
    assert "app::loses() (mistakes.cc:" in own[1], own


# ---- gdb

def gdb_command(*commands):
    words = [tool("gdb"), "-nx", "-batch", "-ex", "set debuginfod enabled off"]
    for command in commands:
        words += ["-ex", command]
    return words


def frames(output):
    """The functions of each backtrace in gdb's output."""
    found = []
    for line in output.splitlines():
        match = re.match(r"#(\d+) +(?:0x[0-9a-f]+ in )?([\w:]+)", line)
        if match:
            if match[1] == "0":
                found.append([])
            found[-1].append(match[2])
    return found


def debugged(test, program, *arguments, commands, **options):
    run = test.run(*gdb_command(*commands), "--args", program, *arguments, quiet=False, **options)
    if "Could not trace the inferior" in run.stderr + run.stdout:
        raise Skip("debugging is not allowed here")
    return run


@case(ALL_BUILDS)
def gdb_stops_in_a_traced_function_and_goes_on(test, build):
    run = debugged(test, test.program(build, "nested.cc"), 42, modules="app", commands=[
        "break app::leaf", "run", "backtrace", "finish", "backtrace", "continue", "backtrace",
        "delete", "tbreak autotrace_hook_enter", "continue", "backtrace", "next", "continue",
        "print $_exitcode"])
    in_leaf = ["app::leaf", "app::step", "app::run", "main"]
    *stopped, in_hook = frames(run.stdout)
    assert stopped == [in_leaf, in_leaf[1:], in_leaf], run.stdout
    # From inside a hook, the program's frames are seen as well.
    assert in_hook[0].startswith("autotrace_hook_enter"), run.stdout
    assert in_hook[1:] in (in_leaf, in_leaf[1:]), run.stdout
    assert run.stdout.endswith("$1 = 42\n") and "done\n" in run.stdout, run.stdout
    run.expect_tree("""
        app::run
          app::step
          app::step
            app::leaf
          app::step
            app::leaf x2
    """)


@case(BOTH_COMPILERS)
def gdb_steps_over_hooks_line_by_line(test, build):
    build = Build(build.family, "-O0")
    run = debugged(test, test.program(build, "nested.cc"), modules="app", commands=[
        "tbreak app::run", "run", *["step", "backtrace"] * 20, "continue", "print $_exitcode"])
    seen = frames(run.stdout)
    assert {frame for stack in seen for frame in stack} == {
        "main", "app::run", "app::step", "app::leaf", "Touch"}, run.stdout
    assert len(seen) == 20 and all(stack[-2:] == ["app::run", "main"] for stack in seen), run.stdout
    assert run.stdout.endswith("$1 = 0\n"), run.stdout
    assert len(run.forest().spans) == 7


@case(BOTH_COMPILERS)
def gdb_sees_a_throw_and_a_fork_of_a_traced_program(test, build):
    program, library = mixed_program(test, build)
    run = debugged(test, program, library, modules=MIXED_MODULES, commands=[
        "catch throw", "run", "backtrace", "continue", "print $_exitcode"])
    thrown, = frames(run.stdout)
    assert thrown[0] == "__cxa_throw", run.stdout
    assert thrown[1:] == ["app::fails"] * 3 + ["app::catches", "app::run", "main"], run.stdout
    assert run.stdout.endswith("$1 = 3\n") and MIXED_OUTPUT in run.stdout, run.stdout
    run.expect_tree(MIXED_TREE)


@case(BOTH_COMPILERS)
def gdb_comes_and_goes_while_a_traced_program_runs(test, build):
    data_dir = test.directory / "attached"
    environment = clean_environment() | {"AUTOTRACE_MODULES": "app",
                                         "AUTOTRACE_DIR": str(data_dir)}
    with subprocess.Popen([test.program(build, "waits.cc")], cwd=test.directory, text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=environment) as process:
        assert process.stdout.readline() == "ready\n"
        for _ in range(3):
            gdb = subprocess.run(
                gdb_command(f"attach {process.pid}", "backtrace", "info threads", "detach"),
                capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
            if "ptrace: Operation not permitted" in gdb.stderr:
                process.kill()
                raise Skip("attaching is not allowed here")
            (seen,) = frames(gdb.stdout)
            assert seen[-3:] == ["app::waits", "app::run", "main"], gdb.stdout
            assert '"autotrace"' in gdb.stdout, gdb.stdout
        out, err = process.communicate("go on\n", timeout=TIMEOUT_SECONDS)
    assert (out, err, process.returncode) == ("after it all\n", "", 6), (out, err, process)
    done = subprocess.CompletedProcess([], process.returncode, out, err)
    expect_text(Run(test, [], done, data_dir).forest().text(), """
        app::run
          app::part
          app::waits
            app::part x2
          app::fails  ERROR
    """)
