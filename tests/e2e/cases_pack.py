"""Packed runs: they say what the run's folder said, and whatever happens while a run is packed, or to
its pack, costs nothing, or is said."""

import os
import random
import shlex
import signal
import subprocess
import sys
import time

from cases_death import KILLS, Killed, start
from cases_live import endpoint, environment
from cases_push import arrived, content, push
from harness import (
    BOTH_COMPILERS, ONE_BUILD, TIMEOUT_SECONDS, Run, Skip, case, clean_environment)

# Everything that shows a run, in every format.
READERS = (("tree",), ("tree", "--all", "--callers"), ("report",), ("report", "--sort", "self"),
           ("export", "--to", "otlp-json"), ("export", "--to", "chrome"))
# 28 MB of spans: more than a frame of a pack holds.
LARGE = 700_000
# Runs a command that has to succeed; prints its peak memory in KiB.
MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def shown(test, data_dir, *name, status=0):
    """What all readers say of a run, on standard output and standard error."""
    said = []
    for reader in READERS:
        process = test.autotracer(*reader, *name, data_dir=data_dir, status=status)
        said.append((reader, process.stdout, process.stderr))
    return said


def expect_same(after, before):
    for (reader, *texts), (_, *expected) in zip(after, before, strict=True):
        assert texts == expected, f"{reader} says something else"


def only_entry(data_dir):
    (entry,) = data_dir.iterdir()
    return entry


def pack(test, data_dir, *arguments, **options):
    return test.autotracer("pack", *arguments, data_dir=data_dir, **options)


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*")) if path.is_file()}


def large_run(test, build):
    return test.run(test.program(build, "limits.cc"), "plain", LARGE, modules="app", status=3)


# ---- The same afterwards ------------------------------------------------------------------------


@case(BOTH_COMPILERS)
def every_reader_says_the_same_of_a_packed_run(test, build):
    # Name, arguments, exit status: threads, exceptions, children, manual spans, many call sites.
    programs = (("nested.cc", (3,), 3), ("threads.cc", (20,), 0), ("exceptions.cc", (), 0),
                ("processes.cc", ("fork",), 0), ("manual.cc", (), 0), ("recursion.cc", (300,), 0))
    for source, arguments, status in programs:
        run = test.run(test.program(build, source), *arguments, modules="app", status=None)
        assert run.status == status, (source, run.status, run.stderr)
        before = shown(test, run.data_dir)
        folder = only_entry(run.data_dir)
        packed = pack(test, run.data_dir)
        assert packed.stdout.startswith(f"run {folder.name}: "), packed.stdout
        file = only_entry(run.data_dir)
        assert file.name == folder.name + ".atpack" and file.stat().st_mode & 0o777 == 0o600
        for name in ((), (folder.name,), (file.name,), (file,), (folder,)):
            expect_same(shown(test, run.data_dir, *name), before)
        elsewhere = test.directory / "renamed"
        file.rename(elsewhere)
        expect_same(shown(test, run.data_dir, elsewhere), before)
        elsewhere.unlink()


@case(ONE_BUILD)
def a_run_of_many_frames_is_small_and_says_the_same(test, build):
    run = large_run(test, build)
    before = shown(test, run.data_dir)
    bytes_before = sum(len(content) for content in contents(run.data_dir).values())
    spans = before[-1][1].count('"ph":"X"')
    assert bytes_before > 21 << 20 and spans > LARGE / 2, (bytes_before, spans)
    for level in (1, 9):
        pack(test, run.data_dir, "--level", level, "--keep", "-o", test.directory / str(level))
    small, usual = ((test.directory / level).stat().st_size for level in ("9", "1"))
    assert small < usual < 6 * spans, (small, usual, spans)
    expect_same(shown(test, run.data_dir, test.directory / "9"), before)


