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
                  "x86_64": {"hypercall-to-host": 785, "cpuid": 405, "msr-read": 425, "msr-write": 505,
                             "port-read": 990, "port-write": 960, "mmio-read": 2990, "mmio-write": 3030,
                             "apic-read": 2110, "apic-write": 2190, "ipi-to-self": 5040,
                             "timer-interrupt": 5110, "halt-and-wake": 5120},
                  "x86_64-vmx": {"hypercall-to-host": 965, "cpuid": 555, "msr-read": 570, "msr-write": 655,
                                 "port-read": 1175, "port-write": 1145, "mmio-read": 2910, "mmio-write": 2930,
                                 "apic-read": 2100, "apic-write": 2590, "ipi-to-self": 6740,
                                 "timer-interrupt": 6820}}


def exit_kinds(text):
    """{kind: count} from the list in an exit summary, like `mmio-read 5, hypercall 2`."""
    return {kind: int(count) for kind, count in re.findall(r"([a-z0-9-]+) (\d+)", text)}
