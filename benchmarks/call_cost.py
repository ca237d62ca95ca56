"""What a call costs: small workloads in one or several threads, under every tracer, in rounds.

In each round all tracers run once, one after the other, so that they meet the same machine; ratios are
those of one round.
"""

import os
import statistics

import markdown
from measured_run import CommandFailed
from peers import peer_tracers
from tracers import DoesNotApply, own_tracers
from workloads import CALL_WORKLOADS, Workload, compile_hooks

UNINSTRUMENTED = 'uninstrumented'
FLOOR = 'the floor'
RECORDED = 'recorded'
SHOWN = Workload('PROGRAM', 'in commands')


class CallCost:
    """The section of the report. `options` has calls, rounds, all_combinations."""

    name = 'calls'

    def __init__(self, tools, folder, options):
        self.tools = tools
        self.folder = folder
        self.options = options

    def measure(self, say):
        """A list of tables, as data."""
        floor = compile_hooks('floor_hooks', self.folder)
        tracers = own_tracers(self.tools, floor) + peer_tracers(self.options.calls)
        builds = sorted({tracer.build for tracer in tracers if tracer.why_not() is None})
        for workload in CALL_WORKLOADS:
            for build in builds:
                workload.compile(build, self.folder)
        try:
            return [self._table(workload, threads, tracers, say)
                    for workload in CALL_WORKLOADS for threads in self._threads(workload)]
        finally:
            for tracer in tracers:
                tracer.close()

    def _threads(self, workload):
        every = self.options.all_combinations or workload is CALL_WORKLOADS[0]
        return (1, 2, 8) if every else (1,)

    def _table(self, workload, threads, tracers, say):
        arguments = [str(self.options.calls), str(threads)]
        rows = {}
        notes = []
        for tracer in tracers:
            reason = tracer.why_not()
            if reason is None:
                rows[tracer.name] = {
                    'base': base_row(tracer), 'records': tracer.records,
                    'command': tracer.shown_command(SHOWN, ['CALLS', 'THREADS']), 'rounds': []}
            else:
                notes.append(f'{tracer.name}: {reason}')
        for number in range(self.options.rounds):
            say(f'{workload.name}, {threads} threads, round {number + 1} of {self.options.rounds}')
            is_last = number == self.options.rounds - 1
            # A different one first each time.
            for tracer in tracers[number % len(tracers):] + tracers[:number % len(tracers)]:
                if tracer.name not in rows:
                    continue
                try:
                    rows[tracer.name]['rounds'].append(
                        self._run(tracer, workload, arguments, is_last))
                except (DoesNotApply, CommandFailed) as reason:
                    del rows[tracer.name]
                    notes.append(f'{tracer.name}: {reason}')
                finally:
                    tracer.clear(self.folder)
        return {'workload': workload.name, 'title': workload.title, 'threads': threads,
                'over_subscribed': threads >= os.cpu_count(), 'calls': self.options.calls,
                'rows': rows, 'notes': notes}

    def _run(self, tracer, workload, arguments, is_last):
        outcome = tracer.run(workload, arguments, self.folder)
        calls = outcome.printed['calls']
        return {
            'calls': calls,
            'nanos_per_call': outcome.printed['nanos_per_call'],
            'typical': outcome.printed['typical'],
            'cpu_nanos_per_call': outcome.printed['cpu_nanos'] / calls,
            'elsewhere_nanos_per_call': outcome.elsewhere_nanos / calls,
            'dropped': outcome.dropped,
            # The same each time, and slow to count.
            'read_back': tracer.read_back(workload, self.folder) if is_last else None,
        }


def base_row(tracer):
    return UNINSTRUMENTED if tracer.base == 'plain' else 'uninstrumented, Clang'


def samples(table, row, key='nanos_per_call'):
    return [sample[key] for sample in table['rows'][row]['rounds']]


def ratios(table, row, other, key='nanos_per_call'):
    """One for each round; none when one of them was not measured."""
    if row not in table['rows'] or other not in table['rows']:
        return []
    return [value / base
            for value, base in zip(samples(table, row, key), samples(table, other, key))]


# ---- As Markdown --------------------------------------------------------------------------------


def render(tables):
    commands = {}
    parts = []
    for table in tables:
        threads = '1 thread' if table['threads'] == 1 else f'{table["threads"]} threads'
        calls = next(iter(table['rows'].values()))['rounds'][0]['calls']
        parts.append(f'#### {table["title"]}: `{table["workload"]}`, {threads}, {calls:,} calls')
        parts.append(render_table(table))
        if table['over_subscribed']:
            parts.append('† over-subscribed: there are as many busy threads as processors, or more.')
        if table['notes']:
            parts.append('Not measured: ' + '; '.join(table['notes']) + '.')
        commands |= {name: row['command'] for name, row in table['rows'].items()}
    parts.append('Commands, by row:')
    parts.append(markdown.table(['', ''], [[name, f'`{command}`']
                                           for name, command in commands.items()]))
    return '\n\n'.join(parts)


def render_table(table):
    titles = ['', 'ns/call', 'net', '× floor, median', 'worst', 'typical', 'dropped',
              'read back of made', 'elsewhere ns/call']
    lines = []
    for name, row in table['rows'].items():
        nanos = samples(table, name)
        net = statistics.median(nanos) - statistics.median(samples(table, row['base']))
        to_floor = ratios(table, name, FLOOR)
        lines.append([
            name + (' †' if table['over_subscribed'] else ''),
            markdown.median_and_spread(nanos),
            markdown.figure(net) if name != row['base'] else '',
            f'{statistics.median(to_floor):.3f}',
            f'{max(to_floor):.3f}',
            f'{statistics.median(ratios(table, name, FLOOR, "typical")):.3f}',
            dropped(row['rounds']),
            read_back(row['rounds'][-1]),
            markdown.figure(statistics.median(samples(table, name, 'elsewhere_nanos_per_call'))),
        ])
    return markdown.table(titles, lines)


def unaccounted(tables):
    """A line for each table where autotrace lost calls that it does not count as dropped."""
    lines = []
    for table in tables:
        last = table['rows'][RECORDED]['rounds'][-1]
        # A parent that was dropped is stood in for when it is read.
        stand_ins = last['read_back'] + last['dropped'] - last['calls']
        if not 0 <= stand_ins <= last['dropped']:
            lines.append(f'{table["workload"]}, {table["threads"]} threads: {last["calls"]} calls, '
                         f'{last["read_back"]} read back, {last["dropped"]} dropped')
    return lines


def dropped(rounds):
    """Most in a round."""
    counts = [sample['dropped'] for sample in rounds if sample['dropped'] is not None]
    return f'{max(counts):,}' if counts else ''


def read_back(sample):
    if sample['read_back'] is None:
        return ''
    return f'{sample["read_back"]:,} of {sample["calls"]:,}'
