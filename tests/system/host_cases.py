# SPDX-License-Identifier: Apache-2.0
"""What VMs get of the host: memory at its own addresses, devices, CPUs; and what they cannot get."""
import dataclasses
import functools
import re

import driver
import expectations as expected
import machine
import mkbundle
import system_cases
from system_cases import POWER_OFF, code

TIMEOUT = 60
REFUSAL_TIMEOUT = 30

# ---- QEMU's virt board ----
HOST_RAM, HOST_RAM_END = 0x40000000, 0x80000000  # with the default of 1024 MiB
FREE_RAM = 0x60000000  # far above the image, the device tree and the bundle
UART, GICD, GICR, RTC = 0x09000000, 0x08000000, 0x080A0000, 0x09010000

# ---- the VM ----
RAM, RAM_SIZE, LOAD_OFFSET = 0x40000000, 0x1000000, 0x80000
WINDOW = 0x0A000000  # where a passed device appears
ALLOC, IDENTICAL, RESERVED = 0, 1, 2


@dataclasses.dataclass(frozen=True)
class Vm:
    """A small VM: one CPU unless said otherwise, its code 512 KiB into its first memory region."""
    code: bytes
    memory: tuple = ((RAM, RAM_SIZE, ALLOC),)
    passed: tuple = ()  # (name, host address) of one page each, seen at WINDOW
    cpus: int = 1
    load_offset: int = LOAD_OFFSET
    emulated: str = ""

    def toml(self, number):
        load = self.memory[0][0] + self.load_offset
        regions = [[base, size, 0x7, kind] for base, size, kind in self.memory]
        passed = [[name, WINDOW + index * 0x1000, hpa, 0x1000, 0]
                  for index, (name, hpa) in enumerate(self.passed)]
        return (f'[base]\nid = {number}\nname = "vm{number}"\ncpu_num = {self.cpus}\n'
                f'[kernel]\nimage_format = "raw"\nkernel_path = "{number}.raw"\n'
                f'kernel_load_addr = {load}\nentry_point = {load}\nmemory_regions = {regions}\n'
                f'[devices]\npassthrough_devices = {passed}\n{self.emulated}\n'.replace("'", '"'))


def bundle(name, *vms):
    """A bundle of these VMs. What mkbundle.py would see between two of them is not looked for."""
    loaded = []
    for number, vm in enumerate(vms):
        path = driver.scratch(f"{name}/{number}.toml")
        path.with_suffix(".raw").write_bytes(vm.code)
        path.write_text(vm.toml(number))
        loaded.append(mkbundle.load_vm(path, (), ""))
    path = driver.scratch(f"{name}.bundle")
    path.write_bytes(mkbundle.build(loaded))
    return path


def emulator(name, arch, image, timeout, path, pcpus=1, **options):
    command = machine.command(arch, image, path, **options)
    command[command.index("-smp") + 1] = str(pcpus)
    return driver.Console(f"system-{name}", command, timeout)


def check_end(console, vms=1):
    """Every VM ended by power-off, and every frame came back."""
    system_cases.check_summary(console)
    ends = re.findall(expected.VM_ENDED, console.text, re.M)
    if [reason for _, _, reason in ends] != ["power-off"] * vms:
        console.fail(f"not {vms} VMs ended by power-off")
    frames = console.search(expected.FRAMES)
    if frames["start"] != frames["end"]:
        console.fail("frames were lost")


def run_refused(arch, name, vms, pattern, image):
    """One line says what is wrong, and nothing runs."""
    path = bundle("refused", *vms)
    with emulator(name, arch, image, REFUSAL_TIMEOUT, path) as console:
        system_cases.refused(console, pattern)
        errors = re.findall(expected.ERROR.format(""), console.text, re.M)
        if len(errors) != 1:
            console.fail(f"{len(errors)} errors instead of one")


# ---- memory at the host's addresses ----

STAMP, WRITTEN = 0x0123456789ABCDEF, 0xFEDCBA9876543210


def finds_stamp(address, after_reset):
    """Finds STAMP at `address`, writes WRITTEN, resets; finds `after_reset` then, and powers off."""
    return code(
        0x58000281,  # ldr x1, address
        0xF9400022,  # ldr x2, [x1]
        0x58000283,  # ldr x3, stamp
        0xEB03005F,  # cmp x2, x3
        0x540000C1,  # b.ne 1f
        0x58000263,  # ldr x3, written
        0xF9000023,  # str x3, [x1]
        0x52B08000, 0x72800120, 0xD4000002,  # PSCI SYSTEM_RESET
        0x58000203,  # 1: ldr x3, after_reset
        0xEB03005F,  # cmp x2, x3
        0x54000081,  # b.ne 2f
        0x52B08000, 0x72800100, 0xD4000002,  # PSCI SYSTEM_OFF
        0xD2800020, 0xD2800021, 0xD4000002, 0x14000000,  # 2: exit hypercall with status 1; b .
    ) + b"".join(number.to_bytes(8, "little") for number in (address, STAMP, WRITTEN, after_reset))


