"""The programs that are measured, and how each tracer needs them built.

A program prints one line of JSON, see workload.h.
"""

import dataclasses
import json
import pathlib
import subprocess

HERE = pathlib.Path(__file__).resolve().parent

# What a build adds to `COMPILER -O2 SOURCES`: the compiler's family, flags, sources.
BUILDS = {
    'plain': ('gcc', [], []),
    'hooked': ('gcc', ['-finstrument-functions'], []),
    # With the compiler plugin, whose options the caller has.
    'plugin_none': ('gcc', ['-finstrument-functions'], []),
    'plugin_inline': ('gcc', ['-finstrument-functions'], []),
    'plugin_all': ('gcc', ['-finstrument-functions'], []),
    'profile': ('gcc', ['-finstrument-functions'], []),
    'debug': ('gcc', ['-finstrument-functions', '-g'], []),
    'pg': ('gcc', ['-pg'], []),
    'clang': ('clang', [], []),
    'xray': ('clang', ['-fxray-instrument', '-fxray-instruction-threshold=1'],
             ['xray_recording.c']),
}
C_COMPILERS = {'gcc': 'gcc-12', 'clang': 'clang-14'}


@dataclasses.dataclass(frozen=True)
class Workload:
    name: str
    title: str
    modules: str = '*'  # what autotrace is asked for

    def path(self, build):
        """Relative to the folder that it was built in, where it is to be run."""
        return f'./{self.name}.{build}'

    @staticmethod
    def parse(stdout):
        return json.loads(stdout)

    def compile(self, build, folder):
        family, flags, more_sources = BUILDS[build]
        sources = [str(HERE / source) for source in [f'{self.name}.c', *more_sources]]
        subprocess.run([C_COMPILERS[family], '-O2', *flags, *sources, '-pthread', '-o',
                        self.path(build)], cwd=folder, check=True)


CALL_WORKLOADS = (
    Workload('leaf_loop', 'A leaf in a loop'),
    Workload('recursive_tree', 'A recursive tree, 10 levels'),
    Workload('deep_tree', 'Calls 64 deep'),
)


def compile_hooks(name, folder):
    """Hooks to be preloaded, from a C file of this name."""
    library = pathlib.Path(folder) / f'{name}.so'
    subprocess.run([C_COMPILERS['gcc'], '-O2', '-shared', '-fPIC', str(HERE / f'{name}.c'), '-o',
                    str(library)], check=True)
    return library
