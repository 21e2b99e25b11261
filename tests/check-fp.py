#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Check that nothing in a static library uses FP, SIMD or vector registers but what moves a guest's.

They hold a guest's values while the library runs.
"""
import argparse
import dataclasses
import re
import subprocess
import sys


@dataclasses.dataclass(frozen=True)
class Rule:
    """What uses such a register, and what may: instructions `moves` (default: any) of one member."""
    uses: re.Pattern
    member: str
    moves: re.Pattern = re.compile('')


# As objdump writes an instruction: the mnemonic, a blank, its operands.
RULES = {
    'aarch64': Rule(re.compile(r'[ ,{[](?:[qdshb](?:[12]?\d|3[01])|[vz](?:[12]?\d|3[01])\.\w+)\b'), 'fp.S'),
    'riscv64': Rule(re.compile(r'[ ,(](?:f[tas](?:\d|1[01])|f(?:[12]?\d|3[01])|v(?:[12]?\d|3[01]))\b'), 'fp.S'),
    # Operands, x87 (whose mnemonics begin with f; fs is a prefix), and what has its registers from the opcode.
    # The state moves as a whole, in C.
    'x86_64': Rule(re.compile(r'%(?:st|[xyz]?mm\d|k[0-7])|^f(?!s )|^emms|^v?(?:ld|st)mxcsr|^vzero|^x(?:save|rstor)'),
                   'state.c', re.compile(r'^f?x(?:save|rstor)')),
}

MEMBER = re.compile(r'^(\S+): +file format ')
INSTRUCTION = re.compile(r'^ *[0-9a-f]+:\t(\S+)(?:\s+(.*))?')
NOT_OPERANDS = re.compile(r'\b[0-9a-f]+ <.*|(?:# |//).*')  # a branch's target, a remark of objdump


def uses(text, registers):
    """(member, instruction) of each instruction that uses such a register."""
    member = ''
    for line in text.splitlines():
        header = MEMBER.match(line)
        instruction = INSTRUCTION.match(line)
        if header:
            member = header.group(1)
        elif instruction:
            written = f"{instruction.group(1)} {NOT_OPERANDS.sub('', instruction.group(2) or '')}"
            if registers.search(written):
                yield member, written.strip()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('--objdump', required=True)
    parser.add_argument('--cpu', required=True, choices=sorted(RULES))
    parser.add_argument('library')
    args = parser.parse_args()
    rule = RULES[args.cpu]
    out = subprocess.run([args.objdump, '-d', '--no-show-raw-insn', args.library],
                         check=True, capture_output=True, text=True)
    found = list(uses(out.stdout, rule.uses))
    good = [(member, line) for member, line in found if rule.member in member and rule.moves.search(line)]
    faults = [fault for fault in found if fault not in good]
    if not good:
        faults.append(('', f'nothing in {rule.member} moves FP registers: what was looked at?'))
    print(f'{args.library}: {len(found)} instructions with FP registers')
    for member, line in faults:
        print(f'{args.library}: {member}: {line}', file=sys.stderr)
    sys.exit(1 if faults else 0)


if __name__ == '__main__':
    main()
