"""The list of what a compiler plugin left out: it arrives in every binary, and is read."""

import os
import re
import textwrap

from cases_plugin import TREE_LIST, compile_words, dropped_texts, run_tool
from harness import BOTH_COMPILERS, ONE_BUILD, PROGRAMS, case, expect_text

LEFT_OUT = "the compiler plugin left out"


def program(test, build, **options):
    return test.program(build, "plugin_tree.cc", plugin=[], **options)


# ---- It arrives


@case(BOTH_COMPILERS)
def the_list_outlives_strip_and_dead_code(test, build):
    built = program(test, build, flags=["-ffunction-sections"], link=["-Wl,--gc-sections"])
    expect_text(dropped_texts(test, built), TREE_LIST)
    stripped = test.copy(built, "stripped")
    run_tool(test, "strip", stripped)
    expect_text(dropped_texts(test, stripped), TREE_LIST)
    with_lld = program(test, build, link=[*test.lld_flags(), "-Wl,--gc-sections,--icf=all,-O2"])
    expect_text(dropped_texts(test, with_lld), TREE_LIST)


@case(BOTH_COMPILERS)
def the_list_comes_out_of_archives_and_relocatable_objects(test, build):
    words = compile_words(test, build, PROGRAMS / "plugin_tree.cc")
    compiler = words[0]
    run_tool(test, *words, "-o", "tree.o")
    folder = os.path.dirname(test.paths.runtime)
    runtime = [test.paths.runtime, f"-Wl,-rpath,{folder}"]
    run_tool(test, "ld", "-r", "tree.o", "-o", "relocatable.o")
    run_tool(test, compiler, "relocatable.o", *runtime, "-o", "from_relocatable")
    expect_text(dropped_texts(test, test.directory / "from_relocatable"), TREE_LIST)
    run_tool(test, "ar", "rc", "libtree.a", "tree.o")
    run_tool(test, compiler, "-Wl,--undefined=main", "libtree.a", *runtime, "-o", "from_archive")
    expect_text(dropped_texts(test, test.directory / "from_archive"), TREE_LIST)


@case(BOTH_COMPILERS)
def one_entry_stands_for_many_objects(test, build):
    test.write("shared.h", """
        namespace app {
        struct Point { int x() const { return x_; } int x_ = 0; };
        }
        """)
    for name, body in (("one", "int one() { return app::Point().x(); }"),
                       ("two", "int one(); int main() { return app::Point().x() + one(); }")):
        test.write(f"{name}.cc", f'#include "shared.h"\n{body}\n')
        run_tool(test, *compile_words(test, build, f"{name}.cc"), "-o", f"{name}.o")
    compiler = test.compiler(build)
    run_tool(test, compiler, "one.o", "two.o", "-o", "both")
    expect_text(dropped_texts(test, test.directory / "both"), """
        fshared.h
        l_ZNK3app5Point1xEv
        """)


@case(BOTH_COMPILERS)
def source_files_are_named_as_debug_information_names_them(test, build):
    test.write("mapped.cc", "inline int leaf() { return 1; }\nint main() { return leaf() - 1; }\n")
    source = test.directory / "mapped.cc"
    run_tool(test, *compile_words(test, build, source, f"-ffile-prefix-map={test.directory}=/src"),
             "-o", "mapped.o")
    assert b"f/src/mapped.cc\0" in (test.directory / "mapped.o").read_bytes()


# ---- It is read


@case(BOTH_COMPILERS)
def a_pattern_that_only_matched_what_was_left_out_is_told_so(test, build):
    run = test.run(program(test, build), quiet=False,
                   modules="app::Counter::next,plugin_tree.h,app::Counter<int>::next,nothing")
    lines = [line.split("; `autotracer")[0] for line in run.stderr.splitlines()]
    assert lines == [
        "autotrace: no function that ran matches modules: app::Counter::next; "
        f"{LEFT_OUT} 1 that does: inline, without loop or call",
        "autotrace: no function that ran matches modules: plugin_tree.h",
        "autotrace: no function that ran matches modules: app::Counter<int>::next",
        "autotrace: no function that ran matches modules: nothing"], run.stderr


@case(BOTH_COMPILERS)
def a_program_compiled_for_other_patterns_says_so(test, build):
    built = test.program(build, "plugin_tree.cc", plugin=["--modules", "other"])
    run = test.run(built, quiet=False, modules="app::run,app::doubled,plugin_tree.cc")
    by_pattern = "matched by none of the patterns that the compiler was given"
    lines = [line.split("; `autotracer")[0] for line in run.stderr.splitlines()]
    # Counter::shown is marked, stands in the file and has run.
    assert lines == [
        f"autotrace: no function that ran matches modules: app::{name}; {LEFT_OUT} "
        f"1 that does: {by_pattern}" for name in ("run", "doubled")], run.stderr


@case(BOTH_COMPILERS)
def functions_lists_what_was_left_out(test, build):
    built = program(test, build)
    listed = test.autotracer("functions", built, "--modules", "app,other", "--all")
    for expected in ("""
        selected: 5 of
          app::Counter::shown
          app::both
          app::doubled
          app::run
          other::work
        """, """
        compiled without hooks: inline, without loop or call: 1
          app::Counter::next
        """):
        text = re.sub(r"(selected: \d+ of).*", r"\1", listed.stdout)
        assert textwrap.dedent(expected) in "\n" + text, text
    nothing = test.autotracer("functions", built, "--modules", "app::Counter::next", status=1)
    assert nothing.stderr == (
        "autotracer: warning: matched no function here: modules: app::Counter::next; "
        f"{LEFT_OUT} 1 that does: inline, without loop or call\n"), nothing.stderr


@case(ONE_BUILD)
def a_program_that_kept_no_hooks_is_explained(test, build):
    built = test.program(build, "nested.cc", plugin=["--modules", "nothing"], runtime=False)
    listed = test.autotracer("functions", built, "--modules", "app", status=1)
    assert "the compiler plugin left all of them out: give it wider patterns" in listed.stderr
    run = test.autotracer("run", "--modules", "app", "--", built)
    assert "0 instrumented functions: the compiler plugin left the hooks out of all" in run.stderr
