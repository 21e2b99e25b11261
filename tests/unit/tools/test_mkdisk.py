#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tools/mkdisk.py: what lies where on the disk, and what it refuses."""
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import tools_path  # noqa: E402,F401
import mkdisk  # noqa: E402

LOAD, END, ENTRY, HEADER = 0x200000, 0x300123, 0x200040, 0x1000


def loader():
    data = bytearray(mkdisk.LOADER_SIZE)
    data[mkdisk.TABLE:mkdisk.ENTRY] = mkdisk.TABLE_MAGIC
    return bytes(data)


def image(magic=mkdisk.MULTIBOOT_MAGIC, flags=mkdisk.MULTIBOOT_ADDRESSES, header=LOAD + HEADER, entry=ENTRY, at=HEADER):
    checksum = -(magic + flags) % mkdisk.LIMIT
    data = bytearray(b"\x90" * 10000)
    struct.pack_into("<8I", data, at, magic, flags, checksum, header, LOAD, 0, END, entry)
    return bytes(data)


class Disk(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def file(self, name, data):
        path = self.folder / name
        path.write_bytes(data)
        return path

    def make(self, image_data=None, bundle=None, words="", loader_data=None):
        return mkdisk.make(self.file("loader", loader() if loader_data is None else loader_data),
                           self.file("image", image() if image_data is None else image_data),
                           None if bundle is None else self.file("bundle", bundle), words)

    def piece(self, disk, index):
        address, first, count = struct.unpack_from("<III", disk, mkdisk.PIECES + 12 * index)
        return address, bytes(disk[first * mkdisk.SECTOR:(first + count) * mkdisk.SECTOR])

    def test_the_image_goes_where_its_header_says(self):
        disk = self.make()
        address, data = self.piece(disk, 0)
        self.assertEqual(address, LOAD)
        self.assertEqual(data[:10000], image())
        self.assertEqual(struct.unpack_from("<I", disk, mkdisk.ENTRY), (ENTRY,))
        self.assertEqual(self.piece(disk, 1), (0, b""))
        self.assertEqual(struct.unpack_from("<I", disk, mkdisk.MODULE_COUNT), (0,))

    def test_the_bundle_follows_the_image_s_memory(self):
        disk = self.make(bundle=b"bundle")
        address, data = self.piece(disk, 1)
        self.assertEqual(address, 0x301000)
        self.assertEqual(data[:6], b"bundle")
        self.assertEqual(struct.unpack_from("<II", disk, mkdisk.MODULE), (0x301000, 0x301006))
        self.assertEqual(struct.unpack_from("<I", disk, mkdisk.MODULE_COUNT), (1,))

    def test_the_command_line_ends(self):
        disk = self.make(words="axvm.log=debug")
        text = disk[mkdisk.COMMAND_LINE:mkdisk.COMMAND_LINE + 64]
        self.assertEqual(text.split(b"\0")[0], b"axvm-demo.bin axvm.log=debug")

    def test_whole_cylinders(self):
        self.assertEqual(len(self.make()) % mkdisk.TRACK, 0)

    def test_other_images_are_refused(self):
        for data in (b"", b"\x7fELF" + bytes(9000), image(magic=1), image(flags=0), image(header=LOAD),
                     image(entry=END), image(at=8164)):
            with self.assertRaisesRegex(mkdisk.DiskError, "image: has no Multiboot header"):
                self.make(data)

    def test_other_loaders_are_refused(self):
        for data in (b"", loader() + b"\0", bytes(mkdisk.LOADER_SIZE)):
            with self.assertRaisesRegex(mkdisk.DiskError, "loader: is not"):
                self.make(loader_data=data)

    def test_an_empty_bundle_and_too_many_words_are_refused(self):
        with self.assertRaisesRegex(mkdisk.DiskError, "bundle: is empty"):
            self.make(bundle=b"")
        with self.assertRaisesRegex(mkdisk.DiskError, "--append"):
            self.make(words="x" * (mkdisk.COMMAND_LINE_MAX + 1))

    def test_errors_have_status_2_and_leave_no_output(self):
        output = self.folder / "disk"
        done = subprocess.run([sys.executable, mkdisk.__file__, "-o", output, "--loader", "/nowhere/l", "/nowhere/i"],
                              text=True, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 2)
        self.assertIn("/nowhere/l: No such file", done.stderr)
        self.assertFalse(output.exists())


if __name__ == "__main__":
    unittest.main()
