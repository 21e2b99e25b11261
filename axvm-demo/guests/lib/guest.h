// SPDX-License-Identifier: Apache-2.0
// What every built-in guest has, on any architecture: a console, checks that print TAP, an end.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// ---- console ----
void guest_putc(char c);
// %s %c %d %u %x (with l), no widths.
void guest_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

// ---- checks, counted and printed as TAP ----
#define GUEST_CHECK(condition, name) guest_check((condition), (name))
#define GUEST_CHECK_EQ(actual, expected, name) \
    guest_check_eq((uint64_t)(actual), (uint64_t)(expected), (name))
bool guest_check(bool condition, const char *name);
bool guest_check_eq(uint64_t actual, uint64_t expected, const char *name);
void guest_skip(const char *name, const char *reason);
// What was counted so far, for a program that goes on after a reset.
typedef struct GuestTally {
    unsigned checks;
    unsigned failures;
} GuestTally;

GuestTally guest_tally(void);
void guest_set_tally(GuestTally tally);
// Prints the TAP plan and ends the VM, with failure when a check failed.
_Noreturn void guest_finish(void);

// ---- architecture ----
// Ends the VM: 0 is success. Never returns.
_Noreturn void guest_exit(uint64_t status);
// Free-running counter of the guest and its frequency in Hz.
uint64_t guest_ticks(void);
uint64_t guest_tick_rate(void);

// The program.
void guest_main(void);

// ---- hypercalls of the demo ----
#define GUEST_HC_EXIT UINT64_C(1) // args: status
#define GUEST_HC_NONE UINT64_C(2) // answered with 0, for measuring
#define GUEST_HC_VMS  UINT64_C(3) // answered with the number of VMs, this one included

// ---- fixed places of the machine ----
#define GUEST_SCRATCH_BASE UINT64_C(0x0a000000) // the scratch device: memory, but each access traps
#define GUEST_SCRATCH_SIZE UINT64_C(0x1000)
