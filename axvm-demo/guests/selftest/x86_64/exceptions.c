// SPDX-License-Identifier: Apache-2.0
// Exceptions: each that an instruction can raise, from ring 0 and ring 3 and in the modes before long
// mode, with its error code, its address and where it came from; single steps and breakpoints over
// instructions that leave the guest; exceptions while another event is delivered.
#include "selftest.h"

#define MSR_EFER 0xc0000080u
#define EFER_NXE UINT64_C(0x800)

// faults.S
typedef struct Fault {
    const char *name;
    const void *code;
    uint32_t size;
    uint32_t error;
    uint8_t mode; // GuestMode
    uint8_t vector;
    uint8_t done; // the exception comes behind the instruction
    uint8_t cr2;  // the number of the register that it equals
    uint32_t quirk;
} Fault;

extern const Fault faults[], faults_end[];

// Pages of the window.
enum {
    PAGE_ABSENT = SELFTEST_PAGE_EXCEPTIONS,
    PAGE_READ_ONLY,
    PAGE_SUPERVISOR,
    PAGE_NO_EXECUTE,
    PAGE_RESERVED,
    PAGE_TARGET,
    PAGE_TARGET_END, // absent
};

#define PTE_RESERVED  (UINT64_C(1) << 51)
#define NOT_CANONICAL (UINT64_C(1) << 63)

static uint8_t pages[2][GUEST_PAGE] __attribute__((aligned(4096)));
static GuestContext context;

// ---- whose processor this is ----

// The error code of a gate that is not present has the number of its vector times 8; theirs, times 16.
bool selftest_cpu_is_qemus(void)
{
    static GuestContext answer;

    if (answer.rflags == 0) {
        answer.rflags = RFLAGS_1;
        answer.r[RSP] = guest_step_stack();
        guest_gate(VECTOR_UD, GUEST_IST_EXCEPTION, false);
        (void)guest_step(&answer, GUEST_LONG, GUEST_CODE("ud2"));
        guest_gate(VECTOR_UD, GUEST_IST_EXCEPTION, true);
    }
    return answer.vector == VECTOR_NP && answer.error == VECTOR_UD * 16 + 2;
}

// ---- what every check begins with ----

static void prepare(void)
{
    const uint64_t page = (uint64_t)pages[0];

    context = (GuestContext){.rflags = RFLAGS_1};
    context.r[RAX] = NOT_CANONICAL;
    context.r[RDX] = 0x7fffffff;
    context.r[RSP] = guest_step_stack() - 64;
    context.r[RBX] = guest_map(PAGE_ABSENT, 0, 0);
    context.r[RSI] = guest_map(PAGE_READ_ONLY, page, PTE_P | PTE_U);
    context.r[RDI] = guest_map(PAGE_SUPERVISOR, page, PTE_P | PTE_W);
    context.r[R8] = guest_map(PAGE_NO_EXECUTE, page, PTE_P | PTE_W | PTE_U | PTE_NX);
    context.r[R9] = guest_map(PAGE_RESERVED, page | PTE_RESERVED, PTE_P | PTE_W | PTE_U);
}

static void print_context(void)
{
    guest_printf("# vector %lu error 0x%lx rip 0x%lx cr2 0x%lx dr6 0x%lx rflags 0x%lx\n",
                 context.vector, context.error, context.rip, context.cr2, context.dr6,
                 context.rflags);
}

// Where the exception has to say that it was: also behind the first instructions of a row.
static bool is_at(const Fault *fault)
{
    const uint64_t pc = guest_step_pc((GuestMode)fault->mode);

    if (fault->done != 0) {
        return context.rip == pc + fault->size;
    }
    return context.rip - pc < fault->size || context.rip == context.r[fault->cr2 % 16];
}

