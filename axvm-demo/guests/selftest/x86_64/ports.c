// SPDX-License-Identifier: Apache-2.0
// Port accesses in all forms. The scratch register of COM1 keeps a byte; what lies around it is known.
#include "selftest.h"

#include <string.h>

#define NO_PORT 0x5f0u
#define FRESH   UINT64_C(0x02345000)

#define RAX_BEFORE UINT64_C(0x1122334455667788)
#define KEPT       UINT64_C(0xa5)

static GuestContext context;
static uint8_t buffer[64];

static bool run(GuestMode mode, GuestCode code, uint16_t port)
{
    context.r[RAX] = RAX_BEFORE;
    context.r[RDX] = UINT64_C(0xffffffffffff0000) | port;
    context.r[RSP] = guest_step_stack();
    context.rflags |= RFLAGS_1;
    return guest_step(&context, mode, code);
}

static void check_rax(bool completed, uint64_t expected, const char *name)
{
    if (!GUEST_CHECK(completed && context.r[RAX] == expected, name)) {
        guest_printf("# rax 0x%lx, expected 0x%lx, vector %lu\n", context.r[RAX], expected,
                     context.vector);
    }
}

// GUEST_CODE wants its text in place.
#define READ(text, port, expected) \
    check_rax(run(GUEST_LONG, GUEST_CODE(text), (port)), (expected), text)

static void reads(void)
{
    port_write8(SELFTEST_SCRATCH_PORT, (uint8_t)KEPT);
    READ("inb %%dx, %%al", SELFTEST_SCRATCH_PORT, UINT64_C(0x11223344556677a5));
    READ("inb %%dx, %%al", NO_PORT, UINT64_C(0x11223344556677ff));
    READ("inw %%dx, %%ax", NO_PORT, UINT64_C(0x112233445566ffff));
    READ("inl %%dx, %%eax", NO_PORT, UINT64_C(0xffffffff));
    READ(".byte 0x48; inl %%dx, %%eax", NO_PORT, UINT64_C(0xffffffff));
    READ("inb $0xf0, %%al", 0, UINT64_C(0x11223344556677ff));
    READ("inw $0xf0, %%ax", 0, UINT64_C(0x112233445566ffff));
    READ("inl $0xf0, %%eax", 0, UINT64_C(0xffffffff));
    READ("inb $0xff, %%al", 0, UINT64_C(0x11223344556677ff));
    READ("inw $0xff, %%ax", 0, UINT64_C(0x112233445566ffff));
    READ("inb %%dx, %%al", 0xffff, UINT64_C(0x11223344556677ff));
    READ("inl %%dx, %%eax", 0xffff, UINT64_C(0xffffffff));
}

static void check_kept(bool completed, uint8_t expected, const char *name)
{
    GUEST_CHECK(completed && context.r[RAX] == RAX_BEFORE, name);
    GUEST_CHECK_EQ(port_read8(SELFTEST_SCRATCH_PORT), expected, name);
}

static void writes(void)
{
    check_kept(run(GUEST_LONG, GUEST_CODE("outb %%al, %%dx"), SELFTEST_SCRATCH_PORT), 0x88,
               "outb to DX");
    check_kept(run(GUEST_LONG, GUEST_CODE("outw %%ax, %%dx"), NO_PORT), 0x88, "outw to nobody");
    check_kept(run(GUEST_LONG, GUEST_CODE("outl %%eax, %%dx"), NO_PORT), 0x88, "outl to nobody");
    check_kept(run(GUEST_LONG, GUEST_CODE("outb %%al, $0xf0"), 0), 0x88, "outb to imm8");
    check_kept(run(GUEST_LONG, GUEST_CODE("outw %%ax, $0xf0"), 0), 0x88, "outw to imm8");
    check_kept(run(GUEST_LONG, GUEST_CODE("outl %%eax, $0xf0"), 0), 0x88, "outl to imm8");
}

