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

BOOT_TIMEOUT = 60
ERROR_TIMEOUT = 30
PAGE = 0x1000

GOOD_TOML = """
[base]
id = 1
name = "victim"
cpu_num = 1
[kernel]
image_format = "raw"
kernel_path = "kernel.raw"
kernel_load_addr = 0x40080000
entry_point = 0x40080000
memory_regions = [[0x40000000, 0x1000000, 0x7, 0]]
"""


def code(*words):
    return b"".join(word.to_bytes(4, "little") for word in words)


POWER_OFF = code(0x52B08000, 0x72800100, 0xD4000002, 0x14000000)  # w0 = PSCI SYSTEM_OFF; hvc #0; b .

# Guests that misbehave. Each runs beside one that powers off, which must not notice.
BAD_GUESTS = (
    ("loops for ever", code(0x14000000)),  # b .
    ("waits for nothing", code(0xD503207F, 0x17FFFFFF)),  # 1: wfi; b 1b
    ("reads where nothing is", code(0xD2BBD5A0, 0xF9400001, 0x14000000)),  # ldr x1, [0xdead0000]; b .
    ("jumps where nothing is", code(0xD2820000, 0xD61F0000)),  # br 0x1000
    ("makes a secure call", code(0x52B08000, 0x72800100, 0xD4000003, 0x14000000)),  # smc #0
    ("makes a semihosting call", code(0xD2800300, 0xD45E0000, 0x14000000)),  # SYS_EXIT; hlt #0xf000; b .
)


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


def run_demo_script(_arch, _image):
    command = [machine.ROOT / "scripts" / "demo.sh"]
    with driver.Console("system-demo.sh", command, BOOT_TIMEOUT * 2) as console:
        check_summary(console)


def run_demo_script_refused(arch, words, pattern, image):
    """What only the emulator or the hypervisor can refuse: they say why, the status is 1."""
    del image
    command = [machine.ROOT / "scripts" / "demo.sh", arch, *words]
    with driver.Console("system-demo.sh-refused", command, BOOT_TIMEOUT * 2) as console:
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

def raw_bundle(toml=GOOD_TOML, kernel=POWER_OFF):
    directory = driver.scratch("bundle/kernel.raw").parent
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "kernel.raw").write_bytes(kernel)
    (directory / "vm.toml").write_text(toml)
    return mkbundle.build(mkbundle.load_vms([directory / "vm.toml"]))


def run_raw_bundle(arch, image):
    path = driver.scratch("good.bundle")
    path.write_bytes(raw_bundle())
    with driver.emulator("system-raw-bundle", arch, image, BOOT_TIMEOUT, bundle=path) as console:
        check_summary(console)


def two_vm_bundle(name, victim):
    """VM `victim` runs the code given, VM `other` powers off."""
    directory = driver.scratch("bundle/kernel.raw").parent
    raw_bundle(kernel=victim)
    (directory / "other.raw").write_bytes(POWER_OFF)
    (directory / "other.toml").write_text(GOOD_TOML.replace("id = 1", "id = 2").replace("victim", "other")
                                          .replace("kernel.raw", "other.raw"))
    path = driver.scratch(name)
    path.write_bytes(mkbundle.build(mkbundle.load_vms([directory / "vm.toml", directory / "other.toml"])))
    return path


def run_two_vms(arch, image):
    path = two_vm_bundle("two.bundle", POWER_OFF)
    with driver.emulator("system-two-vms", arch, image, BOOT_TIMEOUT, bundle=path) as console:
        check_summary(console)
        for name in ("victim", "other"):
            console.search(rf'^\[axvm\] vm \d+ "{name}": ended: power-off')


def run_bad_guest(arch, name, victim, image):
    """The other VM ends well meanwhile; then the one that misbehaves is stopped from outside."""
    path = two_vm_bundle("bad-guest.bundle", victim)
    with driver.emulator(f"system-{name}", arch, image, ERROR_TIMEOUT, bundle=path) as console:
        console.ask(expected.KEYS_SUMMARY, r'^\[axvm\] vm 1 "other": ended: power-off$')
        console.send(expected.KEYS_STOP)
        console.finish()
        console.search(expected.ALL_ENDED)


def with_tree(change):
    """A good bundle whose device tree `change` edited. The images stay where they are."""
    data = bytearray(raw_bundle())
    root = fdt.parse(data)
    change(root)
    tree = fdt.serialise(root)
    assert len(tree) <= PAGE, "the images begin on the second page"
    data[:PAGE] = tree.ljust(PAGE, b"\0")
    return bytes(data)


def set_prop(name, value):
    return lambda: with_tree(lambda root: root.children[0].props.update({name: value}))


def drop_props(*names):
    return lambda: with_tree(lambda root: [root.children[0].props.pop(name) for name in names])


def region(gpa, size, flags=7, kind=0):
    return fdt.u64(gpa, size) + fdt.u32(flags, kind)


def cut(size):
    return lambda: raw_bundle()[:size]


def damaged(offset, value):
    def make():
        data = bytearray(raw_bundle())
        data[offset:offset + len(value)] = value
        return bytes(data)
    return make


def not_compatible():
    return with_tree(lambda root: root.props.update({"compatible": fdt.string("somebody,else")}))


def newer_version():
    return with_tree(lambda root: root.props.update({"version": fdt.u32(99)}))


def without_vms():
    return with_tree(lambda root: root.children.clear())


