// SPDX-License-Identifier: Apache-2.0
// The local APIC of one CPU: registers in both modes, priorities, messages to itself, NMIs, and where
// exactly interrupts come.
#include "selftest.h"

#define MSR_TPR     MSR_X2APIC(LAPIC_TPR)
#define MSR_SVR     MSR_X2APIC(LAPIC_SVR)
#define MSR_ICR     MSR_X2APIC(LAPIC_ICR)
#define MSR_EOI     MSR_X2APIC(LAPIC_EOI)
#define ESR_ILLEGAL 0x20u

static volatile uint8_t order[16];
static volatile uint32_t taken;
static volatile bool keeps_in_service;
static volatile bool is_x2apic;

static void end_of_interrupt(void)
{
    if (is_x2apic) {
        write_msr(MSR_EOI, 0);
    } else {
        lapic_write(LAPIC_EOI, 0);
    }
}

static void on_irq(uint8_t vector)
{
    order[taken++ % 16] = vector;
    if (vector != VECTOR_NMI && !keeps_in_service) {
        end_of_interrupt();
    }
}

static void reset(void)
{
    taken = 0;
    keeps_in_service = false;
    is_x2apic = false;
    lapic_write(LAPIC_SVR, SVR_ENABLE | 0xff);
    lapic_write(LAPIC_TPR, 0);
}

static void let_in(void)
{
    __asm__ volatile("sti\n\tnop\n\tnop\n\tcli" : : : "memory");
}

static void to_self(uint8_t vector)
{
    lapic_write(LAPIC_ICR, ICR_SELF | vector);
}

static bool bit_of(uint32_t bank, uint8_t vector)
{
    return (lapic_read(bank + 16u * (vector / 32)) >> vector % 32 & 1) != 0;
}

// ---- registers ----

typedef struct Register {
    const char *name;
    uint16_t offset;
    uint32_t written;
    uint32_t read;
} Register;

static const Register registers[] = {
    {"TPR keeps its eight bits", LAPIC_TPR, 0xffffff35, 0x35},
    {"TPR is cleared", LAPIC_TPR, 0, 0},
    {"LDR keeps its eight bits", LAPIC_LDR, 0x01ffffff, 0x01000000},
    {"DFR's lower bits are ones", LAPIC_DFR, 0, 0x0fffffff},
    {"DFR keeps its four bits", LAPIC_DFR, 0xffffffff, 0xffffffff},
    {"the timer's LVT keeps vector, mask and mode", LAPIC_LVT_TIMER, 0x00030042, 0x00030042},
    {"LINT0's LVT keeps its mode", LAPIC_LVT_LINT0, 0x00010700, 0x00010700},
    {"LINT1's LVT keeps its mode", LAPIC_LVT_LINT1, 0x00010400, 0x00010400},
    {"the error's LVT keeps its vector", LAPIC_LVT_ERROR, 0x00010043, 0x00010043},
    {"the LVT's state of delivery is read-only", LAPIC_LVT_ERROR, 0x00011043, 0x00010043},
    {"ICR's upper half keeps the destination", LAPIC_ICR_HIGH, 0x05000000, 0x05000000},
    {"the divider keeps its three bits", LAPIC_DIVIDE, 0xffffffff, 0x0000000b},
    {"VERSION is read-only", LAPIC_VERSION, 0, 0x00050014},
    {"ID is read-only", LAPIC_ID, 0x07000000, 0},
    {"IRR is read-only", LAPIC_IRR, 0xffffffff, 0},
    {"ISR is read-only", LAPIC_ISR, 0xffffffff, 0},
    {"there is nothing at 40", 0x040, 0xffffffff, 0},
    {"there is nothing at 3f0 in xAPIC mode", 0x3f0, 0x50, 0},
    {"there is nothing at ff0", 0xff0, 0xffffffff, 0},
};

