# SPDX-License-Identifier: Apache-2.0
"""A stock Debian kernel as the guest."""
import functools
import re
import time

import driver
import expectations as expected
import guest
import insn_count
import machine
import system_cases
from boards import BOARDS

BOOT_TIMEOUT = 300
COUNT_TIMEOUT = 600


def linux_bundle(name, label, words="", config="linux", kernel="kernel"):
    arch = machine.MACHINES[name].arch
    files = guest.ensure(arch)
    return machine.make_bundle(
        arch, driver.scratch(f"{name}-{label}.bundle"), [machine.CONFIGS / arch / f"{config}.toml"],
        [f"kernel.kernel_path={files[kernel]}", f"kernel.ramdisk_path={files['initramfs']}"], words)


def check_sleep(console):
    """The guest's second is a second by the guest's clock, and no less by ours."""
    console.expect(expected.SLEEP_START)
    start = time.monotonic()
    seconds = float(console.expect(expected.SLEEP_CHECK)["seconds"])
    ours = time.monotonic() - start
    low, high = expected.SLEEP_SECONDS
    if not low <= seconds <= high:
        console.fail(f"a sleep of one second took {seconds} s in the guest")
    if ours < low:
        console.fail(f"a sleep of one second took {ours:.2f} s outside")
    return seconds


def check_ready(console, arch, cpus):
    ready = console.expect(expected.GUEST_READY)
    if (ready["machine"], int(ready["cpus"])) != (arch, cpus):
        console.fail(f"guest has {ready['cpus']} CPUs of kind {ready['machine']}, not {cpus} of {arch}")


def check_exits(console, arch):
    exits = system_cases.check_summary(console)
    if int(exits["exits"]) >= expected.MAX_LINUX_EXITS[arch]:
        console.fail(f"{exits['exits']} exits, fewer than {expected.MAX_LINUX_EXITS[arch]} wanted")
    console.search(r'^\[axvm\] vm \d+ "linux": ended: power-off')
    return int(exits["exits"])


def check_boot(console, arch, cpu=None):
    """Boots, sleeps, counts interrupts, powers off, with few exits."""
    check_ready(console, arch, 1)
    console.send("\n")  # for the UART's receive interrupt
    seconds = check_sleep(console)
    exits = check_exits(console, arch)
    for what, pattern in (("timer", BOARDS[arch].IRQ_TIMER), ("UART", BOARDS[arch].IRQ_UART)):
        if int(console.search(pattern)["count"]) == 0:
            console.fail(f"no {what} interrupt was counted")
    if cpu in BOARDS[arch].CPU_LINES:
        console.search(BOARDS[arch].CPU_LINES[cpu])
    return f"{exits} exits, sleep {seconds} s"


def run_boot(arch, cpu, image):
    bundle = linux_bundle(arch, "linux")
    with driver.emulator(f"linux-boot-{cpu}", arch, image, BOOT_TIMEOUT, bundle, cpu=cpu) as console:
        return check_boot(console, arch, cpu)


def run_pvh_boot(arch, image):
    """The kernel's ELF file, started by its PVH note."""
    bundle = linux_bundle(arch, "linux-pvh", config="linux-pvh", kernel="vmlinux")
    with driver.emulator("linux-pvh", arch, image, BOOT_TIMEOUT, bundle) as console:
        return check_boot(console, arch)


def run_reboot(arch, image):
    bundle = linux_bundle(arch, "linux-reboot", "axvm.reboot")
    with driver.emulator("linux-reboot", arch, image, BOOT_TIMEOUT, bundle) as console:
        check_ready(console, arch, 1)
        console.expect(r'^\[axvm\] vm \d+ "linux": reset$')
        check_ready(console, arch, 1)


def run_load(arch, image):
    bundle = linux_bundle(arch, "linux-load", "axvm.load")
    with driver.emulator("linux-load", arch, image, BOOT_TIMEOUT, bundle) as console:
        check_ready(console, arch, 1)
        console.expect(r"^LOAD-DONE cpus=1 ")
        check_sleep(console)
        system_cases.check_summary(console)


