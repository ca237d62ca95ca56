"""The sample pipeline: the same tree from every build."""

import json
import pathlib

import span_tree
from harness import ALL_BUILDS, SOURCE_ROOT, case

SAMPLE = SOURCE_ROOT / "samples/pipeline"
LANGUAGES = pathlib.Path("/usr/share/iso-codes/json/iso_639-3.json")
PIPELINE_ID = "6f1e9d1c-6f0f-4a43-9df4-1c2b8f3f7a10"


def program(test, build, plugin=None):
    sources = sorted(file.name for file in SAMPLE.glob("*.cc"))
    return test.program(build, *sources, source_dir=SAMPLE, name="pipeline_sample",
                        link=["-lsqlite3"], plugin=plugin)


def languages():
    return json.loads(LANGUAGES.read_text(encoding="utf-8"))["639-3"]


def expect_one_trace_with_the_id_on_its_root(forest):
    """Parsing has shown that parents exist, share the trace and enclose their children."""
    assert len(forest.traces) == 1, forest.traces
    (root,) = forest.roots
    assert root.name == "pipeline_app::run_data_processing_pipeline", root.name
    carriers = [span for span in forest.spans if span_tree.PIPELINE_KEY in span.attributes]
    assert carriers == [root] and root.attributes[span_tree.PIPELINE_KEY] == PIPELINE_ID


def expect_the_pipelines_tree(test, sample, modules="pipeline_app"):
    run = test.run(sample, modules=modules,
                   env={"AUTOTRACE_PIPELINE_ID": PIPELINE_ID, "AUTOTRACE_MIN_DURATION": "0"})
    records = languages()
    count = len(records)
    assert run.stdout.startswith(f"{count} languages in languages.sqlite"), run.stdout
    forest = run.forest()
    expect_one_trace_with_the_id_on_its_root(forest)
    names = count + sum(1 for record in records if "inverted_name" in record)
    living = sum(1 for record in records if record["type"] == "L")
    expected = f"""\
pipeline_app::run_data_processing_pipeline  (pipeline {PIPELINE_ID})
  pipeline_app::extract_data
    pipeline_app::process_record x{count}
      pipeline_app::normalize_name x{names}
  pipeline_app::transform_data
    pipeline_app::apply_transformation x{count}
      pipeline_app::build_search_key x{count}
    pipeline_app::validate_transformation x{count}
  pipeline_app::load_results
    pipeline_app::generate_summary
    Manual Summary Enrichment  {{summary.languages={count}, summary.living_share={living / count}}}
"""
    assert forest.merged_text() == expected, forest.merged_text()
    assert not forest.named("pipeline_app::enrich_summary")


@case(ALL_BUILDS)
def the_pipelines_tree_is_the_same_in_every_build(test, build):
    expect_the_pipelines_tree(test, program(test, build))


@case(ALL_BUILDS)
def the_pipelines_tree_is_the_same_with_the_compiler_plugin(test, build):
    expect_the_pipelines_tree(test, program(test, build, plugin=[]))
    chosen = program(test, build, plugin=["--modules", "pipeline_app"])
    expect_the_pipelines_tree(test, chosen)
    # Nothing else has hooks.
    expect_the_pipelines_tree(test, chosen, modules="*")


@case(ALL_BUILDS)
def above_a_millisecond_the_pipelines_tree_stays_whole(test, build):
    run = test.run(program(test, build), modules="pipeline_app",
                   env={"AUTOTRACE_PIPELINE_ID": PIPELINE_ID, "AUTOTRACE_MIN_DURATION": "1ms"})
    forest = run.forest()
    expect_one_trace_with_the_id_on_its_root(forest)
    assert forest.by_id[forest.one("Manual Summary Enrichment").parent_id].name == (
        "pipeline_app::load_results")
    for name in ("extract_data", "transform_data", "load_results"):
        forest.one("pipeline_app::" + name)
    for span in forest.spans:
        kept_for = [below for below in span.walk() if below.name == "Manual Summary Enrichment"]
        assert span.duration >= 1_000_000 or kept_for, f"{span.name}: {span.duration} ns"
    # A busy machine makes some calls long; there are 40,000 of them.
    assert len(forest.spans) < 4000, f"{len(forest.spans)} spans: the threshold dropped too few"
