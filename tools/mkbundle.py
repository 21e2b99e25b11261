#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make a bundle for axvm-demo: a device tree that describes the VMs, followed by their images.

    mkbundle.py -o OUT [--arch ARCH] [--set FIELD=VALUE]... [--append WORDS] VM.toml...
    mkbundle.py --list BUNDLE

Every TOML file describes one VM, with the field names of axvisor; docs/bundle.md says more.
Paths in a file are relative to that file. Errors name file, section and field; status 2, no output.
"""
import argparse
import contextlib
import dataclasses
import os
import pathlib
import re
import struct
import sys
import tempfile
import tomllib

import fdt

VERSION = 1
PAGE = 0x1000
IMAGE_ALIGN = 0x1000
MAX_CPUS = 8
MAX_NAME = 31
MAX_CMDLINE = 2047
MAX_REGIONS = 8
MAX_DEVICES = 16
MAX_DEVICE_CONFIG = 8
U32_MAX = (1 << 32) - 1
ADDR_LIMIT = 1 << 48
MAX_IRQ = 1019
FLAGS_MASK = 0x3F
FLAG_READ = 0x1
MAP_TYPES = {0: "alloc", 1: "identical", 2: "reserved"}

TYPE_INTERRUPT_CONTROLLER, TYPE_CONSOLE, TYPE_SCRATCH = 0x1, 0x2, 0xF0
DEVICE_TYPES = {TYPE_INTERRUPT_CONTROLLER: "interrupt controller", TYPE_CONSOLE: "console",
                TYPE_SCRATCH: "scratch page, for tests"}
REDISTRIBUTOR_STRIDE = 0x20000

LINUX_MAGIC_AT = 0x38  # of an Image
LINUX_HEADER_SIZE = 64


@dataclasses.dataclass(frozen=True)
class Board:
    """What the hypervisor presents to the VMs of one architecture (axvm/src/machine)."""
    linux_format: str
    linux_magic: bytes
    controller: tuple  # (address, length), what a VM gets whose emu_devices is empty
    console: tuple | None  # None: it is at ports, and no other set of devices can be described
    irqs: range  # of devices
    elf_machines: tuple  # e_machine
    redistributors: int | None = None  # their address, where there are any
    linux_magic_at: int = LINUX_MAGIC_AT
    linux_header_size: int = LINUX_HEADER_SIZE


BOARDS = {
    "aarch64": Board("linux-arm64", b"ARM\x64", (0x08000000, 0x10000), (0x09000000, PAGE), range(32, MAX_IRQ + 1),
                     (183,), redistributors=0x080A0000),
    "riscv64": Board("linux-riscv64", b"RSC\x05", (0x0C000000, 0x600000), (0x10000000, PAGE), range(1, MAX_IRQ + 1),
                     (243,)),
    # The IOAPIC, and in the pages behind it, up to their own, the local APICs.
    "x86_64": Board("bzimage", b"HdrS", (0xFEC00000, 0x201000), None, range(0), (3, 62), linux_magic_at=0x202,
                    linux_header_size=0x26C),
}
DEFAULT_ARCH = "aarch64"
FORMATS = ("auto", *(board.linux_format for board in BOARDS.values()), "multiboot", "elf", "raw")
# The hypervisor reads in the image where it goes, and checks that it may.
SELF_PLACED = ("bzimage", "multiboot", "elf")

LINUX_BASE_ALIGN = 2 << 20

ELF_MAGIC, ELF_MACHINE_AT = b"\x7fELF", 18
MULTIBOOT_MAGIC, MULTIBOOT_SEARCH = 0x1BADB002, 8192


class BundleError(Exception):
    pass


class FieldError(Exception):
    """A problem with one field; the caller knows the file."""

    def __init__(self, section, field, text):
        super().__init__(f"[{section}] {field}: {text}" if field else f"[{section}]: {text}")


# ---- field types: each takes a TOML value and returns it checked, or raises ValueError ----

def a_string(value):
    if not isinstance(value, str):
        raise ValueError(f"must be a string, not {toml_type(value)}")
    return value


def a_number(low, high):
    def check(value):
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"must be an integer, not {toml_type(value)}")
        if not low <= value <= high:
            raise ValueError(f"{value:#x} is outside {low:#x}..{high:#x}")
        return value
    return check


an_address = a_number(0, ADDR_LIMIT - 1)
a_u32 = a_number(0, U32_MAX)


def a_name(value):
    if not re.fullmatch(rf"[A-Za-z0-9_-]{{1,{MAX_NAME}}}", a_string(value)):
        raise ValueError(f"{value!r} must be 1 to {MAX_NAME} characters of A-Z a-z 0-9 _ -")
    return value


def a_command_line(value):
    if any(ord(char) < 0x20 or ord(char) == 0x7F for char in a_string(value)):
        raise ValueError("must not hold control characters")
    if len(value.encode()) > MAX_CMDLINE:
        raise ValueError(f"is {len(value.encode())} bytes long, at most {MAX_CMDLINE} are possible")
    return value


def one_of(*choices):
    def check(value):
        if a_string(value) not in choices:
            raise ValueError(f"{value!r} is none of {', '.join(choices)}")
        return value
    return check


def a_list(item, most=None):
    def check(value):
        if not isinstance(value, list):
            raise ValueError(f"must be a list, not {toml_type(value)}")
        if most is not None and len(value) > most:
            raise ValueError(f"has {len(value)} entries, at most {most} are possible")
        return [numbered(index, item, entry) for index, entry in enumerate(value)]
    return check


def numbered(index, item, entry):
    try:
        return item(entry)
    except ValueError as error:
        raise ValueError(f"entry {index}: {error}") from None


def a_record(names, items, optional=0):
    """A list with one value per name; the last `optional` ones may be missing."""
    def check(value):
        if not isinstance(value, list):
            raise ValueError(f"must be a list [{', '.join(names)}], not {toml_type(value)}")
        if not len(names) - optional <= len(value) <= len(names):
            raise ValueError(f"has {len(value)} values, expected [{', '.join(names)}]")
        return tuple(named(name, item, part) for name, item, part in zip(names, items, value))
    return check


def named(name, item, part):
    try:
        return item(part)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def unsupported(why):
    def check(_value):
        raise ValueError(f"is not supported: {why}")
    return check


def empty_or(check):
    """For list fields that are not supported: an empty list asks for nothing."""
    return lambda value: value if value == [] else check(value)


def an_interrupt_mode(value):
    if a_string(value) != "emulated":
        raise ValueError(f"{value!r} is not supported: only 'emulated' is")
    return value


def toml_type(value):
    names = {bool: "a boolean", int: "an integer", float: "a float", str: "a string",
             list: "a list", dict: "a table"}
    return names.get(type(value), "a date or time")


a_region = a_record(("gpa", "size", "flags", "map_type"), (an_address, a_number(0, ADDR_LIMIT), a_u32, a_u32))
an_emulated = a_record(("name", "base", "length", "irq", "type", "config"),
                       (a_name, an_address, a_number(0, ADDR_LIMIT), a_number(0, MAX_IRQ), a_u32,
                        a_list(a_u32, MAX_DEVICE_CONFIG)),
                       optional=1)
a_passthrough = a_record(("name", "gpa", "hpa", "length", "irq"),
                         (a_name, an_address, an_address, a_number(0, ADDR_LIMIT), a_number(0, MAX_IRQ)))

REQUIRED = object()
IGNORED = object()
NO_FIRMWARE = unsupported("a VM starts at its kernel")
NO_GUEST_DTB = unsupported("the hypervisor makes the guest's device tree")

# section -> field -> (check, default). A default of REQUIRED means the field must be there; of IGNORED,
# that it is checked and then has no effect (axvisor's placement hints: the demo has its own loader).
SCHEMA = {
    "base": {
        "id": (a_u32, REQUIRED),
        "name": (a_name, REQUIRED),
        "vm_type": (a_u32, IGNORED),
        "cpu_num": (a_number(1, MAX_CPUS), 1),
        "phys_cpu_ids": (a_list(an_address), IGNORED),
        "phys_cpu_sets": (a_list(an_address), IGNORED),
    },
    "kernel": {
        "entry_point": (an_address, None),
        "image_location": (one_of("fs", "memory"), IGNORED),
        "image_format": (one_of(*FORMATS), "auto"),
        "kernel_path": (a_string, REQUIRED),
        "kernel_load_addr": (an_address, None),
        "bios_path": (NO_FIRMWARE, None),
        "bios_load_addr": (NO_FIRMWARE, None),
        "dtb_path": (NO_GUEST_DTB, None),
        "dtb_load_addr": (NO_GUEST_DTB, None),
        "ramdisk_path": (a_string, None),
        "ramdisk_load_addr": (an_address, None),
        "disk_path": (unsupported("there is no disk device"), None),
        "cmdline": (a_command_line, ""),
        "memory_regions": (a_list(a_region, MAX_REGIONS), REQUIRED),
    },
    "devices": {
        "emu_devices": (a_list(an_emulated, MAX_DEVICES), []),
        "passthrough_devices": (a_list(a_passthrough, MAX_DEVICES), []),
        "excluded_devices": (empty_or(unsupported("only what passthrough_devices lists is passed through")), []),
        "passthrough_addresses": (empty_or(unsupported("use passthrough_devices")), []),
        "interrupt_mode": (an_interrupt_mode, "emulated"),
    },
}


def checked_section(section, table):
    if not isinstance(table, dict):
        raise FieldError(section, "", f"must be a table, not {toml_type(table)}")
    unknown = next((name for name in table if name not in SCHEMA[section]), None)
    if unknown is not None:
        raise FieldError(section, unknown, f"unknown field; known: {', '.join(SCHEMA[section])}")
    return {name: checked_field(section, name, rule, table) for name, rule in SCHEMA[section].items()}


def checked_field(section, name, rule, table):
    check, default = rule
    if name in table:
        try:
            return check(table[name])
        except ValueError as error:
            raise FieldError(section, name, str(error)) from None
    if default is REQUIRED:
        raise FieldError(section, name, "is missing")
    return None if default is IGNORED else default


# ---- one VM ----

@dataclasses.dataclass(frozen=True)
class Span:
    """Guest-physical addresses [start, start + size) and what they are for."""
    start: int
    size: int
    what: str

    @property
    def end(self):
        return self.start + self.size

    def overlaps(self, other):
        return self.start < other.end and other.start < self.end

    def inside(self, other):
        return other.start <= self.start and self.end <= other.end

    def __str__(self):
        return f"{self.what} {self.start:#x}..{self.end - 1:#x}"


@dataclasses.dataclass(frozen=True)
class Image:
    """A file's content, and as what it is to be loaded; load_size None: the hypervisor finds out."""
    data: bytes
    load_size: int | None
    text_offset: int = 0
    is_linux: bool = False