static void check_fault_row(const Fault *fault)
{
    if (fault->quirk != 0 && selftest_cpu_is_qemus()) {
        guest_skip(fault->name, "QEMU's processors do it in another way");
        return;
    }
    prepare();
    (void)guest_step(&context, (GuestMode)fault->mode, (GuestCode){fault->code, fault->size});
    guest_printf("# in %s:\n", guest_mode_name((GuestMode)fault->mode));
    if (!GUEST_CHECK(context.vector == fault->vector && context.error == fault->error &&
                         is_at(fault) && (fault->cr2 >= 16 || context.cr2 == context.r[fault->cr2]),
                     fault->name)) {
        print_context();
    }
}

static void each_fault(void)
{
    write_msr(MSR_EFER, read_msr(MSR_EFER) | EFER_NXE);
    for (const Fault *fault = faults; fault < faults_end; fault++) {
        check_fault_row(fault);
    }
}

// ---- #NM and #MF ----

static void floating_point(void)
{
    const uint64_t cr0 = READ_CR(0);

    WRITE_CR(0, cr0 | CR0_TS);
    prepare();
    (void)guest_step(&context, GUEST_LONG, GUEST_CODE("fnop"));
    GUEST_CHECK_EQ(context.vector, VECTOR_NM, "x87 with CR0.TS is #NM");
    prepare();
    (void)guest_step(&context, GUEST_LONG_USER, GUEST_CODE("movq %%rax, %%xmm0"));
    GUEST_CHECK_EQ(context.vector, VECTOR_NM, "SSE with CR0.TS is #NM");
    WRITE_CR(0, cr0);
    prepare();
    (void)guest_step(&context, GUEST_LONG,
                     GUEST_CODE("fninit; pushq $0x37b; fldcw (%%rsp); popq %%rcx; fld1; fldz; "
                                "fdivrp; fwait"));
    GUEST_CHECK_EQ(context.vector, VECTOR_MF, "an x87 division by 0 that is not masked is #MF");
    __asm__ volatile("fninit");
}

// ---- single steps ----

static void single_step(GuestMode mode, GuestCode code, const char *name)
{
    prepare();
    context.r[RBX] = GUEST_SCRATCH_BASE + 0x100;
    context.r[RCX] = 0x10; // TSC, for RDMSR
    context.r[RDX] = SELFTEST_SCRATCH_PORT;
    context.r[RDI] = GUEST_LAPIC + LAPIC_VERSION;
    context.rflags |= RFLAGS_TF;
    (void)guest_step(&context, mode, code);
    if (!GUEST_CHECK(context.vector == VECTOR_DB &&
                         context.rip == guest_step_pc(mode) + code.size &&
                         (context.dr6 & DR6_BS) != 0,
                     name)) {
        print_context();
    }
}

#define SINGLE_STEP(name, text) \
    single_step(GUEST_LONG, GUEST_CODE(text), "a single step over " name)
#define SINGLE_STEP_USER(name, text) \
    single_step(GUEST_LONG_USER, GUEST_CODE(text), "a single step over " name " in ring 3")

static void single_steps(void)
{
    SINGLE_STEP("nop", "nop");
    SINGLE_STEP("cpuid", "cpuid");
    SINGLE_STEP("rdmsr", "rdmsr");
    SINGLE_STEP("an input", "inb %%dx, %%al");
    SINGLE_STEP("an output", "outb %%al, %%dx");
    SINGLE_STEP("a load from a device", "movl (%%rbx), %%eax");
    SINGLE_STEP("a store to a device", "movl %%eax, (%%rbx)");
    SINGLE_STEP("an addition in a device", "addl %%eax, (%%rbx)");
    SINGLE_STEP("an exchange with a device", "xchgl %%eax, (%%rbx)");
    SINGLE_STEP("wbinvd", "wbinvd");
    SINGLE_STEP("a load from the local APIC", "movl (%%rdi), %%eax");
    SINGLE_STEP_USER("nop", "nop");
    SINGLE_STEP_USER("cpuid", "cpuid");
    SINGLE_STEP_USER("a load from a device", "movl (%%rbx), %%eax");
    SINGLE_STEP_USER("a store to a device", "movl %%eax, (%%rbx)");
}

// ---- breakpoints ----

