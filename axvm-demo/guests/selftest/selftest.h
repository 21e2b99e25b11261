// SPDX-License-Identifier: Apache-2.0
// The groups of checks, in the order they run.
#pragma once

#include "arch.h"

void test_identity(void);
void test_firmware(void);
void test_load_store(void);
void test_faults(void);
void test_interrupts(void);
void test_timers(void);
void test_fp(void);
void test_smp(void);
// riscv64
void test_exceptions(void);
void test_fences(void);
