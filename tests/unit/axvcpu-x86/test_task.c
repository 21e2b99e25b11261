// SPDX-License-Identifier: Apache-2.0
// Hardware task switches that VMX hands out: what goes into the old TSS, what comes from the new one,
// and faults on either side of the point from where there is no way back.
#include "x86_fixture.h"

// The guest's page.
#define GDT       CODE_PAGE
#define LDT       (CODE_PAGE + 0x100)
#define OLD_TSS   (CODE_PAGE + 0x200)
#define NEW_TSS   (CODE_PAGE + 0x300)
#define STACK     (CODE_PAGE + 0x800)
#define GDT_LIMIT 0xffu

#define SEL_CODE      0x08u
#define SEL_DATA      0x10u
#define SEL_OLD       0x18u
#define SEL_NEW       0x20u
#define SEL_LDT       0x28u
#define SEL_CODE_USER 0x33u
#define SEL_DATA_USER 0x3bu
#define SEL_TEST      0x40u // what a test puts there
#define SEL_OF_LDT    0x0cu // and the second entry of the LDT
#define SEL_BEYOND    0x100u

#define PRESENT      0x80u
#define DPL(n)       ((n) << 5)
#define TYPE_TSS16   0x1u
#define TYPE_LDT     0x2u
#define TYPE_TSS32   0x9u
#define BUSY         0x2u
#define READ_ONLY    0x10u
#define DATA         0x12u
#define EXECUTE_ONLY 0x18u
#define CODE         0x1au
#define CONFORMING   0x1eu
#define ACCESSED     0x1u

#define LENGTH    7u
#define OLD_RIP   0x1234u
#define NEW_RIP   0x5678u
#define OLD_FLAGS (RFLAGS_FIXED | 0x1)
#define NEW_FLAGS (RFLAGS_FIXED | 0x40)

enum { ES, CS, SS, DS, FS, GS };

// TSSs in units of a register from EIP or IP on.
enum { EIP, EFLAGS, GPR, SEGMENT = GPR + 8 };

static X86Fixture f;

static void *at(uint64_t gpa)
{
    return f.code + (gpa - CODE_PAGE);
}

// ---- the two tasks ----

static uint64_t descriptor(uint32_t base, uint32_t limit, unsigned type, bool flat)
{
    return (uint64_t)(limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)type << 40 |
           (uint64_t)(limit >> 16 & 0xf) << 48 | (uint64_t)(flat ? 0xc : 0) << 52 |
           (uint64_t)(base >> 24) << 56;
}

static void put(uint64_t table, unsigned selector, uint64_t value)
{
    memcpy(at(table + (selector & ~7u)), &value, sizeof(value));
}

static uint8_t type_at(unsigned selector)
{
    return ((uint8_t *)at(GDT))[(selector & ~7u) + 5];
}

static void put_new(size_t offset, uint32_t value, size_t size)
{
    memcpy(at(NEW_TSS + offset), &value, size);
}

static void put_unit(unsigned n, uint32_t value)
{
    put_new(0x20 + 4 * n, value, 4);
}

static void put_unit_16(unsigned n, uint32_t value)
{
    put_new(0x0e + 2 * n, value, 2);
}

static uint32_t old_unit(unsigned n)
{
    uint32_t value;

    memcpy(&value, at(OLD_TSS + 0x20 + 4 * n), sizeof(value));
    return value;
}

static uint16_t link_of_new(void)
{
    uint16_t value;

    memcpy(&value, at(NEW_TSS), sizeof(value));
    return value;
}

static void put_flat(unsigned selector, unsigned type)
{
    put(GDT, selector, descriptor(0, 0xfffff, PRESENT | type, true));
}

static void set_segment(X86Field first, unsigned selector, uint64_t attributes, uint32_t limit,
                        uint64_t base)
{
    x86_write(&f.vcpu, first, selector);
    x86_write(&f.vcpu, (X86Field)(first + 1), attributes);
    x86_write(&f.vcpu, (X86Field)(first + 2), limit);
    x86_write(&f.vcpu, (X86Field)(first + 3), base);
}

