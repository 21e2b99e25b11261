// SPDX-License-Identifier: Apache-2.0
/* What all tests of the VM layer share. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <axvcpu_arch.h>
#include <fake_hal.h>

#define assert_error(call, wanted) \
    assert_string_equal(axvcpu_error_name(call), axvcpu_error_name(wanted))

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)

/* Numbers that look random and are the same in every run (xorshift64*). */
typedef struct Random {
    uint64_t state;
} Random;

static inline uint64_t random_next(Random *random)
{
    random->state ^= random->state >> 12;
    random->state ^= random->state << 25;
    random->state ^= random->state >> 27;
    return random->state * UINT64_C(0x2545f4914f6cdd1d);
}

static inline uint64_t random_below(Random *random, uint64_t limit)
{
    return (random_next(random) >> 16) % limit;
}
