#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run test suites (all of them when none is named).

Every case counts: each cmocka test, each Python test, each build, each run of the emulator. Logs go
to build/logs. The last line reads `N passed, N failed, N skipped`; the exit status is 0 if something
passed and nothing failed.
"""
import argparse
import ast
import json
import os
import re
import shutil
import subprocess
import sys
import time
import unittest
import xml.etree.ElementTree

import machine

sys.path.insert(0, str(machine.ROOT / "tests" / "system"))
sys.path.insert(0, str(machine.ROOT / "tools"))
import bench  # noqa: E402  (these need the paths above)
import consumer_cases  # noqa: E402
import driver  # noqa: E402
import host_cases  # noqa: E402
import linux_cases  # noqa: E402
import pc_cases  # noqa: E402
import system_cases  # noqa: E402
import u_boot_cases  # noqa: E402
import vmx_cases  # noqa: E402

MIN_COVERAGE = 0.90
CROSS_ARCHS = tuple(machine.ARCHS)
COMPILERS = ("gcc", "clang")
HOST_CC = {"gcc": {}, "clang": {"CC": "clang"}}
NOT_TYPOS = ("extint", "hart", "ist", "nd", "sie", "stip", "thre")
UNIT_TESTS = machine.ROOT / "tests" / "unit" / "tools"

PASS, FAIL, SKIP = "pass", "FAIL", "skip"


class Report:
    """Counts results, prints them, and keeps all of them in build/logs/results.txt."""

    def __init__(self):
        self.counts = {PASS: 0, FAIL: 0, SKIP: 0}
        machine.LOGS.mkdir(parents=True, exist_ok=True)
        self._log = open(machine.LOGS / "results.txt", "w", encoding="utf-8")

    def add(self, suite, name, result, detail="", quiet=False):
        self.counts[result] += 1
        line = f"{result} {suite}: {name}" + (f": {detail}" if detail else "")
        print(line, file=self._log, flush=True)
        if not (quiet and result == PASS):
            print(line, flush=True)

    def case(self, suite, name, function, *args):
        """One case: returns its detail, or raises driver.CaseFailed, driver.Skipped or MachineError.

        A guest that prints TAP returns a driver.Tap instead, whose checks count as well.
        """
        start = time.monotonic()
        try:
            detail = function(*args) or ""
            if isinstance(detail, driver.Tap):
                for check, result, reason in tap_results(detail.text):
                    self.add(suite, f"{name}: {check}", result, reason, quiet=True)
            self.add(suite, name, PASS, f"{detail} ({time.monotonic() - start:.1f} s)".strip())
            return True
        except driver.Skipped as reason:
            self.add(suite, name, SKIP, str(reason))
        except (driver.CaseFailed, machine.MachineError, OSError, subprocess.SubprocessError) as error:
            self.add(suite, name, FAIL, str(error))
        return False

    def summary(self):
        return f"{self.counts[PASS]} passed, {self.counts[FAIL]} failed, {self.counts[SKIP]} skipped"


# ---- Meson builds and what their tests report ----

def host_build(name, options=(), compiler="gcc"):
    """Configure (once) and compile build/NAME for this machine."""
    build_dir = machine.BUILD / name
    env = {**os.environ, **HOST_CC[compiler]}
    if not (build_dir / "build.ninja").exists():
        machine.logged(f"setup-{name}", ["meson", "setup", "--wrap-mode=nodownload", build_dir,
                                         "-Dwerror=true", *options], env=env)
    machine.compile_all(build_dir, f"build-{name}")
    return build_dir


TAP = re.compile(r"^(not )?ok \d+(?: -)? *(.*)$")


def tap_results(text):
    """(name, result, detail) for every TAP line of a test program's output."""
    for line in text.splitlines():
        found = TAP.match(line)
        if not found:
            continue
        name, _, directive = found.group(2).partition("# SKIP")
        if directive or "# SKIP" in line:
            yield (name.strip() or directive.strip()), SKIP, directive.strip() or "no reason given"
        else:
            yield name.strip(), FAIL if found.group(1) else PASS, ""


def report_program(report, suite, build, test):
    """All cases of one program of testlog.json; a program that fails beside its cases is one more."""
    program = f"{build}: {test['name'].rpartition(' / ')[2]}"
    cases = list(tap_results(test.get("stdout") or ""))
    for name, result, detail in cases:
        report.add(suite, f"{program}: {name}", result, detail, quiet=True)
    passed = test["result"] in ("OK", "EXPECTEDFAIL")
    if test["result"] == "SKIP" and not cases:
        report.add(suite, program, SKIP, "the program says so")
    elif not passed and not any(result == FAIL for _, result, _ in cases):
        tail = "\n".join(((test.get("stdout") or "") + (test.get("stderr") or "")).splitlines()[-25:])
        report.add(suite, program, FAIL, f"{test['result']} with status {test.get('returncode')}\n{tail}")
    elif not passed:
        print("\n".join((test.get("stdout") or "").splitlines()[-25:]))
    elif not cases:
        report.add(suite, program, PASS, quiet=True)
    return len(cases) or 1


