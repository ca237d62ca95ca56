#!/usr/bin/env python3
"""Builds a program of very many instrumented functions, as large services are.

usage: many_functions.py FOLDER [--functions N] [--called N]

Writes the functions as assembly, which takes seconds where a compiler takes minutes; they look like
what GCC makes of small members of classes in namespaces, linker names included. The program,
FOLDER/many_functions, calls some of them once.
"""

import argparse
import pathlib
import subprocess
import sys

NAMESPACES = ('large_service', 'request_handling', 'detail')
FUNCTIONS_PER_CLASS = 25
FUNCTIONS_PER_FILE = 25_000

FUNCTION = '''.globl {name}; .type {name}, @function
{name}: pushq %rbx; movl %edi, %ebx
movq 8(%rsp), %rsi; leaq {name}(%rip), %rdi; call __cyg_profile_func_enter@PLT
movq 8(%rsp), %rsi; leaq {name}(%rip), %rdi; call __cyg_profile_func_exit@PLT
leal {number}(%rbx), %eax; popq %rbx; ret
.size {name}, .-{name}
'''
NO_EXECUTABLE_STACK = '.section .note.GNU-stack,"",@progbits\n'
MAIN = '''
extern int (*const called[])(int);
extern const unsigned long called_count;
__attribute__((no_instrument_function)) int main(void) {
  int value = 0;
  for (unsigned long i = 0; i < called_count; ++i) value += called[i](1);
  return value == 0;
}
'''


def linker_name(number):
    """Of a member function that takes an int and a vector."""
    scopes = (*NAMESPACES, f'Component{number // FUNCTIONS_PER_CLASS}',
              f'handle_request_{number % FUNCTIONS_PER_CLASS}')
    return '_ZN' + ''.join(f'{len(scope)}{scope}' for scope in scopes) + 'EiRKSt6vectorIiSaIiEE'


def build(folder, functions=300_000, called=1000):
    """The program's path."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    objects = [assemble(folder / f'part_{first}', functions_as_assembly(first, functions))
               for first in range(0, functions, FUNCTIONS_PER_FILE)]
    objects.append(assemble(folder / 'called', table_as_assembly(functions, called)))
    source = folder / 'main.c'
    source.write_text(MAIN)
    program = folder / 'many_functions'
    subprocess.run(['gcc-12', '-O2', str(source), *map(str, objects), '-o', str(program)],
                   check=True)
    return program


def functions_as_assembly(first, functions):
    last = min(first + FUNCTIONS_PER_FILE, functions)
    return '.text\n' + ''.join(FUNCTION.format(name=linker_name(number), number=number % 100)
                               for number in range(first, last))


def table_as_assembly(functions, called):
    step = max(functions // called, 1)
    numbers = range(0, step * min(called, functions), step)
    lines = ''.join(f'.quad {linker_name(number)}\n' for number in numbers)
    return ('.section .data.rel.ro,"aw"; .balign 8\n'
            f'.globl called; called:\n{lines}'
            f'.globl called_count; called_count: .quad {len(numbers)}\n')


def assemble(path, text):
    target = path.with_suffix('.o')
    subprocess.run(['gcc-12', '-c', '-x', 'assembler', '-', '-o', str(target)],
                   input=text + NO_EXECUTABLE_STACK, text=True, check=True)
    return target


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', type=pathlib.Path)
    parser.add_argument('--functions', type=int, default=300_000)
    parser.add_argument('--called', type=int, default=1000)
    options = parser.parse_args()
    print(build(options.folder, options.functions, options.called))
    return 0


if __name__ == '__main__':
    sys.exit(main())
