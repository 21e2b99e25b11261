// SPDX-License-Identifier: Apache-2.0
/* The boards there are, each like QEMU's `virt` of its architecture where guests care. */
#pragma once

#include <axvm/vm.h>

extern const AxMachineOps axvm_machine_aarch64; /* GICv3, PL011, PSCI */
extern const AxMachineOps axvm_machine_riscv64; /* PLIC, NS16550A, SBI; needs counter_hz */
/* A PC: IOAPIC, 8259, 8254, RTC, COM1, ACPI; needs counter_hz. Its host calls axvm_poll(). */
extern const AxMachineOps axvm_machine_x86_64;
