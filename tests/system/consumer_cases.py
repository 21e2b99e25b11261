# SPDX-License-Identifier: Apache-2.0
"""The libraries as others take them: installed, with pkg-config, and as a Meson wrap."""
import ast
import configparser
import functools
import json
import os
import re
import shutil
import subprocess

import driver
import machine

TIMEOUT = 60
EXAMPLE = machine.ROOT / "examples" / "minimal"
GUIDE = machine.ROOT / "docs" / "embedding.md"
OUTPUT = (r"^hypercall 42 with 7$", r"^guest powered off$", r"^done: success$")

# The guide shows one; readers put in theirs.
GUIDE_BACKEND = "axvcpu-arm"

# What the guide says that a user provides: for the libraries, and for libfdt, which axvm uses.
MEMORY_FUNCTIONS = {"memcpy", "memset", "memmove", "memcmp"}
FDT_FUNCTIONS = {"memchr", "strlen", "strnlen", "strrchr"}

BACKENDS = {"aarch64": "axvcpu-arm", "riscv64": "axvcpu-riscv", "x86_64": "axvcpu-x86"}
EXAMPLE_SOURCES = ("host.c", "{arch}/board.c", "{arch}/start.S", "{arch}/guest.S")
EXAMPLE_SCRIPTS = ("{arch}/board.ld", "minimal.ld")

USES_AXVM = """
#include <axvm/addrspace.h>
#include <axvm/config.h>
#include <axvm/device.h>
#include <axvm/devices/gicv3.h>
#include <axvm/devices/ns16550a.h>
#include <axvm/devices/pl011.h>
#include <axvm/devices/plic.h>
#include <axvm/devices/scratch.h>
#include <axvm/image.h>
#include <axvm/lock.h>
#include <axvm/machines.h>
#include <axvm/vm.h>

AxError use(AxVM *vm, AxVMParams *params, AxBundle *bundle);

AxError use(AxVM *vm, AxVMParams *params, AxBundle *bundle)
{
    params->machine = &axvm_machine_ARCH;
    return bundle->vm_count > 0 ? axvm_create(vm, params, NULL) : axvm_bundle_open(bundle, vm, 1, NULL);
}
"""


def cross_file(arch):
    return machine.ROOT / "cross" / f"{arch}-none-gcc.ini"


def compiler(arch):
    """(compiler with its flags, flags of the linker) as the cross file has them."""
    parser = configparser.ConfigParser()
    parser.read(cross_file(arch))
    path, _, rest = parser["binaries"]["c"].partition("+")
    words = ast.literal_eval(path.strip())
    if rest.strip():
        words += ast.literal_eval(parser["constants"][rest.strip()])
    return words, ast.literal_eval(parser["built-in options"]["c_link_args"])


def install(arch):
    """The files of this architecture's build, below a folder of their own."""
    target = driver.scratch(f"installed-{arch}")
    shutil.rmtree(target, ignore_errors=True)
    machine.logged(f"install-{arch}", ["meson", "install", "-C", machine.BUILD / arch, "--no-rebuild",
                                       "--destdir", target])
    return target


def pkg_config(target, name):
    folders = sorted(target.rglob("pkgconfig"))
    if len(folders) != 1:
        raise driver.CaseFailed(f"{len(folders)} folders of pkg-config files in {target}")
    env = {**os.environ, "PKG_CONFIG_SYSROOT_DIR": str(target), "PKG_CONFIG_LIBDIR": str(folders[0])}
    done = subprocess.run(["pkg-config", "--cflags", "--libs", "--static", name], env=env,
                          capture_output=True, text=True)
    if done.returncode:
        raise driver.CaseFailed(done.stderr)
    words = done.stdout.split()
    outside = [word for word in words if word[:2] in ("-I", "-L") and not word[2:].startswith(str(target))]
    if outside:
        raise driver.CaseFailed(f"{name} points outside of where it is installed: {' '.join(outside)}")
    return words


def example_files(arch, names, root=EXAMPLE):
    return [root / name.format(arch=arch) for name in names]


def boot(arch, name, elf):
    with driver.Console(name, machine.command(arch, elf), TIMEOUT) as console:
        if console.finish():
            console.fail("the emulator failed")
        for pattern in OUTPUT:
            console.expect(pattern)


