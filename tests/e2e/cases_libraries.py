"""Libraries that come and go: opened, closed, and others in their place."""

import signal

from harness import BOTH_COMPILERS, case


def plugin(test, build, name, **options):
    return test.program(build, "plugin.cc", flags=[f"-DPLUGIN={name}"], name=f"lib{name}.so",
                        shared=True, **options)


def host(test, build, **options):
    return test.program(build, "reloads_plugins.cc", link=["-ldl"], **options)


def used(name, indent=8):
    lines = ["app::use", "  plugin_run", f"    {name}::run", f"      {name}::step",
             "      app::answer"]
    return "".join(" " * indent + line + "\n" for line in lines)


MODULES = "app,plugin_run,alpha,gamma"


@case(BOTH_COMPILERS)
def a_library_in_the_place_of_another_keeps_its_own_names(test, build):
    run = test.run(host(test, build), 2, 0, "return", plugin(test, build, "alpha"),
                   plugin(test, build, "gamma"), modules=MODULES)
    assert run.stdout == "done\n"
    run.expect_tree(used("alpha") + used("gamma") + used("alpha") + used("gamma"))
