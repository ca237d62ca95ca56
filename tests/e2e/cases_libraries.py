"""Libraries that come and go: opened, closed, and others in their place."""

import collections
import signal
import subprocess
import textwrap
import time

import span_tree
from cases_live import endpoint
from harness import BOTH_COMPILERS, ONE_BUILD, TRAP_BUILDS, Build, case, clean_environment

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


@case(BOTH_COMPILERS)
def a_library_that_comes_back_is_still_known_to_be_slow(test, build):
    run = test.run(host(test, build), 3, 0, "slow-first", plugin(test, build, "alpha"),
                   modules="alpha", config="""
                       min_duration: 20ms
                       min_duration_mode: function
                   """)
    # Its first call was recorded for its duration, the others because of that.
    run.expect_tree("alpha::run x3\n")


@case(TRAP_BUILDS)
def the_recording_does_not_grow_with_what_comes_back(test, build):
    library = plugin(test, build, "alpha")
    rounds = 2000
    run = test.run(host(test, build), rounds, 0, "return", library, modules="plugin_run")
    for text in (bytes(library), b"plugin_run"):
        told = sum(file.read_bytes().count(text) for file in run.data_dir.rglob("*.seg"))
        # Not each time that it comes and goes, but only when the background thread sees it gone, which
        # looks some 45 times in the first second.
        assert 1 <= told < rounds / 10, (text, told)


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

NAMES = ("alpha", "gamma", "delta")
ALL_OF_THEM = "plugin_run,alpha,gamma,delta"
THREADS, ROUNDS = 6, 900


def swap(test, build, plugins, *, threads=THREADS, rounds=ROUNDS, end="return", processors=None,
         **options):
    """Threads that open, call and close these plugins, each in its own order."""
    program = test.program(build, "plugin_threads.cc", link=["-ldl"])
    words = ["taskset", "-c", processors] if processors is not None else []
    return test.run(*words, program, threads, rounds, end, *plugins, **options)


def plugins_of(test, build, **options):
    return [plugin(test, build, name, **options) for name in NAMES]


def honest_plugins(test, build, flags=()):
    return [test.program(build, "honest_plugin.cc", flags=[f"-DPLUGIN={name}", *flags],
                         name=f"lib{name}.so", shared=True) for name in NAMES]


def expect_each_in_its_turn(forest, processes=((THREADS, ROUNDS),)):
    """Every thread called the plugins in turn. `processes`: their threads, and rounds of each."""
    called = collections.defaultdict(list)
    for span in sorted(forest.spans, key=lambda span: span.start):
        module, _, function = span.name.partition("::")
        thread = (span.resource["process.pid"], span.attributes["thread.id"])
        called[(*thread, function or module)].append(module if function else "")
    turns = collections.Counter()
    for (process, thread, function), modules in called.items():
        first = NAMES.index(modules[0]) if modules[0] else 0
        expected = [NAMES[(first + i) % len(NAMES)] if function in ("run", "step") else ""
                    for i in range(len(modules))]
        wrong = sum(module != right for module, right in zip(modules, expected))
        assert wrong == 0, f"{wrong} of {len(modules)} calls of {function} by {thread}"
        turns[function, len(modules)] += 1
    expected = collections.Counter()
    for threads, rounds in processes:
        for function in ("plugin_run", "run", "step"):
            expected[function, rounds] += threads
    assert turns == expected, turns
    expect_own_callers(forest)


def expect_honest_names(forest, has_lost=False):
    """Every call has the name of the library that it said it was in. Returns how many calls."""
    said = {}
    for span in forest.spans:
        if span.name in NAMES and span.parent_id in forest.by_id:
            said[span.parent_id] = span.name
    calls = 0
    for span in forest.spans:
        module, _, function = span.name.partition("::")
        if span.name in NAMES or module == "app":
            continue
        if span.span_id in said and "autotrace.placeholder" not in span.attributes:
            assert module == said[span.span_id] and function, (said[span.span_id], span)
            calls += 1
        assert has_lost or span.span_id in said, span
        caller = span.attributes.get("autotrace.caller", "")
        assert function != "step" or caller.startswith(f"{module}::run ("), (span.name, caller)
    return calls


@case(TRAP_BUILDS)
def threads_that_swap_libraries_at_one_address_have_the_right_names(test, build):
    run = swap(test, build, plugins_of(test, build), end="fork", modules=ALL_OF_THEM)
    assert run.stdout == "done\n"
    expect_each_in_its_turn(run.forest(), [(THREADS, ROUNDS), (1, ROUNDS)])


@case(BOTH_COMPILERS)
def threads_that_swap_libraries_and_preempt_each_other_have_the_right_names(test, build):
    run = swap(test, build, plugins_of(test, build), processors=0, modules=ALL_OF_THEM)
    expect_each_in_its_turn(run.forest())


