// SPDX-License-Identifier: Apache-2.0
// Instructions that load and store, against memory that traps: the scratch device. The processor
// itself says what is right: each runs on a page of RAM as well, and all registers, the flags that
// are defined and both pages' contents have to be the same behind it.
#include "selftest.h"

#include <string.h>

#define WORDS     8u
#define MIDDLE    UINT64_C(4) // of the words: the operand
#define OFFSET    UINT64_C(0x7e0)
#define OPERAND   (OFFSET + 8 * MIDDLE)
#define RFLAGS_RF UINT64_C(0x10000)

#define MSR_FS_BASE 0xc0000100u
#define MSR_GS_BASE 0xc0000101u

// forms.S
typedef struct Form {
    const char *name;
    const void *code;
    uint32_t size;
    uint32_t undefined; // flags of RFLAGS, and:
} Form;

#define FORM_ONE_TRAPS (UINT32_C(1) << 31) // only one of its two operands in memory may trap

typedef struct Table {
    const Form *begin;
    const Form *end;
} Table;

extern const Form forms_16[], forms_16_end[], forms_32[], forms_32_end[];
extern const Form forms_64[], forms_64_end[];
extern const Form strings_16[], strings_16_end[], strings_32[], strings_32_end[];
extern const Form strings_64[], strings_64_end[];

// By bits / 32.
static const Table forms[] = {
    {forms_16, forms_16_end}, {forms_32, forms_32_end}, {forms_64, forms_64_end}};
static const Table strings[] = {
    {strings_16, strings_16_end}, {strings_32, strings_32_end}, {strings_64, strings_64_end}};

typedef struct Seed {
    uint64_t rax, rcx, memory, rflags;
    bool source_elsewhere; // RSI is in RAM in any case
    bool target_elsewhere; // RDI
} Seed;

#define ALL_FLAGS (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

// Odd ones have the accumulator in memory, for CMPXCHG. RCX is also an index, or the number of a bit.
static const Seed seeds[] = {
    {UINT64_C(0x1122334455667788), 9, UINT64_C(0x8182838485868788), 0, false, false},
    {UINT64_C(0x7fffffff7fff7f7f), 0x10, UINT64_C(0x7fffffff7fff7f7f), ALL_FLAGS, false, false},
    {UINT64_MAX, UINT64_C(-5), 1, RFLAGS_CF, false, false},
    {UINT64_C(0x8000000080008080), 2, UINT64_C(0x8000000080008080), RFLAGS_ZF | RFLAGS_OF, false,
     false},
    {0, 0, 0, RFLAGS_SF | RFLAGS_PF, false, false},
};

// RCX counts.
static const Seed string_seeds[] = {
    {UINT64_C(0x1122334455667788), 3, UINT64_C(0x8182838485868788), 0, false, true},
    {UINT64_C(0x8182838485868788), 2, UINT64_C(0x8182838485868788), ALL_FLAGS, true, false},
    {UINT64_C(0x8182838485868788), 3, UINT64_C(0x8182838485868788), RFLAGS_DF, false, true},
    {UINT64_C(0x1122334455667788), 3, UINT64_C(0x8182838485868788), RFLAGS_DF, true, false},
    {UINT64_C(0x1122334455667788), 1, 0, 0, true, false},
    {UINT64_C(0x1122334455667788), 0, 0, 0, true, false},
    {UINT64_C(0x8182838485868788), 3, UINT64_C(0x8182838485868788), 0, false, false},
};

#define STRING_SEEDS (sizeof(string_seeds) / sizeof(string_seeds[0]))

#define SEEDS (sizeof(seeds) / sizeof(seeds[0]))

static uint8_t ram_page[GUEST_PAGE] __attribute__((aligned(4096)));
static volatile uint64_t elsewhere[WORDS];

typedef struct Run {
    GuestContext context;
    uint64_t words[WORDS];
    uint64_t elsewhere[WORDS];
    uint64_t stack;
    bool completed;
} Run;

static void prepare_registers(GuestContext *context, unsigned bits, uint64_t page, const Seed *seed)
{
    const uint64_t base = bits == 16 ? 0 : page; // there it is that of the segment

    for (unsigned n = 0; n < 16; n++) {
        context->r[n] = UINT64_C(0xfedcba9876543200) + n;
    }
    context->r[RAX] = seed->rax;
    context->r[RCX] = seed->rcx;
    context->r[RBX] = base + OPERAND;
    context->r[RBP] = base + OPERAND - 0x20;
    context->r[RSP] = guest_step_stack() - 16;
    context->r[RSI] = bits == 16 ? 8 : context->r[RSI];
    context->r[RDI] = bits == 16 ? OPERAND - 0x18 : context->r[RDI];
    context->r[R9] = 1;
    context->r[R10] = page + OPERAND + 3;
    context->r[R12] = page + OPERAND;
    context->r[R13] = page + OPERAND;
    context->r[R14] = OPERAND;
    context->rflags = RFLAGS_1 | seed->rflags;
}

