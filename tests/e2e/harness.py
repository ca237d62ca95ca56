"""Builds small programs, runs them traced, and reads back what they left.

A case is a function in a cases_*.py file:

    @case(ALL_BUILDS)
    def nested_calls_give_a_nested_tree(test, build):
        program = test.program(build, "nested.cc")
        run = test.run(program, modules="app")
        run.expect_tree('''
            app::run
              app::step x3
        ''')

Every case gets a directory of its own, in which its programs run, and an environment without any
AUTOTRACE_* or OTEL_* but what it sets. Compiled programs are shared between cases through a cache.
Only the standard library is used.
"""

import contextlib
import dataclasses
import difflib
import fcntl
import hashlib
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import tempfile
import textwrap

import needed_libraries
import sanitizing
import span_tree

HERE = pathlib.Path(__file__).resolve().parent
SOURCE_ROOT = HERE.parent.parent
PROGRAMS = HERE / "programs"
# A program that hangs is a failure, not a hung test run.
TIMEOUT_SECONDS = 120
# Set by run_case.py --trees: what is read of a run is printed.
show_trees = False


class Skip(Exception):
    """The machine cannot run this case; says why."""


@dataclasses.dataclass(frozen=True)
class Build:
    """A compiler and its settings."""

    family: str  # "gcc" or "clang"
    level: str  # "-O0"
    lto: bool = False  # with link-time optimisation
    static: str = ""  # "-static", "-static-pie"; "": a usual program

    @property
    def name(self):
        return self.family + self.level + ("-lto" if self.lto else "") + self.static

    def __str__(self):
        return self.name


LEVELS = ("-O0", "-O2", "-O3")
ALL_BUILDS = [Build(family, level) for family in ("gcc", "clang") for level in LEVELS]
# For what a program can do to a tracer: the settings in which compilers differ most.
TRAP_BUILDS = [Build(family, *setting) for family in ("gcc", "clang")
               for setting in (("-O0",), ("-O2",), ("-O2", True))]
BOTH_COMPILERS = [Build("gcc", "-O2"), Build("clang", "-O2")]
ONE_BUILD = [Build("gcc", "-O2")]

CASES = {}  # name -> function of a Test


def case(builds):
    """Registers a case once per build, as "file.function.build"."""

    def register(function):
        area = function.__module__.removeprefix("cases_")
        for build in builds:
            name = f"{area}.{function.__name__}.{build}"
            assert name not in CASES, name
            CASES[name] = lambda test, build=build: function(test, build)
        return function

    return register


@dataclasses.dataclass
class Paths:
    """Where the things under test are; written by CMake (see CMakeLists.txt)."""

    autotracer: str
    runtime: str  # libautotrace-cpp.so
    record: str  # libautotrace-cpp-record.a; "": not built
    record_options: str  # what is to stand in the link command with it
    cache: str
    compilers: dict  # {"gcc": [C compiler, C++ compiler], "clang": [...]}
    plugins: dict  # {"gcc": path, "clang": path}, whether they are there or not
    python: str  # an interpreter with the packages of tests/requirements.txt
    libcxx: str  # Clang's C++ library: below it, include/c++/v1 and lib
    sanitizer: sanitizing.Sanitizer = None  # what all of them are built with

    @staticmethod
    def load(path):
        paths = Paths(**json.loads(pathlib.Path(path).read_text()))
        if paths.sanitizer is not None:
            paths.sanitizer = sanitizing.Sanitizer(**paths.sanitizer)
        return paths