LENT_SIZE = 0x1000000
STAMP_AT = FREE_RAM + LENT_SIZE - 0x1000  # on the last page
ALL_LENT = Vm(finds_stamp(STAMP_AT, 0), ((FREE_RAM, LENT_SIZE, IDENTICAL),))
PART_LENT = Vm(finds_stamp(STAMP_AT, WRITTEN), ((RAM, RAM_SIZE, ALLOC), (FREE_RAM, LENT_SIZE, RESERVED)))


def run_lent_memory(arch, vm, image):
    """The guest finds what the emulator put at this address of the host before the boot."""
    stamp = ("-device", f"loader,addr={STAMP_AT:#x},data={STAMP:#x},data-len=8")
    with emulator("lent-memory", arch, image, TIMEOUT, bundle("lent", vm), extra=stamp) as console:
        check_end(console)
        console.search(r'^\[axvm\] vm 0 "vm0": reset$')


def wants_memory(*regions):
    return Vm(POWER_OFF, ((RAM, RAM_SIZE, ALLOC), *regions))


# The first memory of a VM holds its image, so it may not lie where the hypervisor's is.
AT_IMAGE = Vm(POWER_OFF, ((HOST_RAM, LENT_SIZE, IDENTICAL),))

# ---- devices ----

RTC_BASE = 1767225600  # seconds: 2026-01-01T00:00:00Z
RTC_WORDS = ("-rtc", "base=2026-01-01T00:00:00")
READS_RTC = code(
    0xD2A14001,  # mov x1, #WINDOW
    0xB94FE022, 0x7100C45F, 0x54000181,  # its PeriphID0 is 0x31, or to 1f
    0xB94FE422, 0x7100405F, 0x54000121,  # its PeriphID1 is 0x10, or to 1f
    0xB9400022, 0x18000163, 0x4B030042,  # its data register counts seconds: w2 = that - base
    0x7109605F, 0x54000082,  # less than 600, or to 1f
    0x52B08000, 0x72800100, 0xD4000002,  # PSCI SYSTEM_OFF
    0xD2800020, 0xD2800021, 0xD4000002, 0x14000000,  # 1: exit hypercall with status 1; b .
    RTC_BASE)


def passes(*devices):
    return Vm(READS_RTC, passed=devices)


def run_passthrough(arch, image):
    """The guest reads the clock through stage 2: no exits for it."""
    path = bundle("passthrough", passes(("rtc", RTC)))
    with emulator("passthrough", arch, image, TIMEOUT, path, extra=RTC_WORDS) as console:
        check_end(console)
        exits = expected.exit_kinds(console.search(expected.VCPU_EXITS)["kinds"])
        if set(exits) != {"system-down"}:
            console.fail(f"exits {exits}, only system-down wanted")


REFUSALS = (
    ("lend identical memory where the hypervisor is", [AT_IMAGE], "memory_regions: 0x40000000.* not free"),
    ("lend identical memory that the host has not", [wants_memory((HOST_RAM_END, LENT_SIZE, IDENTICAL))],
     "memory_regions: 0x80000000.* not free"),
    ("lend reserved memory that the host has not", [wants_memory((HOST_RAM_END, LENT_SIZE, RESERVED))],
     "memory_regions: 0x80000000.* not free"),
    ("lend reserved memory across the end of the host's",
     [wants_memory((HOST_RAM_END - 0x1000, 0x2000, RESERVED))], "memory_regions: 0x7ffff000.* not free"),
    ("lend the same identical memory for two VMs", [ALL_LENT, ALL_LENT], '"vm1": memory_regions: 0x60000000.* not free'),
    ("lend memory of one VM inside another's", [ALL_LENT, wants_memory((FREE_RAM + 0x3000, 0x1000, RESERVED))],
     '"vm1": memory_regions: 0x60003000.* not free'),
    ("pass the hypervisor's UART", [passes(("uart", UART))], 'passthrough_devices: "uart" .* in use'),
    ("pass the hypervisor's distributor", [passes(("gic", GICD + 0x1000))],
     'passthrough_devices: "gic" .* in use'),
    ("pass the hypervisor's redistributor", [passes(("gic", GICR + 0x20000))],
     'passthrough_devices: "gic" .* in use'),
    ("pass memory as a device", [passes(("ram", FREE_RAM))], 'passthrough_devices: "ram" .* in use'),
    ("pass a device twice", [passes(("rtc", RTC), ("again", RTC))], 'passthrough_devices: "again" .* in use'),
    ("pass a device to two VMs", [passes(("rtc", RTC)), passes(("clock", RTC))],
     '"vm1": passthrough_devices: "clock" .* in use'),
)

# ---- CPUs ----

