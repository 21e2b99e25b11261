#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tools/vmlinux.py: the payload of a bzImage, however it is packed, and what is refused."""
import bz2
import contextlib
import gzip
import io
import lzma
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import tools_path  # noqa: E402,F401
import vmlinux  # noqa: E402

KERNEL = b"\x7fELF" + bytes(range(256)) * 100
SETUP_SECTS = 5
PAYLOAD = 0x321


def bzimage(payload, length=None, sectors=SETUP_SECTS, version=0x20F, magic=b"HdrS"):
    setup = (sectors or 4) + 1
    data = bytearray(setup * vmlinux.SECTOR + PAYLOAD) + payload + b"behind the payload"
    data[vmlinux.SETUP_SECTS_AT] = sectors
    data[vmlinux.MAGIC_AT:vmlinux.MAGIC_AT + 4] = magic
    struct.pack_into("<H", data, vmlinux.VERSION_AT, version)
    struct.pack_into("<II", data, vmlinux.PAYLOAD_AT, PAYLOAD, len(payload) if length is None else length)
    return bytes(data)


def sized(data, size=len(KERNEL)):
    return data + struct.pack("<I", size)


class Vmlinux(unittest.TestCase):
    def assert_refused(self, image, words):
        with self.assertRaises(vmlinux.VmlinuxError) as caught:
            vmlinux.extract(image)
        self.assertIn(words, str(caught.exception))

    def test_each_way_to_pack_is_known(self):
        ways = {
            "not at all": sized(KERNEL),
            "gzip": gzip.compress(KERNEL),  # ends with the size by itself
            "bzip2": sized(bz2.compress(KERNEL)),
            "xz": sized(lzma.compress(KERNEL, lzma.FORMAT_XZ)),
            "lzma": sized(lzma.compress(KERNEL, lzma.FORMAT_ALONE)),
        }
        for name, payload in ways.items():
            with self.subTest(name):
                self.assertEqual(vmlinux.extract(bzimage(payload)), KERNEL)

    def test_programs_unpack_what_python_cannot(self):
        for words in (["zstd", "-c", "-q"], ["lz4", "-l", "-c", "-q"]):
            with self.subTest(words[0]):
                if not shutil.which(words[0]):
                    self.skipTest(f"no {words[0]} here")
                packed = subprocess.run(words, input=KERNEL, stdout=subprocess.PIPE, check=True).stdout
                self.assertEqual(vmlinux.extract(bzimage(sized(packed))), KERNEL)

    def test_no_setup_sectors_mean_four(self):
        self.assertEqual(vmlinux.extract(bzimage(sized(KERNEL), sectors=0)), KERNEL)

    def test_what_is_no_bzimage_is_refused(self):
        self.assert_refused(b"", "no bzImage")
        self.assert_refused(bzimage(sized(KERNEL), magic=b"hDRs"), "no bzImage")
        self.assert_refused(bzimage(sized(KERNEL), version=0x207), "protocol 2.07")

    def test_payloads_that_are_cut_off_or_damaged_are_refused(self):
        packed = bytearray(sized(lzma.compress(KERNEL, lzma.FORMAT_XZ)))
        packed[100] ^= 0xFF
        self.assert_refused(bzimage(sized(KERNEL), length=1 << 20), "ends before")
        self.assert_refused(bzimage(sized(KERNEL), length=4), "ends before")
        self.assert_refused(bzimage(bytes(packed)), "damaged")
        self.assert_refused(bzimage(sized(gzip.compress(KERNEL)[:200])), "says that they are")
        self.assert_refused(bzimage(sized(b"\x28\xb5\x2f\xfdnonsense")), "zstd")

    def test_payloads_that_are_no_elf_file_are_refused(self):
        self.assert_refused(bzimage(sized(b"something else")), "no ELF")
        self.assert_refused(bzimage(gzip.compress(b"something else")), "no ELF")

    def test_the_command_writes_a_file_or_names_the_one_that_is_wrong(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            (folder / "image").write_bytes(bzimage(sized(KERNEL)))
            (folder / "bad").write_bytes(b"bad")
            self.assertEqual(vmlinux.main(["-o", str(folder / "out"), str(folder / "image")]), 0)
            self.assertEqual((folder / "out").read_bytes(), KERNEL)
            for wrong in ("bad", "absent"):
                error = io.StringIO()
                with contextlib.redirect_stderr(error):
                    self.assertEqual(vmlinux.main(["-o", str(folder / "no"), str(folder / wrong)]), 2)
                self.assertIn(str(folder / wrong), error.getvalue())
            self.assertFalse((folder / "no").exists())


if __name__ == "__main__":
    unittest.main()
