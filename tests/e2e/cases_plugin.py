"""The compiler plugins: what they decide on a function, however it is compiled, and what is seen."""

import pathlib
import re
import shutil
import subprocess

from harness import (
    ALL_BUILDS, BOTH_COMPILERS, PROGRAMS, SOURCE_ROOT, Build, Skip, case, clean_environment,
    expect_text)

# Of plugin_decisions.cc, in namespace app but for main. A name may stand for several functions.
KEPT = set("""
    Box<std::string>::copy Marked::Marked Marked::as<int> Marked::value Numbered::Numbered
    Part::Part Point::out_of_line Shape::~Shape allocated assembler calls_marked_always
    calls_out_of_line constant copied copy helper jump_back loop_for loop_while marked_always
    once_for_all recursive run run()::{lambda}::operator() through_pointer through_table throws
    twice<int> twice<std::string> with_local main
    """.split())
LEAVES = set("""
    Box<std::string>::get Box<std::string>::size Point::Point Point::sum Point::x Shape::area
    Shape::~Shape Square::area atomically calls_inline dereferenced evaluated<int> greater
    if_and_switch in_header in_header(int)::{lambda}::operator() jump_forward known_class once
    run()::{lambda}::operator() small_copy string_empty twice<double> vector_element
    """.split())
COMPILER_MADE = set("""
    Box<std::string>::~Box Inheriting::Numbered Inheriting::~Inheriting Numbered::~Numbered
    Outside::Outside Outside::~Outside Part::Part Part::operator= Part::~Part Square::~Square
    """.split())
# Compilers differ in whether they make anything of these, or leave anything of them.
MADE_BY_SOME = {"Shape::Shape", "Square::Square", "Inheriting::~Inheriting", "Square::~Square"}
OUT_OF_LINE_LEAVES = {"Point::out_of_line", "constant", "helper", "twice<int>"}

C_KEPT = set("""
    assembler calls_library calls_out_of_line jump_back loop main marked_always out_of_line
    """.split())
C_LEAVES = set("atomically calls_inline leaf once small_copy".split())

INLINE = "inline, without loop or call"
MADE = "made by the compiler"
NO_TRACE = "marked AUTOTRACE_NO_TRACE"
UNMATCHED = "matched by none of the patterns that the compiler was given"


class Report:
    """What `report` prints: the short names of functions, by what became of them and why."""

    def __init__(self, text):
        self.kept, self.dropped, self.standard_library = set(), {}, 0
        for line in text.splitlines():
            of_standard_library = re.fullmatch(
                r"autotrace: (\d+) functions? of the standard library", line)
            if of_standard_library:
                self.standard_library = int(of_standard_library[1])
                continue
            parts = re.fullmatch(
                r"autotrace: (kept|dropped) +(.*): (matched by '.*'|[^:]*)", line)
            assert parts, f"unexpected output: {line}"
            name = self.short(parts[2])
            if parts[1] == "kept":
                self.kept.add(name)
            else:
                self.dropped.setdefault(parts[3], set()).add(name)

    @staticmethod
    def short(name):
        name = name.replace("std::__cxx11::basic_string<char, std::char_traits<char>, "
                            "std::allocator<char> >", "std::string").replace("string >", "string>")
        # Clang numbers lambdas; GCC says what they take.
        name = re.sub(r"\$_\d+|\{lambda\([^()]*\)#\d+\}", "{lambda}", name)
        return name.removeprefix("app::")


def compile_words(test, build, source, *flags, options=()):
    language = "c" if str(source).endswith(".c") else "c++"
    compiler = test.compiler(build, language)
    test.plugin_file(build)
    return [compiler, build.level, "-std=c++20" if language == "c++" else "-std=gnu11",
            *test.instrument_flags(compiler, options), "-I", SOURCE_ROOT / "runtime/include",
            "-I", PROGRAMS, *flags, "-c", source]


def run_tool(test, *words, env=None, status=0):
    done = subprocess.run([str(word) for word in words], cwd=test.directory, check=False,
                          env=clean_environment() | (env or {}), capture_output=True, text=True)
    assert done.returncode == status, f"{words}: exit status {done.returncode}: {done.stderr}"
    return done


def report(test, build, source, *flags, options=()):
    words = compile_words(test, build, source, *flags, "-fplugin-arg-autotrace-report",
                          options=options)
    return Report(run_tool(test, *words, "-o", "reported.o").stderr)


def expect_decisions(found, kept=frozenset(KEPT), leaves=frozenset(LEAVES)):
    assert found.kept == kept, (found.kept - kept, kept - found.kept)
    assert found.dropped.get(INLINE, set()) == leaves, found.dropped[INLINE] ^ leaves
    made = found.dropped[MADE]
    assert made | MADE_BY_SOME == COMPILER_MADE | MADE_BY_SOME, made ^ COMPILER_MADE
    assert found.dropped[NO_TRACE] == {"marked_no_trace"}
    assert set(found.dropped) <= {INLINE, MADE, NO_TRACE}, found.dropped.keys()
    assert found.standard_library > 100


