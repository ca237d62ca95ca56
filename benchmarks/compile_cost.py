#!/usr/bin/env python3
"""What hooks and the compiler plugins cost at compile time: a translation unit that uses most of
nlohmann-json, without hooks, with hooks in every function, and with those that the plugin keeps.

usage: compile_cost.py BUILD_DIR [--rounds N]
"""

import argparse
import pathlib
import resource
import subprocess
import tempfile

from side_by_side import print_ratios

SOURCE = '''
#include <fstream>
#include <nlohmann/json.hpp>
int main() {
  nlohmann::json document;
  std::ifstream("file") >> document;
  document["key"]["inner"] = 3;
  const auto other = nlohmann::json::from_cbor(nlohmann::json::to_cbor(document));
  const auto patched = document.patch(nlohmann::json::diff(document, other));
  return static_cast<int>(document.dump().size() + patched.flatten().size());
}
'''
COMPILERS = ('g++-12', 'clang++-14')


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('build_dir', type=pathlib.Path)
    parser.add_argument('--rounds', type=int, default=5)
    options = parser.parse_args()
    autotracer = options.build_dir.resolve() / 'cli' / 'autotracer'
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder, 'source.cc')
        source.write_text(SOURCE)
        for compiler in COMPILERS:
            variants = {'no hooks': ['-g'],
                        'all hooks': flags(autotracer, compiler, '--no-plugin'),
                        'plugin': flags(autotracer, compiler)}
            nanos = {name: [] for name in variants}
            for _ in range(options.rounds):
                for name, words in variants.items():
                    nanos[name].append(processor_nanos(
                        [compiler, '-std=c++17', '-O2', *words, '-c', source, '-o',
                         f'{folder}/object.o']))
            print(f'{compiler}, {options.rounds} rounds, ms of processor time:')
            print_ratios({name: [value / 1e6 for value in values] for name, values in nanos.items()},
                         'no hooks', 'ms', (0, 2))


def flags(autotracer, compiler, *more):
    return subprocess.run([autotracer, 'flags', '--compiler', compiler, *more], check=True,
                          capture_output=True, text=True).stdout.split()


def processor_nanos(command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    subprocess.run(command, check=True)
    return (resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before) * 1e9


if __name__ == '__main__':
    main()
