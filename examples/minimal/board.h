/* SPDX-License-Identifier: Apache-2.0 */
/* What host.c needs of a machine; aarch64/ and riscv64/ have it for QEMU's virt,
   x86_64/ for its q35. */
#pragma once

#include <stdint.h>

/* From the linker script: memory, from a boundary of 1 GiB on, and what of it is nobody's yet. */
extern char ram_start[], frames_start[], frames_end[];

/* guest.S, or where it is copied to */
extern char guest_code[];

/* The number of the guest's first hypercall is this plus 42. */
extern const uint64_t board_hypercalls;

/* The port by which a guest powers itself off; 0 where that is a call of the firmware. */
extern const uint16_t board_off_port;

/* Ticks of the guest's counter per second; 0 when the CPU tells. */
uint64_t board_counter_hz(void);

void board_put(char c);
uint64_t board_now_ns(void);
_Noreturn void board_power_off(void);

/* host.c; start.S calls it with a stack, interrupts masked, address translation off. */
_Noreturn void host_main(void);
