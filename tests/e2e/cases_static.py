"""Static programs, with the runtime that records only linked in (libautotrace-cpp-record.a)."""

import re
import signal

from harness import Build, case, output_of
from cases_exceptions import (ENDED_TREE, EXCEPTION_KINDS_TREE, LONGJMP_TREE, expect_every_way)
from cases_live import endpoint, environment
from cases_off import system_calls, without_loading

STATIC_BUILDS = [Build(family, level, static=static) for family in ("gcc", "clang")
                 for level in ("-O0", "-O2") for static in ("-static", "-static-pie")]
BOTH_STATIC = [build for build in STATIC_BUILDS if build.name in ("gcc-O2-static",
                                                                   "clang-O2-static-pie")]
ONE_STATIC = BOTH_STATIC[:1]

NESTED_TREE = """
    app::run
      app::step
      app::step
        app::leaf
      app::step
        app::leaf x2
"""


@case(STATIC_BUILDS)
def calls_of_a_static_program_are_recorded(test, build):
    program = test.program(build, "nested.cc")
    segments = output_of(["readelf", "-lW", program])
    assert "INTERP" not in segments, "not a static program"
    run = test.run(program, 42, modules="app", status=42)
    assert run.stdout == "done\n", run.stdout
    forest = run.expect_tree(NESTED_TREE)
    leaf = forest.named("app::leaf")[0]
    assert leaf.attributes["code.file.path"].endswith("programs/nested.cc"), leaf.attributes
    assert leaf.resource["process.executable.name"] == "nested", leaf.resource


@case(STATIC_BUILDS)
def calls_left_in_any_way_end_there(test, build):
    forest = expect_every_way(test, test.program(build, "exception_kinds.cc"))
    assert "second base" in str(forest.one("app::original").events)
    stack = str(forest.one("app::catches_its_own").events or forest.named("app::compare")[0].events)
    assert "app::sorts (" in stack and "exception_kinds.cc:" in stack, stack
    test.run(test.program(build, "longjmp.cc"), modules="app").expect_tree(LONGJMP_TREE)


@case(STATIC_BUILDS)
def exceptions_before_main_and_after_it_are_seen(test, build):
    run = test.run(test.program(build, "before_main.cc"), modules="app::tries,app::fails")
    assert run.stdout == ("first constructor\nconstructor\nmain\ndestructor\ndestructor\n"), run
    run.expect_tree("""
        app::tries x5
          app::fails  ERROR
    """)


@case(STATIC_BUILDS)
def threads_of_a_static_program_continue_its_traces(test, build):
    test.run(test.program(build, "thread_parents.cc"), modules="app::*").expect_tree("""
        app::run
          app::in_std_thread
            app::part
          app::in_async
          app::in_pthread x2
          app::in_outer_thread
            app::in_inner_thread
        app::starts_detached
          app::detached
            app::part
        app::part
    """)
    run = test.run(test.program(build, "threads.cc"), 200, modules="app::work,app::part")
    run.expect_tree("""
        app::work x200
          app::part x2
    """, sort_roots=True)


@case(STATIC_BUILDS)
def threads_that_end_themselves_end_their_calls(test, build):
    program = test.program(build, "ends.cc")
    test.run(program, "pthread_exit", modules="app").expect_tree("""
        app::run
          app::deeper
            app::ends
        app::after
    """)
    test.run(program, "pthread_cancel", modules="app").expect_tree("""
        app::run
          app::deeper
            app::ends
              app::waits_to_be_cancelled
        app::after
    """)
    for how, status in (("exit", 3), ("quick_exit", 3)):
        test.run(program, how, modules="app", status=status).expect_tree(ENDED_TREE)


