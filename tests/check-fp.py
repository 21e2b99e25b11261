#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Check that no member of a static library but fp.S uses FP, SIMD or vector registers.

They hold a guest's values while the library runs.
"""
import argparse
import re
import subprocess
import sys

ALLOWED = 'fp.S'

# An FP register as objdump writes it among the operands of an instruction.
REGISTERS = {
    'aarch64': re.compile(r'\b(?:[qdshb](?:[12]?\d|3[01])|[vz](?:[12]?\d|3[01])\.\w+)\b'),
    'riscv64': re.compile(r'\b(?:f[tas](?:\d|1[01])|f(?:[12]?\d|3[01])|v(?:[12]?\d|3[01]))\b'),
}

MEMBER = re.compile(r'^(\S+): +file format ')
INSTRUCTION = re.compile(r'^ *[0-9a-f]+:\t\S+\t(.*)')
NOT_OPERANDS = re.compile(r'\b[0-9a-f]+ <.*|(?:#|//).*')  # a branch's target, a remark of objdump


def uses(text, registers):
    """(member, instruction) of each instruction that names such a register."""
    member = ''
    for line in text.splitlines():
        header = MEMBER.match(line)
        instruction = INSTRUCTION.match(line)
        if header:
            member = header.group(1)
        elif instruction and registers.search(NOT_OPERANDS.sub('', instruction.group(1))):
            yield member, line.strip()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('--objdump', required=True)
    parser.add_argument('--cpu', required=True, choices=sorted(REGISTERS))
    parser.add_argument('library')
    args = parser.parse_args()
    out = subprocess.run([args.objdump, '-d', '--no-show-raw-insn', args.library],
                         check=True, capture_output=True, text=True)
    found = list(uses(out.stdout, REGISTERS[args.cpu]))
    faults = [fault for fault in found if ALLOWED not in fault[0]]
    if not any(ALLOWED in member for member, _ in found):
        faults.append(('', f'no FP instruction in {ALLOWED}: what was looked at?'))
    print(f'{args.library}: {len(found)} instructions with FP registers')
    for member, line in faults:
        print(f'{args.library}: {member}: {line}', file=sys.stderr)
    sys.exit(1 if faults else 0)


if __name__ == '__main__':
    main()
