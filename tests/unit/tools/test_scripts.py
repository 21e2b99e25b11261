#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The options of scripts/demo.sh, scripts/test.sh and scripts/setup.sh, and what guest.py caches."""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import tools_path  # noqa: E402
import guest  # noqa: E402
import machine  # noqa: E402

SCRIPTS = tools_path.ROOT / "scripts"
EMPTY_FILE = tempfile.NamedTemporaryFile()
EMPTY = EMPTY_FILE.name


def run(script, *words, **kwargs):
    return subprocess.run([SCRIPTS / script, *words], capture_output=True, text=True, timeout=60, **kwargs)


class Options(unittest.TestCase):
    BAD = (
        ("demo.sh", ["mips"], "demo.sh: no such machine 'mips'; machines: aarch64, riscv64"),
        ("demo.sh", ["aarch64", "foo"],
         "demo.sh: no such guest 'foo' for aarch64; guests: builtin, hello, bench, linux, linux-shell\n"),
        ("demo.sh", ["riscv64", "foo"],
         "demo.sh: no such guest 'foo' for riscv64; guests: builtin, hello, bench, linux, linux-shell, u-boot\n"),
        ("demo.sh", ["aarch64", "u-boot"], "demo.sh: no such guest 'u-boot' for aarch64; guests: builtin"),
        ("demo.sh", ["--frobnicate"], "demo.sh: unrecognized arguments: --frobnicate"),
        ("demo.sh", ["aarch64", "hello", "more"], "demo.sh: unrecognized arguments: more"),
        ("demo.sh", ["--vcpus", "none"], "demo.sh: argument --vcpus: 'none' is not a number from 1 to 8"),
        ("demo.sh", ["--vcpus", "0"], "demo.sh: argument --vcpus: '0' is not a number from 1 to 8"),
        ("demo.sh", ["--vcpus", "9"], "demo.sh: argument --vcpus: '9' is not a number from 1 to 8"),
        ("demo.sh", ["--vcpus", "-1"], "demo.sh: argument --vcpus: '-1' is not a number from 1 to 8"),
        ("demo.sh", ["--cpus", "9"], "demo.sh: argument --cpus: '9' is not a number from 1 to 8"),
        ("demo.sh", ["x86_64-vmx", "u-boot"], "demo.sh: no such guest 'u-boot' for x86_64-vmx; guests: builtin"),
        ("demo.sh", ["--compiler", "tcc"], "demo.sh: argument --compiler: invalid choice: 'tcc'"),
        ("demo.sh", ["--timeout", "0"], "demo.sh: argument --timeout: '0' is not a positive number"),
        ("demo.sh", ["--mem"], "demo.sh: argument --mem: expected one argument"),
        ("demo.sh", ["--bundle", "/nonexistent"], "demo.sh: no such file '/nonexistent'"),
        ("demo.sh", ["--bundle", "/"], "demo.sh: no such file '/'"),
        ("demo.sh", ["--bundle", EMPTY], f"demo.sh: '{EMPTY}' is empty"),
        ("demo.sh", ["aarch64", "linux", "--bundle", "x"], "demo.sh: give a guest or --bundle, not both"),
        ("demo.sh", ["--append", "quiet"], "demo.sh: guest 'builtin' takes no"),
        ("test.sh", ["everything"], "test.sh: no such suite 'everything'; suites: unit, coverage, build"),
        ("setup.sh", ["foo"], "setup.sh: no such group 'foo'"),
        ("setup.sh", ["demo", "mips"], "setup.sh: no such machine 'mips'; machines: aarch64 riscv64"),
        ("setup.sh", ["test", "aarch64"], "usage: scripts/setup.sh"),
    )

    def test_a_wrong_option_is_one_clear_error(self):
        for script, words, message in self.BAD:
            with self.subTest(script=script, words=words):
                done = run(script, *words)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertTrue(done.stderr.startswith(message), done.stderr)
                if script != "setup.sh":  # it is short enough to show its usage
                    self.assertEqual(done.stderr.count("\n"), 1, done.stderr)

    def test_every_script_has_help(self):
        for script in ("demo.sh", "test.sh", "setup.sh"):
            with self.subTest(script=script):
                done = run(script, "--help")
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertTrue(done.stdout.startswith("usage: "))

    def test_scripts_work_from_any_folder(self):
        self.assertEqual(run("demo.sh", "--help", cwd="/").returncode, 0)

    def test_setup_says_nothing_when_nothing_is_missing(self):
        for words in ([], ["base"], ["demo"], ["demo", "riscv64"], ["test"]):
            with self.subTest(words=words):
                done = run("setup.sh", *words)
                self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_every_architecture_has_its_packages(self):
        listed = (SCRIPTS / "packages.txt").read_text()
        for name, this in machine.MACHINES.items():
            with self.subTest(machine=name):
                # PCs have no package of a cross compiler for themselves.
                compiler = "demo gcc$" if this.arch == "x86_64" else f"{name} gcc-{name}-"
                self.assertRegex(listed, f"(?m)^{compiler}")
                self.assertRegex(listed, f"(?m)^{name} {this.emulator.partition('-system-')[0]}")


