#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Build axvm-demo and run a guest on it in an emulator.

Installs what is missing, builds, makes the guest's bundle and starts the emulator. The exit status
is 0 if the hypervisor says that every VM ended well, 1 if not, 2 if it could not be started.
"""
import argparse
import contextlib
import dataclasses
import math
import os
import pathlib
import selectors
import subprocess
import sys
import time

import guest
import machine

MAX_VCPUS = 8  # axvm/include/axvm/config.h
MAX_CPUS = 8  # axvm-demo/src/hostinfo.h
TAIL_SIZE = 65536
SILENT_TIMEOUT = 60  # for a guest that takes keys, when there are no more
NO_KEYS = "standard input has ended, and this guest waits for keys"


@dataclasses.dataclass(frozen=True)
class Guest:
    about: str
    builtin: str = ""
    config: str | None = None
    words: str = ""
    interactive: bool = False
    enter_after: str = ""  # Enter is pressed once the guest has printed this: the UART interrupts
    debian: tuple[str, ...] = ()  # the files of guest.py that are kernel and ramdisk
    built: str = ""  # the kernel, a file that was built with the hypervisor
    archs: tuple[str, ...] = tuple(machine.ARCHS)


BOOT = ("kernel", "initramfs")
GUESTS = {
    "builtin": Guest("self-test of what the hypervisor promises, inside its image", builtin="selftest"),
    "hello": Guest("the smallest guest, inside the hypervisor's image", builtin="hello"),
    "bench": Guest("what exits cost, inside the hypervisor's image", builtin="bench"),
    "linux": Guest("stock Debian kernel with busybox; reports and powers off", config="linux.toml", debian=BOOT,
                   enter_after="SLEEP-START"),
    "linux-pvh": Guest("the same kernel, started without its decompressor", config="linux-pvh.toml",
                       debian=("vmlinux", "initramfs"), enter_after="SLEEP-START", archs=("x86_64",)),
    "linux-shell": Guest("the same with a shell; leave it with 'exit', Ctrl-] x or Ctrl-A x",
                         config="linux.toml", debian=BOOT, words="axvm.shell", interactive=True),
    "u-boot": Guest("Debian's U-Boot at its prompt; leave it with 'poweroff', Ctrl-] x or Ctrl-A x",
                    config="u-boot.toml", interactive=True, archs=("riscv64",)),
    "multiboot": Guest("a Multiboot guest of our own; says what its loader gave it and powers off",
                       config="multiboot.toml", built="guest-multiboot.elf", archs=("x86_64",)),
    "memtest": Guest("Debian's memtest86+, which never ends; leave it with Ctrl-] x or Ctrl-A x",
                     config="memtest.toml", debian=("memtest",), interactive=True, archs=("x86_64",)),
}
GUEST_WORDS = {"selftest": "builtin"}  # what it is called inside the image


def guests_of(name):
    return [guest_name for guest_name, entry in GUESTS.items() if machine.MACHINES[name].arch in entry.archs]


class UsageError(Exception):
    pass


class Late(Exception):
    """It takes too long, and why that is."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """Seconds: for all of it, and until the first output; `why` says what may be wrong without that."""
    all: float
    start: float
    why: str


class Parser(argparse.ArgumentParser):
    def error(self, message):
        raise UsageError(f"{message}; scripts/demo.sh --help tells more")


def only_for(entry):
    return "" if len(entry.archs) == len(machine.ARCHS) else f" ({', '.join(entry.archs)} only)"


def positive(text):
    if not text.isascii() or not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"'{text}' is not a positive number")
    return int(text)


def count_up_to(most):
    def count(text):
        if text not in map(str, range(1, most + 1)):
            raise argparse.ArgumentTypeError(f"'{text}' is not a number from 1 to {most}")
        return int(text)
    return count


vcpu_count, cpu_count = count_up_to(MAX_VCPUS), count_up_to(MAX_CPUS)


def arguments(argv):
    names = "\n".join(f"  {name:12} {entry.about}" + only_for(entry) for name, entry in GUESTS.items())
    parser = Parser(prog="demo.sh", description=__doc__, allow_abbrev=False,
                    epilog=f"machines: {', '.join(machine.MACHINES)}\nguests:\n{names}",
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("machine", nargs="?", default="aarch64", metavar="MACHINE",
                        help="an architecture in QEMU, or x86_64-vmx: Intel's in Bochs (default: %(default)s)")
    parser.add_argument("guest", nargs="?", metavar="GUEST", help="default: builtin")
    parser.add_argument("--cpus", type=cpu_count, default=1, metavar="N",
                        help=f"number of CPUs of the emulated machine, 1 to {MAX_CPUS} (default: %(default)s)")
    parser.add_argument("--vcpus", type=vcpu_count, metavar="N", help=f"number of virtual CPUs of the guest, 1 to {MAX_VCPUS}")
    models = "; ".join(f"{name}: {this.cpu} (default), {this.other_cpus}" for name, this in machine.MACHINES.items())
    parser.add_argument("--cpu", metavar="MODEL", help=f"the emulator's CPU model, like {models}")
    limits = ", ".join(f"{name} {this.timeout}" for name, this in machine.MACHINES.items())
    parser.add_argument("--timeout", type=positive, metavar="S",
                        help=f"stop after S seconds (default: {limits}; none for a shell)")
    parser.add_argument("--mem", type=positive, default=1024, metavar="MIB",
                        help="memory of the emulated machine in MiB (default: %(default)s)")
    parser.add_argument("--append", default="", metavar="WORDS", help="more words for the guest's command line")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.FIELD=VALUE",
                        help="override a field of the guest's TOML file")
    parser.add_argument("--bundle", type=pathlib.Path, metavar="FILE", help="run this bundle of tools/mkbundle.py")
    parser.add_argument("--compiler", choices=("gcc", "clang"), default="gcc", help="default: %(default)s")
    args = parser.parse_args(argv)
    check_arguments(args)
    return args


def check_arguments(args):
    if args.machine not in machine.MACHINES:
        raise UsageError(f"no such machine '{args.machine}'; machines: {', '.join(machine.MACHINES)}")
    if args.bundle and args.guest:
        raise UsageError("give a guest or --bundle, not both")
    if args.bundle and not args.bundle.is_file():
        raise UsageError(f"no such file '{args.bundle}'")
    if args.bundle and not args.bundle.stat().st_size:
        raise UsageError(f"'{args.bundle}' is empty")
    args.guest = args.guest or "builtin"
    args.guest = GUEST_WORDS.get(args.guest, args.guest)
    if args.guest not in guests_of(args.machine):
        raise UsageError(f"no such guest '{args.guest}' for {args.machine}; guests: {', '.join(guests_of(args.machine))}")
    if not GUESTS[args.guest].config and (args.append or args.set):
        what = "--bundle" if args.bundle else f"guest '{args.guest}'"
        raise UsageError(f"{what} takes no --append and no --set")


def bundle_for(args, image):
    chosen = GUESTS[args.guest]
    if args.bundle or not chosen.config:
        return args.bundle
    overrides = []
    if chosen.built:
        overrides = [f"kernel.kernel_path={image.parent / 'guests' / chosen.built}"]
    if chosen.debian:
        files = guest.ensure(machine.MACHINES[args.machine].arch)
        overrides = [f"kernel.{field}={files[name]}"
                     for field, name in zip(("kernel_path", "ramdisk_path"), chosen.debian)]
    output = machine.BUILD / f"{args.machine}-{args.guest}.bundle"
    config = machine.CONFIGS / machine.MACHINES[args.machine].arch / chosen.config
    return machine.make_bundle(args.machine, output, [config], overrides + args.set,
                               f"{chosen.words} {args.append}".strip())


def emulator_command(args, image, bundle):
    options = [] if bundle else [f"axvm.guest={GUESTS[args.guest].builtin}"]
    if args.vcpus:
        options.append(f"axvm.vcpus={args.vcpus}")
    return machine.command(args.machine, image, bundle, args.cpu, args.mem, args.cpus,
                           GUESTS[args.guest].interactive, " ".join(options))


class Relay:
    """Passes the emulator's output on, and our keys if `piped`; raises Late when it takes too long."""

    def __init__(self, emulator, limits, enter_after, piped):
        self.tail = b""
        self._emulator, self._limits = emulator, limits
        self._waiting = enter_after.encode()
        self._pressed = False
        self._start = time.monotonic()
        self._silent_since = math.inf  # counts once there are no more keys
        self._selector = selectors.PollSelector()  # which takes files as well
        self._selector.register(emulator.stdout, selectors.EVENT_READ, self._show)
        if piped:
            self._selector.register(0, selectors.EVENT_READ, self._press)

    def run(self):
        """Until the emulator ends; returns the last of its output."""
        with self._selector:
            while self._emulator.stdout in self._selector.get_map():
                for key, _ in self._selector.select(self._left()):
                    key.data()
        return self.tail.decode("utf-8", "replace")

    def _left(self):
        now = time.monotonic()
        ends = [(self._start + self._limits.all, "--timeout changes that"),
                (self._silent_since + SILENT_TIMEOUT, NO_KEYS)]
        if not self.tail:
            ends.append((self._start + self._limits.start, self._limits.why))
        end, why = min(ends)
        if end <= now:
            raise Late(f"stopped after {now - self._start:.0f} s: {why}")
        return None if end == math.inf else end - now

    def _show(self):
        data = os.read(self._emulator.stdout.fileno(), 65536)
        if not data:
            self._selector.unregister(self._emulator.stdout)
            return
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        self.tail = (self.tail + data)[-TAIL_SIZE:]
        if self._silent_since != math.inf:
            self._silent_since = time.monotonic()
        if self._waiting and self._waiting in self.tail:
            self._type(b"\n")
            self._waiting = b""

    def _press(self):
        data = os.read(0, 4096)
        if data:
            self._pressed = True
            self._type(data)
        else:
            self._selector.unregister(0)
            self._silent_since = time.monotonic() if self._pressed else -math.inf

    def _type(self, data):
        with contextlib.suppress(BrokenPipeError):  # it has ended meanwhile
            self._emulator.stdin.write(data)
            self._emulator.stdin.flush()