def clean_environment():
    """The caller's environment without anything that steers autotrace or OpenTelemetry."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AUTOTRACE_", "OTEL_", "LD_"))
    }


def output_of(command, timeout=TIMEOUT_SECONDS, **options):
    """Runs a tool that has to succeed; its standard output."""
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, env=clean_environment(),
        timeout=timeout, check=False, **options)
    assert done.returncode == 0, f"{shlex.join(map(str, command))}: {done.stderr or done.stdout}"
    return done.stdout


def expect_text(actual, expected):
    """Compares with an indented literal; on a difference shows both."""
    expected = textwrap.dedent(expected).strip("\n")
    actual = actual.strip("\n")
    if actual != expected:
        difference = difflib.unified_diff(
            expected.splitlines(), actual.splitlines(), "expected", "actual", lineterm="", n=100)
        raise AssertionError("\n" + "\n".join(difference))


class Run:
    """A program that ended, and what it left."""

    def __init__(self, test, command, process, data_dir):
        self.test = test
        self.command = command
        self.stdout = process.stdout
        self.stderr = process.stderr
        self.status = process.returncode
        self.data_dir = data_dir

    def export(self, form="otlp-json"):
        return self.test.autotracer("export", "--to", form, data_dir=self.data_dir).stdout

    def forest(self, **options):
        forest = span_tree.Forest(span_tree.parse_otlp(self.export()), **options)
        if show_trees:
            print(textwrap.indent(forest.text(), "    "))
        return forest

    def expect_tree(self, expected, outliving=(), **options):
        """Compares the whole of what was recorded; gives the spans for further questions."""
        forest = self.forest(outliving=outliving)
        expect_text(forest.text(**options), expected)
        return forest

    def expect_nothing_recorded(self):
        assert not os.path.exists(self.data_dir), f"{self.data_dir}: {os.listdir(self.data_dir)}"


class Test:
    """One case's directory, and the verbs to build and run in it."""

    def __init__(self, paths, directory):
        self.paths = paths
        self.directory = pathlib.Path(directory)
        self.timeout = TIMEOUT_SECONDS * (paths.sanitizer.slowness if paths.sanitizer else 1)
        self._data_dirs = 0

    def below(self, name):
        """The same case in a directory of its own."""
        directory = self.directory / name
        directory.mkdir()
        return Test(self.paths, directory)

    # ---- Building

    def compiler(self, build, language="c++"):
        return self.paths.compilers[build.family][1 if language == "c++" else 0]

    def instrument_flags(self, compiler, plugin=None):
        """As `autotracer flags` prints them; plugin: the options for it, None to do without."""
        options = ["--no-plugin"] if plugin is None else plugin
        return shlex.split(
            output_of([self.paths.autotracer, "flags", "--compiler", compiler, *options]))

    def plugin_file(self, build):
        """The compiler's plugin. Where it could not be built, the case is skipped."""
        file = self.paths.plugins[build.family]
        if not os.path.exists(file):
            raise Skip(f"there is no plugin for {build.family}")
        return file

    def program(self, build, *sources, name=None, flags=(), link=(), instrument=True, plugin=None,
                runtime=True, shared=False, debug=True, source_dir=PROGRAMS):
        """Compiles and links `sources` (below programs/); the path of the result.

        instrument: with the flags of `autotracer flags`.  plugin: the options that `flags` gets for
        the compiler plugin, ["--modules", "app"]; None: without it.  runtime: linked against it, or,
        if the build is a static one, with the one for static programs.
        shared: a shared library.  link: words at the end of the link command.
        name: of the file, default the first source's stem.
        """
        language = "c" if str(sources[0]).endswith(".c") else "c++"
        compiler = self.compiler(build, language)
        files = [pathlib.Path(source_dir) / source for source in sources]
        command = [compiler, build.level, "-std=c++20" if language == "c++" else "-std=gnu11"]
        command += ["-flto"] if build.lto else []
        if self.paths.sanitizer is not None:
            command += self.paths.sanitizer.program_flags(build.family)
        command += ["-g"] if debug else []
        command += ["-fPIC", "-shared"] if shared else []
        if plugin is not None:
            self.plugin_file(build)
        command += self.instrument_flags(compiler, plugin) if instrument else []
        command += ["-I" + str(SOURCE_ROOT / "runtime/include"), "-pthread", *flags]
        command += map(str, files)
        if build.static:
            command += [build.static] + (["-fPIE"] if build.static == "-static-pie" else [])
        if runtime and build.static:
            command += self.record_flags()
        elif runtime:
            folder = os.path.dirname(self.paths.runtime)
            command += ["-Wl,--push-state,--no-as-needed", self.paths.runtime, "-Wl,--pop-state",
                        "-Wl,-rpath," + folder]
        command += map(str, link)
        command += self.lld_flags() if build.lto and build.family == "clang" else []
        stem = files[0].stem
        # The sanitizers' own pthread_create, longjmp and so on would keep ours from seeing anything
        # (see cases_builds.py). Behind ours they see everything.
        first = os.path.basename(self.paths.runtime).split(".so")[0] + ".so.0"
        return self._cached(command, files, name or (f"lib{stem}.so" if shared else stem),
                            first if runtime and self.paths.sanitizer else None)

    def record_flags(self):
        """Words of the link command for the runtime of static programs."""
        if not self.paths.record:
            raise Skip("built without the runtime for static programs")
        return [*self.paths.record_options.split(), self.paths.record]

    def _cached(self, command, files, name, first_library=None):
        headers = sorted((SOURCE_ROOT / "runtime/include").rglob("*.h"))
        headers += sorted({header for file in files for header in file.parent.glob("*.h")})
        key = hashlib.sha256("\0".join([*command, name, str(first_library)]).encode())
        linked_in = [pathlib.Path(self.paths.record)] if self.paths.record in command else []
        plugins = {pathlib.Path(word.removeprefix("-fplugin="))
                   for word in command if word.startswith("-fplugin=")}
        for file in [*files, *headers, *linked_in, *plugins]:
            key.update(file.read_bytes())
        folder = pathlib.Path(self.paths.cache) / key.hexdigest()[:24]
        result = folder / name
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not result.exists():
                unfinished = folder / (name + ".unfinished")
                soname = ["-Wl,-soname," + name] if "-shared" in command else []
                output_of([*command, *soname, "-o", unfinished], timeout=self.timeout)
                if first_library is not None:
                    needed_libraries.put_first(unfinished, first_library)
                unfinished.rename(result)
        return result

    def lld_flags(self):
        """For the link command: lld, also where it is installed with a version in its name."""
        names = ["ld.lld"] + [f"ld.lld-{version}" for version in range(20, 10, -1)]
        found = next((path for path in map(shutil.which, names) if path), None)
        if found is None:
            raise Skip("lld is not installed")
        folder = pathlib.Path(self.paths.cache) / "lld"
        folder.mkdir(parents=True, exist_ok=True)
        try:
            (folder / "ld.lld").symlink_to(found)
        except FileExistsError:
            pass  # made by another case
        return ["-fuse-ld=lld", f"-B{folder}"]

    def libcxx_flags(self):
        """Words for `flags` and for `link` that take Clang's C++ library."""
        libcxx = self.paths.libcxx
        if not os.path.isdir(libcxx):
            raise Skip("libc++ is missing (scripts/setup --tests)")
        return (["-nostdinc++", "-isystem", libcxx + "/include/c++/v1"],
                ["-nostdlib++", f"-L{libcxx}/lib", f"-Wl,-rpath,{libcxx}/lib", "-lc++", "-lc++abi"])

    def copy(self, path, name=None):
        """A copy of a built file in this case's directory, for changing it (strip, objcopy)."""
        target = self.directory / (name or path.name)
        shutil.copy2(path, target)
        return target

    # ---- Running

    def write(self, name, text):
        path = self.directory / name
        path.write_text(textwrap.dedent(text))
        return path

    def run(self, program, *arguments, modules=None, config=None, env=None, status=0,
            quiet=True):
        """Runs a program in this case's directory, each time with a new AUTOTRACE_DIR.

        config: text of a YAML file.  status: what it has to exit with; None: whatever it is.
        quiet: nothing may be on its standard error.
        """
        self._data_dirs += 1
        data_dir = self.directory / f"data{self._data_dirs}"
        environment = clean_environment() | {"AUTOTRACE_DIR": str(data_dir)}
        if modules is not None:
            environment["AUTOTRACE_MODULES"] = modules
        if config is not None:
            environment["AUTOTRACE_CONFIG"] = str(self.write("trace.yaml", config))
        environment |= {key: str(value) for key, value in (env or {}).items()}
        command = [str(word) for word in (program, *arguments)]
        process = subprocess.run(command, cwd=self.directory, env=environment, capture_output=True,
                                 text=True, timeout=self.timeout, check=False)
        run = Run(self, command, process, data_dir)
        assert status in (run.status, None), (
            f"exit status {run.status}, expected {status}: {run.stderr}")
        assert not quiet or not run.stderr, f"unexpected on standard error: {run.stderr}"
        return run

    def autotracer(self, *arguments, data_dir=None, env=None, status=0):
        environment = clean_environment() | (env or {})
        if data_dir is not None:
            environment["AUTOTRACE_DIR"] = str(data_dir)
        process = subprocess.run([self.paths.autotracer, *map(str, arguments)], cwd=self.directory,
                                 env=environment, capture_output=True, text=True,
                                 timeout=self.timeout, check=False)
        assert process.returncode == status, (
            f"autotracer {shlex.join(map(str, arguments))}: exit status {process.returncode}, "
            f"expected {status}: {process.stderr}")
        return process


def run_case(name, paths):
    watch = contextlib.nullcontext()
    if paths.sanitizer is not None:
        if why := sanitizing.left_out(name, paths.sanitizer.name):
            raise Skip(f"not under the {paths.sanitizer.name} sanitizer: {why}")
        watch = paths.sanitizer.watch(name)
    with watch, tempfile.TemporaryDirectory(prefix="autotrace-e2e-") as directory:
        # Resolved, because programs see and print real paths.
        CASES[name](Test(paths, os.path.realpath(directory)))