OFF = (0x52B08000, 0x72800040, 0xD4000002, 0x14000000)  # w0 = PSCI CPU_OFF; hvc #0; b .
ALL_CPUS_GO_OFF = code(
    0x52B88000, 0x72800060, 0xD2800021,  # w0 = PSCI CPU_ON; x1 = 1, the second CPU
    0x10000082, 0xD2800003, 0xD4000002,  # adr x2, 1f; x3 = 0; hvc #0
    0xB5000080,  # cbnz x0, to the last b .
    *OFF)  # 1:


def run_last_cpu_off(arch, vm, pcpus, image):
    path = bundle("cpu-off", vm)
    with emulator("cpu-off", arch, image, TIMEOUT, path, pcpus) as console:
        check_end(console)
        if "cpu-down" not in console.search(expected.VCPU_EXITS)["kinds"]:
            console.fail("no CPU was switched off")
        if re.search(r"^\[axvm\] (?:warning|error)", console.text, re.M):
            console.fail("there was a complaint")


def count_checks(console):
    """The self-test's own count of checks is what ran; none failed."""
    plan = console.search(r"^1\.\.(\d+)$")
    passed = len(re.findall(r"^ok \d+", console.text, re.M))
    if passed != int(plan[1]):
        console.fail(f"{passed} checks passed, {plan[1]} were planned")
    return passed


def run_selftest(arch, vcpus, pcpus, image):
    with emulator(f"selftest-{vcpus}-on-{pcpus}", arch, image, TIMEOUT, None, pcpus,
                  options=f"axvm.vcpus={vcpus}") as console:
        check_end(console)
        if len(re.findall(expected.VCPU_EXITS, console.text, re.M)) != vcpus:
            console.fail(f"not {vcpus} virtual CPUs in the summary")
        return f"{count_checks(console)} checks"


SELFTEST_DEVICES = """emu_devices = [
    ["gic", 0x08000000, 0x10000, 0, 0x1, [0, 0x080A0000]],
    ["uart", 0x09000000, 0x1000, 33, 0x2],
    ["scratch", 0x0A000000, 0x1000, 0, 0xF0],
]"""


def run_two_selftests(arch, pcpus, image):
    """Two VMs that do all a guest can do, at the same time. Their lines may be cut by each other's."""
    program = image.with_name("guests") / "guest-selftest.bin"
    vm = Vm(program.read_bytes(), ((RAM, 0x4000000, ALLOC),), cpus=2, load_offset=0x200000,
            emulated=SELFTEST_DEVICES)
    path = bundle("selftests", vm, vm)
    with emulator(f"two-selftests-on-{pcpus}", arch, image, TIMEOUT, path, pcpus) as console:
        check_end(console, 2)
        for name in ("vm0", "vm1"):
            parts = re.findall(expected.GUEST_LINE.format(name), console.text, re.M)
            if not re.search(expected.SELFTEST_GOOD, "".join(parts)):
                console.fail(f"{name} does not say that its checks passed")


ASKS = (0xD2A12001, 0x528007E2, 0xB9000022)  # writes '?' to its console at 0x09000000, no newline
ASKS_AND_LOOPS = Vm(code(*ASKS, 0x14000000))  # b .
ASKS_AND_WAITS = Vm(code(*ASKS, 0xD503207F, 0x17FFFFFF))  # 1: wfi; b 1b


def run_prompt(arch, vm, image):
    """What one of several guests writes without ending the line is seen all the same."""
    with emulator("prompt", arch, image, TIMEOUT, bundle("prompt", vm, Vm(POWER_OFF))) as console:
        console.expect(r"^\[vm0\] \?")
        console.ask(expected.KEYS_SUMMARY, r'^\[axvm\] vm 1 "vm1": ended: power-off$')
        console.send(expected.KEYS_STOP)
        console.finish()
        console.search(expected.ALL_ENDED)


def cases(arch):
    bind = functools.partial
    yield "VM in identical memory", bind(run_lent_memory, arch, ALL_LENT)
    yield "VM with reserved memory", bind(run_lent_memory, arch, PART_LENT)
    yield "passed device", bind(run_passthrough, arch)
    for name, vms, pattern in REFUSALS:
        yield f"refuses to {name}", bind(run_refused, arch, name, vms, pattern)
    yield "last CPU off", bind(run_last_cpu_off, arch, Vm(code(*OFF)), 1)
    for pcpus in (1, 2):
        yield f"both CPUs off, on {pcpus}", bind(run_last_cpu_off, arch, Vm(ALL_CPUS_GO_OFF, cpus=2), pcpus)
    for vcpus, pcpus in ((1, 1), (2, 1), (8, 1), (2, 2), (8, 2), (2, 4), (8, 4)):
        yield f"self-test with {vcpus} vCPUs on {pcpus} CPUs", bind(run_selftest, arch, vcpus, pcpus)
    yield "prompt of a guest that waits", bind(run_prompt, arch, ASKS_AND_WAITS)
    yield "prompt of a guest that loops", bind(run_prompt, arch, ASKS_AND_LOOPS)
    for pcpus in (1, 4):
        yield f"two self-tests at once on {pcpus} CPUs", bind(run_two_selftests, arch, pcpus)
