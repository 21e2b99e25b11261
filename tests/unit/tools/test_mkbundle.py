#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
import copy
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import tools_path  # noqa: E402
import fdt  # noqa: E402
import mkbundle  # noqa: E402

MIB = 1 << 20
RAM = 0x40000000

GOOD = {
    "base": {"id": 1, "name": "linux", "vm_type": 2, "cpu_num": 1},
    "kernel": {"kernel_path": "Image", "ramdisk_path": "initramfs", "cmdline": "console=ttyAMA0",
               "memory_regions": [[RAM, 64 * MIB, 7, 0]]},
    "devices": {"emu_devices": [], "passthrough_devices": []},
}
GIC = ["gic", 0x08000000, 0x10000, 0, 0x1, [0, 0x080A0000]]
UART = ["uart", 0x09000000, 0x1000, 33, 0x2, []]


def toml_value(value):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    if isinstance(value, list):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    return str(value)


def toml_text(document):
    return "".join(f"[{section}]\n" + "".join(f"{name} = {toml_value(value)}\n" for name, value in table.items())
                   for section, table in document.items())


RISCV_RAM = 0x80000000
PLIC = ["plic", 0x0C000000, 0x600000, 0, 0x1]
RISCV_UART = ["uart", 0x10000000, 0x1000, 10, 0x2]


def riscv_image(size=4096, image_size=2 * MIB):
    """A file with a riscv64 Image header."""
    header = struct.pack("<IIQQQIIQ8s4sI", 0, 0, 2 * MIB, image_size, 0, 2, 0, 0, b"RISCV\0\0\0", b"RSC\x05", 0)
    return header.ljust(size, b"\x5a")


def image(size=4096, image_size=2 * MIB, text_offset=0):
    """A file with an arm64 Image header."""
    header = struct.pack("<IIQQQQQQ4sI", 0, 0, text_offset, image_size, 0xA, 0, 0, 0, b"ARM\x64", 0)
    return header.ljust(size, b"\x5a")


