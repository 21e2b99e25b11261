#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How scripts/bochs.py starts Bochs and understands its end, with shell commands in the place of Bochs."""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import tools_path  # noqa: E402
import bochs  # noqa: E402

SCRIPT = tools_path.ROOT / "scripts" / "bochs.py"
ENDING = "=====\nBochs is exiting with the following message:\n[{}] {}\n=====\n"
BOCHS = """#!/bin/sh
# A machine that echoes a line.
while [ "$1" != -f ]; do shift; done
terminal=$(sed -n 's/^com1:.*dev=//p' "$2")
cp "$2" "{folder}/bochsrc"
exec 3<>"$terminal"
echo ready >&3
read -r line <&3
echo "got $line" >&3
printf '%s' '{ending}'
exit 1
"""


class Verdict(unittest.TestCase):
    def test_a_power_off_is_the_good_end(self):
        self.assertEqual(bochs.verdict(ENDING.format("ACPI", "ACPI control: soft power off"), "x"), (0, ""))

    def test_everything_else_is_told(self):
        self.assertEqual(bochs.verdict(ENDING.format("CPU0", "exception with no resolution"), "x"),
                         (1, "exception with no resolution"))
        self.assertEqual(bochs.verdict("noise\n", "x"), (1, "Bochs ended without saying why"))
        self.assertEqual(bochs.verdict("", "x"), (1, "Bochs ended without saying why"))

    def test_an_unknown_cpu_is_named(self):
        said = ENDING.format("", "/tmp/bochsrc:3: cpu directive malformed.")
        self.assertEqual(bochs.verdict(said, "abacus"), (1, "Bochs has no CPU model 'abacus'"))


class Run(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def run_script(self, ending, keys="hello\n", cpus="2"):
        fake = self.folder / "bochs"
        fake.write_text(BOCHS.format(folder=self.folder, ending=ending))
        fake.chmod(0o755)
        (self.folder / "main.py").write_text(
            "import sys\nfrom unittest import mock\n"
            f"sys.path[:0] = [{str(SCRIPT.parent)!r}]\nimport bochs\n"
            "with mock.patch.object(bochs.mkdisk, 'make', return_value=bytes(bochs.mkdisk.TRACK)), "
            "mock.patch.object(bochs, 'check_installed'):\n    sys.exit(bochs.main())\n")
        words = ["--cpu", "model", "--cpus", cpus, "--mem", "64", "--loader", "l", "image"]
        env = {**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}"}
        return subprocess.run([sys.executable, self.folder / "main.py", *words], input=keys, env=env,
                              capture_output=True, text=True, timeout=60)

    def test_the_serial_line_goes_both_ways(self):
        done = self.run_script(ENDING.format("ACPI", "soft power off"))
        self.assertEqual((done.stdout.split(), done.returncode, done.stderr), (["ready", "got", "hello"], 0, ""))

    def test_the_configuration_has_what_was_asked_for(self):
        self.run_script("")
        text = (self.folder / "bochsrc").read_text()
        for line in ("cpu: model=model, count=2:1:1, ips=50000000", "megs: 64"):
            self.assertIn(line + "\n", text)
        self.assertIn("cylinders=1,", text)

    def test_a_bad_end_is_told(self):
        done = self.run_script(ENDING.format("CPU0", "it broke"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("bochs.py: it broke; log: ", done.stderr)

    def test_two_keys_leave_it(self):
        done = self.run_script("", keys="\x01x")
        self.assertEqual((done.returncode, done.stderr), (1, ""))


class Options(unittest.TestCase):
    def test_memory_has_limits(self):
        self.assertEqual(bochs.mem("1024"), 1024)
        for bad in ("31", "4096", "-1", "x", ""):
            with self.subTest(bad=bad), self.assertRaises(argparse.ArgumentTypeError):
                bochs.mem(bad)

    def test_what_is_not_installed_is_named(self):
        with mock.patch.object(bochs.shutil, "which", return_value=None):
            with self.assertRaisesRegex(bochs.BochsError, "bochs is missing: install bochs, bochs-sdl"):
                bochs.check_installed()
        with mock.patch.object(bochs, "VGA_BIOS", pathlib.Path("/nonexistent")):
            with self.assertRaisesRegex(bochs.BochsError, "/nonexistent is missing: install"):
                bochs.check_installed()


if __name__ == "__main__":
    unittest.main()