static void each_register(void)
{
    for (size_t i = 0; i < sizeof(registers) / sizeof(registers[0]); i++) {
        const Register *r = &registers[i];

        lapic_write(r->offset, r->written);
        GUEST_CHECK_EQ(lapic_read(r->offset), r->read, r->name);
    }
    GUEST_CHECK_EQ(*(volatile uint8_t *)(GUEST_LAPIC + LAPIC_VERSION + 2), 5,
                   "a byte of a register can be read");
    GUEST_CHECK_EQ(lapic_read(LAPIC_VERSION + 4), 0, "what lies between registers is zeros");
}

static void disabled_by_software(void)
{
    lapic_write(LAPIC_LVT_ERROR, 0x43);
    lapic_write(LAPIC_SVR, 0xff);
    GUEST_CHECK_EQ(lapic_read(LAPIC_LVT_ERROR), 0x10043, "SVR masks the LVT");
    lapic_write(LAPIC_LVT_ERROR, 0x43);
    GUEST_CHECK_EQ(lapic_read(LAPIC_LVT_ERROR), 0x10043, "which cannot be unmasked meanwhile");
    lapic_write(LAPIC_SVR, SVR_ENABLE | 0xff);
    GUEST_CHECK_EQ(lapic_read(LAPIC_LVT_ERROR), 0x10043, "and stays masked");
}

static void errors(void)
{
    reset();
    lapic_write(LAPIC_ESR, 0);
    lapic_write(LAPIC_LVT_ERROR, 0x43);
    to_self(5);
    GUEST_CHECK_EQ(lapic_read(LAPIC_ESR), 0, "ESR changes only by a write");
    lapic_write(LAPIC_ESR, 0);
    GUEST_CHECK_EQ(lapic_read(LAPIC_ESR), ESR_ILLEGAL, "vector 5 cannot be sent");
    let_in();
    GUEST_CHECK(taken == 1 && order[0] == 0x43, "of which the LVT's entry tells");
    lapic_write(LAPIC_ESR, 0);
    GUEST_CHECK_EQ(lapic_read(LAPIC_ESR), 0, "the next write clears ESR");
    lapic_write(LAPIC_LVT_ERROR, LVT_MASKED);
}

static void task_priority(void)
{
    reset();
    lapic_write(LAPIC_TPR, 0x50);
    GUEST_CHECK_EQ(READ_CR(8), 5, "CR8 is TPR's upper half");
    GUEST_CHECK_EQ(lapic_read(LAPIC_PPR), 0x50, "PPR is TPR when nothing is in service");
    WRITE_CR(8, 7);
    GUEST_CHECK_EQ(lapic_read(LAPIC_TPR), 0x70, "and the other way round");
    lapic_write(LAPIC_TPR, 0x23);
    GUEST_CHECK_EQ(lapic_read(LAPIC_PPR), 0x23, "PPR has TPR's lower half");
    WRITE_CR(8, 2);
    GUEST_CHECK_EQ(READ_CR(8), 2, "CR8 keeps its value");
    WRITE_CR(8, 0);
}

// ---- priorities ----

static void by_priority(void)
{
    reset();
    to_self(0x31);
    to_self(0x51);
    to_self(0x41);
    to_self(0xfe);
    to_self(0x51);
    GUEST_CHECK(bit_of(LAPIC_IRR, 0x31) && bit_of(LAPIC_IRR, 0x51) && bit_of(LAPIC_IRR, 0x41) &&
                    bit_of(LAPIC_IRR, 0xfe) && !bit_of(LAPIC_IRR, 0x52),
                "IRR has what waits");
    let_in();
    __asm__ volatile("sti\n\tnop\n\tnop\n\tnop\n\tnop\n\tnop\n\tnop\n\tcli");
    if (!GUEST_CHECK_EQ(taken, 4, "each is taken once")) {
        for (uint32_t i = 0; i < taken && i < 16; i++) {
            guest_printf("# vector 0x%x\n", order[i]);
        }
    }
    GUEST_CHECK(order[0] == 0xfe && order[1] == 0x51 && order[2] == 0x41 && order[3] == 0x31,
                "the highest vector comes first");
    GUEST_CHECK_EQ(lapic_read(LAPIC_IRR + 0x20) | lapic_read(LAPIC_IRR + 0x10), 0, "IRR is empty");
}