@case(STATIC_BUILDS)
def a_static_program_that_forks_or_executes_continues_its_trace(test, build):
    forest = test.run(test.program(build, "processes.cc"), "fork", modules="app").forest()
    child = forest.one("app::in_child")
    assert forest.by_id[child.parent_id].name == "app::fork_and_wait"
    assert [span.name for span in child.children] == ["app::leaf"]
    assert len(forest.spans) == 6, forest.text()
    program = test.program(build, "executes.cc")
    for how in ("posix_spawn", "posix_spawnp", "vfork", "execve", "execv", "execvp", "execvpe",
                "execl", "execlp", "execle", "fexecve"):
        done = test.run(program, how, modules="app")
        assert done.stdout == "child 55\nstatus 0\n", (how, done.stdout)
        done.expect_tree("""
            app::run
              app::starts
                app::child
        """)


@case(BOTH_STATIC)
def what_a_killed_static_program_left_is_read(test, build):
    for how, status in (("kill", -signal.SIGKILL), ("abort", -signal.SIGABRT), ("_exit", 7)):
        run = test.run(test.program(build, "processes.cc"), how, "late", modules="app",
                       status=status)
        run.expect_tree("""
            app::run  unfinished
              app::finish  unfinished
                app::leaf
        """)
        test.autotracer("recover", data_dir=run.data_dir)


@case(BOTH_STATIC)
def generators_and_signal_handlers_keep_to_their_stacks(test, build):
    run = test.run(test.program(build, "generators.cc"), modules="app")
    run.expect_tree("""
        app::run x2
          app::next
            app::produce
              app::deeper x2
                app::step x2
              app::step
          app::other_caller
            app::next
          app::next
          app::step
    """, outliving=["app::produce"])
    program = test.program(build, "processes.cc")
    test.run(program, "signal", modules="app").expect_tree("""
        app::run
          app::interrupted
            app::on_signal
              app::leaf
            app::leaf
    """)


@case(BOTH_STATIC)
def a_static_program_in_c_is_traced(test, build):
    run = test.run(test.program(build, "c_program.c"), modules="lib:c_program")
    assert run.stdout == "done\n"
    run.expect_tree("""
        main
          run
            step
            By hand  {rows=7910}
              step
    """)


@case([Build("clang", "-O2", static="-static")])
def a_static_program_on_clangs_cxx_library_is_traced(test, build):
    flags, _ = test.libcxx_flags()
    folder = test.paths.libcxx + "/lib"
    program = test.program(
        build, "exception_kinds.cc", name="static_libcxx", flags=flags,
        link=["-nostdlib++", f"{folder}/libc++.a", f"{folder}/libc++abi.a"])
    forest = expect_every_way(test, program)
    assert "second base" in str(forest.one("app::original").events)


@case(BOTH_STATIC)
def link_time_optimisation_and_another_linker_change_nothing(test, build):
    ways = [(["-flto"], test.lld_flags()), ([], test.lld_flags())]
    if build.family == "gcc":
        ways[0] = (["-flto"], [])  # its own linker reads what it makes
    for number, (flags, link) in enumerate(ways):
        expect_every_way(test, test.program(
            build, "exception_kinds.cc", name=f"linked{number}", flags=flags, link=link))


@case(BOTH_STATIC)
def the_archive_may_stand_before_the_objects(test, build):
    runtime_first = test.record_flags()
    program = test.program(build, "exception_kinds.cc", name="archive_first", runtime=False,
                           flags=[*runtime_first, "-Wl,--as-needed"])
    expect_every_way(test, program, EXCEPTION_KINDS_TREE)


@case(BOTH_STATIC)
def nothing_of_the_runtime_clashes_with_the_program(test, build):
    # All hooks of GCC: also in the standard library's templates.
    flags = ["-finstrument-functions"] if build.family == "gcc" else []
    program = test.program(build, "clashes.cc", flags=flags, instrument=not flags)
    run = test.run(program, modules="app")
    assert run.stdout == "1 4 7 10 13 16 19 \nown\n1 2 3 4\n", run.stdout
    names = [span.name for span in run.forest().spans]
    assert {"app::run", "app::join"} == set(names), names


