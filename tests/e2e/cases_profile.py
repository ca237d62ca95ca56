"""Profiles: functions that were short in a recorded run are compiled without hooks."""

import os
import pathlib
import re
import shutil

from cases_plugin import compile_words, run_tool
from harness import (
    BOTH_COMPILERS, ONE_BUILD, PROGRAMS, Build, case, expect_text)

# Of so many some may be interrupted, and the first ones of each function are decided about.
CALLS = 10_000
# The constructor has two names, and Clang makes two functions of it.
SHORT = {"_ZN3app3sumEi", "_ZN3app4PartC1Ei", "_ZN3app4PartC2Ei", "_ZN3app11rarely_longEi"}
RING = {"AUTOTRACE_RING_SIZE": "64MiB"}


def record(test, build, plugin=("--leaves", "none"), **settings):
    return test.run(test.program(build, "profiled.cc", plugin=list(plugin)), CALLS, modules="app",
                    env=RING | settings)


def write_profile(test, run, *options, min_duration="20us", status=0):
    """With a duration that a busy machine does not make of a short call."""
    done = test.autotracer("profile", "-o", "short.profile", "--min-duration", min_duration,
                           *options, data_dir=run.data_dir, status=status)
    return done.stderr


def names(test):
    lines = (test.directory / "short.profile").read_text().splitlines()
    assert re.fullmatch("# autotrace profile 1, version [0-9a-f]{16}", lines[0]), lines[0]
    return set(lines[2:])


def kept_profile(test):
    """A copy that stays, so that what is compiled with it is found in the cache again."""
    profile = test.directory / "short.profile"
    version = profile.read_text().split()[5]
    copy = pathlib.Path(test.paths.cache) / f"{version}.profile"
    shutil.copy2(profile, profile.with_suffix(".copy"))
    os.replace(profile.with_suffix(".copy"), copy)  # other cases may be reading it
    return str(copy)


@case([Build(family, level) for family in ("gcc", "clang") for level in ("-O0", "-O2")])
def what_was_short_gets_no_hooks_and_the_rest_keeps_them(test, build):
    told = write_profile(test, record(test, build))
    assert names(test) == SHORT, names(test)
    # A constructor is one function or two.
    assert re.fullmatch("autotracer: [78] functions seen, short: 4\n", told), told
    profile = kept_profile(test)
    without = test.program(build, "profiled.cc", plugin=["--leaves", "none", "--profile", profile])
    test.run(without, 100, "never", modules="app").expect_tree("""
        app::never_called
        app::run
          app::often_long x100
          app::tries
            app::fails  ERROR
        """)
    listed = test.autotracer("functions", without, "--modules", "app", "--all").stdout
    lines = listed.split("short in the profile that the compiler was given: ")[1].splitlines()
    assert {line.split(" ×")[0].strip() for line in lines[1:4]} == {
        "app::sum", "app::Part::Part", "app::rarely_long"}, listed


@case(ONE_BUILD)
def a_function_that_is_spelled_out_or_marked_keeps_its_hooks(test, build):
    write_profile(test, record(test, build))
    profile = kept_profile(test)
    program = test.program(build, "profiled.cc",
                           plugin=["--modules", "app,app::sum", "--profile", profile])
    test.run(program, 1, modules="app").expect_tree("""
        app::run
          app::sum
          app::often_long
          app::tries
            app::fails  ERROR
        """)


@case(ONE_BUILD)
def how_rare_long_calls_may_be_is_the_users_choice(test, build):
    run = record(test, build)
    write_profile(test, run, "--rare", "0")
    assert "_ZN3app11rarely_longEi" not in names(test), names(test)
    write_profile(test, run, "--rare", "0.5")
    assert names(test) == SHORT | {"_ZN3app10often_longEi"}, names(test)
    write_profile(test, run, "--rare", "0", min_duration="10s")
    assert names(test) == SHORT | {
        "_ZN3app10often_longEi", "_ZN3app3runEi", "_ZN3app5triesEv"}, names(test)


@case(ONE_BUILD)
def a_function_is_short_if_all_runs_say_so(test, build):
    run = record(test, build)
    test.run(test.program(build, "profiled.cc", plugin=["--leaves", "none"]), 400, modules="app",
             env=RING | {"AUTOTRACE_DIR": run.data_dir})
    first, second = sorted(path.name for path in run.data_dir.iterdir())
    write_profile(test, run, first)
    assert "_ZN3app11rarely_longEi" in names(test), names(test)
    # There one of 400 calls was long.
    write_profile(test, run, first, second)
    assert "_ZN3app11rarely_longEi" not in names(test), names(test)


@case(ONE_BUILD)
def a_run_with_min_duration_knows_what_was_never_long(test, build):
    run = record(test, build, AUTOTRACE_MIN_DURATION="20us")
    told = write_profile(test, run, min_duration="1us", status=1)
    assert ("calls shorter than 20us were left out when it was recorded: give --min-duration 20us "
            "or more" in told), told
    write_profile(test, run)
    assert names(test) <= SHORT - {"_ZN3app11rarely_longEi"}, names(test)
    deep = record(test, build, AUTOTRACE_MAX_DEPTH="2")
    assert "max_depth left out calls" in write_profile(test, deep, status=1)


@case(ONE_BUILD)
def dropped_calls_leave_what_is_not_known_well_its_hooks(test, build):
    # Nobody empties the ring: all calls of the end are dropped, those that were open longest too.
    run = test.run(test.program(build, "profiled.cc", plugin=["--leaves", "none"]), CALLS,
                   modules="app", env={"AUTOTRACE_RING_SIZE": "1MiB", "AUTOTRACE_THREAD": "0"})
    write_profile(test, run)
    assert names(test) == SHORT, names(test)


@case(BOTH_COMPILERS)
def a_profile_that_is_none_is_an_error_of_the_compiler(test, build):
    words = compile_words(test, build, PROGRAMS / "plugin_decisions.c")
    write_profile(test, record(test, build))
    profile = test.directory / "short.profile"
    changed = test.write("changed.profile", profile.read_text() + "_ZN3app3runEi\n")
    for arguments, expected in (
            ([f"profile={test.directory}/none"],
             f"profile: {test.directory}/none cannot be read: No such file or directory"),
            ([f"profile={PROGRAMS}/profiled.cc"], "profiled.cc is no profile: its first line is"),
            ([f"profile={changed}"], "changed.profile was changed after it was written"),
            ([f"profile={profile}", "profile-version=0123456789abcdef"],
             'profile-version: found "0123456789abcdef", but the profile is version')):
        done = run_tool(test, *words, *(f"-fplugin-arg-autotrace-{word}" for word in arguments),
                        "-o", "wrong.o", status=1)
        assert "autotrace: " in done.stderr and expected in done.stderr, done.stderr
    refused = run_tool(test, test.paths.autotracer, "flags", "--profile", changed, status=2)
    assert "was changed after it was written" in refused.stderr, refused.stderr


@case(ONE_BUILD)
def a_changed_profile_changes_the_command_line(test, build):
    run = record(test, build)
    flags = []
    for rare in ("0", "0.001"):
        write_profile(test, run, "--rare", rare)
        flags.append(run_tool(test, test.paths.autotracer, "flags", "--compiler",
                              test.compiler(build), "--profile", "short.profile").stdout)
    assert flags[0] != flags[1]
    assert f"profile={test.directory}/short.profile" in flags[0], flags[0]
    expect_text(re.sub("version=[0-9a-f]{16}", "version=X", flags[0]),
                re.sub("version=[0-9a-f]{16}", "version=X", flags[1]))