static void in_service(void)
{
    reset();
    keeps_in_service = true;
    to_self(0x51);
    let_in();
    GUEST_CHECK(bit_of(LAPIC_ISR, 0x51) && !bit_of(LAPIC_IRR, 0x51), "ISR has what was taken");
    GUEST_CHECK_EQ(lapic_read(LAPIC_PPR), 0x50, "PPR is its class");
    GUEST_CHECK(!bit_of(LAPIC_TMR, 0x51), "a message is an edge");
    to_self(0x5f);
    to_self(0x41);
    to_self(0x51);
    let_in();
    GUEST_CHECK_EQ(taken, 1, "the same class and lower ones wait");
    to_self(0x61);
    let_in();
    GUEST_CHECK(taken == 2 && order[1] == 0x61, "a higher one does not");
    GUEST_CHECK_EQ(lapic_read(LAPIC_PPR), 0x60, "PPR follows");
    end_of_interrupt();
    GUEST_CHECK(!bit_of(LAPIC_ISR, 0x61) && bit_of(LAPIC_ISR, 0x51),
                "the end is that of the highest");
    keeps_in_service = false;
    end_of_interrupt();
    let_in();
    let_in();
    let_in();
    GUEST_CHECK(taken == 5 && order[2] == 0x5f && order[3] == 0x51 && order[4] == 0x41,
                "then the others come");
    end_of_interrupt();
    GUEST_CHECK_EQ(lapic_read(LAPIC_PPR), 0, "an end of nothing changes nothing");
}

static void held_by_tpr(void)
{
    reset();
    lapic_write(LAPIC_TPR, 0x50);
    to_self(0x5f);
    let_in();
    GUEST_CHECK_EQ(taken, 0, "TPR holds its class back");
    to_self(0x60);
    let_in();
    GUEST_CHECK_EQ(taken, 1, "but not the next one");
    __asm__ volatile("sti\n\tmovq %0, %%cr8\n\tnop\n\tnop\n\tcli" : : "r"(UINT64_C(4)) : "memory");
    GUEST_CHECK(taken == 2 && order[1] == 0x5f, "CR8 lets it in");
    WRITE_CR(8, 0);
    lapic_write(LAPIC_SVR, 0xff);
    to_self(0x70);
    let_in();
    lapic_write(LAPIC_SVR, SVR_ENABLE | 0xff);
    GUEST_CHECK_EQ(taken, 2, "a disabled APIC delivers none");
    let_in();
    reset();
}

// ---- messages to oneself ----

static void each_way_to_self(void)
{
    static const struct {
        const char *name;
        uint32_t high;
        uint32_t command;
    } ways[] = {
        {"the shorthand for oneself", 0, ICR_SELF},
        {"the shorthand for all", 0, ICR_ALL},
        {"the own id", 0, 0},
        {"the id of all", 0xff000000, 0},
        {"the own logical id", 0x01000000, ICR_LOGICAL},
        {"the own logical id among others", 0xf1000000, ICR_LOGICAL},
        {"the logical id of all", 0xff000000, ICR_LOGICAL},
        {"the lowest priority", 0x01000000, ICR_LOGICAL | ICR_LOWEST},
        {"an asserted level", 0, ICR_SELF | ICR_ASSERT},
    };

    lapic_write(LAPIC_DFR, 0xffffffff);
    lapic_write(LAPIC_LDR, 0x01000000);
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        reset();
        lapic_write(LAPIC_ICR_HIGH, ways[i].high);
        lapic_write(LAPIC_ICR, ways[i].command | 0x52);
        let_in();
        GUEST_CHECK(taken == 1 && order[0] == 0x52, ways[i].name);
    }
    reset();
    lapic_write(LAPIC_ICR, ICR_OTHERS | 0x52);
    lapic_send(7, 0x52);
    let_in();
    GUEST_CHECK_EQ(taken, 0, "what is for others does not come here");
    GUEST_CHECK_EQ(lapic_read(LAPIC_ICR) & 0x1000, 0, "ICR says that it was sent");
}

