"""How processes begin, end, fork, and are interrupted."""

import signal

from harness import TRAP_BUILDS, ONE_BUILD, case


ABRUPT_ENDS = (("_exit", 7), ("abort", -signal.SIGABRT), ("kill", -signal.SIGKILL))


def run(test, build, *arguments, status=0):
    return test.run(test.program(build, "processes.cc"), *arguments, modules="app", status=status)


@case(TRAP_BUILDS)
def exit_deep_in_a_tree_keeps_the_tree(test, build):
    done = run(test, build, "exit", status=7)
    assert done.stdout == "begun\n"
    done.expect_tree("""
        app::run  unfinished
          app::finish  unfinished
            app::leaf
    """)


@case(TRAP_BUILDS)
def open_spans_of_a_program_that_ended_abruptly_are_unfinished(test, build):
    for how, status in ABRUPT_ENDS:
        done = run(test, build, how, "late", status=status)
        assert done.stdout == "begun\n"
        done.expect_tree("""
            app::run  unfinished
              app::finish  unfinished
                app::leaf
        """)


@case(TRAP_BUILDS)
def what_had_ended_when_a_program_was_killed_at_once_is_kept(test, build):
    for how, status in ABRUPT_ENDS:
        # Nobody has had the time to look at the open spans; something stands in their place.
        forest = run(test, build, how, status=status).forest()
        leaf = forest.one("app::leaf")
        assert [root.name for root in forest.roots] == ["app::run"], forest.text()
        assert leaf.attributes["thread.id"] == leaf.resource["process.pid"], leaf


@case(TRAP_BUILDS)
def a_forked_child_parents_its_spans_and_repeats_none(test, build):
    forest = run(test, build, "fork").forest()
    names = sorted(span.name for span in forest.spans)
    assert names == ["app::fork_and_wait", "app::in_child", "app::leaf", "app::leaf", "app::leaf",
                     "app::run"], names
    child = forest.one("app::in_child")
    assert [span.name for span in child.children] == ["app::leaf"]
    parent = forest.one("app::fork_and_wait")
    assert child.parent_id == parent.span_id, "the child's span hangs elsewhere"
    assert child.resource["process.pid"] != parent.resource["process.pid"]


@case(TRAP_BUILDS)
def a_signal_handlers_calls_nest_where_it_interrupted(test, build):
    run(test, build, "signal").expect_tree("""
        app::run
          app::interrupted
            app::on_signal
              app::leaf
            app::leaf
    """)


@case(TRAP_BUILDS)
def a_program_that_a_span_starts_continues_its_trace(test, build):
    program = test.program(build, "executes.cc")
    for how in ("posix_spawn", "posix_spawnp", "vfork", "execve", "execv", "execvp", "execvpe",
                "execl", "execlp", "execle", "fexecve"):
        # However short: its identity was handed out.
        done = test.run(program, how, modules="app", env={"AUTOTRACE_PIPELINE_ID": "p"})
        assert done.stdout == "child 55\nstatus 0\n", (how, done.stdout)
        forest = done.expect_tree("""
            app::run  (pipeline p)
              app::starts
                app::child
        """)
        assert len({span.resource["process.pid"] for span in forest.spans}) == 2


@case(TRAP_BUILDS)
def a_program_that_replaces_itself_continues_its_trace(test, build):
    program = test.program(build, "executes.cc")
    done = test.run(program, "replace", modules="app")
    assert done.stdout == "child 55\n", done.stdout
    done.expect_tree("""
        app::run  unfinished
          app::replaces  unfinished
            app::child
    """)
    done = test.run(program, "fail", modules="app")
    assert done.stdout == "No such file or directory\n", done.stdout
    done.expect_tree("""
        app::run
          app::fails_to_execute
    """)


@case(TRAP_BUILDS)
def programs_that_glibc_starts_itself_have_traces_of_their_own(test, build):
    program = test.program(build, "executes.cc")
    for how in ("system", "popen"):
        done = test.run(program, how, modules="app")
        assert done.stdout == "child 0\n", (how, done.stdout)
        done.expect_tree("""
            app::child
            app::run
              app::starts
        """, sort_roots=True)


@case(ONE_BUILD)
def a_trace_begun_elsewhere_is_continued(test, build):
    program = test.program(build, "executes.cc")
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    done = test.run(program, "child", modules="app",
                    env={"TRACEPARENT": traceparent})
    span, = done.forest(lost_parents=True).spans
    assert span.trace_id == "0af7651916cd43dd8448eb211c80319c"
    assert span.parent_id == "b7ad6b7169203331"
    for wrong in ("nonsense", traceparent.replace("b7ad6b7169203331", "0000000000000000"),
                  traceparent[:-1], traceparent + "0", "ff" + traceparent[2:]):
        done = test.run(program, "child", modules="app", env={"TRACEPARENT": wrong}, quiet=False)
        assert "TRACEPARENT" in done.stderr and wrong in done.stderr, done.stderr
        assert not done.forest().spans[0].parent_id


