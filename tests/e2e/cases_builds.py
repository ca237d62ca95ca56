"""Programs built in ways that change how calls, stacks and libraries look: the tree is the same."""

import re

from harness import BOTH_COMPILERS, ONE_BUILD, Build, case
from cases_debuggers import MIXED_MODULES, MIXED_OUTPUT, MIXED_TREE, mixed_program

# Where a sanitizer takes the place of pthread_create, threads have traces of their own.
THREADS_APART_TREE = """
    app::run
      app::threads
      app::catches
        app::fails  ERROR
          app::fails  ERROR
            app::fails  ERROR
        app::add
      app::opens
        plugin_run x3
          alpha::run
            alpha::step
      app::forks
        app::in_child
          app::work
            app::add x2
    app::work x4
      app::add x20
"""


def expect_mixed_tree(test, build, flags=(), link=(), tree=MIXED_TREE, env=None, may_say=""):
    """`may_say`: a pattern of the lines that standard error may hold."""
    program, library = mixed_program(test, build, flags, link)
    run = test.run(program, library, modules=MIXED_MODULES, status=3, env=env, quiet=False)
    assert run.stdout == MIXED_OUTPUT, run.stdout
    said = [line for line in run.stderr.splitlines() if not re.fullmatch(may_say, line)]
    assert not said, said
    run.expect_tree(tree, sort_roots=True)


# name: words for the compiler, words for the link command
WAYS_TO_BUILD = {
    "control_flow_protection": (["-fcf-protection=full"], []),
    "fortified_functions": (["-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=2"], []),
    "checked_containers": (["-D_GLIBCXX_DEBUG"], []),
    "calls_without_plt": (["-fno-plt"], []),
    "binding_at_start": ([], ["-Wl,-z,now", "-Wl,-z,relro"]),
    "protected_stacks": (["-fstack-protector-all", "-fstack-clash-protection"], []),
    "frame_pointers": (["-fno-omit-frame-pointer", "-mno-omit-leaf-frame-pointer"], []),
    "hidden_symbols": (["-fvisibility=hidden", "-fvisibility-inlines-hidden"], []),
    "collected_sections": (["-ffunction-sections"], ["-Wl,--gc-sections", "-Wl,--as-needed"]),
    "no_position_independence": (["-fno-pie"], ["-no-pie"]),
}


def register(name, flags, link):
    def build_and_compare(test, build):
        expect_mixed_tree(test, build, flags, link)

    build_and_compare.__name__ = f"with_{name}"
    case(BOTH_COMPILERS)(build_and_compare)


for way, (compiler_words, linker_words) in WAYS_TO_BUILD.items():
    register(way, compiler_words, linker_words)


@case(BOTH_COMPILERS)
def with_link_time_optimisation(test, build):
    link = test.lld_flags() if build.family == "clang" else []
    expect_mixed_tree(test, build, ["-flto"], link)


@case([Build("clang", "-O0"), Build("clang", "-O2")])
def with_clangs_cxx_library(test, build):
    flags, link = test.libcxx_flags()
    expect_mixed_tree(test, build, flags, link)


# ---- Sanitizers: the program's, with the runtime as everybody has it (the presets `asan` and `tsan`
# are for a runtime that is built with them, and then all programs here are, too)

def sanitizer_environment(name):
    return {
        "address": {"ASAN_OPTIONS": "detect_leaks=1:exitcode=99:detect_stack_use_after_return=1"},
        "thread": {"TSAN_OPTIONS": "exitcode=99:report_signal_unsafe=1"},
        "undefined": {"UBSAN_OPTIONS": "halt_on_error=1:exitcode=99"},
        "leak": {"LSAN_OPTIONS": "exitcode=99"},
    }[name]


SANITIZED = [Build(family, level) for family in ("gcc", "clang") for level in ("-O1", "-O2")]


@case(SANITIZED)
def the_address_sanitizer_reports_nothing(test, build):
    expect_mixed_tree(test, build, ["-fsanitize=address"], tree=THREADS_APART_TREE,
                      env=sanitizer_environment("address"))


@case(BOTH_COMPILERS)
def the_leak_sanitizer_reports_nothing(test, build):
    # In the forked child it looks for our threads, of which only the parent has any.
    expect_mixed_tree(test, build, ["-fsanitize=leak"], tree=THREADS_APART_TREE,
                      env=sanitizer_environment("leak"),
                      may_say=r"==\d+==Running thread \d+ was not suspended. False leaks .*")


@case(SANITIZED)
def the_undefined_behaviour_sanitizer_reports_nothing(test, build):
    expect_mixed_tree(test, build, ["-fsanitize=undefined", "-fno-sanitize-recover=all"],
                      env=sanitizer_environment("undefined"))


@case(SANITIZED)
def the_thread_sanitizer_reports_nothing(test, build):
    expect_mixed_tree(test, build, ["-fsanitize=thread"], tree=THREADS_APART_TREE,
                      env=sanitizer_environment("thread"))


@case(BOTH_COMPILERS)
def many_threads_come_and_go_under_sanitizers(test, build):
    for name in ("address", "thread"):
        program = test.program(build, "threads.cc", name="threads_" + name,
                               flags=["-fsanitize=" + name])
        run = test.run(program, 100, modules="app::work,app::part",
                       env=sanitizer_environment(name))
        run.expect_tree("""
            app::work x100
              app::part x2
        """, sort_roots=True)


@case(ONE_BUILD)
def a_run_that_cannot_be_traced_leaks_nothing(test, build):
    program = test.program(build, "nested.cc", name="nested_address", flags=["-fsanitize=address"])
    run = test.run(program, modules="app", quiet=False,
                   env=sanitizer_environment("address") | {"AUTOTRACE_DIR": "/proc/nowhere"})
    assert run.stdout == "done\n", run.stdout
    assert run.stderr.startswith("autotrace: cannot make /proc/nowhere"), run.stderr
    assert run.stderr.count("\n") == 1, run.stderr


@case(BOTH_COMPILERS)
def sanitizers_still_see_the_programs_mistakes(test, build):
    # Guards the cases above: they could not fail if nothing was reported.
    for name, mistake, report in (("address", "read", "heap-use-after-free"),
                                  ("address", "lose", "detected memory leaks"),
                                  ("thread", "race", "data race"),
                                  ("undefined", "overflow", "signed integer overflow")):
        program = test.program(build, "mistakes.cc", name="mistakes_" + name,
                               flags=["-fsanitize=" + name, "-fno-sanitize-recover=all"])
        run = test.run(program, mistake, modules="app", status=99 if name != "undefined" else None,
                       env=sanitizer_environment(name), quiet=False)
        assert report in run.stderr and run.status != 0, (name, mistake, run.stderr)
