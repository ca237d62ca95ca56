"""What is written is private to its user, and nobody can take it over or use it against others."""

import os
import pathlib
import signal
import stat
import struct
import subprocess

from harness import ONE_BUILD, TIMEOUT_SECONDS, Build, Run, Skip, case, clean_environment
from cases_live import endpoint

NOBODY = 65534
BOTH_KINDS = [Build("gcc", "-O2"), Build("gcc", "-O2", static="-static")]


def needs_root():
    if os.geteuid() != 0:
        raise Skip("needs root, to be several users")


def open_to_others(test, *programs):
    """Lets another user into the case's folder; that user must be able to run these, too."""
    test.directory.chmod(0o755)
    for program in programs:
        reached = as_user(NOBODY, "/usr/bin/test", "-x", program, status=None)
        if reached.returncode != 0:
            raise Skip(f"another user cannot reach {program}")


def folder_of(test, name, user, mode=0o700):
    folder = test.directory / name
    folder.mkdir()
    folder.chmod(mode)
    os.chown(folder, user, user)
    return folder


def as_user(user, *command, env=None, status=0, cwd="/"):
    """Runs a command as this user, without rights that root had."""
    done = subprocess.run([str(word) for word in command], user=user, group=user, extra_groups=[],
                          cwd=cwd, env=clean_environment() | (env or {}), capture_output=True,
                          text=True, timeout=TIMEOUT_SECONDS, check=False)
    assert status in (done.returncode, None), done
    return done


def traced(data_dir, **more):
    return {"AUTOTRACE_MODULES": "app", "AUTOTRACE_DIR": str(data_dir)} | more


def below(folder):
    return [folder, *sorted(folder.rglob("*"))]


def permissions(path):
    return stat.S_IMODE(path.lstat().st_mode)


# ---- Private

@case(BOTH_KINDS)
def files_are_private_to_the_user_whatever_the_umask(test, build):
    needs_root()  # for whom permissions do not count
    program = test.program(build, "death.cc")
    open_to_others(test, program)
    for umask in ("0", "022", "077", "0277", "0777"):
        home = folder_of(test, "umask" + umask, NOBODY)
        data_dir = home / "data"
        as_user(NOBODY, "/bin/sh", "-c", f'umask {umask}; exec "$@"', "sh", program, "kill", "late",
                env=traced(data_dir), status=-signal.SIGKILL)
        written = below(data_dir)
        assert len(written) >= 3, written
        process = next(path for path in written if path.suffix == ".seg").name.split(".")[0]
        (ring,) = pathlib.Path("/dev/shm").glob(f"autotrace-*-{process}-*")
        for path in [*written, ring]:
            expected = 0o700 if path.is_dir() else 0o600
            assert permissions(path) == expected, (umask, path, oct(permissions(path)))
            assert path.lstat().st_uid == NOBODY, path
        tree = as_user(NOBODY, test.paths.autotracer, "tree", env={"AUTOTRACE_DIR": str(data_dir)})
        assert "app::run" in tree.stdout, (umask, tree)
        as_user(NOBODY, test.paths.autotracer, "clean", "--all",
                env={"AUTOTRACE_DIR": str(data_dir)})
        assert not ring.exists(), ring


@case(ONE_BUILD)
def names_of_rings_cannot_be_guessed(test, build):
    program = test.program(build, "death.cc")
    known = set(pathlib.Path("/dev/shm").glob("autotrace-*"))
    seen = set()
    for _ in range(3):
        test.run(program, "kill", modules="app", status=-signal.SIGKILL)
        for ring in set(pathlib.Path("/dev/shm").glob(f"autotrace-{os.getuid()}-*")) - known:
            *_, key, random = ring.name.split("-")
            assert len(key) == 16 and len(random) == 16, ring
            seen.add(random)
    assert len(seen) >= 3, seen


# ---- In the way

