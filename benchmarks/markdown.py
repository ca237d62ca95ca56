"""Tables and figures as Markdown."""

import statistics


def table(titles, rows):
    """The first column is text; so is the second of two, others are figures."""
    others = '---' if len(titles) == 2 else '---:'
    lines = [titles, ['---', *[others] * (len(titles) - 1)], *rows]
    return '\n'.join('| ' + ' | '.join(map(str, line)) + ' |' for line in lines)


def figure(value):
    """Three digits that count; whole numbers from a hundred on."""
    if abs(value) >= 99.95:
        return f'{value:,.0f}'
    return f'{value:.1f}' if abs(value) >= 9.995 else f'{value:.2f}'


def median_and_spread(values):
    """`median (least–most)`."""
    middle = figure(statistics.median(values))
    if len(values) == 1:
        return middle
    return f'{middle} ({figure(min(values))}–{figure(max(values))})'


def duration(seconds):
    for unit, size in (('s', 1), ('ms', 1e-3), ('µs', 1e-6)):
        if seconds >= size:
            return f'{figure(seconds / size)} {unit}'
    return f'{figure(seconds * 1e9)} ns'


def mebibytes(count):
    return f'{figure(count / 2**20)} MiB'
