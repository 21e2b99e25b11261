// SPDX-License-Identifier: Apache-2.0
// Remote fences: what one hart changes, the other one sees as soon as the SBI has returned.
#include "smp.h"

#define ROUNDS      200u
#define SPIN_ROUNDS 20u
#define BOTH_HARTS  UINT64_C(3)
#define ASID        UINT64_C(5)
#define NOBODY      UINT32_MAX

enum {
    PAGE_SHARED = GUEST_WINDOW_PAGE + 32,
};

static uint64_t values[2][GUEST_PAGE / 8] __attribute__((aligned(4096)));

// ---- turns: exactly one hart works, the other one sleeps ----

static volatile uint32_t turn;
static volatile uint64_t wanted; // what the other hart shall do in its turn
static volatile uint64_t answer;

static void give_turn(uint32_t to)
{
    __asm__ volatile("fence" : : : "memory");
    turn = to;
    guest_ipi(to);
}

// False after SMP_SECONDS without a turn. The timer ends the last sleep.
static bool wait_turn(uint32_t self)
{
    const uint64_t limit = guest_ticks() + SMP_SECONDS * guest_tick_rate();

    (void)guest_sbi3(SBI_TIME, 0, limit, 0, 0);
    while (turn != self && guest_ticks() < limit) {
        guest_wfi();
        CLEAR_CSR(sip, IRQ_BIT(GUEST_IRQ_SOFTWARE));
    }
    (void)guest_sbi3(SBI_TIME, 0, UINT64_MAX, 0, 0);
    __asm__ volatile("fence" : : : "memory");
    return turn == self;
}

// ---- the second hart ----

enum {
    DO_READ,
    DO_CALL,
    DO_ASID,
    DO_SPIN,
    DO_STOP,
};

static volatile uint32_t spins;
static volatile uint64_t spin_value;
static volatile uint32_t spin_end;

static uint32_t code[64] __attribute__((aligned(4096)));

static uint64_t read_page(void)
{
    return mmio_read64(guest_window(PAGE_SHARED));
}

static uint64_t call_code(void)
{
    return ((uint64_t(*)(void))code)();
}

static uint64_t spin(void)
{
    while (spin_end == 0) {
        spin_value = read_page();
        spins++;
    }
    return 0;
}

static uint64_t act(uint64_t what)
{
    switch (what) {
    case DO_READ: return read_page();
    case DO_CALL: return call_code();
    case DO_ASID: guest_set_asid(ASID); return READ_CSR(satp) >> 44 & 0xffff;
    case DO_SPIN: return spin();
    default: return 0;
    }
}

static void second_cpu(void)
{
    guest_plic_init_cpu();
    while (wait_turn(1) && wanted != DO_STOP) {
        answer = act(wanted);
        give_turn(0);
    }
}

static bool ask_second(uint64_t what)
{
    wanted = what;
    give_turn(1);
    return wait_turn(0);
}

// ---- what this hart does ----

static void show_page(uint64_t which)
{
    (void)guest_map(PAGE_SHARED, (uint64_t)values[which % 2], PTE_R | PTE_W);
}

typedef struct FenceCase {
    const char *name;
    const char *self_name;
    uint64_t function;
    uint64_t mask;
    uint64_t base;
    uint64_t start;
    uint64_t size;
} FenceCase;

#define SHARED (GUEST_WINDOW + PAGE_SHARED * GUEST_PAGE)

static const FenceCase fence_cases[] = {
    {"a fence of one page reaches the other hart", NULL, SBI_SFENCE_VMA, 1, 1, SHARED, 4096},
    {"a fence of everything reaches both harts", "this hart by size 0", SBI_SFENCE_VMA, BOTH_HARTS,
     0, 0, 0},
    {"a fence of size -1 reaches both harts", "this hart by size -1", SBI_SFENCE_VMA, BOTH_HARTS, 0,
     0, UINT64_MAX},
    {"a fence of 1000 pages reaches both harts", "this hart by 1000 pages", SBI_SFENCE_VMA,
     BOTH_HARTS, 0, GUEST_WINDOW, 4096000},
    {"a fence for all harts reaches both", "this hart by base -1", SBI_SFENCE_VMA, 0, UINT64_MAX,
     SHARED, 4096},
    {"a fence of an ASID's page reaches both harts", "this hart by its ASID", SBI_SFENCE_ASID,
     BOTH_HARTS, 0, SHARED, 4096},
    {"a fence of all of an ASID reaches both harts", "this hart by all of an ASID", SBI_SFENCE_ASID,
     BOTH_HARTS, 0, 0, 0},
};