// ---- NMI ----

static volatile uint32_t nmi_depth;
static volatile uint32_t nmi_deepest;

static void on_nested_nmi(uint8_t vector)
{
    (void)vector;
    nmi_depth++;
    nmi_deepest = nmi_depth > nmi_deepest ? nmi_depth : nmi_deepest;
    if (taken++ == 0) {
        lapic_send(0, ICR_NMI);
        lapic_send(0, ICR_NMI);
        (void)guest_cpuid(0, 0);
    }
    nmi_depth--;
}

static void nmi(void)
{
    reset();
    lapic_send(0, ICR_NMI);
    __asm__ volatile("nop");
    GUEST_CHECK(taken == 1 && order[0] == VECTOR_NMI, "an NMI comes with interrupts off");
    lapic_write(LAPIC_TPR, 0xff);
    lapic_send(0, ICR_NMI | 0x77);
    GUEST_CHECK_EQ(taken, 2, "whatever TPR and the vector are");
    reset();
    guest_irq_handler(on_nested_nmi);
    lapic_send(0, ICR_NMI);
    __asm__ volatile("nop\n\tnop");
    GUEST_CHECK_EQ(taken, 2, "NMIs in the handler of one are one");
    GUEST_CHECK_EQ(nmi_deepest, 1, "which waits for its IRET");
    guest_irq_handler(on_irq);
}

// ---- where an interrupt comes ----

static void lands(GuestCode code, uint64_t behind, const char *name)
{
    static GuestContext context;

    reset();
    to_self(0x53);
    context.r[RBX] = GUEST_SCRATCH_BASE;
    context.r[RCX] = 0x10;
    context.r[RDX] = SELFTEST_SCRATCH_PORT;
    context.r[RDI] = GUEST_LAPIC + LAPIC_VERSION;
    context.r[RSP] = guest_step_stack();
    context.rflags = RFLAGS_1;
    const bool completed = guest_step(&context, GUEST_LONG, code);

    if (!GUEST_CHECK(completed && taken == 1 && guest_irq_rip == guest_step_pc(GUEST_LONG) + behind,
                     name)) {
        guest_printf("# taken %u at 0x%lx\n", taken, guest_irq_rip - guest_step_pc(GUEST_LONG));
    }
}

static void behind_sti(void)
{
    lands(GUEST_CODE("sti; nop; nop"), 2, "an interrupt comes behind the instruction behind STI");
    lands(GUEST_CODE("sti; cpuid; nop"), 3, "also when that is CPUID");
    lands(GUEST_CODE("sti; rdmsr; nop"), 3, "or RDMSR");
    lands(GUEST_CODE("sti; inb %%dx, %%al; nop"), 2, "or an input");
    lands(GUEST_CODE("sti; outb %%al, %%dx; nop"), 2, "or an output");
    lands(GUEST_CODE("sti; movl (%%rbx), %%eax; nop"), 3, "or a load from a device");
    lands(GUEST_CODE("sti; movl %%eax, (%%rbx); nop"), 3, "or a store to a device");
    lands(GUEST_CODE("sti; addl %%eax, (%%rbx); nop"), 3, "or an addition in a device");
    lands(GUEST_CODE("sti; movl (%%rdi), %%eax; nop"), 3, "or a load from the local APIC");
    lands(GUEST_CODE("sti; hlt; nop"), 2, "or HLT, which ends at once");
    lands(GUEST_CODE("pushq $0x202; popfq; nop; nop"), 6, "POPF has no shadow");
}