static void make_tables(void)
{
    put_flat(SEL_CODE, CODE | ACCESSED);
    put_flat(SEL_DATA, DATA | ACCESSED);
    put_flat(SEL_CODE_USER, CODE | ACCESSED | DPL(3));
    put_flat(SEL_DATA_USER, DATA | ACCESSED | DPL(3));
    put(GDT, SEL_OLD, descriptor(OLD_TSS, 0x67, PRESENT | TYPE_TSS32 | BUSY, false));
    put(GDT, SEL_NEW, descriptor(NEW_TSS, 0x67, PRESENT | TYPE_TSS32, false));
    put(GDT, SEL_LDT, descriptor(LDT, 0xf, PRESENT | TYPE_LDT, false));
    put(LDT, SEL_OF_LDT, descriptor(0x4000, 0xfff, PRESENT | DATA, false));
}

static void make_new(void)
{
    put_unit(EIP, NEW_RIP);
    put_unit(EFLAGS, NEW_FLAGS);
    for (unsigned n = 0; n < 8; n++) {
        put_unit(GPR + n, 0x1000 + n);
    }
    put_unit(GPR + RSP, STACK);
    for (unsigned n = 0; n < 6; n++) {
        put_unit(SEGMENT + n, n == CS ? SEL_CODE : SEL_DATA);
    }
}

static void make_old(void)
{
    X86GuestRegs *regs = &f.vcpu.regs;

    for (unsigned n = 0; n < 8; n++) {
        regs->gpr[n] = 0x2000 + n;
    }
    regs->rip = OLD_RIP;
    regs->rflags = OLD_FLAGS;
    memset(at(OLD_TSS), 0xee, 0x68);
    set_segment(X86_FIELD_CS_SELECTOR, SEL_CODE, 0xc9b, UINT32_MAX, 0);
    set_segment(X86_FIELD_SS_SELECTOR, SEL_DATA, 0xc93, UINT32_MAX, 0);
    set_segment(X86_FIELD_DS_SELECTOR, SEL_DATA, 0xc93, UINT32_MAX, 0);
    set_segment(X86_FIELD_TR_SELECTOR, SEL_OLD, 0x8b, 0x67, OLD_TSS);
}

static int start(void **state)
{
    fixture_choose(state);
    fixture_start_bound(&f);
    x86_write(&f.vcpu, X86_FIELD_CR0, CR0_PE | CR0_ET);
    x86_write(&f.vcpu, X86_FIELD_GDTR_BASE, GDT);
    x86_write(&f.vcpu, X86_FIELD_GDTR_LIMIT, GDT_LIMIT);
    make_tables();
    make_new();
    make_old();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fixture_stop(&f);
    return 0;
}

// ---- the switch ----

static struct {
    uint64_t qualification;
    // As of the second entry, or of the exit to the host.
    uint64_t rip;
    uint64_t rflags;
    uint64_t gpr[8];
} task;

static void leave_by_task(struct X86GuestRegs *regs)
{
    const bool first = scripted.entries == 0;

    fixture_vmx_guest(regs);
    if (first) {
        fixture_leave(VMX_EXIT_TASK_SWITCH, task.qualification, LENGTH);
    } else {
        task.rip = *x86_sim_field(VMCS_GUEST_RIP);
        task.rflags = *x86_sim_field(VMCS_GUEST_RFLAGS);
        memcpy(task.gpr, regs->gpr, sizeof(task.gpr));
        task.gpr[RSP] = *x86_sim_field(VMCS_GUEST_RSP);
    }
}

