// SPDX-License-Identifier: Apache-2.0
// One instruction in any mode of the processor.
#include "trap.h"

#include <string.h>

#define INT3           0xccu
#define SLOT_SIZE      64u
#define CR0_PROTECT    UINT32_C(0x00010033) // WP NE ET MP PE
#define CR0_PG         UINT32_C(0x80000000)
#define CR4_FP         UINT32_C(0x00000600) // OSXMMEXCPT OSFXSR
#define CR4_PSE        UINT32_C(0x00000010)
#define CR4_PAE        UINT32_C(0x00000020)
#define PDE_LARGE      UINT32_C(0x00000087) // P W U, 4 MiB
#define GDT_BASE(base) (((uint64_t)(base)&0xffffff) << 16 | (uint64_t)((base) >> 24) << 56)
#define GDT_NO_BASE    UINT64_C(0x00ffff000000ffff)

// legacy.S knows the offsets.
typedef struct Legacy {
    GuestContext context;
    uint32_t cr0, cr3, cr4;
    uint32_t real;
} Legacy;

_Static_assert(offsetof(GuestContext, rip) == 128 && offsetof(GuestContext, cs) == 144 &&
                   offsetof(GuestContext, ds) == 160 && offsetof(GuestContext, vector) == 176 &&
                   offsetof(GuestContext, host_rsp) == 208 && offsetof(Legacy, cr0) == 216 &&
                   offsetof(Legacy, real) == 228,
               "entry.S and legacy.S know them");

extern Legacy guest_legacy;
extern uint8_t guest_step_stack_top[];
void guest_legacy_enter(void);
extern uint64_t guest_pd[], guest_pd_window[], guest_pd_high[];

typedef enum Paging {
    PAGING_NONE,
    PAGING_2_LEVELS,
    PAGING_PAE,
    PAGING_LONG,
} Paging;

typedef struct Mode {
    const char *name;
    uint8_t bits;
    uint8_t paging;
    bool real;
    uint8_t cs, ss, ds;
} Mode;

static const Mode modes[GUEST_MODES] = {
    [GUEST_LONG] = {"64-bit mode", 64, PAGING_LONG, false, SEL_CODE64, SEL_DATA, SEL_DATA},
    [GUEST_LONG_USER] = {"64-bit mode, ring 3", 64, PAGING_LONG, false, SEL_CODE64_USER,
                         SEL_DATA_USER, SEL_DATA_USER},
    [GUEST_COMPAT32] = {"compatibility mode, 32 bits", 32, PAGING_LONG, false, SEL_CODE32, SEL_DATA,
                        SEL_DATA},
    [GUEST_COMPAT32_USER] = {"compatibility mode, 32 bits, ring 3", 32, PAGING_LONG, false,
                             SEL_CODE32_USER, SEL_DATA_USER, SEL_DATA_USER},
    [GUEST_COMPAT16] = {"compatibility mode, 16 bits", 16, PAGING_LONG, false, SEL_CODE16, SEL_DATA,
                        SEL_WINDOW},
    [GUEST_COMPAT16_USER] = {"compatibility mode, 16 bits, ring 3", 16, PAGING_LONG, false,
                             SEL_CODE16_USER, SEL_DATA_USER, SEL_WINDOW},
    [GUEST_PROTECTED32] = {"protected mode, 32 bits", 32, PAGING_NONE, false, SEL_CODE32, SEL_DATA,
                           SEL_DATA},
    [GUEST_PROTECTED16] = {"protected mode, 16 bits", 16, PAGING_NONE, false, SEL_CODE16, SEL_DATA,
                           SEL_WINDOW},
    [GUEST_PAGING32] = {"protected mode, 32 bits, paging", 32, PAGING_2_LEVELS, false, SEL_CODE32,
                        SEL_DATA, SEL_DATA},
    [GUEST_PAGING16] = {"protected mode, 16 bits, paging", 16, PAGING_2_LEVELS, false, SEL_CODE16,
                        SEL_DATA, SEL_WINDOW},
    [GUEST_PAE32] = {"protected mode, 32 bits, PAE", 32, PAGING_PAE, false, SEL_CODE32, SEL_DATA,
                     SEL_DATA},
    [GUEST_PAE16] = {"protected mode, 16 bits, PAE", 16, PAGING_PAE, false, SEL_CODE16, SEL_DATA,
                     SEL_WINDOW},
    [GUEST_REAL] = {"real mode", 16, PAGING_NONE, true, 0, 0, SEL_WINDOW},
};

