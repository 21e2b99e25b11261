# SPDX-License-Identifier: Apache-2.0
"""What VMs get of the host: memory at its own addresses, devices, CPUs; and what they cannot get."""
import dataclasses
import functools
import re
import subprocess

import driver
import expectations as expected
import gdbstub
import machine
import mkbundle
import system_cases
from boards import BOARDS

TIMEOUT = 180
REFUSAL_TIMEOUT = 30

HOST_RAM_SIZE = 0x40000000  # with the default of 1024 MiB
FREE_RAM = 0x20000000  # in it, far above the image, the device tree and the bundle
RAM_SIZE = 0x1000000
ALLOC, IDENTICAL, RESERVED = 0, 1, 2


@dataclasses.dataclass(frozen=True)
class Vm:
    """A small VM: one CPU unless said otherwise, its code in its first memory region."""
    arch: str
    code: bytes
    memory: tuple = ()  # (address, size, kind); 16 MiB where guests have it when there is none
    passed: tuple = ()  # (name, host address) of one page each, seen at WINDOW
    cpus: int = 1
    emulated: str = ""

    def toml(self, number):
        board = BOARDS[self.arch]
        memory = self.memory or ((board.RAM, RAM_SIZE, ALLOC),)
        load = memory[0][0] + board.LOAD_OFFSET
        regions = [[base, size, 0x7, kind] for base, size, kind in memory]
        passed = [[name, board.WINDOW + index * 0x1000, hpa, 0x1000, 0]
                  for index, (name, hpa) in enumerate(self.passed)]
        return (f'[base]\nid = {number}\nname = "vm{number}"\ncpu_num = {self.cpus}\n'
                f'[kernel]\nimage_format = "raw"\nkernel_path = "{number}.raw"\n'
                f'kernel_load_addr = {load}\nentry_point = {load}\nmemory_regions = {regions}\n'
                f'[devices]\npassthrough_devices = {passed}\n{self.emulated}\n'.replace("'", '"'))


def bundle(name, *vms):
    """A bundle of these VMs. What mkbundle.py would see between two of them is not looked for."""
    loaded = []
    for number, vm in enumerate(vms):
        path = driver.scratch(f"{vm.arch}-{name}/{number}.toml")
        path.with_suffix(".raw").write_bytes(vm.code)
        path.write_text(vm.toml(number))
        loaded.append(mkbundle.load_vm(path, (), "", vm.arch))
    path = driver.scratch(f"{vms[0].arch}-{name}.bundle")
    path.write_bytes(mkbundle.build(loaded))
    return path


def emulator(name, arch, image, timeout, path, pcpus=1, **options):
    return driver.emulator(f"system-{name}", arch, image, timeout, path, cpus=pcpus, **options)


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
    path = bundle("refused", *vms(arch))
    with emulator(name, arch, image, REFUSAL_TIMEOUT, path) as console:
        system_cases.refused(console, pattern)
        errors = re.findall(expected.ERROR.format(""), console.text, re.M)
        if len(errors) != 1:
            console.fail(f"{len(errors)} errors instead of one")


# ---- memory at the host's addresses ----

STAMP, WRITTEN = 0x0123456789ABCDEF, 0xFEDCBA9876543210
LENT_SIZE = 0x1000000


def lent(arch):
    """Where the memory lies that is lent."""
    return BOARDS[arch].HOST_RAM + FREE_RAM


def stamp_at(arch):
    return lent(arch) + LENT_SIZE - 0x1000  # on the last page


def all_lent(arch):
    """All memory of the VM is the host's, but where it has to start elsewhere; a reset clears it."""
    board = BOARDS[arch]
    start = () if board.STARTS_ANYWHERE else ((board.RAM, RAM_SIZE, ALLOC),)
    return Vm(arch, board.finds_stamp(stamp_at(arch), STAMP, WRITTEN, 0), (*start, (lent(arch), LENT_SIZE, IDENTICAL)))


def part_lent(arch):
    """Reserved memory is nobody's to clear."""
    return Vm(arch, BOARDS[arch].finds_stamp(stamp_at(arch), STAMP, WRITTEN, WRITTEN),
              ((BOARDS[arch].RAM, RAM_SIZE, ALLOC), (lent(arch), LENT_SIZE, RESERVED)))


