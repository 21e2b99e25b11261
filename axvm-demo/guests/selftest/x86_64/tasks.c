// SPDX-License-Identifier: Apache-2.0
// Hardware task switches, which only the modes before long mode have: each way to begin one, what it
// saves and loads, and what the new task meets before its first instruction.
#include "selftest.h"

#define SEL_MAIN  0x80u
#define SEL_PEER  0x88u
#define SEL_SMALL 0x90u
#define SEL_STACK 0x58u // 16-bit data from 0

#define GDT_ENTRIES 19u
#define GDT_TYPE(n) ((uint8_t)(gdt[(n) / 8] >> 40))
#define TSS32       UINT64_C(0x89)
#define TSS16       UINT64_C(0x81)
#define TSS_BUSY    0x02u
#define TASK_GATE   UINT64_C(0x8500)
#define NO_LINK     0x5a5au
#define DR6_BT      UINT64_C(0x8000)
#define PEER_FLAGS  (RFLAGS_1 | RFLAGS_CF | RFLAGS_ZF)
#define MAIN_FLAGS  (RFLAGS_1 | RFLAGS_SF)
#define NO_SELECTOR 0x118u
#define PDE_LARGE   0x83u // P W, 4 MiB
#define WORD        0x7a5c0de5u
#define NO_ERROR    0xffffffffu

enum { ES, CS, SS, DS, FS, GS, SEGMENTS };

typedef struct Tss32 {
    uint32_t link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags;
    uint32_t r[8];
    uint32_t segments[SEGMENTS];
    uint32_t ldtr;
    uint16_t trap, io_map;
} Tss32;

typedef struct Tss16 {
    uint16_t link, sp0, ss0, sp1, ss1, sp2, ss2, ip, flags;
    uint16_t r[8];
    uint16_t segments[DS + 1];
    uint16_t ldtr;
} Tss16;

// tasks.S knows the offsets.
typedef struct Seen {
    uint32_t r[8];
    uint32_t eflags, cr0, cr3, tr, ldtr;
    uint32_t segments[SEGMENTS];
    uint32_t error, word, count;
} Seen;

_Static_assert(sizeof(Tss32) == 104 && sizeof(Tss16) == 44 && offsetof(Seen, count) == 4 * 21,
               "as the processor and tasks.S have them");

typedef struct __attribute__((packed)) TablePointer {
    uint16_t limit;
    uint64_t base;
} TablePointer;

extern const uint8_t task_run[], task_returns[], task_jumps[], task_skips[], task_skips_error[],
    task_small[], task_8086[];
#define STRETCH(name) extern const uint8_t task_##name[], task_##name##_end[]
STRETCH(call);
STRETCH(call_small);
STRETCH(jump);
STRETCH(int);
STRETCH(ud);
STRETCH(gp);
STRETCH(nmi);

// Used by tasks.S.
Tss32 task_main;
Seen task_seen;
TablePointer task_gdt_pointer;
uint32_t task_word = WORD;

extern volatile uint64_t guest_gdt[];
extern const TablePointer guest_gdt_pointer;
extern volatile uint64_t guest_legacy_idt[];

static uint64_t gdt[GDT_ENTRIES] __attribute__((aligned(8)));
static Tss32 peer;
static Tss32 given; // as it was before the peer left
static Tss16 small;
static uint32_t directory[1024] __attribute__((aligned(4096)));
static uint8_t stack[1024] __attribute__((aligned(16)));
static GuestContext context;

static uint64_t tss_descriptor(const void *tss, uint64_t size, uint64_t type)
{
    const uint64_t base = (uint64_t)tss;

    return (size - 1) | (base & 0xffffff) << 16 | type << 40 | base >> 24 << 56;
}

// With other tables the first 4 MiB are seen in the window, too.
static void make_directory(void)
{
    for (uint32_t i = 0; i < 1024; i++) {
        directory[i] = i << 22 | PDE_LARGE;
    }
    directory[GUEST_WINDOW >> 22] = PDE_LARGE;
}

static void prepare_peer(const void *entry)
{
    peer = (Tss32){.link = NO_LINK, .esp0 = (uint32_t)(uint64_t)stack + 512, .ss0 = SEL_DATA};
    peer.cr3 = (uint32_t)(uint64_t)directory;
    peer.eip = (uint32_t)(uint64_t)entry;
    peer.eflags = PEER_FLAGS;
    for (uint32_t n = 0; n < 8; n++) {
        peer.r[n] = 0x01010101u * (n + 1);
    }
    peer.r[RSP] = (uint32_t)(uint64_t)stack + 1024;
    for (unsigned n = 0; n < SEGMENTS; n++) {
        peer.segments[n] = n == CS ? SEL_CODE32 : SEL_DATA;
    }
    peer.segments[GS] = 0;
    given = peer;
}

