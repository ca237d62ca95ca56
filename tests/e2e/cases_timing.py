"""Times, each case alone on the machine."""

import os
import statistics
import time

from harness import ONE_BUILD, case, clean_environment

RUNS = 50
LIMIT_SECONDS = 0.001


def seconds(program, environment):
    begin = time.perf_counter()
    process = os.posix_spawn(program, [program], environment, file_actions=[
        (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
    _, status = os.waitpid(process, 0)
    assert status == 0
    return time.perf_counter() - begin


@case(ONE_BUILD)
def off_starts_within_a_millisecond_of_an_unlinked_program(test, build):
    # The same program with its hooks, so that the difference is the runtime alone.
    linked = str(test.program(build, "nested.cc"))
    unlinked = str(test.program(build, "nested.cc", runtime=False))
    environment = clean_environment()
    samples = {linked: [], unlinked: []}
    for _ in range(RUNS):  # in turn, so that a busy moment meets both
        for program, times in samples.items():
            times.append(seconds(program, environment))
    difference = statistics.median(samples[linked]) - statistics.median(samples[unlinked])
    print(f"        median of {RUNS}: {difference * 1e6:.0f} us more")
    assert difference < LIMIT_SECONDS, f"{difference * 1e6:.0f} us"
