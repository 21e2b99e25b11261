// SPDX-License-Identifier: Apache-2.0
// Hardware task switches (SDM volume 3, 7.3). VMX hands them out when it has checked the gate, the
// privileges and the new TSS (26.4.2), never in IA-32e mode. Until the old task is saved nothing has
// changed, and a fault is the old one's; from then on it is the new one's, before its first instruction.
#include "x86.h"

#include <string.h>

#define TSS_MAX_SIZE 104u
#define TSS32_CR3    0x1cu
#define TSS32_TRAP   0x64u
#define SELECTOR_TI  4u
#define TYPE_BYTE    5u // of a descriptor
#define TYPE_LDT     2u
#define TYPE_BUSY    2u
#define TYPE_32      8u
#define DR7_LOCAL    UINT64_C(0x155) // L0 to L3, LE

// Segments by their order in X86_SEGMENT_FIELDS, which is that of a TSS.
enum { ES, CS, SS, DS, FS, GS, LDTR, TR };
#define SEGMENT_FIELD(n)     ((X86Field)(X86_FIELD_ES_SELECTOR + 4 * (n)))
#define SEGMENT_ATTRIBUTE(n) ((X86Field)(SEGMENT_FIELD(n) + 1))
#define SEGMENT_LIMIT(n)     ((X86Field)(SEGMENT_FIELD(n) + 2))
#define SEGMENT_BASE(n)      ((X86Field)(SEGMENT_FIELD(n) + 3))

// What a switch moves lies together, in units of a register: EIP, EFLAGS, eight general registers,
// segments, and LDTR, which is only loaded.
enum { UNIT_IP, UNIT_FLAGS, UNIT_GPR, UNIT_SEGMENT = UNIT_GPR + 8 };

typedef struct Layout {
    uint8_t first;
    uint8_t unit;
    uint8_t segments;
    uint8_t size; // that the limit must allow for
} Layout;

static const Layout tss16 = {.first = 0x0e, .unit = 2, .segments = 4, .size = 0x2c};
static const Layout tss32 = {.first = 0x20, .unit = 4, .segments = 6, .size = TSS_MAX_SIZE};

typedef struct Tss {
    const Layout *layout;
    uint16_t selector;
    uint64_t descriptor;
    uint64_t base;
    uint8_t bytes[TSS_MAX_SIZE];
} Tss;

static const Layout *layout_of(uint64_t type)
{
    return (type & TYPE_32) != 0 ? &tss32 : &tss16;
}

static size_t place_of(const Tss *tss, unsigned n)
{
    return tss->layout->first + (size_t)n * tss->layout->unit;
}

static uint32_t get_unit(const Tss *tss, unsigned n)
{
    uint32_t value = 0;

    memcpy(&value, tss->bytes + place_of(tss, n), tss->layout->unit);
    return value;
}

static void put_unit(Tss *tss, unsigned n, uint32_t value, size_t size)
{
    memcpy(tss->bytes + place_of(tss, n), &value, size);
}

static size_t saved_size(const Tss *tss)
{
    return (size_t)(UNIT_SEGMENT + tss->layout->segments) * tss->layout->unit;
}

// ---- descriptors ----

static uint64_t base_of(uint64_t descriptor)
{
    return (descriptor >> 16 & 0xffffff) | descriptor >> 56 << 24;
}

static uint64_t attributes_of(uint64_t descriptor)
{
    return (descriptor >> 40 & 0xff) | (descriptor >> 44 & 0xf00);
}

static uint32_t limit_of(uint64_t descriptor)
{
    const uint32_t limit = (uint32_t)((descriptor & 0xffff) | (descriptor >> 32 & 0xf0000));

    return (attributes_of(descriptor) & SEGMENT_GRANULAR) != 0 ? limit << 12 | 0xfff : limit;
}

static void put_segment(X86VCpu *vcpu, unsigned n, uint16_t selector, uint64_t attributes,
                        uint32_t limit, uint64_t base)
{
    x86_write(vcpu, SEGMENT_FIELD(n), selector);
    x86_write(vcpu, SEGMENT_ATTRIBUTE(n), attributes);
    x86_write(vcpu, SEGMENT_LIMIT(n), limit);
    x86_write(vcpu, SEGMENT_BASE(n), base);
}

static void put_descriptor(X86VCpu *vcpu, unsigned n, uint16_t selector, uint64_t descriptor)
{
    put_segment(vcpu, n, selector, attributes_of(descriptor), limit_of(descriptor),
                base_of(descriptor));
}