// The second entry ends with HLT. Returns what it was entered with.
static uint64_t switch_to(unsigned selector, X86TaskSource source, uint64_t event)
{
    task.qualification = selector | (uint64_t)source << 30;
    scripted.entries = 0;
    scripted.event_seen = 0;
    scripted.int_info = event;
    scripted.code = VMX_EXIT_TASK_SWITCH;
    f.vcpu.activity = X86_ACTIVE;
    x86_sim.vmx.guest = leave_by_task;
    assert_int_equal(x86_vcpu_ops.run(&f.vcpu, &f.exit), AX_OK);
    return scripted.event_seen;
}

static uint64_t event(X86EventType type, uint8_t vector)
{
    return INTERRUPTION_VALID | (uint64_t)type << INTERRUPTION_TYPE_SHIFT | vector;
}

static uint64_t fault_event(uint8_t vector, uint32_t error_code)
{
    return event(X86_EVENT_EXCEPTION, vector) | INTERRUPTION_HAS_ERROR |
           (uint64_t)error_code << EVENT_ERROR_SHIFT;
}

static void assert_new_runs(uint64_t flags)
{
    assert_int_equal(scripted.entries, 2);
    assert_int_equal(task.rip, NEW_RIP);
    assert_int_equal(task.rflags, flags);
    for (unsigned n = 0; n < 8; n++) {
        assert_int_equal(task.gpr[n], n == RSP ? STACK : 0x1000 + n);
    }
    assert_int_equal(x86_read(&f.vcpu, X86_FIELD_TR_SELECTOR), SEL_NEW);
    assert_int_equal(x86_read(&f.vcpu, X86_FIELD_TR_ATTRIBUTES), 0x8b);
    assert_int_equal(x86_read(&f.vcpu, X86_FIELD_TR_BASE), NEW_TSS);
    assert_true((x86_read(&f.vcpu, X86_FIELD_CR0) & CR0_TS) != 0);
}

static void assert_old_saved(uint32_t rip, uint32_t flags)
{
    assert_int_equal(old_unit(EIP), rip);
    assert_int_equal(old_unit(EFLAGS), flags);
    for (unsigned n = 0; n < 8; n++) {
        assert_int_equal(old_unit(GPR + n), 0x2000 + n);
    }
    assert_int_equal(old_unit(SEGMENT + CS), 0xeeee0000 | SEL_CODE);
    assert_int_equal(old_unit(SEGMENT + DS), 0xeeee0000 | SEL_DATA);
    assert_int_equal(old_unit(SEGMENT + 6), 0xeeeeeeee); // LDTR does not change
}

static void assert_busy(bool old, bool new)
{
    assert_int_equal((type_at(SEL_OLD) & BUSY) != 0, old);
    assert_int_equal((type_at(SEL_NEW) & BUSY) != 0, new);
}

// ---- there and back ----

static void a_call_nests(void **state)
{
    (void)state;
    f.vcpu.regs.rflags |= RFLAGS_RF;
    x86_write(&f.vcpu, X86_FIELD_DR7, 0x7ff);
    (void)switch_to(SEL_NEW, X86_TASK_CALL, 0);
    assert_new_runs(NEW_FLAGS | RFLAGS_NT);
    assert_old_saved(OLD_RIP + LENGTH, OLD_FLAGS);
    assert_busy(true, true);
    assert_int_equal(link_of_new(), SEL_OLD);
    assert_int_equal(x86_read(&f.vcpu, X86_FIELD_DR7), 0x6aa);
}

static void a_jump_leaves_the_old_task(void **state)
{
    (void)state;
    (void)switch_to(SEL_NEW, X86_TASK_JUMP, 0);
    assert_new_runs(NEW_FLAGS);
    assert_old_saved(OLD_RIP + LENGTH, OLD_FLAGS);
    assert_busy(false, true);
    assert_int_equal(link_of_new(), 0);
}

