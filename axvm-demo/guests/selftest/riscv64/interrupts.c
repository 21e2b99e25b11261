// SPDX-License-Identifier: Apache-2.0
// Software interrupts and the virtual PLIC: delivery, enables, priorities, levels.
#include "sip.h"

#define UART           GUEST_UART_IRQ
#define UART_IER       (GUEST_UART_BASE + 1)
#define UART_IIR       (GUEST_UART_BASE + 2)
#define UART_IER_THRI  2u
#define IIR_THRI       2u
#define IIR_NONE       1u
#define IIR_MASK       0xfu
#define PRIORITY       3u
#define UART_INTERRUPT GUEST_IRQ_SOURCE(UART)

static volatile uint32_t seen[64];
static volatile bool keep_level;

static void record(uint32_t irq)
{
    seen[irq % 64]++;
    if (irq == UART_INTERRUPT && !keep_level) {
        mmio_write8(UART_IER, 0);
    }
    keep_level = false;
}

static void start_recording(void)
{
    for (size_t i = 0; i < 64; i++) {
        seen[i] = 0;
    }
    keep_level = false;
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

static void ipi_to_self(void)
{
    start_recording();
    guest_ipi(guest_cpu());
    guest_ipi(guest_cpu());
    take_pending();
    GUEST_CHECK_EQ(seen[GUEST_IRQ_SOFTWARE], 1,
                   "an IPI to itself arrives, twice sent before it is taken is once");
    CLEAR_CSR(sie, IRQ_BIT(GUEST_IRQ_SOFTWARE));
    guest_ipi(guest_cpu());
    take_pending();
    GUEST_CHECK_EQ(seen[GUEST_IRQ_SOFTWARE], 1, "a disabled IPI does not arrive");
    SET_CSR(sie, IRQ_BIT(GUEST_IRQ_SOFTWARE));
    take_pending();
    GUEST_CHECK_EQ(seen[GUEST_IRQ_SOFTWARE], 2, "it arrives once it is enabled");
    (void)guest_sbi3(SBI_IPI, 0, 0, UINT64_MAX, 0);
    take_pending();
    GUEST_CHECK_EQ(seen[GUEST_IRQ_SOFTWARE], 3, "an IPI to all is one to itself, too");
}

// The transmitter is always empty, so its interrupt is a level that one bit switches on.
static void assert_level(void)
{
    mmio_write8(UART_IER, 0);
    mmio_write8(UART_IER, UART_IER_THRI);
}

static bool external_is_pending(void)
{
    return sip_shows(GUEST_IRQ_EXTERNAL);
}

static void registers_keep(void)
{
    guest_irq_config(UART, PRIORITY, false);
    GUEST_CHECK_EQ(guest_irq_priority(UART), PRIORITY, "PLIC: a priority reads back");
    GUEST_CHECK_EQ(guest_irq_claim(), 0, "PLIC: nothing to claim");
    guest_irq_config(0, PRIORITY, true);
    GUEST_CHECK_EQ(guest_irq_priority(0), 0, "PLIC: source 0 has no priority");
    guest_irq_complete(UART);
    guest_irq_complete(0);
    guest_irq_complete(1023);
    GUEST_CHECK(!external_is_pending(), "PLIC: completions of nothing do nothing");
}

static void external_arrives(void)
{
    start_recording();
    guest_irq_config(UART, PRIORITY, true);
    assert_level();
    const bool pending = guest_irq_is_pending(UART);
    const bool external = external_is_pending();

    take_pending();
    GUEST_CHECK(pending, "PLIC: the UART's interrupt is pending");
    check_sip(external, "PLIC: and SEIP says so");
    GUEST_CHECK_EQ(seen[UART_INTERRUPT], 1, "PLIC: it arrives, once");
    GUEST_CHECK(!external_is_pending(), "PLIC: and is gone after its end");
    GUEST_CHECK_EQ(guest_irq_claim(), 0, "PLIC: with nothing left to claim");
}

static void enable_and_priority_hold_back(void)
{
    start_recording();
    guest_irq_config(UART, PRIORITY, false);
    assert_level();
    take_pending();
    GUEST_CHECK_EQ(seen[UART_INTERRUPT], 0, "PLIC: a disabled source does not interrupt");
    guest_irq_config(UART, 0, true);
    take_pending();
    GUEST_CHECK_EQ(seen[UART_INTERRUPT], 0, "PLIC: nor does one of priority 0");
    guest_irq_threshold(PRIORITY);
    guest_irq_config(UART, PRIORITY, true);
    take_pending();
    GUEST_CHECK_EQ(seen[UART_INTERRUPT], 0, "PLIC: nor one at the threshold");
    GUEST_CHECK(!external_is_pending(), "PLIC: SEIP is clear meanwhile");
    guest_irq_threshold(PRIORITY - 1);
    take_pending();
    GUEST_CHECK_EQ(seen[UART_INTERRUPT], 1, "PLIC: it arrives when it is above the threshold");
    guest_irq_threshold(0);
}

// What the PLIC says, noted first: each check prints, and each character raises the line again.
typedef struct PlicState {
    uint32_t claim;
    bool pending;
    bool external;
} PlicState;

static PlicState claim(void)
{
    const uint32_t source = guest_irq_claim();

    return (PlicState){source, guest_irq_is_pending(UART), external_is_pending()};
}

static PlicState complete_and_claim(void)
{
    guest_irq_complete(UART);
    const PlicState state = {0, guest_irq_is_pending(UART), external_is_pending()};

    return (PlicState){guest_irq_claim(), state.pending, state.external};
}

static void claim_and_complete(void)
{
    assert_level();
    const PlicState first = claim();
    const PlicState second = claim();
    const PlicState again = complete_and_claim();
    const uint8_t why = mmio_read8(UART_IIR);
    const uint8_t then = mmio_read8(UART_IIR);
    const PlicState last = complete_and_claim();

    mmio_write8(UART_IER, 0);
    GUEST_CHECK_EQ(first.claim, UART, "PLIC: a claim names the source");
    GUEST_CHECK(!first.pending, "PLIC: what is claimed is not pending");
    GUEST_CHECK(!first.external, "PLIC: and SEIP is clear");
    GUEST_CHECK_EQ(second.claim, 0, "PLIC: a second claim has nothing");
    GUEST_CHECK(again.pending, "PLIC: a level that is still there is pending again");
    check_sip(again.external, "PLIC: and SEIP is set");
    GUEST_CHECK_EQ(again.claim, UART, "PLIC: and it can be claimed again");
    GUEST_CHECK_EQ(why & IIR_MASK, IIR_THRI, "the UART says why");
    GUEST_CHECK_EQ(then & IIR_MASK, IIR_NONE, "which lowers its line");
    GUEST_CHECK(!last.pending && !last.external && last.claim == 0,
                "PLIC: without a level nothing interrupts again");
}

static void level_interrupts_again(void)
{
    start_recording();
    keep_level = true; // the first handler leaves the line as it is
    assert_level();
    take_pending();
    GUEST_CHECK_EQ(seen[UART_INTERRUPT], 2, "PLIC: a level left alone arrives a second time");
}

static void masked_by_sie(void)
{
    start_recording();
    CLEAR_CSR(sie, IRQ_BIT(GUEST_IRQ_EXTERNAL));
    assert_level();
    take_pending();
    GUEST_CHECK_EQ(seen[UART_INTERRUPT], 0, "sie.SEIE holds external interrupts back");
    SET_CSR(sie, IRQ_BIT(GUEST_IRQ_EXTERNAL));
    take_pending();
    GUEST_CHECK_EQ(seen[UART_INTERRUPT], 1, "and lets them through later");
    guest_irq_config(UART, PRIORITY, false);
}

void test_interrupts(void)
{
    ipi_to_self();
    registers_keep();
    external_arrives();
    enable_and_priority_hold_back();
    claim_and_complete();
    level_interrupts_again();
    masked_by_sie();
}
