# SPDX-License-Identifier: Apache-2.0
"""How to build axvm-demo, make the bundle of a named guest, and start the emulator, per machine.

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
BOCHS = ROOT / "scripts" / "bochs.py"


class MachineError(Exception):
    pass


@dataclasses.dataclass(frozen=True)
class Machine:
    arch: str
    emulator: str
    options: tuple[str, ...]
    cpu: str
    other_cpus: str  # for people
    image: str = "axvm-demo.bin"
    timeout: int = 120  # seconds, for a guest that ends by itself
    # Until the first output of a guest inside the image; a CPU that cannot run the hypervisor's code has none.
    start_timeout: int = 15


MACHINES = {
    "aarch64": Machine("aarch64", "qemu-system-aarch64", ("-M", "virt,virtualization=on,gic-version=3"),
                       "cortex-a72", "max"),
    "riscv64": Machine("riscv64", "qemu-system-riscv64", ("-M", "virt"), "rv64", "rv64,sstc=off"),
    "x86_64": Machine("x86_64", "qemu-system-x86_64", ("-M", "q35"), "max", "EPYC", "axvm-demo.elf"),
    # The same image, from a disk.
    "x86_64-vmx": Machine("x86_64", "bochs", (), "corei7_skylake_x", "tigerlake", "axvm-demo.elf", 1800, 60),
}
# Those that images are built for: each is the first of its architecture.
ARCHS = {name: this for name, this in MACHINES.items() if name == this.arch}


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


def build_image(name, compiler="gcc", options=()):
    """Configure once, build what changed, and return the hypervisor's image for this machine."""
    arch = MACHINES[name].arch
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


def make_bundle(name, output, tomls, overrides=(), append=""):
    command = [sys.executable, str(MKBUNDLE), "-o", str(output), "--arch", MACHINES[name].arch, *map(str, tomls), "--append", append]
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


# The emulator's own keys begin with Ctrl-A; all others are the guest's, Ctrl-C included.
EVERY_KEY = ("-chardev", "stdio,id=console,mux=on,signal=off", "-serial", "chardev:console", "-mon", "chardev=console")


def command(name, image, bundle=None, cpu=None, mem=1024, cpus=1, interactive=False, options="", extra=()):
    """The emulator's command line; `options` are the hypervisor's own words (axvm-demo/src/options.c)."""
    this = MACHINES[name]
    if this.emulator == "bochs":
        return bochs_command(this, image, bundle, cpu, mem, cpus, interactive, options)
    serial = EVERY_KEY if interactive else ("-serial", "stdio")
    words = [this.emulator, *this.options, "-cpu", cpu or this.cpu, "-smp", str(cpus), "-m", str(mem),
             "-display", "none", "-nodefaults", *serial, "-no-reboot", "-kernel", str(image)]
    if bundle:
        words += ["-initrd", str(bundle)]
    if options:
        words += ["-append", options]
    return words + list(extra)


def bochs_command(this, image, bundle, cpu, mem, cpus, interactive, options):
    image = pathlib.Path(image)
    words = [sys.executable, str(BOCHS), "--cpu", cpu or this.cpu, "--cpus", str(cpus), "--mem", str(mem),
             "--log", str(LOGS / "bochs.log"), "--loader", str(image.with_name("axvm-disk.bin"))]
    if bundle:
        words += ["--bundle", str(bundle)]
    if interactive:
        words += ["--interactive"]
    return [*words, "--append", options, str(image.with_suffix(".bin"))]
