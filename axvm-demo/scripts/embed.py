#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write an assembly file that embeds a binary file.

The file's first and one-past-last byte get the global names SYMBOL and SYMBOL_end. The SHA-256 in
the output makes it differ whenever the binary differs, so that the build assembles it again:
.incbin by itself is invisible to dependency tracking.
"""
import argparse
import hashlib
import pathlib
import sys

TEMPLATE = """\
/* sha256 {digest} */
    .section .rodata.{symbol}, "a"
    .balign {align}
    .global {symbol}, {symbol}_end
{symbol}:
    .incbin "{path}"
{symbol}_end:
    .byte 0
    .section .note.GNU-stack, "", %progbits
"""


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--symbol', required=True, help='name of the first byte')
    parser.add_argument('--align', type=int, default=4096, help='alignment in bytes (default %(default)s)')
    parser.add_argument('binary', type=pathlib.Path, help='file to embed')
    parser.add_argument('output', type=pathlib.Path, help='assembly file to write')
    return parser.parse_args()


def main():
    args = parse_args()
    if not args.symbol.isidentifier():
        sys.exit(f'embed.py: {args.symbol!r} is not a symbol name')
    if args.align <= 0 or args.align & (args.align - 1):
        sys.exit(f'embed.py: alignment {args.align} is not a power of two')
    try:
        digest = hashlib.sha256(args.binary.read_bytes()).hexdigest()
    except OSError as error:
        sys.exit(f'embed.py: {args.binary}: {error.strerror}')
    args.output.write_text(TEMPLATE.format(
        digest=digest, symbol=args.symbol, align=args.align, path=args.binary.resolve()))


if __name__ == '__main__':
    main()
