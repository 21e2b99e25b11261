#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Get a stock Debian guest (kernel and busybox), make its initramfs, and take out what else its architecture boots.

Packages come from the mirror that this machine's own apt sources name, through a private apt root:
the machine's package state is neither read nor changed, and apt checks every signature against the
Debian archive keyring. The result is kept; a second call needs no network.
"""
import argparse
import dataclasses
import fcntl
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import mkinitramfs  # noqa: E402  (these need the path above)
import vmlinux  # noqa: E402

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


@dataclasses.dataclass(frozen=True)
class GuestArch:
    debian: str
    kernel_meta: str
    files: tuple[tuple[str, str, str], ...] = ()  # what else: (name here, package, file in it)
    elf: bool = False  # the kernel's ELF file, for PVH, comes out of its bzImage


ARCHS = {
    "aarch64": GuestArch("arm64", "linux-image-cloud-arm64"),
    "riscv64": GuestArch("riscv64", "linux-image-riscv64"),
    "x86_64": GuestArch("amd64", "linux-image-cloud-amd64",
                        (("memtest", "memtest86+", "**/memtest86+x64.bin"),), elf=True),
}
BUSYBOX = ("busybox", "busybox-static", "**/bin/busybox")


class GuestError(Exception):
    pass


def cache_root():
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "axvm"


def run(command, **kwargs):
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kwargs)
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-5:])
        raise GuestError(f"{command[0]} failed with status {done.returncode}:\n{tail}")
    return done.stdout


def machine_mirror():
    """The Debian mirror of this machine's apt sources, whichever of the two formats they are in."""
    codename = ""
    for line in pathlib.Path("/etc/os-release").read_text().splitlines():
        if line.startswith("VERSION_CODENAME="):
            codename = line.partition("=")[2].strip('"')
    targets = run(["apt-get", "indextargets", "--no-release-info",
                   "--format", "$(REPO_URI)|$(RELEASE)|$(COMPONENT)", "Created-By: Packages"])
    for line in targets.splitlines():
        uri, release, component = line.split("|")
        if component == "main" and release in (codename, "stable", "oldstable", "testing", "unstable"):
            return uri.rstrip("/")
    raise GuestError("no Debian mirror among this machine's apt sources: name one with --mirror")


class AptRoot:
    """apt with its own sources, lists and cache under `root`, for `arch` of Debian `release`."""

    def __init__(self, root, mirror, release, arch):
        self.root = root
        for name in ("lists/partial", "cache/archives/partial", "state", "sources.d", "debs"):
            (root / name).mkdir(parents=True, exist_ok=True)
        (root / "state/status").write_text("")
        (root / "sources.list").write_text(f"deb [signed-by={KEYRING}] {mirror} {release} main\n")
        settings = {
            "APT::Architecture": arch,
            "Dir::Etc::sourcelist": root / "sources.list",
            "Dir::Etc::sourceparts": root / "sources.d",
            "Dir::State": root / "state",
            "Dir::State::lists": root / "lists",
            "Dir::State::status": root / "state/status",
            "Dir::Cache": root / "cache",
            "Acquire::Languages": "none",
            "Acquire::Retries": "3",
            "APT::Sandbox::User": "root",
        }
        self._options = [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]
        # A list of values has to be cleared before it is set; these come last so that they win.
        self._options += ["-o", f"APT::Architectures={arch}"]

    def __call__(self, tool, *words, **kwargs):
        return run([tool, *self._options, *words], **kwargs)

    def dependency(self, meta):
        """The versioned kernel package that the meta package stands for today."""
        shown = self("apt-cache", "show", "--no-all-versions", meta)
        found = re.search(r"^Depends: *(linux-(?:image|binary)-[^ ,]+)", shown, re.M)
        if not found:
            raise GuestError(f"package {meta} names no kernel package")
        return found.group(1)

    def fetch(self, package, into):
        self("apt-get", "download", package, cwd=self.root / "debs")
        deb, = (self.root / "debs").glob(f"{package}_*.deb")
        run(["dpkg-deb", "-x", str(deb), str(into)])
        return deb.name