def run_installed_backend(arch, _image):
    """The example, built by hand from nothing but what is installed."""
    words, link_words = compiler(arch)
    elf = driver.scratch(f"installed-{arch}-minimal.elf")
    machine.logged(f"installed-{arch}-minimal", [
        *words, "-std=gnu17", "-Wall", "-Wextra", "-Werror", "-O2", *link_words,
        *(f"-Wl,-T,{path}" for path in example_files(arch, EXAMPLE_SCRIPTS)), "-o", elf,
        *example_files(arch, EXAMPLE_SOURCES), *pkg_config(install(arch), BACKENDS[arch])])
    boot(arch, f"installed-{arch}-boot", elf)


def run_installed_axvm(arch, _image):
    """Every header of axvm compiles, and with the libraries nothing is missing but what the guide names."""
    words, _ = compiler(arch)
    source = driver.scratch(f"installed-{arch}-axvm.c")
    source.write_text(USES_AXVM.replace("ARCH", arch))
    linked = source.with_suffix(".o")
    machine.logged(f"installed-{arch}-axvm", [
        *words, "-std=gnu17", "-Wall", "-Wextra", "-Werror", "-O2", "-nostdlib", "-r", "-o", linked,
        source, *pkg_config(install(arch), "axvm")])
    listed = subprocess.run(["nm", "-u", "--format=posix", linked], check=True, capture_output=True, text=True)
    missing = {line.split()[0] for line in listed.stdout.splitlines()}
    if missing != MEMORY_FUNCTIONS | FDT_FUNCTIONS:
        raise driver.CaseFailed(f"undefined: {' '.join(sorted(missing))}")
    unnamed = [name for name in missing if f"`{name}`" not in GUIDE.read_text()]
    if unnamed:
        raise driver.CaseFailed(f"{GUIDE} does not name {' '.join(unnamed)}")


def guide_block(text, language):
    found = re.search(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)
    if not found:
        raise driver.CaseFailed(f"{GUIDE} has no {language} block")
    return found[1]


def run_wrap(arch, _image):
    """A project of its own, with the wrap and the lines of meson.build that the guide gives."""
    text = GUIDE.read_text()
    name = re.search(r"`subprojects/([\w-]+)\.wrap`", text)[1]
    project = driver.scratch(f"consumer-{arch}")
    shutil.rmtree(project, ignore_errors=True)
    shutil.copytree(EXAMPLE, project, ignore=shutil.ignore_patterns("subprojects", "meson.build"))
    (project / "subprojects").mkdir()
    (project / "subprojects" / f"{name}.wrap").write_text(guide_block(text, "ini"))
    # In place of the clone that Meson would make.
    (project / "subprojects" / name).symlink_to(machine.ROOT, target_is_directory=True)
    sources = [str(path) for path in example_files(arch, EXAMPLE_SOURCES, project)]
    scripts = [f"-Wl,-T,{path}" for path in example_files(arch, EXAMPLE_SCRIPTS, project)]
    (project / "meson.build").write_text(
        "project('consumer', 'c', default_options: ['c_std=gnu17', 'warning_level=2', 'werror=true'])\n"
        f"sources = files({sources})\n"
        f"add_project_link_arguments({scripts}, language: 'c')\n"
        + guide_block(text, "meson").replace(GUIDE_BACKEND, BACKENDS[arch]))
    machine.logged(f"consumer-{arch}-setup", ["meson", "setup", "--wrap-mode=nodownload", project / "b", project,
                                              "--cross-file", cross_file(arch)])
    machine.compile_all(project / "b", f"consumer-{arch}-build")
    boot(arch, f"consumer-{arch}-boot", project / "b" / "kernel.elf")
    installed = install_plan(project / "b")
    if installed:
        raise driver.CaseFailed(f"the consumer would install {installed}")


def install_plan(build_dir):
    done = subprocess.run(["meson", "introspect", "--installed", build_dir], check=True, capture_output=True,
                          text=True)
    return sorted(json.loads(done.stdout).values())


def cases(arch):
    bind = functools.partial
    yield "example with the installed libraries", bind(run_installed_backend, arch)
    yield "consumer with a wrap", bind(run_wrap, arch)
    yield "installed axvm", bind(run_installed_axvm, arch)
