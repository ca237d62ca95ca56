"""Limits of the machine: the program goes on as if it were not traced, and what is missing is
counted by its cause."""

import os
import re
import shlex
import shutil
import subprocess
import time

import span_tree
from harness import ONE_BUILD, Skip, case, clean_environment

CALLS = 40_000
BYTES_PER_SPAN = 40
OUTPUT = "descriptor 3\ndone\n"


def run_limited(test, build, what, *arguments, calls=CALLS, before="", env=None, status=3):
    """Runs programs/limits.cc behind a shell script, and checks that it did what it does alone."""
    program = test.program(build, "limits.cc")
    words = shlex.join(map(str, (program, what, calls, *arguments)))
    script = test.write("run.sh", f"set -e\n{before}\nexec {words}\n")
    run = test.run("/bin/sh", script, modules="app", env=env, status=status, quiet=False)
    if status == 3:
        assert run.stdout == OUTPUT, run.stdout
    return run


def mounted(test, build, mounts, what="plain", output=re.escape(OUTPUT), **options):
    """The same with small file systems that only the program sees; read back before they go."""
    probe = subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False)
    if probe.returncode != 0:
        raise Skip("no right to mount file systems here (unshare -m)")
    program = test.program(build, "limits.cc")
    data = test.directory / "mounted"
    data.mkdir()
    lines = [f"mount -t tmpfs -o size={size} none {data if place == 'data' else place}"
             for place, size in mounts.items() if place != "shared"]
    if "shared" in mounts:
        lines = [f"mount -t tmpfs -o size={mounts['shared']} none /dev/shm",
                 f"mount --bind /dev/shm {data}"]
    copy = test.directory / "copy"
    script = test.write("mounted.sh", "\n".join([
        "set -e", *lines, f"export AUTOTRACE_DIR={data}", "set +e",
        shlex.join(map(str, (program, what, options.get("calls", CALLS)))), "status=$?",
        f"cp -r {data} {copy}", "ls /dev/shm > left", "exit $status"]))
    run = test.run("unshare", "-m", "/bin/sh", script, modules="app", status=3, quiet=False,
                   env=options.get("env"))
    assert re.fullmatch(output, run.stdout), run.stdout
    if "data" not in mounts or len(mounts) > 1:  # else other programs' rings are there
        assert "autotrace" not in (test.directory / "left").read_text(), "a ring was left"
    run.data_dir = copy
    return run


def dropped_of(run, spans, status=0):
    """What the exported resource, the report and the summary say was dropped; they have to agree."""
    prefix = "autotrace.dropped."
    exported = {key.removeprefix(prefix): value
                for key, value in spans[-1].resource.items() if key.startswith(prefix)}
    report = run.test.autotracer("report", data_dir=run.data_dir, status=status).stdout
    for cause in exported:
        assert cause in report, f"{cause} is not in the report: {report}"
    summaries = [path.read_text() for path in run.data_dir.glob("*/*.summary")]
    assert len(summaries) == 1, summaries
    total = sum(value for cause, value in exported.items() if cause != "details")
    if total == 0:
        assert "none dropped" in summaries[0], summaries[0]
    else:
        assert f"{total} dropped" in summaries[0], f"{exported}: {summaries[0]}"
    return exported


def expect_all_accounted_for(run, calls=CALLS, partial=False):
    """recorded + dropped = calls made; gives both. `partial`: the reader says that some are gone."""
    status = 3 if partial else 0
    export = run.test.autotracer("export", "--to", "otlp-json", data_dir=run.data_dir, status=status)
    forest = span_tree.Forest(span_tree.parse_otlp(export.stdout))
    recorded = [span for span in forest.spans
                if not span.attributes.get("autotrace.placeholder")]
    dropped = dropped_of(run, forest.spans, status)
    total = sum(value for cause, value in dropped.items() if cause != "details")
    # Two calls of work() beside the steps.
    assert len(recorded) + total == calls + 2, f"{len(recorded)} recorded, dropped: {dropped}"
    return len(recorded), dropped


@case(ONE_BUILD)
def without_a_limit_nothing_is_dropped(test, build):
    _, dropped = expect_all_accounted_for(run_limited(test, build, "plain"))
    assert not dropped, dropped


@case(ONE_BUILD)
def a_ring_on_a_tmpfs_of_one_megabyte(test, build):
    recorded, _ = expect_all_accounted_for(mounted(test, build, {"/dev/shm": "1m"}))
    assert recorded >= 0.9 * 2**20 / BYTES_PER_SPAN, recorded


@case(ONE_BUILD)
def a_disk_of_one_megabyte_is_filled(test, build):
    recorded, dropped = expect_all_accounted_for(mounted(test, build, {"data": "1m"}))
    assert recorded >= 0.9 * 2**20 / BYTES_PER_SPAN, recorded
    assert set(dropped) == {"disk"}, dropped


