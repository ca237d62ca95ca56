"""Threads that run on more than one stack: generators, coroutines, fibers, signal handlers."""

import collections

from harness import TRAP_BUILDS, case


@case(TRAP_BUILDS)
def a_generator_on_its_own_stack_neither_loses_nor_takes_calls(test, build):
    run = test.run(test.program(build, "generators.cc"), modules="app")
    assert run.stdout == "3\n3\n", run.stdout
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


@case(TRAP_BUILDS)
def a_coroutine_runs_below_whoever_resumes_it(test, build):
    run = test.run(test.program(build, "coroutines.cc"), modules="app")
    assert run.stdout == "2\n", run.stdout
    forest = run.forest()
    # How many functions a coroutine is made of differs between compilers and levels; all of them
    # are called produce.
    calls = [(span.name, forest.by_id[span.parent_id].name if span.parent_id else None)
             for span in sorted(forest.spans, key=lambda span: span.start)
             if span.name != "app::produce"]
    resumed = [("app::next", "app::run"), ("app::step", "app::produce")]
    in_thread = [("app::in_thread", "app::run"), ("app::next", "app::in_thread"), resumed[1]]
    assert calls == [("app::run", None), *resumed, *in_thread, *resumed], calls
    for step in forest.named("app::step"):
        above = forest.by_id[step.parent_id]
        while above.name == "app::produce":
            above = forest.by_id[above.parent_id]
        assert above.name == "app::next", above.name


def expect_fibers(run):
    assert run.stdout == "ended\n", run.stdout
    forest = run.expect_tree("""
        app::run
          app::turn
            app::body
              app::step x3
          app::turn
            app::body  ERROR
              app::step
          app::turn
          app::in_thread
            app::turn
          app::turn
    """, outliving=["app::body"])
    assert len({step.attributes["thread.id"] for step in forest.named("app::step")}) == 2


@case(TRAP_BUILDS)
def announced_fibers_have_calls_of_their_own(test, build):
    expect_fibers(test.run(test.program(build, "fibers.cc", link=["-lboost_context"]),
                           modules="app"))


@case(TRAP_BUILDS)
def fibers_that_nobody_announces_have_calls_of_their_own(test, build):
    expect_fibers(test.run(test.program(build, "fibers.cc", name="unannounced",
                                        flags=["-DUNANNOUNCED"], link=["-lboost_context"]),
                           modules="app"))


@case(TRAP_BUILDS)
def coroutines_that_are_switched_by_jumps_have_calls_of_their_own(test, build):
    run = test.run(test.program(build, "by_jumps.cc"), modules="app")
    assert run.stdout == "done\n", run.stdout
    run.expect_tree("""
        app::run
          app::next
            app::produce
              app::deeper x2
                app::step x2
          app::step
          app::other
            app::next
          app::next
    """, outliving=["app::produce"])


@case(TRAP_BUILDS)
def signal_handlers_nest_below_what_they_interrupt(test, build):
    run = test.run(test.program(build, "signal_stacks.cc"), modules="app")
    assert run.stdout == "done\n", run.stdout
    run.expect_tree("""
        app::run x2
          app::interrupted
            app::leaf
            app::handler
              app::leaf
            app::leaf
          app::jumps
            app::interrupted
              app::leaf
              app::handler
                app::leaf
            app::leaf
          app::leaf
    """)


@case(TRAP_BUILDS)
def a_handler_that_jumps_out_of_a_hook_leaves_the_recorder_whole(test, build):
    # Short calls leave nothing, so that the recording stays small.
    run = test.run(test.program(build, "jumps_out_of_hooks.cc"), config="""
        modules: [app]
        min_duration_for:
          app::leaf: 1s
    """)
    assert run.stdout == "done\n", run.stdout
    forest = run.forest()
    assert len(forest.named("app::busy")) == 200
    assert {forest.by_id[busy.parent_id].name for busy in forest.named("app::busy")} == {"app::run"}
    after_all = forest.one("app::after_all")
    assert forest.by_id[after_all.parent_id].name == "app::run"
    run, = forest.roots[:1]
    assert run.name == "app::run" and not run.attributes.get("autotrace.unfinished"), run


HAND_SWITCHED_TREE = """
    app::run
      app::generates
        app::next
          app::produce
            app::deeper x2
              app::step x2
            app::step
        app::other_caller
          app::next
        app::next
        app::step
      app::walks
        app::walk
          app::walk x2
      app::schedules
        app::works x3
          app::step x2
        app::step
      app::extremes
        app::next
          app::tries
            app::fails  ERROR
            app::step
        app::large_here
          app::step
        app::next
        app::next
          app::large_there
            app::step x2
        app::large_here
          app::step
        app::next
      app::hands_over
        app::next
          app::produce
            app::deeper x2
              app::step x2
            app::step
        app::in_thread
          app::next
          app::step
        app::next
"""
HAND_SWITCHED_OUTLIVING = [
    "app::produce", "app::walk", "app::works", "app::tries", "app::large_there"]


@case(TRAP_BUILDS)
def stacks_switched_by_hand_have_calls_of_their_own(test, build):
    program = test.program(build, "hand_switched.cc")
    for where in ("heap", "maps", "array", "back"):
        run = test.run(program, where, modules="app")
        assert run.stdout == "done\n", run.stdout
        run.expect_tree(HAND_SWITCHED_TREE, outliving=HAND_SWITCHED_OUTLIVING)


@case(TRAP_BUILDS)
def stacks_that_nobody_can_tell_apart_lose_no_call(test, build):
    # Whose children the fibers' calls are cannot be known, and is not looked at: see guarantees.md.
    run = test.run(test.program(build, "fooled.cc"), modules="app")
    assert run.stdout == "done\n", run.stdout
    spans = run.forest(lost_parents=False, outliving=["app::produce", "app::deeper"]).spans
    calls = collections.Counter(span.name for span in spans)
    assert calls == {"app::run": 3, "app::inside": 3, "app::close_together": 3,
                     "app::used_again": 3, "app::next": 27, "app::produce": 15, "app::deeper": 15,
                     "app::step": 42}, calls
    # The fibers that were given up.
    unfinished = collections.Counter(
        span.name for span in spans if span.attributes.get("autotrace.unfinished"))
    assert unfinished == {"app::produce": 3, "app::deeper": 3}, unfinished


@case(TRAP_BUILDS)
def handlers_that_interrupt_hooks_stand_where_they_interrupted(test, build):
    program = test.program(build, "signal_storm.cc")
    rounds = 1000
    for stack in ("normal", "alternate"):
        run = test.run(program, stack, rounds, modules="app")
        forest = run.forest()
        spans = collections.Counter(span.name for span in forest.spans)
        ticks = int(run.stdout)
        assert spans == {"app::run": 1, "app::work": rounds, "app::leaf": 10 * rounds,
                         "app::on_tick": ticks, "app::tick_part": ticks}, (spans, ticks)
        below = collections.Counter(
            (span.name, forest.by_id[span.parent_id].name) for span in forest.spans
            if span.parent_id and span.name != "app::on_tick")
        assert below == {("app::work", "app::run"): rounds, ("app::leaf", "app::work"): 10 * rounds,
                         ("app::tick_part", "app::on_tick"): ticks}, below
        # None is a root: the timer runs inside of run() only.
        assert [root.name for root in forest.roots] == ["app::run"], forest.roots