def only_match(directory, pattern):
    found = sorted(path for path in directory.glob(pattern) if path.is_file())
    if len(found) != 1:
        raise GuestError(f"expected one {pattern} in the package, found {len(found)}")
    return found[0]


def take_elf(kernel, output):
    if vmlinux.main(["-o", str(output), str(kernel)]):
        raise GuestError("the kernel's ELF file could not be taken out of it")


def names_of(arch):
    """What the cache has of `arch`; busybox is in the initramfs."""
    return ["kernel", "versions", *(name for name, _, _ in arch.files), *(["vmlinux"] if arch.elf else [])]


def download(store, arch, release, mirror):
    """Fill `store` with kernel, busybox and versions, or leave it as it was."""
    if not pathlib.Path(KEYRING).exists():
        raise GuestError(f"{KEYRING} is missing: install the package debian-archive-keyring")
    store.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=store.parent, prefix=".fetch-") as name:
        work = pathlib.Path(name)
        apt = AptRoot(work / "apt", mirror or machine_mirror(), release, arch.debian)
        others = (BUSYBOX, *arch.files)
        print(f"guest.py: fetching {', '.join([arch.kernel_meta, *(package for _, package, _ in others)])} "
              f"of Debian {release}", file=sys.stderr)
        apt("apt-get", "update", "-q")
        debs = [apt.fetch(apt.dependency(arch.kernel_meta), work / "tree")]
        debs += [apt.fetch(package, work / "tree") for _, package, _ in others]
        ready = work / "ready"
        ready.mkdir()
        shutil.copyfile(only_match(work / "tree", "boot/vmlinu[xz]-*"), ready / "kernel")
        for file_name, _, pattern in others:
            shutil.copyfile(only_match(work / "tree", pattern), ready / file_name)
        if arch.elf:
            take_elf(ready / "kernel", ready / "vmlinux")
        (ready / "versions").write_text("\n".join(debs) + "\n")
        shutil.rmtree(store, ignore_errors=True)
        ready.rename(store)


def ensure(arch_name, release="trixie", mirror=None, update=False, gzip=False):
    """Return {name: path}: kernel, initramfs, versions and what names_of() adds; downloads what the cache lacks."""
    if arch_name not in ARCHS:
        raise GuestError(f"no Linux guest for '{arch_name}'; architectures: {', '.join(ARCHS)}")
    arch = ARCHS[arch_name]
    store = cache_root() / "guests" / f"debian-{release}-{arch.debian}"
    store.parent.mkdir(parents=True, exist_ok=True)
    with open(store.parent / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if update or not all((store / name).exists() for name in names_of(arch)):
            download(store, arch, release, mirror)
        initramfs = store / ("initramfs.gz" if gzip else "initramfs")
        flags = ["--gzip"] if gzip else []
        fresh = initramfs.with_suffix(".new")
        if mkinitramfs.main([*flags, "--busybox", str(store / "busybox"), "-o", str(fresh)]):
            raise GuestError("the initramfs could not be made")
        fresh.replace(initramfs)
    return {"initramfs": initramfs, **{name: store / name for name in names_of(arch)}}


def main(argv=None):
    parser = argparse.ArgumentParser(prog="guest.py", description=__doc__.splitlines()[0])
    parser.add_argument("arch", nargs="?", default="aarch64", help="architecture (default: %(default)s)")
    parser.add_argument("--release", default="trixie", help="Debian release (default: %(default)s)")
    parser.add_argument("--mirror", help="Debian mirror (default: the one of this machine's apt sources)")
    parser.add_argument("--update", action="store_true", help="fetch again even if the cache has a guest")
    parser.add_argument("--gzip", action="store_true", help="compress the initramfs")
    args = parser.parse_args(argv)
    try:
        paths = ensure(args.arch, args.release, args.mirror, args.update, args.gzip)
    except (GuestError, OSError) as error:
        print(f"guest.py: {error}", file=sys.stderr)
        return 2
    for name, path in paths.items():
        print(f"{name}={path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
