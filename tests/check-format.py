#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Check the layout of every C file that git tracks: clang-format, and the SPDX line on top."""
import argparse
import pathlib
import subprocess
import sys

SPDX = 'SPDX-License-Identifier: Apache-2.0'
SPDX_SUFFIXES = ('*.c', '*.h', '*.S', '*.py', '*.sh', '*.ld', '*.build')


def tracked(root, patterns):
    out = subprocess.run(['git', '-C', root, 'ls-files', '-z', *patterns],
                         check=True, capture_output=True, text=True)
    paths = [pathlib.Path(root, name) for name in out.stdout.split('\0') if name]
    return [path for path in paths if path.is_file() and not path.is_symlink()]


def without_spdx(paths):
    for path in paths:
        with open(path, encoding='utf-8') as file:
            head = file.readline() + file.readline()
        if SPDX not in head:
            yield path


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--clang-format', default='clang-format')
    parser.add_argument('--fix', action='store_true', help='rewrite the files instead')
    parser.add_argument('root')
    args = parser.parse_args()

    status = 0
    for path in without_spdx(tracked(args.root, SPDX_SUFFIXES)):
        print(f'{path}: no SPDX line on top', file=sys.stderr)
        status = 1
    sources = tracked(args.root, ('*.c', '*.h'))
    mode = ['-i'] if args.fix else ['--dry-run', '--Werror']
    if sources and subprocess.run([args.clang_format, *mode, *sources]).returncode:
        status = 1
    print(f'{len(sources)} files')
    sys.exit(status)


if __name__ == '__main__':
    main()
