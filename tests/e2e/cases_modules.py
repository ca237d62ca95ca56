"""Where instrumented code can stand: programs, libraries, opened ones, stripped ones."""

import os
import time

from harness import BOTH_COMPILERS, ONE_BUILD, TRAP_BUILDS, case, clean_environment, output_of

LIBRARY_TREE = """
    app::run
      lib::serve x2
        lib::local
        app::answer
"""


def library(test, build, **options):
    return test.program(build, "library.cc", shared=True, **options)


def user(test, build, built_library, **options):
    folder = os.path.dirname(built_library)
    return test.program(build, "uses_library.cc", link=[built_library, f"-Wl,-rpath,{folder}"],
                        **options)


# ---- The four ways in which the hooks can be bound (design.md, section 2.6)


@case(TRAP_BUILDS)
def a_linked_program_and_its_library_are_one_tree(test, build):
    program = user(test, build, library(test, build))
    test.run(program, modules="app,lib").expect_tree(LIBRARY_TREE)


@case(TRAP_BUILDS)
def an_instrumented_library_below_an_uninstrumented_program(test, build):
    program = user(test, build, library(test, build), instrument=False, runtime=False)
    run = test.run(program, modules="app,lib", quiet=False)
    assert run.stdout == "done\n"
    run.expect_tree("""
        lib::serve x2
          lib::local
    """)


@case(TRAP_BUILDS)
def an_opened_library_of_an_uninstrumented_program(test, build):
    # Nothing but the library brings the runtime in.
    program = test.program(build, "opens_library.cc", instrument=False, runtime=False, link=["-ldl"])
    run = test.run(program, library(test, build), modules="library_entry,lib")
    assert run.stdout == "done\n"
    run.expect_tree("""
        library_entry
          lib::serve
            lib::local
    """)


@case(TRAP_BUILDS)
def a_preloaded_runtime_serves_what_was_never_linked_to_it(test, build):
    program = user(test, build, library(test, build, runtime=False), runtime=False)
    plain = test.run(program, modules="app,lib")
    assert plain.stdout == "done\n"
    plain.expect_nothing_recorded()
    run = test.run(program, modules="app,lib", env={"LD_PRELOAD": test.paths.runtime})
    assert run.stdout == "done\n"
    run.expect_tree(LIBRARY_TREE)


@case(TRAP_BUILDS)
def run_traces_a_program_that_was_never_linked(test, build):
    program = user(test, build, library(test, build, runtime=False), runtime=False)
    done = test.autotracer("run", "--modules", "app,lib", "--", program,
                           data_dir=test.directory / "data")
    assert done.stdout == "done\n", done.stdout
    tree = test.autotracer("tree", data_dir=test.directory / "data").stdout
    assert "app::run" in tree and "lib::local" in tree, tree


# ---- Selecting by binary, opening and closing


@case(TRAP_BUILDS)
def a_library_is_a_module_by_its_file_name(test, build):
    program = user(test, build, library(test, build))
    for pattern in ("liblibrary.so", "lib:liblibrary.so", "lib:liblib*"):
        test.run(program, modules=pattern).expect_tree("""
            lib::serve x2
              lib::local
        """)


NESTED_TREE = """
    app::run
      app::step
      app::step
        app::leaf
      app::step
        app::leaf x2
"""


@case(TRAP_BUILDS)
def position_dependent_programs_are_traced(test, build):
    program = test.program(build, "nested.cc", flags=["-fno-pie"], link=["-no-pie"])
    assert "EXEC" in output_of(["readelf", "-h", program])
    test.run(program, modules="app").expect_tree(NESTED_TREE)


@case(TRAP_BUILDS)
def position_independent_programs_are_traced(test, build):
    program = test.program(build, "nested.cc", flags=["-fPIE"], link=["-pie"])
    assert "DYN" in output_of(["readelf", "-h", program])
    test.run(program, modules="app").expect_tree(NESTED_TREE)


@case(TRAP_BUILDS)
def programs_bound_at_start_without_a_plt_are_traced(test, build):
    program = test.program(build, "nested.cc", flags=["-fno-plt"], link=["-Wl,-z,now"])
    test.run(program, modules="app").expect_tree(NESTED_TREE)


@case(BOTH_COMPILERS)
def programs_linked_with_lld_are_traced(test, build):
    program = test.program(build, "nested.cc", link=test.lld_flags())
    test.run(program, modules="app").expect_tree(NESTED_TREE)


@case(BOTH_COMPILERS)
def link_time_optimised_programs_are_traced(test, build):
    program = test.program(build, "filters.cc", "filters_util.cc", flags=["-flto"],
                           link=test.lld_flags() if build.family == "clang" else [])
    test.run(program, modules="util").expect_tree("util::trim x6")


