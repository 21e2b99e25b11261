#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measure the C code of each component: lengths of functions, conditional lines, notes of unfinished work.

Functions are at most 9 lines long in the median, at most 30 in nine of ten cases, and never above 80;
at most 3 of 1,000 lines are #if; nothing is left to be done.
"""
import argparse
import collections
import json
import pathlib
import statistics
import subprocess
import sys

MEDIAN, NINE_OF_TEN, LONGEST = 9, 30, 80
IFS_PER_1000 = 3
UNFINISHED = ('TODO', 'FIXME', 'XXX')


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


def text_findings(component, texts):
    lines = [(path, number, line) for path, text in texts for number, line in enumerate(text.splitlines(), 1)]
    conditional = sum(line.replace(' ', '').startswith('#if') for _, _, line in lines)
    rate = 1000 * conditional / len(lines)
    print(f'{component}: {len(lines)} lines, {rate:.1f} #if in 1,000')
    if rate > IFS_PER_1000:
        yield f'{component}: {rate:.1f} #if in 1,000 lines, the bar is {IFS_PER_1000}'
    yield from (f'{path}:{number}: {line.strip()}' for path, number, line in lines
                if any(word in line for word in UNFINISHED))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--ctags', default='ctags', help='Universal Ctags (default %(default)s)')
    parser.add_argument('root', type=pathlib.Path)
    parser.add_argument('files', nargs='+', help='relative to the root')
    args = parser.parse_args()

    found = collections.defaultdict(list)
    for component, length, where in functions(args.ctags, args.root, args.files):
        found[component].append((length, where))
    texts = collections.defaultdict(list)
    for name in args.files:
        text = (args.root / name).read_text(errors='replace')
        texts[pathlib.PurePath(name).parts[0]].append((name, text))

    findings = [line for component in sorted(found) for line in length_findings(component, found[component])]
    findings += [line for component in sorted(texts) for line in text_findings(component, texts[component])]
    if not found:
        findings.append('no function found')
    if findings:
        sys.exit('\n'.join(f'check-bars: {line}' for line in findings))


if __name__ == '__main__':
    main()