def run_lent_memory(arch, vm, image):
    """The guest finds what the emulator put at this address of the host before the boot."""
    stamp = ("-device", f"loader,addr={stamp_at(arch):#x},data={STAMP:#x},data-len=8")
    with emulator("lent-memory", arch, image, TIMEOUT, bundle("lent", vm(arch)), extra=stamp) as console:
        check_end(console)
        console.search(r'^\[axvm\] vm 0 "vm0": reset$')


def wants_memory(offset, size, kind):
    """A VM with memory of the host at `offset` into the host's."""
    return lambda arch: Vm(arch, BOARDS[arch].POWER_OFF, ((BOARDS[arch].RAM, RAM_SIZE, ALLOC),
                                                          (BOARDS[arch].HOST_RAM + offset, size, kind)))


def at_image(arch):
    """The first memory of a VM holds its image, so it may not lie where the hypervisor's is."""
    return Vm(arch, BOARDS[arch].POWER_OFF, ((BOARDS[arch].HOST_RAM, LENT_SIZE, IDENTICAL),))


# ---- devices ----

RTC_WORDS = ("-rtc", "base=2026-01-01T00:00:00")


def passes(*names, address=None):
    """A VM with the host's clock, or what else is at `address`, under these names."""
    return lambda arch: Vm(arch, BOARDS[arch].READS_RTC,
                           passed=tuple((name, address or BOARDS[arch].RTC) for name in names))


def run_passthrough(arch, image):
    """The guest reads the clock through stage 2: no exits for it."""
    path = bundle("passthrough", passes("rtc")(arch))
    with emulator("passthrough", arch, image, TIMEOUT, path, extra=RTC_WORDS) as console:
        check_end(console)
        exits = expected.exit_kinds(console.search(expected.VCPU_EXITS)["kinds"])
        if set(exits) - {"external-interrupt"} != BOARDS[arch].POWER_OFF_EXITS:
            console.fail(f"exits {exits}, only {BOARDS[arch].POWER_OFF_EXITS} wanted")


def both(*vms):
    return lambda arch: [vm(arch) for vm in vms]


def refusals(arch):
    """(name, VMs, error)"""
    board = BOARDS[arch]
    end = board.HOST_RAM + HOST_RAM_SIZE
    last = HOST_RAM_SIZE - 0x1000
    yield ("lend identical memory where the hypervisor is", both(at_image),
           f"memory_regions: {board.HOST_RAM:#x}.* not free")
    yield ("lend identical memory that the host has not", both(wants_memory(HOST_RAM_SIZE, LENT_SIZE, IDENTICAL)),
           f"memory_regions: {end:#x}.* not free")
    yield ("lend reserved memory that the host has not", both(wants_memory(HOST_RAM_SIZE, LENT_SIZE, RESERVED)),
           f"memory_regions: {end:#x}.* not free")
    yield ("lend reserved memory across the end of the host's", both(wants_memory(last, 0x2000, RESERVED)),
           f"memory_regions: {board.HOST_RAM + last:#x}.* not free")
    yield ("lend the same identical memory for two VMs", both(all_lent, all_lent),
           f'"vm1": memory_regions: {lent(arch):#x}.* not free')
    yield ("lend memory of one VM inside another's", both(all_lent, wants_memory(FREE_RAM + 0x3000, 0x1000, RESERVED)),
           f'"vm1": memory_regions: {lent(arch) + 0x3000:#x}.* not free')
    for name, address in board.USED_DEVICES:
        yield (f"pass the hypervisor's {name}", both(passes("device", address=address)),
               'passthrough_devices: "device" .* in use')
    yield ("pass memory as a device", both(passes("ram", address=lent(arch))), 'passthrough_devices: "ram" .* in use')
    yield "pass a device twice", both(passes("rtc", "again")), 'passthrough_devices: "again" .* in use'
    yield ("pass a device to two VMs", both(passes("rtc"), passes("clock")),
           '"vm1": passthrough_devices: "clock" .* in use')


# ---- CPUs ----

def run_last_cpu_off(arch, vm, pcpus, image):
    """`vm` is a table of what is special about it."""
    path = bundle("cpu-off", Vm(arch, **vm))
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


SCRATCH_DEVICE = '["scratch", 0x0A000000, 0x1000, 0, 0xF0]'