def expect_c_decisions(found):
    assert found.kept == C_KEPT, found.kept ^ C_KEPT
    assert found.dropped == {INLINE: C_LEAVES, NO_TRACE: {"marked_no_trace"}}, found.dropped


# ---- Decisions


@case(ALL_BUILDS)
def the_same_functions_are_dropped_in_every_build(test, build):
    expect_decisions(report(test, build, PROGRAMS / "plugin_decisions.cc"))
    expect_c_decisions(report(test, build, PROGRAMS / "plugin_decisions.c"))


@case(BOTH_COMPILERS)
def the_same_functions_are_dropped_whatever_the_flags(test, build):
    source = PROGRAMS / "plugin_decisions.cc"
    for flags in (["-flto"], ["-fPIC"], ["-Os", "-g0"], ["-D_FORTIFY_SOURCE=2"],
                  ["-ffunction-sections"], ["-fno-exceptions"], ["-std=c++17"], ["-fno-inline"]):
        expect_decisions(report(test, build, source, *flags))
    expect_c_decisions(report(test, build, PROGRAMS / "plugin_decisions.c", "-flto"))
    expect_c_decisions(report(test, build, PROGRAMS / "plugin_decisions.c", "-fexceptions"))


@case([Build("gcc", "-O0"), Build("clang", "-O0"), *BOTH_COMPILERS])
def the_same_functions_are_dropped_with_a_precompiled_header(test, build):
    for name in ("plugin_decisions.cc", "plugin_decisions.h", "program.h"):
        shutil.copy(PROGRAMS / name, test.directory)
    words = compile_words(test, build, "plugin_decisions.h")
    place = words.index("-c")
    header = test.directory / "plugin_decisions.h.gch"
    run_tool(test, *words[:place], "-x", "c++-header", "plugin_decisions.h", "-o", header)
    use = ["-Winvalid-pch", "-Werror", "-include", "plugin_decisions.h"]
    if build.family == "clang":
        use = ["-include-pch", header]
    source = test.directory / "plugin_decisions.cc"
    expect_decisions(report(test, build, source, *use))
    if build.family == "gcc":
        used = run_tool(test, *compile_words(test, build, source, *use, "-H"), "-o", "used.o")
        assert "! ./plugin_decisions.h.gch" in used.stderr, used.stderr[:200]


@case(BOTH_COMPILERS)
def leaves_can_be_dropped_all_or_not_at_all(test, build):
    source = PROGRAMS / "plugin_decisions.cc"
    none = report(test, build, source, options=["--leaves", "none"])
    expect_decisions(none, kept=KEPT | LEAVES, leaves=set())
    everything = report(test, build, source, options=["--leaves", "all"])
    # helper() is known to nobody else, so that its call vanishes as well.
    leaves = LEAVES | OUT_OF_LINE_LEAVES | {"calls_out_of_line"}
    expect_decisions(everything, kept=KEPT - (leaves - LEAVES), leaves=leaves)


@case(BOTH_COMPILERS)
def compiler_made_members_can_be_kept(test, build):
    found = report(test, build, PROGRAMS / "plugin_decisions.cc",
                   "-fplugin-arg-autotrace-compiler-made=keep")
    assert MADE not in found.dropped
    # They may be leaves as others may.
    leaves = {"Outside::Outside"}
    assert found.kept >= KEPT | COMPILER_MADE - MADE_BY_SOME - leaves, found.kept
    assert found.dropped[INLINE] >= LEAVES | leaves, found.dropped


@case(BOTH_COMPILERS)
def patterns_choose_at_compile_time(test, build):
    source = PROGRAMS / "plugin_decisions.cc"
    some = report(test, build, source, options=["--modules", "app::Point,app::twice<int>"])
    assert some.kept == {"Point::out_of_line", "twice<int>", "Marked::Marked", "Marked::as<int>",
                         "Marked::value", "marked_always"}, some.kept
    assert some.dropped[INLINE] == {"Point::Point", "Point::sum", "Point::x"}, some.dropped
    assert some.dropped[UNMATCHED] >= {"main", "run", "twice<double>", "throws", "Part::Part"}
    # One that spells out the function keeps a leaf.
    exact = report(test, build, source, options=["--modules", "app::Point::sum"])
    assert "Point::sum" in exact.kept and INLINE not in exact.dropped
    in_file = report(test, build, source, options=["--modules", "plugin_decisions.h"])
    assert {name for name in in_file.kept if "arked" not in name} == {
        "Box<std::string>::copy", "Part::Part"}, in_file.kept
    # What only the loader knows is decided when the program runs.
    expect_decisions(report(test, build, source, options=["--modules", "lib:my_service"]))


@case(BOTH_COMPILERS)
def a_wrong_setting_is_an_error_of_the_compiler(test, build):
    words = compile_words(test, build, PROGRAMS / "plugin_decisions.c")
    for argument, expected in (
            ("leaves=some", 'leaves: found "some", expected inline, all or none'),
            ("modules=src:", 'modules: found "src:", expected a pattern')):
        done = run_tool(test, *words, f"-fplugin-arg-autotrace-{argument}", "-o", "wrong.o", status=1)
        assert f"autotrace: {expected}" in done.stderr, done.stderr


