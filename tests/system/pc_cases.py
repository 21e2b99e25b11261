# SPDX-License-Identifier: Apache-2.0
"""What only PCs have: other ways to boot the hypervisor, and guests that are neither raw nor Linux."""
import functools

import driver
import expectations as expected
import guest
import machine
import mkdisk
import system_cases

ARCHS = ("x86_64",)
TIMEOUT = 120
MULTIBOOT_GUESTS = ("multiboot", "multiboot-64")
HELLO = r"^hello from 64-bit mode, CPU (?P<vendor>\w+)$"


def bundle(name, config, kernel):
    arch = machine.MACHINES[name].arch
    return machine.make_bundle(name, driver.scratch(f"{name}-{config}.bundle"), [machine.CONFIGS / arch / f"{config}.toml"],
                               [f"kernel.kernel_path={kernel}"])


def built(image, name):
    return image.parent / "guests" / f"guest-{name}.elf"


def multiboot_command(arch, image, path=None, options=""):
    """axvm-demo.bin has a Multiboot header for QEMU's own loader."""
    return machine.command(arch, image.with_suffix(".bin"), path, options=options)


def disk_command(arch, image, path=None, options=""):
    """From a disk, by the BIOS."""
    disk = driver.scratch(f"{arch}.disk")
    disk.write_bytes(mkdisk.make(image.with_name("axvm-disk.bin"), image.with_suffix(".bin"), path, options))
    command = machine.command(arch, image)
    kernel = command.index("-kernel")
    del command[kernel:kernel + 2]
    return [*command, "-drive", f"file={disk},format=raw,if=ide,snapshot=on"]


def run_hello(arch, way, image):
    with driver.Console(f"{arch}-pc-hello", way(arch, image, options="axvm.guest=hello"), TIMEOUT) as console:
        system_cases.check_summary(console)
        console.search(HELLO)


def run_bundle(arch, way, image):
    path = system_cases.written(arch, "good.bundle", system_cases.raw_bundle(arch))
    with driver.Console(f"{arch}-pc-bundle", way(arch, image, path), TIMEOUT) as console:
        system_cases.check_summary(console)
        console.search(r'^\[axvm\] vm 0 "victim": ended: power-off')


def run_bad_option(arch, way, image):
    with driver.Console(f"{arch}-pc-option", way(arch, image, options="axvm.colour=red"), TIMEOUT) as console:
        system_cases.refused(console, "unknown option 'axvm.colour=red'")


def run_multiboot_guest(name, guest_name, image):
    """It has 64 MiB, no module and the words of its configuration."""
    path = bundle(name, "multiboot", built(image, guest_name))
    with driver.emulator(f"pc-{guest_name}", name, image, TIMEOUT, path) as console:
        system_cases.check_summary(console)
        console.search("one two")


def run_memtest(name, image):
    """It sees its memory, and comes to its tests."""
    path = bundle(name, "memtest", guest.ensure(machine.MACHINES[name].arch)["memtest"])
    with driver.emulator("pc-memtest", name, image, TIMEOUT, path) as console:
        console.expect(r"Memtest86\+")
        console.expect(r"Testing: ")
        console.expect(r"Pattern: ")
        console.send(expected.KEYS_STOP)
        system_cases.check_summary(console)


def cases(arch):
    if arch not in ARCHS:
        return
    bind = functools.partial
    for name, way in (("Multiboot", multiboot_command), ("a disk", disk_command)):
        yield f"hello, started from {name}", bind(run_hello, arch, way)
        yield f"bundle, started from {name}", bind(run_bundle, arch, way)
        yield f"bad option, started from {name}", bind(run_bad_option, arch, way)
    for name in MULTIBOOT_GUESTS:
        yield f"guest {name}", bind(run_multiboot_guest, arch, name)
    yield "memtest86+", bind(run_memtest, arch)
