#!/usr/bin/env python3
"""Measures autotrace, and other tracers beside it, and writes a report; scripts/bench calls it.

usage: bench.py BUILD_DIR [--short | --full] [--only SECTION[,SECTION]...] [--rounds N]
                [--output FOLDER] [--update-document] [--check]

--short is quick and only shows that everything works; --full takes long, and each workload makes at
least 1 GB of records. Sections: calls (what a call costs, and for other tracers), programs (real
ones), trade_off (what leaving out short functions saves), hooks (single ones), startup, reader,
control (a service that is steered meanwhile). The report goes to FOLDER/performance.md, the figures
to FOLDER/results.json; --update-document also puts it into docs/performance.md. With --check, ends
with 1 when autotrace did not account for a call.
"""

import argparse
import dataclasses
import json
import pathlib
import shutil
import sys

import call_cost
import control
import goals
import machine
import markdown
import micro
import programs
import reader
import startup
import trade_off
from tracers import Tools

DOCUMENT = machine.ROOT / 'docs' / 'performance.md'
BEGIN, END = '<!-- scripts/bench writes from here -->', '<!-- to here -->'


@dataclasses.dataclass(frozen=True)
class Size:
    """How much is measured."""
    calls: int  # in each run of a call workload
    rounds: int
    all_combinations: bool  # of call workloads and numbers of threads
    spans_read: int
    starts: int
    functions: int  # of the large program
    program_rounds: int
    program_factor: int  # how often real programs do their work


# A record has 40 bytes: 30 million are 1.2 GB.
SIZES = {
    'short': Size(calls=300_000, rounds=2, all_combinations=False, spans_read=300_000,
                  starts=3, functions=30_000, program_rounds=1, program_factor=1),
    'usual': Size(calls=3_000_000, rounds=5, all_combinations=False, spans_read=3_000_000,
                  starts=30, functions=300_000, program_rounds=5, program_factor=1),
    'full': Size(calls=30_000_000, rounds=10, all_combinations=True, spans_read=55_000_000,
                 starts=50, functions=300_000, program_rounds=10, program_factor=4),
}


def main():
    options = parse_options()
    build = options.build_dir.resolve()
    tools = Tools(build / 'runtime' / 'libautotrace-cpp.so', build / 'cli' / 'autotracer')
    size = SIZES['short' if options.short else 'full' if options.full else 'usual']
    if options.rounds:
        size = dataclasses.replace(size, rounds=options.rounds)
    output = (options.output or build).resolve()
    work = output / 'work'
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)

    sections = {
        'calls': (call_cost.CallCost(tools, work, size), call_cost.render),
        'programs': (programs.RealPrograms(machine.ROOT, tools, work, size.program_rounds,
                                           size.program_factor), programs.render),
        'trade_off': (trade_off.TradeOff(machine.ROOT, tools, work, size.program_rounds,
                                         size.program_factor), trade_off.render),
        'hooks': (micro.HookMicroBenchmark(build, machine.ROOT, work, size.rounds),
                  micro.render_hooks),
        'startup': (startup.Startup(tools.runtime, work, size.starts, size.functions),
                    startup.render),
        'reader': (reader.ReaderThroughput(build, tools, work, size.spans_read, size.rounds),
                   reader.render),
        'control': (control.Control(tools, work, size.rounds), control.render),
    }
    wanted = options.only.split(',') if options.only else list(sections)
    if unknown := set(wanted) - set(sections):
        sys.exit(f'no section {", ".join(unknown)}; there are: {", ".join(sections)}')

    results = {'machine': machine.facts(), 'size': dataclasses.asdict(size)}
    texts = []
    for name in wanted:
        section, render = sections[name]
        results[name] = section.measure(say)
        texts.append(render(results[name]))
    if 'calls' in results:
        texts.insert(0, goals.render(results['calls']))
    say('')
    shutil.rmtree(work)

    report = '\n\n'.join([markdown.table(['this run', ''], results['machine']), *texts]) + '\n'
    for path in (build, machine.ROOT):
        report = report.replace(f'{path}/', '')
    (output / 'results.json').write_text(json.dumps(results, indent=1) + '\n')
    (output / 'performance.md').write_text(report)
    print(report)
    if options.update_document:
        update_document(report)
    if options.check and (unaccounted := call_cost.unaccounted(results['calls'])):
        print('\n'.join(unaccounted), file=sys.stderr)
        return 1
    return 0


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('build_dir', type=pathlib.Path)
    size = parser.add_mutually_exclusive_group()
    size.add_argument('--short', action='store_true')
    size.add_argument('--full', action='store_true')
    parser.add_argument('--only', default='')
    parser.add_argument('--rounds', type=int)
    parser.add_argument('--output', type=pathlib.Path)
    parser.add_argument('--update-document', action='store_true')
    parser.add_argument('--check', action='store_true')
    return parser.parse_args()


def say(what):
    """What is being done, on one line of the terminal."""
    if sys.stderr.isatty():
        print(f'\r\x1b[K{what}', end='', file=sys.stderr, flush=True)


def update_document(report):
    text = DOCUMENT.read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    DOCUMENT.write_text(f'{before}{BEGIN}\n\n{report}\n{END}{after}')


if __name__ == '__main__':
    sys.exit(main())
