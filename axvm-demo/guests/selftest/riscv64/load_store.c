// SPDX-License-Identifier: Apache-2.0
// Each form of a load and store against memory that traps, the scratch device: through identity
// tables, at another virtual address, without translation, and in U mode.
#include "selftest.h"

#define OFFSET  UINT64_C(0x100)
#define PATTERN UINT64_C(0x8f9eadbccbdae9f8)
#define OTHER   UINT64_C(0x7061524334251607)

#define REG_SP 2u
#define REG_A0 10u
#define REG_A1 11u

typedef struct Place {
    const char *loads;
    const char *stores;
    uint64_t page; // virtual address of the scratch device
    bool paging;
    bool user;
    uint32_t bad_loads;
    uint32_t bad_stores;
} Place;

enum {
    PAGE_ALIAS = GUEST_WINDOW_PAGE,
    PAGE_RAM_BEFORE,
    PAGE_DEVICE,
    PAGE_RAM_BEHIND,
    PAGE_USER,
};

static Place places[] = {
    {"", "", GUEST_SCRATCH_BASE, true, false, 0, 0},
    {"each load at another virtual address", "each store at another virtual address",
     GUEST_WINDOW + PAGE_ALIAS *GUEST_PAGE, true, false, 0, 0},
    {"each load without translation", "each store without translation", GUEST_SCRATCH_BASE, false,
     false, 0, 0},
    {"each load from U mode", "each store from U mode", GUEST_WINDOW + PAGE_USER *GUEST_PAGE, true,
     true, 0, 0},
};

#define PLACES (sizeof(places) / sizeof(places[0]))

static uint8_t ram_page[GUEST_PAGE] __attribute__((aligned(4096)));
static GuestContext context;

// Every register has a value of its own; a1 and sp point into the device.
static void prepare(uint64_t base)
{
    for (uint64_t i = 1; i < 32; i++) {
        context.x[i] = UINT64_C(0xfedcba9876543200) + i;
    }
    context.x[REG_A1] = base;
    context.x[REG_SP] = base;
}

// True when all registers but `except` (0: none) are as prepare left them.
static bool others_kept(uint64_t base, unsigned except)
{
    for (unsigned i = 1; i < 32; i++) {
        const bool is_base = i == REG_A1 || i == REG_SP;
        const uint64_t expected = is_base ? base : UINT64_C(0xfedcba9876543200) + i;

        if (i != except && context.x[i] != expected) {
            return false;
        }
    }
    return true;
}

static bool step_at(const Place *place, const void *code)
{
    if (!place->paging) {
        guest_paging(false);
    }
    const bool completed = guest_step(&context, code, place->user);

    guest_paging(true);
    return completed;
}

static void fill_slots(void)
{
    mmio_write64(GUEST_SCRATCH_BASE + OFFSET - 8, OTHER);
    mmio_write64(GUEST_SCRATCH_BASE + OFFSET, PATTERN);
    mmio_write64(GUEST_SCRATCH_BASE + OFFSET + 8, ~PATTERN);
}

static bool load_at(const Place *place, const char *name, const void *code, uint64_t expected)
{
    const uint64_t base = place->page + OFFSET;

    prepare(base);
    const bool good = step_at(place, code) && context.x[REG_A0] == expected &&
                      others_kept(base, REG_A0);

    if (!good) {
        guest_printf("# %s at 0x%lx: got 0x%lx, expected 0x%lx, cause %lu\n", name, base,
                     context.x[REG_A0], expected, context.cause);
    }
    return good;
}

static void load_case(const char *name, const void *code, uint64_t expected)
{
    GUEST_CHECK(load_at(&places[0], name, code, expected), name);
    for (size_t i = 1; i < PLACES; i++) {
        places[i].bad_loads += load_at(&places[i], name, code, expected) ? 0 : 1;
    }
}

#define LOAD(text, expected)   load_case(text, GUEST_CODE32(text), (expected))
#define LOAD16(text, expected) load_case(text, GUEST_CODE(text), (expected))