@case(BOTH_KINDS)
def a_folder_that_is_a_link_is_followed_only_if_it_is_the_users(test, build):
    program = test.program(build, "nested.cc")
    elsewhere = test.directory / "elsewhere"
    elsewhere.mkdir()
    link = test.directory / "link"
    link.symlink_to(elsewhere)
    test.run(program, env=traced(link), status=0)
    assert len(list(elsewhere.iterdir())) == 1
    needs_root()
    os.chown(link, NOBODY, NOBODY, follow_symlinks=False)
    run = test.run(program, 3, env=traced(link), status=3, quiet=False)
    assert run.stdout == "done\n"
    assert run.stderr == (
        f"autotrace: {link} is another user's link; set AUTOTRACE_DIR to a folder of your own; this "
        "run is not traced\n"), run.stderr
    assert len(list(elsewhere.iterdir())) == 1


@case(BOTH_KINDS)
def a_run_of_another_user_is_not_joined(test, build):
    needs_root()
    program = test.program(build, "nested.cc")
    open_to_others(test, program)
    shared = folder_of(test, "shared", 0, 0o1777)
    name = "20260101-000000.000000-1"
    theirs = folder_of(test, "shared/" + name, NOBODY, 0o777)
    link = shared / "20260101-000000.000000-2"
    mine = folder_of(test, "mine", 0)
    link.symlink_to(mine)
    for planted in (theirs, link):
        before = set(shared.iterdir())
        run = test.run(program, env=traced(shared, AUTOTRACE_RUN=str(planted)))
        assert run.stdout == "done\n"
        (made,) = set(shared.iterdir()) - before
        assert made.lstat().st_uid == 0 and permissions(made) == 0o700, made
        assert list(made.glob("*.seg"))
    assert not list(theirs.iterdir()) and not list(mine.iterdir())
    # The other way round: root's run is no nobody's.
    root_run = folder_of(test, "shared/20260101-000000.000000-3", 0, 0o777)
    as_user(NOBODY, program, env=traced(shared, AUTOTRACE_RUN=str(root_run)))
    assert not list(root_run.iterdir())


@case(ONE_BUILD)
def users_who_share_a_folder_do_not_see_each_others_runs(test, build):
    needs_root()
    program = test.program(build, "nested.cc")
    open_to_others(test, program, test.paths.autotracer)
    shared = folder_of(test, "shared", 0, 0o1777)
    test.run(program, env=traced(shared))
    (roots,) = shared.iterdir()
    reader = {"AUTOTRACE_DIR": str(shared)}
    done = as_user(NOBODY, test.paths.autotracer, "tree", env=reader, status=1)
    assert not done.stdout and len(done.stderr.splitlines()) == 1, done
    as_user(NOBODY, test.paths.autotracer, "clean", "--all", env=reader)
    assert list(roots.glob("*.seg"))
    as_user(NOBODY, program, env=traced(shared))
    tree = as_user(NOBODY, test.paths.autotracer, "tree", env=reader)
    assert "app::leaf" in tree.stdout, tree
    # And none of root's is removed to keep to the number of runs, by somebody who may not.
    as_user(NOBODY, program, env=traced(shared, AUTOTRACE_KEEP_RUNS="1"))
    assert list(roots.glob("*.seg"))


# ---- Rights that the user does not have

def give_set_user_id(program):
    program.chmod(0o4755)


def give_set_group_id(program):
    os.chown(program, 0, 42)
    program.chmod(0o2755)


def give_capability(program):
    program.chmod(0o755)
    # struct vfs_cap_data, revision 2, effective: CAP_NET_RAW.
    os.setxattr(program, "security.capability",
                struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0))


WAYS_TO_RIGHTS = (give_set_user_id, give_set_group_id, give_capability)


@case(BOTH_KINDS)
def programs_with_rights_of_others_ignore_the_environment(test, build):
    needs_root()
    program = test.program(build, "privileges.cc")
    open_to_others(test, program)
    home = folder_of(test, "home", NOBODY)
    config = home / "trace.yaml"
    config.write_text("modules: [app]\nno_such_key: 1\n")
    config.chmod(0o644)
    with endpoint(test) as collector:
        environment = traced(home / "data", AUTOTRACE_CONFIG=str(config), AUTOTRACE_ENABLED="1",
                             AUTOTRACE_RUN=str(home / "run"), AUTOTRACE_SUMMARY="1",
                             OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
                             TRACEPARENT="nonsense")
        plain = as_user(NOBODY, program, env=environment)
        assert "no_such_key" in plain.stderr, "the settings would have no effect anyway"
        for give in WAYS_TO_RIGHTS:
            copy = test.copy(program, give.__name__)
            give(copy)
            done = as_user(NOBODY, copy, env=environment)
            if "secure 0" in done.stdout:
                raise Skip("files give no rights on this filesystem")
            assert "secure 1" in done.stdout and f"uid {NOBODY} " in done.stdout, done
            assert not done.stderr, (give.__name__, done.stderr)
        assert not collector.requests()
    assert [path.name for path in home.iterdir()] == ["trace.yaml"]