static uint64_t call_fence(const FenceCase *c, uint64_t asid)
{
    return guest_sbi(SBI_RFENCE, c->function,
                     (const uint64_t[6]){c->mask, c->base, c->start, c->size, asid})
        .error;
}

static void page_changes(const FenceCase *c, uint64_t asid)
{
    uint32_t stale = 0;
    uint32_t stale_here = 0;

    for (uint64_t round = 0; round < ROUNDS; round++) {
        show_page(round);
        if (call_fence(c, asid) != SBI_SUCCESS) {
            stale++;
        }
        stale_here += c->self_name != NULL && read_page() != values[round % 2][0] ? 1 : 0;
        if (!ask_second(DO_READ)) {
            stale += ROUNDS;
            break;
        }
        stale += answer != values[round % 2][0] ? 1 : 0;
    }
    GUEST_CHECK_EQ(stale, 0, c->name);
    if (c->self_name != NULL) {
        GUEST_CHECK_EQ(stale_here, 0, c->self_name);
    }
}

static void pages_change(void)
{
    for (size_t i = 0; i < sizeof(fence_cases) / sizeof(fence_cases[0]); i++) {
        page_changes(&fence_cases[i], 0);
    }
}

static void pages_change_with_asid(void)
{
    guest_set_asid(ASID);
    if (READ_CSR(satp) >> 44 == (UINT64_C(8) << 16)) {
        guest_skip("fences of an ASID other than 0", "this CPU has none");
        return;
    }
    (void)ask_second(DO_ASID);
    GUEST_CHECK_EQ(answer, ASID, "the other hart has an ASID");
    for (size_t i = 0; i < sizeof(fence_cases) / sizeof(fence_cases[0]); i++) {
        page_changes(&fence_cases[i], ASID);
    }
    guest_paging(true);
}

#define LI_A0(value) ((uint32_t)(value) << 20 | 0x513u) // addi a0, zero, value
#define RET          0x8067u

static void code_changes(void)
{
    uint32_t stale = 0;

    code[1] = RET;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        code[0] = LI_A0(round);
        const uint64_t error = guest_sbi3(SBI_RFENCE, SBI_FENCE_I, BOTH_HARTS, 0, 0).error;

        stale += error != SBI_SUCCESS || call_code() != round ? 1 : 0;
        if (!ask_second(DO_CALL)) {
            stale += ROUNDS;
            break;
        }
        stale += answer != round ? 1 : 0;
    }
    GUEST_CHECK_EQ(stale, 0, "code that is changed is what both harts run after fence.i");
}

// True when the other hart came twice to the end of its loop, so that one pass was all new.
static bool two_passes(void)
{
    const uint64_t limit = guest_ticks() + SMP_SECONDS * guest_tick_rate();
    const uint32_t begin = spins;

    while (spins - begin < 2 && guest_ticks() < limit) {
        smp_pause();
    }
    return spins - begin >= 2;
}

// This time the other hart does not sleep when the fence comes.
static void page_changes_under_way(void)
{
    uint32_t stale = 0;

    spin_end = 0;
    wanted = DO_SPIN;
    give_turn(1);
    for (uint64_t round = 0; round < SPIN_ROUNDS; round++) {
        show_page(round);
        stale += call_fence(&fence_cases[0], 0) != SBI_SUCCESS || !two_passes() ||
                         spin_value != values[round % 2][0]
                     ? 1
                     : 0;
    }
    spin_end = 1;
    GUEST_CHECK(wait_turn(0) && stale == 0, "a fence reaches a hart that is busy with the page");
}

void test_fences(void)
{
    if (!smp_has_second()) {
        guest_skip("remote fences", "this VM has one hart");
        return;
    }
    values[0][0] = UINT64_C(0x1111222233334444);
    values[1][0] = UINT64_C(0x5555666677778888);
    show_page(1);
    guest_fence_vma();
    turn = NOBODY;
    GUEST_CHECK_EQ(guest_cpu_start(1, second_cpu), SBI_SUCCESS, "hart 1 starts for the fences");
    pages_change();
    code_changes();
    page_changes_under_way();
    pages_change_with_asid();
    wanted = DO_STOP;
    give_turn(1);
    GUEST_CHECK(smp_stops(1), "and ends");
}
