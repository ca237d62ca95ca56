"""Which calls become spans. The same program throughout; without filters its tree is EVERYTHING."""

from harness import BOTH_COMPILERS, ONE_BUILD, case

EVERYTHING = """
    main
      app::run
        app::load
          app::parse x3
            util::trim x2
              app::callback
        app::store
          app::commit
        app::report
"""


def program(test, build):
    return test.program(build, "filters.cc", "filters_util.cc")


@case(BOTH_COMPILERS)
def a_star_is_everything_instrumented(test, build):
    test.run(program(test, build), modules="*").expect_tree(EVERYTHING)


@case(BOTH_COMPILERS)
def the_program_is_a_module_by_its_file_name(test, build):
    test.run(program(test, build), modules="filters").expect_tree(EVERYTHING)
    test.run(program(test, build), modules="lib:filters").expect_tree(EVERYTHING)


@case(BOTH_COMPILERS)
def a_source_file_is_a_module(test, build):
    for pattern in ("filters_util.cc", "src:filters_util.cc", "programs/filters_util.cc",
                    "src:*_util.cc"):
        test.run(program(test, build), modules=pattern).expect_tree("util::trim x6")


@case(BOTH_COMPILERS)
def a_namespace_does_not_match_a_longer_one(test, build):
    run = test.run(program(test, build), modules="ap", quiet=False)
    run.expect_tree("")


@case(BOTH_COMPILERS)
def callees_of_what_is_not_selected_attach_to_the_nearest_span(test, build):
    test.run(program(test, build), modules="app").expect_tree("""
        app::run
          app::load
            app::parse x3
              app::callback x2
          app::store
            app::commit
          app::report
    """)


@case(BOTH_COMPILERS)
def globs_stay_within_a_component_or_cross_them(test, build):
    test.run(program(test, build), modules="app::re*,*::commit").expect_tree("""
        app::commit
        app::report
    """)
    test.run(program(test, build), modules="**::tri?").expect_tree("util::trim x6")


@case(BOTH_COMPILERS)
def exclude_hides_the_function_alone(test, build):
    run = test.run(program(test, build), modules="app,util",
                   env={"AUTOTRACE_EXCLUDE": "app::parse,app::store"})
    run.expect_tree("""
        app::run
          app::load
            util::trim x6
              app::callback
          app::commit
          app::report
    """)


@case(BOTH_COMPILERS)
def exclude_wins_over_an_exact_module(test, build):
    run = test.run(program(test, build), modules="app::store,app::commit",
                   env={"AUTOTRACE_EXCLUDE": "app"})
    run.expect_tree("")


@case(BOTH_COMPILERS)
def exclude_subtree_hides_everything_below(test, build):
    test.run(program(test, build), config="""
        modules: [app, util]
        exclude_subtree: [app::load]
    """).expect_tree("""
        app::run
          app::store
            app::commit
          app::report
    """)


@case(BOTH_COMPILERS)
def max_depth_counts_recorded_spans(test, build):
    test.run(program(test, build), config="""
        modules: [app, util]
        exclude: [app::load]
        max_depth: 2
    """).expect_tree("""
        app::run
          app::parse x3
          app::store
          app::report
    """)


@case(BOTH_COMPILERS)
def roots_cut_traces_of_their_own(test, build):
    run = test.run(program(test, build), config="""
        modules: [app]
        roots: [app::parse]
        pipeline_id: nightly
    """)
    forest = run.expect_tree("""
        app::run  (pipeline nightly)
          app::load
          app::store
            app::commit
          app::report
        app::parse x3  (pipeline nightly)
          app::callback x2
    """)
    assert len(forest.traces) == 4


@case(BOTH_COMPILERS)
def pipelines_name_the_trace_by_its_first_function(test, build):
    run = test.run(program(test, build), config="""
        modules: [app]
        roots: [app::parse, app::store]
        pipeline_id: other
        pipelines:
          app::parse: parsing
          app::run: nightly
    """)
    run.expect_tree("""
        app::run  (pipeline nightly)
          app::load
          app::report
        app::parse x3  (pipeline parsing)
          app::callback x2
        app::store  (pipeline other)
          app::commit
    """)


@case(ONE_BUILD)
def the_pipeline_ids_key_is_configurable(test, build):
    run = test.run(program(test, build), config="""
        modules: [app::run]
        pipeline_id: nightly
        pipeline_id_key: batch.id
    """)
    run.expect_tree('app::run  {batch.id="nightly"}')


@case(BOTH_COMPILERS)
def short_calls_leave_no_span(test, build):
    run = test.run(test.program(build, "durations.cc"), modules="app",
                   env={"AUTOTRACE_MIN_DURATION": "20ms"})
    run.expect_tree("""
        app::run
          app::slow
          app::holder
            app::slow
          app::catcher
            app::thrower  ERROR
          app::with_manual_span
            Manual
          app::varies
    """)


@case(BOTH_COMPILERS)
def a_threshold_can_be_set_for_a_pattern(test, build):
    run = test.run(test.program(build, "durations.cc"), config="""
        modules: [app]
        min_duration: 20ms
        keep_errors: false
        min_duration_for:
          app::fast: 0
          app::slow: 10s
    """)
    run.expect_tree("""
        app::run
          app::fast x5
          app::holder
            app::fast
          app::catcher
            app::fast
          app::with_manual_span
            Manual
              app::fast
          app::varies
    """)


@case(BOTH_COMPILERS)
def a_function_is_recorded_from_its_first_slow_call_on(test, build):
    run = test.run(test.program(build, "durations.cc"), config="""
        modules: [app::varies]
        min_duration: 20ms
        min_duration_mode: function
    """)
    run.expect_tree("""
        Manual
        app::varies x3
    """)


@case(BOTH_COMPILERS)
def every_filter_key_at_once(test, build):
    run = test.run(test.program(build, "durations.cc"), config="""
        modules: [app, "lib:durations"]
        exclude: [main]
        exclude_subtree: [app::catcher]
        roots: [app::holder]
        compiler_made: false
        min_duration: 20ms
        min_duration_for:
          app::fast: 0
        min_duration_mode: span
        max_depth: 2
        keep_errors: true
        pipeline_id: nightly
        pipelines:
          app::holder: holding
    """)
    run.expect_tree("""
        app::run  (pipeline nightly)
          app::fast x5
          app::slow
          app::with_manual_span
            Manual
          app::varies
        app::holder  (pipeline holding)
          app::fast
          app::slow
    """)


@case(ONE_BUILD)
def a_pattern_that_matched_nothing_is_named(test, build):
    run = test.run(program(test, build), modules="app::run,pipline", quiet=False)
    run.expect_tree("app::run")
    assert "pipline" in run.stderr and "app::run" not in run.stderr, run.stderr


@case(ONE_BUILD)
def functions_says_what_the_runtime_does(test, build):
    binary = program(test, build)
    listing = test.autotracer("functions", binary, env={
        "AUTOTRACE_MODULES": "app", "AUTOTRACE_EXCLUDE": "app::store"}).stdout
    assert "app::commit" in listing, listing
    (store,) = [line for line in listing.splitlines() if "app::store" in line]
    assert "excluded" in store, store