static uint8_t step_pages[GUEST_CPUS][SLOT_SIZE] __attribute__((aligned(4096)));
static uint32_t page_directory[1024] __attribute__((aligned(4096)));
static uint64_t pae_pointers[4] __attribute__((aligned(32)));

unsigned guest_mode_bits(GuestMode mode)
{
    return modes[mode].bits;
}

bool guest_mode_is_user(GuestMode mode)
{
    return (modes[mode].cs & 3) != 0;
}

const char *guest_mode_name(GuestMode mode)
{
    return modes[mode].name;
}

uint64_t guest_step_stack(void)
{
    return (uint64_t)guest_step_stack_top;
}

static void set_base(unsigned selector, uint32_t base)
{
    guest_gdt[selector / 8] = (guest_gdt[selector / 8] & GDT_NO_BASE) | GDT_BASE(base);
}

void guest_window_base(uint32_t base)
{
    set_base(SEL_WINDOW, base);
}

// 16-bit code begins with its slot.
uint64_t guest_step_pc(GuestMode mode)
{
    return modes[mode].bits == 16 ? 0 : (uint64_t)step_pages[guest_cpu()];
}

// ---- modes without long mode ----

static void make_tables(void)
{
    for (uint32_t i = 0; i < 1024; i++) {
        page_directory[i] = i << 22 | PDE_LARGE;
    }
    pae_pointers[0] = (uint64_t)guest_pd | PTE_P;
    pae_pointers[1] = (uint64_t)guest_pd_window | PTE_P;
    pae_pointers[3] = (uint64_t)guest_pd_high | PTE_P;
}

static void set_paging(Legacy *legacy, unsigned paging)
{
    legacy->cr0 = CR0_PROTECT | (paging != PAGING_NONE ? CR0_PG : 0);
    legacy->cr3 = 0;
    legacy->cr4 = CR4_FP;
    if (paging == PAGING_2_LEVELS) {
        legacy->cr3 = (uint32_t)(uint64_t)page_directory;
        legacy->cr4 |= CR4_PSE;
    } else if (paging == PAGING_PAE) {
        legacy->cr3 = (uint32_t)(uint64_t)pae_pointers;
        legacy->cr4 |= CR4_PAE;
    }
}

// No error codes in real mode; 32 bits of each register elsewhere.
static void run_legacy(GuestContext *context, const Mode *mode)
{
    make_tables();
    guest_legacy.context = *context;
    guest_legacy.context.error = 0;
    guest_legacy.context.vector = 0;
    guest_legacy.real = mode->real ? 1 : 0;
    set_paging(&guest_legacy, mode->paging);
    guest_legacy_enter();
    *context = guest_legacy.context;
}

// ---- steps ----

static void set_segments(GuestContext *context, const Mode *mode, uint64_t slot)
{
    context->cs = mode->real ? slot >> 4 : mode->cs;
    context->ss = mode->ss;
    context->ds = mode->ds;
    context->es = mode->ds;
    if (mode->bits == 16 && !mode->real) {
        set_base(mode->cs & ~3u, (uint32_t)slot);
    }
}

bool guest_step(GuestContext *context, GuestMode number, GuestCode code)
{
    const Mode *mode = &modes[number];
    uint8_t *slot = step_pages[guest_cpu()];

    memcpy(slot, code.start, code.size);
    slot[code.size] = INT3;
    set_segments(context, mode, (uint64_t)slot);
    context->rip = guest_step_pc(number);
    if (mode->paging == PAGING_LONG) {
        guest_context_run(context);
    } else {
        run_legacy(context, mode);
    }
    return context->vector == VECTOR_BP && context->rip == guest_step_pc(number) + code.size + 1;
}