// Each of the other modes.
static void modes(void)
{
    static const char *const names[] = {"inb", "outb"};
    GuestCode codes[] = {GUEST_CODE("inb %%dx, %%al"), GUEST_CODE("outb %%al, %%dx")};

    for (unsigned mode = GUEST_LONG; mode < GUEST_MODES; mode++) {
        for (unsigned i = 0; i < 2 && !guest_mode_is_user((GuestMode)mode); i++) {
            port_write8(SELFTEST_SCRATCH_PORT, 0x88);
            guest_printf("# in %s:\n", guest_mode_name((GuestMode)mode));
            GUEST_CHECK(run((GuestMode)mode, codes[i], SELFTEST_SCRATCH_PORT) &&
                            (uint32_t)context.r[RAX] == (uint32_t)RAX_BEFORE &&
                            port_read8(SELFTEST_SCRATCH_PORT) == 0x88,
                        names[i]);
        }
    }
}

// ---- strings ----

// From or to the middle of the buffer, which has 1, 2, 3 ... ; the index register starts at `start`.
static bool run_string(GuestCode code, uint64_t start, uint64_t count, uint64_t rflags,
                       uint16_t port)
{
    context.r[RSI] = start;
    context.r[RDI] = start;
    context.r[RCX] = count;
    context.rflags = RFLAGS_1 | rflags;
    return run(GUEST_LONG, code, port);
}

static void fill_buffer(void)
{
    for (unsigned i = 0; i < sizeof(buffer); i++) {
        buffer[i] = (uint8_t)(i + 1);
    }
}

#define MIDDLE ((uint64_t)buffer + 32)

static void check_out(GuestCode code, uint64_t start, uint64_t rflags, int64_t step,
                      const char *name)
{
    fill_buffer();
    GUEST_CHECK(run_string(code, start, 3, rflags, SELFTEST_SCRATCH_PORT) && context.r[RCX] == 0 &&
                    context.r[RSI] == start + (uint64_t)(3 * step) && context.r[RDI] == start,
                name);
    GUEST_CHECK_EQ(port_read8(SELFTEST_SCRATCH_PORT), buffer[32 + 2 * step], name);
}

static void outs(void)
{
    check_out(GUEST_CODE("rep outsb"), MIDDLE, 0, 1, "rep outsb");
    check_out(GUEST_CODE("rep outsb"), MIDDLE, RFLAGS_DF, -1, "rep outsb downwards");
    check_out(GUEST_CODE("repne outsb"), MIDDLE, 0, 1, "repne outsb");
    check_out(GUEST_CODE(".byte 0x67\n\trep outsb"), MIDDLE, 0, 1,
              "rep outsb with 32-bit addresses");
    fill_buffer();
    GUEST_CHECK(run_string(GUEST_CODE("outsb"), MIDDLE, 7, 0, SELFTEST_SCRATCH_PORT) &&
                    context.r[RCX] == 7 && context.r[RSI] == MIDDLE + 1,
                "outsb");
    GUEST_CHECK(run_string(GUEST_CODE("rep outsw"), MIDDLE, 4, 0, NO_PORT) && context.r[RCX] == 0 &&
                    context.r[RSI] == MIDDLE + 8,
                "rep outsw");
    GUEST_CHECK(run_string(GUEST_CODE("rep outsl"), MIDDLE, 4, RFLAGS_DF, NO_PORT) &&
                    context.r[RCX] == 0 && context.r[RSI] == MIDDLE - 16,
                "rep outsl downwards");
    GUEST_CHECK(run_string(GUEST_CODE("rep outsb"), UINT64_C(1) << 63, 0, 0, NO_PORT) &&
                    context.r[RSI] == UINT64_C(1) << 63,
                "rep outsb of nothing");
}

static void fs_override(void)
{
    write_msr(0xc0000100, (uint64_t)buffer);
    fill_buffer();
    GUEST_CHECK(run_string(GUEST_CODE(".byte 0x64\n\toutsb"), 5, 1, 0, SELFTEST_SCRATCH_PORT) &&
                    context.r[RSI] == 6,
                "outsb from FS");
    GUEST_CHECK_EQ(port_read8(SELFTEST_SCRATCH_PORT), 6, "outsb from FS");
    write_msr(0xc0000100, 0);
}

