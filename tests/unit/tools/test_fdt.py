#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
import pathlib
import random
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import tools_path  # noqa: E402,F401
import fdt  # noqa: E402


def sample():
    root = fdt.Node()
    root.props["compatible"] = fdt.string("axvm,bundle")
    child = root.add("vm@0")
    child.props["wide"] = fdt.u64(0x1_0000_0000, 2)
    child.props["empty"] = b""
    child.add("device@0").props["irq"] = fdt.u32(33)
    return root


class Fdt(unittest.TestCase):
    def test_what_was_written_reads_back(self):
        self.assertEqual(fdt.parse(fdt.serialise(sample())), sample())

    def test_the_same_tree_gives_the_same_bytes(self):
        self.assertEqual(fdt.serialise(sample()), fdt.serialise(sample()))

    def test_a_property_name_is_stored_once(self):
        root = fdt.Node()
        for index in range(5):
            root.add(f"n@{index}").props["device-name"] = fdt.string("x")
        self.assertEqual(fdt.serialise(root).count(b"device-name\0"), 1)

    @unittest.skipUnless(shutil.which("dtc"), "dtc is not installed")
    def test_dtc_reads_it(self):
        done = subprocess.run(["dtc", "-q", "-I", "dtb", "-O", "dts"], input=fdt.serialise(sample()),
                              capture_output=True, check=True)
        self.assertIn(b"wide = <0x01 0x00 0x00 0x02>", done.stdout)

    def test_data_after_the_tree_is_allowed(self):
        self.assertEqual(fdt.parse(fdt.serialise(sample()) + b"images"), sample())

    def test_every_cut_is_an_error(self):
        blob = fdt.serialise(sample())
        for size in range(len(blob)):
            with self.subTest(size=size), self.assertRaises(fdt.FdtError):
                fdt.parse(blob[:size])

    def test_damage_is_an_error_or_another_tree(self):
        blob = fdt.serialise(sample())
        random.seed(1)
        for _ in range(2000):
            damaged = bytearray(blob)
            damaged[random.randrange(len(blob))] ^= 1 << random.randrange(8)
            try:
                self.assertIsInstance(fdt.parse(bytes(damaged)), fdt.Node)
            except fdt.FdtError:
                pass


if __name__ == "__main__":
    unittest.main()
