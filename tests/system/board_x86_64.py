# SPDX-License-Identifier: Apache-2.0
"""x86-64: QEMU's q35 board, the machine of a VM, and small guests. board_aarch64.py is its twin."""

# ---- the host: QEMU's q35 board ----
CPUS = ("max", "EPYC")
SILENT_CPU = None  # every CPU comes to its first line, in 32-bit mode
HOST_RAM = 0
RTC = 0xFED00000  # a clock that is no ports: the HPET
# What a VM may not have: (name, host address).
USED_DEVICES = (("local APIC", 0xFEE00000), ("I/O APIC", 0xFEC00000))

# ---- the machine of a VM ----
RAM = 0
LOAD_OFFSET = 0x8000  # where real mode comes to
STARTS_ANYWHERE = False
LINUX_FORMAT = "bzimage"
CONTROLLER_DEVICE = CONSOLE_DEVICE = None  # a PC always has both
CONSOLE = "ttyS0"
WINDOW = 0x0A000000  # where a passed device appears; nothing is there otherwise
POWER_OFF_EXITS = {"io-write"}
# (vCPUs, CPUs) of runs of the self-test, which takes long.
SELFTEST_CPUS = ((1, 1), (2, 1), (2, 2), (4, 2), (8, 4))
# Lines of /proc/interrupts and /proc/cpuinfo, as tools/guest-init prints them.
IRQ_TIMER = r"^IRQ +LOC: +(?P<count>\d+) .*"
IRQ_UART = r"^IRQ +4: +(?P<count>\d+) .*ttyS0"
CPU_LINES = {}  # by CPU of the host

# ---- machines that cannot run the hypervisor: (name, words of the emulator to replace, error) ----
BAD_MACHINES = (
    ("CPU without SVM", {"max": "max,svm=off"}, "neither AMD SVM nor Intel VMX"),
    ("CPU with SVM and without nested paging", {"max": "qemu64"}, "nested paging"),
    ("CPU without 64-bit mode", {"max": "qemu32"}, "64-bit mode"),
)
BAD_TREES = ()  # it has none

# ---- code of guests, which lies at LOAD_OFFSET and begins in real mode ----


def octets(*parts):
    """The bytes of texts in hexadecimal; a number is one of 32 bits."""
    return b"".join(part.to_bytes(4, "little") if isinstance(part, int) else
                    bytes.fromhex(part) if isinstance(part, str) else part for part in parts)


STOPS = "f4 ebfd"  # 1: hlt; jmp 1b
# To 32-bit protected mode with flat segments.
PROTECTED = octets(
    "fa 660f01163080",  # cli; lgdt from 0x8030
    "0f20c0 0c01 0f22c0 66ea 38800000 0800 90",  # cr0.PE; ljmp to 0x8038
    "0000000000000000 ffff0000009bcf00 ffff00000093cf00",  # 0x8018: code and data of 4 GiB
    "1700 18800000 0000",  # 0x8030: its limit and its address
    "66b81000 8ed8 8ec0 8ed0")  # ds, es and ss
SYSTEM_OFF = octets("ba", 0x604, "b8", 0x3400, "66ef", STOPS)  # outw to PM1 control: S5
SYSTEM_RESET = octets("ba", 0xCF9, "b006 ee", "ebfe")  # outb to the reset port; jmp .
FAILS = octets("b8", 1, "bf", 1, "0f01d9", "ebfe")  # exit hypercall with status 1; jmp .
POWER_OFF = octets("ba0406 b80034 ef", STOPS)  # in real mode

# Guests that misbehave. Each runs beside one that powers off, which must not notice.
BAD_GUESTS = (
    ("loops for ever", octets("ebfe")),  # jmp .
    ("waits for nothing", octets("fa", STOPS)),
    ("reads where nothing is", PROTECTED + octets("a1", 0xDEAD0000, "ebfe")),
    ("jumps where nothing is", PROTECTED + octets("b8", 0xDEAD0000, "ffe0")),
    ("runs in its local APIC", PROTECTED + octets("b8", 0xFEE00000, "ffe0")),
    ("has no vectors for a fault", octets("0f011e0081 cc")),  # lidt of zeros; int3
    ("uses an instruction of hypervisors", octets("0f01d8 ebfe")),  # vmrun
    ("writes a register that is not there", PROTECTED + octets("b9", 0xDEADBEEF, "0f30 ebfe")),  # wrmsr
    ("sets reserved bits of a control register", PROTECTED + octets("b8", 0xFFFFFFFF, "0f22e0 ebfe")),  # cr4
    ("copies a device for ever", PROTECTED + octets(  # rep movsl
        "be", 0xFEE00000, "bf", 0xDEAD0000, "b9", 0xFFFFFFFF, "f3a5 ebfe")),
    ("writes ports for ever", octets("bae900 66b9ffffffff f3676e ebf4")),  # rep outsb
    ("changes a device atomically", PROTECTED + octets("f08305", 0xFEE000F0, "01 ebfe")),  # lock addl
    ("stores vectors to a device", PROTECTED + octets("b8", 0x600, "0f22e0 0f1105", 0xFEE00000, "ebfe")),
    ("sends itself NMIs", PROTECTED + octets("c705", 0xFEE00300, 0x44400, "ebf4")),
    ("sends itself INIT", PROTECTED + octets("c705", 0xFEE00300, 0x44500, "ebfe")),
    ("resets again and again", octets("baf90c b006 ee ebfe")),
)


def halves(number):
    return number & 0xFFFFFFFF, number >> 32


def finds_stamp(address, stamp, written, after_reset):
    """Finds `stamp` at `address`, writes `written`, resets; finds `after_reset` then, and powers off."""
    (stamp_low, stamp_high), (low, high), (reset_low, reset_high) = map(halves, (stamp, written, after_reset))
    return PROTECTED + octets(
        "bb", address,
        "813b", stamp_low, "7520", "817b04", stamp_high, "7517",  # stamp, or to 1f
        "c703", low, "c74304", high,
        SYSTEM_RESET,
        "813b", reset_low, "7518", "817b04", reset_high, "750f",  # 1: after_reset, or to 2f
        SYSTEM_OFF,
        FAILS)  # 2:


# Powers off if the device at WINDOW is a HPET with three timers that counts 10 ns.
READS_RTC = PROTECTED + octets(
    "813d", WINDOW, 0x8086A201, "751b",  # vendor and kind, or to 1f
    "813d", WINDOW + 4, 10_000_000, "750f",  # femtoseconds, or to 1f
    SYSTEM_OFF,
    FAILS)  # 1:

# A CPU of a PC can only halt.
ONE_CPU_GOES_OFF = ALL_CPUS_GO_OFF = None

ASKS = octets("baf803 b03f ee")  # writes '?' to its console, no newline
ASKS_AND_LOOPS = ASKS + octets("ebfe")
ASKS_AND_WAITS = ASKS + octets(STOPS)
