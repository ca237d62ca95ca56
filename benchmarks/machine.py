"""Facts about the machine and the tools that figures depend on."""

import os
import pathlib
import re
import shutil
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
CLOCK_SOURCE = pathlib.Path('/sys/devices/system/clocksource/clocksource0/current_clocksource')
TSC_FLAGS = ('constant_tsc', 'nonstop_tsc', 'tsc_reliable', 'tsc_known_freq', 'rdtscp')


def facts():
    """Pairs of a name and a text, in the order that they are shown in."""
    cpu = read('/proc/cpuinfo')
    flags = set(re.search(r'^flags\s*: (.*)', cpu, re.MULTILINE).group(1).split())
    memory = int(re.search(r'MemTotal: +(\d+)', read('/proc/meminfo')).group(1)) // 2**20
    model = re.search(r'^model name\s*: (.*)', cpu, re.MULTILINE).group(1)
    return [
        ('processor', f'{model}, {os.cpu_count()} cores'
                      + (', virtual machine' if 'hypervisor' in flags else '')),
        ('memory', f'{memory} GiB'),
        ('kernel', ' '.join(os.uname()[i] for i in (0, 2, 4))),
        ('time stamp counter', ', '.join(flag for flag in TSC_FLAGS if flag in flags)
         + f'; the kernel\'s clock source is {read(CLOCK_SOURCE).strip()}'),
        ('system', re.search(r'PRETTY_NAME="(.*)"', read('/etc/os-release')).group(1)),
        ('C library', output(['ldd', '--version'])),
        ('GCC', output(['g++-12', '--version'])),
        ('Clang', output(['clang++-14', '--version'])),
        ('uftrace', output(['uftrace', '--version'])),
        ('LTTng', output(['lttng', '--version'])),
        ('LLVM (XRay)', output(['llvm-xray-14', '--version'], r'LLVM version \S+')),
        ('gprof', output(['gprof', '--version'])),
        ('autotrace', revision()),
        ('measured', time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())),
        ('load at the start', ', '.join(f'{load:.2f}' for load in os.getloadavg())
         + ' (1, 5, 15 minutes)'),
    ]


def read(path):
    return pathlib.Path(path).read_text()


def output(command, pattern=r'.+'):
    """The first line that a command prints, or what matches in it."""
    if not shutil.which(command[0]):
        return 'not installed'
    result = subprocess.run(command, capture_output=True, text=True)
    found = re.search(pattern, result.stdout + result.stderr)
    return found.group(0).strip() if found else 'unknown'


def revision():
    result = subprocess.run(['git', '-C', str(ROOT), 'describe', '--always', '--dirty'],
                            capture_output=True, text=True)
    return result.stdout.strip() or 'unknown revision'
