# SPDX-License-Identifier: Apache-2.0
"""Debian's U-Boot as the guest, where demo.sh has it: the smallest that was not written for this."""
import functools

import driver
import machine
import system_cases

TIMEOUT = 60
PROMPT = r"^=> "
BANNER = r"^U-Boot 20\d\d\.\d\d"
ARCHS = ("riscv64",)


def type_command(console, command, answer):
    console.send(command + "\n")
    console.expect(answer)
    console.expect(PROMPT)


def stop_autoboot(console):
    console.expect(BANNER)
    console.expect(r"^Hit any key to stop autoboot")
    console.send(" ")
    console.expect(PROMPT)


def run_prompt(arch, image):
    """Typed at a terminal: it knows its machine, asks the firmware, resets, and powers off."""
    del image
    command = [machine.ROOT / "scripts" / "demo.sh", arch, "u-boot", "--timeout", str(TIMEOUT)]
    with driver.Console(f"{arch}-u-boot", command, TIMEOUT, terminal=True) as console:
        stop_autoboot(console)
        type_command(console, "version", BANNER)
        type_command(console, "bdinfo", r"^-> start += 0x0*80000000$")
        type_command(console, "sbi", r"^SBI 2\.0Unknown implementation ID 33554432$")
        console.send("reset\n")
        stop_autoboot(console)
        console.send("poweroff\n")
        exits = system_cases.check_summary(console)
        return f"{exits['exits']} exits"


def run_without_keys(arch, image):
    """Nothing can be typed: demo.sh says so and does not wait for ever."""
    del image
    command = ["sh", "-c", f"exec '{machine.ROOT}/scripts/demo.sh' {arch} u-boot </dev/null"]
    with driver.Console(f"{arch}-u-boot-without-keys", command, TIMEOUT) as console:
        status = console.finish()
        console.search(r"^demo\.sh: stopped after \d+ s: standard input has ended")
        if status != 1:
            console.fail(f"demo.sh ended with status {status}")


def cases(arch):
    if arch in ARCHS:
        yield "U-Boot at its prompt", functools.partial(run_prompt, arch)
        yield "U-Boot without keys", functools.partial(run_without_keys, arch)
