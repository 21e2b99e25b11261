#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The driver of the system tests, with shell commands in the place of the emulator."""
import pathlib
import sys
import tempfile
import time
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import tools_path  # noqa: E402,F401
import driver  # noqa: E402
import expectations  # noqa: E402
import machine  # noqa: E402


class Fixture(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        patcher = mock.patch.object(machine, "LOGS", pathlib.Path(folder.name))
        patcher.start()
        self.addCleanup(patcher.stop)

    def shell(self, script, timeout=10, **kwargs):
        return driver.Console("shell", ["sh", "-c", script], timeout, **kwargs)


class Console(Fixture):
    def test_it_sees_lines_in_their_order(self):
        with self.shell("echo one; echo two; exit 3") as console:
            console.expect("^one$")
            console.expect("^two$")
            self.assertEqual(console.finish(), 3)

    def test_what_was_found_is_not_found_again(self):
        with self.shell("echo one") as console:
            console.expect("one")
            with self.assertRaisesRegex(driver.CaseFailed, "ended with status 0 before /one/"):
                console.expect("one")

    def test_how_it_ended_is_said(self):
        with self.shell("exit 3") as console, self.assertRaisesRegex(driver.CaseFailed, "with status 3"):
            console.ask("hello\n", "never")
        with self.shell("kill -ABRT $$") as console, self.assertRaisesRegex(driver.CaseFailed, "by SIGABRT"):
            console.expect("never")

    def test_what_is_sent_is_read(self):
        with self.shell('read a; echo "got $a"') as console:
            console.send("hello\n")
            console.expect("^got hello$")
            self.assertEqual(console.finish(), 0)

    def test_a_question_is_asked_until_it_is_answered(self):
        with self.shell('read a; sleep 0.3; read b; echo "got $b"; cat > /dev/null') as console:
            console.ask("hello\n", "^got hello$", every=0.1)

    def test_a_terminal_is_a_terminal(self):
        with self.shell("test -t 0 && test -t 1 && echo yes; read a", terminal=True) as console:
            console.expect("^yes$")
            console.send("\n")
            self.assertEqual(console.finish(), 0)

    def test_silence_ends_at_the_deadline(self):
        start = time.monotonic()
        with self.shell("sleep 60", timeout=0.3) as console:
            with self.assertRaisesRegex(driver.CaseFailed, "deadline"):
                console.finish()
        self.assertLess(time.monotonic() - start, 5)

    def test_endless_output_ends_at_the_deadline(self):
        with self.shell("while :; do echo x; sleep 0.01; done", timeout=0.5) as console:
            with self.assertRaisesRegex(driver.CaseFailed, "deadline"):
                console.expect("y")

    def test_a_failure_shows_the_last_lines_and_the_log(self):
        with self.shell("echo some context") as console:
            with self.assertRaisesRegex(driver.CaseFailed, "(?s)some context.*shell.log"):
                console.expect("never")

    def test_a_command_that_is_left_alone_is_ended(self):
        with self.shell("echo up; sleep 60") as console:
            console.expect("up")
        self.assertIsNotNone(console._process.poll())


class Expectations(unittest.TestCase):
    def test_exit_kinds_are_read_from_a_summary(self):
        self.assertEqual(expectations.exit_kinds("mmio-read 12, hypercall 3"), {"mmio-read": 12, "hypercall": 3})
        self.assertEqual(expectations.exit_kinds(""), {})


if __name__ == "__main__":
    unittest.main()