# name, how the bundle is made, what the error has to name
BAD_BUNDLES = (
    ("bundle of noise", lambda: bytes(range(256)) * 64, "bundle"),
    ("bundle of one byte", lambda: b"\xd0", "bundle"),
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
    ("VM with half a memory region", set_prop("memory-regions", region(0x40000000, 0x1000000)[:20]),
     "memory-regions"),
    ("VM with an unaligned memory region", set_prop("memory-regions", region(0x40000001, 0x1000000)),
     "memory_regions"),
    ("VM with a wrapping memory region", set_prop("memory-regions", region(0xFFFFFFFFFFFFF000, 0x2000)),
     "memory_regions"),
    ("VM with overlapping memory", set_prop("memory-regions", region(0x40000000, 0x1000000) * 2),
     "memory_regions.*overlap"),
    ("VM with more memory than there is", set_prop("memory-regions", region(0x40000000, 0x4000000000)),
     "memory"),
    ("VM with no CPU", set_prop("cpu-num", fdt.u32(0)), "cpu_num"),
    ("VM with too many CPUs", set_prop("cpu-num", fdt.u32(4096)), "cpu_num"),
    ("kernel outside the bundle", set_prop("kernel", fdt.u64(0x1000, 1 << 40)), "kernel"),
    ("kernel offset that wraps", set_prop("kernel", fdt.u64(0xFFFFFFFFFFFFF000, 0x2000)), "kernel"),
    ("kernel outside the memory", set_prop("kernel-load-addr", fdt.u64(0x80000000)), "kernel"),
    ("kernel that is no Image", set_prop("image-format", fdt.string("linux-arm64")), "[Ii]mage"),
    ("image format that nobody knows", set_prop("image-format", fdt.string("floppy")), "image-format|floppy"),
    ("entry point outside the memory", set_prop("entry-point", fdt.u64(0x1000)), "entry"),
)


def run_bad_bundle(arch, name, make, pattern, image):
    path = driver.scratch(name.replace(" ", "-"))
    path.write_bytes(make())
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


def run_without_el2(arch, image):
    command = machine.command(arch, image)
    command[command.index("virt,virtualization=on,gic-version=3")] = "virt,gic-version=3"
    with driver.Console("system-no-el2", command, ERROR_TIMEOUT) as console:
        refused(console, "(?:EL2|exception level)")


def run_with_gicv2(arch, image):
    command = machine.command(arch, image)
    command[command.index("virt,virtualization=on,gic-version=3")] = "virt,virtualization=on,gic-version=2"
    with driver.Console("system-gicv2", command, ERROR_TIMEOUT) as console:
        refused(console, "(?:GIC|gic)")


# ---- the machine's own device tree ----

def machine_tree(arch):
    """The device tree that the emulator gives, parsed."""
    path = driver.scratch("machine.dtb")
    command = machine.command(arch, "none")
    command[command.index("-M") + 1] += f",dumpdtb={path}"
    kernel = command.index("-kernel")
    del command[kernel:kernel + 2]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True,
                   timeout=ERROR_TIMEOUT)
    return fdt.parse(path.read_bytes())


def child(root, name):
    return next(node for node in root.children if node.name.split("@")[0] == name)


def without_node(name):
    return lambda root: root.children.remove(child(root, name))


def with_node_prop(name, prop, value):
    return lambda root: child(root, name).props.update({prop: value})


# (what is wrong, the change that makes it so, what the error must name)
BAD_TREES = [
    ("without an interrupt controller", without_node("intc"), "GICv3"),
    ("with half a GIC region", with_node_prop("intc", "reg", fdt.u32(0, 0x08000000, 0)), "GICv3.*reg"),
    ("without a timer", without_node("timer"), "timer"),
    ("with a timer without interrupts", with_node_prop("timer", "interrupts", b""), "timer"),
    ("with a UART without interrupts", with_node_prop("pl011", "interrupts", fdt.u32(0)), "PL011"),
    ("with a CPU without a number", lambda root: child(child(root, "cpus"), "cpu").props.pop("reg"), "cpus"),
]


def run_bad_tree(arch, name, change, pattern, image):
    root = machine_tree(arch)
    change(root)
    path = driver.scratch("bad.dtb")
    path.write_bytes(fdt.serialise(root))
    run_bad(arch, f"tree-{name}", pattern, image, extra=("-dtb", str(path)))


def cases(arch):
    bind = functools.partial
    for cpu in ("cortex-a72", "max"):
        yield f"self-test on {cpu}", bind(run_selftest, arch, cpu)
    yield "hello", bind(run_hello, arch)
    yield "scripts/demo.sh", bind(run_demo_script, arch)
    yield "scripts/demo.sh with a file that is no bundle", bind(
        run_demo_script_refused, arch, ["--bundle", no_bundle()], expected.ERROR.format("bundle"))
    yield "scripts/demo.sh with a CPU that is none", bind(
        run_demo_script_refused, arch, ["--cpu", "abacus"], r"^demo.sh: .*ended with status [1-9]")
    yield "raw guest from a bundle", bind(run_raw_bundle, arch)
    yield "two VMs from a bundle", bind(run_two_vms, arch)
    for words, pattern in BAD_OPTIONS:
        yield f"option {words}", bind(run_bad_options, arch, words, pattern)
    yield "machine without EL2", bind(run_without_el2, arch)
    yield "machine with a GICv2", bind(run_with_gicv2, arch)
    for name, change, pattern in BAD_TREES:
        yield f"machine {name}", bind(run_bad_tree, arch, name, change, pattern)
    for name, victim in BAD_GUESTS:
        yield f"beside a guest that {name}", bind(run_bad_guest, arch, name, victim)
    for name, make, pattern in BAD_BUNDLES:
        yield name, bind(run_bad_bundle, arch, name, make, pattern)