// Of an event from outside, which no instruction asked for.
static uint32_t error_code(const X86VCpu *vcpu, uint16_t selector)
{
    const X86Event *event = &vcpu->exit.event;

    return (selector & 0xfffcu) | (event->valid && event->type != X86_EVENT_SOFTWARE ? 1 : 0);
}

static bool refuse(const X86VCpu *vcpu, uint8_t vector, uint16_t selector, X86Fault *fault)
{
    *fault = (X86Fault){.vector = vector, .error_code = error_code(vcpu, selector)};
    return false;
}

static bool has_table(const X86VCpu *vcpu, bool local)
{
    return !local || (x86_read(vcpu, SEGMENT_ATTRIBUTE(LDTR)) & SEGMENT_PRESENT) != 0;
}

// Where the descriptor is. False with #TS when it is nowhere.
static bool find(const X86VCpu *vcpu, uint16_t selector, uint64_t *linear, X86Fault *fault)
{
    const bool local = (selector & SELECTOR_TI) != 0;
    const uint64_t base = x86_read(vcpu, local ? SEGMENT_BASE(LDTR) : X86_FIELD_GDTR_BASE);
    const uint64_t limit = x86_read(vcpu, local ? SEGMENT_LIMIT(LDTR) : X86_FIELD_GDTR_LIMIT);

    *linear = base + (selector & 0xfff8u);
    return (has_table(vcpu, local) && (selector | 7u) <= limit) ||
           refuse(vcpu, VECTOR_TS, selector, fault);
}

static bool read_descriptor(const X86VCpu *vcpu, uint16_t selector, uint64_t *descriptor,
                            X86Fault *fault)
{
    uint64_t linear;

    return find(vcpu, selector, &linear, fault) &&
           x86_read_system(vcpu, linear, descriptor, sizeof(*descriptor), fault);
}

static bool change_type(X86VCpu *vcpu, uint16_t selector, uint8_t clear, uint8_t set,
                        X86Fault *fault)
{
    uint64_t linear;
    uint8_t type;

    if (!find(vcpu, selector, &linear, fault) ||
        !x86_read_system(vcpu, linear + TYPE_BYTE, &type, sizeof(type), fault)) {
        return false;
    }
    type = (uint8_t)((type & ~clear) | set);
    return x86_write_system(vcpu, linear + TYPE_BYTE, &type, sizeof(type), fault);
}

static bool may_change_type(const X86VCpu *vcpu, uint16_t selector, X86Fault *fault)
{
    uint64_t linear;

    return find(vcpu, selector, &linear, fault) &&
           x86_may_write_system(vcpu, linear + TYPE_BYTE, 1, fault);
}

// ---- what can still be given up ----

static bool read_tss(const X86VCpu *vcpu, Tss *tss, size_t size, uint64_t limit, X86Fault *fault)
{
    if (limit < size - 1) {
        return refuse(vcpu, VECTOR_TS, tss->selector, fault);
    }
    return x86_read_system(vcpu, tss->base, tss->bytes, size, fault);
}

static bool read_old(const X86VCpu *vcpu, Tss *tss, X86Fault *fault)
{
    tss->layout = layout_of(x86_read(vcpu, SEGMENT_ATTRIBUTE(TR)));
    tss->selector = (uint16_t)x86_read(vcpu, SEGMENT_FIELD(TR));
    tss->base = x86_read(vcpu, SEGMENT_BASE(TR));
    return read_tss(vcpu, tss, tss->layout->first + saved_size(tss),
                    x86_read(vcpu, SEGMENT_LIMIT(TR)), fault);
}

// Another vCPU may have changed it since the processor looked.
static bool is_tss(uint64_t attributes)
{
    return (attributes & (SEGMENT_PRESENT | SEGMENT_CODE_OR_DATA | 5)) == (SEGMENT_PRESENT | 1);
}

static bool read_new(const X86VCpu *vcpu, Tss *tss, X86Fault *fault)
{
    tss->selector = vcpu->exit.task.selector;
    if ((tss->selector & SELECTOR_TI) != 0) {
        return refuse(vcpu, VECTOR_TS, tss->selector, fault);
    }
    if (!read_descriptor(vcpu, tss->selector, &tss->descriptor, fault)) {
        return false;
    }
    if (!is_tss(attributes_of(tss->descriptor))) {
        return refuse(vcpu, VECTOR_TS, tss->selector, fault);
    }
    tss->layout = layout_of(attributes_of(tss->descriptor));
    tss->base = base_of(tss->descriptor);
    return read_tss(vcpu, tss, tss->layout->size, limit_of(tss->descriptor), fault);
}

