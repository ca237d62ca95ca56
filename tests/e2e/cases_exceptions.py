"""Control flow that skips exits: exceptions, jumps, threads and programs that end early."""

import textwrap

from harness import TRAP_BUILDS, BOTH_COMPILERS, ONE_BUILD, Build, case


@case(TRAP_BUILDS)
def calls_left_by_an_exception_end_there_and_are_errors(test, build):
    run = test.run(test.program(build, "exceptions.cc"), modules="app")
    run.expect_tree("""
        app::run
          app::outer  ERROR
            app::middle  ERROR
              app::inner  ERROR
          app::recover
          app::after
        app::run
          app::rethrower  ERROR
            app::middle  ERROR
              app::inner  ERROR
            app::recover
          app::recover
          app::after
        app::run
          app::guarded  ERROR
            app::middle  ERROR
              app::inner  ERROR
            app::Guard::~Guard
              app::inner  ERROR
              app::recover
          app::recover
          app::after
    """)


LONGJMP_TREE = """
    app::run x2
      app::descend
        app::deeper
      app::resume
"""


@case(TRAP_BUILDS)
def calls_left_by_longjmp_end_there(test, build):
    run = test.run(test.program(build, "longjmp.cc"), modules="app")
    run.expect_tree(LONGJMP_TREE)


EXCEPTION_KINDS_OUTPUT = """\
code 1
not standard 2
second base
cleaned code 4
code 3
own code 5
caught 3
"""
@case(BOTH_COMPILERS)
def stacks_by_libunwind_are_those_of_our_own_unwinder(test, build):
    program = test.program(build, "exception_kinds.cc")
    stacks = []
    for unwinder in ("own", "libunwind"):
        run = test.run(program, modules="app", env={"AUTOTRACE_UNWINDER": unwinder,
                                                    "AUTOTRACE_ROOT_STACKTRACE": "true"})
        forest = run.expect_tree(EXCEPTION_KINDS_TREE)
        events = [(span.name, span.events) for span in forest.spans if span.events]
        attributes = [(name, sorted((pair["key"], str(pair["value"]))
                                    for pair in event["attributes"]))
                      for name, (event,) in events]
        roots = [root.attributes["code.stacktrace"] for root in forest.roots]
        assert attributes and all(roots), run.export()
        stacks.append((attributes, roots))
    assert stacks[0] == stacks[1], stacks


EXCEPTION_KINDS_TREE = """
    app::run
      app::constructs  ERROR
        app::Thrower::Thrower  ERROR
          app::Member::Member
          app::Member::~Member
    app::run
      app::sorts  ERROR
        app::compare  ERROR
    app::run
      app::keeps
        app::original  ERROR
    app::run
      app::throws_kept  ERROR
    app::run
      app::fails_with_cleaner  ERROR
        app::Cleaner::~Cleaner
          app::inner_failure  ERROR
    app::run
      app::catches_its_own
    app::run
      app::loops
        app::fails_sometimes  ERROR
        app::fails_sometimes
        app::fails_sometimes  ERROR
        app::fails_sometimes
        app::fails_sometimes  ERROR
        app::fails_sometimes
"""


@case(TRAP_BUILDS)
def every_way_that_an_exception_takes_is_seen(test, build):
    run = test.run(test.program(build, "exception_kinds.cc"), modules="app")
    assert run.stdout == EXCEPTION_KINDS_OUTPUT, run.stdout
    forest = run.expect_tree(EXCEPTION_KINDS_TREE)

    def exception(name):
        event, = forest.named(name)[0].events
        assert event["name"] == "exception"
        return {pair["key"]: pair["value"]["stringValue"] for pair in event["attributes"]}

    thrower = exception("app::Thrower::Thrower")
    assert thrower["exception.type"] == "errors::Custom", thrower
    assert thrower["exception.message"] == "code 1", thrower
    stack = thrower["exception.stacktrace"].splitlines()
    assert stack[0].startswith("app::Thrower::Thrower (") and "exception_kinds.cc:" in stack[0]
    assert [line.split(" (")[0] for line in stack[1:4]] == [
        "app::constructs", "app::run", "main"], stack
    assert exception("app::constructs") == thrower
    assert exception("app::compare")["exception.type"] == "errors::NotStandard"
    assert "exception.message" not in exception("app::compare")
    original = exception("app::original")
    assert original["exception.type"] == "errors::Both" and (
        original["exception.message"] == "second base"), original
    # The stack is the one where the object was thrown first.
    assert exception("app::throws_kept") == original
    assert exception("app::inner_failure")["exception.message"] == "code 4"
    assert exception("app::fails_with_cleaner")["exception.message"] == "code 3"


