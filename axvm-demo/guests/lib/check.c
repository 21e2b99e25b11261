// SPDX-License-Identifier: Apache-2.0
#include "guest.h"

static unsigned checks;
static unsigned failures;

bool guest_check(bool condition, const char *name)
{
    checks++;
    if (!condition) {
        failures++;
    }
    guest_printf("%s %u - %s\n", condition ? "ok" : "not ok", checks, name);
    return condition;
}

bool guest_check_eq(uint64_t actual, uint64_t expected, const char *name)
{
    if (guest_check(actual == expected, name)) {
        return true;
    }
    guest_printf("# got 0x%lx, expected 0x%lx\n", actual, expected);
    return false;
}

void guest_skip(const char *name, const char *reason)
{
    checks++;
    guest_printf("ok %u - %s # SKIP %s\n", checks, name, reason);
}

GuestTally guest_tally(void)
{
    return (GuestTally){checks, failures};
}

void guest_set_tally(GuestTally tally)
{
    checks = tally.checks;
    failures = tally.failures;
}

void guest_finish(void)
{
    guest_printf("1..%u\n", checks);
    guest_printf("# %u checks, %u failed\n", checks, failures);
    guest_exit(failures == 0 ? 0 : 1);
}