static bool is_nested(const X86Exit *exit)
{
    return exit->task.source == X86_TASK_CALL || exit->task.source == X86_TASK_GATE;
}

static bool may_write(const X86VCpu *vcpu, const Tss *old, const Tss *new, X86Fault *fault)
{
    const X86Exit *exit = &vcpu->exit;

    if (!x86_may_write_system(vcpu, old->base + old->layout->first, saved_size(old), fault)) {
        return false;
    }
    if (is_nested(exit)) {
        return x86_may_write_system(vcpu, new->base, sizeof(new->selector), fault) &&
               may_change_type(vcpu, new->selector, fault);
    }
    return may_change_type(vcpu, old->selector, fault) &&
           (exit->task.source == X86_TASK_IRET || may_change_type(vcpu, new->selector, fault));
}

// ---- the old task ----

// Behind the instruction, if it was one.
static void save(const X86VCpu *vcpu, Tss *tss)
{
    const X86Exit *exit = &vcpu->exit;
    uint64_t flags = vcpu->regs.rflags & ~(exit->length != 0 ? RFLAGS_RF : 0);

    flags &= ~(exit->task.source == X86_TASK_IRET ? RFLAGS_NT : 0);
    put_unit(tss, UNIT_IP, (uint32_t)(vcpu->regs.rip + exit->length), tss->layout->unit);
    put_unit(tss, UNIT_FLAGS, (uint32_t)flags, tss->layout->unit);
    for (unsigned n = 0; n < 8; n++) {
        put_unit(tss, UNIT_GPR + n, (uint32_t)vcpu->regs.gpr[n], tss->layout->unit);
    }
    for (unsigned n = 0; n < tss->layout->segments; n++) {
        put_unit(tss, UNIT_SEGMENT + n, (uint32_t)x86_read(vcpu, SEGMENT_FIELD(n)),
                 sizeof(uint16_t));
    }
}

// The link of a nested task leads back; without one the old task can be entered again.
static bool link(X86VCpu *vcpu, const Tss *old, const Tss *new, X86Fault *fault)
{
    if (is_nested(&vcpu->exit)) {
        return x86_write_system(vcpu, new->base, &old->selector, sizeof(old->selector), fault);
    }
    return change_type(vcpu, old->selector, TYPE_BUSY, 0, fault);
}

static bool leave_old(X86VCpu *vcpu, Tss *old, const Tss *new, X86Fault *fault)
{
    save(vcpu, old);
    return x86_write_system(vcpu, old->base + old->layout->first, old->bytes + old->layout->first,
                            saved_size(old), fault) &&
           link(vcpu, old, new, fault) &&
           (vcpu->exit.task.source == X86_TASK_IRET ||
            change_type(vcpu, new->selector, 0, TYPE_BUSY, fault));
}

// ---- the new task's registers ----

static void load_cr3(X86VCpu *vcpu, const Tss *tss)
{
    uint32_t cr3;

    if (tss->layout == &tss32 && (x86_read(vcpu, X86_FIELD_CR0) & CR0_PG) != 0) {
        memcpy(&cr3, tss->bytes + TSS32_CR3, sizeof(cr3));
        x86_write(vcpu, X86_FIELD_CR3, cr3);
        vcpu->vendor->flush(vcpu);
    }
}

static void load_registers(X86VCpu *vcpu, const Tss *tss)
{
    const uint64_t nested = is_nested(&vcpu->exit) ? RFLAGS_NT : 0;

    vcpu->regs.rip = get_unit(tss, UNIT_IP);
    vcpu->regs.rflags = (get_unit(tss, UNIT_FLAGS) & RFLAGS_WRITABLE) | RFLAGS_FIXED | nested;
    for (unsigned n = 0; n < 8; n++) {
        vcpu->regs.gpr[n] = get_unit(tss, UNIT_GPR + n);
    }
    x86_write(vcpu, X86_FIELD_CR0, x86_read(vcpu, X86_FIELD_CR0) | CR0_TS);
    x86_write(vcpu, X86_FIELD_DR7, x86_read(vcpu, X86_FIELD_DR7) & ~DR7_LOCAL);
    load_cr3(vcpu, tss);
}

// What was being delivered has arrived. IRET ends the blocking of NMIs, an NMI begins it.
static void end_event(X86VCpu *vcpu)
{
    const X86Event *event = &vcpu->exit.event;

    if (vcpu->exit.task.source == X86_TASK_IRET) {
        x86_nmi_unblock(vcpu);
    } else if (event->valid && event->type == X86_EVENT_NMI) {
        vcpu->lapic.nmi_blocked = true;
    }
    vcpu->event.valid = false;
    vcpu->lapic.extint_in_flight = false;
    vcpu->shadow = false;
}