@case(ONE_BUILD)
def ring_and_disk_of_one_megabyte_each(test, build):
    recorded, _ = expect_all_accounted_for(mounted(test, build, {"/dev/shm": "1m", "data": "1m"}))
    assert recorded >= 0.9 * 2**20 / BYTES_PER_SPAN, recorded


@case(ONE_BUILD)
def ring_and_disk_on_the_same_tmpfs_of_one_megabyte(test, build):
    recorded, _ = expect_all_accounted_for(mounted(test, build, {"shared": "1m"}))
    assert recorded >= 0.9 * 2**20 / BYTES_PER_SPAN, recorded


@case(ONE_BUILD)
def only_a_ring_of_one_megabyte(test, build):
    # Nobody empties it while the program runs.
    recorded, dropped = expect_all_accounted_for(
        mounted(test, build, {"/dev/shm": "1m"}, env={"AUTOTRACE_THREAD": "0"}))
    assert recorded >= 0.9 * 2**20 / BYTES_PER_SPAN, recorded
    assert set(dropped) == {"ring_full"}, dropped


@case(ONE_BUILD)
def a_folder_that_cannot_be_written_to(test, build):
    run = run_limited(test, build, "plain", env={"AUTOTRACE_DIR": "/proc/nowhere"})
    assert run.stderr.startswith("autotrace: cannot make /proc/nowhere"), run.stderr
    assert run.stderr.count("\n") == 1, run.stderr


@case(ONE_BUILD)
def a_folder_that_is_deleted_during_the_run(test, build):
    data = test.directory / "going"
    run = run_limited(test, build, "rmdir", data,
                      env={"AUTOTRACE_DIR": data, "AUTOTRACE_SUMMARY": "1"})
    assert not data.exists()
    assert f"{CALLS + 2} dropped" in run.stderr, run.stderr


@case(ONE_BUILD)
def a_limit_on_the_size_of_files_from_the_start(test, build):
    recorded, _ = expect_all_accounted_for(
        run_limited(test, build, "plain", before="ulimit -f 200"))
    # More than one file may hold. (How much more depends on how fast the small ring is emptied.)
    assert recorded > 200 * 512 / BYTES_PER_SPAN, recorded


@case(ONE_BUILD)
def a_limit_on_the_size_of_files_during_the_run(test, build):
    expect_all_accounted_for(run_limited(test, build, "fsize", 100_000))
    run_limited(test, build, "fsize", 0)


@case(ONE_BUILD)
def a_limit_on_address_space(test, build):
    for kilobytes in (40_000, 100_000):
        run = run_limited(test, build, "plain", before=f"ulimit -v {kilobytes}")
        if "not traced" not in run.stderr:
            expect_all_accounted_for(run)
    # Hardly room for the program, and perhaps none to find out what the functions are called, or for
    # a thread of ours: what is dropped is said.
    run = run_limited(test, build, "plain", before="ulimit -v 20000", env={"AUTOTRACE_SUMMARY": "1"})
    if "not traced" not in run.stderr:
        recorded, dropped = re.search(r"(\d+) spans.*?(\d+) dropped", run.stderr).groups()
        # When names cannot be found out, main counts as well, though it is not wanted.
        assert int(recorded) + int(dropped) in (CALLS + 2, CALLS + 3), run.stderr
    expect_all_accounted_for(run_limited(test, build, "as", 1_000_000))


@case(ONE_BUILD)
def a_limit_on_descriptors(test, build):
    expect_all_accounted_for(run_limited(test, build, "plain", before="ulimit -n 16"))
    # The shell and the loader need a few themselves.
    run_limited(test, build, "plain", before="ulimit -n 5")


@case(ONE_BUILD)
def a_filter_that_refuses_system_calls(test, build):
    expect_all_accounted_for(run_limited(test, build, "eperm"))


@case(ONE_BUILD)
def a_filter_that_kills_for_system_calls(test, build):
    expect_all_accounted_for(run_limited(test, build, "kill"))


@case(ONE_BUILD)
def descriptors_that_are_closed_and_used_again(test, build):
    other = test.directory / "others"
    expect_all_accounted_for(run_limited(test, build, "closefrom", other))
    assert other.read_text() == "", "something of ours is in the program's file"


@case(ONE_BUILD)
def another_working_directory(test, build):
    run = run_limited(test, build, "chdir", "/", env={"AUTOTRACE_DIR": "relative"})
    run.data_dir = test.directory / "relative"
    expect_all_accounted_for(run)


@case(ONE_BUILD)
def another_root_directory(test, build):
    if os.geteuid() != 0:
        raise Skip("chroot(2) needs root")
    elsewhere = test.directory / "root"
    elsewhere.mkdir()
    before = set(os.listdir("/dev/shm"))
    run = run_limited(test, build, "chroot", elsewhere)
    expect_all_accounted_for(run)
    pid = run.forest().spans[0].resource["process.pid"]
    left = [name for name in set(os.listdir("/dev/shm")) - before if f"-{pid}-" in name]
    assert not left, left


