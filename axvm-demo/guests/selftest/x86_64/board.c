// SPDX-License-Identifier: Apache-2.0
// What is around the CPUs: the I/O APIC with edges and levels, the 8259 pair, the 8254, the clock, ACPI's
// timer.
#include "selftest.h"

#define IOAPIC_SELECT  0x00u
#define IOAPIC_WINDOW  0x10u
#define IOAPIC_ID      0u
#define IOAPIC_VERSION 1u
#define IOAPIC_ENTRY   0x10u
#define ENTRY_LEVEL    0x8000u
#define ENTRY_MASKED   0x10000u
#define ENTRY_REMOTE   0x4000u

#define INPUT_TIMER  2u
#define INPUT_UART   4u
#define VECTOR_TIMER 0x70u
#define VECTOR_UART  0x71u
#define VECTOR_PIC   0x20u

#define PIC_MASTER 0x20u
#define PIC_SLAVE  0xa0u
#define PIC_EOI    0x20u

#define PIT_COUNTER0 0x40u
#define PIT_COUNTER2 0x42u
#define PIT_CONTROL  0x43u
#define PIT_HZ       1193182u
#define SYSTEM_PORT  0x61u

#define CMOS_INDEX 0x70u
#define CMOS_DATA  0x71u

#define PM_TIMER 0x608u

#define UART_IER (GUEST_UART_PORT + 1u)
#define UART_IIR (GUEST_UART_PORT + 2u)
#define IER_THRE 2u

#define PATIENCE UINT64_C(20000000000) // ticks

static volatile uint32_t counts[256];
static volatile uint32_t not_cleared; // levels that the handler leaves as they are
static volatile bool saw_level;
static volatile bool saw_remote;

static uint32_t ioapic_read(uint32_t index)
{
    *(volatile uint32_t *)(GUEST_IOAPIC + IOAPIC_SELECT) = index;
    return *(volatile uint32_t *)(GUEST_IOAPIC + IOAPIC_WINDOW);
}

static void ioapic_write(uint32_t index, uint32_t value)
{
    *(volatile uint32_t *)(GUEST_IOAPIC + IOAPIC_SELECT) = index;
    *(volatile uint32_t *)(GUEST_IOAPIC + IOAPIC_WINDOW) = value;
}

static void route(uint32_t input, uint32_t low)
{
    ioapic_write(IOAPIC_ENTRY + 2 * input + 1, 0);
    ioapic_write(IOAPIC_ENTRY + 2 * input, low);
}

static uint32_t entry_of(uint32_t input)
{
    return ioapic_read(IOAPIC_ENTRY + 2 * input);
}

static void end_uart(void)
{
    saw_level = (lapic_read(LAPIC_TMR + 16 * (VECTOR_UART / 32)) >> VECTOR_UART % 32 & 1) != 0;
    saw_remote = (entry_of(INPUT_UART) & ENTRY_REMOTE) != 0;
    if (not_cleared != 0) {
        not_cleared = not_cleared - 1;
    } else {
        port_write8(UART_IER, 0);
    }
}

static void on_irq(uint8_t vector)
{
    counts[vector] = counts[vector] + 1;
    if (vector == VECTOR_UART) {
        end_uart();
    }
    if (vector >= VECTOR_PIC && vector < VECTOR_PIC + 8) {
        port_write8(PIC_MASTER, PIC_EOI);
    } else {
        lapic_write(LAPIC_EOI, 0);
    }
}

static bool comes(uint8_t vector, uint32_t number)
{
    const uint64_t begin = guest_ticks();

    while (counts[vector] < number && guest_ticks() - begin < PATIENCE) {
        __asm__ volatile("sti\n\tpause\n\tcli" : : : "memory");
    }
    return counts[vector] >= number;
}

static void let_in(void)
{
    __asm__ volatile("sti\n\tnop\n\tnop\n\tcli" : : : "memory");
}

static void pit_start(uint8_t control, uint16_t port, uint16_t count)
{
    port_write8(PIT_CONTROL, control);
    port_write8(port, (uint8_t)count);
    port_write8(port, (uint8_t)(count >> 8));
}