static void loads(void)
{
    fill_slots();
    LOAD("lb a0, 0(a1)", 0xfffffffffffffff8);
    LOAD("lbu a0, 0(a1)", 0xf8);
    LOAD("lh a0, 0(a1)", 0xffffffffffffe9f8);
    LOAD("lhu a0, 0(a1)", 0xe9f8);
    LOAD("lw a0, 0(a1)", 0xffffffffcbdae9f8);
    LOAD("lwu a0, 0(a1)", 0xcbdae9f8);
    LOAD("ld a0, 0(a1)", PATTERN);
    LOAD("lb a0, -1(a1)", 0x70);
    LOAD("lh a0, -2(a1)", 0x7061);
    LOAD("lw a0, -4(a1)", 0x70615243);
    LOAD("lwu a0, 4(a1)", 0x8f9eadbc);
    LOAD("lb a0, 7(a1)", 0xffffffffffffff8f);
    LOAD("ld a0, -8(a1)", OTHER);
    LOAD("ld a0, 8(a1)", ~PATTERN);
    LOAD16("c.lw a0, 0(a1)", 0xffffffffcbdae9f8);
    LOAD16("c.lw a0, 4(a1)", 0xffffffff8f9eadbc);
    LOAD16("c.ld a0, 0(a1)", PATTERN);
    LOAD16("c.ld a0, 8(a1)", ~PATTERN);
    LOAD16("c.lwsp a0, 4(sp)", 0xffffffff8f9eadbc);
    LOAD16("c.lwsp a0, 8(sp)", 0x34251607);
    LOAD16("c.ldsp a0, 0(sp)", PATTERN);
    LOAD16("c.ldsp a0, 8(sp)", ~PATTERN);
}

static uint64_t slot(void)
{
    return mmio_read64(GUEST_SCRATCH_BASE + OFFSET);
}

static bool store_at(const Place *place, const char *name, const void *code, uint64_t expected)
{
    const uint64_t base = place->page + OFFSET;

    mmio_write64(GUEST_SCRATCH_BASE + OFFSET - 8, OTHER);
    mmio_write64(GUEST_SCRATCH_BASE + OFFSET, 0);
    prepare(base);
    context.x[REG_A0] = PATTERN;
    const bool completed = step_at(place, code);

    context.x[REG_A0] += UINT64_C(0xfedcba9876543200) + REG_A0 - PATTERN;
    const bool good = completed && slot() == expected && others_kept(base, 0);

    if (!good) {
        guest_printf("# %s at 0x%lx: got 0x%lx, expected 0x%lx, cause %lu\n", name, base, slot(),
                     expected, context.cause);
    }
    return good;
}

static void store_case(const char *name, const void *code, uint64_t expected)
{
    GUEST_CHECK(store_at(&places[0], name, code, expected), name);
    for (size_t i = 1; i < PLACES; i++) {
        places[i].bad_stores += store_at(&places[i], name, code, expected) ? 0 : 1;
    }
}

#define STORE(text, expected)   store_case(text, GUEST_CODE32(text), (expected))
#define STORE16(text, expected) store_case(text, GUEST_CODE(text), (expected))

static void stores(void)
{
    STORE("sb a0, 0(a1)", 0xf8);
    STORE("sh a0, 0(a1)", 0xe9f8);
    STORE("sw a0, 0(a1)", 0xcbdae9f8);
    STORE("sd a0, 0(a1)", PATTERN);
    STORE("sb a0, 7(a1)", 0xf800000000000000);
    STORE("sh a0, 6(a1)", 0xe9f8000000000000);
    STORE("sw a0, 4(a1)", 0xcbdae9f800000000);
    STORE("sb zero, 0(a1)", 0);
    STORE16("c.sw a0, 0(a1)", 0xcbdae9f8);
    STORE16("c.sw a0, 4(a1)", 0xcbdae9f800000000);
    STORE16("c.sd a0, 0(a1)", PATTERN);
    STORE16("c.swsp a0, 4(sp)", 0xcbdae9f800000000);
    STORE16("c.sdsp a0, 0(sp)", PATTERN);
    STORE("sb a0, -8(a1)", 0);
    GUEST_CHECK_EQ(mmio_read64(GUEST_SCRATCH_BASE + OFFSET - 8), 0x70615243342516f8,
                   "a store with a negative offset writes there");
}

static void everywhere(void)
{
    for (size_t i = 1; i < PLACES; i++) {
        GUEST_CHECK_EQ(places[i].bad_loads, 0, places[i].loads);
        GUEST_CHECK_EQ(places[i].bad_stores, 0, places[i].stores);
    }
}

#define RD_SHIFT  7
#define RS2_SHIFT 20

// `form` has register 0 where `shift` says.
static uint32_t form_with(const void *form, unsigned shift, unsigned reg)
{
    return *(const uint32_t *)form | (uint32_t)reg << shift;
}

