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

DEFAULT_TIMEOUT = 120
MAX_VCPUS = 8  # axvm/include/axvm/config.h
TAIL_SIZE = 65536
# Until the first output of a guest inside the image; a CPU that cannot run the hypervisor's code has none.
START_TIMEOUT = 15


@dataclasses.dataclass(frozen=True)
class Guest:
    about: str
    builtin: str = ""
    config: str | None = None
    words: str = ""
    interactive: bool = False
    enter_after: str = ""  # Enter is pressed once the guest has printed this: the UART interrupts
    debian: bool = False  # its kernel and ramdisk are those of guest.py
    archs: tuple[str, ...] = tuple(machine.ARCHS)


# Where boards have what bench and stock kernels need.
COMPLETE = ("aarch64", "riscv64")
GUESTS = {
    "builtin": Guest("self-test of what the hypervisor promises, inside its image", builtin="selftest"),
    "hello": Guest("the smallest guest, inside the hypervisor's image", builtin="hello"),
    "bench": Guest("what exits cost, inside the hypervisor's image", builtin="bench", archs=COMPLETE),
    "linux": Guest("stock Debian kernel with busybox; reports and powers off", config="linux.toml", debian=True,
                   enter_after="SLEEP-START", archs=COMPLETE),
    "linux-shell": Guest("the same with a shell; leave it with 'exit', Ctrl-] x or Ctrl-A x",
                         config="linux.toml", debian=True, words="axvm.shell", interactive=True, archs=COMPLETE),
    "u-boot": Guest("Debian's U-Boot at its prompt; leave it with 'poweroff', Ctrl-] x or Ctrl-A x",
                    config="u-boot.toml", interactive=True, archs=("riscv64",)),
}
GUEST_WORDS = {"selftest": "builtin"}  # what it is called inside the image


def guests_of(arch):
    return [name for name, entry in GUESTS.items() if arch in entry.archs]


class UsageError(Exception):
    pass


class Late(Exception):
    """The emulator ran for `seconds`, which is too long; `silent` when it wrote nothing."""

    def __init__(self, seconds, silent):
        super().__init__(seconds)
        self.seconds, self.silent = seconds, silent


class Parser(argparse.ArgumentParser):
    def error(self, message):
        raise UsageError(f"{message}; scripts/demo.sh --help tells more")


def only_for(entry):
    return "" if len(entry.archs) == len(machine.ARCHS) else f" ({', '.join(entry.archs)} only)"


def positive(text):
    if not text.isascii() or not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"'{text}' is not a positive number")
    return int(text)


def vcpu_count(text):
    if text not in map(str, range(1, MAX_VCPUS + 1)):
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 1 to {MAX_VCPUS}")
    return int(text)


