"""Single hooks, manual spans and the decoder: Google Benchmark's programs, as sections of the report."""

import json

import markdown
from measured_run import run_measured

HERE_CONFIG = 'benchmarks/hook_benchmark.yaml'


def run_google_benchmark(program, arguments, folder, repetitions, **environment):
    """By name: nanoseconds of processor time per pass, and passes per second, of each repetition."""
    output = folder / 'google_benchmark.json'
    run_measured([str(program), *arguments, f'--benchmark_repetitions={repetitions}',
                  f'--benchmark_out={output}', '--benchmark_out_format=json'], folder, **environment)
    found = {}
    for run in json.loads(output.read_text())['benchmarks']:
        if run['run_type'] != 'iteration':
            continue
        figures = found.setdefault(run['run_name'].partition('/')[0], {'nanos': [], 'items': []})
        figures['nanos'].append(run['cpu_time'])
        figures['items'].append(run.get('items_per_second', 0))
    return found


class HookMicroBenchmark:
    def __init__(self, build, root, folder, repetitions):
        self.program = build / 'benchmarks' / 'hook_benchmark'
        self.config = root / HERE_CONFIG
        self.folder = folder
        self.repetitions = repetitions

    def measure(self, say):
        say('single hooks')
        return run_google_benchmark(self.program, [], self.folder, self.repetitions,
                                    AUTOTRACE_CONFIG=str(self.config))


def render_hooks(results):
    lines = [[name, markdown.median_and_spread(figures['nanos'])]
             for name, figures in results.items()]
    return ('#### Single hooks and manual spans\n\n'
            + markdown.table(['', 'ns of processor time'], lines)
            + f'\n\nCommand: `AUTOTRACE_CONFIG={HERE_CONFIG} benchmarks/hook_benchmark`')
