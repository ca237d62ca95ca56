"""What a program's calls become, with every compiler at every optimisation level."""

import os

from harness import ALL_BUILDS, BOTH_COMPILERS, Build, Skip, case, expect_text


@case(ALL_BUILDS)
def nested_calls_are_nested_spans(test, build):
    run = test.run(test.program(build, "nested.cc"), modules="app")
    assert run.stdout == "done\n"
    run.expect_tree("""
        app::run
          app::step
          app::step
            app::leaf
          app::step
            app::leaf x2
    """)


@case(BOTH_COMPILERS)
def the_pipeline_id_stands_on_the_root_only(test, build):
    run = test.run(test.program(build, "nested.cc"), modules="app",
                   env={"AUTOTRACE_PIPELINE_ID": "6f1e9d1c"})
    run.expect_tree("""
        app::run  (pipeline 6f1e9d1c)
          app::step
          app::step
            app::leaf
          app::step
            app::leaf x2
    """)


@case(BOTH_COMPILERS)
def the_exit_status_is_the_programs_own(test, build):
    test.run(test.program(build, "nested.cc"), 42, modules="app", status=42)


@case(ALL_BUILDS)
def names_are_qualified_and_without_arguments(test, build):
    run = test.run(test.program(build, "names.cc"), modules="app")
    # Clang gives a lambda that is not visible elsewhere no number that a demangler knows.
    function_object = "{lambda(int)#1}" if build.family == "gcc" else "$_0"
    run.expect_tree(f"""
        app::run
          app::twice<int>
          app::twice<double>
          app::Box<int>::get
          app::Box<int>::add<7>
          app::Thing::Thing
          app::Thing::operator+
            app::Thing::Thing
          app::Thing::operator bool
          app::Thing::operator()
          app::Thing::~Thing x2
          app::Square::area
          app::(anonymous namespace)::helper
          app::v2::tagged
          app::run(app::Shape const&)::{function_object}::operator()
    """)


@case(ALL_BUILDS)
def compiler_made_members_are_left_out(test, build):
    run = test.run(test.program(build, "compiler_made.cc"), modules="app")
    if build == Build("clang", "-O0"):
        # Clang's debug information does not say which members are "= default"; elsewhere they are
        # inlined before it makes hooks.
        run.expect_tree("""
            app::run
              app::Part::Part x2
              app::Part::operator=
              app::Defaulted::Defaulted
                app::Part::Part
              app::Defaulted::~Defaulted
                app::Part::~Part
              app::Part::~Part x2
        """)
        return
    run.expect_tree("""
        app::run
          app::Part::Part x2
          app::Part::operator=
          app::Part::Part
          app::Part::~Part x3
    """)


@case(BOTH_COMPILERS)
def compiler_made_members_come_back_when_asked_for(test, build):
    build = Build(build.family, "-O0")  # so that they are functions at all
    run = test.run(test.program(build, "compiler_made.cc", flags=["-fno-inline"]), config="""
        modules: [app]
        compiler_made: true
    """)
    names = {span.name for span in run.forest().spans}
    assert {"app::Whole::Whole", "app::Whole::~Whole", "app::Whole::operator="} <= names, names


@case(BOTH_COMPILERS)
def recursion_is_recorded_to_any_depth(test, build):
    depth = 20_000
    run = test.run(test.program(build, "recursion.cc"), depth, modules="app")
    forest = run.forest()
    assert len(forest.spans) == depth
    (span,) = forest.roots
    for _ in range(depth - 1):
        (span,) = span.children
    assert not span.children


@case(ALL_BUILDS)
def each_thread_has_traces_of_its_own(test, build):
    run = test.run(test.program(build, "threads.cc"), 4, modules="app::work,app::part")
    forest = run.expect_tree("""
        app::work x4
          app::part x2
    """, sort_roots=True)
    assert len(forest.traces) == 4
    assert len({root.attributes["thread.id"] for root in forest.roots}) == 4
    assert {span.attributes["thread.name"] for span in forest.spans} == {"worker"}


@case(BOTH_COMPILERS)
def a_thousand_threads_lose_nothing(test, build):
    run = test.run(test.program(build, "threads.cc"), 1000, modules="app::work,app::part")
    run.expect_tree("""
        app::work x1000
          app::part x2
    """, sort_roots=True)


@case(ALL_BUILDS)
def manual_spans_nest_with_automatic_ones(test, build):
    run = test.run(test.program(build, "manual.cc"), modules="app")
    assert run.stdout == "7 recording=1\n"
    run.expect_tree("""
        app::run
          Outer  {count=3, flag=true, ratio=0.5, text="x"}
            app::inner
            Nested  {key="second"}
          Traced  {size=-1}
            app::compute
              app::inner
          In a hidden function
            app::inner
    """)


@case(BOTH_COMPILERS)
def enabled_alone_records_manual_spans_only(test, build):
    run = test.run(test.program(build, "manual.cc"), env={"AUTOTRACE_ENABLED": 1})
    run.expect_tree("""
        Outer  {count=3, flag=true, ratio=0.5, text="x"}
          Nested  {key="second"}
        Traced  {size=-1}
        In a hidden function
    """)


@case(ALL_BUILDS)
def a_c_program_is_traced(test, build):
    run = test.run(test.program(build, "c_program.c"), modules="lib:c_program")
    assert run.stdout == "done\n"
    run.expect_tree("""
        main
          run
            step
            By hand  {rows=7910}
              step
    """)


@case([Build("clang", "-O2")])
def a_program_on_clangs_cxx_library_is_traced(test, build):
    flags, link = test.libcxx_flags()
    program = test.program(build, "threads.cc", flags=flags, link=link)
    run = test.run(program, 2, modules="app::work,app::part")
    run.expect_tree("""
        app::work x2
          app::part x2
    """, sort_roots=True)


@case(BOTH_COMPILERS)
def spans_say_where_their_functions_are(test, build):
    program = test.program(build, "nested.cc")
    leaf = test.run(program, modules="app").forest().named("app::leaf")[0]
    assert leaf.attributes["code.function.name"] == "app::leaf", leaf.attributes
    assert leaf.attributes["code.file.path"].endswith("programs/nested.cc"), leaf.attributes
    source = open(leaf.attributes["code.file.path"], encoding="utf-8").read().splitlines()
    line = source[leaf.attributes["code.line.number"] - 1]
    expect_text(line, "NOINLINE void leaf() { Touch(); }")


@case(BOTH_COMPILERS)
def the_resource_describes_the_process(test, build):
    run = test.run(test.program(build, "nested.cc"), modules="app",
                   env={"OTEL_SERVICE_NAME": "shop", "OTEL_RESOURCE_ATTRIBUTES": "team=data"})
    resource = run.forest().spans[0].resource
    assert resource["service.name"] == "shop", resource
    assert resource["team"] == "data", resource
    assert resource["telemetry.sdk.language"] == "cpp", resource
    assert resource["process.executable.name"] == "nested", resource
    assert resource["process.pid"] > 0, resource
    assert resource["os.type"] == "linux", resource
    assert "process.command_args" not in resource, "arguments leak secrets"
