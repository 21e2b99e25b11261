// SPDX-License-Identifier: Apache-2.0
// Numbers shared by the linker script, the assembly files and C: macros only.
#pragma once

// Above what firmware and option ROMs use, at 2 MiB.
#define IMAGE_BASE 0x200000

#define PAGE_SIZE 0x1000

// A stack fills the lower half of an area of twice its size; the guard below it is not mapped.
#define STACK_SHIFT 15
#define STACK_SIZE  (1 << STACK_SHIFT)
#define STACK_COUNT 8

// A frame pointer refers to what lies this far behind its frame record (System V ABI, 3.2.2).
#define FRAME_RECORD_BELOW 0

// struct FaultFrame (fault.h)
#define FAULT_VECTOR 120

// Where a PC has its first 16550: ports.
#define UART_PORT 0x3f8

// Below 1 MiB, where a CPU that is started is in real mode: nothing of it is given to guests.
#define LOW_MEMORY_SIZE 0x100000
#define TRAMPOLINE      0x8000

// Selectors of the GDT (descriptors.c); those of start.S are the same.
#define SELECTOR_CODE   0x08
#define SELECTOR_DATA   0x10
#define SELECTOR_CODE32 0x18
#define SELECTOR_TSS    0x20 // one of 16 bytes for each pCPU

// What boot loaders pass: Multiboot 0.6.96, 3.2; PVH (Xen, start_info.h).
#define MULTIBOOT_MAGIC  0x2badb002
#define START_INFO_MAGIC 0x336ec578

// Interrupt vectors. All exceptions are below the first one; the 8259s, which are masked, share that.
#define VECTOR_PIC      0x20
#define VECTOR_UART     0x30
#define VECTOR_TIMER    0x40
#define VECTOR_KICK     0x50
#define VECTOR_SPURIOUS 0xff

// Two ways in which emulators are ended by a write to a port, beside ACPI: QEMU, Bochs.
#define QEMU_PM_CONTROL  0x604
#define QEMU_PM_SOFT_OFF 0x2000
#define QEMU_DEBUG_EXIT  0xf4
#define BOCHS_SHUTDOWN   0x8900
