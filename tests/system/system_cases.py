# SPDX-License-Identifier: Apache-2.0
"""axvm-demo in the emulator: the built-in guest, and everything that may be wrong from outside."""
import functools
import re
import subprocess

import driver
import expectations as expected
import fdt
import machine
import mkbundle
from boards import BOARDS

BOOT_TIMEOUT = 120
ERROR_TIMEOUT = 30
PAGE = 0x1000

RAM_SIZE = 0x1000000


def good_toml(arch, number=1, name="victim", kernel="kernel.raw"):
    board = BOARDS[arch]
    load = board.RAM + board.LOAD_OFFSET
    return (f'[base]\nid = {number}\nname = "{name}"\ncpu_num = 1\n'
            f'[kernel]\nimage_format = "raw"\nkernel_path = "{kernel}"\n'
            f'kernel_load_addr = {load}\nentry_point = {load}\n'
            f'memory_regions = [[{board.RAM}, {RAM_SIZE}, 0x7, 0]]\n')


def check_summary(console, result="success"):
    """Status, closing lines, and no exit that the hypervisor did not know."""
    status = console.finish()
    console.search(expected.VM_ENDED)
    exits = console.search(expected.VCPU_EXITS)
    if expected.exit_kinds(exits["kinds"]).get("unhandled"):
        console.fail("an exit was unhandled")
    if console.search(expected.ALL_ENDED)["result"] != result:
        console.fail(f"the VMs did not end in {result}")
    if machine.ended_well(status, console.text) != (result == "success"):
        console.fail(f"the end was not a {result}")
    return exits


def run_selftest(arch, cpu, image):
    """Every check of the guest counts as a case."""
    with driver.emulator(f"system-selftest-{cpu}", arch, image, BOOT_TIMEOUT, cpu=cpu) as console:
        exits = check_summary(console)
        plan = console.search(r"^1\.\.(\d+)$")
        checks = len(re.findall(r"^(?:not )?ok \d+", console.text, re.M))
        if checks != int(plan[1]):
            console.fail(f"{checks} checks ran, {plan[1]} were planned")
        return driver.Tap(console.text, f"{checks} checks, {exits['exits']} exits")


def run_hello(arch, image):
    with driver.emulator("system-hello", arch, image, BOOT_TIMEOUT, options="axvm.guest=hello") as console:
        check_summary(console)


def run_demo_script(arch, _image):
    command = [machine.ROOT / "scripts" / "demo.sh", arch]
    with driver.Console(f"{arch}-system-demo.sh", command, BOOT_TIMEOUT * 2) as console:
        check_summary(console)


def run_demo_script_refused(arch, words, pattern, image):
    """What only the emulator or the hypervisor can refuse: they say why, the status is 1."""
    del image
    command = [machine.ROOT / "scripts" / "demo.sh", arch, *words]
    with driver.Console(f"{arch}-system-demo.sh-refused", command, BOOT_TIMEOUT * 2) as console:
        status = console.finish()
        console.search(pattern)
        if status != 1:
            console.fail(f"demo.sh ended with status {status}")


def no_bundle():
    path = driver.scratch("no.bundle")
    path.write_text("nothing that is known\n")
    return path


def refused(console, pattern):
    """The hypervisor says in one line what is wrong, and ends without starting a VM."""
    status = console.finish()
    console.search(expected.ERROR.format(pattern))
    if machine.ended_well(status, console.text) or re.search(expected.VM_ENDED, console.text, re.M):
        console.fail("a VM was started all the same")


def run_bad(arch, name, pattern, image, **options):
    with driver.emulator(f"system-{name}", arch, image, ERROR_TIMEOUT, **options) as console:
        refused(console, pattern)


# ---- bundles ----

def write_vms(arch, *kernels):
    """TOML files of VMs with these kernels: `victim`, and `other` if there are two."""
    directory = driver.scratch(f"bundle-{arch}/vm.toml").parent
    directory.mkdir(parents=True, exist_ok=True)
    for number, (name, kernel) in enumerate(zip(("victim", "other"), kernels), 1):
        (directory / f"{name}.raw").write_bytes(kernel)
        (directory / f"{name}.toml").write_text(good_toml(arch, number, name, f"{name}.raw"))
        yield directory / f"{name}.toml"


def bundle_of(arch, *kernels):
    return mkbundle.build(mkbundle.load_vms(list(write_vms(arch, *kernels)), arch=arch))


def raw_bundle(arch):
    return bundle_of(arch, BOARDS[arch].POWER_OFF)


def written(arch, name, data):
    path = driver.scratch(f"{arch}-{name}")
    path.write_bytes(data)
    return path


