// SPDX-License-Identifier: Apache-2.0
// Numbers shared by the linker script, the assembly files and C: macros only.
#pragma once

// A boot loader puts an arm64 Image at the start of RAM + text_offset: QEMU's virt board there.
#define TEXT_OFFSET 0x200000
#define IMAGE_BASE  0x40200000

#define PAGE_SIZE 0x1000

// A stack fills the lower half of an area of twice its size, aligned to that: the bit
// STACK_SHIFT of a stack pointer is 0 until the stack overflows into the guard below it.
#define STACK_SHIFT 15
#define STACK_SIZE  (1 << STACK_SHIFT)
#define STACK_COUNT 8

// Index of the vector of a synchronous exception at EL2 itself (Arm ARM D1.10.2).
#define VECTOR_CURRENT_SYNC 4

// A frame pointer refers to what lies this far behind its frame record (AAPCS64, 6.4.6).
#define FRAME_RECORD_BELOW 0

// struct FaultFrame (fault.h)
#define FAULT_FRAME_SIZE 288
#define FAULT_SP         248
#define FAULT_ELR        256
#define FAULT_SPSR       264
#define FAULT_KIND       272

// Where QEMU's virt board has its PL011: for what must be said before the device tree is read.
#define EARLY_UART 0x09000000
