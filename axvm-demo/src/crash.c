// SPDX-License-Identifier: Apache-2.0
#include "crash.h"

#include "layout.h"
#include "log.h"
#include "platform.h"

#include <stdatomic.h>

#define BACKTRACE_MAX 24u
#define NOBODY        UINT64_MAX

extern char stacks[], image_end[];

static volatile bool expected;
static volatile bool happened;

void crash_expect(void)
{
    happened = false;
    expected = true;
}

bool crash_is_expected(void)
{
    happened = expected;
    expected = false;
    return happened;
}

bool crash_happened(void)
{
    expected = false;
    return happened;
}

const char *crash_name(const char *const *names, size_t count, uint64_t code)
{
    return code < count && names[code] != NULL ? names[code] : "other cause";
}

void crash_begin(void)
{
    static _Atomic uint64_t reporter = NOBODY;
    const uint64_t self = platform_cpu_number();
    uint64_t first = NOBODY;

    if (!atomic_compare_exchange_strong_explicit(&reporter, &first, self, memory_order_relaxed,
                                                 memory_order_relaxed)) {
        if (first == self) {
            platform_exit(false);
        }
        for (;;) {
        }
    }
    log_break_lock();
}

bool crash_is_record(uint64_t addr)
{
    return addr % 16 == 0 && addr >= (uintptr_t)stacks && addr < (uintptr_t)image_end &&
           ((addr - (uintptr_t)stacks) & STACK_SIZE) == 0;
}

void crash_backtrace(uint64_t fp)
{
    log_line(AX_LOG_ERROR, "called from (addr2line -e axvm-demo.elf):");
    for (unsigned i = 0; i < BACKTRACE_MAX && crash_is_record(fp - FRAME_RECORD_BELOW); i++) {
        const uint64_t *record = (const uint64_t *)(uintptr_t)(fp - FRAME_RECORD_BELOW);

        log_line(AX_LOG_ERROR, "  0x%lx", record[1]);
        if (record[0] <= fp) {
            return;
        }
        fp = record[0];
    }
}