@case(ONE_BUILD)
def packing_and_reading_take_memory_for_a_frame_and_not_for_the_run(test, build):
    def peak(*arguments):
        # A process's peak counts that of who started it, which is small here.
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, test.paths.autotracer, *map(str, arguments)],
            env=clean_environment() | {"AUTOTRACE_DIR": str(run.data_dir)}, capture_output=True,
            text=True, timeout=test.timeout, check=True)
        return int(done.stdout) << 10

    if test.paths.sanitizer is not None:
        raise Skip("sanitizers keep freed memory")
    run = test.run(test.program(build, "limits.cc"), "plain", 3 * LARGE, modules="app", status=3)
    size = sum(len(content) for content in contents(run.data_dir).values())
    assert size > 60 << 20, size
    export = ("export", "--to", "otlp-json", "-o", "/dev/null")
    of_folder = peak(*export)
    # A frame of 20 MiB, its columns, and what the compressor takes.
    packing = peak("pack")
    assert packing < 150 << 20, packing
    of_pack = peak(*export)
    assert of_pack < of_folder + (80 << 20), (of_pack, of_folder)


@case(ONE_BUILD)
def packed_runs_are_listed_and_cleaned_like_others(test, build):
    data_dir = test.directory / "runs"
    program = test.program(build, "nested.cc")
    names = []
    for _ in range(4):
        test.run(program, 3, modules="app", status=3,
                 env={"AUTOTRACE_DIR": data_dir, "AUTOTRACE_KEEP_RUNS": "100"})
        names = sorted(entry.name.removesuffix(".atpack") for entry in data_dir.iterdir())
        if len(names) != 3:
            pack(test, data_dir, names[-1])
    listed = test.autotracer("list", data_dir=data_dir).stdout.splitlines()[1:]
    assert [line.split()[0] for line in listed] == names, listed
    assert ["packed" in line for line in listed] == [True, True, False, True], listed
    # The runtime keeps the newest, and all that were packed. (A program that lives for a moment has the
    # time to remove others.)
    packed = {name + ".atpack" for name in (names[0], names[1], names[3])}
    for _ in range(3):
        test.run(test.program(build, "death.cc"), "_exit", "late", modules="app", status=9,
                 env={"AUTOTRACE_DIR": data_dir, "AUTOTRACE_KEEP_RUNS": "2"})
    entries = {entry.name for entry in data_dir.iterdir()}
    assert packed <= entries and names[2] not in entries, entries
    count = len(entries)
    cleaned = test.autotracer("clean", "--keep", count - 2, data_dir=data_dir).stdout
    assert "removed 2 runs" in cleaned and f"kept {count - 2}" in cleaned, cleaned
    left = {entry.name for entry in data_dir.iterdir()}
    assert entries - left == {names[0] + ".atpack", names[1] + ".atpack"}, (entries, left)
    test.autotracer("clean", "--all", data_dir=data_dir)
    assert not list(data_dir.iterdir())


@case(ONE_BUILD)
def a_run_is_packed_once_and_can_be_kept(test, build):
    run = test.run(test.program(build, "nested.cc"), 3, modules="app", status=3)
    before = contents(run.data_dir)
    folder = only_entry(run.data_dir)
    output = test.directory / "kept.atpack"
    pack(test, run.data_dir, "--keep", "--output", output)
    assert contents(run.data_dir) == before and output.exists()
    pack(test, run.data_dir, "--keep")
    listed = test.autotracer("list", data_dir=run.data_dir).stdout
    assert listed.count(folder.name) == 1 and "packed" not in listed.splitlines()[1], listed
    pack(test, run.data_dir, folder)
    again = pack(test, run.data_dir)
    assert f"run {folder.name} is packed already" in again.stderr, again.stderr
    refused = pack(test, run.data_dir, "-o", test.directory / "second", status=1)
    assert "is packed already" in refused.stderr, refused.stderr
    recovered = test.autotracer("recover", data_dir=run.data_dir)
    assert "nothing to recover" in recovered.stdout, recovered.stdout


# ---- Programs that run or died ------------------------------------------------------------------