@case(TRAP_BUILDS)
def a_thread_that_ends_itself_or_is_cancelled_ends_its_calls(test, build):
    program = test.program(build, "ends.cc")
    run = test.run(program, "pthread_exit", modules="app")
    assert run.stdout == "ends here\n"
    run.expect_tree("""
        app::run
          app::deeper
            app::ends
        app::after
    """)
    test.run(program, "pthread_cancel", modules="app").expect_tree("""
        app::run
          app::deeper
            app::ends
              app::waits_to_be_cancelled
        app::after
    """)


ENDED_TREE = """
    app::run  unfinished
      app::deeper  unfinished
        app::ends  unfinished
"""


@case(TRAP_BUILDS)
def calls_that_exit_never_return(test, build):
    program = test.program(build, "ends.cc")
    run = test.run(program, "exit", modules="app", status=3)
    assert run.stdout == "ends here\n"
    run.expect_tree(ENDED_TREE)
    test.run(program, "quick_exit", modules="app", status=3).expect_tree(ENDED_TREE)


@case(TRAP_BUILDS)
def what_was_open_for_a_while_when_the_program_died_is_unfinished(test, build):
    program = test.program(build, "ends.cc")
    for how, status in (("_exit", 3), ("abort", -6), ("segv", -11)):
        run = test.run(program, how, "300", modules="app", status=status)
        assert run.stdout == "ends here\n", how
        run.expect_tree(ENDED_TREE)


@case(TRAP_BUILDS)
def an_exception_that_ends_the_program_ends_it_as_before(test, build):
    program = test.program(build, "ends.cc")
    message = ("terminate called after throwing an instance of 'std::runtime_error'\n"
               "  what():  nobody catches this\n")
    for how in ("noexcept", "uncaught"):
        run = test.run(program, how, "300", modules="app", status=-6, quiet=False)
        assert run.stderr == message, run.stderr
        forest = run.forest()
        assert forest.text().startswith(textwrap.dedent(ENDED_TREE).strip("\n")), forest.text()
    # No handler: nothing is unwound.
    fails, = forest.named("app::fails")
    assert fails.attributes["autotrace.unfinished"] and not fails.error
    run = test.run(program, "escaping", "300", modules="app", status=-6, quiet=False)
    assert run.stderr == message, run.stderr
    run.expect_tree("app::fails  unfinished")


def expect_every_way(test, program, expected=EXCEPTION_KINDS_TREE, env=None):
    run = test.run(program, modules="app", env=env)
    assert run.stdout == EXCEPTION_KINDS_OUTPUT, run.stdout
    return run.expect_tree(expected)


@case(BOTH_COMPILERS)
def exceptions_are_seen_with_the_cpp_library_linked_in(test, build):
    forest = expect_every_way(test, test.program(
        build, "exception_kinds.cc", name="static_libstdcxx", link=["-static-libstdc++"]))
    assert "second base" in str(forest.one("app::original").events)


@case(ONE_BUILD)
def with_the_unwinder_linked_in_calls_end_in_time_but_are_no_errors(test, build):
    # What GCC's own exit hooks tell.
    expect_every_way(test, test.program(
        build, "exception_kinds.cc", name="static_libgcc",
        link=["-static-libstdc++", "-static-libgcc"]), EXCEPTION_KINDS_TREE.replace("  ERROR", "")
        .replace("""app::fails_sometimes
        app::fails_sometimes
        app::fails_sometimes
        app::fails_sometimes
        app::fails_sometimes
        app::fails_sometimes""", "app::fails_sometimes x6"))


@case(ONE_BUILD)
def exceptions_are_seen_under_sanitizers(test, build):
    for sanitizer in ("address", "thread", "undefined"):
        expect_every_way(test, test.program(
            build, "exception_kinds.cc", name="sanitize_" + sanitizer,
            flags=["-fsanitize=" + sanitizer]))