static void iret_goes_back(void **state)
{
    (void)state;
    put(GDT, SEL_NEW, descriptor(NEW_TSS, 0x67, PRESENT | TYPE_TSS32 | BUSY, false));
    f.vcpu.regs.rflags |= RFLAGS_NT;
    f.vcpu.lapic.nmi_blocked = true;
    (void)switch_to(SEL_NEW, X86_TASK_IRET, 0);
    assert_new_runs(NEW_FLAGS);
    assert_old_saved(OLD_RIP + LENGTH, OLD_FLAGS);
    assert_busy(false, true);
    assert_false(f.vcpu.lapic.nmi_blocked);
}

static void a_fault_is_saved_where_it_is(void **state)
{
    uint32_t error_code;

    (void)state;
    f.vcpu.regs.rflags |= RFLAGS_RF;
    assert_int_equal(switch_to(SEL_NEW, X86_TASK_GATE, fault_event(VECTOR_GP, 0x1230)), 0);
    assert_old_saved(OLD_RIP, OLD_FLAGS | RFLAGS_RF);
    assert_int_equal(task.gpr[RSP], STACK - 4);
    memcpy(&error_code, at(STACK - 4), sizeof(error_code));
    assert_int_equal(error_code, 0x1230);
    assert_int_equal(link_of_new(), SEL_OLD);
    assert_int_equal(task.rflags, NEW_FLAGS | RFLAGS_NT);
}

static void int_n_is_saved_behind_itself(void **state)
{
    (void)state;
    assert_int_equal(switch_to(SEL_NEW, X86_TASK_GATE, event(X86_EVENT_SOFTWARE, 0x80)), 0);
    assert_new_runs(NEW_FLAGS | RFLAGS_NT);
    assert_old_saved(OLD_RIP + LENGTH, OLD_FLAGS);
}

static void an_nmi_blocks_others(void **state)
{
    (void)state;
    assert_int_equal(switch_to(SEL_NEW, X86_TASK_GATE, event(X86_EVENT_NMI, 2)), 0);
    assert_new_runs(NEW_FLAGS | RFLAGS_NT);
    assert_old_saved(OLD_RIP, OLD_FLAGS);
    assert_true(f.vcpu.lapic.nmi_blocked);
}

static void make_new_16(void)
{
    put(GDT, SEL_NEW, descriptor(NEW_TSS, 0x2b, PRESENT | TYPE_TSS16, false));
    memset(at(NEW_TSS), 0, 0x68);
    put_unit_16(EIP, NEW_RIP);
    put_unit_16(EFLAGS, NEW_FLAGS);
    for (unsigned n = 0; n < 8; n++) {
        put_unit_16(GPR + n, 0x1000 + n);
    }
    put_unit_16(GPR + RSP, STACK);
    put_unit_16(SEGMENT + CS, SEL_CODE);
    put_unit_16(SEGMENT + SS, SEL_DATA);
    put_unit_16(SEGMENT + DS, SEL_DATA);
    put_unit_16(SEGMENT + 4, SEL_LDT);
}

static void a_tss_of_16_bits(void **state)
{
    (void)state;
    make_new_16();
    assert_int_equal(switch_to(SEL_NEW, X86_TASK_GATE, fault_event(VECTOR_NP, 0x1230)), 0);
    assert_int_equal(task.rip, NEW_RIP);
    assert_int_equal(task.gpr[RDI], 0x1007);
    assert_int_equal(task.gpr[RSP], STACK - 2);
    assert_int_equal(*(uint16_t *)at(STACK - 2), 0x1230);
    assert_int_equal(x86_read(&f.vcpu, X86_FIELD_LDTR_BASE), LDT);
    assert_int_equal(x86_read(&f.vcpu, X86_FIELD_ES_ATTRIBUTES) & SEGMENT_PRESENT, 0);
    assert_int_equal(x86_read(&f.vcpu, X86_FIELD_FS_ATTRIBUTES) & SEGMENT_PRESENT, 0);
    assert_int_equal(x86_read(&f.vcpu, X86_FIELD_TR_ATTRIBUTES), PRESENT | TYPE_TSS16 | BUSY);
}