def stop(emulator):
    """Ends the emulator, which then gives the terminal back as it was."""
    emulator.terminate()
    emulator.wait()


def run(args, command):
    chosen = GUESTS[args.guest]
    this = machine.MACHINES[args.machine]
    timeout = args.timeout or (math.inf if chosen.interactive else this.timeout)
    limits = Limits(timeout, math.inf if args.bundle or chosen.config else this.start_timeout,
                    f"without any output: is it a CPU for {this.arch}? --cpu {this.cpu} is")
    piped = chosen.interactive and not os.isatty(0)
    keys = subprocess.PIPE if chosen.enter_after or piped else None
    with subprocess.Popen(command, stdin=keys, stdout=subprocess.PIPE) as emulator:
        try:
            output = Relay(emulator, limits, chosen.enter_after, piped).run()
            status = emulator.wait()
        except Late as late:
            stop(emulator)
            print(f"\ndemo.sh: {late}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            stop(emulator)
            return 130
    if status:
        print(f"demo.sh: {pathlib.Path(this.emulator).name} ended with status {status}", file=sys.stderr)
        return 1
    if not machine.ended_well(status, output):
        print("demo.sh: not every VM ended well", file=sys.stderr)
        return 1
    return 0


def main(argv=None):
    try:
        args = arguments(argv)
        subprocess.run([str(machine.ROOT / "scripts/setup.sh"), "demo", args.machine], check=True)
        print(f"demo.sh: building axvm-demo for {args.machine}", file=sys.stderr, flush=True)
        image = machine.build_image(args.machine, args.compiler)
        command = emulator_command(args, image, bundle_for(args, image))
    except (UsageError, machine.MachineError, guest.GuestError, OSError) as error:
        print(f"demo.sh: {error}", file=sys.stderr)
        return 2
    except subprocess.CalledProcessError:
        return 2
    sys.stderr.flush()
    return run(args, command)


if __name__ == "__main__":
    sys.exit(main())
