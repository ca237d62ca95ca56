"""Live export and what it keeps on disk: whatever happens to the program, the endpoint or the push,
each ended span arrives once; those that were on their way at a kill may arrive twice, and are equal."""

import dataclasses
import os
import random
import re
import signal
import subprocess
import time

import span_tree
from cases_death import KILLS, kill_after, start
from cases_limits import mounted
from cases_live import Endpoint, endpoint, environment
from harness import BOTH_COMPILERS, ONE_BUILD, TIMEOUT_SECONDS, case, clean_environment, expect_text


def content(span):
    """Of a span, without what its place in a tree adds and what was dropped by then."""
    resource = {key: value for key, value in span.resource.items()
                if not key.startswith("autotrace.dropped.")}
    return dataclasses.replace(span, children=[], resource=resource)


def arrived(collector, before_push=None, answered=True):
    """What arrived, as a tree of distinct spans. Spans that arrived twice are equal, and were in one
    request: the last one before the push (or before any other end, if `before_push` is None); in all
    of those before the push when the endpoint did not accept any of them."""
    requests = collector.spans_of_requests()
    first = {}
    again = {}
    for number, request in enumerate(requests):
        for span in request:
            known = first.setdefault(span.span_id, (number, span))
            if known[0] != number:
                again.setdefault(known[0], []).append(span.span_id)
            assert content(known[1]) == content(span), f"{known[1]}\n{span}"
    if before_push is None:
        assert len(again) <= 1, f"spans of {len(again)} requests arrived twice"
    else:
        may_come_again = {before_push - 1} if answered else set(range(before_push))
        assert set(again) <= may_come_again, (again.keys(), before_push)
    return span_tree.Forest([span for _, span in first.values()])


def push(test, data_dir, collector, *arguments, **options):
    return test.autotracer("push", *arguments, data_dir=data_dir,
                           env={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}, **options)


def expect_nothing_left(data_dir):
    left = [str(path) for path in data_dir.rglob("*")] if data_dir.exists() else []
    assert not left, left


def expect_ended(forest, ended):
    numbers = [span.attributes["number"] for span in forest.named("numbered")
               if "number" in span.attributes]
    missing = set(ended) - set(numbers)
    assert not missing, f"{len(missing)} of {len(ended)} ended spans are missing: {sorted(missing)[:9]}"
    # One more may have ended between its end and the message.
    assert max(numbers) <= ended[-1] + 2, (max(numbers), ended[-1])
    for request in forest.named("app::request"):
        if request.attributes.get("autotrace.unfinished"):
            continue
        names = [span.name for span in request.children]
        assert names.count("app::step") == 5 and len(names) == 6, names


