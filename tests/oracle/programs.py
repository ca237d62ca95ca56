"""The programs of the oracle, and how they are built: with both compilers, at two levels.

The programs in programs/ are a few lines around libraries that we did not write, taken from Debian
packages. All of them do the same each time they are run.
"""

import dataclasses
import os
import pathlib
import shutil

import harness

HERE = pathlib.Path(__file__).resolve().parent
PROGRAMS = HERE / "programs"
GCC_O0, CLANG_O0, GCC_O2, CLANG_O2 = BUILDS = tuple(
    harness.Build(family, level) for level in ("-O0", "-O2") for family in ("gcc", "clang"))


@dataclasses.dataclass(frozen=True)
class Program:
    name: str
    source: str
    library: str = ""  # source of a shared library that is instrumented, too
    flags: tuple = ()
    # At -O0 every call has to be a call in machine code: what makes the library do without the
    # attribute always_inline.
    no_inlining: tuple = ()
    # Its argument with GCC, and with Clang at -O0, which instruments the standard library as well.
    sizes: tuple = ()
    # Makes so many calls that the ring may be full before its background thread gets a processor.
    # Such a program is traced without that thread, with a ring for all of them.
    is_long: bool = False

    builds: tuple = BUILDS

    def arguments(self, build):
        return self.sizes[1:] if build == CLANG_O0 else self.sizes[:1]


ALL = [
    Program("nlohmann_json", "nlohmann_json.cc", sizes=("5", "2")),
    Program("rapidjson", "rapidjson.cc", is_long=True),
    Program("cli11", "cli11.cc", sizes=("64", "2")),
    # Asks the processor for its caches; under valgrind that is another one.
    Program("eigen", "eigen.cc", flags=("-isystem/usr/include/eigen3", "-DEIGEN_NO_CPUID"),
            no_inlining=("-Dalways_inline=",)),
    Program("boost_spirit", "boost_spirit.cc", no_inlining=("-DBOOST_FORCEINLINE=inline",)),
    Program("boost_graph", "boost_graph.cc", no_inlining=("-DBOOST_FORCEINLINE=inline",),
            is_long=True),
    Program("spdlog", "spdlog.cc", no_inlining=("-DFMT_INLINE=inline",)),
    Program("asio", "asio.cc"),
    # A hash table of addresses: how often its keys are compared depends on where things lie, and
    # with Clang at -O0 these comparisons are calls that are traced.
    Program("cereal", "cereal.cc", builds=(GCC_O0, GCC_O2, CLANG_O2)),
    Program("stb", "stb.c", library="stb_library.c"),
]


class Builder(harness.Test):
    """Compiles with ccache where it is there: these programs take a while."""

    def build(self, program, build):
        """The path of the executable."""
        library = []
        if program.library:
            objects = self._compile(program, build, program.library, ["-fPIC"])
            shared = self._link(program, build, [objects, "-shared", "-lm"],
                                f"lib{program.name}.so")
            library = [shared, f"-Wl,-rpath,{shared.parent}"]
        return self._link(program, build, [self._compile(program, build, program.source), *library],
                          program.name)

    def shared_library(self, source):
        """An uninstrumented one, of the oracle's own."""
        compiler = self.compiler(GCC_O2, "c")
        command = [compiler, "-O2", "-Wall", "-Wextra", "-fPIC", "-shared", str(HERE / source)]
        return self._cached(command, [HERE / source], pathlib.Path(source).stem + ".so")

    def _compile(self, program, build, source, flags=()):
        is_c = source.endswith(".c")
        compiler = self.compiler(build, "c" if is_c else "c++")
        ccache = shutil.which("ccache")
        command = [ccache] if ccache else []
        command += [compiler, build.level, "-std=gnu11" if is_c else "-std=c++20", "-pthread"]
        # Lines are enough for names and places, and compile faster.
        command += [*self.instrument_flags(compiler), "-g1", *program.flags, *flags]
        if build.level == "-O0":
            command += ["-fno-optimize-sibling-calls", *program.no_inlining]
        file = PROGRAMS / source
        return self._cached([*command, "-c", str(file)], [file], pathlib.Path(source).stem + ".o")

    def _link(self, program, build, words, name):
        is_c = program.source.endswith(".c")
        folder = os.path.dirname(self.paths.runtime)
        command = [self.compiler(build, "c" if is_c else "c++"), "-pthread", *map(str, words),
                   "-Wl,--push-state,--no-as-needed", self.paths.runtime, "-Wl,--pop-state",
                   f"-Wl,-rpath,{folder}"]
        return self._cached(command, [], name)
