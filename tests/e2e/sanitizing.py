"""The presets `asan` and `tsan`: the runtime and the reader are built with sanitizers, and so is every
program, since they share a process. A case fails when any process of it has a finding.

A case runs there unless LEFT_OUT names it. (In `ctest`, at one level of optimization: what is looked
at is the runtime's code, which is the same whatever the program's is.)
"""

import contextlib
import dataclasses
import os
import pathlib
import re
import tempfile

ADDRESS = "address"  # which brings "undefined" with it
THREAD = "thread"
BOTH = (ADDRESS, THREAD)

# Beginnings of names of cases (regular expressions), the sanitizers that they cannot run under, why.
LEFT_OUT = [
    (r"static\.|plugin(_list)?\.|debuggers\.a_static_|sample\..*_with_the_compiler_plugin", BOTH,
     "static programs and compilers cannot have a sanitizer in what is linked or loaded into them"),
    (r"builds\..*sanitizer|exceptions\..*(under_sanitizers|after_they_are_gone)|"
     r"builds\.a_run_that_cannot_be_traced_leaks", BOTH,
     "about programs with sanitizers and a runtime without"),
    (r"debuggers\.", BOTH,
     "valgrind does not run what has a sanitizer, and gdb's frames and stops are others there"),
    (r"off\.|timing\.", BOTH,
     "about what is not there when tracing is off; a sanitizer's files, threads and time are"),
    (r"limits\.(a_limit_on_(address_space|descriptors|threads)|a_filter_|a_trace_of_two_million)|"
     r"exceptions\.a_throw_takes_no_descriptor", BOTH,
     "a sanitizer takes terabytes of addresses, descriptors and system calls of its own"),
    (r"libraries\.a_library_in_two_namespaces", BOTH,
     "each namespace would have a sanitizer of its own, and a process can have one"),
    (r"processes\.a_forked_child_finds_the_programs_own_locks|threads\.an_instrumented_allocator", BOTH,
     "about a program's own malloc, in whose place a sanitizer has its own"),
    (r"exceptions\.threads_that_are_cancelled_at_any_moment", BOTH,
     "a sanitizer must not be left in its middle"),
    (r"clocks\.without_a_counter", BOTH, "a sanitizer reads the clock by that counter"),
    (r"threads\.what_runs_before_main.*\.clang", BOTH,
     "what Clang makes of code needs the sanitizer, which has not begun there"),
    (r"safety\.programs_with_rights", BOTH, "a sanitizer does not begin in such a program"),
    (r"trees\.a_thousand_threads", BOTH, "the reader is too slow under it to keep up with them"),
    (r"libraries\.libraries_that_(call_while|go_with_others)", (THREAD,),
     "it does not know that the memory of a library which was closed is another one's"),
    (r"push\.forked_and_executed_children", (THREAD,),
     "it has a thread, and children that are made without fork() are traced if there is no other"),
    (r"push\.(more_than_memory_holds|a_disk_that_is_full)", (THREAD,),
     "times of requests and numbers of descriptors are others"),
    (r"push\.forked_and_executed_children", (ADDRESS,),
     "where a forked child's thread has its stack there was another's, which it takes for in use"),
    (r"builds\.with_clangs_cxx_library|trees\.a_program_on_clangs_cxx_library", (ADDRESS,),
     "the undefined behaviour sanitizer asks the program's C++ library about the runtime's types"),
    (r"exceptions\.exceptions_of_libcxx", BOTH,
     "an exception of Clang's library and unwinder cannot pass through the functions of GCC's sanitizers"),
    (r"exceptions\.exceptions_are_seen_with_the_cpp_library_linked_in", (ADDRESS,),
     "it has an unwinder's functions without a version, as libc++'s are: there are no messages"),
    (r"stacks\.(coroutines_that_are_switched_by_jumps|a_handler_that_jumps|signal_handlers_nest)",
     (THREAD,),
     "it ends a program that jumps to another stack, and holds signals back"),
    (r"libraries\.(a_library_in_the_place|a_library_that_comes_back|a_killed_programs_ring|"
     r"spans_that_a_kill|the_file_of_a|the_recording_does_not_grow|threads_that_swap|"
     r"without_a_thread_of_ours)", (THREAD,),
     "libraries have to lie where others were, and what it maps lies there"),
    (r"libraries\.a_constructor_that_waits", (THREAD,), "a resolver runs before it can"),
    (r"limits\.", (THREAD,),
     "numbers of descriptors are compared, and what removes old runs cannot have a table of its own"),
    (r"death\.a_kill_for_lack_of_memory|modules\.a_binary_of_three_hundred", (THREAD,),
     "it takes several times the program's memory"),
    (r"processes\.tasks_that_only_share", (THREAD,),
     "a task made by clone() alone has no state of its own for it, and its maker's is mixed up"),
    (r"processes\.threads_that_fork", (THREAD,),
     "it does not promise that the child of a process with threads can start any"),
    (r"processes\.(a_child_made_without_fork|a_program_that_such_a_child)", (THREAD,),
     "it has a thread, and children that are made without fork() are traced if there is no other"),
    (r"stacks\.(announced_)?fibers_", (ADDRESS,),
     "a throw on a stack that it does not know leaves it with a wrong idea of what is in use there"),
]

# The same for what looks for leaks at a program's end, alone.
UNTIDY = [
    (r"stacks\.", "these programs leave stacks to the system, and what only those refer to"),
    (r"processes\.(threads_that_fork|tasks)", "what the parent's other threads had is lost in a child"),
    (r"limits\.another_root_directory", "there is no /proc, without which it waits for ever"),
]


def left_out(name, sanitizer):
    """Why this case does not run under the sanitizer; None: it does."""
    return next((why for cases, names, why in LEFT_OUT
                 if sanitizer in names and re.match(cases, name)), None)


@dataclasses.dataclass
class Sanitizer:
    """What the things under test are built with; from the paths.json that CMake writes."""

    name: str  # ADDRESS or THREAD
    flags: list  # for compiling and linking
    libraries: list  # GCC's, which the runtime needs
    options: list  # NAME=VALUE
    slowness: int  # so many times longer may things take

    def program_flags(self, family):
        """For programs, whose process can have the sanitizer once only."""
        if family == "gcc":
            return self.flags
        # The two compilers' code asks the same of its sanitizer. These checks need Clang's own.
        flags = [*self.flags, "-fno-sanitize-link-runtime"]
        if self.name == ADDRESS:
            flags.append("-fno-sanitize=function,vptr")
        return [*flags, "-Wl,--push-state,--no-as-needed", *self.libraries, "-Wl,--pop-state"]

    @contextlib.contextmanager
    def watch(self, case):
        """Fails when a process that was started inside, however far down, had a finding."""
        before = dict(os.environ)
        with tempfile.TemporaryDirectory(prefix="autotrace-findings-") as directory:
            for option in self.options:
                name, value = option.split("=", 1)
                given = [before[name]] if name in before else []
                os.environ[name] = ":".join([value, *given, f"log_path={directory}/{name}"])
            if self.name == ADDRESS and any(re.match(cases, case) for cases, _ in UNTIDY):
                os.environ["ASAN_OPTIONS"] += ":detect_leaks=0"
            try:
                yield
            finally:
                os.environ.clear()
                os.environ.update(before)
                reports = [file.read_text() for file in sorted(pathlib.Path(directory).iterdir())]
                # The address sanitizer also says that it is not sure, of a stack that it does not know.
                findings = [text for text in reports
                            if re.search(r"ERROR:|FATAL:|SUMMARY:|runtime error:", text)]
                assert not findings, "\n".join(findings)
