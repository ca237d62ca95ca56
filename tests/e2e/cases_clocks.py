"""Clocks that cannot be trusted: the processor's counter forbidden, the wall clock stepping."""

import signal
import subprocess
import time

from cases_modules import NESTED_TREE
from cases_stacks import HAND_SWITCHED_OUTLIVING, HAND_SWITCHED_TREE
from harness import ONE_BUILD, TRAP_BUILDS, Skip, case, clean_environment


def run_without_counter(test, build, source, *arguments):
    program = test.program(build, source, "no_counter.cc", name="without_counter")
    tried = subprocess.run([program], env=clean_environment() | {"TRY_COUNTER": "1"}, check=False)
    if tried.returncode != -signal.SIGSEGV:
        raise Skip("a program cannot forbid itself the time stamp counter here")
    return test.run(program, *arguments, modules="app")


@case(TRAP_BUILDS)
def without_a_counter_that_may_be_read_the_system_clock_serves(test, build):
    begin = time.time_ns()
    forest = run_without_counter(test, build, "nested.cc").expect_tree(NESTED_TREE)
    end = time.time_ns()
    for span in forest.spans:
        assert begin <= span.start <= span.end <= end, (begin, span, end)
    # All paths of the recorder are others with that clock.
    run = run_without_counter(test, build, "hand_switched.cc", "array")
    run.expect_tree(HAND_SWITCHED_TREE, outliving=HAND_SWITCHED_OUTLIVING)


@case(ONE_BUILD)
def a_wall_clock_that_steps_moves_no_span(test, build):
    clock = test.program(build, "stepping_clock.c", shared=True, instrument=False, runtime=False)
    program = test.program(build, "ends.cc")
    begin = time.time_ns()
    # Long enough for the clocks to be compared several times.
    run = test.run(program, "exit", "2500", modules="app", status=3, env={"LD_PRELOAD": clock})
    elapsed = time.time_ns() - begin
    forest = run.forest()
    (root,) = forest.roots
    # What the wall clock said at the beginning holds for all of the run.
    assert abs(root.start - begin) > 1000e9, (root.start, begin)
    assert 2.5e9 < root.duration < elapsed, (root.duration, elapsed)
    for span in forest.spans:
        assert root.start <= span.start <= span.end <= root.end, span
        assert span.duration > 2.4e9, span