// ---- the new task's segments ----

static uint16_t selector_of(const Tss *tss, unsigned n)
{
    return n < tss->layout->segments ? (uint16_t)get_unit(tss, UNIT_SEGMENT + n) : 0;
}

// In virtual-8086 mode.
static void put_all_8086(X86VCpu *vcpu, const Tss *tss)
{
    for (unsigned n = ES; n <= GS; n++) {
        const uint16_t selector = selector_of(tss, n);

        put_segment(vcpu, n, selector, SEGMENT_8086, UINT16_MAX, (uint64_t)selector << 4);
    }
}

// Until they are found good. An exception that comes of it takes its stack from the new TSS.
static void put_selectors(X86VCpu *vcpu, const Tss *tss)
{
    put_segment(vcpu, LDTR, (uint16_t)get_unit(tss, UNIT_SEGMENT + tss->layout->segments), 0, 0, 0);
    for (unsigned n = ES; n <= GS; n++) {
        put_segment(vcpu, n, selector_of(tss, n), 0, 0, 0);
    }
    put_segment(vcpu, CS, selector_of(tss, CS), SEGMENT_FLAT_CODE3, UINT32_MAX, 0);
    put_segment(vcpu, SS, selector_of(tss, SS), SEGMENT_FLAT_DATA3, UINT32_MAX, 0);
}

static bool is_null(uint16_t selector)
{
    return (selector & 0xfffc) == 0;
}

static bool fits_code(uint64_t attributes, unsigned rpl)
{
    const unsigned dpl = SEGMENT_DPL(attributes);

    return (attributes & SEGMENT_CODE) != 0 &&
           ((attributes & SEGMENT_CONFORMING) != 0 ? dpl <= rpl : dpl == rpl);
}

static bool fits_stack(uint64_t attributes, unsigned rpl, unsigned cpl)
{
    return (attributes & (SEGMENT_CODE | SEGMENT_READ_OR_WRITE)) == SEGMENT_READ_OR_WRITE &&
           SEGMENT_DPL(attributes) == cpl && rpl == cpl;
}

static bool fits_data(uint64_t attributes, unsigned rpl, unsigned cpl)
{
    const unsigned dpl = SEGMENT_DPL(attributes);

    if ((attributes & SEGMENT_CODE) == 0) {
        return dpl >= rpl && dpl >= cpl;
    }
    return (attributes & SEGMENT_READ_OR_WRITE) != 0 &&
           ((attributes & SEGMENT_CONFORMING) != 0 || (dpl >= rpl && dpl >= cpl));
}

static bool fits(unsigned n, uint64_t attributes, unsigned rpl, unsigned cpl)
{
    if ((attributes & SEGMENT_CODE_OR_DATA) == 0) {
        return false;
    }
    switch (n) {
    case CS: return fits_code(attributes, rpl);
    case SS: return fits_stack(attributes, rpl, cpl);
    default: return fits_data(attributes, rpl, cpl);
    }
}

// The descriptor as a load leaves it, with its accessed flag.
static bool fetch_segment(X86VCpu *vcpu, const Tss *tss, unsigned n, uint64_t *descriptor,
                          X86Fault *fault)
{
    const uint16_t selector = selector_of(tss, n);
    uint64_t attributes;

    if (is_null(selector)) {
        return refuse(vcpu, VECTOR_TS, selector, fault);
    }
    if (!read_descriptor(vcpu, selector, descriptor, fault)) {
        return false;
    }
    attributes = attributes_of(*descriptor);
    if (!fits(n, attributes, selector & 3u, selector_of(tss, CS) & 3u)) {
        return refuse(vcpu, VECTOR_TS, selector, fault);
    }
    if ((attributes & SEGMENT_PRESENT) == 0) {
        return refuse(vcpu, n == SS ? VECTOR_SS : VECTOR_NP, selector, fault);
    }
    *descriptor |= (uint64_t)SEGMENT_ACCESSED << 40;
    return (attributes & SEGMENT_ACCESSED) != 0 ||
           change_type(vcpu, selector, 0, SEGMENT_ACCESSED, fault);
}

// CS and SS together say what the privilege is.
static bool load_code_and_stack(X86VCpu *vcpu, const Tss *tss, X86Fault *fault)
{
    uint64_t code;
    uint64_t stack;

    if (!fetch_segment(vcpu, tss, CS, &code, fault) ||
        !fetch_segment(vcpu, tss, SS, &stack, fault)) {
        return false;
    }
    put_descriptor(vcpu, CS, selector_of(tss, CS), code);
    put_descriptor(vcpu, SS, selector_of(tss, SS), stack);
    return true;
}

