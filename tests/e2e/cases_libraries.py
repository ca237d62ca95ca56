"""Libraries that come and go: opened, closed, and others in their place."""

import collections
import signal
import textwrap

from harness import TRAP_BUILDS, Build, case

MODULES = "app,plugin_run,alpha,gamma"
OF_PLUGINS = "plugin_run,alpha,gamma"


def plugin(test, build, name, **options):
    """Plugins have the same functions at the same offsets, under other names."""
    return test.program(build, "plugin.cc", flags=[f"-DPLUGIN={name}"], name=f"lib{name}.so",
                        shared=True, **options)


def both_plugins(test, build, **options):
    return [plugin(test, build, name, **options) for name in ("alpha", "gamma")]


def host(test, build, **options):
    # It fails when the plugins are not loaded at the same address.
    return test.program(build, "reloads_plugins.cc", link=["-ldl"], **options)


def called(name, depth=0, times=""):
    lines = [f"plugin_run{times}", f"  {name}::run", f"    {name}::step"]
    return "".join(f"{'  ' * depth}{line}\n" for line in lines)


def used(name, times=""):
    return f"app::use{times}\n{called(name, 1)}      app::answer\n"


def expect_own_callers(forest):
    """Whoever called a function of a plugin was in the same one."""
    for span in forest.spans:
        caller = span.attributes.get("autotrace.caller", "")
        module, _, function = span.name.partition("::")
        if function == "step":
            assert caller.startswith(f"{module}::run ("), (span.name, caller)
            assert "/plugin.cc:" in caller, caller
            assert span.attributes["code.file.path"].endswith("/plugin.cc"), span.attributes


# ---- One library in the place of another


@case(TRAP_BUILDS)
def opening_and_closing_libraries_keeps_names_right(test, build):
    program = test.program(build, "opens_library.cc", link=["-ldl"])
    first = test.program(build, "library.cc", shared=True)
    second = test.program(build, "second_library.cc", shared=True)
    run = test.run(program, first, second, first, modules="app,library_entry,lib,second")
    run.expect_tree("""
        app::use
          library_entry
            lib::serve
              lib::local
        app::use
          library_entry
            second::other
        app::use
          library_entry
            lib::serve
              lib::local
    """)


@case(TRAP_BUILDS)
def a_library_in_the_place_of_another_has_its_own_names(test, build):
    run = test.run(host(test, build), 2, 0, "return", *both_plugins(test, build), modules=MODULES)
    assert run.stdout == "done\n"
    expect_own_callers(run.expect_tree((used("alpha") + used("gamma")) * 2))


@case(TRAP_BUILDS)
def a_library_in_the_place_of_another_has_its_own_decisions(test, build):
    program = host(test, build)
    plugins = both_plugins(test, build)
    for recorded in ("alpha", "gamma"):
        for order in (plugins, plugins[::-1]):
            run = test.run(program, 3, 0, "return", *order, modules=recorded)
            run.expect_tree(f"""
                {recorded}::run x3
                  {recorded}::step
            """)


@case(TRAP_BUILDS)
def the_file_of_a_library_is_not_that_of_the_one_before(test, build):
    program = host(test, build)
    plugins = both_plugins(test, build)
    # The same file under two names: only the loader knows which one it is.
    twin = test.copy(plugins[0], "libtwin1.so")
    for pattern, expected in (("lib:libalpha.so", "alpha"), ("lib:libgamma.so", "gamma")):
        run = test.run(program, 2, 0, "return", *plugins, modules=pattern)
        run.expect_tree(called(expected, times=" x2"))
    run = test.run(program, 2, 0, "return", plugins[0], twin, modules="lib:libtwin1.so")
    run.expect_tree(called("alpha", times=" x2"))


@case(TRAP_BUILDS)
def without_a_thread_of_ours_names_follow_too(test, build):
    run = test.run(host(test, build), 2, 0, "return", *both_plugins(test, build), modules=MODULES,
                   env={"AUTOTRACE_THREAD": "0"})
    expect_own_callers(run.expect_tree((used("alpha") + used("gamma")) * 2))


# ---- The same library again and again


@case(TRAP_BUILDS)
def a_library_that_comes_back_is_recorded_as_before(test, build):
    run = test.run(host(test, build), 500, 0, "return", plugin(test, build, "alpha"),
                   modules="app,plugin_run,alpha")
    run.expect_tree(used("alpha", " x500"))


@case(TRAP_BUILDS)
def the_recording_does_not_grow_with_what_comes_back(test, build):
    library = plugin(test, build, "alpha")
    run = test.run(host(test, build), 2000, 0, "return", library, modules="plugin_run")
    for text in (bytes(library), b"plugin_run"):
        told = sum(file.read_bytes().count(text) for file in run.data_dir.rglob("*.seg"))
        # Not each time that it comes and goes, but only when the background thread sees it gone.
        assert 1 <= told < 50, (text, told)


# ---- Who was linked to what