@case(ONE_BUILD)
def a_running_program_is_refused_and_a_killed_one_is_packed_with_what_it_left(test, build):
    data_dir = test.directory / "killed"
    process = start(test, build, "wait", data_dir)
    try:
        assert process.stdout.readline() == "waiting\n"
        time.sleep(0.4)
        refused = pack(test, data_dir, status=1)
        assert f"process {process.pid} still runs" in refused.stderr, refused.stderr
        assert refused.stderr.count("\n") == 1 and only_entry(data_dir).is_dir()
    finally:
        process.send_signal(signal.SIGKILL)
        out, _ = process.communicate(timeout=TIMEOUT_SECONDS)
    run = Run(test, [], Killed(out, process.returncode), data_dir)
    before = run.forest()
    assert any(span.attributes.get("autotrace.unfinished") for span in before.spans)
    said = shown(test, data_dir)
    pack(test, data_dir)
    assert only_entry(data_dir).is_file()
    rings = [name for name in os.listdir("/dev/shm") if f"-{process.pid}-" in name]
    assert not rings, rings
    expect_same(shown(test, data_dir), said)
    assert run.forest().text() == before.text()
    listed = test.autotracer("list", data_dir=data_dir).stdout
    assert "died, packed" in listed, listed


@case(ONE_BUILD)
def what_waits_to_be_sent_is_packed_when_asked_for_and_can_be_pushed(test, build):
    with endpoint(test) as collector:
        collector.kill()
        run = test.run(test.program(build, "nested.cc"), 3, modules="app", status=3, quiet=False,
                       env=environment(collector, AUTOTRACE_RECORD="true"))
        recorded = run.forest()
        folder = only_entry(run.data_dir)
        refused = pack(test, run.data_dir, status=1)
        assert "to be sent" in refused.stderr and "autotracer push" in refused.stderr
        assert only_entry(run.data_dir) == folder
        pack(test, run.data_dir, "--unsent")
        listed = test.autotracer("list", data_dir=run.data_dir).stdout
        assert f"{len(recorded.spans)} spans" in listed and "packed" in listed, listed
        kept = test.autotracer("clean", "--all", data_dir=run.data_dir)
        assert "kept 1 run with" in kept.stderr, kept.stderr

        failed = push(test, run.data_dir, collector, status=1)
        assert "the rest is kept" in failed.stderr, failed.stderr
        assert only_entry(run.data_dir).name == folder.name + ".atpack"
        collector.start()
        sent = push(test, run.data_dir, collector)
        assert f"{len(recorded.spans)} spans sent" in sent.stdout, sent.stdout
        forest = arrived(collector)
        assert forest.by_id.keys() == recorded.by_id.keys()
        for span in recorded.spans:
            assert content(span) == content(forest.by_id[span.span_id])
        assert only_entry(run.data_dir).name == folder.name + ".atpack"
        assert run.forest().by_id.keys() == recorded.by_id.keys()
        again = push(test, run.data_dir, collector, folder.name)
        assert "everything was sent already" in again.stdout, again.stdout


@case(ONE_BUILD)
def a_packed_recording_that_was_not_meant_to_be_sent_is_pushed_by_its_name(test, build):
    with endpoint(test) as collector:
        run = test.run(test.program(build, "nested.cc"), 3, modules="app", status=3)
        recorded = run.forest()
        pack(test, run.data_dir)
        nothing = push(test, run.data_dir, collector)
        assert "nothing in" in nothing.stdout, nothing.stdout
        push(test, run.data_dir, collector, only_entry(run.data_dir).name)
        assert arrived(collector).by_id.keys() == recorded.by_id.keys()
        assert only_entry(run.data_dir).is_file()


# ---- Damage and sudden ends ---------------------------------------------------------------------


