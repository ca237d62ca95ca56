"""Functions that are called very often and are always short fall quiet."""

import re

from cases_ctl import Jobs, service
from harness import BOTH_COMPILERS, ONE_BUILD, TRAP_BUILDS, case

FELL_QUIET = re.compile(r"1 function not recorded any more, always shorter than min_duration:\n"
                        r"  app::tiny after (\d+) calls\n")


def summary_of(run):
    return next(run.data_dir.glob("*/*.summary")).read_text()


@case(TRAP_BUILDS)
def only_what_was_always_short_falls_quiet(test, build):
    run = test.run(test.program(build, "often.cc"), "otrnewpS", config="""
        modules: [app, "app::named"]
        min_duration: 10ms
        quiet_after: 5000
    """)
    # Named exactly, not called often enough, slow once, left by an exception once, open meanwhile:
    # none of these is quiet.
    run.expect_tree("""
        app::once
        app::thrower  ERROR
        app::walk
        app::named
        app::rare
        app::once
        app::thrower
    """)
    calls, = FELL_QUIET.search(summary_of(run)).groups()
    assert 5000 <= int(calls) <= 12000, calls
    report = test.autotracer("report", data_dir=run.data_dir).stdout
    assert re.search(r"\nquiet, always shorter than min_duration: app::tiny after [\d,]+ calls\n",
                     report), report


@case(BOTH_COMPILERS)
def in_function_mode_functions_fall_quiet_by_themselves(test, build):
    run = test.run(test.program(build, "often.cc"), "trpS", config="""
        modules: [app]
        min_duration: 10ms
        min_duration_mode: function
    """)
    run.expect_tree("""
        app::named
        app::rare
        app::once
        app::thrower
    """)
    assert FELL_QUIET.search(summary_of(run)), summary_of(run)


@case(BOTH_COMPILERS)
def nothing_falls_quiet_unless_asked_for(test, build):
    run = test.run(test.program(build, "often.cc"), "tpS", modules="app",
                   env={"AUTOTRACE_MIN_DURATION": "10ms"})
    run.expect_tree("""
        app::tiny
        app::named
        app::rare
        app::once
        app::thrower
    """)
    assert "not recorded any more" not in summary_of(run)


@case(ONE_BUILD)
def the_table_alone_serves_where_code_is_left_alone(test, build):
    run = test.run(test.program(build, "often.cc"), "tpS", modules="app", env={
        "AUTOTRACE_MIN_DURATION": "10ms", "AUTOTRACE_QUIET_AFTER": 5000, "AUTOTRACE_PATCH": "off"})
    assert not run.forest().named("app::tiny")
    assert FELL_QUIET.search(summary_of(run)), summary_of(run)


@case(BOTH_COMPILERS)
def quiet_functions_are_brought_back_while_the_program_runs(test, build):
    with service(test, build, "often.cc", Jobs, AUTOTRACE_MIN_DURATION="10ms",
                 AUTOTRACE_QUIET_AFTER="5000") as running:
        running.do("t")
        running.do("p")
        status = running.ctl("status").stdout
        assert "\nquiet: 1 function\n  app::tiny after " in status, status
        assert "hooks erased: 0" not in status, status
        running.do("S")
        assert not running.forest().named("app::tiny")
        assert "quiet" not in running.ctl("quiet_after=0").stdout
        running.do("p")
        running.do("S")
        assert len(running.forest().named("app::tiny")) == 1
        (run,) = running.data_dir.iterdir()
        assert "quiet" not in test.autotracer("report", run).stdout


@case(ONE_BUILD)
def a_number_that_is_none_is_said(test, build):
    run = test.run(test.program(build, "often.cc"), "t", modules="app", quiet=False,
                   env={"AUTOTRACE_QUIET_AFTER": "often"})
    assert ('AUTOTRACE_QUIET_AFTER: found "often", expected auto or a whole number from 0 to '
            "1000000000; this run is not traced") in run.stderr, run.stderr