static void prepare_small(void)
{
    small = (Tss16){.link = NO_LINK, .ip = (uint16_t)(uint64_t)task_small, .flags = PEER_FLAGS};
    for (unsigned n = 0; n < 8; n++) {
        small.r[n] = (uint16_t)(0x0101u * (n + 1));
    }
    small.r[RSP] = (uint16_t)(guest_step_stack() - 512);
    small.segments[ES] = SEL_DATA;
    small.segments[CS] = SEL_CODE32;
    small.segments[SS] = SEL_STACK;
    small.segments[DS] = SEL_DATA;
}

static void prepare(const void *entry)
{
    for (unsigned i = 0; i < SEL_MAIN / 8; i++) {
        gdt[i] = guest_gdt[i];
    }
    gdt[SEL_MAIN / 8] = tss_descriptor(&task_main, sizeof(task_main), TSS32);
    gdt[SEL_PEER / 8] = tss_descriptor(&peer, sizeof(peer), TSS32);
    gdt[SEL_SMALL / 8] = tss_descriptor(&small, sizeof(small), TSS16);
    task_gdt_pointer = (TablePointer){.limit = sizeof(gdt) - 1, .base = (uint64_t)gdt};
    task_main = (Tss32){.link = NO_LINK};
    task_seen = (Seen){.error = NO_ERROR};
    make_directory();
    prepare_peer(entry);
    prepare_small();
    context = (GuestContext){.rflags = MAIN_FLAGS};
    for (uint64_t n = 0; n < 8; n++) {
        context.r[n] = 0x10101010 * (n + 1);
    }
    context.r[RDX] = NO_SELECTOR;
    context.r[RSP] = guest_step_stack() - 64;
}

// This CPU's own TSS again.
static void go_home(void)
{
    guest_gdt[SEL_MAIN / 8] &= ~((uint64_t)TSS_BUSY << 40);
    __asm__ volatile("lgdt %0\n\tltr %w1" : : "m"(guest_gdt_pointer), "r"(SEL_MAIN) : "memory");
}

static bool run(GuestMode mode, const void *stretch)
{
    bool done;

    context.r[RAX] = (uint64_t)task_run;
    context.r[RCX] = (uint64_t)stretch;
    done = guest_step(&context, mode, GUEST_CODE_OF(".code32\n\t", "call *%%eax"));
    go_home();
    return done;
}

static bool run_with_gate(GuestMode mode, unsigned vector, const void *stretch)
{
    const uint64_t before = guest_legacy_idt[vector];
    bool done;

    guest_legacy_idt[vector] = TASK_GATE << 32 | SEL_PEER << 16;
    done = run(mode, stretch);
    guest_legacy_idt[vector] = before;
    return done;
}

// ---- there and back ----

typedef struct Way {
    const char *name;
    const void *stretch;
    const void *saved; // where EIP stood, or NULL
    const void *peer;
    unsigned vector; // of the task gate
    bool nested;
    bool has_error;
} Way;

static const Way ways[] = {
    {"CALL", task_call, task_call_end, task_returns, 0, true, false},
    {"JMP", task_jump, task_jump_end, task_jumps, 0, false, false},
    {"INT n", task_int, task_int_end, task_returns, VECTOR_BR, true, false},
    {"a fault", task_ud, task_ud_end, task_skips, VECTOR_UD, true, false},
    {"a fault with an error code", task_gp, task_gp_end, task_skips_error, VECTOR_GP, true, true},
    {"an NMI", task_nmi, NULL, task_returns, VECTOR_NMI, true, false},
};

static bool has_peers_registers(const Way *way)
{
    for (unsigned n = 0; n < 8; n++) {
        if (task_seen.r[n] != given.r[n]) {
            guest_printf("# register %u is 0x%x\n", n, task_seen.r[n]);
            return false;
        }
    }
    return task_seen.eflags == (given.eflags | (way->nested ? RFLAGS_NT : 0));
}

static bool has_peers_segments(void)
{
    for (unsigned n = 0; n < SEGMENTS; n++) {
        if (task_seen.segments[n] != given.segments[n]) {
            return false;
        }
    }
    return task_seen.tr == SEL_PEER && task_seen.ldtr == 0;
}

static bool main_was_saved(const Way *way)
{
    for (unsigned n = RBX; n < 8; n++) {
        if (n != RSP && task_main.r[n] != (uint32_t)context.r[n]) {
            return false;
        }
    }
    return (way->saved == NULL || task_main.eip == (uint32_t)(uint64_t)way->saved) &&
           (task_main.eflags & ~RFLAGS_RF) == MAIN_FLAGS && task_main.segments[CS] == SEL_CODE32 &&
           task_main.segments[SS] == SEL_DATA && task_main.link == NO_LINK;
}

static bool is_idle(unsigned selector)
{
    return (GDT_TYPE(selector) & TSS_BUSY) == 0;
}