#define DR7_FIXED     UINT64_C(0x400)
#define DR7_G0        UINT64_C(0x2)
#define DR7_WRITE0    UINT64_C(0x10000)
#define DR7_ACCESS0   UINT64_C(0x30000)
#define DR7_LENGTH4_0 UINT64_C(0xc0000)

static void breakpoint(uint64_t address, uint64_t dr7, GuestMode mode, GuestCode code)
{
    prepare();
    context.r[RBX] = (uint64_t)pages[1];
    WRITE_DR(0, address);
    WRITE_DR(7, DR7_FIXED | DR7_G0 | dr7);
    (void)guest_step(&context, mode, code);
    WRITE_DR(7, DR7_FIXED);
}

static bool is_breakpoint(uint64_t rip)
{
    const bool is_it = context.vector == VECTOR_DB && context.rip == rip && (context.dr6 & 1) != 0;

    if (!is_it) {
        print_context();
    }
    return is_it;
}

static void breakpoints(void)
{
    const GuestCode store = GUEST_CODE("movl %%eax, (%%rbx)");
    const GuestCode load = GUEST_CODE("movl (%%rbx), %%ecx");
    const GuestCode cpuid = GUEST_CODE("cpuid");
    const uint64_t data = (uint64_t)pages[1];
    const uint64_t pc = guest_step_pc(GUEST_LONG);

    if (selftest_cpu_is_qemus() && guest_hypercall(GUEST_HC_VMS, 0) > 1) {
        guest_skip("breakpoints", "QEMU may crash when two guests on one CPU have some");
        return;
    }
    breakpoint(data, DR7_WRITE0 | DR7_LENGTH4_0, GUEST_LONG, store);
    GUEST_CHECK(is_breakpoint(pc + store.size), "a breakpoint on a store");
    breakpoint(data, DR7_WRITE0 | DR7_LENGTH4_0, GUEST_LONG, load);
    GUEST_CHECK_EQ(context.vector, VECTOR_BP, "a breakpoint on stores is none on loads");
    breakpoint(data, DR7_ACCESS0 | DR7_LENGTH4_0, GUEST_LONG_USER, load);
    GUEST_CHECK(is_breakpoint(pc + load.size), "a breakpoint on an access in ring 3");
    breakpoint(pc, 0, GUEST_LONG, cpuid);
    GUEST_CHECK(is_breakpoint(pc), "a breakpoint on an instruction that exits comes before it");
    GUEST_CHECK_EQ(READ_DR(0), pc, "DR0 keeps its value");
    WRITE_DR(3, UINT64_C(0x123456789abc));
    (void)guest_cpuid(0, 0);
    (void)guest_hypercall(GUEST_HC_NONE, 0);
    GUEST_CHECK_EQ(READ_DR(3), UINT64_C(0x123456789abc), "DR3 survives exits");
    GUEST_CHECK_EQ(READ_DR(7), DR7_FIXED, "DR7 survives exits");
}

// ---- while another event is delivered ----

// IDT, and EXT for what comes while another event is delivered; QEMU's processors have no EXT either.
static uint64_t not_present_error(uint8_t vector)
{
    return selftest_cpu_is_qemus() ? vector * 16u + 2 : vector * 8u + 3;
}

static void double_fault_of_injected(void)
{
    static const char name[] = "#NP while the hypervisor's #GP is delivered is #DF";

    if (selftest_cpu_is_qemus()) {
        guest_skip(name, "QEMU's processors forget the first of them");
        return;
    }
    prepare();
    (void)guest_step(&context, GUEST_LONG, GUEST_CODE("movl $0x12345678, %%ecx; rdmsr"));
    GUEST_CHECK(context.vector == VECTOR_DF && context.error == 0, name);
}