@case(TRAP_BUILDS)
def a_stripped_library_keeps_the_names_it_exports(test, build):
    stripped = test.copy(library(test, build))
    output_of(["strip", stripped])
    program = test.program(build, "opens_library.cc", instrument=False, runtime=False, link=["-ldl"])
    forest = test.run(program, stripped, modules="lib:liblibrary.so").forest()
    names = [span.name for span in sorted(forest.spans, key=lambda span: span.start)]
    assert names[:2] == ["library_entry", "lib::serve"], names
    # The rest is not exported.
    assert all(name.startswith("liblibrary.so+0x") for name in names[2:]) and names[2:], names


@case(TRAP_BUILDS)
def a_stripped_program_shows_offsets(test, build):
    stripped = test.copy(test.program(build, "nested.cc"))
    addresses = {line.split()[2]: int(line.split()[0], 16)
                 for line in output_of(["nm", stripped]).splitlines() if len(line.split()) == 3}
    output_of(["strip", stripped])
    forest = test.run(stripped, modules="lib:nested").forest()
    names = {span.name for span in forest.spans}
    expected = {f"nested+{addresses[symbol]:#x}"
                for symbol in ("main", "_ZN3app3runEv", "_ZN3app4stepEi", "_ZN3app4leafEv")}
    assert names == expected, (names, expected)


@case(TRAP_BUILDS)
def a_separate_debug_file_gives_the_names_back(test, build):
    stripped = test.copy(test.program(build, "nested.cc"))
    output_of(["objcopy", "--only-keep-debug", stripped, f"{stripped}.debug"])
    output_of(["strip", stripped])
    output_of(["objcopy", f"--add-gnu-debuglink={stripped}.debug", stripped],
              cwd=test.directory)
    run = test.run(stripped, modules="app")
    forest = run.expect_tree(NESTED_TREE)
    assert forest.roots[0].attributes["code.file.path"].endswith("nested.cc")


MANY_FUNCTIONS = """
    .altmacro
    .macro one number
        .globl function_\\number
        .type function_\\number, @function
        .p2align 6
    function_\\number:
        push %rbx
        lea function_\\number(%rip), %rdi
        mov 8(%rsp), %rsi
        call __cyg_profile_func_enter@PLT
        lea function_\\number(%rip), %rdi
        mov 8(%rsp), %rsi
        call __cyg_profile_func_exit@PLT
        pop %rbx
        ret
        .size function_\\number, . - function_\\number
    .endm
    .text
    .set number, 0
    .rept {count}
        one %number
        .set number, number + 1
    .endr
    .section .note.GNU-stack, "", @progbits
"""


# The compiler plays no part: its like would take minutes for such a program.
@case(ONE_BUILD)
def a_binary_of_three_hundred_thousand_functions(test, build):
    count = 300_000
    test.write("many.s", MANY_FUNCTIONS.format(count=count))
    output_of([test.compiler(build, "c"), "-c", "many.s", "-o", "many.o"], cwd=test.directory)
    program = test.program(build, "many_functions.cc", link=[test.directory / "many.o"])

    def peak(called, **env):
        """Seconds and KiB of a run."""
        begin = time.monotonic()
        data_dir = test.directory / f"called{called}"
        pid = os.posix_spawn(program, [program, str(called)], clean_environment() | env |
                             {"AUTOTRACE_DIR": str(data_dir)},
                             file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
        _, status, usage = os.wait4(pid, 0)
        assert status == 0, status
        return time.monotonic() - begin, usage.ru_maxrss, data_dir

    plain = peak(count)
    few = peak(10, AUTOTRACE_MODULES="lib:many_functions")
    all_of_them = peak(count, AUTOTRACE_MODULES="lib:many_functions")
    print(f"        {plain[0]:.2f} s, {plain[1] >> 10} MiB; ten recorded {few[0]:.2f} s, "
          f"{few[1] >> 10} MiB; all {all_of_them[0]:.2f} s, {all_of_them[1] >> 10} MiB")
    # The tables of a binary are looked into, not copied.
    assert few[0] < plain[0] + 1 and few[1] < plain[1] + (64 << 10), (plain, few)
    assert all_of_them[1] < plain[1] + (160 << 10), (plain, all_of_them)
    report = test.autotracer("report", "--top", "0", data_dir=all_of_them[2]).stdout
    names = {line.split()[-1] for line in report.splitlines() if "function_" in line}
    assert len(names) == count, len(names)


@case(ONE_BUILD)
def a_program_without_hooks_is_told_so(test, build):
    program = test.program(build, "nested.cc", instrument=False, runtime=False)
    done = test.autotracer("run", "--", program, 5, data_dir=test.directory / "data", status=5)
    assert done.stdout == "done\n", done.stdout
    assert "0 instrumented functions" in done.stderr, done.stderr