static bool is_string(const Seed *seed)
{
    return seed >= string_seeds && seed < string_seeds + STRING_SEEDS;
}

static void prepare_string(GuestContext *context, unsigned bits, uint64_t page, const Seed *seed)
{
    const uint64_t base = bits == 16 ? 0 : page;
    const uint64_t other = (uint64_t)&elsewhere[MIDDLE];

    context->r[RSI] = seed->source_elsewhere ? other : base + OPERAND;
    context->r[RDI] = seed->target_elsewhere ? other : base + OPERAND - 8;
}

static uint64_t word_of(const Seed *seed, unsigned i)
{
    return seed->memory + (i == MIDDLE ? 0 : UINT64_C(0x0123456789abcdef) * i);
}

static void fill(volatile uint64_t *words, const Seed *seed)
{
    for (unsigned i = 0; i < WORDS; i++) {
        words[i] = word_of(seed, i);
    }
}

// The device's words as they were read behind the last run: only those that differ are written.
static uint64_t device_words[WORDS];

static void fill_device(const Seed *seed)
{
    volatile uint64_t *words = (volatile uint64_t *)(GUEST_SCRATCH_BASE + OFFSET);

    for (unsigned i = 0; i < WORDS; i++) {
        if (device_words[i] != word_of(seed, i)) {
            words[i] = word_of(seed, i);
        }
    }
}

static void fill_page(uint64_t page, const Seed *seed)
{
    if (page == GUEST_SCRATCH_BASE) {
        fill_device(seed);
    } else {
        fill((volatile uint64_t *)(page + OFFSET), seed);
    }
}

static void run_form(const Form *form, GuestMode mode, uint64_t page, const Seed *seed, Run *run)
{
    volatile uint64_t *words = (volatile uint64_t *)(page + OFFSET);
    uint64_t *stack = (uint64_t *)(guest_step_stack() - 24);

    fill_page(page, seed);
    fill(elsewhere, seed);
    stack[0] = UINT64_C(0x5a5a5a5a5a5a5a5a);
    stack[1] = UINT64_C(0xa5a5a5a5c3c3c3c3);
    guest_window_base((uint32_t)page);
    write_msr(MSR_FS_BASE, page);
    write_msr(MSR_GS_BASE, page);
    prepare_registers(&run->context, guest_mode_bits(mode), page, seed);
    if (is_string(seed)) {
        prepare_string(&run->context, guest_mode_bits(mode), page, seed);
    }
    run->completed = guest_step(&run->context, mode, (GuestCode){form->code, form->size});
    for (unsigned i = 0; i < WORDS; i++) {
        run->words[i] = words[i];
        run->elsewhere[i] = elsewhere[i];
    }
    run->stack = stack[0];
    if (page == GUEST_SCRATCH_BASE) {
        memcpy(device_words, run->words, sizeof(device_words));
    }
}

static uint64_t without_page(uint64_t value, uint64_t page)
{
    return value - page < GUEST_PAGE ? value - page : value;
}

static bool differ(const char *what, uint64_t got, uint64_t expected)
{
    if (got != expected) {
        guest_printf("# %s: got 0x%lx, expected 0x%lx\n", what, got, expected);
    }
    return got != expected;
}