class End(unittest.TestCase):
    GOOD = "[axvm] all VMs ended: success\n"

    def test_the_last_line_of_the_hypervisor_decides(self):
        for status, output, well in (
                (0, self.GOOD, True),
                (0, self.GOOD.replace("\n", "\r\n"), True),
                (0, "guest text\n" + self.GOOD + "more\n", True),
                (1, self.GOOD, False),
                (0, "", False),
                (0, self.GOOD.replace("success", "failure"), False),
                (0, "guest: " + self.GOOD, False),
                (0, self.GOOD + "[axvm] error: stopped\n", False),
                (0, "[axvm] error: no bundle\n", False)):
            with self.subTest(status=status, output=output):
                self.assertEqual(machine.ended_well(status, output), well)


class GuestCache(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.store = pathlib.Path(folder.name) / "axvm" / "guests" / "debian-trixie-arm64"
        patcher = mock.patch.dict(os.environ, XDG_CACHE_HOME=folder.name)
        patcher.start()
        self.addCleanup(patcher.stop)

    def fill(self, store, *_):
        store.mkdir(parents=True, exist_ok=True)
        for name in ("kernel", "busybox", "versions"):
            (store / name).write_text(name)

    def test_a_second_call_fetches_nothing(self):
        with mock.patch.object(guest, "download", side_effect=self.fill) as download:
            first = guest.ensure("aarch64")
            self.assertEqual(guest.ensure("aarch64"), first)
        self.assertEqual(download.call_count, 1)
        self.assertTrue(first["initramfs"].exists())

    def test_a_guest_that_lacks_a_file_is_fetched_again(self):
        with mock.patch.object(guest, "download", side_effect=self.fill) as download:
            guest.ensure("aarch64")
            (self.store / "kernel").unlink()
            guest.ensure("aarch64")
        self.assertEqual(download.call_count, 2)

    def test_an_unknown_architecture_is_named(self):
        with self.assertRaisesRegex(guest.GuestError, "mips.*aarch64"):
            guest.ensure("mips")

    def test_a_failed_fetch_leaves_no_half_a_guest(self):
        with mock.patch.object(guest, "machine_mirror", side_effect=guest.GuestError("no mirror")):
            with self.assertRaisesRegex(guest.GuestError, "no mirror"):
                guest.ensure("aarch64")
        self.assertFalse(self.store.exists())
        self.assertEqual(sorted(path.name for path in self.store.parent.iterdir()), [".lock"])

    def test_the_mirror_is_the_one_of_the_main_archive(self):
        targets = ("http://x/security/|trixie-security|main\nhttp://x/debian/|stable-updates|main\n"
                   "http://other/|stable|contrib\nhttp://x/debian/|stable|main\n")
        with mock.patch.object(guest, "run", return_value=targets):
            self.assertEqual(guest.machine_mirror(), "http://x/debian")

    def test_no_mirror_is_an_error_that_names_the_option(self):
        with mock.patch.object(guest, "run", return_value=""):
            with self.assertRaisesRegex(guest.GuestError, "--mirror"):
                guest.machine_mirror()


if __name__ == "__main__":
    unittest.main()
