# SPDX-License-Identifier: Apache-2.0
"""Count the instructions that an emulator run executes, with a TCG plugin built here.

Virtual time is bound to instructions, so that the number of timer ticks, and with it the count, does
not depend on how busy this machine is.
"""
import re

import driver
import machine

SOURCE = machine.ROOT / "tests" / "system" / "insn-count" / "insncount.c"
CMDLINE = "console=ttyAMA0 quiet panic=-1"
ICOUNT = ["-icount", "shift=0,sleep=off"]


def plugin():
    """Build the plugin; returns its path."""
    target = driver.scratch("insncount.so")
    machine.logged("build-insncount", ["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC",
                                       "-o", target, SOURCE])
    return target


def direct_command(arch, kernel, initramfs):
    """The same kernel without a hypervisor, on the same machine without EL2."""
    this = machine.ARCHS[arch]
    return [this.emulator, "-M", "virt,gic-version=3", "-cpu", this.cpu, "-smp", "1", "-m", "256",
            "-nographic", "-nodefaults", "-serial", "stdio", "-no-reboot",
            "-kernel", str(kernel), "-initrd", str(initramfs), "-append", CMDLINE]


def count(name, command, path, timeout):
    """Run `command` to its end with the plugin; returns the number of instructions."""
    output = driver.scratch(f"{name}.plugin")
    output.unlink(missing_ok=True)
    with driver.Console(name, [*command, *ICOUNT, "-plugin", str(path), "-d", "plugin", "-D", str(output)],
                        timeout) as console:
        status = console.finish()
        if status:
            console.fail(f"exit status {status}")
        if "GUEST-READY" not in console.text:
            console.fail("the guest did not boot")
    found = re.search(r"^instructions: (\d+)$", output.read_text(), re.M)
    if not found:
        raise driver.CaseFailed(f"{output}: the plugin wrote no count")
    return int(found.group(1))