@case(ONE_BUILD)
def a_limit_on_the_disk_that_a_run_takes(test, build):
    recorded, dropped = expect_all_accounted_for(
        run_limited(test, build, "plain", calls=100_000, env={"AUTOTRACE_MAX_DISK": "1MiB"}),
        calls=100_000, partial=True)
    assert set(dropped) == {"disk_cap"}, dropped
    # The oldest segments go; a segment is a part of what may be kept.
    assert 0.5 * 2**20 / BYTES_PER_SPAN < recorded < 2**20 / BYTES_PER_SPAN, recorded


@case(ONE_BUILD)
def a_limit_on_the_memory_that_the_ring_takes(test, build):
    recorded, dropped = expect_all_accounted_for(
        run_limited(test, build, "plain",
                    env={"AUTOTRACE_RING_SIZE": "1MiB", "AUTOTRACE_THREAD": "0"}))
    assert set(dropped) == {"ring_full"}, dropped
    assert recorded >= 0.9 * 2**20 / BYTES_PER_SPAN, recorded


@case(ONE_BUILD)
def a_limit_on_threads(test, build):
    if os.geteuid() != 0 or not shutil.which("setpriv") or not shutil.which("prlimit"):
        raise Skip("needs root, setpriv, and prlimit: root itself has no such limit")
    nobody = 65534
    program = test.copy(test.program(build, "limits.cc"))
    os.chown(test.directory, nobody, nobody)
    data_dir = test.directory / "nobodys"
    command = ["setpriv", f"--reuid={nobody}", f"--regid={nobody}", "--clear-groups",
               "prlimit", "--nproc=1", program, "plain", str(CALLS)]
    run = test.run(*command, modules="app", status=None, quiet=False,
                   env={"AUTOTRACE_DIR": data_dir})
    if run.status in (126, 127):
        raise Skip("another user cannot run what was built here: " + run.stderr.strip())
    assert run.status == 3 and run.stdout == OUTPUT, (run.status, run.stdout, run.stderr)
    assert run.stderr == ("autotrace: cannot start a thread: what is recorded stays in the ring "
                          "until the program ends\n"), run.stderr
    run.data_dir = data_dir
    expect_all_accounted_for(run)


@case(ONE_BUILD)
def a_trace_of_two_million_spans(test, build):
    # 50 million by hand: CALLS=50000000 in the environment, with 3 GiB of room in /dev/shm for a ring
    # that holds all that a busy machine has no time to read meanwhile.
    calls = int(os.environ.get("CALLS", "2_000_000"))
    ring = {"AUTOTRACE_THREAD": "0", "AUTOTRACE_RING_SIZE": "3GiB"} if "CALLS" in os.environ else {}
    run = run_limited(test, build, "many", calls=calls, env={"AUTOTRACE_MAX_DISK": "8GiB"} | ring)
    text = next(run.data_dir.glob("*/*.summary")).read_text()
    recorded, dropped = re.match(r"(\d+) spans of 2 functions, (\w+) dropped", text).groups()
    recorded, dropped = int(recorded), 0 if dropped == "none" else int(dropped)
    assert recorded + dropped == calls + 1, text
    # How many are dropped is the machine's doing: on one with other work to do, more than half.
    assert recorded > calls / 10, text
    print(f"        {recorded} recorded, {dropped} dropped")
    begin = time.monotonic()
    with subprocess.Popen([test.paths.autotracer, "report"], stdout=subprocess.PIPE, text=True,
                          env=clean_environment() | {"AUTOTRACE_DIR": str(run.data_dir)}) as process:
        report = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = status
    print(f"        report: {time.monotonic() - begin:.1f} s, {usage.ru_maxrss // 1024} MiB")
    assert status == 0, report
    # The root's own record may be among the dropped.
    assert f"{recorded - 1:,}" in report or f"{recorded:,}" in report, report
    assert usage.ru_maxrss * 1024 < (40 << 20) + 120 * recorded, usage.ru_maxrss


@case(ONE_BUILD)
def recursion_of_a_million_calls(test, build):
    run = run_limited(test, build, "deep", calls=1_000_000, status=0)
    report = test.autotracer("report", data_dir=run.data_dir).stdout
    assert "app::descend" in report, report
    summary = next(run.data_dir.glob("*/*.summary")).read_text()
    # A million returns in a row are more than the ring holds, on a machine that is busy.
    recorded, dropped = re.match(r"(\d+) spans of 1 functions, (\w+) dropped", summary).groups()
    assert int(recorded) + (0 if dropped == "none" else int(dropped)) == 1_000_000, summary
    assert int(recorded) > 500_000, summary


@case(ONE_BUILD)
def two_thousand_short_threads_leave_small_files(test, build):
    run = run_limited(test, build, "short-threads", calls=2000, status=0)
    size = sum(path.stat().st_size for path in run.data_dir.glob("*/*.seg"))
    # Each has one span, a name and an end, in three blocks.
    assert size < 2000 * 250, size
    assert len(run.forest().spans) == 2000
