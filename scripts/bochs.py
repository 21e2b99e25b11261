#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Boot axvm-demo from a disk in Bochs, the machine's COM1 on standard input and output.

The exit status is 0 if the machine was powered off, 1 if it ended otherwise (Bochs' own status is always 1), 2 if
it could not be started. With AXVM_BOCHS_ERRORS=1 Bochs' log has every exit of a guest, and why an instruction of
VMX failed; that takes its time.
"""
import argparse
import contextlib
import os
import pathlib
import pty
import re
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import tty

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import mkdisk  # noqa: E402  (needs the path above)

BIOS = pathlib.Path("/usr/share/bochs/BIOS-bochs-latest")
VGA_BIOS = pathlib.Path("/usr/share/vgabios/vgabios.bin")
PACKAGES = "bochs, bochs-sdl, bochsbios and vgabios"
HEADLESS = {"SDL_VIDEODRIVER": "dummy", "SDL_AUDIODRIVER": "dummy"}
INSTRUCTIONS_PER_SECOND = 50_000_000  # of the machine's clocks
MIN_MEM, MAX_MEM = 32, 2048
POWER_OFF = "soft power off"
BAD_CPU = "cpu directive malformed"
ENDING = "Bochs is exiting with the following message:"
LOG_ERRORS = "AXVM_BOCHS_ERRORS"
LEAVE = b"\x01x"  # Ctrl-A x, as in QEMU

# A disk has 16 heads and 63 sectors per track; unknown MSRs and ports are the guests' business.
CONFIGURATION = """\
plugin_ctrl: speaker=0
display_library: sdl2
cpu: model={cpu}, count={cpus}:1:1, ips={ips}
megs: {mem}
romimage: file={bios}
vgaromimage: file={vga_bios}
ata0-master: type=disk, path={disk}, mode=flat, cylinders={cylinders}, heads=16, spt=63
boot: disk
com1: enabled=1, mode=term, dev={terminal}
port_e9_hack: enabled=1
sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy
clock: sync=none
log: {log}
panic: action=fatal
error: action={errors}
info: action=ignore
debug: action=ignore
"""


class BochsError(Exception):
    pass


class Stopped(Exception):
    pass


def stop(*_):
    raise Stopped


def check_installed():
    missing = [path for path in (BIOS, VGA_BIOS) if not path.exists()]
    if not shutil.which("bochs"):
        missing.insert(0, "bochs")
    if missing:
        raise BochsError(f"{missing[0]} is missing: install {PACKAGES}")


def write_configuration(args, folder, terminal):
    """Returns the words that start Bochs."""
    disk = mkdisk.make(args.loader, args.image, args.bundle, args.append)
    (folder / "disk").write_bytes(disk)
    (folder / "bochsrc").write_text(CONFIGURATION.format(
        cpu=args.cpu, cpus=args.cpus, ips=INSTRUCTIONS_PER_SECOND, mem=args.mem, bios=BIOS, vga_bios=VGA_BIOS,
        disk=folder / "disk", cylinders=len(disk) // mkdisk.TRACK, terminal=terminal, log=args.log,
        errors="report" if os.environ.get(LOG_ERRORS) else "ignore"))
    (folder / "commands").write_text("c\n")  # Debian's Bochs waits in its debugger
    return ["bochs", "-q", "-f", str(folder / "bochsrc"), "-rc", str(folder / "commands")]


@contextlib.contextmanager
def keys(interactive):
    """Our terminal passes on keys as they are pressed; Ctrl-C as well if `interactive`."""
    if not os.isatty(0):
        yield
        return
    before = termios.tcgetattr(0)
    try:
        if interactive:
            tty.setraw(0)
        else:
            tty.setcbreak(0)
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


class Relay:
    """Passes COM1's output and our input on, and keeps what Bochs itself says."""

    def __init__(self, emulator, com1):
        self.said = ""
        self._emulator, self._com1 = emulator, com1
        self._last_key = b""
        os.set_blocking(com1, False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(com1, selectors.EVENT_READ, self._show)
        self._selector.register(emulator.stdout, selectors.EVENT_READ, self._note)
        with contextlib.suppress(PermissionError):  # a file has no events: it has no keys either
            self._selector.register(0, selectors.EVENT_READ, self._press)
        self._running = True

    def run(self):
        while self._running:
            for key, _ in self._selector.select():
                key.data()
        self._show()
        self._selector.close()

    def _show(self):
        with contextlib.suppress(BlockingIOError, OSError):
            while data := os.read(self._com1, 65536):
                sys.stdout.buffer.write(data)
                sys.stdout.buffer.flush()

    def _note(self):
        data = os.read(self._emulator.stdout.fileno(), 65536)
        self.said += data.decode("utf-8", "replace")
        self._running = bool(data)

    def _press(self):
        data = os.read(0, 4096)
        if not data:
            self._selector.unregister(0)
            return
        if LEAVE in self._last_key + data:
            raise Stopped
        self._last_key = data[-1:]
        for at in range(0, len(data), 256):
            with contextlib.suppress(BlockingIOError):  # nobody reads in there
                os.write(self._com1, data[at:at + 256])


def verdict(said, cpu):
    """(exit status, message) of what Bochs said at its end."""
    _, found, rest = said.partition(ENDING)
    lines = rest.strip().splitlines()
    why = re.sub(r"^\[[^]]*\] *", "", lines[0]) if found and lines else "Bochs ended without saying why"
    if POWER_OFF in why:
        return 0, ""
    return 1, f"Bochs has no CPU model '{cpu}'" if BAD_CPU in why else why


def boot(args):
    """(exit status, message)"""
    with tempfile.TemporaryDirectory(prefix="axvm-bochs-") as name:
        com1, terminal = pty.openpty()
        tty.setraw(terminal)
        command = write_configuration(args, pathlib.Path(name), os.ttyname(terminal))
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env={**os.environ, **HEADLESS}, cwd=name) as emulator:
            try:
                relay = Relay(emulator, com1)
                with keys(args.interactive):
                    relay.run()
            except (Stopped, KeyboardInterrupt):
                return 1, ""
            finally:
                emulator.kill()
        return verdict(relay.said, args.cpu)


def mem(text):
    if not text.isascii() or not text.isdigit() or not MIN_MEM <= int(text) <= MAX_MEM:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of MiB from {MIN_MEM} to {MAX_MEM}")
    return int(text)


def arguments(argv):
    parser = argparse.ArgumentParser(prog="bochs.py", description=__doc__.splitlines()[0])
    parser.add_argument("--cpu", required=True, help="a CPU model of Bochs")
    parser.add_argument("--cpus", type=int, default=1)
    parser.add_argument("--mem", type=mem, required=True, metavar="MIB")
    parser.add_argument("--loader", required=True, help="axvm-disk.bin")
    parser.add_argument("--bundle")
    parser.add_argument("--append", default="", help="words for the hypervisor")
    parser.add_argument("--interactive", action="store_true", help="every key goes to the machine, but Ctrl-A x")
    parser.add_argument("--log", default="/dev/null", help="Bochs' own log")
    parser.add_argument("image", help="axvm-demo.bin")
    return parser.parse_args(argv)


def main(argv=None):
    args = arguments(argv)
    signal.signal(signal.SIGTERM, stop)
    try:
        check_installed()
        status, message = boot(args)
    except (BochsError, mkdisk.DiskError, OSError) as error:
        status, message = 2, str(error)
    except Stopped:
        status, message = 1, ""
    if message:
        print(f"bochs.py: {message}" + (f"; log: {args.log}" if status == 1 else ""), file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
