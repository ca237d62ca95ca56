"""Spans across threads: who is whose parent."""

from harness import TRAP_BUILDS, TRAP_BUILDS, case


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