static void double_fault(void)
{
    prepare();
    guest_gate(VECTOR_GP, GUEST_IST_EXCEPTION, false);
    (void)guest_step(&context, GUEST_LONG, GUEST_CODE("movl (%%rax), %%ecx"));
    GUEST_CHECK(context.vector == VECTOR_DF && context.error == 0,
                "#NP while #GP is delivered is #DF");
    double_fault_of_injected();
    guest_gate(VECTOR_GP, GUEST_IST_EXCEPTION, true);
    prepare();
    guest_gate(VECTOR_UD, GUEST_IST_EXCEPTION, false);
    (void)guest_step(&context, GUEST_LONG, GUEST_CODE("ud2"));
    guest_gate(VECTOR_UD, GUEST_IST_EXCEPTION, true);
    GUEST_CHECK(context.vector == VECTOR_NP && context.error == not_present_error(VECTOR_UD),
                "#NP while #UD is delivered is #NP");
}

// The stack that #UD is given is not there.
static void fault_in_delivery(void)
{
    const uint64_t absent = guest_map(PAGE_TARGET_END, 0, 0);

    guest_test_stack(absent + 0x800);
    guest_gate(VECTOR_UD, GUEST_IST_TEST, true);
    prepare();
    (void)guest_step(&context, GUEST_LONG, GUEST_CODE("ud2"));
    guest_gate(VECTOR_UD, GUEST_IST_EXCEPTION, true);
    GUEST_CHECK(context.vector == VECTOR_PF && context.error == PF_WRITE &&
                    context.cr2 == absent + 0x800 - 8 && context.rip == guest_step_pc(GUEST_LONG),
                "#PF while #UD is delivered");
    guest_gate(VECTOR_GP, GUEST_IST_TEST, true);
    prepare();
    (void)guest_step(&context, GUEST_LONG, GUEST_CODE("movl $0x12345678, %%ecx; rdmsr"));
    guest_gate(VECTOR_GP, GUEST_IST_EXCEPTION, true);
    if (!GUEST_CHECK(context.vector == VECTOR_PF && context.error == PF_WRITE,
                     "#PF while the hypervisor's #GP is delivered")) {
        print_context();
    }
}

// ---- trapped accesses that fault half way ----

// `code` copies to a page that ends, from what RSI points at.
static void copy_to_the_end(GuestCode code, uint64_t from, uint64_t count, uint64_t room,
                            GuestContext *result)
{
    const uint64_t target = guest_map(PAGE_TARGET, (uint64_t)pages[1], PTE_P | PTE_W | PTE_U);

    (void)guest_map(PAGE_TARGET_END, 0, 0);
    prepare();
    context.r[RDX] = SELFTEST_SCRATCH_PORT;
    context.r[RSI] = from;
    context.r[RDI] = target + GUEST_PAGE - room;
    context.r[RCX] = count;
    (void)guest_step(&context, GUEST_LONG, code);
    *result = context;
}

static void half_way(const char *name, GuestCode code, unsigned width)
{
    const uint64_t end = GUEST_WINDOW + PAGE_TARGET_END * GUEST_PAGE;
    GuestContext result;

    copy_to_the_end(code, GUEST_SCRATCH_BASE, 8, UINT64_C(3) * width, &result);
    if (!GUEST_CHECK(result.vector == VECTOR_PF && result.error == PF_WRITE && result.cr2 == end &&
                         result.r[RCX] == 5 && result.r[RDI] == end &&
                         result.rip == guest_step_pc(GUEST_LONG),
                     name)) {
        print_context();
        guest_printf("# rcx %lu rdi 0x%lx\n", result.r[RCX], result.r[RDI]);
    }
}

static void faults_half_way(void)
{
    half_way("rep movsb from a device into a page that ends", GUEST_CODE("rep movsb"), 1);
    half_way("rep movsl from a device into a page that ends", GUEST_CODE("rep movsl"), 4);
    half_way("rep insb into a page that ends", GUEST_CODE("rep insb"), 1);
    half_way("rep insl into a page that ends", GUEST_CODE("rep insl"), 4);
}

void test_exceptions(void)
{
    each_fault();
    floating_point();
    single_steps();
    breakpoints();
    double_fault();
    fault_in_delivery();
    faults_half_way();
}
