"""Hooks of functions that are not recorded are taken out of the code, and nothing else changes."""

import re

from harness import BOTH_COMPILERS, ONE_BUILD, TRAP_BUILDS, Build, case

# What a byte of a call becomes: call rel32, call through memory, jump rel32 and through memory.
KINDS = {"e8 a9", "ff 85", "e9 c3", "ff c3"}
MORE_BUILDS = [Build(family, level) for family in ("gcc", "clang") for level in ("-O3", "-Os")]


def run_erased(test, build, how="erased", patch="auto", flags=(), link=()):
    program = test.program(build, "erased.cc", flags=flags, link=link)
    run = test.run(program, how, modules="app", env={"AUTOTRACE_PATCH": patch})
    head, *kinds = run.stdout.splitlines()
    numbers = re.fullmatch(r"calls (\d+) wrong (\d+) bytes (\d+)", head).groups()
    calls, wrong, changed = map(int, numbers)
    assert wrong == 0, run.stdout
    forest = run.forest()
    assert len(forest.spans) == calls and len(forest.named("app::work")) == calls, (
        len(forest.spans), calls)
    return changed, set(kinds), next(run.data_dir.glob("*/*.summary")).read_text()


@case(TRAP_BUILDS + MORE_BUILDS)
def only_calls_of_hooks_change_while_eight_threads_run_them(test, build):
    changed, kinds, summary = run_erased(test, build)
    assert changed >= 16 and kinds <= KINDS, (changed, kinds)
    erased, functions = re.search(
        r"(\d+) calls of hooks erased, of (\d+) functions that are not recorded", summary).groups()
    assert int(erased) == changed and int(functions) >= 8, (summary, changed)


@case(BOTH_COMPILERS)
def calls_through_the_global_offset_table_are_erased(test, build):
    changed, kinds, _ = run_erased(test, build, flags=["-fno-plt"])
    assert changed >= 16 and kinds <= KINDS, (changed, kinds)
    if build.family == "gcc":  # Clang's are turned into plain calls by the linker
        assert "ff 85" in kinds, kinds


@case(BOTH_COMPILERS)
def code_at_a_fixed_address_and_bound_at_start_is_erased(test, build):
    changed, kinds, _ = run_erased(test, build, flags=["-fno-pie"], link=["-no-pie", "-Wl,-z,now"])
    assert changed >= 16 and kinds <= KINDS, (changed, kinds)


@case(BOTH_COMPILERS)
def code_is_left_alone_when_that_is_asked_for(test, build):
    changed, _, summary = run_erased(test, build, how="left", patch="off")
    assert changed == 0 and "hooks" not in summary, (changed, summary)


@case(ONE_BUILD)
def code_that_cannot_be_made_writable_stays_and_is_counted(test, build):
    changed, _, summary = run_erased(test, build, how="forbid")
    assert changed == 0, changed
    assert re.search(r"\n  \d+ calls left: the code cannot be made writable", summary), summary
