"""How processes begin, end, fork, and are interrupted."""

import signal

from harness import BOTH_COMPILERS, case


ABRUPT_ENDS = (("_exit", 7), ("abort", -signal.SIGABRT), ("kill", -signal.SIGKILL))


def run(test, build, *arguments, status=0):
    return test.run(test.program(build, "processes.cc"), *arguments, modules="app", status=status)


@case(BOTH_COMPILERS)
def exit_deep_in_a_tree_keeps_the_tree(test, build):
    done = run(test, build, "exit", status=7)
    assert done.stdout == "begun\n"
    done.expect_tree("""
        app::run  unfinished
          app::finish  unfinished
            app::leaf
    """)


@case(BOTH_COMPILERS)
def open_spans_of_a_program_that_ended_abruptly_are_unfinished(test, build):
    for how, status in ABRUPT_ENDS:
        done = run(test, build, how, "late", status=status)
        assert done.stdout == "begun\n"
        done.expect_tree("""
            app::run  unfinished
              app::finish  unfinished
                app::leaf
        """)


@case(BOTH_COMPILERS)
def what_had_ended_when_a_program_was_killed_at_once_is_kept(test, build):
    for how, status in ABRUPT_ENDS:
        # Nobody has had the time to look at the open spans: their child's parent is not there.
        forest = run(test, build, how, status=status).forest(lost_parents=True)
        leaf = forest.one("app::leaf")
        assert leaf.attributes["thread.id"] == leaf.resource["process.pid"], leaf


@case(BOTH_COMPILERS)
def a_forked_child_parents_its_spans_and_repeats_none(test, build):
    forest = run(test, build, "fork").forest()
    names = sorted(span.name for span in forest.spans)
    assert names == ["app::fork_and_wait", "app::in_child", "app::leaf", "app::leaf", "app::leaf",
                     "app::run"], names
    child = forest.one("app::in_child")
    assert [span.name for span in child.children] == ["app::leaf"]
    parent = forest.one("app::fork_and_wait")
    assert child.parent_id == parent.span_id, "the child's span hangs elsewhere"
    assert child.resource["process.pid"] != parent.resource["process.pid"]


@case(BOTH_COMPILERS)
def a_signal_handlers_calls_nest_where_it_interrupted(test, build):
    run(test, build, "signal").expect_tree("""
        app::run
          app::interrupted
            app::on_signal
              app::leaf
            app::leaf
    """)
