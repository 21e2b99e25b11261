#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Check what a static library defines and needs, from its symbol table.

* every name that it exports begins with one of the --export prefixes;
* every name that it needs from elsewhere is one of the four mem* functions or begins with one of
  the --export or --need prefixes: no malloc, no other libc, no compiler runtime;
* it has no writable data but what --mutable names, and no constructors.
"""
import argparse
import re
import subprocess
import sys

FREESTANDING = {'memcpy', 'memmove', 'memset', 'memcmp'}
FROM_LINKER = {'_GLOBAL_OFFSET_TABLE_'}
EXPORTED = frozenset('ABCDGRSTVW')
# What only the loader writes, while it relocates the program, is constant for the program.
RELOCATED = '.data.rel.ro'
CONSTRUCTORS = ('.init_array', '.preinit_array', '.ctors')


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('--nm', required=True)
    parser.add_argument('--export', action='append', default=[], metavar='PREFIX')
    parser.add_argument('--need', action='append', default=[], metavar='PREFIX')
    parser.add_argument('--mutable', action='append', default=[], metavar='NAME')
    parser.add_argument('library')
    return parser.parse_args()


def symbols(nm, library):
    """(name, type letter) of every symbol, the members' own header lines left out."""
    out = subprocess.run([nm, '--format=posix', library], check=True, capture_output=True, text=True)
    for line in out.stdout.splitlines():
        fields = line.split()
        if len(fields) >= 2 and len(fields[1]) == 1:
            yield fields[0], fields[1]


def find_faults(table, args):
    exports = tuple(args.export)
    known = exports + tuple(args.need)
    for name, kind in table:
        if kind in 'Uw':
            if name not in FREESTANDING | FROM_LINKER and not name.startswith(known):
                yield f'needs {name}'
        elif kind in EXPORTED and not name.startswith(exports):
            yield f'exports {name}'


def allocated_sections(library):
    """Names of the sections that have any bytes in memory, over all members."""
    out = subprocess.run(['readelf', '-SW', library], check=True, capture_output=True, text=True)
    # "  [ 3] .data  PROGBITS  address offset size entry-size flags ..."
    for name, size, flags in re.findall(
            r'^  \[ *\d+\] (\.\S+) +\S+ +[0-9a-f]{16} [0-9a-f]+ ([0-9a-f]+) [0-9a-f]+ +([A-Za-z]*) ',
            out.stdout, re.MULTILINE):
        if 'A' in flags and int(size, 16):
            yield name


def find_data_faults(table, sections, mutable):
    yield from (f'has constructors ({name})' for name in sections if name.startswith(CONSTRUCTORS))
    has_data = any(name.startswith('.data') and not name.startswith(RELOCATED) for name in sections)
    writable = 'bBCsS' + ('dDgG' if has_data else '')
    for name, kind in table:
        if kind in writable and name not in mutable:
            yield f'has writable data {name}'


def main():
    args = parse_args()
    table = list(symbols(args.nm, args.library))
    defined = [name for name, kind in table if kind in EXPORTED]
    sections = set(allocated_sections(args.library))
    faults = sorted({*find_faults(table, args), *find_data_faults(table, sections, args.mutable)})
    if not defined:
        faults.append('exports nothing')
    print(f'{args.library}: {len(defined)} exported symbols')
    for fault in faults:
        print(f'{args.library}: {fault}', file=sys.stderr)
    sys.exit(1 if faults else 0)


if __name__ == '__main__':
    main()