def kill_and_push(test, build, how, mode):
    """Kills programs at random moments while the endpoint does this; then pushes what they left."""
    chance = random.Random(f"{how} {mode} {KILLS}")
    for attempt in range(max(KILLS // 5, 1)):
        collector = Endpoint(test.below(f"{how}{attempt}"))
        data_dir = test.directory / f"data{attempt}"
        if mode == "away":
            collector.kill()
        else:
            collector.mode(mode)
        seconds = chance.choice((0.02, 0.3, 2)) * chance.random()
        _, ended = kill_after(test, build, seconds, data_dir, environment(collector), how=how)
        before_push = collector.count()
        collector.kill()
        collector.mode("ok")
        collector.start()
        push(test, data_dir, collector)
        collector.kill()
        forest = arrived(collector, before_push, answered=mode != "503")
        expect_ended(forest, ended)
        if how == "serve":
            (root,) = forest.roots
            assert root.name == "app::serve" and root.attributes["autotrace.unfinished"] is True, root
        else:
            assert all(root.name == "app::request" for root in forest.roots), forest.roots
            unfinished = [root for root in forest.roots
                          if root.attributes.get("autotrace.unfinished")]
            assert len(unfinished) <= 1, unfinished
        expect_nothing_left(data_dir)


# ---- Kills --------------------------------------------------------------------------------------


@case(ONE_BUILD)
def a_kill_while_the_endpoint_answers_loses_nothing(test, build):
    kill_and_push(test, build, "serve", "ok")
    kill_and_push(test, build, "requests", "ok")


@case(ONE_BUILD)
def a_kill_while_the_endpoint_is_away_loses_nothing(test, build):
    kill_and_push(test, build, "serve", "away")
    kill_and_push(test, build, "requests", "away")


@case(ONE_BUILD)
def a_kill_while_the_endpoint_stalls_loses_nothing(test, build):
    kill_and_push(test, build, "serve", "stall")
    kill_and_push(test, build, "requests", "stall")


@case(ONE_BUILD)
def a_kill_while_the_endpoint_is_overloaded_loses_nothing(test, build):
    kill_and_push(test, build, "requests", "503")


@case(BOTH_COMPILERS)
def every_way_to_die_leaves_a_tree_that_can_be_sent(test, build):
    for how, status in (("segv", -signal.SIGSEGV), ("abort", -signal.SIGABRT), ("_exit", 9),
                        ("kill", -signal.SIGKILL)):
        collector = Endpoint(test.below(how))
        run = test.run(test.program(build, "death.cc"), how, "late", modules="app", status=status,
                       env=environment(collector), quiet=False)
        push(test, run.data_dir, collector)
        collector.kill()
        # It had been open for too short a time to be seen, or just about.
        tree = arrived(collector).text().replace("(unknown)", "app::end")
        expect_text(tree, """
            app::run  (pipeline nightly)  unfinished
              app::step
              app::end  unfinished
                app::step
        """)
        expect_nothing_left(run.data_dir)


@case(ONE_BUILD)
def a_recording_stays_when_the_rest_of_it_was_sent(test, build):
    with endpoint(test) as collector:
        data_dir = test.directory / "data"
        run, ended = kill_after(test, build, 0.3, data_dir,
                                environment(collector, AUTOTRACE_RECORD="true"))
        before_push = collector.count()
        push(test, data_dir, collector)
        forest = arrived(collector, before_push)
        expect_ended(forest, ended)
        # The recording is whole, and says the same as what was sent.
        recorded = run.forest()
        assert recorded.by_id.keys() == forest.by_id.keys()
        for span in recorded.spans:
            assert content(span) == content(forest.by_id[span.span_id])
        again = push(test, data_dir, collector)
        assert "nothing in" in again.stdout, again.stdout
        (name,) = os.listdir(data_dir)
        again = push(test, data_dir, collector, name)
        assert "everything was sent already" in again.stdout, again.stdout


# ---- The endpoint -------------------------------------------------------------------------------


@case(ONE_BUILD)
def an_endpoint_that_is_restarted_loses_nothing(test, build):
    with endpoint(test) as collector:
        data_dir = test.directory / "data"
        process = start(test, build, "requests", data_dir, environment(collector), "4000")
        time.sleep(0.5)
        collector.kill()
        time.sleep(0.7)
        collector.start()
        _, err = process.communicate(timeout=TIMEOUT_SECONDS)
        assert process.returncode == 0
        assert "cannot send spans" in err and "were not sent" not in err, err
        forest = arrived(collector)
        assert len(forest.named("numbered")) == 4000, len(forest.named("numbered"))
        assert len(forest.roots) == 4000, len(forest.roots)
        expect_nothing_left(data_dir)


@case(ONE_BUILD)
def what_an_endpoint_that_is_away_did_not_get_is_sent_later(test, build):
    with endpoint(test) as collector:
        collector.kill()
        begin = time.monotonic()
        run = test.run(test.program(build, "nested.cc"), 3, modules="app", status=3, quiet=False,
                       env=environment(collector))
        seconds = time.monotonic() - begin
        assert seconds < 5, f"waited {seconds:.1f} s for an endpoint that is not there"
        (folder,) = run.data_dir.iterdir()
        assert run.stderr.endswith("spans were not sent and are kept; send them with: "
                                   f"autotracer push {folder}\n"), run.stderr
        failed = push(test, run.data_dir, collector, status=1)
        assert "cannot connect" in failed.stderr and "the rest is kept" in failed.stderr, failed.stderr
        collector.start()
        sent = push(test, run.data_dir, collector, folder)
        count = len(arrived(collector).spans)
        assert re.search(rf"\b{count:,} spans sent to {collector.url}", sent.stdout), sent.stdout
        assert re.search(rf"\b{count} spans were not sent", run.stderr), run.stderr
        expect_nothing_left(run.data_dir)


@case(ONE_BUILD)
def more_than_memory_holds_is_kept_on_disk(test, build):
    with endpoint(test) as collector:
        collector.mode("stall")
        run = test.run(test.program(build, "death.cc"), "large", 4000, modules="app", quiet=False,
                       env=environment(collector, OTEL_EXPORTER_OTLP_TIMEOUT="500"))
        assert "takes spans more slowly than they come" in run.stderr, run.stderr
        assert "4001 spans were not sent and are kept" in run.stderr, run.stderr
        assert "did not reach" not in run.stderr, run.stderr
        stalled = collector.count()
        collector.mode("ok")
        push(test, run.data_dir, collector)
        forest = span_tree.Forest([span for request in collector.spans_of_requests()[stalled:]
                                   for span in request])
        (root,) = forest.roots
        assert root.name == "app::large" and len(root.children) == 4000, root
        expect_nothing_left(run.data_dir)


@case(ONE_BUILD)
def what_does_not_fit_on_disk_either_is_counted(test, build):
    with endpoint(test) as collector:
        collector.kill()
        run = test.run(test.program(build, "death.cc"), "large", 1000, modules="app", quiet=False,
                       env=environment(collector, AUTOTRACE_MAX_DISK="8MiB"))
        lost = int(re.search(r"(\d+) spans were neither sent nor kept on disk", run.stderr)[1])
        kept = int(re.search(r"(\d+) spans were not sent and are kept", run.stderr)[1])
        assert lost + kept == 1001, run.stderr
        collector.start()
        pushed = push(test, run.data_dir, collector, status=3)
        assert "were removed (max_disk)" in pushed.stderr, pushed.stderr
        forest = arrived(collector)
        assert len(forest.spans) == kept, (len(forest.spans), kept)
        assert len(forest.traces) == 1


@case(ONE_BUILD)
def what_the_endpoint_refuses_is_dropped_and_what_push_cannot_send_is_kept(test, build):
    with endpoint(test) as collector:
        collector.mode("400")
        run = test.run(test.program(build, "nested.cc"), 3, modules="app", status=3, quiet=False,
                       env=environment(collector))
        assert "did not reach" in run.stderr and "are kept" not in run.stderr, run.stderr
        expect_nothing_left(run.data_dir)
        # Whoever pushes can mend a wrong path or key, and try again.
        collector.mode("503")
        run = test.run(test.program(build, "nested.cc"), 3, modules="app", status=3, quiet=False,
                       env=environment(collector, OTEL_EXPORTER_OTLP_TIMEOUT="300"))
        for status in ("401", "404"):
            collector.mode(status)
            failed = push(test, run.data_dir, collector, status=1)
            assert f"HTTP status {status}" in failed.stderr, failed.stderr
        collector.mode("ok")
        refused = collector.count()
        push(test, run.data_dir, collector)
        forest = span_tree.Forest([span for request in collector.spans_of_requests()[refused:]
                                   for span in request])
        assert [root.name for root in forest.roots] == ["app::run"], forest.text()


# ---- The push -----------------------------------------------------------------------------------


def leave_spool(test, build, collector, data_dir, seconds=1.5):
    """A program that is killed while the endpoint is away; numbers of its ended spans."""
    collector.kill()
    _, ended = kill_after(test, build, seconds, data_dir, environment(collector), how="requests")
    collector.start()
    return ended


@case(ONE_BUILD)
def a_push_that_is_killed_goes_on_where_it_was(test, build):
    with endpoint(test) as collector:
        data_dir = test.directory / "data"
        ended = leave_spool(test, build, collector, data_dir, seconds=3)
        collector.mode("slow")
        values = clean_environment() | {"AUTOTRACE_DIR": str(data_dir),
                                        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        killed = 0
        for _ in range(3):
            before = collector.count()
            with subprocess.Popen([test.paths.autotracer, "push"], env=values,
                                  stdout=subprocess.DEVNULL) as process:
                while collector.count() < before + 4 and process.poll() is None:
                    time.sleep(0.002)
                killed += process.poll() is None
                process.kill()
        assert killed == 3, "there was too little to send"
        time.sleep(0.1)
        push(test, data_dir, collector)
        requests = collector.spans_of_requests()
        copies = {}
        for request in requests:
            for span in request:
                copies.setdefault(span.span_id, []).append(content(span))
        assert all(copy == same[0] for same in copies.values() for copy in same)
        twice = sum(len(same) - 1 for same in copies.values())
        assert twice <= 3 * 512, f"{twice} spans arrived twice"  # what was on its way
        expect_ended(span_tree.Forest([same[0] for same in copies.values()]), ended)
        expect_nothing_left(data_dir)


@case(ONE_BUILD)
def two_pushes_at_once_send_each_span_once(test, build):
    with endpoint(test) as collector:
        data_dir = test.directory / "data"
        ended = leave_spool(test, build, collector, data_dir)
        collector.mode("slow")
        values = clean_environment() | {"AUTOTRACE_DIR": str(data_dir),
                                        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        with subprocess.Popen([test.paths.autotracer, "push"], env=values,
                              stdout=subprocess.PIPE, text=True) as first:
            while not collector.count():
                time.sleep(0.002)
            second = push(test, data_dir, collector, status=1)
            assert "another autotracer push is sending it" in second.stderr, second.stderr
            out, _ = first.communicate(timeout=TIMEOUT_SECONDS)
            assert first.returncode == 0, out
        spans = [span for request in collector.spans_of_requests() for span in request]
        expect_ended(span_tree.Forest(spans), ended)  # fails when a span stands twice


@case(ONE_BUILD)
def a_program_that_runs_is_left_alone(test, build):
    with endpoint(test) as collector:
        data_dir = test.directory / "data"
        collector.mode("stall")
        process = start(test, build, "requests", data_dir, environment(collector))
        try:
            process.stdout.readline()
            time.sleep(0.3)
            pushed = push(test, data_dir, collector)
            assert "still runs" in pushed.stderr, pushed.stderr
            (name,) = os.listdir(data_dir)
            pushed = push(test, data_dir, collector, name, status=1)
            assert "still runs" in pushed.stderr, pushed.stderr
        finally:
            process.kill()
            process.communicate()
        collector.kill()
        collector.mode("ok")
        collector.start()
        assert "sent to" in push(test, data_dir, collector).stdout
        expect_nothing_left(data_dir)


@case(ONE_BUILD)
def a_recording_is_sent_when_it_is_named(test, build):
    with endpoint(test) as collector:
        run = test.run(test.program(build, "nested.cc"), modules="app")
        recorded = run.forest()
        (name,) = os.listdir(run.data_dir)
        assert "nothing in" in push(test, run.data_dir, collector).stdout
        push(test, run.data_dir, collector, name)
        sent = arrived(collector)
        expect_text(sent.text(), recorded.text())
        assert sent.by_id.keys() == recorded.by_id.keys()
        assert "everything was sent" in push(test, run.data_dir, collector, name).stdout
        push(test, run.data_dir, collector, name, "--again")
        assert collector.count() == 2
        assert run.forest().text() == recorded.text()


@case(ONE_BUILD)
def without_an_endpoint_push_goes_where_the_program_sent_to(test, build):
    with endpoint(test) as collector:
        data_dir = test.directory / "data"
        leave_spool(test, build, collector, data_dir, seconds=0.2)
        pushed = test.autotracer("push", data_dir=data_dir)
        assert collector.url in pushed.stdout, pushed.stdout
        run = test.run(test.program(build, "nested.cc"), modules="app")
        (name,) = os.listdir(run.data_dir)
        nowhere = test.autotracer("push", name, data_dir=run.data_dir, status=2)
        assert "OTEL_EXPORTER_OTLP_ENDPOINT" in nowhere.stderr, nowhere.stderr
        pushed = test.autotracer("push", name, "--endpoint", collector.url, "--headers",
                                 "x-tenant=data", data_dir=run.data_dir)
        assert collector.requests()[-1]["x-tenant"] == "data"


@case(ONE_BUILD)
def what_waits_is_listed_and_not_cleaned_away(test, build):
    with endpoint(test) as collector:
        data_dir = test.directory / "data"
        ended = leave_spool(test, build, collector, data_dir, seconds=0.3)
        listed = test.autotracer("list", data_dir=data_dir).stdout
        spans, = re.findall(r"([\d,]+) spans, [\d.]+ KiB", listed)
        assert 0 <= int(spans.replace(",", "")) - 8 * ended[-1] <= 16, (listed, ended[-1])
        cleaned = test.autotracer("clean", "--all", data_dir=data_dir)
        assert f"kept 1 run with {spans} spans that were not sent" in cleaned.stderr, cleaned.stderr
        # Later launches leave it alone as well, as long as there are no more than keep_runs of them.
        for _ in range(3):
            test.run(test.program(build, "nested.cc"), modules="app",
                     env={"AUTOTRACE_DIR": data_dir, "AUTOTRACE_KEEP_RUNS": "1"})
        assert test.autotracer("list", data_dir=data_dir).stdout.count(f"{spans} spans") == 1
        leave_spool(test, build, collector, data_dir, seconds=0.2)
        run = test.run(test.program(build, "death.cc"), "_exit", "late", modules="app", quiet=False,
                       status=9, env={"AUTOTRACE_DIR": data_dir, "AUTOTRACE_KEEP_RUNS": "1"})
        assert "KiB that were not sent, to keep to keep_runs" in run.stderr, run.stderr
        test.autotracer("clean", "--all", "--unsent", data_dir=data_dir)
        # The program's _exit may have come between the removal of the files and that of their folder,
        # which then stays for a minute, as one that is being begun.
        left = [str(path) for path in data_dir.rglob("*") if not path.is_dir()]
        assert not left, left


# ---- What is left on disk -----------------------------------------------------------------------


@case(ONE_BUILD)
def a_folder_that_was_there_stays(test, build):
    with endpoint(test) as collector:
        data_dir = test.directory / "mine"
        data_dir.mkdir()
        test.run(test.program(build, "nested.cc"), modules="app",
                 env=environment(collector, AUTOTRACE_DIR=data_dir))
        assert data_dir.exists() and not list(data_dir.iterdir())
        deep = test.directory / "not" / "there"
        test.run(test.program(build, "nested.cc"), modules="app",
                 env=environment(collector, AUTOTRACE_DIR=deep))
        assert not deep.parent.exists()


@case(BOTH_COMPILERS)
def forked_and_executed_children_leave_nothing_and_lose_nothing(test, build):
    for program, arguments, tree in (
            ("processes.cc", ["fork"], """
                app::run  (pipeline nightly)
                  app::fork_and_wait
                    app::leaf
                    app::in_child
                      app::leaf
                    app::leaf
             """),
            ("executes.cc", ["posix_spawn"], """
                app::run  (pipeline nightly)
                  app::starts
                    app::child
             """),
            ("executes.cc", ["vfork"], """
                app::run  (pipeline nightly)
                  app::starts
                    app::child
             """),
            ("executes.cc", ["execve"], """
                app::run  (pipeline nightly)
                  app::starts
                    app::child
             """)):
        for is_away in (False, True):
            collector = Endpoint(test.below(f"{arguments[0]}{is_away}"))
            if is_away:
                collector.kill()
            run = test.run(test.program(build, program), *arguments, modules="app", quiet=False,
                           env=environment(collector))
            if is_away:
                collector.start()
                push(test, run.data_dir, collector)
            collector.kill()
            expect_text(arrived(collector).text(), tree)
            expect_nothing_left(run.data_dir)


@case(ONE_BUILD)
def a_program_that_replaces_itself_leaves_its_open_calls_to_be_sent(test, build):
    with endpoint(test) as collector:
        run = test.run(test.program(build, "executes.cc"), "replace", modules="app", quiet=False,
                       env=environment(collector))
        push(test, run.data_dir, collector)
        expect_text(arrived(collector).text(), """
            app::run  (pipeline nightly)  unfinished
              app::replaces  unfinished
                app::child
        """)
        expect_nothing_left(run.data_dir)


@case(ONE_BUILD)
def without_a_spool_nothing_is_written(test, build):
    with endpoint(test) as collector:
        data_dir = test.directory / "data"
        kill_after(test, build, 0.2, data_dir, environment(collector, AUTOTRACE_SPOOL="false"))
        assert not data_dir.exists()


@case(ONE_BUILD)
def a_disk_that_is_full_does_not_stop_the_sending(test, build):
    with endpoint(test) as collector:
        # Which descriptor the program's file has is not certain: the exporter is being loaded.
        run = mounted(test, build, {"data": "64k"}, env=environment(collector),
                      output=r"descriptor \d+\ndone\n")
        forest = arrived(collector)
        assert len(forest.named("app::step")) == 40_000
        assert run.stderr.count("cannot write to") == 1, run.stderr
        assert "not sent" not in run.stderr, run.stderr
        assert not list(run.data_dir.rglob("*.seg"))


@case(ONE_BUILD)
def a_folder_that_cannot_be_made_does_not_stop_the_sending(test, build):
    with endpoint(test) as collector:
        run = test.run(test.program(build, "nested.cc"), modules="app", quiet=False,
                       env=environment(collector, AUTOTRACE_DIR="/proc/nowhere"))
        assert run.stderr.startswith("autotrace: cannot make /proc/nowhere"), run.stderr
        assert run.stderr.count("\n") == 1, run.stderr
        assert [root.name for root in arrived(collector).roots] == ["app::run"]