// ---- an interrupt whose stack is not there ----

static void fault_in_delivery(void)
{
    static GuestContext context;
    const uint64_t absent = guest_map(SELFTEST_PAGE_INTERRUPTS, 0, 0);

    reset();
    guest_test_stack(absent + 0x800);
    guest_gate(0x54, GUEST_IST_TEST, true);
    to_self(0x54);
    context.r[RSP] = guest_step_stack();
    context.rflags = RFLAGS_1;
    (void)guest_step(&context, GUEST_LONG, GUEST_CODE("sti; cpuid; nop"));
    guest_gate(0x54, 0, true);
    GUEST_CHECK(context.vector == VECTOR_PF && context.error == PF_WRITE &&
                    context.cr2 == absent + 0x800 - 8 &&
                    context.rip == guest_step_pc(GUEST_LONG) + 3,
                "#PF while an interrupt is delivered");
    if (selftest_cpu_is_qemus()) {
        guest_skip("which is in service", "QEMU's processors deliver it again");
        let_in();
        return;
    }
    GUEST_CHECK(bit_of(LAPIC_ISR, 0x54) && !bit_of(LAPIC_IRR, 0x54), "which is in service");
    end_of_interrupt();
    let_in();
    GUEST_CHECK_EQ(taken, 0, "and does not come again");
}

// ---- x2APIC ----

static uint8_t x2apic_write_faults(uint32_t offset, uint64_t value)
{
    GUEST_TRY("wrmsr",
              :
              : "c"(MSR_X2APIC(offset)), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
              : "r11", "memory");
    return guest_fault.taken ? guest_fault.vector : 0;
}

static uint8_t x2apic_read_faults(uint32_t offset)
{
    GUEST_TRY("rdmsr", : : "c"(MSR_X2APIC(offset)) : "rax", "rdx", "r11", "memory");
    return guest_fault.taken ? guest_fault.vector : 0;
}

static void x2apic_registers(void)
{
    GUEST_CHECK_EQ(read_msr(MSR_X2APIC(LAPIC_ID)), 0, "the x2APIC id is 32 bits");
    GUEST_CHECK_EQ(read_msr(MSR_X2APIC(LAPIC_LDR)), 1, "the logical id comes from it");
    GUEST_CHECK_EQ(read_msr(MSR_X2APIC(LAPIC_VERSION)), 0x50014, "the version is the same");
    write_msr(MSR_TPR, 0x40);
    GUEST_CHECK_EQ(READ_CR(8), 4, "TPR is CR8 here, too");
    GUEST_CHECK_EQ(read_msr(MSR_X2APIC(LAPIC_PPR)), 0x40, "and PPR");
    write_msr(MSR_TPR, 0);
    GUEST_CHECK_EQ(x2apic_read_faults(LAPIC_DFR), VECTOR_GP, "there is no DFR");
    GUEST_CHECK_EQ(x2apic_read_faults(LAPIC_ICR_HIGH), VECTOR_GP, "nor a second half of ICR");
    GUEST_CHECK_EQ(x2apic_read_faults(0x400), VECTOR_GP, "nor anything at 840");
    GUEST_CHECK_EQ(x2apic_write_faults(LAPIC_LDR, 1), VECTOR_GP, "LDR is read-only");
    GUEST_CHECK_EQ(x2apic_write_faults(LAPIC_ID, 1), VECTOR_GP, "so is the id");
    GUEST_CHECK_EQ(x2apic_write_faults(LAPIC_IRR, 1), VECTOR_GP, "and IRR");
    GUEST_CHECK_EQ(x2apic_write_faults(LAPIC_CURRENT, 1), VECTOR_GP, "and the current count");
}