static bool registers_differ(const GuestContext *got, const GuestContext *expected)
{
    static const char *const names[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                        "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
    bool any = false;

    for (unsigned n = 0; n < 16; n++) {
        any |= differ(names[n], without_page(got->r[n], GUEST_SCRATCH_BASE),
                      without_page(expected->r[n], (uint64_t)ram_page));
    }
    return any;
}

static bool run_differs(const Form *form, const Run *got, const Run *expected)
{
    const uint64_t flags = ~(form->undefined | RFLAGS_RF);
    bool any = registers_differ(&got->context, &expected->context);

    any |= differ("rflags", got->context.rflags & flags, expected->context.rflags & flags);
    any |= differ("the stack", got->stack, expected->stack);
    for (unsigned i = 0; i < WORDS; i++) {
        any |= differ("memory", got->words[i], expected->words[i]);
        any |= differ("memory elsewhere", got->elsewhere[i], expected->elsewhere[i]);
    }
    return any;
}

static bool form_is_right(const Form *form, GuestMode mode, const Seed *seed)
{
    static Run expected;
    static Run got;

    run_form(form, mode, (uint64_t)ram_page, seed, &expected);
    run_form(form, mode, GUEST_SCRATCH_BASE, seed, &got);
    if (expected.completed && got.completed && !run_differs(form, &got, &expected)) {
        return true;
    }
    guest_printf("# %s in %s with 0x%lx: %s vector %lu error 0x%lx rip 0x%lx\n", form->name,
                 guest_mode_name(mode), seed->rax, expected.completed ? "" : "not even in RAM,",
                 got.context.vector, got.context.error, got.context.rip);
    return false;
}

static bool is_offered(const Form *form)
{
    const bool has_movbe = (guest_cpuid(1, 0).ecx & UINT32_C(1) << 22) != 0;

    return has_movbe || strncmp(form->name, "movbe", 5) != 0;
}

// 16-bit code has one segment for all, which begins with the page.
static bool is_possible(const Form *form, GuestMode mode, const Seed *seed)
{
    if (seed->source_elsewhere || seed->target_elsewhere) {
        return guest_mode_bits(mode) != 16;
    }
    return (form->undefined & FORM_ONE_TRAPS) == 0;
}

// In 64-bit mode, a check per form.
static void each_form(Table table, const Seed *first, size_t count)
{
    for (const Form *form = table.begin; form < table.end; form++) {
        bool good = true;

        if (!is_offered(form)) {
            guest_skip(form->name, "no MOVBE");
            continue;
        }
        for (size_t i = 0; i < count; i++) {
            good = good && (!is_possible(form, GUEST_LONG, &first[i]) ||
                            form_is_right(form, GUEST_LONG, &first[i]));
        }
        GUEST_CHECK(good, form->name);
    }
}

static uint32_t bad_forms(Table table, GuestMode mode, const Seed *first, size_t count)
{
    uint32_t bad = 0;

    for (const Form *form = table.begin; form < table.end; form++) {
        for (size_t i = 0; i < count && is_offered(form); i++) {
            bad += !is_possible(form, mode, &first[i]) || form_is_right(form, mode, &first[i]) ? 0
                                                                                               : 1;
        }
    }
    return bad;
}

static void each_mode(void)
{
    for (unsigned mode = GUEST_LONG_USER; mode < GUEST_MODES; mode++) {
        const unsigned bits = guest_mode_bits((GuestMode)mode);

        guest_printf("# each load and store, each string in this mode:\n");
        GUEST_CHECK_EQ(bad_forms(forms[bits / 32], (GuestMode)mode, &seeds[mode % SEEDS], 1), 0,
                       guest_mode_name((GuestMode)mode));
        GUEST_CHECK_EQ(bad_forms(strings[bits / 32], (GuestMode)mode, string_seeds, STRING_SEEDS),
                       0, guest_mode_name((GuestMode)mode));
    }
}

// ---- across pages, and what is refused ----

enum { PAGE_BEFORE = SELFTEST_PAGE_LOAD_STORE, PAGE_DEVICE, PAGE_BEHIND };

static void check_across(uint64_t address, const char *load_name, const char *store_name)
{
    static GuestContext context;
    volatile uint8_t *bytes = (volatile uint8_t *)address;

    for (unsigned i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(0x81 + i);
    }
    context.rflags = RFLAGS_1;
    context.r[RSP] = guest_step_stack();
    context.r[RBX] = address;
    context.r[RAX] = 0;
    GUEST_CHECK(guest_step(&context, GUEST_LONG, GUEST_CODE("movq (%%rbx), %%rax")) &&
                    context.r[RAX] == UINT64_C(0x8887868584838281),
                load_name);
    context.r[RAX] = UINT64_C(0x1122334455667788);
    GUEST_CHECK(guest_step(&context, GUEST_LONG_USER, GUEST_CODE("xchgq %%rax, (%%rbx)")) &&
                    context.r[RAX] == UINT64_C(0x8887868584838281) && bytes[0] == 0x88 &&
                    bytes[3] == 0x55 && bytes[4] == 0x44 && bytes[7] == 0x11,
                store_name);
}

static void across_pages(void)
{
    const uint64_t rights = PTE_P | PTE_W | PTE_U;

    (void)guest_map(PAGE_BEFORE, (uint64_t)ram_page, rights);
    const uint64_t device = guest_map(PAGE_DEVICE, GUEST_SCRATCH_BASE, rights);
    const uint64_t behind = guest_map(PAGE_BEHIND, (uint64_t)ram_page, rights);

    check_across(device - 4, "a load from memory into the device",
                 "an exchange from memory into the device");
    check_across(behind - 4, "a load from the device into memory",
                 "an exchange from the device into memory");
    check_across(device + 0x101, "a load that is not aligned", "an exchange that is not aligned");
}

// The flags of a page that nothing was done with, but what `code` does from RSI or to RDI.
static uint64_t flags_after(GuestCode code, uint64_t from)
{
    static GuestContext context;

    context.rflags = RFLAGS_1;
    context.r[RSP] = guest_step_stack();
    context.r[RDX] = SELFTEST_SCRATCH_PORT;
    context.r[RDI] = guest_map(PAGE_BEHIND, (uint64_t)ram_page, PTE_P | PTE_W | PTE_U);
    context.r[RSI] = from != 0 ? from : context.r[RDI];
    GUEST_CHECK(guest_step(&context, GUEST_LONG, code), "is done");
    return guest_pte(PAGE_BEHIND) & (PTE_A | PTE_D);
}

static void flags_of_pages(void)
{
    GUEST_CHECK_EQ(flags_after(GUEST_CODE("movsb"), GUEST_SCRATCH_BASE), PTE_A | PTE_D,
                   "a copy from the device leaves its page dirty");
    GUEST_CHECK_EQ(flags_after(GUEST_CODE("insb"), 0), PTE_A | PTE_D,
                   "input from a port leaves its page dirty");
    GUEST_CHECK_EQ(flags_after(GUEST_CODE("outsb"), 0), PTE_A,
                   "output to a port leaves its page accessed, and clean");
    GUEST_CHECK_EQ(flags_after(GUEST_CODE("cmpsb"), GUEST_SCRATCH_BASE), PTE_A,
                   "a comparison with the device leaves its page accessed, and clean");
}

static void check_refused(GuestCode code, const char *name)
{
    static GuestContext context;

    context.rflags = RFLAGS_1;
    context.r[RBX] = GUEST_SCRATCH_BASE + OPERAND;
    context.r[RSP] = guest_step_stack();
    (void)guest_step(&context, GUEST_LONG, code);
    if (!GUEST_CHECK(context.vector == VECTOR_GP && context.error == 0, name)) {
        guest_printf("# vector %lu error 0x%lx rip 0x%lx\n", context.vector, context.error,
                     context.rip);
    }
}

// What is not emulated is a fault for the guest, never a wrong answer.
static void refused(void)
{
    check_refused(GUEST_CODE("shll $1, (%%rbx)"), "a shift of a device is refused");
    check_refused(GUEST_CODE("imull (%%rbx), %%eax"), "a multiplication by a device is refused");
    check_refused(GUEST_CODE("divl (%%rbx)"), "a division by a device is refused");
    check_refused(GUEST_CODE("bsfl (%%rbx), %%eax"), "a search in a device is refused");
    check_refused(GUEST_CODE("cmpxchg8b (%%rbx)"), "CMPXCHG8B on a device is refused");
    check_refused(GUEST_CODE("fldl (%%rbx)"), "an x87 load from a device is refused");
    check_refused(GUEST_CODE("movq (%%rbx), %%mm0"), "an MMX load from a device is refused");
    check_refused(GUEST_CODE("addps (%%rbx), %%xmm0"), "an SSE addition of a device is refused");
    check_refused(GUEST_CODE("fxsave (%%rbx)"), "FXSAVE to a device is refused");
    check_refused(GUEST_CODE("lgdt (%%rbx)"), "LGDT from a device is refused");
    check_refused(GUEST_CODE("call *(%%rbx)"), "a call through a device is refused");
    check_refused(GUEST_CODE("jmp *(%%rbx)"), "a jump through a device is refused");
    check_refused(GUEST_CODE("movq %%rbx, %%rsp; pushq %%rax"), "a device as stack is refused");
    check_refused(GUEST_CODE("movq %%rbx, %%rsp; popq %%rax"), "popping from a device is refused");
    check_refused(GUEST_CODE("movq %%rbx, %%rsp; call .+5"), "a call with it is refused");
    check_refused(GUEST_CODE("jmp *%%rbx"), "code in a device is refused");
}

void test_load_store(void)
{
    for (unsigned i = 0; i < WORDS; i++) {
        *(volatile uint64_t *)(GUEST_SCRATCH_BASE + OFFSET + UINT64_C(8) * i) = 0;
    }
    each_form(forms[2], seeds, SEEDS);
    each_form(strings[2], string_seeds, STRING_SEEDS);
    each_mode();
    across_pages();
    flags_of_pages();
    refused();
}