@case([Build("gcc", "-O2", static="-static")])
def the_archive_shows_only_what_programs_use(test, _):
    test.record_flags()
    symbols = output_of(["nm", "--extern-only", "--format=posix", test.paths.record]).splitlines()
    kinds = {name: kind for name, kind in (line.split()[:2] for line in symbols[1:])}
    shown = {name for name, kind in kinds.items() if kind not in "Uw"}
    unexpected = {name for name in shown if not re.fullmatch(
        r"__cyg_profile_func_(enter|exit)|autotrace_(recording|flush|span_\w+|stack_\w+)|"
        r"__wrap_\w+", name)}
    assert shown and not unexpected, unexpected
    # A C++ library and an unwinder are inside; only the program's own are asked for by these.
    asked = {name for name, kind in kinds.items() if kind == "U" and name.startswith("_Z")}
    assert not asked, asked
    assert {name for name in kinds if name.startswith("_Unwind")} == {"_Unwind_GetCFA"}, kinds
    assert kinds["pthread_once"] == "U", kinds
    assert not {"dlopen", "dlsym", "dladdr"} & kinds.keys(), "not for static programs"


@case(BOTH_STATIC)
def off_a_static_program_does_nothing_of_ours(test, build):
    calls = without_loading(system_calls(test, test.program(build, "nested.cc")))
    assert calls == [], calls


@case(BOTH_STATIC)
def what_cannot_be_done_in_a_static_program_is_said(test, build):
    program = test.program(build, "nested.cc")
    with endpoint(test) as collector:
        run = test.run(program, modules="app", env=environment(collector), quiet=False)
        assert not collector.requests()
    assert run.stderr == ("autotrace: a static program cannot send its spans: they are recorded to "
                          "disk instead\n"), run.stderr
    run = test.run(program, modules="app", env={"AUTOTRACE_UNWINDER": "libunwind"}, quiet=False)
    assert run.stderr == ("autotrace: a static program cannot load libunwind; stacks are those of "
                          "unwinder: own\n"), run.stderr
    assert len(run.forest().spans) == 7


@case(BOTH_STATIC)
def roots_have_the_stack_above_them(test, build):
    run = test.run(test.program(build, "nested.cc"), modules="app",
                   env={"AUTOTRACE_ROOT_STACKTRACE": "true"})
    root, = run.forest().roots
    stack = root.attributes["code.stacktrace"].splitlines()
    assert stack[0].startswith("main (") and stack[-1].startswith("_start"), stack


@case(BOTH_STATIC)
def a_stripped_static_program_is_known_by_its_file(test, build):
    program = test.copy(test.program(build, "nested.cc"))
    output_of(["strip", program])
    forest = test.run(program, modules="lib:nested").forest()
    assert all(re.fullmatch(r"nested\+0x[0-9a-f]+", span.name) for span in forest.spans), forest.text()
    assert len(forest.spans) >= 7, forest.text()


@case(BOTH_STATIC)
def autotracer_run_says_what_it_can_do_for_a_static_program(test, build):
    data_dir = test.directory / "run"
    program = test.copy(test.program(build, "nested.cc"), "with_runtime")
    for strip in (False, True):
        if strip:
            output_of(["strip", program])
        done = test.autotracer("run", "--modules", "lib:with_runtime", "--dir", data_dir, "--",
                               program, 5, status=5)
        assert done.stdout == "done\n" and not done.stderr, done.stderr
        spans = test.autotracer("report", data_dir=data_dir).stdout
        assert strip or "app::leaf" in spans, spans
    without = test.program(build, "nested.cc", name="without", runtime=False)
    done = test.autotracer("run", "--dir", test.directory / "none", "--", without, 5, status=5)
    assert done.stdout == "done\n"
    assert done.stderr == (
        f"autotracer: 0 instrumented functions: {without} is statically linked, so nothing can be "
        "preloaded; link it with libautotrace-cpp-record.a (autotrace_instrument(), or pkg-config "
        "autotrace-cpp-record), or dynamically\n"), done.stderr
    assert not (test.directory / "none").exists()