// ---- I/O APIC ----

static void ioapic_registers(void)
{
    bool all_masked = true;

    GUEST_CHECK_EQ(ioapic_read(IOAPIC_VERSION) & 0xff00ff, 0x170020, "the I/O APIC has 24 inputs");
    for (uint32_t input = 0; input < 24; input++) {
        all_masked = entry_of(input) == ENTRY_MASKED && all_masked;
    }
    GUEST_CHECK(all_masked, "they begin masked");
    ioapic_write(IOAPIC_ENTRY + 2 * 23 + 1, 0xff000000);
    route(23, ENTRY_MASKED | 0x5000 | ENTRY_LEVEL | 0x79);
    GUEST_CHECK_EQ(entry_of(23), ENTRY_MASKED | ENTRY_LEVEL | 0x79,
                   "an entry keeps what is not the chip's own");
    ioapic_write(IOAPIC_ENTRY + 2 * 23 + 1, 0xff000000);
    GUEST_CHECK_EQ(ioapic_read(IOAPIC_ENTRY + 2 * 23 + 1), 0xff000000, "and its destination");
    route(23, ENTRY_MASKED);
    ioapic_write(IOAPIC_ID, 0x05000000);
    GUEST_CHECK_EQ(ioapic_read(IOAPIC_ID), 0x05000000, "the id can be given");
    ioapic_write(IOAPIC_ID, 0);
}

static void edges(void)
{
    route(INPUT_TIMER, VECTOR_TIMER);
    pit_start(0x34, PIT_COUNTER0, PIT_HZ / 1000);
    GUEST_CHECK(comes(VECTOR_TIMER, 3), "the 8254 interrupts by the I/O APIC");
    route(INPUT_TIMER, ENTRY_MASKED | VECTOR_TIMER);
    let_in();
    counts[VECTOR_TIMER] = 0;
    for (uint32_t i = 0; i < 200; i++) {
        (void)port_read8(PIT_COUNTER0);
        let_in();
    }
    GUEST_CHECK_EQ(counts[VECTOR_TIMER], 0, "a masked input does not");
}

static void levels(void)
{
    route(INPUT_UART, ENTRY_LEVEL | VECTOR_UART);
    not_cleared = 0;
    port_write8(UART_IER, IER_THRE);
    let_in();
    GUEST_CHECK(comes(VECTOR_UART, 1), "COM1 interrupts by a level");
    GUEST_CHECK(saw_level, "which TMR says");
    GUEST_CHECK(saw_remote, "and the entry's remote IRR");
    GUEST_CHECK((entry_of(INPUT_UART) & ENTRY_REMOTE) == 0, "until the end of the interrupt");
    let_in();
    GUEST_CHECK_EQ(counts[VECTOR_UART], 1, "a line that went low does not come again");
    counts[VECTOR_UART] = 0;
    not_cleared = 3;
    port_write8(UART_IER, IER_THRE);
    GUEST_CHECK(comes(VECTOR_UART, 4), "one that is still high does");
    route(INPUT_UART, ENTRY_MASKED | ENTRY_LEVEL | VECTOR_UART);
    counts[VECTOR_UART] = 0;
    port_write8(UART_IER, IER_THRE);
    let_in();
    GUEST_CHECK_EQ(counts[VECTOR_UART], 0, "a masked level waits");
    route(INPUT_UART, ENTRY_LEVEL | VECTOR_UART);
    GUEST_CHECK(comes(VECTOR_UART, 1), "until it is unmasked");
    route(INPUT_UART, ENTRY_MASKED);
    port_write8(UART_IER, 0);
    (void)port_read8(UART_IIR);
}

// ---- 8259 ----

static void pic_init(uint16_t port, uint8_t base, uint8_t cascade)
{
    port_write8(port, 0x11);
    port_write8(port + 1, base);
    port_write8(port + 1, cascade);
    port_write8(port + 1, 1);
    port_write8(port + 1, 0xff);
}

