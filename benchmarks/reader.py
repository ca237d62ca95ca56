"""How fast a recorded run is read: from records to OTLP protobuf requests, on one core."""

import json
import re
import statistics

import markdown
from measured_run import run_measured
from micro import run_google_benchmark
from tracers import Autotrace
from workloads import CALL_WORKLOADS

SPANS_PER_SECOND_GOAL = 2_000_000
PEAK_GOAL = 200 << 20
DEEP_TREE = CALL_WORKLOADS[2]


class ReaderThroughput:
    """A section of the report. `calls`: recorded ones, each a span."""

    def __init__(self, build, tools, folder, calls, rounds):
        self.programs = build / 'benchmarks'
        self.tools = tools
        self.folder = folder
        self.calls = calls
        self.rounds = rounds

    def measure(self, say):
        say('reader: recording')
        DEEP_TREE.compile('debug', self.folder)
        tracer = Autotrace('recorded', self.tools, {}, build='debug')
        outcome = tracer.run(DEEP_TREE, [str(self.calls), '1'], self.folder)
        run = re.search(r'recorded in (\S+)', outcome.stderr).group(1)
        rounds = []
        for number in range(self.rounds):
            say(f'reader, round {number + 1} of {self.rounds}')
            finished = run_measured([str(self.programs / 'reader_throughput'), run], self.folder)
            rounds.append(json.loads(finished.stdout))
        say('reader: from memory')
        from_memory = run_google_benchmark(self.programs / 'decoder_benchmark', [run], self.folder,
                                           self.rounds)
        tracer.clear(self.folder)
        return {'rounds': rounds, 'from_memory': from_memory}


def render(results):
    rounds = results['rounds']
    spans = rounds[0]['spans']
    speeds = [run['spans'] / run['cpu_seconds'] / 1e6 for run in rounds]
    peak = max(run['peak_bytes'] for run in rounds)
    size = rounds[0]['bytes'] / spans
    in_memory = [[f'{name}, the blocks in memory',
                  markdown.median_and_spread([speed / 1e6 for speed in figures['items']]), '', '']
                 for name, figures in results['from_memory'].items()]
    lines = [[f'a recorded run of {spans:,} spans to OTLP protobuf, {size:.0f} bytes a span',
              markdown.median_and_spread(speeds), markdown.mebibytes(peak),
              'yes' if statistics.median(speeds) * 1e6 >= SPANS_PER_SECOND_GOAL
              and peak <= PEAK_GOAL else 'no'], *in_memory]
    return ('#### Reading\n\n'
            + markdown.table(['', 'million spans per second of processor time', 'peak memory',
                              'at least 2 million/s and at most 200 MiB'], lines)
            + '\n\nCommands: `benchmarks/reader_throughput RUN_FOLDER`, '
              '`benchmarks/decoder_benchmark RUN_FOLDER`, of a run of `deep_tree` built with `-g`')
