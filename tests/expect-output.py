#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run a command without input and with a deadline; pass when its output has all the given lines, in order."""
import argparse
import subprocess
import sys


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--timeout', type=float, default=30, help='seconds (default %(default)s)')
    parser.add_argument('--line', action='append', required=True, help='a whole line of the output')
    parser.add_argument('command', nargs='+', help='after --')
    return parser.parse_args()


def run(command, timeout):
    """Output, and why the run itself failed or None."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=timeout)
    except subprocess.TimeoutExpired as late:
        return late.stdout or b'', f'still running after {timeout:g} s'
    return done.stdout, f'exit status {done.returncode}' if done.returncode else None


def first_missing(wanted, lines):
    remaining = iter(lines)
    return next((want for want in wanted if want not in remaining), None)


def main():
    args = parse_args()
    output, failure = run(args.command, args.timeout)
    lines = [line.strip() for line in output.decode('utf-8', 'replace').splitlines()]
    print('\n'.join(lines))
    missing = first_missing(args.line, lines)
    if failure is None and missing is not None:
        failure = f'no line {missing!r}'
    if failure:
        sys.exit(f'expect-output: {failure}')


if __name__ == '__main__':
    main()