@case(ONE_BUILD)
def exceptions_are_not_read_after_they_are_gone(test, build):
    # Nobody tells of the throw, which the sanitizer sees before us, nor of the catch, which is in the
    # program.
    expect_every_way(test, test.program(
        build, "exception_kinds.cc", name="sanitize_static", flags=["-fsanitize=address"],
        link=["-static-libstdc++"]))


@case(ONE_BUILD)
def exceptions_are_seen_in_hardened_programs(test, build):
    expect_every_way(test, test.program(
        build, "exception_kinds.cc", name="hardened",
        flags=["-fcf-protection=full", "-D_FORTIFY_SOURCE=2", "-D_GLIBCXX_DEBUG", "-fno-plt",
               "-fstack-protector-strong"], link=["-Wl,-z,now"]))
    run = test.run(test.program(build, "longjmp.cc", name="fortified_longjmp",
                                flags=["-D_FORTIFY_SOURCE=2"]), modules="app")
    run.expect_tree(LONGJMP_TREE)


@case([Build("clang", "-O2")])
def exceptions_of_libcxx_are_seen(test, build):
    flags, link = test.libcxx_flags()
    forest = expect_every_way(test, test.program(
        build, "exception_kinds.cc", name="libcxx", flags=flags, link=link))
    assert "second base" in str(forest.one("app::original").events)


@case(BOTH_COMPILERS)
def exceptions_keep_their_calls_only_if_wanted(test, build):
    program = test.program(build, "exceptions.cc")
    kept = test.run(program, modules="app", env={"AUTOTRACE_MIN_DURATION": "10s"}).forest()
    assert {span.name for span in kept.spans} == {
        "app::run", "app::outer", "app::rethrower", "app::guarded", "app::middle", "app::inner",
        "app::Guard::~Guard"}
    test.run(program, modules="app", env={
        "AUTOTRACE_MIN_DURATION": "10s", "AUTOTRACE_KEEP_ERRORS": "false"}).expect_tree("")
    bare = test.run(program, modules="app", env={"AUTOTRACE_EXCEPTION_STACKTRACE": "false"})
    event = bare.forest().named("app::outer")[0].events[0]
    assert [pair["key"] for pair in event["attributes"]] == [
        "exception.type", "exception.message"], event


@case(TRAP_BUILDS)
def threads_that_are_cancelled_at_any_moment_end_their_calls(test, build):
    program = test.program(build, "cancels.c")
    for how, rounds in (("deferred", 20), ("asynchronous", 200)):
        run = test.run(program, how, rounds, config="""
            modules: [lib:cancels]
            min_duration_for:
              leaf: 1s
        """)
        assert run.stdout == "done\n", run.stdout
        forest = run.forest()
        assert [root.name for root in forest.roots] == ["in_thread"] * rounds + ["run"]
        for root in forest.roots[:-1]:
            busy, = root.children
            # A C program's handlers run without a word to anybody: the call that was interrupted
            # may still seem to be open.
            names = [span.name for span in busy.walk()]
            assert names in (["is_busy", "cleans_up"], ["is_busy", "leaf", "cleans_up"]), names


@case(TRAP_BUILDS)
def threads_that_are_cancelled_in_first_calls_end_as_they_would(test, build):
    run = test.run(test.program(build, "cancelled_first_calls.c", flags=["-g"]),
                   modules="lib:cancelled_first_calls")
    assert run.stdout == "done\n", run.stdout
    assert run.forest().roots[-1].name == "run"
    # Each of them was called once more at the end.
    assert len({span.name for span in run.forest().spans}) == 1024 + 1


@case(BOTH_COMPILERS)
def a_throw_takes_no_descriptor_and_makes_no_system_call(test, build):
    for name, link in (("confined", []), ("confined_static_libstdcxx", ["-static-libstdc++"])):
        program = test.program(build, "confined.cc", name=name, link=link)
        run = test.run(program, "descriptors", modules="app")
        assert run.stdout == "3 4\n", (name, run.stdout)
        run = test.run(program, "filter", modules="app")
        assert run.stdout == "done\n", (name, run.stdout)
        run.expect_tree("""
            app::first
            app::tries
              app::fails  ERROR
        """)
        event, = run.forest().one("app::fails").events
        assert "exception.stacktrace" in str(event), event