@case(ONE_BUILD)
def of_a_damaged_pack_what_is_whole_is_read_and_one_line_says_so(test, build):
    run = large_run(test, build)
    pack(test, run.data_dir)
    file = only_entry(run.data_dir)
    whole = file.read_bytes()
    spans = len(test.autotracer("export", "--to", "otlp-json", data_dir=run.data_dir).stdout)

    def read(status=3):
        done = test.autotracer("export", "--to", "otlp-json", data_dir=run.data_dir, status=status)
        assert done.stderr.count("\n") == 1, done.stderr
        return done

    # The last large frame is lost. The one before it has 20 MiB, two thirds of the spans.
    file.write_bytes(whole[:int(0.9 * len(whole))])
    cut = read()
    assert file.name in cut.stderr and "what is whole is read" in cut.stderr, cut.stderr
    assert spans / 2 < len(cut.stdout) < spans, (len(cut.stdout), spans)
    damaged = bytearray(whole)
    damaged[int(0.9 * len(whole))] ^= 1
    file.write_bytes(damaged)
    flipped = read()
    assert "damaged and were left out" in flipped.stderr, flipped.stderr
    assert spans / 2 < len(flipped.stdout) < spans, (len(flipped.stdout), spans)
    # Nothing but the header, and no pack at all.
    for content in (whole[:16], b"This is no packed run.\n"):
        file.write_bytes(content)
        failed = test.autotracer("tree", file, data_dir=run.data_dir, status=1)
        assert str(file) in failed.stderr and failed.stderr.count("\n") == 1, failed.stderr


@case(ONE_BUILD)
def a_full_disk_leaves_the_run_as_it_was(test, build):
    if subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode != 0:
        raise Skip("no right to mount file systems here (unshare -m)")
    run = test.run(test.program(build, "limits.cc"), "plain", 40_000, modules="app", status=3)
    folder = only_entry(run.data_dir)
    disk = test.directory / "disk"
    disk.mkdir()
    copy = test.directory / "copy"
    autotracer = shlex.quote(str(test.paths.autotracer))
    script = test.write("full.sh", "\n".join([
        "set -e", f"mount -t tmpfs -o size=4m none {disk}", f"cp -r {folder} {disk}", "set +e",
        f"cat /dev/zero > {disk}/filler 2>/dev/null",
        f"{autotracer} pack --dir {disk}", "status=$?", f"rm {disk}/filler",
        f"cp -r {disk} {copy}", "exit $status"]))
    done = subprocess.run(["unshare", "-m", "/bin/sh", script], capture_output=True, text=True,
                          env=clean_environment(), timeout=test.timeout, check=False)
    assert done.returncode == 1, (done.returncode, done.stderr)
    assert "No space left on device" in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert contents(copy) == contents(run.data_dir)


@case(ONE_BUILD)
def a_packer_that_is_killed_leaves_the_run_whole(test, build):
    run = large_run(test, build)
    before = test.autotracer("export", "--to", "otlp-json", data_dir=run.data_dir).stdout
    output = test.directory / "timed"
    begin = time.monotonic()
    pack(test, run.data_dir, "--keep", "-o", output)
    seconds = time.monotonic() - begin
    chance = random.Random(KILLS)
    for _ in range(KILLS // 2):
        process = subprocess.Popen([test.paths.autotracer, "pack"], stdout=subprocess.DEVNULL,
                                   env=clean_environment() | {"AUTOTRACE_DIR": str(run.data_dir)})
        time.sleep(1.1 * seconds * chance.random())
        process.kill()
        process.wait()
        after = test.autotracer("export", "--to", "otlp-json", data_dir=run.data_dir)
        assert after.stdout == before and not after.stderr, after.stderr
        if any(entry.is_file() and entry.suffix == ".atpack" for entry in run.data_dir.iterdir()):
            break
    test.autotracer("clean", data_dir=run.data_dir)
    pack(test, run.data_dir)
    assert only_entry(run.data_dir).suffix == ".atpack", os.listdir(run.data_dir)
    after = test.autotracer("export", "--to", "otlp-json", data_dir=run.data_dir)
    assert after.stdout == before and not after.stderr, after.stderr