@case(TRAP_BUILDS)
def a_program_that_was_never_linked_and_opens_libraries(test, build):
    # Its dlclose is not ours, and it is told nothing: the background thread has to notice.
    program = host(test, build, instrument=False, runtime=False)
    run = test.run(program, 2, 300, "return", *both_plugins(test, build), modules=OF_PLUGINS)
    assert run.stdout == "done\n"
    expect_own_callers(run.expect_tree((called("alpha") + called("gamma")) * 2))


@case(TRAP_BUILDS)
def a_preloaded_runtime_notices_at_once(test, build):
    for instrument in (False, True):
        program = host(test, build, instrument=instrument, runtime=False)
        run = test.run(program, 2, 0, "return", *both_plugins(test, build, runtime=False),
                       modules=MODULES if instrument else OF_PLUGINS,
                       env={"LD_PRELOAD": test.paths.runtime})
        assert run.stdout == "done\n"
        tree = used if instrument else called
        expect_own_callers(run.expect_tree((tree("alpha") + tree("gamma")) * 2))


@case(TRAP_BUILDS)
def closing_libraries_works_when_nothing_is_traced(test, build):
    run = test.run(host(test, build), 2, 0, "return", *both_plugins(test, build))
    assert run.stdout == "done\n"
    run.expect_nothing_recorded()


# ---- Killed


@case(TRAP_BUILDS)
def a_killed_programs_ring_tells_which_library_it_was(test, build):
    run = test.run(host(test, build), 2, 0, "kill", *both_plugins(test, build), modules=MODULES,
                   status=-signal.SIGKILL)
    for recovered in (False, True):
        if recovered:
            test.autotracer("recover", data_dir=run.data_dir)
        # What was open is known only if there was time to look.
        forest = run.forest(lost_parents=True)
        expect_own_callers(forest)
        steps = [span.name for span in sorted(forest.spans, key=lambda span: span.start)
                 if span.name.endswith("::step")]
        assert steps == ["alpha::step", "gamma::step"] * 2, steps


@case(TRAP_BUILDS)
def spans_that_a_kill_left_open_are_named_by_the_library_they_are_in(test, build):
    run = test.run(host(test, build), 1, 0, "kill-late", *both_plugins(test, build),
                   modules=MODULES, status=-signal.SIGKILL)
    for recovered in (False, True):
        if recovered:
            test.autotracer("recover", data_dir=run.data_dir)
        run.expect_tree(used("alpha") + textwrap.dedent("""
            app::use  unfinished
              plugin_run  unfinished
                gamma::run  unfinished
                  gamma::step
        """).lstrip())


# ---- Namespaces


@case(TRAP_BUILDS)
def a_library_in_two_namespaces_is_traced_in_both(test, build):
    program = test.program(build, "namespaces.cc", link=["-ldl"])
    run = test.run(program, plugin(test, build, "alpha"), modules="plugin_run,alpha")
    assert run.stdout == "done\n"
    forest = run.forest()
    names = sorted(span.name for span in forest.spans)
    assert names == ["alpha::run"] * 5 + ["alpha::step"] * 5 + ["plugin_run"] * 5, names
    expect_own_callers(forest)


# ---- All at once


@case(TRAP_BUILDS)
def threads_that_swap_libraries_at_one_address_misname_few_calls(test, build):
    names = ("alpha", "gamma", "delta")
    plugins = [plugin(test, build, name) for name in names]
    program = test.program(build, "plugin_threads.cc", link=["-ldl"])
    rounds = 3000
    run = test.run(program, rounds, *plugins, modules="plugin_run,alpha,gamma,delta")
    assert run.stdout == "done\n"
    spans = run.forest().spans
    counts = collections.Counter(span.name for span in spans)
    # Three threads, and the forked child.
    assert counts.pop("plugin_run") == 4 * rounds, counts
    assert set(counts) == {f"{name}::{part}" for name in names for part in ("run", "step")}, counts
    assert sum(counts.values()) == 8 * rounds, counts
    # Not exact yet: a thread that is preempted while it changes a module can leave the others with a
    # stale view for a time slice (see README, Limits). Without the look before dlclose it is 5%.
    misnamed = sum(abs(count - 4 * rounds / 3) for count in counts.values())
    assert misnamed <= 0.02 * 8 * rounds, counts


# ---- Under the loader's lock


@case(TRAP_BUILDS)
def a_constructor_that_waits_for_a_thread_is_not_held_up(test, build):
    # Its calls, the thread's, and those of a resolver (IFUNC) are first seen under that lock. What
    # the resolver is called nobody knows yet: it leaves no span.
    flags = ["-DNO_RESOLVER"] if build == Build("clang", "-O2", True) else []
    library = test.program(build, "lifetimes_library.cc", flags=flags, shared=True)
    program = test.program(build, "opens_library.cc", link=["-ldl"])
    run = test.run(program, library, library, modules="app,lib,library_resolved")
    assert run.stdout == "done\n", run.stdout
    run.expect_tree("""
        app::use x2
          lib::begins
            lib::in_thread
          library_resolved
          lib::used
          lib::ends
    """)