class Vm:
    def __init__(self, document, directory, arch=None):
        unknown = next((name for name in document if name not in SCHEMA), None)
        if unknown is not None:
            raise FieldError(unknown, "", f"unknown section; known: {', '.join(SCHEMA)}")
        self.base, self.kernel, self.devices = (checked_section(name, document.get(name, {})) for name in SCHEMA)
        self._directory = directory
        self.arch = arch or arch_of_format(self.kernel["image_format"])
        self._board = BOARDS[self.arch]
        self._check_ignored(document.get("base", {}))
        self._check_map()
        self.image = self._kernel_image()
        self.ramdisk = self._ramdisk()
        self._check_placement()

    @property
    def name(self):
        return self.base["name"]

    def _check_ignored(self, base):
        for field in ("phys_cpu_ids", "phys_cpu_sets"):
            if field in base and len(base[field]) != self.base["cpu_num"]:
                raise FieldError("base", field, f"has {len(base[field])} entries for cpu_num = {self.base['cpu_num']}")

    # -- the guest-physical map --

    def regions(self):
        return [Span(gpa, size, f"memory region {index}")
                for index, (gpa, size, _, _) in enumerate(self.kernel["memory_regions"])]

    def _check_regions(self):
        if not self.kernel["memory_regions"]:
            raise FieldError("kernel", "memory_regions", "needs at least one region")
        for index, (_, _, flags, map_type) in enumerate(self.kernel["memory_regions"]):
            if flags & ~FLAGS_MASK or not flags & FLAG_READ:
                raise FieldError("kernel", "memory_regions", f"entry {index}: flags {flags:#x} must hold read (0x1) "
                                 f"and nothing outside {FLAGS_MASK:#x}")
            if map_type not in MAP_TYPES:
                known = ", ".join(f"{number} ({text})" for number, text in MAP_TYPES.items())
                raise FieldError("kernel", "memory_regions", f"entry {index}: map_type {map_type} is none of {known}")

    def _device_windows(self):
        """(field, Span) of every device, the redistributors of a GICv3 included."""
        board, redistributors_size = self._board, REDISTRIBUTOR_STRIDE * self.base["cpu_num"]
        if not self.devices["emu_devices"]:
            yield "emu_devices", Span(*board.controller, "default interrupt controller")
            if board.console is not None:
                yield "emu_devices", Span(*board.console, "default console")
            if board.redistributors is not None:
                yield "emu_devices", Span(board.redistributors, redistributors_size, "default redistributors")
        for device in self.devices["emu_devices"]:
            yield "emu_devices", Span(device[1], device[2], f"device '{device[0]}'")
            if device[4] == TYPE_INTERRUPT_CONTROLLER and board.redistributors is not None:
                high, low = device[5]
                yield "emu_devices", Span(high << 32 | low, redistributors_size, f"redistributors of '{device[0]}'")
        for device in self.devices["passthrough_devices"]:
            yield "passthrough_devices", Span(device[1], device[3], f"device '{device[0]}'")

    def _check_map(self):
        self._check_regions()
        self._check_devices()
        placed = []
        windows = [("memory_regions", span) for span in self.regions()] + list(self._device_windows())
        for field, span in windows:
            section = "kernel" if field == "memory_regions" else "devices"
            check_window(section, field, span)
            clash = next((other for other in placed if other.overlaps(span)), None)
            if clash:
                raise FieldError(section, field, f"{span} overlaps {clash}")
            placed.append(span)

    def _check_devices(self):
        emulated, passed = self.devices["emu_devices"], self.devices["passthrough_devices"]
        check_unique("emu_devices", "device name", [device[0] for device in emulated + passed])
        check_unique("emu_devices", "irq", [irq for irq in [device[3] for device in emulated] +
                                            [device[4] for device in passed] if irq])
        for device in emulated:
            self._check_emulated(device)
        for device in passed:
            check_window("devices", "passthrough_devices", Span(device[2], device[3], f"device '{device[0]}' hpa"))

    def _check_emulated(self, device):
        name, _, length, irq, kind = device[:5]
        config = device[5] if len(device) > 5 else []
        if kind not in DEVICE_TYPES:
            known = ", ".join(f"{number:#x} ({text})" for number, text in DEVICE_TYPES.items())
            raise FieldError("devices", "emu_devices", f"device '{name}': type {kind:#x} is none of {known}")
        if self._board.console is None and kind != TYPE_SCRATCH:
            raise FieldError("devices", "emu_devices", f"device '{name}': a VM of {self.arch} always has the same "
                             "devices; leave the list empty")
        if kind == TYPE_INTERRUPT_CONTROLLER:
            self._check_controller(name, length, config)
        irqs = self._board.irqs
        if kind == TYPE_CONSOLE and irq not in irqs:
            raise FieldError("devices", "emu_devices", f"device '{name}': irq {irq} is no interrupt of a device "
                             f"({irqs[0]}..{irqs[-1]})")

    def _check_controller(self, name, length, config):
        has_redistributors = self._board.redistributors is not None
        wanted = self._board.controller[1]
        if length != wanted or len(config) != (2 if has_redistributors else 0):
            config_text = ("config [high, low] words of the redistributors' address" if has_redistributors
                           else "no config")
            raise FieldError("devices", "emu_devices", f"device '{name}': an interrupt controller has length "
                             f"{wanted:#x} and {config_text}")

    # -- images --

    def _read(self, field):
        path = self._directory / self.kernel[field]
        try:
            data = path.read_bytes()
        except OSError as error:
            raise FieldError("kernel", field, f"{path}: {error.strerror}") from None
        if not data:
            raise FieldError("kernel", field, f"{path}: file is empty")
        return data

    def _kernel_image(self):
        data = self._read("kernel_path")
        found = format_of(data)
        wanted = self.kernel["image_format"]
        if wanted == "auto" and found and self.arch not in archs_of_format(found):
            raise FieldError("kernel", "kernel_path", f"{self.kernel['kernel_path']} is a {found} Image, "
                             f"and the VM's architecture is {self.arch}")
        if self.arch not in archs_of_format(wanted):
            raise FieldError("kernel", "image_format", f"{wanted!r} is none for a VM of {self.arch}")
        if wanted not in ("auto", "raw") and found != wanted:
            raise FieldError("kernel", "kernel_path", f"{self.kernel['kernel_path']} is no {wanted} Image")
        if wanted == "raw" or not found:
            if self.kernel["kernel_load_addr"] is None:
                raise FieldError("kernel", "kernel_load_addr", "is missing: a kernel that is no Linux Image needs it")
            return Image(data, len(data))
        return self._placed_image(data, found)

    def _placed_image(self, data, found):
        if found == "elf" and elf_machine(data) not in self._board.elf_machines:
            raise FieldError("kernel", "kernel_path", f"{self.kernel['kernel_path']} is an ELF file for another "
                             f"architecture than {self.arch}")
        if found in SELF_PLACED:
            return Image(data, None)
        text_offset, image_size = struct.unpack_from("<QQ", data, 8)
        return Image(data, max(image_size, len(data)), text_offset, True)

    def _ramdisk(self):
        if self.kernel["ramdisk_path"] is None:
            if self.kernel["ramdisk_load_addr"] is not None:
                raise FieldError("kernel", "ramdisk_load_addr", "has no ramdisk_path")
            return None
        return self._read("ramdisk_path")

    def _kernel_span(self):
        load = self.kernel["kernel_load_addr"]
        if load is None:
            base = -(-self.regions()[0].start // LINUX_BASE_ALIGN) * LINUX_BASE_ALIGN
            load = base + self.image.text_offset
        return Span(load, self.image.load_size, "kernel")

    def _check_placement(self):
        self._check_entry()
        if self.image.load_size is None:
            if self.ramdisk is not None and self.kernel["ramdisk_load_addr"] is not None:
                self._inside_memory(self._fixed_ramdisk(), "ramdisk_load_addr")
            return
        kernel = self._kernel_span()
        home = self._inside_memory(kernel, "kernel_load_addr" if self.kernel["kernel_load_addr"] is not None
                                   else "kernel_path")
        if self.image.is_linux and (kernel.start - self.image.text_offset) % LINUX_BASE_ALIGN:
            raise FieldError("kernel", "kernel_load_addr", f"{kernel.start:#x} is not a multiple of 2 MiB plus the "
                             f"Image's text_offset {self.image.text_offset:#x}")
        if self.ramdisk is not None:
            self._check_ramdisk(kernel, home)

    def _check_entry(self):
        entry = self.kernel["entry_point"]
        if entry is not None and not any(Span(entry, 1, "").inside(region) for region in self.regions()):
            raise FieldError("kernel", "entry_point", f"{entry:#x} is outside the VM's memory")

    def _fixed_ramdisk(self):
        return Span(self.kernel["ramdisk_load_addr"], len(self.ramdisk), "ramdisk")

    def _check_ramdisk(self, kernel, home):
        address = self.kernel["ramdisk_load_addr"]
        if address is None:
            # The hypervisor picks the place: in the kernel's region, above or below it.
            if len(self.ramdisk) > max(home.end - kernel.end, kernel.start - home.start):
                raise FieldError("kernel", "ramdisk_path", f"ramdisk of {len(self.ramdisk):#x} bytes does not fit "
                                 f"into {home} beside the kernel")
            return
        ramdisk = self._fixed_ramdisk()
        self._inside_memory(ramdisk, "ramdisk_load_addr")
        if ramdisk.overlaps(kernel):
            raise FieldError("kernel", "ramdisk_load_addr", f"{ramdisk} overlaps {kernel}")

    def _inside_memory(self, span, field):
        home = next((region for region in self.regions() if span.inside(region)), None)
        if home is None:
            raise FieldError("kernel", field, f"{span} is not inside one memory region")
        return home


def format_of(data):
    """The image_format that a file's headers tell, else None."""
    for board in BOARDS.values():
        at, magic = board.linux_magic_at, board.linux_magic
        if len(data) >= board.linux_header_size and data[at:at + len(magic)] == magic:
            return board.linux_format
    if is_multiboot(data):
        return "multiboot"
    return "elf" if data.startswith(ELF_MAGIC) and len(data) >= LINUX_HEADER_SIZE else None


def is_multiboot(data):
    head = data[:MULTIBOOT_SEARCH]
    words = struct.unpack(f"<{len(head) // 4}I", head[:len(head) // 4 * 4])
    return any(magic == MULTIBOOT_MAGIC and not (magic + flags + checksum) & U32_MAX
               for magic, flags, checksum in zip(words, words[1:], words[2:]))


def elf_machine(data):
    return struct.unpack_from("<H", data, ELF_MACHINE_AT)[0]


def archs_of_format(image_format):
    linux = [arch for arch, board in BOARDS.items() if board.linux_format == image_format]
    return linux or (["x86_64"] if image_format == "multiboot" else list(BOARDS))


def arch_of_format(image_format):
    archs = archs_of_format(image_format)
    return archs[0] if len(archs) == 1 else DEFAULT_ARCH


def check_window(section, field, span):
    if span.size == 0:
        raise FieldError(section, field, f"{span.what} size is 0")
    if span.start % PAGE or span.size % PAGE:
        raise FieldError(section, field, f"{span.what} address {span.start:#x} and size {span.size:#x} must be "
                         f"multiples of {PAGE:#x}")
    if span.end > ADDR_LIMIT:
        raise FieldError(section, field, f"{span.what} address {span.start:#x} and size {span.size:#x} reach past "
                         f"{ADDR_LIMIT:#x}")


def check_unique(field, what, values):
    seen = set()
    for value in values:
        if value in seen:
            raise FieldError("devices", field, f"{what} {value!r} is used twice")
        seen.add(value)


# ---- reading the TOML files ----

def parse_override(text):
    """`section.field=VALUE`: a TOML value, or a plain string if it is none."""
    target, equals, value = text.partition("=")
    section, dot, field = target.partition(".")
    if not equals or not dot or not field:
        raise BundleError(f"--set {text!r}: expected SECTION.FIELD=VALUE")
    if field not in SCHEMA.get(section, {}):
        raise BundleError(f"--set {text!r}: no field {target!r}")
    try:
        return section, field, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return section, field, value


def apply_overrides(document, overrides, append):
    for section, field, value in overrides:
        if field.endswith("_path") and isinstance(value, str):
            value = os.path.abspath(value)
        table = document.setdefault(section, {})
        if isinstance(table, dict):
            table[field] = value
    if append:
        kernel = document.setdefault("kernel", {})
        if isinstance(kernel, dict) and isinstance(kernel.get("cmdline", ""), str):
            kernel["cmdline"] = f"{kernel.get('cmdline', '')} {append}".strip()


def load_vm(path, overrides, append, arch=None):
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        apply_overrides(document, overrides, append)
        return Vm(document, path.parent, arch)
    except OSError as error:
        raise BundleError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BundleError(f"{path}: not a TOML file: {error}") from None
    except FieldError as error:
        raise BundleError(f"{path}: {error}") from None


def load_vms(paths, overrides=(), append="", arch=None):
    vms = []
    for path in paths:
        vm = load_vm(path, overrides, append, arch)
        for field in ("id", "name"):
            if any(other.base[field] == vm.base[field] for other in vms):
                raise BundleError(f"{path}: [base] {field}: {vm.base[field]!r} is used by another VM of the bundle")
        clash = next((pair for other in vms for pair in shared_frames(other, vm)), None)
        if clash:
            raise BundleError(f"{path}: [devices] passthrough_devices: {clash[1]} is passed to another VM: {clash[0]}")
        vms.append(vm)
    return vms


def shared_frames(one, other):
    def host(vm):
        return [Span(device[2], device[3], f"'{device[0]}'") for device in vm.devices["passthrough_devices"]]
    return ((a, b) for a in host(one) for b in host(other) if a.overlaps(b))


# ---- writing ----

def describe(vms, places, total):
    """The device tree of the bundle. `places` maps (vm index, field) to (offset, size)."""
    root = fdt.Node()
    root.props.update({
        "#address-cells": fdt.u32(2), "#size-cells": fdt.u32(2),
        "compatible": fdt.string("axvm,bundle"), "version": fdt.u32(VERSION), "total-size": fdt.u64(total)})
    for index, vm in enumerate(vms):
        describe_vm(root.add(f"vm@{index}"), index, vm, places)
    return fdt.serialise(root)


def describe_vm(node, index, vm, places):
    kernel = vm.kernel
    node.props.update({"vm-name": fdt.string(vm.name), "vm-id": fdt.u32(vm.base["id"]),
                       "cpu-num": fdt.u32(vm.base["cpu_num"]),
                       "image-format": fdt.string(kernel["image_format"]),
                       "cmdline": fdt.string(kernel["cmdline"]),
                       "kernel": fdt.u64(*places[index, "kernel"])})
    if vm.ramdisk is not None:
        node.props["ramdisk"] = fdt.u64(*places[index, "ramdisk"])
    for name, field in (("entry-point", "entry_point"), ("kernel-load-addr", "kernel_load_addr"),
                        ("ramdisk-load-addr", "ramdisk_load_addr")):
        if kernel[field] is not None:
            node.props[name] = fdt.u64(kernel[field])
    node.props["memory-regions"] = b"".join(fdt.u64(gpa, size) + fdt.u32(flags, kind)
                                            for gpa, size, flags, kind in kernel["memory_regions"])
    for number, device in enumerate(vm.devices["emu_devices"]):
        describe_emulated(node.add(f"device@{number}"), device)
    for number, (name, gpa, hpa, length, irq) in enumerate(vm.devices["passthrough_devices"]):
        node.add(f"passthrough@{number}").props.update({
            "device-name": fdt.string(name), "gpa": fdt.u64(gpa), "hpa": fdt.u64(hpa),
            "length": fdt.u64(length), "irq": fdt.u32(irq)})


def describe_emulated(node, device):
    name, base, length, irq, kind = device[:5]
    node.props.update({"device-name": fdt.string(name), "base": fdt.u64(base), "length": fdt.u64(length),
                       "irq": fdt.u32(irq), "type": fdt.u32(kind)})
    if len(device) > 5 and device[5]:
        node.props["config"] = fdt.u32(*device[5])


def align(value):
    return -(-value // IMAGE_ALIGN) * IMAGE_ALIGN


def build(vms):
    """The whole bundle as bytes."""
    images = [((index, field), data) for index, vm in enumerate(vms)
              for field, data in (("kernel", vm.image.data), ("ramdisk", vm.ramdisk)) if data is not None]
    # The tree's size does not depend on the offsets in it, so a first one gives the place of the images.
    end = len(describe(vms, {key: (0, 0) for key, _ in images}, 0))
    places = {}
    for key, data in images:
        places[key] = (align(end), len(data))
        end = align(end) + len(data)
    out = bytearray(end)
    tree = describe(vms, places, end)
    out[:len(tree)] = tree
    for key, data in images:
        out[places[key][0]:places[key][0] + len(data)] = data
    return bytes(out)


def write_whole(path, data):
    """Write through a temporary name, so that a failure leaves no half a bundle."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise BundleError(f"{path}: {error.strerror}") from None
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(data)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except OSError as error:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise BundleError(f"{path}: {error.strerror}") from None


# ---- listing ----

WORDS = {"vm-id", "cpu-num", "version", "irq", "type"}
TEXTS = {"compatible", "vm-name", "image-format", "cmdline", "device-name"}


def show(name, value):
    if name in TEXTS:
        return '"' + value.rstrip(b"\0").decode("utf-8", "replace") + '"'
    if name == "memory-regions":
        entry = struct.Struct(">QQII")
        whole = value[:len(value) // entry.size * entry.size]
        return ", ".join(f"[{gpa:#x}, {size:#x}, {flags:#x}, {kind}]"
                         for gpa, size, flags, kind in entry.iter_unpack(whole))
    width, code = (4, "I") if name in WORDS or name == "config" else (8, "Q")
    count = len(value) // width
    numbers = struct.unpack(f">{count}{code}", value[:count * width])
    return " ".join(str(number) if name in WORDS else f"{number:#x}" for number in numbers)


def list_bundle(path):
    try:
        data = path.read_bytes()
        root = fdt.parse(data)
    except OSError as error:
        raise BundleError(f"{path}: {error.strerror}") from None
    except fdt.FdtError as error:
        raise BundleError(f"{path}: not a bundle: {error}") from None
    if root.props.get("compatible") != fdt.string("axvm,bundle"):
        raise BundleError(f"{path}: not a bundle: it is not compatible with axvm,bundle")
    total = root.props.get("total-size", b"")
    if total != fdt.u64(len(data)):
        raise BundleError(f"{path}: total-size is {show('total-size', total)}, the file has {len(data):#x} bytes")
    return "\n".join(list_node(root, 0))


def list_node(node, depth):
    indent = "  " * depth
    yield f"{indent}{node.name or '/'}"
    for name, value in node.props.items():
        if not name.startswith("#"):
            yield f"{indent}  {name} = {show(name, value)}"
    for child in node.children:
        yield from list_node(child, depth + 1)


def arguments(argv):
    parser = argparse.ArgumentParser(prog="mkbundle.py", description=__doc__.splitlines()[0],
                                     epilog="\n".join(__doc__.splitlines()[2:]),
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=pathlib.Path, help="the bundle to write")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.FIELD=VALUE",
                        help="override a field of every VM; a path is relative to the current directory")
    parser.add_argument("--append", default="", metavar="WORDS", help="add words to every VM's cmdline")
    parser.add_argument("--arch", choices=sorted(BOARDS), help="the VMs' architecture (default: the one of "
                        f"their image_format, or {DEFAULT_ARCH})")
    parser.add_argument("--list", type=pathlib.Path, metavar="BUNDLE", help="print a bundle's description")
    parser.add_argument("toml", nargs="*", type=pathlib.Path, metavar="VM.toml")
    args = parser.parse_args(argv)
    if args.list and (args.toml or args.output):
        parser.error("--list takes no other argument")
    if not args.list and not (args.toml and args.output):
        parser.error("give -o OUT and at least one VM.toml, or --list BUNDLE")
    return args


def main(argv=None):
    args = arguments(argv)
    try:
        if args.list:
            print(list_bundle(args.list))
            return 0
        overrides = [parse_override(text) for text in args.set]
        write_whole(args.output, build(load_vms(args.toml, overrides, args.append, args.arch)))
    except BundleError as error:
        print(f"mkbundle.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
