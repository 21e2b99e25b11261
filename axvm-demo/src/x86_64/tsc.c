// SPDX-License-Identifier: Apache-2.0
#include "tsc.h"

#include "cpu.h"
#include "scale.h"

#include <stdbool.h>

// 8254: channel 0, which no interrupt is taken from.
#define PIT_COUNTER 0x40u
#define PIT_CONTROL 0x43u
#define PIT_MODE_2  0x34u // low byte, high byte; counts down and begins again
#define PIT_LATCH   0x00u
#define PIT_HZ      UINT64_C(1193182)

#define WINDOW   UINT64_C(11932) // 10 ms
#define ROUNDS   5u              // odd: an emulator that is not running spoils some
#define SAMPLES  4u
#define POLL_MAX 1000000u

#define LEAF_TSC       0x15u
#define LEAF_FREQUENCY 0x16u
#define HZ_PER_MHZ     UINT64_C(1000000)

typedef struct Sample {
    uint16_t count;
    uint64_t tsc;
} Sample;

static uint16_t pit_count(void)
{
    port_write8(PIT_CONTROL, PIT_LATCH);
    const uint8_t low = port_read8(PIT_COUNTER);

    return (uint16_t)(low | port_read8(PIT_COUNTER) << 8);
}

// Both at the same time: of some pairs the one that took shortest.
static Sample sample(void)
{
    uint64_t shortest = UINT64_MAX;
    Sample best = {0};

    for (unsigned i = 0; i < SAMPLES; i++) {
        const uint64_t before = tsc_read();
        const uint16_t count = pit_count();
        const uint64_t took = tsc_read() - before;

        if (took < shortest) {
            shortest = took;
            best = (Sample){.count = count, .tsc = before + took / 2};
        }
    }
    return best;
}

static uint16_t elapsed(Sample from, Sample to)
{
    return (uint16_t)(from.count - to.count);
}

static uint64_t measure_once(void)
{
    const Sample start = sample();
    Sample end = start;

    for (unsigned i = 0; i < POLL_MAX && elapsed(start, end) < WINDOW; i++) {
        end = sample();
    }
    return elapsed(start, end) < WINDOW ? 0 : (end.tsc - start.tsc) * PIT_HZ / elapsed(start, end);
}

static bool pit_counts(void)
{
    const uint16_t first = pit_count();

    for (unsigned i = 0; i < 1000; i++) {
        if (pit_count() != first) {
            return true;
        }
    }
    return false;
}

static void insert(uint64_t *sorted, unsigned count, uint64_t value)
{
    while (count > 0 && sorted[count - 1] > value) {
        sorted[count] = sorted[count - 1];
        count--;
    }
    sorted[count] = value;
}

static uint64_t measure(void)
{
    uint64_t results[ROUNDS];

    port_write8(PIT_CONTROL, PIT_MODE_2);
    port_write8(PIT_COUNTER, 0);
    port_write8(PIT_COUNTER, 0);
    if (!pit_counts()) {
        return 0;
    }
    for (unsigned i = 0; i < ROUNDS; i++) {
        insert(results, i, measure_once());
    }
    return results[ROUNDS / 2];
}

static uint64_t ask_cpu(void)
{
    const uint32_t leaves = cpuid(0, 0).eax;
    const Cpuid tsc = leaves >= LEAF_TSC ? cpuid(LEAF_TSC, 0) : (Cpuid){0};

    if (tsc.eax != 0 && tsc.ebx != 0 && tsc.ecx != 0) {
        return scale(tsc.ecx, tsc.eax, tsc.ebx);
    }
    return leaves >= LEAF_FREQUENCY ? cpuid(LEAF_FREQUENCY, 0).eax * HZ_PER_MHZ : 0;
}

uint64_t tsc_measure(void)
{
    const uint64_t measured = measure();

    return measured != 0 ? measured : ask_cpu();
}
