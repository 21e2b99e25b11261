# SPDX-License-Identifier: Apache-2.0
"""Run a command with a deadline, watch its console, type into it, and say what went wrong."""
import contextlib
import os
import pathlib
import pty
import re
import selectors
import signal
import subprocess
import time

import machine

# The machine that runs the tests may be slow or shared: deadlines are generous, and can be stretched.
SCALE = float(os.environ.get("AXVM_TIMEOUT_SCALE", "1"))
TAIL_LINES = 25
MAX_FAILED_CHECKS = 20
FAILED_CHECK = re.compile(r"^(?:.*# .*\n)?(?:\[[^]]+\] )?not ok .*(?:\n.*# got .*)?", re.M)


class CaseFailed(Exception):
    pass


class Skipped(Exception):
    pass


class Tap:
    """The result of a case whose guest printed checks as TAP."""

    def __init__(self, text, detail):
        self.text = text
        self._detail = detail

    def __str__(self):
        return self._detail


def log_path(name, suffix=".log"):
    machine.LOGS.mkdir(parents=True, exist_ok=True)
    return machine.LOGS / (re.sub(r"[^\w.-]+", "-", name) + suffix)


class Console:
    """A running command. `text` is all it printed so far, without carriage returns; `own_log` what it
    writes elsewhere about itself."""

    def __init__(self, name, command, timeout, terminal=False, own_log=None):
        self.log = log_path(name)
        self._own_log = own_log
        self.text = ""
        self._deadline = time.monotonic() + timeout * SCALE
        self._at = 0
        self._log = open(self.log, "wb")
        self._log.write((" ".join(map(str, command)) + "\n").encode())
        self._open(list(map(str, command)), terminal)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._output, selectors.EVENT_READ)

    def _open(self, command, terminal):
        if terminal:
            ours, theirs = pty.openpty()
            self._process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs,
                                             start_new_session=True, cwd=machine.ROOT)
            os.close(theirs)
            self._input = self._output = ours
        else:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                             stderr=subprocess.STDOUT, start_new_session=True,
                                             cwd=machine.ROOT)
            self._input, self._output = self._process.stdin.fileno(), self._process.stdout.fileno()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._selector.close()
        self._log.close()

    def fail(self, why):
        failed = FAILED_CHECK.findall(self.text)[:MAX_FAILED_CHECKS]
        tail = self.text.splitlines()[-TAIL_LINES:]
        raise CaseFailed("\n".join([why, *failed, "its end:", *tail, f"all of it: {self.log}"]))

    def _fail_at_end(self, wanted):
        self.fail(f"ended with status {self.finish()} before {wanted} was seen{self._triple_fault()}")

    def _triple_fault(self):
        """A host that ends without a word: what the emulator has logged of it."""
        text = self._own_log.read_text(errors="replace") if self._own_log and self._own_log.exists() else ""
        at = text.rfind("Triple fault")
        return "\n" + "\n".join(text[at:].splitlines()[:TAIL_LINES]) if at >= 0 else ""

    def _read(self, why, most=None):
        """Take in more output, waiting `most` seconds; False at its end."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            self.fail(f"deadline passed while waiting for {why}")
        if not self._selector.select(left if most is None else min(left, most)):
            return True
        try:
            data = os.read(self._output, 65536)
        except OSError:  # a terminal whose other side was closed
            data = b""
        self._log.write(data)
        self.text += data.decode("utf-8", "replace").replace("\r", "")
        return bool(data)

    def expect(self, pattern):
        """Wait for `pattern` after what the last expect() found; returns the match."""
        regex = re.compile(pattern, re.M)
        while True:
            found = regex.search(self.text, self._at)
            if found:
                self._at = found.end()
                return found
            if not self._read(f"/{pattern}/"):
                self._fail_at_end(f"/{pattern}/")

    def ask(self, text, pattern, every=1.0):
        """Send `text` again and again until `pattern` is seen; for keys that may come too early."""
        regex = re.compile(pattern, re.M)
        while True:
            self.send(text)
            again = time.monotonic() + every
            while time.monotonic() < again:
                found = regex.search(self.text, self._at)
                if found:
                    self._at = found.end()
                    return found
                if not self._read(f"/{pattern}/", every):
                    self._fail_at_end(f"/{pattern}/")

    def send(self, text):
        with contextlib.suppress(BrokenPipeError):  # it has ended: whoever reads on will see that
            os.write(self._input, text.encode())

    def finish(self):
        """Wait for the end; returns the exit status."""
        while self._read("the end"):
            pass
        try:
            status = self._process.wait(max(0.1, self._deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.fail("closed its output but did not end")
        if status < 0:
            self.fail(f"ended by {signal.Signals(-status).name}")
        return status

    def search(self, pattern):
        found = re.search(pattern, self.text, re.M)
        if not found:
            self.fail(f"/{pattern}/ was not printed")
        return found


def emulator(name, arch, image, timeout, bundle=None, extra=(), **options):
    """axvm-demo in the emulator, serial line on a pipe; `options` are those of machine.command()."""
    own_log = log_path(f"{arch}-{name}", ".resets")
    words = [*extra, "-d", "cpu_reset", "-D", str(own_log)]
    return Console(f"{arch}-{name}", machine.command(arch, image, bundle, extra=words, **options), timeout,
                   own_log=own_log)


def scratch(name):
    path = machine.BUILD / "scratch" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return pathlib.Path(path)


def case_name(function):
    return function.__name__.removeprefix("case_").replace("_", " ")
