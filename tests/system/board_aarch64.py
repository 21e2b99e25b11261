# SPDX-License-Identifier: Apache-2.0
"""AArch64: QEMU's virt board, the machine of a VM, and small guests. board_riscv64.py and board_x86_64.py are its twins."""
import fdt
from machine_code import code, numbers
from tree_edit import dropping, setting

# ---- the host: QEMU's virt board ----
CPUS = ("cortex-a72", "max")
SILENT_CPU = "cortex-a15"  # has no AArch64 code
HOST_RAM = 0x40000000
RTC = 0x09010000
# What a VM may not have: (name, host address).
USED_DEVICES = (("UART", 0x09000000), ("distributor", 0x08001000), ("redistributor", 0x080C0000))

# ---- the machine of a VM ----
RAM = 0x40000000
LOAD_OFFSET = 0x80000
STARTS_ANYWHERE = True
LINUX_FORMAT = "linux-arm64"
CONTROLLER_DEVICE = '["gic", 0x08000000, 0x10000, 0, 0x1, [0, 0x080A0000]]'
CONSOLE_DEVICE = '["uart", 0x09000000, 0x1000, 33, 0x2]'
CONSOLE = "ttyAMA0"
WINDOW = 0x0A000000  # where a passed device appears; nothing is there otherwise
POWER_OFF_EXITS = {"system-down"}
# (vCPUs, CPUs) of runs of the self-test.
SELFTEST_CPUS = ((1, 1), (2, 1), (8, 1), (2, 2), (4, 2), (8, 2), (2, 4), (8, 4))
# Lines of /proc/interrupts and /proc/cpuinfo, as tools/guest-init prints them.
IRQ_TIMER = r"^IRQ +\d+: +(?P<count>\d+) .*arch_timer"
IRQ_UART = r"^IRQ +\d+: +(?P<count>\d+) .*(?:uart|pl011|ttyAMA)"
CPU_LINES = {}  # by CPU of the host

# ---- machines that cannot run the hypervisor: (name, words of the emulator to replace, error) ----
BAD_MACHINES = (
    ("machine without EL2", {"virt,virtualization=on,gic-version=3": "virt,gic-version=3"},
     "(?:EL2|exception level)"),
    ("machine with a GICv2", {"virt,virtualization=on,gic-version=3": "virt,virtualization=on,gic-version=2"},
     "(?:GIC|gic)"),
)
# (what is wrong with the machine's device tree, the change that makes it so, error)
BAD_TREES = (
    ("without an interrupt controller", dropping("intc"), "GICv3"),
    ("with half a GIC region", setting("intc", "reg", fdt.u32(0, 0x08000000, 0)), "GICv3.*reg"),
    ("without a timer", dropping("timer"), "timer"),
    ("with a timer without interrupts", setting("timer", "interrupts", b""), "timer"),
    ("with a UART without interrupts", setting("pl011", "interrupts", fdt.u32(0)), "PL011"),
    ("with a CPU without a number", setting("cpus/cpu", "reg", None), "cpus"),
)

# ---- code of guests ----
SYSTEM_OFF = (0x52B08000, 0x72800100, 0xD4000002)  # w0 = PSCI SYSTEM_OFF; hvc #0
SYSTEM_RESET = (0x52B08000, 0x72800120, 0xD4000002)  # w0 = PSCI SYSTEM_RESET; hvc #0
FAILS = (0xD2800020, 0xD2800021, 0xD4000002, 0x14000000)  # exit hypercall with status 1; b .
POWER_OFF = code(*SYSTEM_OFF, 0x14000000)  # ; b .

# Guests that misbehave. Each runs beside one that powers off, which must not notice.
BAD_GUESTS = (
    ("loops for ever", code(0x14000000)),  # b .
    ("waits for nothing", code(0xD503207F, 0x17FFFFFF)),  # 1: wfi; b 1b
    ("reads where nothing is", code(0xD2BBD5A0, 0xF9400001, 0x14000000)),  # ldr x1, [0xdead0000]; b .
    ("jumps where nothing is", code(0xD2820000, 0xD61F0000)),  # br 0x1000
    ("makes a secure call", code(0x52B08000, 0x72800100, 0xD4000003, 0x14000000)),  # smc #0
    ("makes a semihosting call", code(0xD2800300, 0xD45E0000, 0x14000000)),  # SYS_EXIT; hlt #0xf000; b .
)


def finds_stamp(address, stamp, written, after_reset):
    """Finds `stamp` at `address`, writes `written`, resets; finds `after_reset` then, and powers off."""
    return code(
        0x58000281,  # ldr x1, address
        0xF9400022,  # ldr x2, [x1]
        0x58000283,  # ldr x3, stamp
        0xEB03005F,  # cmp x2, x3
        0x540000C1,  # b.ne 1f
        0x58000263,  # ldr x3, written
        0xF9000023,  # str x3, [x1]
        *SYSTEM_RESET,
        0x58000203,  # 1: ldr x3, after_reset
        0xEB03005F,  # cmp x2, x3
        0x54000081,  # b.ne 2f
        *SYSTEM_OFF,
        *FAILS,  # 2:
        *numbers(address, stamp, written, after_reset))


RTC_BASE = 1767225600  # seconds: 2026-01-01T00:00:00Z
# Powers off if the device at WINDOW is a clock that stands less than ten minutes after RTC_BASE.
READS_RTC = code(
    0xD2A14001,  # mov x1, #WINDOW
    0xB94FE022, 0x7100C45F, 0x54000181,  # its PeriphID0 is 0x31, or to 1f
    0xB94FE422, 0x7100405F, 0x54000121,  # its PeriphID1 is 0x10, or to 1f
    0xB9400022, 0x18000163, 0x4B030042,  # its data register counts seconds: w2 = that - base
    0x7109605F, 0x54000082,  # less than 600, or to 1f
    *SYSTEM_OFF,
    *FAILS,  # 1:
    RTC_BASE)

CPU_OFF = (0x52B08000, 0x72800040, 0xD4000002, 0x14000000)  # w0 = PSCI CPU_OFF; hvc #0; b .
ONE_CPU_GOES_OFF = code(*CPU_OFF)
ALL_CPUS_GO_OFF = code(
    0x52B88000, 0x72800060, 0xD2800021,  # w0 = PSCI CPU_ON; x1 = 1, the second CPU
    0x10000082, 0xD2800003, 0xD4000002,  # adr x2, 1f; x3 = 0; hvc #0
    0xB5000080,  # cbnz x0, to the last b .
    *CPU_OFF)  # 1:

ASKS = (0xD2A12001, 0x528007E2, 0xB9000022)  # writes '?' to its console, no newline
ASKS_AND_LOOPS = code(*ASKS, 0x14000000)  # b .
ASKS_AND_WAITS = code(*ASKS, 0xD503207F, 0x17FFFFFF)  # 1: wfi; b 1b