static void pics(void)
{
    pic_init(PIC_MASTER, VECTOR_PIC, 4);
    pic_init(PIC_SLAVE, VECTOR_PIC + 8, 2);
    GUEST_CHECK_EQ(port_read8(PIC_MASTER + 1), 0xff, "the 8259 keeps its mask");
    lapic_write(LAPIC_LVT_LINT0, 0x700);
    port_write8(PIC_MASTER + 1, 0xfe);
    GUEST_CHECK(comes(VECTOR_PIC, 3), "the 8254 interrupts by the 8259 and LINT0");
    port_write8(PIC_MASTER + 1, 0xff);
    let_in();
    counts[VECTOR_PIC] = 0;
    lapic_write(LAPIC_LVT_LINT0, LVT_MASKED | 0x700);
    port_write8(PIC_MASTER + 1, 0xfe);
    for (uint32_t i = 0; i < 200; i++) {
        (void)port_read8(PIT_COUNTER0);
        let_in();
    }
    GUEST_CHECK_EQ(counts[VECTOR_PIC], 0, "a masked LINT0 holds it back");
    port_write8(PIC_MASTER + 1, 0xff);
    port_write8(PIC_MASTER, 0x0b);
    GUEST_CHECK_EQ(port_read8(PIC_MASTER), 0, "nothing is in service");
    pit_start(0x30, PIT_COUNTER0, 0xffff);
}

// ---- 8254 and port 61 ----

static uint16_t pit_latch(uint8_t control, uint16_t port)
{
    port_write8(PIT_CONTROL, control);
    const uint8_t low = port_read8(port);

    return (uint16_t)(low | port_read8(port) << 8);
}

static void pit(void)
{
    port_write8(SYSTEM_PORT, 0);
    pit_start(0xb0, PIT_COUNTER2, 20000);
    const uint16_t stopped = pit_latch(0x80, PIT_COUNTER2);

    GUEST_CHECK_EQ(pit_latch(0x80, PIT_COUNTER2), stopped, "counter 2 waits for its gate");
    port_write8(SYSTEM_PORT, 1);
    const uint64_t begin = guest_ticks();

    GUEST_CHECK(pit_latch(0x80, PIT_COUNTER2) <= 20000, "and counts down with it");
    while ((port_read8(SYSTEM_PORT) & 0x20) == 0 && guest_ticks() - begin < PATIENCE) {
        __asm__ volatile("pause");
    }
    GUEST_CHECK((port_read8(SYSTEM_PORT) & 0x20) != 0, "port 61 shows its end");
    port_write8(SYSTEM_PORT, 0);
    port_write8(PIT_CONTROL, 0xe8);
    GUEST_CHECK_EQ(port_read8(PIT_COUNTER2) & 0x3f, 0x30, "its status has the mode");
}

// ---- clock ----

static uint8_t cmos_read(uint8_t index)
{
    port_write8(CMOS_INDEX, index);
    return port_read8(CMOS_DATA);
}

static void clock(void)
{
    const uint8_t seconds = cmos_read(0);

    GUEST_CHECK((seconds & 0xf) < 10 && seconds < 0x60, "the clock has seconds in BCD");
    GUEST_CHECK(cmos_read(7) >= 1 && cmos_read(7) <= 0x31, "and a day");
    GUEST_CHECK_EQ(cmos_read(0xd), 0x80, "its battery is good");
    port_write8(CMOS_INDEX, 0x50);
    port_write8(CMOS_DATA, 0xa7);
    GUEST_CHECK_EQ(cmos_read(0x50), 0xa7, "its memory keeps a byte");
}

static void pm_timer(void)
{
    const uint32_t first = port_read32(PM_TIMER);
    const uint64_t begin = guest_ticks();

    while (port_read32(PM_TIMER) == first && guest_ticks() - begin < PATIENCE) {
        __asm__ volatile("pause");
    }
    GUEST_CHECK(port_read32(PM_TIMER) != first, "ACPI's timer counts");
}

void test_board(void)
{
    guest_irq_handler(on_irq);
    lapic_write(LAPIC_SVR, SVR_ENABLE | 0xff);
    lapic_write(LAPIC_TPR, 0);
    ioapic_registers();
    edges();
    levels();
    pics();
    pit();
    clock();
    pm_timer();
    guest_irq_handler(NULL);
}
