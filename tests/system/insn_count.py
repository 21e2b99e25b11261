# SPDX-License-Identifier: Apache-2.0
"""Count the instructions that an emulator run executes, with a TCG plugin built here.

Virtual time is bound to instructions, so that the number of timer ticks, and with it the count, does
not depend on how busy this machine is.
"""
import re

import driver
import machine

SOURCE = machine.ROOT / "tests" / "system" / "insn-count" / "insncount.c"
ICOUNT = ["-icount", "shift=0,sleep=off"]


def plugin():
    """Build the plugin; returns its path."""
    target = driver.scratch("insncount.so")
    machine.logged("build-insncount", ["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC",
                                       "-o", target, SOURCE])
    return target


# The machine without a hypervisor's part of it, and where its console is.
DIRECT = {
    "aarch64": ("virt,gic-version=3", "ttyAMA0"),
    "riscv64": ("virt", "ttyS0"),
    "x86_64": ("microvm", "ttyS0"),
}
# CMPXCHG16B of QEMU 7.2 leaves garbage in the flags.
DIRECT_CPUS = {"x86_64": "max,-cx16"}


def direct_command(arch, kernel, initramfs):
    """The same kernel without a hypervisor, with the command line of axvm-demo/configs/ARCH/linux.toml."""
    this = machine.ARCHS[arch]
    board, console = DIRECT[arch]
    return [this.emulator, "-M", board, "-cpu", DIRECT_CPUS.get(arch, this.cpu), "-smp", "1", "-m", "256",
            "-display", "none", "-nodefaults", "-serial", "stdio", "-no-reboot",
            "-kernel", str(kernel), "-initrd", str(initramfs), "-append", f"console={console} quiet panic=-1"]


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
