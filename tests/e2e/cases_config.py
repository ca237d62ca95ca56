"""Bad settings: one line that says what is wrong, and the program as if we were not there."""

import re

from harness import ONE_BUILD, case

# name: (configuration file, what the line has to hold). Columns count from 1.
BAD_FILES = {
    "unknown_key": ("modules: [app]\nmin_duraton: 1ms\n",
                    r"trace\.yaml:2:1: .*min_duraton.*min_duration\b"),
    "wrong_type": ("modules:\n  app: 1\n", r"trace\.yaml:\d:\d+: modules: .*expected"),
    "wrong_type_of_a_number": ("modules: [app]\nmax_depth: deep\n",
                               r"trace\.yaml:2:12: max_depth: .*deep.*expected"),
    "wrong_truth_value": ("modules: [app]\ncallers: perhaps\n",
                          r"trace\.yaml:2:10: callers: .*perhaps.*expected"),
    "bare_number": ("modules: [app]\nmin_duration: 0.5\n",
                    r"trace\.yaml:2:15: min_duration: .*0\.5.*0\.5s or 500ms"),
    "bad_duration": ("modules: [app]\nmin_duration: 3 parsecs\n",
                     r"trace\.yaml:2:15: min_duration: .*3 parsecs.*expected"),
    "bad_pattern": ("modules: [\"app::Box<int\"]\n", r"trace\.yaml:1:11: modules: .*app::Box<int.*bracket"),
    "bad_prefix": ("modules: [\"file:a.cc\"]\n", r"trace\.yaml:1:11: modules: .*file:a\.cc.*src:"),
    "bad_choice": ("modules: [app]\nmin_duration_mode: sometimes\n",
                   r"trace\.yaml:2:20: min_duration_mode: .*sometimes.*function"),
    "not_yaml": ("modules: [app\n", r"trace\.yaml:\d+:\d+: "),
    "twice_the_same_key": ("modules: [app]\nmodules: [lib]\n", r"trace\.yaml:2:1: .*modules"),
}

BAD_ENVIRONMENTS = {
    "duration": ({"AUTOTRACE_MIN_DURATION": "5"}, r"AUTOTRACE_MIN_DURATION: .*5s"),
    "pattern": ({"AUTOTRACE_EXCLUDE": "app::Box<int"}, r"AUTOTRACE_EXCLUDE: .*app::Box<int"),
    "file": ({"AUTOTRACE_CONFIG": "/nonexistent/trace.yaml"},
             r"/nonexistent/trace\.yaml: .*No such file"),
    "directory_as_file": ({"AUTOTRACE_CONFIG": "/"}, r"/: "),
}


def expect_untraced(run, message):
    lines = run.stderr.splitlines()
    assert len(lines) == 1, f"expected one line: {run.stderr!r}"
    assert re.match(r"autotrace: .*" + message, lines[0]), lines[0]
    assert run.stdout == "done\n", run.stdout
    run.expect_nothing_recorded()


def register_bad_file(name, text, message):
    def bad_file(test, build):
        program = test.program(build, "nested.cc")
        expect_untraced(test.run(program, 3, config=text, status=3, quiet=False), message)
        checked = test.autotracer("check-config", test.directory / "trace.yaml", status=1)
        assert re.search(message, checked.stderr), checked.stderr

    bad_file.__name__ = f"{name}_in_a_file_is_one_line_and_an_untraced_run"
    case(ONE_BUILD)(bad_file)


def register_bad_environment(name, env, message):
    def bad_environment(test, build):
        program = test.program(build, "nested.cc")
        run = test.run(program, 3, modules="app", env=env, status=3, quiet=False)
        expect_untraced(run, message)

    bad_environment.__name__ = f"a_bad_{name}_in_the_environment_is_one_line_and_an_untraced_run"
    case(ONE_BUILD)(bad_environment)


for _name, (_text, _message) in BAD_FILES.items():
    register_bad_file(_name, _text, _message)
for _name, (_env, _message) in BAD_ENVIRONMENTS.items():
    register_bad_environment(_name, _env, _message)


@case(ONE_BUILD)
def an_unreadable_file_is_one_line_and_an_untraced_run(test, build):
    folder = test.directory / "locked.yaml"
    folder.symlink_to("locked.yaml")  # a loop: unreadable for root, too
    run = test.run(test.program(build, "nested.cc"), 3, env={"AUTOTRACE_CONFIG": folder}, status=3,
                   quiet=False)
    expect_untraced(run, re.escape(str(folder)) + ": ")


@case(ONE_BUILD)
def the_environment_wins_over_the_file(test, build):
    run = test.run(test.program(build, "nested.cc"), modules="app::run", config="""
        modules: [app]
        pipeline_id: of-the-file
    """, env={"AUTOTRACE_PIPELINE_ID": "of-the-environment"})
    run.expect_tree("app::run  (pipeline of-the-environment)")


@case(ONE_BUILD)
def check_config_shows_each_value_with_its_source(test, build):
    file = test.write("trace.yaml", """
        modules: [app]
        otlp:
          headers:
            authorization: Bearer hidden-token
    """)
    shown = test.autotracer("check-config", file, env={"AUTOTRACE_MIN_DURATION": "1ms"}).stdout
    (line,) = [line for line in shown.splitlines() if line.split()[:1] == ["modules:"]
               or line.split()[:1] == ["modules"]]
    assert "app" in line and "trace.yaml:" in line, line
    assert re.search(r"min_duration\b.*1ms.*AUTOTRACE_MIN_DURATION", shown), shown
    assert "hidden-token" not in shown, "a secret was shown"


@case(ONE_BUILD)
def a_folder_that_cannot_be_written_is_said_and_the_program_runs(test, build):
    (test.directory / "file").write_text("")
    run = test.run(test.program(build, "nested.cc"), 3, modules="app", status=3, quiet=False,
                   env={"AUTOTRACE_DIR": test.directory / "file" / "data"})
    assert run.stdout == "done\n"
    assert str(test.directory / "file") in run.stderr, run.stderr