static bool load_data(X86VCpu *vcpu, const Tss *tss, unsigned n, X86Fault *fault)
{
    uint64_t descriptor;

    if (is_null(selector_of(tss, n))) {
        return true;
    }
    if (!fetch_segment(vcpu, tss, n, &descriptor, fault)) {
        return false;
    }
    put_descriptor(vcpu, n, selector_of(tss, n), descriptor);
    return true;
}

static bool load_ldt(X86VCpu *vcpu, X86Fault *fault)
{
    const uint16_t selector = (uint16_t)x86_read(vcpu, SEGMENT_FIELD(LDTR));
    const uint64_t mask = SEGMENT_PRESENT | SEGMENT_CODE_OR_DATA | SEGMENT_TYPE;
    uint64_t descriptor;

    if (is_null(selector)) {
        return true;
    }
    if ((selector & SELECTOR_TI) != 0) {
        return refuse(vcpu, VECTOR_TS, selector, fault);
    }
    if (!read_descriptor(vcpu, selector, &descriptor, fault)) {
        return false;
    }
    if ((attributes_of(descriptor) & mask) != (SEGMENT_PRESENT | TYPE_LDT)) {
        return refuse(vcpu, VECTOR_TS, selector, fault);
    }
    put_descriptor(vcpu, LDTR, selector, descriptor);
    return true;
}

static bool load_segments(X86VCpu *vcpu, const Tss *tss, X86Fault *fault)
{
    put_selectors(vcpu, tss);
    if ((vcpu->regs.rflags & RFLAGS_VM) != 0) {
        put_all_8086(vcpu, tss);
        return load_ldt(vcpu, fault);
    }
    return load_ldt(vcpu, fault) && load_code_and_stack(vcpu, tss, fault) &&
           load_data(vcpu, tss, DS, fault) && load_data(vcpu, tss, ES, fault) &&
           load_data(vcpu, tss, FS, fault) && load_data(vcpu, tss, GS, fault);
}

// ---- what comes before the first instruction ----

// An exception's error code goes to the new task's stack.
static bool push_error_code(X86VCpu *vcpu, const Tss *tss, X86Fault *fault)
{
    const X86Event *event = &vcpu->exit.event;
    const bool big = (x86_read(vcpu, SEGMENT_ATTRIBUTE(SS)) & SEGMENT_BIG) != 0;
    const uint64_t mask = big ? UINT32_MAX : UINT16_MAX;
    const uint64_t top = (vcpu->regs.gpr[RSP] - tss->layout->unit) & mask;

    if (vcpu->exit.task.source != X86_TASK_GATE || !event->valid || !event->has_error_code) {
        return true;
    }
    if (!x86_write_memory(vcpu, x86_read(vcpu, SEGMENT_BASE(SS)) + top, &event->error_code,
                          tss->layout->unit, fault)) {
        return false;
    }
    vcpu->regs.gpr[RSP] = (vcpu->regs.gpr[RSP] & ~mask) | top;
    return true;
}

static void trap(X86VCpu *vcpu, const Tss *tss)
{
    if (tss->layout == &tss32 && (tss->bytes[TSS32_TRAP] & 1) != 0) {
        x86_write(vcpu, X86_FIELD_DR6, x86_read(vcpu, X86_FIELD_DR6) | DR6_BT);
        x86_inject(vcpu, VECTOR_DB, false, 0);
    }
}

static bool enter_new(X86VCpu *vcpu, const Tss *tss, X86Fault *fault)
{
    put_descriptor(vcpu, TR, tss->selector, tss->descriptor | (uint64_t)TYPE_BUSY << 40);
    load_registers(vcpu, tss);
    end_event(vcpu);
    return load_segments(vcpu, tss, fault) && push_error_code(vcpu, tss, fault);
}

X86Next x86_handle_task_switch(X86VCpu *vcpu, AxVCpuExit *exit)
{
    X86Fault fault;
    Tss old;
    Tss new;

    if (!read_old(vcpu, &old, &fault) || !read_new(vcpu, &new, &fault) ||
        !may_write(vcpu, &old, &new, &fault) || !leave_old(vcpu, &old, &new, &fault)) {
        return x86_raise(vcpu, &fault, exit);
    }
    if (enter_new(vcpu, &new, &fault)) {
        trap(vcpu, &new);
    } else {
        x86_inject_fault(vcpu, &fault);
    }
    return X86_RESUME;
}