static void from_a_tss_of_16_bits(void **state)
{
    uint16_t saved[14];

    (void)state;
    set_segment(X86_FIELD_TR_SELECTOR, SEL_OLD, PRESENT | TYPE_TSS16 | BUSY, 0x2b, OLD_TSS);
    (void)switch_to(SEL_NEW, X86_TASK_CALL, 0);
    memcpy(saved, at(OLD_TSS + 0x0e), sizeof(saved));
    assert_int_equal(saved[EIP], OLD_RIP + LENGTH);
    assert_int_equal(saved[GPR + RDI], 0x2000 + RDI);
    assert_int_equal(saved[SEGMENT + DS], SEL_DATA);
    assert_int_equal(*(uint16_t *)at(OLD_TSS + 0x2a), 0xeeee);
}

static void paging_brings_its_own_tables(void **state)
{
    uint32_t *directory = fixture_map_page(&f, 0xa000);
    uint32_t *table = fixture_map_page(&f, 0xb000);

    (void)state;
    directory[0] = 0xb000 | 7;
    table[CODE_PAGE / 4096] = CODE_PAGE | 7;
    x86_write(&f.vcpu, X86_FIELD_CR3, 0xa000);
    x86_write(&f.vcpu, X86_FIELD_CR0, CR0_PG | CR0_PE | CR0_ET);
    put_new(0x1c, 0xa018, 4);
    (void)switch_to(SEL_NEW, X86_TASK_CALL, 0);
    assert_new_runs(NEW_FLAGS | RFLAGS_NT);
    assert_int_equal(x86_read(&f.vcpu, X86_FIELD_CR3), 0xa018);
}

static void a_task_of_virtual_8086_mode(void **state)
{
    (void)state;
    put_unit(EFLAGS, NEW_FLAGS | RFLAGS_VM);
    put_unit(SEGMENT + CS, 0x1230);
    put_unit(SEGMENT + FS, 0xffff);
    (void)switch_to(SEL_NEW, X86_TASK_JUMP, 0);
    assert_new_runs(NEW_FLAGS | RFLAGS_VM);
    assert_int_equal(x86_read(&f.vcpu, X86_FIELD_CS_BASE), 0x12300);
    assert_int_equal(x86_read(&f.vcpu, X86_FIELD_FS_BASE), 0xffff0);
    assert_int_equal(x86_read(&f.vcpu, X86_FIELD_FS_LIMIT), 0xffff);
    assert_int_equal(x86_cpl(&f.vcpu), 3);
}

static void the_trap_bit_is_a_debug_exception(void **state)
{
    (void)state;
    put_new(0x64, 1, 2);
    assert_int_equal(switch_to(SEL_NEW, X86_TASK_CALL, 0), event(X86_EVENT_EXCEPTION, VECTOR_DB));
    assert_new_runs(NEW_FLAGS | RFLAGS_NT);
    assert_int_equal(x86_read(&f.vcpu, X86_FIELD_DR6) & DR6_BT, DR6_BT);
}

// ---- faults of the old task ----

static void assert_nothing_changed(void)
{
    assert_int_equal(x86_read(&f.vcpu, X86_FIELD_TR_SELECTOR), SEL_OLD);
    assert_int_equal(old_unit(EIP), 0xeeeeeeee);
    assert_int_equal(type_at(SEL_OLD) & BUSY, BUSY);
    assert_int_equal(link_of_new(), 0);
    assert_int_equal(f.vcpu.regs.gpr[RDI], 0x2000 + RDI);
}

