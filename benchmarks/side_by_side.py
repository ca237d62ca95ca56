"""What the benchmarks that compare variants in one run share."""

import os
import statistics
import subprocess


def run(command, folder, **environment):
    """Runs a command in a folder, which has to succeed; its standard output and standard error."""
    result = subprocess.run(command, cwd=folder, env={**os.environ, **environment}, check=True,
                            capture_output=True, text=True)
    return result.stdout, result.stderr


def print_ratios(nanos, base, unit, digits):
    """A line per variant: the median, and median and worst of its ratios to `base` in each round.

    nanos: for each variant its nanoseconds, one figure a round.  base: one of the variants.
    digits: behind the point, of nanoseconds and of ratios.
    """
    title = f'ratio to {base} (median, worst)'
    print(f'{"":16}{unit:>9}{title:>42}')
    for name, values in nanos.items():
        ratios = [value / other for value, other in zip(values, nanos[base])]
        print(f'{name:16}{statistics.median(values):9.{digits[0]}f}'
              f'{statistics.median(ratios):32.{digits[1]}f}{max(ratios):10.{digits[1]}f}')
