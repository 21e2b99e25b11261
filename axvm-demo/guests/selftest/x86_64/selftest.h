// SPDX-License-Identifier: Apache-2.0
// One function per part, in the order of main.c.
#pragma once

#include "arch.h"

// Pages of the window that the parts use, up to 16 each.
#define SELFTEST_PAGE_EXCEPTIONS 16u
#define SELFTEST_PAGE_LOAD_STORE 32u
#define SELFTEST_PAGE_INTERRUPTS 48u

#define SELFTEST_SCRATCH_PORT (GUEST_UART_PORT + 7u) // keeps a byte

// By the ACPI tables, after test_firmware.
uint32_t selftest_cpus(void);

// Whether this is one of QEMU 7.2's emulated processors, which have errors that no hypervisor mends:
// asked of the processor itself, for CPUID may name any.
bool selftest_cpu_is_qemus(void);

void test_firmware(void);
void test_identity(void);
void test_msrs(void);
void test_ports(void);
void test_load_store(void);
void test_exceptions(void);
void test_tasks(void);
void test_interrupts(void);
void test_timers(void);
void test_board(void);
void test_fp(void);
void test_smp(void);
void test_tsc_write(void);
void test_resets(void);
// True when a reset was the cause of this start; the tests are through then.
bool test_resets_go_on(void);