static void there_and_back(GuestMode mode, const Way *way)
{
    bool done;

    prepare(way->peer);
    guest_printf("# by %s in %s\n", way->name, guest_mode_name(mode));
    done = way->vector != 0 ? run_with_gate(mode, way->vector, way->stretch)
                            : run(mode, way->stretch);
    GUEST_CHECK(done && task_seen.count == 1, "a task switch, and back");
    GUEST_CHECK(has_peers_registers(way), "the new task has its registers");
    GUEST_CHECK(has_peers_segments(), "and segments");
    GUEST_CHECK((task_seen.cr0 & CR0_TS) != 0, "CR0.TS is set");
    GUEST_CHECK(main_was_saved(way), "the old task is saved");
    GUEST_CHECK_EQ(peer.link, way->nested ? SEL_MAIN : NO_LINK, "a nested task has a link");
    GUEST_CHECK(!is_idle(SEL_MAIN) && is_idle(SEL_PEER), "what was left is not busy");
    if (way->has_error) {
        GUEST_CHECK_EQ(task_seen.error, NO_SELECTOR, "the error code is on the new stack");
    }
    if (mode == GUEST_PAGING32) {
        GUEST_CHECK_EQ(task_seen.word, WORD, "the new task has its own tables");
    }
}

static void with_16_bits(GuestMode mode)
{
    prepare(task_returns);
    guest_printf("# to 16 bits in %s\n", guest_mode_name(mode));
    GUEST_CHECK(run(mode, task_call_small) && task_seen.count == 1,
                "a switch to a TSS of 16 bits, and back");
    GUEST_CHECK((uint16_t)task_seen.r[RBX] == 0x0404 && (uint16_t)task_seen.r[RDI] == 0x0808 &&
                    (uint16_t)task_seen.r[RSP] == (uint16_t)(guest_step_stack() - 512),
                "it has its registers");
    GUEST_CHECK(task_seen.segments[SS] == SEL_STACK && task_seen.segments[FS] == 0 &&
                    task_seen.tr == SEL_SMALL,
                "and segments");
    GUEST_CHECK(small.link == SEL_MAIN && is_idle(SEL_SMALL), "and a link");
    GUEST_CHECK_EQ(task_main.eip, (uint64_t)task_call_small_end, "and the old task is saved");
}

// ---- the new task does not come to its first instruction ----

// QEMU's processors say where the old task stood.
static bool came_from_peer(void)
{
    return context.rip == (uint64_t)task_returns || selftest_cpu_is_qemus();
}

static void bad_segment(unsigned selector, uint8_t vector, const char *name)
{
    prepare(task_returns);
    peer.segments[DS] = selector;
    (void)run(GUEST_PROTECTED32, task_call);
    GUEST_CHECK(context.vector == vector && came_from_peer(), name);
    GUEST_CHECK_EQ(context.error, selector, "with the selector");
    GUEST_CHECK(!is_idle(SEL_PEER), "in the new task");
}

static void bad_tss(void)
{
    prepare(task_returns);
    gdt[SEL_PEER / 8] = tss_descriptor(&peer, sizeof(peer) - 1, TSS32);
    (void)run(GUEST_PROTECTED32, task_call);
    GUEST_CHECK(context.vector == VECTOR_TS && context.rip == (uint64_t)task_call,
                "a TSS that is too short is #TS in the old task");
    GUEST_CHECK_EQ(context.error, SEL_PEER, "with the selector");
    GUEST_CHECK(is_idle(SEL_PEER), "and nothing has changed");
}

static void trap_bit(void)
{
    prepare(task_returns);
    peer.trap = 1;
    (void)run(GUEST_PROTECTED32, task_call);
    if (selftest_cpu_is_qemus()) {
        guest_skip("the T bit is #DB", "QEMU's processors do not look at it");
        return;
    }
    GUEST_CHECK(context.vector == VECTOR_DB && context.rip == (uint64_t)task_returns &&
                    (context.dr6 & DR6_BT) != 0,
                "the T bit is #DB");
}

static void to_8086(void)
{
    prepare(task_8086);
    peer.eflags = PEER_FLAGS | RFLAGS_VM | 0x3000;
    for (unsigned n = 0; n < SEGMENTS; n++) {
        peer.segments[n] = 0;
    }
    (void)run(GUEST_PROTECTED32, task_jump);
    GUEST_CHECK(context.vector == VECTOR_UD && context.rip == (uint64_t)task_8086 &&
                    (context.rflags & RFLAGS_VM) != 0,
                "a task of virtual-8086 mode");
}

void test_tasks(void)
{
    static const GuestMode modes[] = {GUEST_PROTECTED32, GUEST_PAGING32};

    for (unsigned i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        for (unsigned n = 0; n < sizeof(ways) / sizeof(ways[0]); n++) {
            there_and_back(modes[i], &ways[n]);
        }
        with_16_bits(modes[i]);
    }
    bad_segment(NO_SELECTOR, VECTOR_TS, "a selector beyond the table is #TS");
    bad_segment(SEL_ABSENT, VECTOR_NP, "one that is not present is #NP");
    bad_tss();
    trap_bit();
    to_8086();
}