static void a_tss_that_is_none_is_refused(void **state)
{
    static const struct {
        unsigned selector;
        unsigned type;
        uint32_t limit;
    } cases[] = {
        {SEL_BEYOND, PRESENT | TYPE_TSS32, 0x67},
        {SEL_NEW | 4, PRESENT | TYPE_TSS32, 0x67},
        {SEL_NEW, PRESENT | TYPE_LDT, 0x67},
        {SEL_NEW, PRESENT | DATA, 0x67},
        {SEL_NEW, TYPE_TSS32, 0x67},
        {SEL_NEW, PRESENT | TYPE_TSS32, 0x66},
        {SEL_NEW, PRESENT | TYPE_TSS16, 0x2a},
        {SEL_NEW, PRESENT | 0x0c, 0x67},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const unsigned selector = cases[i].selector;

        make_old();
        put(GDT, SEL_NEW, descriptor(NEW_TSS, cases[i].limit, cases[i].type, false));
        assert_int_equal(switch_to(selector, X86_TASK_CALL, 0),
                         fault_event(VECTOR_TS, selector & ~3u));
        assert_nothing_changed();
        assert_int_equal(task.rip, OLD_RIP);
    }
}

static void an_old_tss_that_is_too_short_is_refused(void **state)
{
    (void)state;
    x86_write(&f.vcpu, X86_FIELD_TR_LIMIT, 0x5e);
    assert_int_equal(switch_to(SEL_NEW, X86_TASK_CALL, 0), fault_event(VECTOR_TS, SEL_OLD));
    assert_nothing_changed();
}

// EXT says that it was none of the instruction's doing.
static void a_fault_while_an_interrupt_is_delivered_is_external(void **state)
{
    (void)state;
    assert_int_equal(switch_to(SEL_BEYOND, X86_TASK_GATE, event(X86_EVENT_EXCEPTION, VECTOR_UD)),
                     fault_event(VECTOR_TS, SEL_BEYOND | 1));
    assert_int_equal(task.rip, OLD_RIP);
    assert_int_equal(switch_to(SEL_BEYOND, X86_TASK_GATE, fault_event(VECTOR_GP, 0)),
                     fault_event(VECTOR_DF, 0));
}

static void what_the_host_has_to_bring_is_asked_for_first(void **state)
{
    static const struct {
        X86Field field;
        uint64_t value;
    } holes[] = {{X86_FIELD_TR_BASE, HOLE}, {X86_FIELD_GDTR_BASE, HOLE}};

    (void)state;
    for (size_t i = 0; i < COUNT(holes); i++) {
        const uint64_t before = x86_read(&f.vcpu, holes[i].field);

        x86_write(&f.vcpu, holes[i].field, holes[i].value);
        (void)switch_to(SEL_NEW, X86_TASK_CALL, 0);
        assert_int_equal(scripted.entries, 1);
        assert_int_equal(f.exit.reason, AX_EXIT_NESTED_PAGE_FAULT);
        x86_write(&f.vcpu, holes[i].field, before);
        assert_nothing_changed();
    }
}

static void a_table_that_cannot_be_written_leaves_nothing_half_done(void **state)
{
    (void)state;
    f.leaves[CODE_PAGE / 4096] = x86_ept_format()->make_leaf(ax_hpa((uintptr_t)f.code),
                                                             AX_MAP_READ | AX_MAP_EXECUTE, 0);
    (void)switch_to(SEL_NEW, X86_TASK_CALL, 0);
    assert_int_equal(f.exit.reason, AX_EXIT_NESTED_PAGE_FAULT);
    assert_int_equal(f.exit.page_fault.access, AX_MAP_WRITE);
    assert_nothing_changed();
}

// ---- faults of the new task ----

typedef struct SegmentCase {
    unsigned segment;
    unsigned selector;
    unsigned type; // of SEL_TEST
    uint8_t vector;
} SegmentCase;

