#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
import gzip
import pathlib
import stat
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import tools_path  # noqa: E402
import mkinitramfs  # noqa: E402

FIELDS = ("ino", "mode", "uid", "gid", "nlink", "mtime", "filesize", "devmajor", "devminor",
          "rdevmajor", "rdevminor", "namesize", "check")


def read_archive(data):
    """{name: (fields, content)} by the rules of the newc format."""
    entries, at = {}, 0
    while True:
        assert data[at:at + 6] == b"070701" and at % 4 == 0
        fields = {name: int(data[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i, name in enumerate(FIELDS)}
        name_at = at + 110
        name = data[name_at:name_at + fields["namesize"] - 1].decode()
        content_at = (name_at + fields["namesize"] + 3) & ~3
        content = data[content_at:content_at + fields["filesize"]]
        at = (content_at + fields["filesize"] + 3) & ~3
        if name == mkinitramfs.TRAILER:
            return entries
        entries[name] = fields, content


class Initramfs(unittest.TestCase):
    def setUp(self):
        self.entries = read_archive(mkinitramfs.build(b"\x7fELF busybox", b"#!/bin/sh\n"))

    def test_it_holds_busybox_and_init_as_executable_files(self):
        for name, content in (("bin/busybox", b"\x7fELF busybox"), ("init", b"#!/bin/sh\n")):
            fields, data = self.entries[name]
            self.assertEqual((fields["mode"], data), (stat.S_IFREG | 0o755, content))

    def test_it_holds_the_device_nodes(self):
        for name, number in (("dev/console", (5, 1)), ("dev/null", (1, 3))):
            fields, _ = self.entries[name]
            self.assertTrue(stat.S_ISCHR(fields["mode"]))
            self.assertEqual((fields["rdevmajor"], fields["rdevminor"]), number)

    def test_a_folder_comes_before_what_is_in_it(self):
        names = list(self.entries)
        for name in names:
            parent = name.rpartition("/")[0]
            if parent:
                self.assertLess(names.index(parent), names.index(name))

    def test_sh_is_a_link_to_busybox(self):
        fields, target = self.entries["bin/sh"]
        self.assertTrue(stat.S_ISLNK(fields["mode"]))
        self.assertEqual(target, b"busybox")

    def test_inode_numbers_differ_and_times_and_owners_are_zero(self):
        inodes = [fields["ino"] for fields, _ in self.entries.values()]
        self.assertEqual(len(set(inodes)), len(inodes))
        for fields, _ in self.entries.values():
            self.assertEqual((fields["uid"], fields["gid"], fields["mtime"]), (0, 0, 0))


class CommandLine(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "busybox").write_bytes(b"box")

    def test_two_runs_write_the_same_bytes_compressed_or_not(self):
        for flags in ([], ["--gzip"]):
            outputs = []
            for name in ("a", "b"):
                status, _, _ = tools_path.run_main(mkinitramfs.main, "--busybox", self.folder / "busybox",
                                                   "-o", self.folder / name, *flags)
                self.assertEqual(status, 0)
                outputs.append((self.folder / name).read_bytes())
            self.assertEqual(*outputs)
        self.assertIn("init", read_archive(gzip.decompress(outputs[0])))

    def test_a_missing_busybox_is_one_error(self):
        status, _, err = tools_path.run_main(mkinitramfs.main, "--busybox", self.folder / "none",
                                             "-o", self.folder / "out")
        self.assertEqual((status, len(err.splitlines())), (2, 1))
        self.assertIn("none", err)
        self.assertFalse((self.folder / "out").exists())

    def test_init_is_a_valid_shell_script(self):
        subprocess.run(["sh", "-n", tools_path.ROOT / "tools" / "guest-init"], check=True)


if __name__ == "__main__":
    unittest.main()