static void each_register_loads(void)
{
    const void *const form = GUEST_CODE32("ld x0, 0(a1)");
    uint32_t bad = 0;

    fill_slots();
    for (unsigned rd = 1; rd < 32; rd++) {
        const uint32_t code = form_with(form, RD_SHIFT, rd);

        prepare(GUEST_SCRATCH_BASE + OFFSET);
        const bool good = guest_step(&context, &code, false) && context.x[rd] == PATTERN &&
                          others_kept(GUEST_SCRATCH_BASE + OFFSET, rd);

        bad += good ? 0 : 1;
    }
    GUEST_CHECK_EQ(bad, 0, "a load into each register changes that one only");
    prepare(GUEST_SCRATCH_BASE + OFFSET);
    GUEST_CHECK(guest_step(&context, form, false) && others_kept(GUEST_SCRATCH_BASE + OFFSET, 0),
                "a load into x0 changes none");
}

static void each_register_stores(void)
{
    const void *const form = GUEST_CODE32("sd x0, 0(a1)");
    uint32_t bad = 0;

    for (unsigned rs2 = 0; rs2 < 32; rs2++) {
        const uint32_t code = form_with(form, RS2_SHIFT, rs2);

        prepare(GUEST_SCRATCH_BASE + OFFSET);
        const uint64_t expected = rs2 == 0 ? 0 : context.x[rs2];

        fill_slots();
        const bool good = guest_step(&context, &code, false) && slot() == expected &&
                          others_kept(GUEST_SCRATCH_BASE + OFFSET, 0);

        bad += good ? 0 : 1;
    }
    GUEST_CHECK_EQ(bad, 0, "a store of each register");
}

// C.LW and C.SD have registers of three bits: rd' and rs1' are x8 to x15.
static void each_short_register(void)
{
    const void *const load = GUEST_CODE("c.ld s0, 0(a1)");
    const void *const store = GUEST_CODE("c.sd s0, 8(a1)");
    uint32_t bad = 0;

    fill_slots();
    for (unsigned reg = 0; reg < 8; reg++) {
        const uint16_t code = (uint16_t)(*(const uint16_t *)load | reg << 2);

        prepare(GUEST_SCRATCH_BASE + OFFSET);
        bad += guest_step(&context, &code, false) && context.x[8 + reg] == PATTERN ? 0 : 1;
    }
    GUEST_CHECK_EQ(bad, 0, "c.ld into each of its registers");
    for (unsigned reg = 0; reg < 8; reg++) {
        const uint16_t code = (uint16_t)(*(const uint16_t *)store | reg << 2);

        prepare(GUEST_SCRATCH_BASE + OFFSET);
        const uint64_t expected = context.x[8 + reg];
        const bool completed = guest_step(&context, &code, false);

        bad += completed && mmio_read64(GUEST_SCRATCH_BASE + OFFSET + 8) == expected ? 0 : 1;
    }
    GUEST_CHECK_EQ(bad, 0, "c.sd of each of its registers");
}

// ---- refused: an access fault for the guest, never a wrong answer ----

static void refused(const char *name, const void *code, uint64_t cause)
{
    bool all = true;

    for (size_t i = 0; i < PLACES; i++) {
        const uint64_t base = places[i].page + OFFSET;

        fill_slots();
        prepare(base);
        (void)step_at(&places[i], code);
        const bool good = context.cause == cause && context.tval == base &&
                          context.pc ==
                              (places[i].user ? guest_step_pc(true) : guest_step_pc(false)) &&
                          others_kept(base, 0) && slot() == PATTERN;

        if (!good) {
            guest_printf("# %s: cause %lu tval 0x%lx pc 0x%lx\n", name, context.cause, context.tval,
                         context.pc);
        }
        all = all && good;
    }
    GUEST_CHECK(all, name);
}

#define REFUSED(text, cause) refused(text " on a device is refused", GUEST_CODE32(text), (cause))

static void atomics_are_refused(void)
{
    REFUSED("amoadd.w a0, a2, (a1)", CAUSE_STORE_ACCESS);
    REFUSED("amoadd.d a0, a2, (a1)", CAUSE_STORE_ACCESS);
    REFUSED("amoswap.w a0, a2, (a1)", CAUSE_STORE_ACCESS);
    REFUSED("amoswap.d.aqrl a0, a2, (a1)", CAUSE_STORE_ACCESS);
    REFUSED("amoor.w a0, a2, (a1)", CAUSE_STORE_ACCESS);
    REFUSED("amomaxu.d zero, a2, (a1)", CAUSE_STORE_ACCESS);
    REFUSED("lr.w a0, (a1)", CAUSE_LOAD_ACCESS);
    REFUSED("lr.d a0, (a1)", CAUSE_LOAD_ACCESS);
}

