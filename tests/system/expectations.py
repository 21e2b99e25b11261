# SPDX-License-Identifier: Apache-2.0
"""What axvm-demo and the guests print, as regular expressions: the one place that knows."""
import re

# ---- the hypervisor ----
ERROR = r"^\[axvm\] error: .*{}"
VM_ENDED = r'^\[axvm\] vm (?P<vm>\d+) "(?P<name>[^"]*)": ended: (?P<reason>\S+)'
VCPU_EXITS = (r"^\[axvm\] vm (?P<vm>\d+) vcpu (?P<vcpu>\d+): exits (?P<exits>\d+) "
              r"\((?P<kinds>[^)]*)\), handled (?P<handled>\d+) \([^)]*\), "
              r"guest time (?P<ms>\d+) ms")
FRAMES = r"^\[axvm\] frames: (?P<start>\d+) free at start, (?P<end>\d+) at end$"
GUEST_LINE = r"^\[{}\] (.*)$"  # when there are several guests
ALL_ENDED = r"^\[axvm\] all VMs ended: (?P<result>success|failure)"
KEYS_SUMMARY, KEYS_STOP = "\x1ds", "\x1dx"  # commands after Ctrl-]

# ---- the built-in guests ----
SELFTEST_GOOD = r"# \d+ checks, 0 failed"
BENCH = r"^(?:\S+: )?BENCH (?P<what>\S+) (?P<count>\d+) ns$"

# ---- tools/guest-init ----
GUEST_READY = r"^GUEST-READY Linux \S+ (?P<machine>\S+) cpus=(?P<cpus>\d+)$"
SLEEP_START = r"^SLEEP-START$"
SLEEP_CHECK = r"^SLEEP-CHECK (?P<seconds>[\d.]+)$"
PROMPT = r"^axvm# "

# ---- bars ----
MAX_LINUX_EXITS = {"aarch64": 3000, "riscv64": 3000, "x86_64": 12000}
SLEEP_SECONDS = (0.9, 1.3)
MAX_INSTRUCTION_RATIO = 1.03
# Hypervisor instructions per round trip, about a tenth above what was measured with gcc when they were set,
# and above what clang needs. For comparison, Linux KVM on the same emulator: 1240 (arm64, VHE) and 934
# (riscv64) for a hypercall, 1994 and 3258 for MMIO. On x86_64 there are no decode assists in QEMU.
MAX_ROUND_TRIP = {"aarch64": {"hypercall-in-backend": 200, "hypercall-to-host": 490, "id-register-read": 320,
                              "mmio-read": 620, "mmio-write": 605, "mmio-pair-decoded": 1580,
                              "sgi-to-self": 1350, "timer-interrupt": 835},
                  "riscv64": {"hypercall-in-backend": 215, "hypercall-to-host": 605, "set-timer": 235,
                              "mmio-read": 840, "mmio-write": 840, "mmio-read-compressed": 865,
                              "ipi-to-self": 595, "timer-interrupt": 630},
                  "x86_64": {"hypercall-to-host": 875, "cpuid": 465, "msr-read": 485, "msr-write": 565,
                             "port-read": 1050, "port-write": 1020, "mmio-read": 5400, "mmio-write": 5420,
                             "apic-read": 4300, "apic-write": 4310, "ipi-to-self": 9450,
                             "timer-interrupt": 9530, "halt-and-wake": 9530},
                  "x86_64-vmx": {"hypercall-to-host": 1020, "cpuid": 605, "msr-read": 625, "msr-write": 710,
                                 "port-read": 1225, "port-write": 1200, "mmio-read": 4590, "mmio-write": 4610,
                                 "apic-read": 3565, "apic-write": 4010, "ipi-to-self": 8440,
                                 "timer-interrupt": 8510}}


def exit_kinds(text):
    """{kind: count} from the list in an exit summary, like `mmio-read 5, hypercall 2`."""
    return {kind: int(count) for kind, count in re.findall(r"([a-z0-9-]+) (\d+)", text)}
