#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How scripts/suites.py counts."""
import contextlib
import io
import pathlib
import sys
import tempfile
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import tools_path  # noqa: E402,F401
import driver  # noqa: E402
import machine  # noqa: E402
import suites  # noqa: E402


class Fixture(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.enterContext(mock.patch.object(machine, "LOGS", pathlib.Path(folder.name)))
        self.out = self.enterContext(contextlib.redirect_stdout(io.StringIO()))
        self.report = suites.Report()

    def program(self, result, stdout="", **more):
        test = {"name": "axvm-c:unit / vcpu", "result": result, "stdout": stdout, **more}
        suites.report_program(self.report, "unit", "host", test)
        return self.report.summary()


class Tap(unittest.TestCase):
    def test_every_kind_of_line_is_read(self):
        text = ("TAP version 13\n1..4\nok 1 - a_good_case\nnot ok 2 - a_bad_case\n# why\n"
                "ok 3 - a_skipped_case # SKIP no device\nok 4 # SKIP another\nokay 5 - noise\n")
        self.assertEqual(list(suites.tap_results(text)), [
            ("a_good_case", "pass", ""), ("a_bad_case", "FAIL", ""), ("a_skipped_case", "skip", "no device"),
            ("another", "skip", "another")])


class Programs(Fixture):
    def test_each_case_counts(self):
        self.assertEqual(self.program("OK", "ok 1 - a\nok 2 - b\nok 3 # SKIP c\n"), "2 passed, 0 failed, 1 skipped")

    def test_a_failed_case_counts_once(self):
        self.assertEqual(self.program("FAIL", "ok 1 - a\nnot ok 2 - b\n"), "1 passed, 1 failed, 0 skipped")

    def test_a_program_that_dies_after_its_cases_is_a_failure(self):
        self.assertEqual(self.program("ERROR", "ok 1 - a\n", returncode=1, stderr="leak"),
                         "1 passed, 1 failed, 0 skipped")

    def test_a_program_that_times_out_is_a_failure(self):
        self.assertEqual(self.program("TIMEOUT"), "0 passed, 1 failed, 0 skipped")

    def test_a_program_without_cases_counts_as_one(self):
        self.assertEqual(self.program("OK"), "1 passed, 0 failed, 0 skipped")
        self.assertEqual(self.program("SKIP"), "1 passed, 0 failed, 1 skipped")


class Cases(Fixture):
    def run_case(self, outcome):
        def function():
            if isinstance(outcome, Exception):
                raise outcome
            return outcome
        self.report.case("system", "name", function)
        return self.report.summary()

    def test_each_outcome_is_counted_and_said(self):
        self.run_case("detail")
        self.run_case(driver.Skipped("no tool"))
        self.run_case(driver.CaseFailed("wrong"))
        self.run_case(OSError(2, "No such file or directory", "qemu"))
        self.assertEqual(self.run_case(machine.MachineError("no build")), "1 passed, 3 failed, 1 skipped")
        for part in ("pass system: name: detail", "skip system: name: no tool", "FAIL system: name: wrong", "qemu"):
            self.assertIn(part, self.out.getvalue())

    def test_the_checks_of_a_guest_count_too(self):
        tap = driver.Tap("ok 1 - a\nnot ok 2 - b\n", "done")
        self.assertEqual(self.run_case(tap), "2 passed, 1 failed, 0 skipped")


class Main(Fixture):
    def main(self, suite):
        with mock.patch.dict(suites.SUITES, {"unit": suite}), \
             mock.patch.object(suites.subprocess, "run", return_value=mock.Mock(returncode=0)):
            status = suites.main(["unit"])
        return status, self.out.getvalue().splitlines()[-1]

    def test_the_last_line_and_the_status_tell_the_result(self):
        for result, status, line in (("pass", 0, "1 passed, 0 failed, 0 skipped"),
                                     ("FAIL", 1, "0 passed, 1 failed, 0 skipped"),
                                     ("skip", 1, "0 passed, 0 failed, 1 skipped")):
            with self.subTest(result=result):
                got = self.main(lambda report, result=result: report.add("unit", "x", result))
                self.assertEqual(got, (status, line))

    def test_nothing_run_is_a_failure(self):
        self.assertEqual(self.main(lambda report: None), (1, "0 passed, 0 failed, 0 skipped"))


if __name__ == "__main__":
    unittest.main()