// Without a reservation it may fail before it looks at the address.
static void store_conditional(void)
{
    prepare(GUEST_SCRATCH_BASE + OFFSET);
    fill_slots();
    const bool failed = guest_step(&context, GUEST_CODE32("sc.w a0, a2, (a1)"), false) &&
                        context.x[REG_A0] != 0;

    GUEST_CHECK((failed || context.cause == CAUSE_STORE_ACCESS) && slot() == PATTERN,
                "sc.w on a device does not store");
}

// The instructions by number: the code of the guests is assembled without F and D.
static void fp_is_refused(void)
{
    const uint64_t sstatus = READ_CSR(sstatus);

    SET_CSR(sstatus, SSTATUS_FS);
    refused("fld on a device is refused", GUEST_CODE(".4byte 0x0005b507"), CAUSE_LOAD_ACCESS);
    refused("flw on a device is refused", GUEST_CODE(".4byte 0x0005a507"), CAUSE_LOAD_ACCESS);
    refused("fsd on a device is refused", GUEST_CODE(".4byte 0x00a5b027"), CAUSE_STORE_ACCESS);
    refused("fsw on a device is refused", GUEST_CODE(".4byte 0x00a5a027"), CAUSE_STORE_ACCESS);
    refused("c.fld on a device is refused", GUEST_CODE(".2byte 0x2188"), CAUSE_LOAD_ACCESS);
    refused("c.fsd on a device is refused", GUEST_CODE(".2byte 0xa188"), CAUSE_STORE_ACCESS);
    refused("c.fldsp on a device is refused", GUEST_CODE(".2byte 0x2502"), CAUSE_LOAD_ACCESS);
    refused("c.fsdsp on a device is refused", GUEST_CODE(".2byte 0xa02a"), CAUSE_STORE_ACCESS);
    WRITE_CSR(sstatus, sstatus);
}

// ---- not aligned ----

static bool is_load_fault(uint64_t cause)
{
    return cause == CAUSE_LOAD_ACCESS || cause == CAUSE_LOAD_ALIGN;
}

static bool is_store_fault(uint64_t cause)
{
    return cause == CAUSE_STORE_ACCESS || cause == CAUSE_STORE_ALIGN;
}

static void misaligned_in_the_page(void)
{
    fill_slots();
    prepare(GUEST_SCRATCH_BASE + OFFSET + 1);
    const bool loaded = guest_step(&context, GUEST_CODE32("lw a0, 0(a1)"), false);

    GUEST_CHECK(loaded ? context.x[REG_A0] == 0xffffffffbccbdae9 : is_load_fault(context.cause),
                "a misaligned load has the value, or faults");
    prepare(GUEST_SCRATCH_BASE + OFFSET + 1);
    context.x[REG_A0] = 0;
    const bool stored = guest_step(&context, GUEST_CODE32("sh a0, 0(a1)"), false);

    GUEST_CHECK(stored ? slot() == 0x8f9eadbccb0000f8
                       : is_store_fault(context.cause) && slot() == PATTERN,
                "a misaligned store is done, or faults");
}

static void crossing(uint64_t base, const char *load_name, const char *store_name)
{
    prepare(base);
    bool completed = guest_step(&context, GUEST_CODE32("ld a0, 0(a1)"), false);
    GUEST_CHECK(!completed && is_load_fault(context.cause) && others_kept(base, 0), load_name);
    prepare(base);
    completed = guest_step(&context, GUEST_CODE32("sd a0, 0(a1)"), false);
    GUEST_CHECK(!completed && is_store_fault(context.cause) && others_kept(base, 0), store_name);
}

static void across_pages(void)
{
    (void)guest_map(PAGE_RAM_BEFORE, (uint64_t)ram_page, PTE_R | PTE_W);
    const uint64_t device = guest_map(PAGE_DEVICE, GUEST_SCRATCH_BASE, PTE_R | PTE_W);
    const uint64_t behind = guest_map(PAGE_RAM_BEHIND, (uint64_t)ram_page, PTE_R | PTE_W);

    guest_fence_vma();
    crossing(device - 4, "a load from memory into the device faults",
             "a store from memory into the device faults");
    crossing(behind - 4, "a load from the device into memory faults",
             "a store from the device into memory faults");
}

void test_load_store(void)
{
    (void)guest_map(PAGE_ALIAS, GUEST_SCRATCH_BASE, PTE_R | PTE_W);
    (void)guest_map(PAGE_USER, GUEST_SCRATCH_BASE, PTE_R | PTE_W | PTE_U);
    guest_fence_vma();
    loads();
    stores();
    everywhere();
    each_register_loads();
    each_register_stores();
    each_short_register();
    atomics_are_refused();
    store_conditional();
    fp_is_refused();
    misaligned_in_the_page();
    across_pages();
}
