"""One comparison: a program in a build, what callgrind counts, and what its trace says."""

import dataclasses
import os
import pathlib
import subprocess

import callgrind
import comparison
import export
import harness
import programs
import recording

LARGE_RING = "64MiB"


@dataclasses.dataclass
class Result:
    name: str
    functions: int
    comparisons: list

    @property
    def differences(self):
        return [text for done in self.comparisons for text in done.differences]

    def of(self, what):
        """The comparison of this kind; None: it was not made."""
        return next((done for done in self.comparisons if done.what == what), None)


class Oracle:
    """Works in a directory of its own."""

    def __init__(self, paths, valgrind, program, build, directory, tracing=None):
        """`tracing`: further variables for traced runs."""
        self.paths = paths
        self.directory = pathlib.Path(directory)
        self.program = program
        self.build = build
        self.builder = programs.Builder(paths, directory)
        self.command = [str(self.builder.build(program, build)), *program.arguments(build)]
        self._valgrind = valgrind
        self._tracing = tracing or {}
        self._runs = 0
        self._output = None  # what the program prints
        self._sites = None
        self._symbols = None

    def compare(self):
        self._output = self._run({})
        self._sites = self._note_hook_sites()
        self._symbols = comparison.Symbols(self._sites.modules)
        compare = self._compare_calls if self.build.level == "-O0" else self._compare_hooks
        return Result(f"{self.program.name}.{self.build}", len(self._sites.functions), compare())

    def _compare_calls(self):
        functions = self._sites.functions
        inlined = self._sites.outside_of_their_functions(self._symbols)
        assert not inlined, f"inlined at -O0, so nobody calls them: {inlined}"
        traced, run = self._record()
        profile = self._profile()
        seen_through = self._profile(comparison.names_of_others(profile, functions))
        return [
            self._compare_functions("calls", comparison.calls(profile, functions), traced),
            self._compare_functions("hooks", comparison.hook_calls(profile, self._sites), traced),
            comparison.compare(
                "pairs", comparison.pairs(seen_through, functions, self._symbols),
                comparison.recorded_pairs(traced), self._describe_pair),
            comparison.compare(
                "call sites", comparison.call_sites(profile, functions, self._symbols),
                comparison.recorded_call_sites(traced, profile, self._symbols),
                self._describe_call),
            export.compare(traced, self.paths.autotracer, run)]

    def _compare_hooks(self):
        counted = comparison.hook_calls(self._profile(), self._sites)
        traced, _ = self._record()
        # The runtime does its work under valgrind, too.
        traced_there = self._record_under_callgrind()
        return [self._compare_functions("calls", counted, traced),
                self._compare_functions("calls, traced under callgrind", counted, traced_there)]

    def _compare_functions(self, what, counted, trace):
        return comparison.compare(what, counted, comparison.recorded_calls(trace), self._describe)

    # ---- Running

    def _environment(self, more):
        return harness.clean_environment() | {"LD_BIND_NOW": "1"} | more

    def _run(self, more):
        """What it prints, which is always the same."""
        process = subprocess.run(
            self.command, cwd=self.directory, env=self._environment(more), capture_output=True,
            text=True, timeout=harness.TIMEOUT_SECONDS, check=False)
        assert process.returncode == 0 and not process.stderr, process
        assert self._output in (None, process.stdout), process.stdout
        return process.stdout

    def _profile(self, skipped_names=(), more=None):
        """Of a run that is not traced, unless `more` says so.

        The tracer calls what() of exceptions, and its thread makes the C++ library take the ways of
        a program with threads: what callgrind counts is to be the program's own doing.
        """
        profile, output = callgrind.run(
            self._valgrind, self.command, self.directory / "callgrind.out", skipped_names,
            cwd=self.directory, env=self._environment(more or {}))
        assert output == self._output, output
        return profile

    def _record(self):
        """The recording, and where it lies."""
        tracing = self._trace_settings()
        self._run(tracing)
        return self._recording(tracing)

    def _record_under_callgrind(self):
        tracing = self._trace_settings()
        self._profile(more=tracing)
        return self._recording(tracing)[0]

    def _trace_settings(self):
        self._runs += 1
        settings = {"AUTOTRACE_MODULES": "*", "AUTOTRACE_COMPILER_MADE": "true",
                    "AUTOTRACE_MIN_DURATION": "0",
                    "AUTOTRACE_DIR": str(self.directory / f"data{self._runs}")}
        if self.program.is_long:
            settings |= {"AUTOTRACE_THREAD": "false", "AUTOTRACE_RING_SIZE": LARGE_RING}
        return settings | self._tracing

    def _recording(self, tracing):
        run, = pathlib.Path(tracing["AUTOTRACE_DIR"]).glob("*-*")
        recorded = recording.Recording(run)
        assert not recorded.dropped, f"spans were dropped: {recorded.dropped}"
        assert recorded.counters["recorded"] == len(recorded.spans), recorded.counters
        return recorded, run

    def _note_hook_sites(self):
        file = self.directory / "sites"
        library = self.builder.shared_library("hook_sites.c")
        self._run({"LD_PRELOAD": str(library), "ORACLE_SITES": str(file)})
        return comparison.HookSites(file.read_text())

    # ---- Describing

    def _describe(self, place):
        return self._symbols.names.get(place) or str(place)

    def _describe_pair(self, pair):
        return f"{self._describe(pair[0])} -> {self._describe(pair[1])}"

    def _describe_call(self, call):
        return f"{call[0]} -> {self._describe(call[1])}"
