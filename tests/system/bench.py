# SPDX-License-Identifier: Apache-2.0
"""What an exit costs: counted in the image, and measured by the built-in guest `bench`.

With -icount shift=0 one instruction takes one nanosecond of guest time, so the guest's nanoseconds
are instructions, the same in every run. Bochs' clocks count instructions always.
"""
import dataclasses
import functools
import re
import subprocess

import driver
import expectations as expected
import machine

TIMEOUT = 120
ICOUNT = ("-icount", "shift=0,sleep=off")


@dataclasses.dataclass(frozen=True)
class ExitPath:
    """Where the assembly of a round trip is: (symbol, offset, last mnemonic) of each way."""
    objdump: str
    ways: tuple[tuple[str, int, str], ...]
    most: int


EXIT_PATHS = {
    # Entry until the guest runs; vector of a synchronous exception until C goes on.
    "aarch64": ExitPath("aarch64-linux-gnu-objdump",
                        (("aarch64_world_switch", 0, "eret"), ("aarch64_vectors", 0x400, "ret")), 50),
    "riscv64": ExitPath("riscv64-unknown-elf-objdump",
                        (("riscv_world_switch", 0, "sret"), ("riscv_guest_vector", 0, "ret")), 85),
    "x86_64": ExitPath("x86_64-linux-gnu-objdump", (("svm_world_switch", 0, "ret"),), 45),
    "x86_64-vmx": ExitPath("x86_64-linux-gnu-objdump",
                           (("vmx_world_switch", 0, "vmresume"), ("vmx_world_exit", 0, "ret")), 45),
}
INSTRUCTION = re.compile(r"^ *([0-9a-f]+):\s+([a-z0-9.]+)", re.M)


def count_way(objdump, elf, symbol, offset, last):
    """Number of instructions from symbol + offset up to the first `last`."""
    text = subprocess.run([objdump, "-d", "--no-show-raw-insn", f"--disassemble={symbol}", str(elf)], check=True,
                          capture_output=True, text=True).stdout
    found = [(int(address, 16), mnemonic) for address, mnemonic in INSTRUCTION.findall(text)]
    if not found:
        raise driver.CaseFailed(f"{elf} has no {symbol}")
    begin = found[0][0] + offset
    way = [mnemonic for address, mnemonic in found if address >= begin]
    return way.index(last) + 1


def run_assembly(name, image):
    path = EXIT_PATHS[name]
    counts = [count_way(path.objdump, image.with_suffix(".elf"), *way) for way in path.ways]
    text = f"{' + '.join(map(str, counts))} = {sum(counts)} instructions, at most {path.most}"
    if sum(counts) > path.most:
        raise driver.CaseFailed(text)
    return text


def run_round_trips(name, image):
    extra = () if machine.MACHINES[name].emulator == "bochs" else ICOUNT
    with driver.emulator("bench-builtin", name, image, TIMEOUT, options="axvm.guest=bench", extra=extra) as console:
        status = console.finish()
        if not machine.ended_well(status, console.text):
            console.fail("did not end well")
        found = {what: int(count) for what, count in re.findall(expected.BENCH, console.text, re.M)}
        for what, most in expected.MAX_ROUND_TRIP[name].items():
            if what not in found:
                console.fail(f"{what} was not measured")
            if found[what] > most:
                console.fail(f"{what} takes {found[what]} instructions, the bar is {most}")
        return "instructions: " + ", ".join(f"{what} {count}" for what, count in found.items())


def cases(name):
    yield "assembly of a round trip", functools.partial(run_assembly, name)
    yield "round trips", functools.partial(run_round_trips, name)
