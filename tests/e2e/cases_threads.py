"""Spans across threads: who is whose parent."""

import os

from harness import TRAP_BUILDS, Build, case


@case(TRAP_BUILDS)
def the_span_that_starts_a_thread_is_the_parent_of_its_spans(test, build):
    run = test.run(test.program(build, "thread_parents.cc"), modules="app::*")
    forest = run.expect_tree("""
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
    assert len(forest.traces) == 3
    assert len({span.attributes["thread.id"] for span in forest.spans}) >= 5


@case(TRAP_BUILDS)
def a_span_that_starts_a_thread_is_kept_however_short(test, build):
    run = test.run(test.program(build, "thread_parents.cc"), modules="app::*",
                   env={"AUTOTRACE_MIN_DURATION": "10ms"})
    run.expect_tree("""
        app::run
          app::in_outer_thread
        app::starts_detached
          app::detached
    """)


@case(TRAP_BUILDS)
def threads_have_traces_of_their_own_if_wanted(test, build):
    run = test.run(test.program(build, "thread_parents.cc"), modules="app::*",
                   env={"AUTOTRACE_THREAD_PARENTS": "false"})
    run.expect_tree("""
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


@case(TRAP_BUILDS)
def two_thousand_threads_that_come_and_go_lose_nothing(test, build):
    program = test.program(build, "limits.cc")
    run = test.run(program, "short-threads", 2000, modules="app")
    run.expect_tree("app::step x2000")


@case(TRAP_BUILDS)
def what_runs_before_main_and_after_it_is_recorded(test, build):
    # (Resolvers run before a sanitizer can.)
    has_resolver = build != Build("clang", "-O2", True) and test.paths.sanitizer is None
    flags = [] if has_resolver else ["-DNO_RESOLVER"]
    library = test.program(build, "lifetimes_library.cc", flags=flags, shared=True)
    program = test.program(build, "lifetimes.cc", flags=flags,
                           link=[library, f"-Wl,-rpath,{os.path.dirname(library)}"])
    run = test.run(program, modules="app,lib,resolved", env={"AUTOTRACE_THREAD_PARENTS": "false"})
    assert run.stdout == "7\n", run.stdout
    run.expect_tree("""
        lib::begins
        lib::in_thread
        app::static_begins
        app::in_thread
        app::thread_local_ends
        app::key_ends
        lib::used
        resolved
        app::thread_local_ends
        app::at_exit
        app::static_ends
        lib::ends
    """)
    # Those before the runtime's own start are counted: the program's resolver, and before_all().
    dropped = run.forest().spans[0].resource["autotrace.dropped.before_start"]
    assert dropped == (2 if has_resolver else 1), dropped


@case(TRAP_BUILDS)
def threads_that_are_alive_at_the_end_leave_what_had_ended(test, build):
    program = test.program(build, "alive_at_exit.cc")
    for how in ("return", "thread"):
        for _ in range(5):
            run = test.run(program, how, modules="app", status=3)
            assert run.stdout == "done\n", run.stdout
            forest = run.forest()
            root, = [root for root in forest.roots if root.name == "app::run"]
            assert not root.attributes.get("autotrace.unfinished")
            loops = forest.named("app::loops")
            assert len(loops) == 3 and all(
                span.attributes["autotrace.unfinished"] and span.parent_id == root.span_id
                for span in loops), loops
            for turn in forest.named("app::turns"):
                whole = len(turn.children) == 2 or turn.attributes.get("autotrace.unfinished")
                assert whole and forest.by_id[turn.parent_id].name == "app::loops", turn
            assert len(forest.named("app::turns")) > 6


@case(TRAP_BUILDS)
def an_instrumented_allocator_is_traced_and_does_not_trace_us(test, build):
    program = test.program(build, "allocators.cc", flags=["-fno-builtin"])
    run = test.run(program, modules="app", status=3)
    assert run.stdout == "done\n", run.stdout
    forest = run.forest()
    for root in forest.named("app::run"):
        calls = [span.name.removeprefix("app::") for span in root.walk()]
        assert calls == ["run", *["allocates", "takes", "frees"] * 3, "takes", "takes", "frees",
                         "frees"], calls
    assert len(forest.named("app::run")) == 2