@case(BOTH_COMPILERS)
def without_hooks_the_plugin_does_nothing(test, build):
    # Debug information names the flags.
    words = compile_words(test, build, PROGRAMS / "exceptions.cc", "-g0")
    words = [word for word in words if not str(word).startswith("-finstrument-functions")]
    run_tool(test, *words, "-o", "with.o")
    run_tool(test, *[word for word in words if "plugin=" not in str(word)], "-o", "without.o")
    for name in ("with.o", "without.o"):
        run_tool(test, "objcopy", "--remove-section=.comment", name)
    assert (test.directory / "with.o").read_bytes() == (test.directory / "without.o").read_bytes()


# ---- Trees


@case(ALL_BUILDS)
def inlined_functions_keep_their_spans_but_for_leaves(test, build):
    program = test.program(build, "plugin_tree.cc", plugin=[])
    test.run(program, modules="app").expect_tree("""
        app::run
          app::both
            app::doubled
            app::Counter::shown
            app::doubled
        """)
    everything = test.program(build, "plugin_tree.cc", plugin=["--leaves", "none"])
    test.run(everything, modules="app").expect_tree("""
        app::run
          app::both
            app::Counter::next
            app::doubled
            app::Counter::shown
            app::doubled
          app::Counter::next
        """)
    chosen = test.program(build, "plugin_tree.cc", plugin=["--modules", "app::doubled"])
    test.run(chosen, modules="*").expect_tree("""
        app::doubled
        app::Counter::shown
        app::doubled
        """)


@case([Build("gcc", "-O0"), Build("clang", "-O0")])
def marks_mean_the_same_without_the_plugin(test, build):
    program = test.program(build, "plugin_tree.cc", flags=["-Wall", "-Wextra", "-Werror"])
    test.run(program, modules="app").expect_tree("""
        app::run
          app::both
            app::Counter::next
            app::doubled
            app::Counter::shown
            app::doubled
          app::Counter::next
        """)


@case([Build(family, level) for family in ("gcc", "clang") for level in ("-O0", "-O2")])
def link_time_optimization_changes_nothing(test, build):
    is_clang = build.family == "clang"
    for flag in ["-flto", "-flto=thin"] if is_clang else ["-flto"]:
        program = test.program(build, "plugin_tree.cc", plugin=[], flags=[flag],
                               link=test.lld_flags() if is_clang else [])
        test.run(program, modules="app").expect_tree("""
            app::run
              app::both
                app::doubled
                app::Counter::shown
                app::doubled
            """)
        expect_text(dropped_texts(test, program), TREE_LIST)


@case(BOTH_COMPILERS)
def ccache_compiles_anew_when_settings_or_the_plugin_change(test, build):
    if shutil.which("ccache") is None:
        raise Skip("ccache is not installed")
    source = test.write("cached.cc", "inline int leaf() { return 1; }\nint main() { return leaf(); }\n")
    original = test.plugin_file(build)
    copied = test.copy(pathlib.Path(original))
    environment = {"CCACHE_DIR": str(test.directory / "ccache"), "CCACHE_CONFIGPATH": "/dev/null"}

    def expect(result, *options):
        words = [str(word).replace(str(original), str(copied))
                 for word in compile_words(test, build, source, options=options)]
        run_tool(test, "ccache", "--zero-stats", env=environment)
        run_tool(test, "ccache", *words, "-o", "cached.o", env=environment)
        printed = run_tool(test, "ccache", "--print-stats", env=environment).stdout
        counts = {name: int(count) for name, count in map(str.split, printed.splitlines())}
        hits = counts["direct_cache_hit"] + counts["preprocessed_cache_hit"]
        assert (hits, counts["cache_miss"]) == {"hit": (1, 0), "miss": (0, 1)}[result], printed

    expect("miss")
    expect("hit")
    expect("miss", "--leaves", "none")
    expect("hit", "--leaves", "none")
    expect("miss", "--modules", "app")
    expect("miss", "--modules", "other")
    expect("hit")
    with open(copied, "ab") as plugin:
        plugin.write(b"\0")
    expect("miss")


# What plugin_tree.cc leaves in the list.
TREE_LIST = """
    fplugin_tree.cc
    fprogram.h
    l_ZN3app7Counter4nextEv
    n_ZL5Touchv
    """


def dropped_texts(test, binary):
    """The section of a binary, one text a line, sorted; files without their folders.

    Without what the compiler made: of a trivial constructor, for example, only some make anything.
    """
    run_tool(test, "objcopy", "-O", "binary", "--only-section=.autotrace.dropped",
             "--set-section-flags=.autotrace.dropped=alloc", binary, "section")
    texts = (test.directory / "section").read_bytes().decode().split("\0")
    return "\n".join(sorted(re.sub("^f.*/", "f", text) for text in texts if text and text[0] != "c"))
