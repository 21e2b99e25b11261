// SPDX-License-Identifier: Apache-2.0
// Each way to reset the machine. The clock's memory survives: it has the stage and what was counted.
#include "selftest.h"

#define CMOS_INDEX 0x70u
#define CMOS_DATA  0x71u
#define AT_STAGE   0x60u
#define AT_CHECKS  0x61u // two bytes
#define AT_FAILED  0x63u

#define RESET_PORT 0xcf9u
#define RESET_CPU  0x06u
#define KBD_PORT   0x64u
#define KBD_RESET  0xfeu

static uint8_t cmos_read(uint8_t index)
{
    port_write8(CMOS_INDEX, index);
    return port_read8(CMOS_DATA);
}

static void cmos_write(uint8_t index, uint8_t value)
{
    port_write8(CMOS_INDEX, index);
    port_write8(CMOS_DATA, value);
}

static void reset_by_port(void)
{
    port_write8(RESET_PORT, RESET_CPU);
}

static void reset_by_keyboard(void)
{
    port_write8(KBD_PORT, KBD_RESET);
}

// Without an IDT.
static void reset_by_triple_fault(void)
{
    static const uint8_t none[10];

    __asm__ volatile("lidt %0\n\tud2" : : "m"(none));
}

static const struct {
    const char *name;
    void (*reset)(void);
} ways[] = {
    {"port cf9 resets the machine", reset_by_port},
    {"the keyboard controller resets the machine", reset_by_keyboard},
    {"a triple fault resets the machine", reset_by_triple_fault},
};

#define WAYS (sizeof(ways) / sizeof(ways[0]))

// Way `number` is the next one; behind the last one the program ends.
static void go_on(uint8_t number)
{
    const GuestTally tally = guest_tally();

    if (number == WAYS) {
        cmos_write(AT_STAGE, 0);
        return;
    }
    cmos_write(AT_STAGE, (uint8_t)(number + 1));
    cmos_write(AT_CHECKS, (uint8_t)tally.checks);
    cmos_write(AT_CHECKS + 1, (uint8_t)(tally.checks >> 8));
    cmos_write(AT_FAILED, (uint8_t)(tally.failures < UINT8_MAX ? tally.failures : UINT8_MAX));
    ways[number].reset();
    for (;;) {
        __asm__ volatile("cli\n\thlt");
    }
}

static void check_fresh(void)
{
    GUEST_CHECK(lapic_read(LAPIC_SVR) == 0xff && lapic_read(LAPIC_LVT_TIMER) == LVT_MASKED &&
                    read_msr(MSR_APIC_BASE) == 0xfee00900,
                "the local APIC is as at the start");
    GUEST_CHECK_EQ(read_msr(0xc0000082), 0, "so are MSRs");
}

bool test_resets_go_on(void)
{
    const uint8_t stage = cmos_read(AT_STAGE);

    if (stage == 0 || stage > WAYS) {
        return false;
    }
    guest_set_tally((GuestTally){
        .checks = cmos_read(AT_CHECKS) | (unsigned)cmos_read(AT_CHECKS + 1) << 8,
        .failures = cmos_read(AT_FAILED),
    });
    GUEST_CHECK(true, ways[stage - 1].name);
    check_fresh();
    go_on(stage);
    return true;
}

void test_resets(void)
{
    write_msr(0xc0000082, 0x1000);
    lapic_write(LAPIC_LVT_TIMER, 0x40);
    go_on(0);
}
