# SPDX-License-Identifier: Apache-2.0
"""RISC-V: QEMU's virt board, the machine of a VM, and small guests. board_aarch64.py is its twin."""
import fdt
from machine_code import code, numbers
from tree_edit import dropping, setting

# ---- the host: QEMU's virt board ----
CPUS = ("rv64", "rv64,sstc=off")
SILENT_CPU = None  # every CPU comes to its first line, by way of the firmware
HOST_RAM = 0x80000000
RTC = 0x00101000
# What a VM may not have: (name, host address).
USED_DEVICES = (("UART", 0x10000000), ("interrupt controller", 0x0C200000), ("test device", 0x00100000))

# ---- the machine of a VM ----
RAM = 0x80000000
LOAD_OFFSET = 0x200000
STARTS_ANYWHERE = True
LINUX_FORMAT = "linux-riscv64"
CONTROLLER_DEVICE = '["plic", 0x0C000000, 0x600000, 0, 0x1]'
CONSOLE_DEVICE = '["uart", 0x10000000, 0x1000, 10, 0x2]'
CONSOLE = "ttyS0"
WINDOW = 0x0A000000  # where a passed device appears; nothing is there otherwise
POWER_OFF_EXITS = {"system-down"}
# (vCPUs, CPUs) of runs of the self-test.
SELFTEST_CPUS = ((1, 1), (2, 1), (8, 1), (2, 2), (4, 2), (8, 2), (2, 4), (8, 4))
# Lines of /proc/interrupts and /proc/cpuinfo, as tools/guest-init prints them.
IRQ_TIMER = r"^IRQ +\d+: +(?P<count>\d+) .*riscv-timer"
IRQ_UART = r"^IRQ +\d+: +(?P<count>\d+) .*ttyS0"
CPU_LINES = {"rv64": r"^ISA .*_sstc", "rv64,sstc=off": r"^ISA (?!.*_sstc)"}  # by CPU of the host

# ---- machines that cannot run the hypervisor: (name, words of the emulator to replace, error) ----
BAD_MACHINES = (
    ("CPU without the hypervisor extension", {"rv64": "rv64,h=false"}, "(?:hypervisor|H) extension"),
    ("machine with an AIA", {"virt": "virt,aia=aplic-imsic"}, "PLIC"),
)
# (what is wrong with the machine's device tree, the change that makes it so, error)
BAD_TREES = (
    ("with half a PLIC region", setting("soc/plic", "reg", fdt.u32(0, 0x0C000000, 0)), "PLIC.*reg"),
    ("with a PLIC without sources", setting("soc/plic", "riscv,ndev", fdt.u32(0)), "PLIC.*ndev"),
    ("with a UART without interrupts", setting("soc/serial", "interrupts", b""), "NS16550A"),
    ("with a time base of nothing", setting("cpus", "timebase-frequency", fdt.u32(0)), "timebase-frequency"),
    ("without memory", dropping("memory"), "memory"),
)

# ---- code of guests ----
SYSTEM_OFF = (0x535258B7, 0x3548889B, 0x00000813,  # li a7, SRST; li a6, 0
              0x00000513, 0x00000593, 0x00000073)  # li a0, shutdown; li a1, no reason; ecall
SYSTEM_RESET = (0x535258B7, 0x3548889B, 0x00000813,  # li a7, SRST; li a6, 0
                0x00100513, 0x00000593, 0x00000073)  # li a0, cold reboot; li a1, no reason; ecall
FAILS = (0x080008B7, 0x00188893, 0x00100513, 0x00000073, 0x0000006F)  # exit hypercall with status 1; j .
POWER_OFF = code(*SYSTEM_OFF, 0x0000006F)  # ; j .

# Guests that misbehave. Each runs beside one that powers off, which must not notice.
BAD_GUESTS = (
    ("loops for ever", code(0x0000006F)),  # j .
    ("waits for nothing", code(0x10500073, 0xFFDFF06F)),  # 1: wfi; j 1b
    ("reads where nothing is", code(0x0DEAD2B7, 0x0002B303, 0x0000006F)),  # ld t1, 0xdead000; j .
    ("jumps where nothing is", code(0x000012B7, 0x00028067)),  # jr 0x1000
    ("uses an instruction of hypervisors", code(0x62000073, 0x0000006F)),  # hfence.gvma; j .
    ("reads a register of hypervisors", code(0x680022F3, 0x0000006F)),  # csrr t0, hgatp; j .
    ("changes a device atomically", code(0x100002B7, 0x0062A32F, 0x0000006F)),  # amoadd.w on the UART; j .
    ("makes a semihosting call", code(0x01F01013, 0x00100073, 0x40705013, 0x0000006F)),  # ebreak in its marks; j .
)


def finds_stamp(address, stamp, written, after_reset):
    """Finds `stamp` at `address`, writes `written`, resets; finds `after_reset` then, and powers off."""
    return code(
        0x024002EF,  # jal t0, over the numbers
        *numbers(address, stamp, written, after_reset),
        0x0002B603,  # ld a2, 0(t0)
        0x00063683,  # ld a3, 0(a2)
        0x0082B703,  # ld a4, 8(t0)
        0x02E69263,  # bne a3, a4, 1f
        0x0102B703,  # ld a4, 16(t0)
        0x00E63023,  # sd a4, 0(a2)
        *SYSTEM_RESET,
        0x0182B703,  # 1: ld a4, 24(t0)
        0x00E69E63,  # bne a3, a4, 2f
        *SYSTEM_OFF,
        *FAILS)  # 2:


RTC_BASE = 1767225600000000000  # nanoseconds: 2026-01-01T00:00:00Z
# Powers off if the device at WINDOW is a clock that stands less than ten minutes after RTC_BASE.
READS_RTC = code(
    0x014002EF,  # jal t0, over the numbers
    *numbers(RTC_BASE, 600_000_000_000),
    0x0A000337,  # lui t1, WINDOW
    0x00036603, 0x00436683, 0x02069693, 0x00D66633,  # a2 = its low word | its high word << 32
    0x0002B683, 0x40D60633,  # a2 -= RTC_BASE
    0x0082B683, 0x00D67E63,  # less than ten minutes, or to 1f
    *SYSTEM_OFF,
    *FAILS)  # 1:

CPU_OFF = (0x004858B7, 0x34D8889B, 0x00100813, 0x00000073, 0x0000006F)  # a7 = HSM; a6 = stop; ecall; j .
ONE_CPU_GOES_OFF = code(*CPU_OFF)
ALL_CPUS_GO_OFF = code(
    0x004858B7, 0x34D8889B, 0x00000813,  # a7 = HSM; a6 = start
    0x00100513, 0x00000597, 0x01458593,  # a0 = 1, the second hart; a1 = 1f
    0x00000613, 0x00000073,  # a2 = 0; ecall
    0x00051063,  # bnez a0, .
    *CPU_OFF)  # 1:

ASKS = (0x100002B7, 0x03F00313, 0x00628023)  # writes '?' to its console, no newline
ASKS_AND_LOOPS = code(*ASKS, 0x0000006F)  # j .
ASKS_AND_WAITS = code(*ASKS, 0x10500073, 0xFFDFF06F)  # 1: wfi; j 1b
