"""autotrace.caller against addr2line, and the stack above a root."""

import os

from harness import ALL_BUILDS, BOTH_COMPILERS, Build, case, output_of


def addr2line(module, address):
    """The innermost function, file and line of an address: "function (file:line)"."""
    function, place = output_of(["addr2line", "-f", "-e", module, address]).splitlines()
    # Without arguments: what a span calls the function.
    function = output_of(["c++filt", "-p", function]).strip()
    return f"{function} ({place.split(' ')[0]})"


def expect_callers(run):
    """Every CALL line of the program against the span of the same number."""
    calls = [line.split()[1:] for line in run.stdout.splitlines() if line.startswith("CALL")]
    spans = sorted(run.forest().spans, key=lambda span: span.start)
    assert len(calls) == len(spans) == 9, (len(calls), len(spans))
    for span, (module, address) in zip(spans, calls):
        expected = addr2line(module, address)
        actual = span.attributes.get("autotrace.caller")
        assert actual == expected, f"{span.name}: caller {actual}, addr2line says {expected}"


@case(ALL_BUILDS)
def callers_are_addr2lines_in_a_pie_and_a_shared_library(test, build):
    library = test.program(build, "callers_lib.cc", shared=True)
    program = test.program(build, "callers.cc", flags=["-fPIE"], link=[
        "-pie", library, f"-Wl,-rpath,{os.path.dirname(library)}"])
    expect_callers(test.run(program, modules="app,lib"))


@case(BOTH_COMPILERS)
def callers_are_addr2lines_in_a_position_dependent_program(test, build):
    program = test.program(build, "callers.cc", "callers_lib.cc", flags=["-fno-pie"],
                           link=["-no-pie"])
    expect_callers(test.run(program, modules="app,lib"))


@case(BOTH_COMPILERS)
def callers_can_be_left_out(test, build):
    run = test.run(test.program(build, "nested.cc"), config="""
        modules: [app]
        callers: false
    """)
    spans = run.forest().spans
    assert len(spans) == 7, len(spans)
    assert not any("autotrace.caller" in span.attributes for span in spans)


@case(BOTH_COMPILERS)
def a_root_carries_the_stack_above_it_when_asked_for(test, build):
    build = Build(build.family, "-O0")  # so that every frame is there
    run = test.run(test.program(build, "stack.cc"), config="""
        modules: [app]
        root_stacktrace: true
    """)
    forest = run.expect_tree("""
        app::run
          app::child
    """)
    stack = forest.roots[0].attributes["code.stacktrace"]
    functions = [name for line in stack.splitlines()
                 for name in ("inner_setup", "outer_setup", "main") if name in line.split("(")[0]]
    assert functions[:3] == ["inner_setup", "outer_setup", "main"], stack
    assert "code.stacktrace" not in forest.one("app::child").attributes


@case(BOTH_COMPILERS)
def a_root_carries_no_stack_otherwise(test, build):
    forest = test.run(test.program(build, "stack.cc"), modules="app").forest()
    assert "code.stacktrace" not in forest.roots[0].attributes