static const SegmentCase segment_cases[] = {
    {CS, 0, 0, VECTOR_TS},
    {CS, SEL_BEYOND, 0, VECTOR_TS},
    {CS, SEL_OF_LDT, 0, VECTOR_TS}, // there is no LDT
    {CS, SEL_TEST, PRESENT | DATA, VECTOR_TS},
    {CS, SEL_TEST, PRESENT | TYPE_LDT, VECTOR_TS},
    {CS, SEL_TEST, PRESENT | CODE | DPL(3), VECTOR_TS},
    {CS, SEL_TEST, PRESENT | CONFORMING | DPL(1), VECTOR_TS},
    {CS, SEL_TEST, CODE, VECTOR_NP},
    {SS, 0, 0, VECTOR_TS},
    {SS, SEL_TEST, PRESENT | CODE, VECTOR_TS},
    {SS, SEL_TEST, PRESENT | READ_ONLY, VECTOR_TS},
    {SS, SEL_TEST, PRESENT | DATA | DPL(3), VECTOR_TS},
    {SS, SEL_TEST | 3, PRESENT | DATA, VECTOR_TS},
    {SS, SEL_TEST, DATA, VECTOR_SS},
    {DS, SEL_TEST, PRESENT | TYPE_TSS32, VECTOR_TS},
    {DS, SEL_TEST, PRESENT | EXECUTE_ONLY, VECTOR_TS},
    {DS, SEL_TEST | 3, PRESENT | DATA, VECTOR_TS},
    {ES, SEL_TEST | 1, PRESENT | CODE, VECTOR_TS},
    {GS, SEL_TEST, DATA, VECTOR_NP},
    {FS, SEL_BEYOND, 0, VECTOR_TS},
};

static void a_segment_that_does_not_fit_is_the_new_tasks_fault(void **state)
{
    for (size_t i = 0; i < COUNT(segment_cases); i++) {
        const SegmentCase *c = &segment_cases[i];

        assert_int_equal(stop(state), 0);
        assert_int_equal(start(state), 0);
        put_flat(SEL_TEST, c->type & ~PRESENT);
        put(GDT, SEL_TEST, descriptor(0, 0xfffff, c->type, true));
        put_unit(SEGMENT + c->segment, c->selector);
        assert_int_equal(switch_to(SEL_NEW, X86_TASK_CALL, 0),
                         fault_event(c->vector, c->selector & ~3u));
        assert_int_equal(task.rip, NEW_RIP);
        assert_int_equal(x86_read(&f.vcpu, X86_FIELD_TR_SELECTOR), SEL_NEW);
        assert_int_equal(x86_read(&f.vcpu, (X86Field)(X86_FIELD_ES_SELECTOR + 4 * c->segment)),
                         c->selector);
    }
}

static void segments_that_fit_are_loaded(void **state)
{
    static const SegmentCase cases[] = {
        {CS, SEL_TEST, PRESENT | CONFORMING, 0},        {CS, SEL_TEST, PRESENT | EXECUTE_ONLY, 0},
        {DS, SEL_TEST | 3, PRESENT | CONFORMING, 0},    {ES, SEL_TEST, PRESENT | READ_ONLY, 0},
        {FS, SEL_TEST | 3, PRESENT | DATA | DPL(3), 0}, {GS, 3, 0, 0},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        const SegmentCase *c = &cases[i];
        const X86Field field = (X86Field)(X86_FIELD_ES_SELECTOR + 4 * c->segment);

        assert_int_equal(stop(state), 0);
        assert_int_equal(start(state), 0);
        put(GDT, SEL_TEST, descriptor(0, 0xfffff, c->type, true));
        put_unit(SEGMENT + c->segment, c->selector);
        assert_int_equal(switch_to(SEL_NEW, X86_TASK_CALL, 0), 0);
        assert_int_equal(x86_read(&f.vcpu, field), c->selector);
        assert_int_equal(x86_read(&f.vcpu, (X86Field)(field + 1)) & 0xff,
                         c->type != 0 ? c->type | ACCESSED : 0);
        assert_int_equal(type_at(SEL_TEST), c->type != 0 ? c->type | ACCESSED : 0);
    }
}

static void a_task_of_users(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 6; n++) {
        put_unit(SEGMENT + n, n == CS ? SEL_CODE_USER : SEL_DATA_USER);
    }
    assert_int_equal(switch_to(SEL_NEW, X86_TASK_CALL, 0), 0);
    assert_new_runs(NEW_FLAGS | RFLAGS_NT);
    assert_int_equal(x86_cpl(&f.vcpu), 3);
}

