// SPDX-License-Identifier: Apache-2.0
/* Exceptions of the hypervisor itself: what <arch>/fault.c does on every architecture. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The next exception is one that platform code provokes to find something out: its handler asks
 * crash_is_expected() and steps over the instruction. Boot CPU only.
 */
void crash_expect(void);
bool crash_is_expected(void);
/* Whether it happened; no longer expected. */
bool crash_happened(void);

/* The text of `code` in `names`, which may have gaps; "other cause" when there is none. */
const char *crash_name(const char *const *names, size_t count, uint64_t code);

/*
 * Takes the console for the dump. A crash within a crash ends the machine here; another CPU that
 * crashes meanwhile waits here for the end that the first one's dump comes to.
 */
void crash_begin(void);

/* Whether a frame record, the caller's frame pointer and the return address, lies on a stack here. */
bool crash_is_record(uint64_t addr);
/* The return addresses of the functions that are running, from the one with frame pointer `fp` on. */
void crash_backtrace(uint64_t fp);
