# SPDX-License-Identifier: Apache-2.0
"""The emulator's debug port: stop a CPU at an address, change its registers, let it go on."""
import contextlib
import re
import socket
import time

import driver

# Numbers of a RISC-V hart's registers.
A1 = 11
PC = 32
CONNECT_SECONDS = 20
ANSWER_SECONDS = 60


class DebugError(driver.CaseFailed):
    pass


def options(path):
    """Words for the emulator: its CPUs wait until they are let go through the socket at `path`."""
    return ("-S", "-chardev", f"socket,path={path},server=on,wait=off,id=debug", "-gdb", "chardev:debug")


class Debugger:
    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(ANSWER_SECONDS * driver.SCALE)
        self._input = b""
        self._cpu = ""
        end = time.monotonic() + CONNECT_SECONDS * driver.SCALE
        while True:
            with contextlib.suppress(OSError):
                self._socket.connect(str(path))
                break
            if time.monotonic() > end:
                raise DebugError("the emulator opens no debug port")
            time.sleep(0.05)
        self._ask("qXfer:features:read:target.xml:0,ffb")  # without it there are no single registers

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def _ask(self, text):
        data = text.encode()
        self._socket.sendall(b"$%b#%02x" % (data, sum(data) & 0xFF))
        while not (packet := re.search(rb"\$([^#]*)#..", self._input)):
            try:
                more = self._socket.recv(4096)
            except OSError:  # too late, or reset
                more = b""
            if not more:
                raise DebugError(f"the emulator does not answer '{text}'")
            self._input += more
        self._input = self._input[packet.end():]
        self._socket.sendall(b"+")
        return packet[1].decode()

    def _order(self, text):
        answer = self._ask(text)
        if answer != "OK":
            raise DebugError(f"'{text}' is answered '{answer}'")

    def run_to(self, address):
        """The CPU that comes to `address` first; all are stopped then."""
        self._order(f"Z0,{address:x},4")
        stop = self._ask("vCont;c")
        self._order(f"z0,{address:x},4")
        self._cpu = re.search(r"thread:([^;]+)", stop)[1]
        self._order(f"Hg{self._cpu}")

    def write(self, register, value):
        """Of the CPU that stopped last."""
        self._order(f"P{register:x}={value.to_bytes(8, 'little').hex()}")

    def step(self):
        self._ask(f"vCont;s:{self._cpu}")

    def let_go(self):
        self._order("D")
