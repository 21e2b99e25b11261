// SPDX-License-Identifier: Apache-2.0
// The virtual GIC: delivery, enables, priorities, more interrupts than list registers.
#include "selftest.h"

#define SPI_FIRST 40u
#define SPI_LAST  63u
#define PRIORITY  0x80u

static volatile uint32_t seen[64];
static volatile uint32_t order[64];
static volatile uint32_t taken;

static void record(uint32_t intid)
{
    seen[intid % 64]++;
    order[taken % 64] = intid;
    taken++;
}

static void start_recording(void)
{
    for (size_t i = 0; i < 64; i++) {
        seen[i] = 0;
    }
    taken = 0;
    guest_irq_handler(record);
}

// Interrupts are taken at the latest within a few instructions after they are unmasked.
static void take_pending(void)
{
    guest_irq_on();
    for (volatile int i = 0; i < 1000; i++) {
    }
    guest_irq_off();
}

static void sgi_to_self(void)
{
    start_recording();
    guest_irq_config(3, PRIORITY, true);
    guest_sgi(3, guest_cpu());
    guest_sgi(3, guest_cpu());
    take_pending();
    GUEST_CHECK_EQ(seen[3], 1, "an SGI to itself arrives, twice sent before it is taken is once");
    guest_irq_config(3, PRIORITY, false);
    guest_sgi(3, guest_cpu());
    take_pending();
    GUEST_CHECK_EQ(seen[3], 1, "a disabled SGI does not arrive");
    guest_irq_config(3, PRIORITY, true);
    take_pending();
    GUEST_CHECK_EQ(seen[3], 2, "it arrives once it is enabled");
}

static void spi_edges(void)
{
    start_recording();
    guest_irq_config(SPI_FIRST, PRIORITY, true);
    guest_irq_set_pending(SPI_FIRST, true);
    GUEST_CHECK(guest_irq_is_pending(SPI_FIRST), "a pending SPI reads as pending");
    guest_irq_set_pending(SPI_FIRST, false);
    GUEST_CHECK(!guest_irq_is_pending(SPI_FIRST), "and as not pending after it was cleared");
    take_pending();
    GUEST_CHECK_EQ(seen[SPI_FIRST], 0, "a cleared SPI does not arrive");
    guest_irq_set_pending(SPI_FIRST, true);
    take_pending();
    GUEST_CHECK_EQ(seen[SPI_FIRST], 1, "a pending SPI arrives once");
    GUEST_CHECK(!guest_irq_is_active(SPI_FIRST), "and is not active after its end");
}

static void priorities_decide(void)
{
    bool sorted = true;
    bool all = true;

    start_recording();
    for (uint32_t i = SPI_FIRST; i <= SPI_LAST; i++) {
        // Later numbers are more urgent, so order by number would be wrong.
        guest_irq_config(i, (uint8_t)(0xf0 - (i - SPI_FIRST) * 8), true);
    }
    for (uint32_t i = SPI_FIRST; i <= SPI_LAST; i++) {
        guest_irq_set_pending(i, true);
    }
    take_pending();
    GUEST_CHECK_EQ(taken, SPI_LAST - SPI_FIRST + 1, "24 SPIs at once all arrive");
    for (uint32_t i = SPI_FIRST; i <= SPI_LAST; i++) {
        all = all && seen[i] == 1;
        sorted = sorted && order[i - SPI_FIRST] == SPI_LAST - (i - SPI_FIRST);
        guest_irq_config(i, PRIORITY, false);
    }
    GUEST_CHECK(all, "each of them once");
    GUEST_CHECK(sorted, "the most urgent first");
}

static void mask_register_holds_back(void)
{
    start_recording();
    guest_irq_config(4, PRIORITY, true);
    WRITE_SYSREG(S3_0_C4_C6_0, 0x40); // ICC_PMR_EL1
    guest_sgi(4, guest_cpu());
    take_pending();
    GUEST_CHECK_EQ(seen[4], 0, "ICC_PMR_EL1 holds a less urgent interrupt back");
    WRITE_SYSREG(S3_0_C4_C6_0, 0xff);
    take_pending();
    GUEST_CHECK_EQ(seen[4], 1, "and lets it through later");
}

void test_interrupts(void)
{
    sgi_to_self();
    spi_edges();
    priorities_decide();
    mask_register_holds_back();
}
