#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Check what a static library defines and needs, from its symbol table.

* every name that it exports begins with one of the --export prefixes;
* every name that it needs from elsewhere is one of the four mem* functions or begins with one of
  the --export or --need prefixes: no malloc, no other libc, no compiler runtime;
* it has no writable data (unless named by --mutable) and no constructors.
"""
import argparse
import subprocess
import sys

FREESTANDING = {'memcpy', 'memmove', 'memset', 'memcmp'}
WRITABLE = set('bBdDCsSgG')


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
            if name not in FREESTANDING and not name.startswith(known):
                yield f'needs {name}'
        elif kind.isupper() and not name.startswith(exports):
            yield f'exports {name}'
        if kind in WRITABLE and name not in args.mutable:
            yield f'has writable data {name}'


def has_constructors(library):
    out = subprocess.run(['readelf', '-SW', library], check=True, capture_output=True, text=True)
    return any(s in out.stdout for s in ('.init_array', '.ctors', '.preinit_array'))


def main():
    args = parse_args()
    table = list(symbols(args.nm, args.library))
    defined = [name for name, kind in table if kind.isupper() and kind not in 'U']
    faults = sorted(set(find_faults(table, args)))
    if has_constructors(args.library):
        faults.append('has constructors')
    if not defined:
        faults.append('exports nothing')
    print(f'{args.library}: {len(defined)} exported symbols')
    for fault in faults:
        print(f'{args.library}: {fault}', file=sys.stderr)
    sys.exit(1 if faults else 0)


if __name__ == '__main__':
    main()