def run_two_selftests(arch, pcpus, image):
    """Two VMs that do all a guest can do, at the same time. Their lines may be cut by each other's."""
    program = image.with_name("guests") / "guest-selftest.bin"
    board = BOARDS[arch]
    devices = [device for device in (board.CONTROLLER_DEVICE, board.CONSOLE_DEVICE, SCRATCH_DEVICE) if device]
    vm = Vm(arch, program.read_bytes(), ((board.RAM, 0x4000000, ALLOC),), cpus=2,
            emulated=f"emu_devices = [{', '.join(devices)}]")
    path = bundle("selftests", vm, vm)
    with emulator(f"two-selftests-on-{pcpus}", arch, image, TIMEOUT, path, pcpus) as console:
        check_end(console, 2)
        for name in ("vm0", "vm1"):
            parts = re.findall(expected.GUEST_LINE.format(name), console.text, re.M)
            if not re.search(expected.SELFTEST_GOOD, "".join(parts)):
                console.fail(f"{name} does not say that its checks passed")


def symbols(image, *names):
    listed = subprocess.run(["nm", "--format=posix", image.with_suffix(".elf")], check=True,
                            capture_output=True, text=True).stdout
    return [int(re.search(rf"^{name} \S (\w+)", listed, re.M)[1], 16) for name in names]


def run_second_boot(arch, image):
    """OpenSBI 1.1 may let a hart that is started go before it has stored where to: to the boot entry."""
    boot, second = symbols(image, "_start", "secondary_start")
    port = driver.scratch(f"{arch}-second-boot.socket")
    port.unlink(missing_ok=True)
    with emulator("second-boot", arch, image, TIMEOUT, None, 3, options="axvm.guest=hello",
                  extra=gdbstub.options(port)) as console:
        with gdbstub.Debugger(port) as debugger:
            for _ in range(2):
                debugger.run_to(second)
                debugger.write(gdbstub.A1, 0)
                debugger.write(gdbstub.PC, boot)
                debugger.run_to(second)
                debugger.step()
            debugger.let_go()
        check_end(console)
        if re.search("does not start", console.text):
            console.fail("a CPU did not start")


def run_prompt(arch, program, image):
    """What one of several guests writes without ending the line is seen all the same."""
    path = bundle("prompt", Vm(arch, program), Vm(arch, BOARDS[arch].POWER_OFF))
    with emulator("prompt", arch, image, TIMEOUT, path) as console:
        console.expect(r"^\[vm0\] \?")
        console.ask(expected.KEYS_SUMMARY, r'^\[axvm\] vm 1 "vm1": ended: power-off$')
        console.send(expected.KEYS_STOP)
        console.finish()
        console.search(expected.ALL_ENDED)


def cases(arch):
    bind = functools.partial
    board = BOARDS[arch]
    yield "VM in identical memory", bind(run_lent_memory, arch, all_lent)
    yield "VM with reserved memory", bind(run_lent_memory, arch, part_lent)
    yield "passed device", bind(run_passthrough, arch)
    for name, vms, pattern in refusals(arch):
        yield f"refuses to {name}", bind(run_refused, arch, name, vms, pattern)
    if board.ONE_CPU_GOES_OFF:
        yield "last CPU off", bind(run_last_cpu_off, arch, {"code": board.ONE_CPU_GOES_OFF}, 1)
    for pcpus in (1, 2) if board.ALL_CPUS_GO_OFF else ():
        yield f"both CPUs off, on {pcpus}", bind(
            run_last_cpu_off, arch, {"code": board.ALL_CPUS_GO_OFF, "cpus": 2}, pcpus)
    for vcpus, pcpus in board.SELFTEST_CPUS:
        yield f"self-test with {vcpus} vCPUs on {pcpus} CPUs", bind(run_selftest, arch, vcpus, pcpus)
    yield "prompt of a guest that waits", bind(run_prompt, arch, board.ASKS_AND_WAITS)
    yield "prompt of a guest that loops", bind(run_prompt, arch, board.ASKS_AND_LOOPS)
    if arch == "riscv64":
        yield "harts that start at the boot entry", bind(run_second_boot, arch)
    for pcpus in (1, 4):
        yield f"two self-tests at once on {pcpus} CPUs", bind(run_two_selftests, arch, pcpus)