def run_smp(arch, vcpus, cpus, image):
    """All vCPUs come up, work, sleep and go down, on as many CPUs or on fewer."""
    bundle = linux_bundle(arch, f"linux-smp-{vcpus}-{cpus}", "axvm.load")
    with driver.emulator(f"linux-smp-{vcpus}-{cpus}", arch, image, BOOT_TIMEOUT, bundle,
                         options=f"axvm.vcpus={vcpus}", cpus=cpus) as console:
        check_ready(console, arch, vcpus)
        console.expect(rf"^LOAD-DONE cpus={vcpus} ")
        system_cases.check_summary(console)
        console.search(r'^\[axvm\] vm \d+ "linux": ended: power-off')


def run_demo_script(arch, image):
    del image
    command = [machine.ROOT / "scripts" / "demo.sh", arch, "linux"]
    with driver.Console(f"{arch}-linux-demo.sh", command, BOOT_TIMEOUT) as console:
        check_ready(console, arch, 1)
        check_sleep(console)
        check_exits(console, arch)


def type_command(console, command, answer):
    console.send(command + "\n")
    found = console.expect(answer)
    console.expect(expected.PROMPT)
    return found


def run_shell(arch, image):
    """Typed at a terminal: commands are answered, the UART interrupts, Ctrl-C stops a command."""
    del image
    command = [machine.ROOT / "scripts" / "demo.sh", arch, "linux-shell", "--timeout", str(BOOT_TIMEOUT)]
    with driver.Console(f"{arch}-linux-shell", command, BOOT_TIMEOUT, terminal=True) as console:
        check_ready(console, arch, 1)
        console.expect(expected.PROMPT)
        type_command(console, "echo answer $((6 * 7))", r"^answer 42$")
        type_command(console, "uname -m", rf"^{re.escape(arch)}$")
        long_line = "x" * 200
        type_command(console, f"echo {long_line} | wc -c", r"^201$")
        console.send("sleep 600\n")
        time.sleep(1)
        console.send("\x03")
        console.expect(expected.PROMPT)
        uart = type_command(console, "grep -E 'uart|ttyS' /proc/interrupts", r"^ *\d+: +(\d+) .*(?:uart|ttyS).*$")
        if int(uart[1]) == 0:
            console.fail("typing raised no UART interrupt")
        console.send("exit\n")
        status = console.finish()
        if status:
            console.fail(f"demo.sh ended with status {status}")
        return f"{uart[1]} UART interrupts"


def run_stop(arch, image):
    """Ctrl-] x stops a VM from outside."""
    bundle = linux_bundle(arch, "linux-stop", "axvm.shell")
    with driver.emulator("linux-stop", arch, image, BOOT_TIMEOUT, bundle) as console:
        console.expect(expected.PROMPT)
        console.send(expected.KEYS_STOP)
        system_cases.check_summary(console)


def run_instruction_count(arch, image):
    """Total until power-off, for the same kernel, initramfs and command line."""
    plugin = insn_count.plugin()
    files = guest.ensure(arch)
    direct = insn_count.count(
        f"{arch}-linux-count-direct", insn_count.direct_command(arch, files["kernel"], files["initramfs"]), plugin, COUNT_TIMEOUT)
    bundle = linux_bundle(arch, "linux-count")
    ours = insn_count.count(
        f"{arch}-linux-count-axvm", machine.command(arch, image, bundle), plugin, COUNT_TIMEOUT)
    text = f"{ours / 1e6:.0f} M instructions, directly {direct / 1e6:.0f} M, ratio {ours / direct:.4f}"
    if ours > direct * expected.MAX_INSTRUCTION_RATIO:
        raise driver.CaseFailed(f"{text}, the bar is {expected.MAX_INSTRUCTION_RATIO}")
    return text


def cases(arch):
    bind = functools.partial
    for cpu in BOARDS[arch].CPUS:
        yield f"boot on {cpu}", bind(run_boot, arch, cpu)
    if "vmlinux" in guest.names_of(guest.ARCHS[arch]):
        yield "boot by PVH", bind(run_pvh_boot, arch)
    yield "scripts/demo.sh", bind(run_demo_script, arch)
    yield "load", bind(run_load, arch)
    for vcpus, cpus in ((2, 2), (4, 1), (4, 2)):
        yield f"{vcpus} vCPUs on {cpus} CPUs", bind(run_smp, arch, vcpus, cpus)
    yield "reboot", bind(run_reboot, arch)
    yield "shell", bind(run_shell, arch)
    yield "stop from outside", bind(run_stop, arch)
    yield "instructions of a boot", bind(run_instruction_count, arch)
