# SPDX-License-Identifier: Apache-2.0
"""How to build axvm-demo, make the bundle of a named guest, and start the emulator, per architecture.

scripts/demo.py and tests/system both start the hypervisor through this module.
"""
import dataclasses
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("AXVM_BUILD_DIR", ROOT / "build"))
LOGS = BUILD / "logs"
CONFIGS = ROOT / "axvm-demo" / "configs"
MKBUNDLE = ROOT / "tools" / "mkbundle.py"


class MachineError(Exception):
    pass


@dataclasses.dataclass(frozen=True)
class Arch:
    emulator: str
    options: tuple[str, ...]
    cpu: str
    other_cpus: str  # for people
    image: str = "axvm-demo.bin"


ARCHS = {
    "aarch64": Arch("qemu-system-aarch64", ("-M", "virt,virtualization=on,gic-version=3"), "cortex-a72", "max"),
    "riscv64": Arch("qemu-system-riscv64", ("-M", "virt"), "rv64", "rv64,sstc=off"),
    "x86_64": Arch("qemu-system-x86_64", ("-M", "q35"), "max", "EPYC", "axvm-demo.elf"),
}


def logged(name, command, **kwargs):
    """Run with output in build/logs/NAME.log; MachineError shows its tail."""
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"{name}.log"
    with open(log, "wb") as out:
        status = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=out,
                                stderr=subprocess.STDOUT, cwd=ROOT, **kwargs).returncode
    if status:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-40:])
        raise MachineError(f"{tail}\n{command[0]} failed with status {status}; all of it: {log}")
    return log


def configure(build_dir, options, name):
    if not (build_dir / "build.ninja").exists():
        logged(name, ["meson", "setup", "--wrap-mode=nodownload", build_dir, *options])


def compile_all(build_dir, name, targets=()):
    return logged(name, ["ninja", "-C", build_dir, "-j", os.cpu_count(), *targets])


def build_image(arch, compiler="gcc", options=()):
    """Configure once, build what changed, and return the hypervisor's image."""
    name = arch if compiler == "gcc" else f"{arch}-{compiler}"
    build_dir = BUILD / name
    configure(build_dir, ["--cross-file", ROOT / "cross" / f"{arch}-none-{compiler}.ini", *options],
              f"setup-{name}")
    compile_all(build_dir, f"build-{name}")
    wanted = ARCHS[arch].image
    images = sorted(build_dir.rglob(wanted))
    if len(images) != 1:
        raise MachineError(f"{build_dir}: expected one {wanted}, found {len(images)}")
    return images[0]


def make_bundle(arch, output, tomls, overrides=(), append=""):
    command = [sys.executable, str(MKBUNDLE), "-o", str(output), "--arch", arch, *map(str, tomls), "--append", append]
    for override in overrides:
        command += ["--set", override]
    done = subprocess.run(command, text=True, stderr=subprocess.PIPE)
    if done.returncode:
        raise MachineError(done.stderr.strip())
    return output


def ended_well(status, output):
    """Whether every VM ended well: the last line that the hypervisor wrote says so.

    The emulator could pass on an exit status by semihosting, but it offers semihosting calls to the
    guests too, and with them the files of this machine. So it stays off, and the console decides.
    """
    said = re.findall(r"^\[axvm\] (.*)", output.replace("\r", ""), re.M)
    return status == 0 and bool(said) and said[-1].startswith("all VMs ended: success")


def command(arch, image, bundle=None, cpu=None, mem=1024, serial=("-serial", "stdio"), options="",
            extra=()):
    """The emulator's command line; `options` are the hypervisor's own words (axvm-demo/src/options.c)."""
    this = ARCHS[arch]
    words = [this.emulator, *this.options, "-cpu", cpu or this.cpu, "-smp", "1", "-m", str(mem),
             "-nographic", "-nodefaults", *serial, "-no-reboot", "-kernel", str(image)]
    if bundle:
        words += ["-initrd", str(bundle)]
    if options:
        words += ["-append", options]
    return words + list(extra)