static void check_in(GuestCode code, uint64_t rflags, int64_t step, uint16_t port, const char *name)
{
    uint8_t expected[sizeof(buffer)];
    const int64_t width = step < 0 ? -step : step;

    fill_buffer();
    memcpy(expected, buffer, sizeof(buffer));
    for (int64_t i = 0; i < 3; i++) {
        memset(&expected[32 + i * step], port == NO_PORT ? 0xff : (int)KEPT, (size_t)width);
    }
    port_write8(SELFTEST_SCRATCH_PORT, (uint8_t)KEPT);
    GUEST_CHECK(run_string(code, MIDDLE, 3, rflags, port) && context.r[RCX] == 0 &&
                    context.r[RDI] == MIDDLE + (uint64_t)(3 * step) && context.r[RSI] == MIDDLE &&
                    memcmp(buffer, expected, sizeof(buffer)) == 0,
                name);
}

static void ins(void)
{
    check_in(GUEST_CODE("rep insb"), 0, 1, SELFTEST_SCRATCH_PORT, "rep insb");
    check_in(GUEST_CODE("rep insb"), RFLAGS_DF, -1, SELFTEST_SCRATCH_PORT, "rep insb downwards");
    check_in(GUEST_CODE("rep insw"), 0, 2, NO_PORT, "rep insw");
    check_in(GUEST_CODE("rep insw"), RFLAGS_DF, -2, NO_PORT, "rep insw downwards");
    check_in(GUEST_CODE("rep insl"), 0, 4, NO_PORT, "rep insl");
    check_in(GUEST_CODE("rep insl"), RFLAGS_DF, -4, NO_PORT, "rep insl downwards");
    check_in(GUEST_CODE(".byte 0x67\n\trep insl"), 0, 4, NO_PORT, "rep insl with 32-bit addresses");
    check_in(GUEST_CODE(".byte 0xf2\n\tinsb"), 0, 1, SELFTEST_SCRATCH_PORT, "repne insb");
}

// The window's segment begins with the buffer; 16-bit addresses leave the upper halves alone.
static void in_16_bits(GuestMode mode)
{
    static const char *const names[] = {"rep outsb, 16-bit addresses",
                                        "rep insb, 16-bit addresses"};
    GuestCode codes[] = {GUEST_CODE("rep outsb"), GUEST_CODE("rep insb")};

    guest_window_base((uint32_t)(uint64_t)buffer);
    for (unsigned i = 0; i < 2; i++) {
        fill_buffer();
        port_write8(SELFTEST_SCRATCH_PORT, (uint8_t)KEPT);
        context.r[RSI] = UINT64_C(0x12340008);
        context.r[RDI] = UINT64_C(0x12340008);
        context.r[RCX] = UINT64_C(0x56780003);
        context.rflags = RFLAGS_1;
        guest_printf("# in %s:\n", guest_mode_name(mode));
        GUEST_CHECK(run(mode, codes[i], SELFTEST_SCRATCH_PORT) &&
                        (uint32_t)context.r[RCX] == UINT32_C(0x56780000) &&
                        (uint32_t)context.r[i == 0 ? RSI : RDI] == UINT32_C(0x1234000b) &&
                        (uint32_t)context.r[i == 0 ? RDI : RSI] == UINT32_C(0x12340008) &&
                        port_read8(SELFTEST_SCRATCH_PORT) == (i == 0 ? 11 : KEPT) &&
                        buffer[10] == (i == 0 ? 11 : KEPT),
                    names[i]);
    }
}

// Memory that nothing has touched, which the hypervisor may not even have given yet.
static void fresh_memory(void)
{
    const volatile uint8_t *fresh = (const volatile uint8_t *)FRESH;

    port_write8(SELFTEST_SCRATCH_PORT, (uint8_t)KEPT);
    GUEST_CHECK(run_string(GUEST_CODE("rep insb"), FRESH, 3, 0, SELFTEST_SCRATCH_PORT) &&
                    context.r[RDI] == FRESH + 3,
                "rep insb into memory that nothing has touched");
    GUEST_CHECK(fresh[0] == KEPT && fresh[2] == KEPT && fresh[3] == 0, "arrives there");
}

void test_ports(void)
{
    reads();
    writes();
    modes();
    outs();
    fs_override();
    ins();
    fresh_memory();
    in_16_bits(GUEST_COMPAT16);
    in_16_bits(GUEST_PROTECTED16);
    in_16_bits(GUEST_REAL);
}