class Fixture(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.output = self.folder / "out.bundle"
        self.write("Image", image())
        self.write("initramfs", b"070701" * 100)
        self.write("raw", b"\x00" * 100)
        self.document = copy.deepcopy(GOOD)

    def write(self, name, data):
        (self.folder / name).write_bytes(data)

    def toml(self, document=None, name="vm.toml"):
        path = self.folder / name
        path.write_text(toml_text(document or self.document))
        return path

    def make(self, *words):
        return tools_path.run_main(mkbundle.main, "-o", self.output, *words)

    def bundle(self, *words):
        status, _, err = self.make(*(words or [self.toml()]))
        self.assertEqual((status, err), (0, ""))
        data = self.output.read_bytes()
        return data, fdt.parse(data)

    def set(self, section, field, value):
        self.document.setdefault(section, {})[field] = value

    def assert_error(self, *parts, words=None):
        """One line on stderr that holds every part, status 2, and no output file."""
        status, out, err = self.make(*(words or [self.toml()]))
        self.assertEqual(status, 2, err)
        self.assertEqual(out, "")
        self.assertEqual(len(err.splitlines()), 1, err)
        for part in parts:
            self.assertIn(part, err)
        self.assertFalse(self.output.exists())
        self.assertEqual([path.name for path in self.folder.glob(".out*")], [])

    def assert_field_error(self, section, field, value, *parts):
        self.set(section, field, value)
        self.assert_error("vm.toml", f"[{section}] {field}: ", *parts)


class GoodBundles(Fixture):
    def test_the_tree_says_where_the_images_are(self):
        data, root = self.bundle()
        node = root.children[0]
        for name, path in (("kernel", "Image"), ("ramdisk", "initramfs")):
            offset, size = struct.unpack(">QQ", node.props[name])
            self.assertEqual(offset % 4096, 0)
            self.assertEqual(data[offset:offset + size], (self.folder / path).read_bytes())

    def test_the_root_says_what_it_is_and_how_long(self):
        data, root = self.bundle()
        self.assertEqual(root.props, {
            "compatible": b"axvm,bundle\0", "version": fdt.u32(1), "#address-cells": fdt.u32(2),
            "#size-cells": fdt.u32(2), "total-size": fdt.u64(len(data))})

    def test_a_vm_has_every_property(self):
        self.document["kernel"].update(entry_point=RAM, kernel_load_addr=RAM, ramdisk_load_addr=RAM + 32 * MIB,
                                       image_format="linux-arm64")
        _, root = self.bundle()
        node = root.children[0]
        self.assertEqual(node.name, "vm@0")
        for name, value in (("vm-name", fdt.string("linux")), ("vm-id", fdt.u32(1)), ("cpu-num", fdt.u32(1)),
                            ("image-format", fdt.string("linux-arm64")), ("entry-point", fdt.u64(RAM)),
                            ("kernel-load-addr", fdt.u64(RAM)), ("ramdisk-load-addr", fdt.u64(RAM + 32 * MIB)),
                            ("cmdline", fdt.string("console=ttyAMA0")),
                            ("memory-regions", fdt.u64(RAM, 64 * MIB) + fdt.u32(7, 0))):
            self.assertEqual(node.props[name], value, name)

    def test_what_is_not_said_is_not_written(self):
        del self.document["kernel"]["ramdisk_path"], self.document["kernel"]["cmdline"], self.document["devices"]
        _, root = self.bundle()
        self.assertEqual(sorted(root.children[0].props), [
            "cmdline", "cpu-num", "image-format", "kernel", "memory-regions", "vm-id", "vm-name"])
        self.assertEqual(root.children[0].props["cmdline"], b"\0")
        self.assertEqual(root.children[0].props["image-format"], b"auto\0")

    def test_devices_become_nodes(self):
        self.set("devices", "emu_devices", [GIC, UART])
        self.set("devices", "passthrough_devices", [["rtc", 0x0A000000, 0x09010000, 0x1000, 34]])
        _, root = self.bundle()
        nodes = {node.name: node.props for node in root.children[0].children}
        self.assertEqual(nodes["device@0"], {
            "device-name": b"gic\0", "base": fdt.u64(0x08000000), "length": fdt.u64(0x10000), "irq": fdt.u32(0),
            "type": fdt.u32(1), "config": fdt.u32(0, 0x080A0000)})
        self.assertEqual(nodes["device@1"], {
            "device-name": b"uart\0", "base": fdt.u64(0x09000000), "length": fdt.u64(0x1000),
            "irq": fdt.u32(33), "type": fdt.u32(2)})
        self.assertEqual(nodes["passthrough@0"], {
            "device-name": b"rtc\0", "gpa": fdt.u64(0x0A000000), "hpa": fdt.u64(0x09010000),
            "length": fdt.u64(0x1000), "irq": fdt.u32(34)})

    def test_several_files_become_several_vms(self):
        other = copy.deepcopy(GOOD)
        other["base"].update(id=2, name="other")
        _, root = self.bundle(self.toml(), self.toml(other, "other.toml"))
        self.assertEqual([node.props["vm-name"] for node in root.children], [b"linux\0", b"other\0"])

    def test_the_same_input_gives_the_same_bytes(self):
        self.assertEqual(self.bundle()[0], self.bundle()[0])

    def test_a_raw_kernel_with_an_address_is_accepted(self):
        self.document["kernel"].update(kernel_path="raw", kernel_load_addr=RAM + 4)
        self.bundle()

    def test_set_and_append_change_the_fields(self):
        self.write("other-kernel", image(8192))
        data, root = self.bundle(self.toml(), "--set", f"kernel.kernel_path={self.folder}/other-kernel",
                                 "--set", "base.name=renamed", "--set", "base.cpu_num=0x2", "--append", "axvm.shell")
        node = root.children[0]
        self.assertEqual(node.props["vm-name"], b"renamed\0")
        self.assertEqual(node.props["cpu-num"], fdt.u32(2))
        self.assertEqual(node.props["cmdline"], b"console=ttyAMA0 axvm.shell\0")
        self.assertEqual(struct.unpack(">QQ", node.props["kernel"])[1], 8192)

    def test_the_shipped_configurations_are_valid(self):
        kernels = {"linux-arm64": image(image_size=32 * MIB), "linux-riscv64": riscv_image(image_size=32 * MIB),
                   "bzimage": bzimage(), "elf": elf(62), "multiboot": multiboot(), "raw": image()}
        for path in sorted((tools_path.ROOT / "axvm-demo" / "configs").rglob("*.toml")):
            with self.subTest(path=path):
                text = path.read_text()
                self.write("kernel", kernels[re.search('^image_format = "(.*)"', text, re.M)[1]])
                ramdisk = ["--set", f"kernel.ramdisk_path={self.folder}/initramfs"] if "ramdisk_path" in text else []
                self.bundle(path, "--arch", path.parent.name, "--set", f"kernel.kernel_path={self.folder}/kernel",
                            *ramdisk)

    @unittest.skipUnless(shutil.which("dtc"), "dtc is not installed")
    def test_dtc_reads_the_bundle(self):
        data, _ = self.bundle()
        done = subprocess.run(["dtc", "-q", "-I", "dtb", "-O", "dts"], input=data, capture_output=True, check=True)
        self.assertIn(b'vm-name = "linux"', done.stdout)

    def test_an_existing_bundle_is_replaced_whole(self):
        self.output.write_bytes(b"x" * (16 * MIB))
        data, root = self.bundle()
        self.assertEqual(root.props["total-size"], fdt.u64(len(data)))


class RiscvBundles(Fixture):
    """The same fields, another board."""

    def setUp(self):
        super().setUp()
        self.write("Image", riscv_image())
        self.document["kernel"].update(image_format="linux-riscv64", memory_regions=[[RISCV_RAM, 64 * MIB, 7, 0]])

    def test_the_image_format_names_the_architecture(self):
        _, root = self.bundle()
        self.assertEqual(root.children[0].props["image-format"], b"linux-riscv64\0")

    def test_the_architecture_can_be_told(self):
        self.set("kernel", "image_format", "auto")
        self.bundle(self.toml(), "--arch", "riscv64")

    def test_the_kernel_lies_behind_its_text_offset(self):
        self.set("kernel", "memory_regions", [[RISCV_RAM, 4 * MIB - 4096, 7, 0]])
        self.assert_error("[kernel] kernel_path", "0x80200000", "not inside")

    def test_its_devices_become_nodes(self):
        self.set("devices", "emu_devices", [PLIC, RISCV_UART])
        _, root = self.bundle()
        self.assertEqual([node.props["irq"] for node in root.children[0].children], [fdt.u32(0), fdt.u32(10)])

    def test_wrong_devices_are_errors(self):
        for device, *parts in (([*PLIC, [0, 0x080A0000]], "plic", "no config"),
                               ([*PLIC[:2], 0x10000, *PLIC[3:]], "plic", "length 0x600000"),
                               ([*RISCV_UART[:3], 0, 2], "irq 0", "1..1019")):
            with self.subTest(device=device):
                self.assert_field_error("devices", "emu_devices", [device], *parts)

    def test_memory_stays_clear_of_the_default_devices(self):
        for base, what in ((0x0C000000, "default interrupt controller"), (0x10000000, "default console")):
            with self.subTest(what=what):
                self.set("kernel", "memory_regions", [[RISCV_RAM, 64 * MIB, 7, 0], [base, 4096, 7, 0]])
                self.assert_error("[devices] emu_devices: ", what, "overlaps memory region 1")


class FieldErrors(Fixture):
    """One field of a good file is wrong."""

    # section, field, value, what the message has to hold besides file, section and field
    TABLE = (
        ("base", "id", "one", "integer", "string"),
        ("base", "id", -1, "outside"),
        ("base", "id", 1 << 32, "outside"),
        ("base", "id", True, "integer", "boolean"),
        ("base", "name", 5, "string"),
        ("base", "name", "", "characters"),
        ("base", "name", "x" * 32, "characters"),
        ("base", "name", "with space", "characters"),
        ("base", "name", "ümlaut", "characters"),
        ("base", "cpu_num", 0, "outside"),
        ("base", "cpu_num", 9, "outside"),
        ("base", "cpu_num", 1.0, "float"),
        ("base", "vm_type", "linux", "integer"),
        ("base", "phys_cpu_ids", 3, "list"),
        ("base", "phys_cpu_ids", [0, 1], "2 entries", "cpu_num"),
        ("base", "phys_cpu_sets", ["a"], "entry 0", "integer"),
        ("base", "phys_cpu_sets", [1, 2, 4], "3 entries"),
        ("base", "colour", 1, "unknown field", "cpu_num"),
        ("kernel", "entry_point", "0x40000000", "integer"),
        ("kernel", "entry_point", 0x1000, "0x1000", "outside"),
        ("kernel", "entry_point", -4, "outside"),
        ("kernel", "image_location", "disk", "fs", "memory"),
        ("kernel", "image_format", "uimage", "auto", "linux-arm64", "elf", "raw"),
        ("kernel", "kernel_path", 7, "string"),
        ("kernel", "kernel_path", "missing", "missing", "No such file"),
        ("kernel", "kernel_path", ".", "directory"),
        ("kernel", "kernel_load_addr", RAM + 4096, "2 MiB"),
        ("kernel", "kernel_load_addr", 0x80000000, "not inside"),
        ("kernel", "kernel_load_addr", RAM + 63 * MIB, "not inside"),
        ("kernel", "kernel_load_addr", 1 << 60, "outside"),
        ("kernel", "bios_path", "x", "not supported"),
        ("kernel", "bios_load_addr", 0, "not supported"),
        ("kernel", "dtb_path", "x.dtb", "not supported", "device tree"),
        ("kernel", "dtb_load_addr", 0, "not supported"),
        ("kernel", "disk_path", "x", "not supported"),
        ("kernel", "ramdisk_path", "missing", "missing", "No such file"),
        ("kernel", "ramdisk_path", ["a"], "string"),
        ("kernel", "ramdisk_load_addr", 0x1000, "not inside"),
        ("kernel", "ramdisk_load_addr", RAM + 64 * MIB - 4, "not inside"),
        ("kernel", "ramdisk_load_addr", RAM + MIB, "overlaps", "kernel"),
        ("kernel", "cmdline", 1, "string"),
        ("kernel", "cmdline", "x" * 2048, "2048", "2047"),
        ("kernel", "cmdline", "one\ntwo", "control"),
        ("kernel", "memory_regions", [], "at least one"),
        ("kernel", "memory_regions", RAM, "list"),
        ("kernel", "memory_regions", [RAM, 64 * MIB, 7, 0], "entry 0", "list"),
        ("kernel", "memory_regions", [[RAM, 64 * MIB, 7]], "entry 0", "3 values"),
        ("kernel", "memory_regions", [[RAM, 64 * MIB, 7, 0, 0]], "entry 0", "5 values"),
        ("kernel", "memory_regions", [[RAM, "64M", 7, 0]], "entry 0", "size", "integer"),
        ("kernel", "memory_regions", [[RAM, 0, 7, 0]], "size is 0"),
        ("kernel", "memory_regions", [[RAM + 1, 64 * MIB, 7, 0]], "multiples"),
        ("kernel", "memory_regions", [[RAM, 64 * MIB + 8, 7, 0]], "multiples"),
        ("kernel", "memory_regions", [[(1 << 48) - 4096, 8192, 7, 0]], "past"),
        ("kernel", "memory_regions", [[RAM, 64 * MIB, 0, 0]], "flags"),
        ("kernel", "memory_regions", [[RAM, 64 * MIB, 0x107, 0]], "flags"),
        ("kernel", "memory_regions", [[RAM, 64 * MIB, 7, 3]], "map_type", "alloc"),
        ("kernel", "memory_regions", [[RAM, 64 * MIB, 7, 0], [RAM + 63 * MIB, MIB, 7, 0]],
         "memory region 1", "overlaps", "memory region 0"),
        ("kernel", "memory_regions", [[RAM + i * MIB, MIB, 7, 0] for i in range(9)], "9 entries", "at most 8"),
        ("kernel", "vmlinux", "x", "unknown field"),
        ("devices", "emu_devices", {}, "list"),
        ("devices", "emu_devices", [["gic"]], "entry 0", "1 values"),
        ("devices", "emu_devices", [[5, *UART[1:]]], "entry 0", "name", "string"),
        ("devices", "emu_devices", [[*UART[:5], [-1]]], "entry 0", "config", "outside"),
        ("devices", "emu_devices", [[*UART[:4], 0x99]], "uart", "type 0x99"),
        ("devices", "emu_devices", [[*UART[:3], 5, 2]], "uart", "irq 5"),
        ("devices", "emu_devices", [[*UART[:3], 1020, 2]], "irq", "outside"),
        ("devices", "emu_devices", [[*GIC[:5], []]], "gic", "config"),
        ("devices", "emu_devices", [[*GIC[:2], 0x1000, *GIC[3:]]], "gic", "length"),
        ("devices", "emu_devices", [[*GIC[:5], [0, 0x08000000]]], "redistributors", "overlaps"),
        ("devices", "emu_devices", [[*GIC[:5], [0, 0x080A0100]]], "redistributors", "multiples"),
        ("devices", "emu_devices", [["uart", RAM, 0x1000, 33, 2]], "uart", "overlaps", "memory region 0"),
        ("devices", "emu_devices", [["uart", 0x09000000, 0, 33, 2]], "size is 0"),
        ("devices", "emu_devices", [["uart", 0x09000004, 0x1000, 33, 2]], "multiples"),
        ("devices", "emu_devices", [UART, ["uart", 0x09001000, 0x1000, 34, 2]], "'uart'", "twice"),
        ("devices", "emu_devices", [UART, ["uart2", 0x09001000, 0x1000, 33, 2]], "irq 33", "twice"),
        ("devices", "emu_devices", [UART, ["uart2", 0x09000000, 0x1000, 34, 2]], "uart2", "overlaps"),
        ("devices", "emu_devices", [[*UART[:5], [0] * 9]], "config", "9 entries", "at most 8"),
        ("devices", "emu_devices", [[f"u{i}", 0x09000000 + i * 4096, 4096, 33 + i, 2] for i in range(17)],
         "17 entries", "at most 16"),
        ("devices", "passthrough_devices", [["rtc", 0x0A000000, 0x09010000, 0x1000]], "4 values"),
        ("devices", "passthrough_devices", [["rtc", RAM, 0x09010000, 0x1000, 0]], "rtc", "overlaps"),
        ("devices", "passthrough_devices", [["rtc", 0x0A000000, 0x09010010, 0x1000, 0]], "hpa", "multiples"),
        ("devices", "passthrough_devices", [["rtc", 0x09000000, 0x09010000, 0x1000, 0]], "rtc", "overlaps",
         "default console"),
        ("devices", "passthrough_addresses", [[0, 1]], "not supported"),
        ("devices", "excluded_devices", [["/timer"]], "not supported"),
        ("devices", "interrupt_mode", "passthrough", "not supported"),
        ("devices", "interrupt_mode", 1, "string"),
        ("devices", "gpu", 1, "unknown field"),
    )

    def test_every_wrong_field_is_one_clear_error(self):
        for section, field, value, *parts in self.TABLE:
            with self.subTest(section=section, field=field, value=str(value)[:60]):
                self.document = copy.deepcopy(GOOD)
                if isinstance(value, dict):
                    value = 0
                self.assert_field_error(section, field, value, *parts)

    def test_every_missing_field_is_named(self):
        for section, field in (("base", "id"), ("base", "name"), ("kernel", "kernel_path"),
                               ("kernel", "memory_regions")):
            with self.subTest(field=field):
                self.document = copy.deepcopy(GOOD)
                del self.document[section][field]
                self.assert_error(f"[{section}] {field}: is missing")

    def test_an_unknown_section_is_named(self):
        self.document["network"] = {"mac": "x"}
        self.assert_error("[network]", "unknown section")

    def test_a_section_that_is_no_table_is_an_error(self):
        path = self.folder / "vm.toml"
        path.write_text("base = 5\n")
        self.assert_error("[base]", "table", words=[path])


def bzimage():
    header = bytearray(0x800)
    header[0x202:0x206] = b"HdrS"
    return bytes(header)


def elf(machine):
    return b"\x7fELF\2\1\1".ljust(16, b"\0") + struct.pack("<HH", 2, machine) + bytes(0x100)


def multiboot():
    return bytes(0x40) + struct.pack("<III", 0x1BADB002, 3, 0x100000000 - 0x1BADB002 - 3) + bytes(0x40)


class ImagesThatPlaceThemselves(Fixture):
    """Formats whose headers the hypervisor reads."""

    def setUp(self):
        super().setUp()
        self.document["kernel"].update(kernel_path="kernel", memory_regions=[[0, 64 * MIB, 7, 0]])

    def words(self, arch):
        return self.toml(), "--arch", arch

    def test_kernels_for_x86_need_no_address(self):
        for data, image_format in ((bzimage(), "bzimage"), (multiboot(), "multiboot"), (elf(62), "elf"), (elf(3), "elf")):
            self.write("kernel", data)
            for said in ("auto", image_format):
                self.set("kernel", "image_format", said)
                _, root = self.bundle(*self.words("x86_64"))
                self.assertEqual(root.children[0].props["image-format"], fdt.string(said))
                self.assertNotIn("kernel-load-addr", root.children[0].props)

    def test_formats_of_x86_name_the_architecture(self):
        for data, image_format in ((bzimage(), "bzimage"), (multiboot(), "multiboot")):
            self.write("kernel", data)
            self.set("kernel", "image_format", image_format)
            self.bundle()
            self.output.unlink()
            self.assert_error("image_format", image_format, "riscv64", words=self.words("riscv64"))

    def test_an_elf_file_is_for_one_architecture(self):
        for machine, fits in ((183, "aarch64"), (243, "riscv64"), (62, "x86_64")):
            self.write("kernel", elf(machine))
            self.document["kernel"]["memory_regions"] = [[RISCV_RAM, 64 * MIB, 7, 0]]
            for arch in ("aarch64", "riscv64", "x86_64"):
                if arch == fits:
                    self.bundle(*self.words(arch))
                    self.output.unlink()
                else:
                    self.assert_error("kernel_path", "another architecture", arch, words=self.words(arch))

    def test_a_file_of_another_format_is_an_error(self):
        self.write("kernel", elf(62))
        self.set("kernel", "image_format", "bzimage")
        self.assert_error("[kernel] kernel_path", "no bzimage Image")

    def test_a_ramdisk_must_be_in_memory(self):
        self.write("kernel", bzimage())
        self.document["kernel"].update(image_format="bzimage", ramdisk_load_addr=64 * MIB)
        self.assert_error("[kernel] ramdisk_load_addr", "not inside one memory region")

    def test_the_devices_of_a_pc_are_always_the_same(self):
        self.write("kernel", bzimage())
        self.set("kernel", "image_format", "bzimage")
        self.set("devices", "emu_devices", [["uart", 0x10000000, 0x1000, 4, 2]])
        self.assert_error("[devices] emu_devices", "always has the same devices")
        self.set("devices", "emu_devices", [])
        self.set("kernel", "memory_regions", [[0xFEC00000, MIB, 7, 0]])
        self.assert_error("emu_devices", "default interrupt controller")


class ImageErrors(Fixture):
    def test_an_empty_kernel_is_an_error(self):
        self.write("Image", b"")
        self.assert_error("[kernel] kernel_path", "empty")

    def test_a_kernel_that_is_no_image_is_an_error_when_linux_is_asked_for(self):
        self.document["kernel"].update(kernel_path="raw", image_format="linux-arm64")
        self.assert_error("[kernel] kernel_path", "raw", "no linux-arm64 Image")

    def test_a_kernel_of_another_architecture_is_an_error(self):
        self.write("Image", riscv_image())
        self.assert_error("[kernel] kernel_path", "linux-riscv64", "aarch64")
        self.assert_error("[kernel] kernel_path", "linux-riscv64", "aarch64", words=[self.toml(), "--arch", "aarch64"])
        self.set("kernel", "image_format", "linux-arm64")
        self.assert_error("[kernel] kernel_path", "no linux-arm64 Image")

    def test_a_format_of_another_architecture_is_an_error(self):
        self.set("kernel", "image_format", "linux-arm64")
        self.assert_error("[kernel] image_format", "linux-arm64", "riscv64", words=[self.toml(), "--arch", "riscv64"])

    def test_a_raw_kernel_needs_an_address(self):
        self.document["kernel"].update(kernel_path="raw")
        self.assert_error("[kernel] kernel_load_addr", "is missing")

    def test_an_image_counts_with_its_whole_memory_not_its_file(self):
        self.write("Image", image(4096, image_size=65 * MIB))
        self.assert_error("[kernel] kernel_path", "not inside")

    def test_a_ramdisk_that_does_not_fit_beside_the_kernel_is_an_error(self):
        self.document["kernel"]["memory_regions"] = [[RAM, 2 * MIB, 7, 0]]
        self.assert_error("[kernel] ramdisk_path", "does not fit")

    def test_a_ramdisk_address_without_a_ramdisk_is_an_error(self):
        del self.document["kernel"]["ramdisk_path"]
        self.set("kernel", "ramdisk_load_addr", RAM)
        self.assert_error("[kernel] ramdisk_load_addr", "no ramdisk_path")


class WholeFileErrors(Fixture):
    def test_a_missing_toml_is_an_error(self):
        self.assert_error("none.toml", "No such file", words=[self.folder / "none.toml"])

    def test_a_file_that_is_no_toml_is_an_error(self):
        for text in (b"[base\n", b"\xff\xfe\x00", b"id = 1\nid = 2\n"):
            with self.subTest(text=text):
                self.write("vm.toml", text)
                self.assert_error("vm.toml", "not a TOML file", words=[self.folder / "vm.toml"])

    def test_names_and_ids_are_unique_in_a_bundle(self):
        for field, value in (("id", 1), ("name", "linux")):
            with self.subTest(field=field):
                other = copy.deepcopy(GOOD)
                other["base"].update(id=2, name="other")
                other["base"][field] = value
                self.assert_error("other.toml", f"[base] {field}", "another VM",
                                  words=[self.toml(), self.toml(other, "other.toml")])

    def test_a_host_device_goes_to_one_vm_only(self):
        self.set("devices", "passthrough_devices", [["rtc", 0x0A000000, 0x09010000, 0x1000, 34]])
        other = copy.deepcopy(self.document)
        other["base"].update(id=2, name="other")
        self.assert_error("other.toml", "passthrough_devices", "another VM",
                          words=[self.toml(), self.toml(other, "other.toml")])

    def test_a_bad_override_is_named(self):
        for text in ("kernel", "kernel.cmdline", "kernel.nothing=1", "disk.path=1"):
            with self.subTest(text=text):
                self.assert_error(text, words=[self.toml(), "--set", text])

    def test_a_failure_keeps_the_bundle_that_was_there(self):
        self.output.write_bytes(b"old")
        self.set("base", "cpu_num", 99)
        self.assertEqual(self.make(self.toml())[0], 2)
        self.assertEqual(self.output.read_bytes(), b"old")

    def test_an_output_folder_that_is_not_there_is_an_error(self):
        status, _, err = tools_path.run_main(mkbundle.main, "-o", self.folder / "no" / "out", self.toml())
        self.assertEqual((status, len(err.splitlines())), (2, 1))

    def test_missing_arguments_are_an_error(self):
        for words in ([], ["-o", self.output], [self.toml()], ["--list", self.output, "-o", self.output]):
            with self.subTest(words=words):
                self.assertEqual(tools_path.run_main(mkbundle.main, *words)[0], 2)


class Listing(Fixture):
    def list(self, data):
        path = self.folder / "some.bundle"
        path.write_bytes(data)
        return tools_path.run_main(mkbundle.main, "--list", path)

    def test_a_bundle_is_listed(self):
        self.set("devices", "emu_devices", [GIC, UART])
        data, _ = self.bundle()
        status, out, _ = self.list(data)
        self.assertEqual(status, 0)
        for part in ('vm-name = "linux"', "cpu-num = 1", "[0x40000000, 0x4000000, 0x7, 0]", "irq = 33",
                     "config = 0x0 0x80a0000"):
            self.assertIn(part, out)

    def test_a_cut_bundle_is_refused(self):
        data, _ = self.bundle()
        for size in (0, 1, 39, 40, 200, 4096, len(data) - 1):
            with self.subTest(size=size):
                status, out, err = self.list(data[:size])
                self.assertEqual((status, out, len(err.splitlines())), (2, "", 1))

    def test_another_device_tree_is_refused(self):
        status, _, err = self.list(fdt.serialise(fdt.Node()))
        self.assertEqual(status, 2)
        self.assertIn("axvm,bundle", err)

    def test_a_missing_bundle_is_refused(self):
        self.assertEqual(tools_path.run_main(mkbundle.main, "--list", self.folder / "none")[0], 2)


if __name__ == "__main__":
    unittest.main()
