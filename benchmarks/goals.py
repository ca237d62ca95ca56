"""What the project set out to reach, against what was measured in this run."""

import statistics

import markdown
from call_cost import FLOOR, UNINSTRUMENTED, ratios, samples

AT_MOST, AT_LEAST = 'at most', 'at least'

# Row, compared row, direction, bound; on the leaf loop in one thread.
LEAF_GOALS = [
    ('recorded', FLOOR, AT_MOST, 1.10),
    ('too short (10us)', FLOOR, AT_MOST, 1.05),
]
# On the leaf loop and the trees: how much more a peer costs.
PEER_GOALS = [
    ('uftrace record', 'recorded', 3.5),
    ('LTTng-UST cyg-profile', 'recorded', 6),
    ('XRay, flight data recorder', 'recorded', 5),
    ('uftrace record -t 10us', 'too short (10us)', 2.8),
]


def render(call_tables):
    """A table of goals, median and worst of the rounds, and whether both meet them."""
    single = [table for table in call_tables if table['threads'] == 1]
    lines = []
    for table in single:
        goals = LEAF_GOALS if table['workload'] == 'leaf_loop' else []
        goals = [*goals, *[(peer, own, AT_LEAST, bound) for peer, own, bound in PEER_GOALS]]
        for row, other, direction, bound in goals:
            values = ratios(table, row, other)
            if values:
                lines.append(line(f'{table["title"]}: {row} / {other}', direction, bound, '×',
                                  values))
        if table['workload'] == 'leaf_loop':
            lines += erased_goals(table)
    return markdown.table(['', 'goal', 'median', 'worst', 'met'], lines)


def erased_goals(table):
    erased = 'not wanted, erased'
    if erased not in table['rows']:
        return []
    plain = samples(table, UNINSTRUMENTED)
    net = [value - base for value, base in zip(samples(table, erased), plain)]
    empty = [value - base for value, base in zip(samples(table, 'empty hooks'), plain)]
    return [
        line(f'{table["title"]}: {erased}, net', AT_MOST, 1.5, ' ns', net),
        line(f'{table["title"]}: empty hooks, net / {erased}, net', AT_LEAST, 3, '×',
             [more / max(less, 0.01) for more, less in zip(empty, net)]),
    ]


def line(title, direction, bound, unit, values):
    worst = max(values) if direction == AT_MOST else min(values)
    both = (statistics.median(values), worst)
    met = all(value <= bound if direction == AT_MOST else value >= bound for value in both)
    return [title, f'{direction} {bound}{unit}', *[f'{value:.2f}{unit}' for value in both],
            'yes' if met else 'no']
