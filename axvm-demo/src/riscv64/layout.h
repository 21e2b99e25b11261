// SPDX-License-Identifier: Apache-2.0
// Numbers shared by the linker script, the assembly files and C: macros only.
#pragma once

// Where QEMU's virt board and OpenSBI put the next stage: behind the firmware, at 2 MiB.
#define IMAGE_BASE 0x80200000

#define PAGE_SIZE 0x1000

// A stack fills the lower half of an area of twice its size, aligned to that: the bit
// STACK_SHIFT of a stack pointer is 0 until the stack overflows into the guard below it.
#define STACK_SHIFT 15
#define STACK_SIZE  (1 << STACK_SHIFT)
#define STACK_COUNT 8

// A frame pointer refers to what lies this far behind its frame record (RISC-V ELF psABI, 1.1).
#define FRAME_RECORD_BELOW 16

// struct FaultFrame (fault.h)
#define FAULT_FRAME_SIZE 272
#define FAULT_SEPC       256
#define FAULT_SSTATUS    264

// Where QEMU's virt board has its NS16550A and its test device: for what must be said and done before
// the device tree is read.
#define EARLY_UART 0x10000000
#define EARLY_TEST 0x00100000

// What the test device takes: failure, status 1.
#define TEST_FAIL 0x13333

// SBI: hart state management and system reset.
#define SBI_EXT_SRST      0x53525354
#define SBI_SRST_RESET    0
#define SBI_SRST_SHUTDOWN 0
#define SBI_SRST_FAILURE  1