def run_raw_bundle(arch, image):
    path = written(arch, "good.bundle", raw_bundle(arch))
    with driver.emulator("system-raw-bundle", arch, image, BOOT_TIMEOUT, bundle=path) as console:
        check_summary(console)


def run_two_vms(arch, image):
    path = written(arch, "two.bundle", bundle_of(arch, *[BOARDS[arch].POWER_OFF] * 2))
    with driver.emulator("system-two-vms", arch, image, BOOT_TIMEOUT, bundle=path) as console:
        check_summary(console)
        for name in ("victim", "other"):
            console.search(rf'^\[axvm\] vm \d+ "{name}": ended: power-off')


def run_bad_guest(arch, name, victim, image):
    """The other VM ends well meanwhile; then the one that misbehaves is stopped from outside."""
    path = written(arch, "bad-guest.bundle", bundle_of(arch, victim, BOARDS[arch].POWER_OFF))
    with driver.emulator(f"system-{name}", arch, image, ERROR_TIMEOUT, bundle=path) as console:
        console.ask(expected.KEYS_SUMMARY, r'^\[axvm\] vm 1 "other": ended: power-off$')
        console.send(expected.KEYS_STOP)
        console.finish()
        console.search(expected.ALL_ENDED)


def with_tree(arch, change):
    """A good bundle whose device tree `change` edited. The images stay where they are."""
    data = bytearray(raw_bundle(arch))
    root = fdt.parse(data)
    change(root)
    tree = fdt.serialise(root)
    assert len(tree) <= PAGE, "the images begin on the second page"
    data[:PAGE] = tree.ljust(PAGE, b"\0")
    return bytes(data)


# Each of these gives a function of the architecture that makes a bundle.

def set_prop(name, value):
    """`value` may be a function of the board."""
    def make(arch):
        new = value(BOARDS[arch]) if callable(value) else value
        return with_tree(arch, lambda root: root.children[0].props.update({name: new}))
    return make


def drop_props(*names):
    return lambda arch: with_tree(arch, lambda root: [root.children[0].props.pop(name) for name in names])


def region(gpa, size, flags=7, kind=0):
    return fdt.u64(gpa, size) + fdt.u32(flags, kind)


def cut(size):
    return lambda arch: raw_bundle(arch)[:size]


def damaged(offset, value):
    def make(arch):
        data = bytearray(raw_bundle(arch))
        data[offset:offset + len(value)] = value
        return bytes(data)
    return make


def not_compatible(arch):
    return with_tree(arch, lambda root: root.props.update({"compatible": fdt.string("somebody,else")}))


def newer_version(arch):
    return with_tree(arch, lambda root: root.props.update({"version": fdt.u32(99)}))


def without_vms(arch):
    return with_tree(arch, lambda root: root.children.clear())


# name, what makes the bundle, what the error has to name
BAD_BUNDLES = (
    ("bundle of noise", lambda arch: bytes(range(256)) * 64, "bundle"),
    ("bundle of one byte", lambda arch: b"\xd0", "bundle"),
    ("bundle cut inside its tree", cut(100), "bundle"),
    ("bundle cut inside its images", cut(PAGE + 4), "bundle"),
    ("bundle with a wrong tree size", damaged(4, b"\x7f\xff\xff\xff"), "bundle"),
    ("bundle with a wrong structure offset", damaged(8, b"\xff\xff\xff\xfc"), "bundle"),
    ("bundle of another kind", not_compatible, "bundle"),
    ("bundle of a newer version", newer_version, "version"),
    ("bundle without a VM", without_vms, "VM"),
    ("VM without a kernel", drop_props("kernel", "entry-point"), "kernel"),
    ("VM without a name", drop_props("vm-name"), "vm-name"),
    ("VM with a name too long", set_prop("vm-name", fdt.string("x" * 32)), "vm-name"),
    ("VM with half a memory region", set_prop("memory-regions", lambda board: region(board.RAM, RAM_SIZE)[:20]),
     "memory-regions"),
    ("VM with an unaligned memory region", set_prop("memory-regions", lambda board: region(board.RAM + 1, RAM_SIZE)),
     "memory_regions"),
    ("VM with a wrapping memory region", set_prop("memory-regions", region(0xFFFFFFFFFFFFF000, 0x2000)),
     "memory_regions"),
    ("VM with overlapping memory", set_prop("memory-regions", lambda board: region(board.RAM, RAM_SIZE) * 2),
     "memory_regions.*overlap"),
    ("VM with more memory than there is", set_prop("memory-regions", lambda board: region(board.RAM, 0x4000000000)),
     "memory"),
    ("VM with no CPU", set_prop("cpu-num", fdt.u32(0)), "cpu_num"),
    ("VM with too many CPUs", set_prop("cpu-num", fdt.u32(4096)), "cpu_num"),
    ("kernel outside the bundle", set_prop("kernel", fdt.u64(0x1000, 1 << 40)), "kernel"),
    ("kernel offset that wraps", set_prop("kernel", fdt.u64(0xFFFFFFFFFFFFF000, 0x2000)), "kernel"),
    ("kernel outside the memory", set_prop("kernel-load-addr", lambda board: fdt.u64(board.RAM + 2 * RAM_SIZE)), "kernel"),
    ("kernel that is no Image", set_prop("image-format", lambda board: fdt.string(board.LINUX_FORMAT)), "[Ii]mage"),
    ("image format that nobody knows", set_prop("image-format", fdt.string("floppy")), "image-format|floppy"),
    ("entry point outside the memory", set_prop("entry-point", lambda board: fdt.u64(board.RAM + 2 * RAM_SIZE)), "entry"),
)