@case(ONE_BUILD)
def the_command_does_not_run_with_rights_of_others(test, _):
    needs_root()
    open_to_others(test, test.paths.autotracer)
    for give in WAYS_TO_RIGHTS:
        copy = test.copy(pathlib.Path(test.paths.autotracer), give.__name__)
        give(copy)
        done = as_user(NOBODY, copy, "list", status=None)
        if done.returncode == 0:
            raise Skip("files give no rights on this filesystem")
        assert done.returncode == 1 and not done.stdout, done
        assert done.stderr.startswith("autotracer: not made to run with rights"), done


# ---- Root reads what somebody else wrote

@case(ONE_BUILD)
def root_reads_a_hostile_folder_without_harm(test, build):
    needs_root()
    program = test.program(build, "death.cc")
    open_to_others(test, program)
    secret = test.directory / "secret"
    secret.write_text("root's only\n" * 1000)
    secret.chmod(0o600)

    def hostile_run(name):
        home = folder_of(test, name, NOBODY)
        as_user(NOBODY, program, "kill", "late", env=traced(home / "data"), status=-signal.SIGKILL)
        (run_folder,) = (home / "data").iterdir()
        (segment,) = run_folder.glob("*.seg")
        return home / "data", run_folder, segment

    def next_name(segment):
        return segment.with_name(segment.name.replace(".000000.", ".000001."))

    def link_for_a_segment(segment):
        segment.unlink()
        segment.symlink_to(secret)

    def pipe_for_a_segment(segment):
        segment.unlink()
        os.mkfifo(segment)

    def link_for_the_next_segment(segment):
        next_name(segment).symlink_to(secret)

    def pipe_for_the_next_segment(segment):
        os.mkfifo(next_name(segment))

    def link_for_the_run(segment):
        segment.parent.rename(segment.parent.with_name("moved"))
        segment.parent.symlink_to(segment.parent.with_name("moved"))

    for plant in (link_for_a_segment, pipe_for_a_segment, link_for_the_next_segment,
                  pipe_for_the_next_segment, link_for_the_run):
        data_dir, run_folder, segment = hostile_run(plant.__name__)
        plant(segment)
        for command in (["list"], ["tree"], ["report"], ["export", "--to", "otlp-json"],
                        ["tree", run_folder.name], ["recover"], ["clean", "--all"]):
            done = as_user(0, test.paths.autotracer, *command, status=None,
                           env={"AUTOTRACE_DIR": str(data_dir)})
            assert done.returncode in (0, 1, 3), (plant.__name__, command, done)
            assert "root's only" not in done.stdout + done.stderr, done
        assert secret.read_text() == "root's only\n" * 1000
        assert secret.stat().st_uid == 0 and permissions(secret) == 0o600


@case(ONE_BUILD)
def what_root_recovers_stays_its_users(test, build):
    needs_root()
    program = test.program(build, "death.cc")
    open_to_others(test, program)
    home = folder_of(test, "home", NOBODY)
    data_dir = home / "data"
    as_user(NOBODY, program, "kill", "late", env=traced(data_dir), status=-signal.SIGKILL)
    killed = subprocess.CompletedProcess([], 0, "", "")
    before = Run(test, [], killed, data_dir).forest().text()
    test.autotracer("recover", data_dir=data_dir)
    for path in below(data_dir):
        assert path.lstat().st_uid == NOBODY, path
        assert permissions(path) == (0o700 if path.is_dir() else 0o600), path
    tree = as_user(NOBODY, test.paths.autotracer, "export", "--to", "otlp-json",
                   env={"AUTOTRACE_DIR": str(data_dir)})
    assert "app::step" in tree.stdout
    assert Run(test, [], killed, data_dir).forest().text() == before
