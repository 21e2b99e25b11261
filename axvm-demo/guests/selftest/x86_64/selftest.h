// SPDX-License-Identifier: Apache-2.0
// One function per part, in the order of main.c.
#pragma once

#include "arch.h"

void test_load_store(void);
void test_memory(void);
void test_timers(void);
void test_smp(void);
