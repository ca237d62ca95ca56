"""Runs clang-tidy over the files of a compilation database, several at a time; for scripts/lint.

    run_clang_tidy.py BUILD_FOLDER JOBS [PART_OF_FILE_NAME...]

A file that was clean and has not changed since, nor a header it includes, its command or the
profile, is not checked again. What a file includes is known to ninja once the folder was built;
before that, every file is checked. Prints what clang-tidy found; ends with 1 when it found anything.
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
CLANG_TIDY = "clang-tidy-14"


def main():
    build, jobs, parts = pathlib.Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    stamps = build / "clang-tidy"
    stamps.mkdir(exist_ok=True)
    included = included_files(build)
    profiles = b"".join(path.read_bytes() for path in
                        [ROOT / ".clang-tidy", *sorted(ROOT.glob("[a-z]*/.clang-tidy"))])
    entries = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        path = os.path.relpath(entry["file"], ROOT)
        if not path.startswith(("build", "..")) and (not parts or any(p in path for p in parts)):
            entries[path] = entry

    def check(item):
        path, entry = item
        stamp = stamps / (path.replace("/", "%") + ".clean")
        key = key_of(entry, included, profiles)
        if key and stamp.exists() and stamp.read_text() == key:
            return True
        done = subprocess.run([CLANG_TIDY, "--quiet", "--warnings-as-errors=*", "-p", build, path],
                              cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              check=False)
        if done.returncode == 0:
            stamp.write_text(key or "")
            return True
        print(done.stdout or done.stderr, flush=True)
        return False

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        clean = list(pool.map(check, sorted(entries.items())))
    print(f"{len(clean)} files, {clean.count(False)} with findings")
    return 0 if clean and all(clean) else 1


def included_files(build):
    """For each object file, the files that it was compiled from, as ninja recorded them."""
    known, current = {}, None
    for line in subprocess.run(["ninja", "-C", build, "-t", "deps"], stdout=subprocess.PIPE,
                               text=True, check=False).stdout.splitlines():
        if line.startswith("    "):
            current.append(line.strip())
        elif line.endswith("(VALID)"):
            current = known.setdefault(line.split(": #deps")[0], [])
        else:
            current = []
    return known


def key_of(entry, included, profiles):
    """Stands for everything that the result depends on; None when that is not known."""
    words = shlex.split(entry["command"])
    files = included.get(words[words.index("-o") + 1])
    if not files:
        return None
    digest = hashlib.sha256(profiles + entry["command"].encode())
    for name in files:
        path = pathlib.Path(entry["directory"], name)
        # Installed headers do not change under a build.
        if path.is_relative_to(ROOT):
            if not path.exists():
                return None
            digest.update(path.read_bytes())
    return digest.hexdigest()


sys.exit(main())