// Reserved bits (SDM volume 3, 11.12.1.3).
static void x2apic_reserved(void)
{
    static const struct {
        const char *name;
        uint16_t offset;
        uint64_t value;
    } writes[] = {
        {"EOI takes 0 only", LAPIC_EOI, 1},
        {"ESR takes 0 only", LAPIC_ESR, 1},
        {"TPR has eight bits", LAPIC_TPR, 0x100},
        {"SVR has reserved bits", LAPIC_SVR, 0x11ff | UINT64_C(1) << 20},
        {"the LVT has reserved bits", LAPIC_LVT_ERROR, UINT64_C(1) << 24 | 0x10043},
        {"the divider has reserved bits", LAPIC_DIVIDE, 0x10},
        {"no register but ICR has an upper half", LAPIC_TPR, UINT64_C(1) << 32},
    };

    for (size_t i = 0; i < sizeof(writes) / sizeof(writes[0]); i++) {
        GUEST_CHECK_EQ(x2apic_write_faults(writes[i].offset, writes[i].value), VECTOR_GP,
                       writes[i].name);
    }
}

static void x2apic_messages(void)
{
    write_msr(MSR_ICR, ICR_SELF | 0x54);
    let_in();
    GUEST_CHECK(taken == 1 && order[0] == 0x54, "ICR sends by one write");
    write_msr(MSR_X2APIC(LAPIC_SELF_IPI), 0x55);
    let_in();
    GUEST_CHECK(taken == 2 && order[1] == 0x55, "SELF IPI");
    write_msr(MSR_ICR, 0x56);
    let_in();
    GUEST_CHECK(taken == 3 && order[2] == 0x56, "the own id");
    write_msr(MSR_ICR, UINT64_C(1) << 32 | ICR_LOGICAL | 0x57);
    let_in();
    GUEST_CHECK(taken == 4 && order[3] == 0x57, "the own logical id");
    write_msr(MSR_ICR, UINT64_C(0xffffffff00000058));
    let_in();
    GUEST_CHECK(taken == 5 && order[4] == 0x58, "the id of all");
    write_msr(MSR_ICR, UINT64_C(0x00010001) << 32 | ICR_LOGICAL | 0x59);
    let_in();
    GUEST_CHECK_EQ(taken, 5, "another cluster is not this one");
}

static void x2apic(void)
{
    const uint64_t base = read_msr(MSR_APIC_BASE);

    reset();
    write_msr(MSR_APIC_BASE, base | APIC_BASE_X2APIC);
    is_x2apic = true;
    GUEST_CHECK_EQ(read_msr(MSR_APIC_BASE), base | APIC_BASE_X2APIC, "x2APIC mode is on");
    GUEST_CHECK_EQ(read_msr(MSR_SVR), SVR_ENABLE | 0xff, "SVR is what it was");
    x2apic_registers();
    x2apic_reserved();
    x2apic_messages();
    GUEST_TRY("wrmsr",
              :
              : "c"(MSR_APIC_BASE), "a"((uint32_t)base), "d"((uint32_t)(base >> 32))
              : "r11", "memory");
    GUEST_CHECK(guest_fault.taken && guest_fault.vector == VECTOR_GP,
                "there is no way straight back");
    write_msr(MSR_APIC_BASE, base & ~APIC_BASE_ENABLE);
    GUEST_CHECK_EQ(guest_cpuid(1, 0).edx >> 9 & 1, 0, "CPUID hides an APIC that is off");
    write_msr(MSR_APIC_BASE, base);
    GUEST_CHECK_EQ(guest_cpuid(1, 0).edx >> 9 & 1, 1, "and shows it again");
    reset();
}

void test_interrupts(void)
{
    guest_irq_handler(on_irq);
    reset();
    each_register();
    disabled_by_software();
    errors();
    task_priority();
    by_priority();
    in_service();
    held_by_tpr();
    each_way_to_self();
    nmi();
    behind_sti();
    fault_in_delivery();
    x2apic();
    guest_irq_handler(NULL);
}