@case(BOTH_COMPILERS)
def threads_that_swap_libraries_have_the_right_decisions(test, build):
    for name in NAMES:
        run = swap(test, build, honest_plugins(test, build), rounds=300,
                   modules=f"lib:lib{name}.so")
        # Without what the program made by hand, and what GCC makes for static objects.
        counts = collections.Counter(
            span.name for span in run.forest().spans if "::" in span.name)
        assert all(called.startswith(f"{name}::") for called in counts), (name, counts)
        assert counts[f"{name}::run"] == counts[f"{name}::step"] == THREADS * 100, (name, counts)


@case(BOTH_COMPILERS)
def threads_that_swap_libraries_have_the_right_thresholds(test, build):
    for name in NAMES:
        run = swap(test, build, plugins_of(test, build), rounds=300, modules=",".join(NAMES),
                   config=f"min_duration_for: {{{name}: 3600s}}")
        counts = collections.Counter(span.name for span in run.forest().spans)
        expected = {f"{other}::{function}": THREADS * 100 for other in NAMES if other != name
                    for function in ("run", "step")}
        assert counts == expected, (name, counts)


@case(BOTH_COMPILERS)
def libraries_that_call_while_they_are_closed_are_not_taken_for_others(test, build):
    # Also after the runtime's look before dlclose: destructors, and threads that they wait for.
    for flags, functions in (((), 4), (("-DWITH_WORKER",), 5)):
        run = swap(test, build, honest_plugins(test, build, flags), rounds=150,
                   modules="alpha,gamma,delta")
        counts = collections.Counter(span.name for span in run.forest().spans)
        assert all(counts[f"{name}::run"] == THREADS * 50 for name in NAMES), counts
        assert len(counts) == len(NAMES) * (functions + 1), counts
        expect_honest_names(run.forest())


@case(BOTH_COMPILERS)
def libraries_that_go_with_others_which_need_them_are_not_taken_for_others(test, build):
    shells = [test.program(build, "shell.cc", name=f"libshell_{plugin.stem}.so", shared=True,
                           link=["-Wl,--no-as-needed", plugin, f"-Wl,-rpath,{plugin.parent}"])
              for plugin in plugins_of(test, build)]
    run = swap(test, build, shells, modules=ALL_OF_THEM)
    expect_each_in_its_turn(run.forest())


@case(ONE_BUILD)
def a_run_that_was_killed_while_libraries_were_swapped_has_the_right_names(test, build):
    plugins = honest_plugins(test, build)
    for rounds in (1, 10, 100, 500):
        run = swap(test, build, plugins, rounds=rounds, end="kill", modules="alpha,gamma,delta",
                   status=-signal.SIGKILL)
        calls = expect_honest_names(run.forest(lost_parents=True), has_lost=True)
        assert calls >= 2 * rounds, calls
        test.autotracer("recover", data_dir=run.data_dir)
        assert expect_honest_names(run.forest(lost_parents=True), has_lost=True) == calls


@case(ONE_BUILD)
def what_a_small_ring_keeps_of_swapped_libraries_has_the_right_names(test, build):
    run = swap(test, build, honest_plugins(test, build), modules="alpha,gamma,delta",
               config="ring_size: 1MiB", env={"AUTOTRACE_THREAD": "0"})
    forest = run.forest()
    assert any("autotrace.dropped.ring_full" in span.resource for span in forest.spans)
    assert expect_honest_names(forest, has_lost=True) > 50


@case(ONE_BUILD)
def a_run_that_is_read_while_libraries_are_swapped_has_the_right_names(test, build):
    command = [test.program(build, "plugin_threads.cc", link=["-ldl"]), str(THREADS), "1000000",
               "return", *honest_plugins(test, build)]
    calls = 0
    for attempt in range(3):
        data_dir = test.directory / f"running{attempt}"
        environment = clean_environment() | {"AUTOTRACE_MODULES": "alpha,gamma,delta",
                                             "AUTOTRACE_DIR": str(data_dir)}
        with subprocess.Popen(command, env=environment) as process:
            while not list(data_dir.glob("*/*.seg")):
                assert process.poll() is None
                time.sleep(0.01)
            time.sleep(0.05 * (attempt + 1))
            text = test.autotracer("export", "--to", "otlp-json", data_dir=data_dir).stdout
            process.kill()
        forest = span_tree.Forest(span_tree.parse_otlp(text), lost_parents=True)
        calls += expect_honest_names(forest, has_lost=True)
    assert calls > 100, calls


@case(ONE_BUILD)
def live_export_of_swapped_libraries_has_the_right_names(test, build):
    with endpoint(test) as collector:
        run = swap(test, build, honest_plugins(test, build), modules="alpha,gamma,delta",
                   env={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url})
        assert run.stdout == "done\n"
        forest = collector.forest()
        counts = collections.Counter(span.name for span in forest.spans)
        assert all(counts[f"{name}::run"] == THREADS * ROUNDS / 3 for name in NAMES), counts
        expect_honest_names(forest)


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