def meson_test(report, suite, build_dir, words=()):
    log = build_dir / "meson-logs" / "testlog.json"
    log.unlink(missing_ok=True)
    env = {**os.environ, "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}
    failure = ""
    try:
        machine.logged(f"{suite}-{build_dir.name}", ["meson", "test", "-C", build_dir, "--no-rebuild",
                                                     "--timeout-multiplier=4", *words], env=env)
    except machine.MachineError as error:
        failure = str(error)
    tests = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    before = report.counts[FAIL]
    cases = sum(report_program(report, suite, build_dir.name, test) for test in tests)
    print(f"     {suite}: {cases} cases of {len(tests)} programs in {build_dir.name}", flush=True)
    if failure and report.counts[FAIL] == before:
        report.add(suite, "meson test", FAIL, failure)
    return len(tests)


def build_then_test(report, suite, build_dir_of, words=()):
    try:
        build_dir = build_dir_of()
    except machine.MachineError as error:
        report.add(suite, "build", FAIL, str(error))
        return None
    if not meson_test(report, suite, build_dir, words):
        report.add(suite, "meson test", FAIL, "no test ran")
    return build_dir


# ---- suites ----

def suite_unit(report):
    """cmocka tests on this machine, under AddressSanitizer and UndefinedBehaviorSanitizer"""
    build_then_test(report, "unit", lambda: host_build(
        "host-sanitize", ["-Db_sanitize=address,undefined", "-Db_lundef=false"]))
    build_then_test(report, "unit", lambda: host_build("host-gcc"), ["--suite", "abi"])


def coverage_rate(build_dir):
    machine.compile_all(build_dir, "coverage", ["coverage-report"])
    rate = float(xml.etree.ElementTree.parse(build_dir / "coverage.xml").getroot().get("line-rate"))
    text = f"{rate:.1%} of lines ({build_dir}/coverage.html)"
    if rate < MIN_COVERAGE:
        raise driver.CaseFailed(f"{text}, the bar is {MIN_COVERAGE:.0%}")
    return text


def suite_coverage(report):
    """line coverage of what runs on this machine, at least 90 %"""
    def run():
        build_dir = host_build("host-coverage", ["-Db_coverage=true"])
        for old in build_dir.rglob("*.gcda"):
            old.unlink()
        machine.logged("coverage-tests", ["meson", "test", "-C", build_dir, "--no-rebuild",
                                          "--timeout-multiplier=4"])
        return coverage_rate(build_dir)
    report.case("coverage", "lines", run)


def suite_build(report):
    """everything with gcc and clang, hosted and freestanding, warnings are errors; as others take it"""
    for compiler in COMPILERS:
        report.case("build", f"host {compiler}", lambda: host_build(f"host-{compiler}", (), compiler) and None)
        for arch in CROSS_ARCHS:
            def cross():
                name = f"werror-{arch}-{compiler}"
                build_dir = machine.BUILD / name
                machine.configure(build_dir, ["-Dwerror=true", "--cross-file", machine.ROOT / "cross" /
                                              f"{arch}-none-{compiler}.ini"], f"setup-{name}")
                log = machine.compile_all(build_dir, f"build-{name}")
                if "warning:" in log.read_text(errors="replace"):
                    raise driver.CaseFailed(f"warnings in {log}")
                if not meson_test(report, "build", build_dir):
                    raise driver.CaseFailed("its tests did not run")
            report.case("build", f"{arch} {compiler}", cross)
    run_cases(report, "build", consumer_cases.cases)


def suite_fuzz(report):
    """libFuzzer on the decoder, bundles and images, ten seconds each, under the sanitizers"""
    build_then_test(report, "fuzz", lambda: host_build(
        "host-fuzz", ["-Daxvm_fuzz=enabled", "-Daxvcpu_tests=disabled", "-Db_sanitize=address,undefined",
                      "-Db_lundef=false", "-Dc_args=-fsanitize=fuzzer-no-link"], "clang"), ["--suite", "fuzz"])


def tracked(*patterns):
    out = subprocess.run(["git", "-C", machine.ROOT, "ls-files", "-z", *patterns], check=True,
                         capture_output=True, text=True).stdout
    return [machine.ROOT / name for name in out.split("\0") if name and (machine.ROOT / name).is_file()]


def lint_python():
    files = tracked("*.py")
    for path in files:
        try:
            ast.parse(path.read_text(), str(path))
        except SyntaxError as error:
            raise driver.CaseFailed(str(error)) from None
    return f"{len(files)} files"


def lint_tool(name, tool, words, files):
    if not shutil.which(tool):
        raise driver.Skipped(f"{tool} is not installed")
    machine.logged(f"lint-{name}", [tool, *words, *files])
    return f"{len(files)} files"


def lint_bars():
    if not shutil.which("ctags"):
        raise driver.Skipped("ctags is not installed")
    files = [path.relative_to(machine.ROOT) for path in tracked()]
    machine.logged("lint-bars", [sys.executable, machine.ROOT / "tests" / "check-bars.py", machine.ROOT, *files])
    return f"{len(files)} files"


def suite_lint(report):
    """clang-format, clang-tidy, lengths of functions, shellcheck, codespell, Python syntax"""
    def ninja_target(target, build_dir_of):
        build_dir = build_dir_of()
        machine.compile_all(build_dir, f"lint-{target}-{build_dir.name}", [target])

    def cross_clang(arch):
        machine.build_image(arch, "clang")
        return machine.BUILD / f"{arch}-clang"

    def host_clang():
        return host_build("host-clang", (), "clang")

    shell = tracked("*.sh", ".ci/run")
    text = [path for path in tracked() if path.suffix != ".json" and path.name != "LICENSE"]
    report.case("lint", "clang-format", ninja_target, "format-check", host_clang)
    report.case("lint", "clang-tidy, hosted", ninja_target, "tidy", host_clang)
    for arch in CROSS_ARCHS:
        report.case("lint", f"clang-tidy, {arch}", ninja_target, "tidy", lambda arch=arch: cross_clang(arch))
    report.case("lint", "lengths of functions, #if, unfinished work", lint_bars)
    report.case("lint", "python", lint_python)
    report.case("lint", "shellcheck", lint_tool, "shellcheck", "shellcheck", ["--severity=warning"], shell)
    report.case("lint", "codespell", lint_tool, "codespell", "codespell",
                ["-L", ",".join(NOT_TYPOS)], text)


class ToolsResult(unittest.TestResult):
    def __init__(self, report):
        super().__init__()
        self._report = report

    def _add(self, test, result, detail=""):
        self._report.add("tools", test.id(), result, detail, quiet=True)

    def addSuccess(self, test):
        self._add(test, PASS)

    def addSkip(self, test, reason):
        self._add(test, SKIP, reason)

    def addFailure(self, test, err):
        self._add(test, FAIL, self._exc_info_to_string(err, test))

    addError = addFailure

    def addSubTest(self, test, subtest, err):
        if err:
            self._add(subtest, FAIL, self._exc_info_to_string(err, test))


def suite_tools(report):
    """Python tests of the tools and of the scripts' options"""
    loaded = unittest.defaultTestLoader.discover(str(UNIT_TESTS))
    loaded.run(ToolsResult(report))
    print(f"     tools: {loaded.countTestCases()} tests", flush=True)


def run_cases(report, suite, cases, names=CROSS_ARCHS):
    """`cases` of a machine gives (name, function of the image) of each case."""
    for name in names:
        image = None
        try:
            image = machine.build_image(name)
        except machine.MachineError as error:
            report.add(suite, f"{name} build", FAIL, str(error))
        for case, function in cases(name) if image else ():
            report.case(suite, f"{name} {case}", function, image)


def suite_system(report):
    """axvm-demo in QEMU: built-in guest, bad bundles, bad machines, memory, devices, CPUs, boot loaders"""
    run_cases(report, "system", system_cases.cases)
    run_cases(report, "system", host_cases.cases)
    run_cases(report, "system", pc_cases.cases)


def suite_linux(report):
    """a stock Debian kernel as the guest, its shell, and the instructions that its boot takes; U-Boot"""
    run_cases(report, "linux", linux_cases.cases)
    run_cases(report, "linux", u_boot_cases.cases)


def suite_vmx(report):
    """the same in Bochs, which has VMX: built-in guests, CPUs of several times, the stock kernel; minutes"""
    run_cases(report, "vmx", vmx_cases.cases, (vmx_cases.MACHINE,))


def suite_bench(report):
    """instructions per exit, measured by the built-in guest"""
    run_cases(report, "bench", bench.cases, tuple(machine.MACHINES))


SUITES = {name.removeprefix("suite_"): function for name, function in
          (pair for pair in globals().items() if pair[0].startswith("suite_"))}


def arguments(argv):
    names = "\n".join(f"  {name:9} {function.__doc__}" for name, function in SUITES.items())
    parser = argparse.ArgumentParser(prog="test.sh", description=__doc__, epilog=f"suites:\n{names}",
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suites", nargs="*", metavar="SUITE")
    args = parser.parse_args(argv)
    unknown = [name for name in args.suites if name not in SUITES]
    if unknown:
        print(f"test.sh: no such suite '{unknown[0]}'; suites: {', '.join(SUITES)}", file=sys.stderr)
        sys.exit(2)
    return args


def main(argv=None):
    args = arguments(argv)
    if subprocess.run([str(machine.ROOT / "scripts/setup.sh"), "test"]).returncode:
        return 2
    report = Report()
    for name in args.suites or SUITES:
        print(f"==== {name}", flush=True)
        SUITES[name](report)
    print(report.summary(), flush=True)
    return 0 if report.counts[PASS] and not report.counts[FAIL] else 1


if __name__ == "__main__":
    sys.exit(main())