static void a_task_has_its_ldt(void **state)
{
    (void)state;
    put_unit(SEGMENT + 6, SEL_LDT);
    put_unit(SEGMENT + DS, SEL_OF_LDT);
    assert_int_equal(switch_to(SEL_NEW, X86_TASK_CALL, 0), 0);
    assert_int_equal(x86_read(&f.vcpu, X86_FIELD_LDTR_BASE), LDT);
    assert_int_equal(x86_read(&f.vcpu, X86_FIELD_LDTR_LIMIT), 0xf);
    assert_int_equal(x86_read(&f.vcpu, X86_FIELD_DS_BASE), 0x4000);
    assert_int_equal(x86_read(&f.vcpu, X86_FIELD_DS_LIMIT), 0xfff);
}

static void an_ldt_that_is_none_is_the_new_tasks_fault(void **state)
{
    static const struct {
        unsigned selector;
        unsigned type;
    } cases[] = {{SEL_LDT | 4, PRESENT | TYPE_LDT},
                 {SEL_BEYOND, PRESENT | TYPE_LDT},
                 {SEL_LDT, TYPE_LDT},
                 {SEL_LDT, PRESENT | TYPE_TSS32}};

    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(stop(state), 0);
        assert_int_equal(start(state), 0);
        put(GDT, SEL_LDT, descriptor(LDT, 0xf, cases[i].type, false));
        put_unit(SEGMENT + 6, cases[i].selector);
        assert_int_equal(switch_to(SEL_NEW, X86_TASK_CALL, 0),
                         fault_event(VECTOR_TS, cases[i].selector & ~3u));
        assert_int_equal(task.rip, NEW_RIP);
        assert_int_equal(x86_read(&f.vcpu, X86_FIELD_LDTR_ATTRIBUTES) & SEGMENT_PRESENT, 0);
    }
}

// Nobody can bring it any more: the old task is left.
static void a_stack_that_is_nowhere_is_a_fault(void **state)
{
    (void)state;
    put_unit(GPR + RSP, (uint32_t)HOLE);
    assert_int_equal(switch_to(SEL_NEW, X86_TASK_GATE, fault_event(VECTOR_NP, 0)),
                     fault_event(VECTOR_GP, 0));
    assert_int_equal(task.rip, NEW_RIP);
    assert_int_equal(task.gpr[RSP], HOLE);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        ON_VMX(a_call_nests),
        ON_VMX(a_jump_leaves_the_old_task),
        ON_VMX(iret_goes_back),
        ON_VMX(a_fault_is_saved_where_it_is),
        ON_VMX(int_n_is_saved_behind_itself),
        ON_VMX(an_nmi_blocks_others),
        ON_VMX(a_tss_of_16_bits),
        ON_VMX(from_a_tss_of_16_bits),
        ON_VMX(paging_brings_its_own_tables),
        ON_VMX(a_task_of_virtual_8086_mode),
        ON_VMX(the_trap_bit_is_a_debug_exception),
        ON_VMX(a_tss_that_is_none_is_refused),
        ON_VMX(an_old_tss_that_is_too_short_is_refused),
        ON_VMX(a_fault_while_an_interrupt_is_delivered_is_external),
        ON_VMX(what_the_host_has_to_bring_is_asked_for_first),
        ON_VMX(a_table_that_cannot_be_written_leaves_nothing_half_done),
        ON_VMX(a_segment_that_does_not_fit_is_the_new_tasks_fault),
        ON_VMX(segments_that_fit_are_loaded),
        ON_VMX(a_task_of_users),
        ON_VMX(a_task_has_its_ldt),
        ON_VMX(an_ldt_that_is_none_is_the_new_tasks_fault),
        ON_VMX(a_stack_that_is_nowhere_is_a_fault),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