def arguments(argv):
    names = "\n".join(f"  {name:12} {entry.about}" + only_for(entry) for name, entry in GUESTS.items())
    parser = Parser(prog="demo.sh", description=__doc__, allow_abbrev=False,
                    epilog=f"architectures: {', '.join(machine.ARCHS)}\nguests:\n{names}",
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("arch", nargs="?", default="aarch64", metavar="ARCH", help="default: %(default)s")
    parser.add_argument("guest", nargs="?", metavar="GUEST", help="default: builtin")
    parser.add_argument("--vcpus", type=vcpu_count, metavar="N", help=f"number of virtual CPUs of the guest, 1 to {MAX_VCPUS}")
    models = "; ".join(f"{name}: {arch.cpu} (default), {arch.other_cpus}" for name, arch in machine.ARCHS.items())
    parser.add_argument("--cpu", metavar="MODEL", help=f"the emulator's CPU model, like {models}")
    parser.add_argument("--timeout", type=positive, metavar="S",
                        help=f"stop after S seconds (default: {DEFAULT_TIMEOUT}, none for a shell)")
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
    if args.arch not in machine.ARCHS:
        raise UsageError(f"no such architecture '{args.arch}'; architectures: {', '.join(machine.ARCHS)}")
    if args.bundle and args.guest:
        raise UsageError("give a guest or --bundle, not both")
    if args.bundle and not args.bundle.is_file():
        raise UsageError(f"no such file '{args.bundle}'")
    if args.bundle and not args.bundle.stat().st_size:
        raise UsageError(f"'{args.bundle}' is empty")
    args.guest = args.guest or "builtin"
    args.guest = GUEST_WORDS.get(args.guest, args.guest)
    if args.guest not in guests_of(args.arch):
        raise UsageError(f"no such guest '{args.guest}' for {args.arch}; guests: {', '.join(guests_of(args.arch))}")
    if not GUESTS[args.guest].config and (args.append or args.set):
        what = "--bundle" if args.bundle else f"guest '{args.guest}'"
        raise UsageError(f"{what} takes no --append and no --set")


def bundle_for(args):
    chosen = GUESTS[args.guest]
    if args.bundle or not chosen.config:
        return args.bundle
    overrides = []
    if chosen.debian:
        kernel, initramfs, _ = guest.ensure(args.arch)
        overrides = [f"kernel.kernel_path={kernel}", f"kernel.ramdisk_path={initramfs}"]
    output = machine.BUILD / f"{args.arch}-{args.guest}.bundle"
    return machine.make_bundle(args.arch, output, [machine.CONFIGS / args.arch / chosen.config],
                               overrides + args.set, f"{chosen.words} {args.append}".strip())


def emulator_command(args, image, bundle):
    # A shell gets every key, Ctrl-C included; the emulator's own keys begin with Ctrl-A.
    interactive = GUESTS[args.guest].interactive
    serial = (("-chardev", "stdio,id=console,mux=on,signal=off", "-serial", "chardev:console",
               "-mon", "chardev=console") if interactive else ("-serial", "stdio"))
    options = [] if bundle else [f"axvm.guest={GUESTS[args.guest].builtin}"]
    if args.vcpus:
        options.append(f"axvm.vcpus={args.vcpus}")
    return machine.command(args.arch, image, bundle, args.cpu, args.mem, serial, " ".join(options))


def press_enter(emulator):
    with contextlib.suppress(BrokenPipeError):  # it has ended meanwhile
        emulator.stdin.write(b"\n")
        emulator.stdin.flush()


def relay(emulator, timeout, start_timeout, enter_after):
    """Pass the emulator's output on until it ends; returns the last of it, raises Late.

    Without any output it is given `start_timeout` seconds only.
    """
    start = time.monotonic()
    waiting = enter_after.encode()
    tail = b""
    with selectors.DefaultSelector() as selector:
        selector.register(emulator.stdout, selectors.EVENT_READ)
        while True:
            allowed = timeout if tail else min(timeout, start_timeout)
            left = start + allowed - time.monotonic()
            if left <= 0:
                raise Late(allowed, not tail)
            if not selector.select(None if left == math.inf else left):
                continue
            data = os.read(emulator.stdout.fileno(), 65536)
            if not data:
                return tail.decode("utf-8", "replace")
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
            tail = (tail + data)[-TAIL_SIZE:]
            if waiting and waiting in tail:
                press_enter(emulator)
                waiting = b""


def stop(emulator):
    """Ends the emulator, which then gives the terminal back as it was."""
    emulator.terminate()
    emulator.wait()


def run(args, command):
    chosen = GUESTS[args.guest]
    timeout = args.timeout or (math.inf if chosen.interactive else DEFAULT_TIMEOUT)
    start_timeout = math.inf if args.bundle or chosen.config else START_TIMEOUT
    keys = subprocess.PIPE if chosen.enter_after else None
    with subprocess.Popen(command, stdin=keys, stdout=subprocess.PIPE) as emulator:
        try:
            output = relay(emulator, timeout, start_timeout, chosen.enter_after)
            status = emulator.wait()
        except Late as late:
            stop(emulator)
            why = (f" without any output (is it a CPU for {args.arch}? --cpu {machine.ARCHS[args.arch].cpu} is)"
                   if late.silent else " (--timeout changes that)")
            print(f"\ndemo.sh: stopped after {late.seconds:g} s{why}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            stop(emulator)
            return 130
    if status:
        print(f"demo.sh: {command[0]} ended with status {status}", file=sys.stderr)
        return 1
    if not machine.ended_well(status, output):
        print("demo.sh: not every VM ended well", file=sys.stderr)
        return 1
    return 0


def main(argv=None):
    try:
        args = arguments(argv)
        subprocess.run([str(machine.ROOT / "scripts/setup.sh"), "demo", args.arch], check=True)
        print(f"demo.sh: building axvm-demo for {args.arch}", file=sys.stderr, flush=True)
        image = machine.build_image(args.arch, args.compiler)
        command = emulator_command(args, image, bundle_for(args))
    except (UsageError, machine.MachineError, guest.GuestError, OSError) as error:
        print(f"demo.sh: {error}", file=sys.stderr)
        return 2
    except subprocess.CalledProcessError:
        return 2
    sys.stderr.flush()
    return run(args, command)


if __name__ == "__main__":
    sys.exit(main())
