#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measure the C code of each component but the tests: lengths of functions, conditional lines. Find notes of
unfinished work in all files.

Functions are at most 9 lines long in the median, at most 30 in nine of ten cases, and never above 80;
at most 3 of 1,000 lines are #if; nothing is left to be done.
"""
import argparse
import collections
import json
import pathlib
import re
import statistics
import subprocess
import sys

MEDIAN, NINE_OF_TEN, LONGEST = 9, 30, 80
IFS_PER_1000 = 3
UNFINISHED = re.compile(r'\b(?:' + '|'.join(('TO' 'DO', 'FIX' 'ME', 'XX' 'X')) + r')\b')


def functions(ctags, root, files):
    """(component, lines, where) of each function that ctags finds."""
    done = subprocess.run([ctags, '--output-format=json', '--fields=+n+e', '--language-force=C',
                           '--c-kinds=f', '-L', '-', '-f', '-'],
                          input='\n'.join(files), cwd=root, check=True, capture_output=True, text=True)
    for line in done.stdout.splitlines():
        tag = json.loads(line)
        if 'end' in tag:
            component = pathlib.PurePath(tag['path']).parts[0]
            yield component, tag['end'] - tag['line'] + 1, f"{tag['path']}:{tag['line']} {tag['name']}"


def length_findings(component, found):
    lengths = [length for length, _ in found]
    median = statistics.median(lengths)
    short = sum(length <= NINE_OF_TEN for length in lengths) / len(lengths)
    longest, where = max(found)
    print(f'{component}: {len(lengths)} functions, median {median:g} lines, {short:.1%} up to {NINE_OF_TEN}, '
          f'longest {longest} ({where})')
    if median > MEDIAN:
        yield f'{component}: the median is {median:g} lines, the bar {MEDIAN}'
    if short < 0.9:
        yield f'{component}: {short:.1%} of the functions have up to {NINE_OF_TEN} lines, the bar is 90 %'
    yield from (f'{at}: {length} lines, the bar is {LONGEST}' for length, at in found if length > LONGEST)


def is_measured(name):
    path = pathlib.PurePath(name)
    return path.suffix in ('.c', '.h') and path.parts[0] != 'tests'


def conditional_findings(component, texts):
    lines = [line for text in texts for line in text.splitlines()]
    conditional = sum(line.replace(' ', '').startswith('#if') for line in lines)
    rate = 1000 * conditional / len(lines)
    print(f'{component}: {len(lines)} lines, {rate:.1f} #if in 1,000')
    if rate > IFS_PER_1000:
        yield f'{component}: {rate:.1f} #if in 1,000 lines, the bar is {IFS_PER_1000}'


def unfinished_findings(texts):
    return [f'{name}:{number}: {line.strip()}' for name, text in texts.items()
            for number, line in enumerate(text.splitlines(), 1) if UNFINISHED.search(line)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--ctags', default='ctags', help='Universal Ctags (default %(default)s)')
    parser.add_argument('root', type=pathlib.Path)
    parser.add_argument('files', nargs='+', help='relative to the root')
    args = parser.parse_args()

    texts = {name: (args.root / name).read_text(errors='replace') for name in args.files}
    measured = [name for name in args.files if is_measured(name)]
    found = collections.defaultdict(list)
    for component, length, where in functions(args.ctags, args.root, measured):
        found[component].append((length, where))
    parts = collections.defaultdict(list)
    for name in measured:
        parts[pathlib.PurePath(name).parts[0]].append(texts[name])

    findings = [line for component in sorted(found) for line in length_findings(component, found[component])]
    findings += [line for component in sorted(parts) for line in conditional_findings(component, parts[component])]
    findings += unfinished_findings(texts)
    if not found:
        findings.append('no function found')
    if findings:
        sys.exit('\n'.join(f'check-bars: {line}' for line in findings))


if __name__ == '__main__':
    main()