@case(ONE_BUILD)
def an_untraced_program_hands_its_environment_on_as_it_is(test, build):
    program = test.program(build, "executes.cc")
    for how in ("posix_spawn", "vfork", "execl", "replace"):
        done = test.run(program, how, env={"TRACEPARENT": "kept"})
        assert done.stdout.startswith("child 4\n"), (how, done.stdout)


RAW_FORKS = ("_Fork", "clone", "syscall", "clone3")


def raw_forks(test, build, *arguments):
    done = test.run(test.program(build, "raw_forks.cc"), *arguments, modules="app")
    assert done.stdout == "status 5\n", done.stdout
    return done


@case(TRAP_BUILDS)
def a_child_made_without_fork_continues_the_trace(test, build):
    for how in RAW_FORKS:
        forest = raw_forks(test, build, how).expect_tree("""
            app::run
              app::forks
                app::leaf
                app::in_child
                  app::leaf x2
                app::leaf
              app::leaf
        """)
        assert len({span.resource["process.pid"] for span in forest.spans}) == 2


@case(TRAP_BUILDS)
def a_child_that_cannot_be_traced_leaves_the_parents_recording_alone(test, build):
    # Nobody tells of the first one; in the others locks could be held by a thread that is not there.
    for arguments in (("by hand",), *((how, "threads") for how in RAW_FORKS)):
        forest = raw_forks(test, build, *arguments).forest()
        run = next(root for root in forest.roots if root.name == "app::run")
        names = [span.name for span in run.walk()]
        assert names == ["app::run", "app::forks", "app::leaf", "app::leaf", "app::leaf"], (
            arguments, names)
        assert len({span.resource["process.pid"] for span in forest.spans}) == 1


@case(TRAP_BUILDS)
def a_program_that_such_a_child_starts_continues_the_trace(test, build):
    for threads in ((), ("threads",)):
        forest = raw_forks(test, build, "exec", *threads).forest()
        child = forest.one("app::in_child")
        assert forest.by_id[child.parent_id].name == "app::forks", forest.text()
        assert len({span.resource["process.pid"] for span in forest.spans}) == 2


@case(TRAP_BUILDS)
def threads_that_fork_among_others_are_continued_by_their_children(test, build):
    done = test.run(test.program(build, "forking_threads.cc"), modules="app")
    assert done.stdout == "done\n", done.stdout
    forest = done.forest()
    assert [root.name for root in forest.roots] == ["app::run"], forest.text()
    expected = {"app::forks": ["app::in_child", "app::leaf", "app::leaf"],
                "app::in_child": ["app::in_childs_thread", "app::in_grandchild", "app::leaf"],
                "app::in_childs_thread": ["app::leaf"], "app::in_grandchild": ["app::leaf"]}
    for name, children in expected.items():
        spans = forest.named(name)
        assert len(spans) == 6, (name, len(spans))
        for span in spans:
            assert sorted(child.name for child in span.children) == children, span
    assert len(forest.named("app::leaf")) == 6 * 5
    assert {forest.by_id[span.parent_id].name for span in forest.named("app::forks")} == {"app::run"}
    assert len({span.resource["process.pid"] for span in forest.spans}) == 13


@case(TRAP_BUILDS)
def a_daemon_continues_the_trace_of_the_program_that_started_it(test, build):
    done = test.run(test.program(build, "forking_threads.cc"), "daemon", modules="app")
    assert done.stdout == "done\n", done.stdout
    forest = done.expect_tree("""
        app::becomes_daemon  unfinished
          app::leaf
          app::serves
            app::leaf
    """)
    assert len({span.resource["process.pid"] for span in forest.spans}) == 2


@case(TRAP_BUILDS)
def tasks_that_only_share_the_memory_are_no_part_of_the_thread_that_made_them(test, build):
    program = test.program(build, "clones.cc")
    run = test.run(program, "waits", modules="app", status=4)
    assert run.stdout == "done\n", run.stdout
    forest = run.expect_tree("""
        app::run
          app::clones x20
            app::beside
              app::leaf x100
    """)
    # What they called is counted.
    assert forest.spans[0].resource["autotrace.dropped.in_hook"] == 20 * 101
    # While both run, each changes the thread-local memory of the other: no tree is promised.
    for _ in range(5):
        run = test.run(program, "beside", modules="app", status=4)
        assert run.stdout == "done\n", run.stdout
        test.autotracer("tree", data_dir=run.data_dir)


@case(TRAP_BUILDS)
def a_forked_child_finds_the_programs_own_locks_open(test, build):
    # Ours might be in the program's allocator while it forks, and the child would wait for ever.
    run = test.run(test.program(build, "own_allocator.cc"), 100, modules="app")
    assert run.stdout == "done\n", run.stdout
    assert len(run.forest().named("app::forks")) == 100
