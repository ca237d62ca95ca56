"""nlohmann-json, a library of templates that were not written to be traced."""

import re

from harness import ALL_BUILDS, case, output_of


def demangled_symbols(binary):
    """Every function of a binary as nm -C has it, ABI tags taken out."""
    lines = output_of(["nm", "-C", "--defined-only", binary]).splitlines()
    return [re.sub(r"\[abi:\w+\]", "", line.split(" ", 2)[2]) for line in lines]


@case(ALL_BUILDS)
def json_is_traced_with_correct_names(test, build):
    program = test.program(build, "json_user.cc")
    untraced = test.run(program)
    run = test.run(program, modules="nlohmann")
    assert run.stdout == untraced.stdout and run.stdout.startswith("7 "), run.stdout

    names = {span.name for span in run.forest().spans}
    assert len(names) >= 20, names
    symbols = demangled_symbols(program)
    for name in names:
        assert name.startswith("nlohmann::"), name
        # A function's name in nm's full form: perhaps a return type, the name, then arguments.
        assert any(symbol.startswith(name + "(") or f" {name}(" in symbol or
                   f" {name} const" in symbol or f"&{name}(" in symbol for symbol in symbols), name


@case(ALL_BUILDS)
def what_json_calls_back_is_part_of_the_tree(test, build):
    forest = test.run(test.program(build, "json_user.cc"), modules="shop,nlohmann").forest()
    calls_back = forest.named("shop::from_json")
    assert len(calls_back) == 2, [span.name for span in forest.spans if "shop" in span.name]
    for span in calls_back:
        assert forest.by_id[span.parent_id].name.startswith("nlohmann::"), span.parent_id