def run_bad_bundle(arch, name, make, pattern, image):
    path = written(arch, name.replace(" ", "-"), make(arch))
    run_bad(arch, name, f"(?:{pattern})", image, bundle=path)


# ---- options and machines that do not fit ----

BAD_OPTIONS = (
    ("axvm.colour=red", "unknown option 'axvm.colour=red'"),
    ("axvm.guest=nobody", "axvm.guest=nobody: .*selftest"),
    ("axvm.vcpus=0", "axvm.vcpus=0.*1 to 8"),
    ("axvm.vcpus=99", "axvm.vcpus=99.*1 to 8"),
)


def run_bad_options(arch, words, pattern, image):
    run_bad(arch, f"option-{words}", pattern, image, options=words)


def run_bad_machine(arch, name, words, pattern, image):
    command = [words.get(word, word) for word in machine.command(arch, image)]
    with driver.Console(f"{arch}-system-{name}", command, ERROR_TIMEOUT) as console:
        refused(console, pattern)


# ---- the machine's own device tree ----

def machine_tree(arch):
    """The device tree that the emulator gives, parsed."""
    path = driver.scratch(f"{arch}.dtb")
    command = machine.command(arch, "none")
    command[command.index("-M") + 1] += f",dumpdtb={path}"
    kernel = command.index("-kernel")
    del command[kernel:kernel + 2]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True,
                   timeout=ERROR_TIMEOUT)
    return fdt.parse(path.read_bytes())


def run_bad_tree(arch, name, change, pattern, image):
    root = machine_tree(arch)
    change(root)
    path = written(arch, "bad.dtb", fdt.serialise(root))
    run_bad(arch, f"tree-{name}", pattern, image, extra=("-dtb", str(path)))


def cases(arch):
    bind = functools.partial
    board = BOARDS[arch]
    for cpu in board.CPUS:
        yield f"self-test on {cpu}", bind(run_selftest, arch, cpu)
    yield "hello", bind(run_hello, arch)
    yield "scripts/demo.sh", bind(run_demo_script, arch)
    yield "scripts/demo.sh with a file that is no bundle", bind(
        run_demo_script_refused, arch, ["--bundle", no_bundle()], expected.ERROR.format("bundle"))
    yield "scripts/demo.sh with a CPU that is none", bind(
        run_demo_script_refused, arch, ["--cpu", "abacus"], r"^demo.sh: .*ended with status [1-9]")
    if board.SILENT_CPU:
        yield "scripts/demo.sh with a CPU of another architecture", bind(
            run_demo_script_refused, arch, ["--cpu", board.SILENT_CPU], r"^demo.sh: stopped .*without any output.*--cpu")
    yield "raw guest from a bundle", bind(run_raw_bundle, arch)
    yield "two VMs from a bundle", bind(run_two_vms, arch)
    for words, pattern in BAD_OPTIONS:
        yield f"option {words}", bind(run_bad_options, arch, words, pattern)
    for name, words, pattern in board.BAD_MACHINES:
        yield name, bind(run_bad_machine, arch, name, words, pattern)
    for name, change, pattern in board.BAD_TREES:
        yield f"machine {name}", bind(run_bad_tree, arch, name, change, pattern)
    for name, victim in board.BAD_GUESTS:
        yield f"beside a guest that {name}", bind(run_bad_guest, arch, name, victim)
    for name, make, pattern in BAD_BUNDLES:
        yield name, bind(run_bad_bundle, arch, name, make, pattern)
