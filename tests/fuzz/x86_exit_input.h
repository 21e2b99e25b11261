// SPDX-License-Identifier: Apache-2.0
// One exit of an x86 guest on SVM or VMX made from bytes: any cause, any instruction, any mode, page
// tables and registers, and a host that answers as it likes. Used by the fuzzer and by a unit test with
// a fixed seed.
#pragma once

#include "svm/vmcb.h"
#include "vmx/vmcs.h"
#include "x86.h"

#include <axvcpu/event.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_RIP     UINT64_C(0x1100)
#define INPUT_PAGES   8u // of guest memory from 0 on: data, code, four tables, two more of data
#define INPUT_TABLE   UINT64_C(0x2000)
#define INPUT_FRAMES  40u
#define INPUT_REASONS (VMX_EXIT_REASON_COUNT + 4)

static char input_logged[128]; // the last line

// A broken promise ends the process, whoever runs it.
#define PROMISE(condition)                                                                       \
    do {                                                                                         \
        if (!(condition)) {                                                                      \
            (void)fprintf(stderr, "line %d: %s; log: %s\n", __LINE__, #condition, input_logged); \
            abort();                                                                             \
        }                                                                                        \
    } while (0)

#define INPUT_VMX 0x80u // X86ExitInput.mode: which vendor, and ...
// ... the rest modulo INPUT_MODES.
typedef enum InputMode {
    INPUT_REAL,
    INPUT_PROTECTED_16,
    INPUT_PROTECTED_32,
    INPUT_PAGED,
    INPUT_PAE,
    INPUT_COMPATIBILITY,
    INPUT_LONG,
    INPUT_MODES
} InputMode;

// Bits of X86ExitInput.flags.
#define INPUT_USER      1u // CPL 3
#define INPUT_IF        2u
#define INPUT_X2APIC    4u
#define INPUT_NEXT_RIP  8u // a processor that has it and more
#define INPUT_APIC_ON   16u
#define INPUT_INTERRUPT 32u // one is posted
#define INPUT_NMI       64u
#define INPUT_NO_XSAVE  128u

typedef struct X86ExitInput {
    uint8_t mode;
    uint8_t flags;
    uint8_t vector;     // of what is posted
    uint8_t answers[5]; // of the host
    uint8_t code[16];
    uint64_t exit_code; // EXITCODE, or the exit reason modulo INPUT_REASONS
    uint64_t info_1;    // EXITINFO1, or the exit qualification
    uint64_t info_2;    // EXITINFO2, or the guest-physical address
    uint64_t int_info;  // EXITINTINFO, or IDT-vectoring information
    uint64_t rflags;
    uint64_t cr0;
    uint64_t cr4;
    uint64_t efer;
    uint64_t value;      // read from a device
    uint64_t base;       // of segments
    uint64_t gpr[4];     // repeated
    uint64_t entries[4]; // of page tables: what differs from good ones
} X86ExitInput;

typedef struct X86ExitRun {
    AxVCpuHal hal;
    AxEvents events;
    AxVCpuStats stats;
    X86PerCpu percpu;
    X86VCpu vcpu;
    AxEptRoot root;
    AxVCpuExit exit;
    const X86ExitInput *input;
    unsigned entries;
    uint64_t rip; // at the exit
    unsigned frames;
} X86ExitRun;

static X86ExitRun x86_exit_run;
static unsigned x86_exit_seen[AX_EXIT_COUNT];
static _Alignas(4096) uint8_t x86_exit_frames[INPUT_FRAMES][4096];

static AxError input_alloc(void *ctx, size_t count, uint64_t align, HostPhysAddr *out)
{
    X86ExitRun *run = ctx;

    (void)align;
    if (run->frames + count > INPUT_FRAMES) {
        return AX_ENOMEM;
    }
    *out = ax_hpa((uintptr_t)x86_exit_frames[run->frames]);
    memset(x86_exit_frames[run->frames], 0, 4096 * count);
    run->frames += (unsigned)count;
    return AX_OK;
}

static void input_dealloc(void *ctx, HostPhysAddr first, size_t count)
{
    (void)ctx;
    (void)first;
    (void)count;
}

static HostVirtAddr input_phys_to_virt(void *ctx, HostPhysAddr addr)
{
    (void)ctx;
    PROMISE(addr.value - (uintptr_t)x86_exit_frames < sizeof(x86_exit_frames));
    return ax_hva((uintptr_t)addr.value);
}

static uint64_t input_irq_fetch(void *ctx)
{
    return ((X86ExitRun *)ctx)->input->value % 2 == 0 ? AX_IRQ_NONE : 0x40;
}

static void input_set_deadline(void *ctx, uint64_t deadline_ns)
{
    (void)ctx;
    (void)deadline_ns;
}

static uint64_t input_now_ns(void *ctx)
{
    (void)ctx;
    return 1000;
}

__attribute__((format(printf, 3, 4))) static void input_log(void *ctx, AxLogLevel level,
                                                            const char *format, ...)
{
    va_list args;

    (void)ctx;
    (void)level;
    va_start(args, format);
    (void)vsnprintf(input_logged, sizeof(input_logged), format, args);
    va_end(args);
}

static bool input_is_vmx(const X86ExitInput *input)
{
    return (input->mode & INPUT_VMX) != 0;
}

static InputMode input_mode(const X86ExitInput *input)
{
    return (InputMode)((input->mode & ~INPUT_VMX) % INPUT_MODES);
}

static uint8_t *input_memory(uint64_t gpa)
{
    return x86_ept_lookup(&x86_exit_run.vcpu, gpa, AX_MAP_READ);
}

// ---- the guest ----

static const struct {
    uint64_t cr0;
    uint64_t cr4;
    uint64_t efer;
    uint64_t code; // attributes of CS
    unsigned levels;
} input_modes[INPUT_MODES] = {
    [INPUT_REAL] = {CR0_ET, 0, 0, 0x9b, 0},
    [INPUT_PROTECTED_16] = {CR0_ET | CR0_PE, 0, 0, 0x9b, 0},
    [INPUT_PROTECTED_32] = {CR0_ET | CR0_PE, 0, 0, 0x49b, 0},
    [INPUT_PAGED] = {CR0_ET | CR0_PE | CR0_PG, 0, 0, 0x49b, 2},
    [INPUT_PAE] = {CR0_ET | CR0_PE | CR0_PG, CR4_PAE, 0, 0x49b, 3},
    [INPUT_COMPATIBILITY] = {CR0_ET | CR0_PE | CR0_PG, CR4_PAE, EFER_LME | EFER_LMA, 0x49b, 4},
    [INPUT_LONG] = {CR0_ET | CR0_PE | CR0_PG, CR4_PAE, EFER_LME | EFER_LMA, 0x29b, 4},
};

// What guests change without an exit.
#define INPUT_CR0  (CR0_MP | CR0_EM | CR0_TS | CR0_WP)
#define INPUT_CR4  (CR4_PSE | CR4_OSFXSR | CR4_OSXSAVE | CR4_SMEP | CR4_SMAP)
#define INPUT_EFER (EFER_SCE | EFER_NXE)

static void put_table(unsigned level, unsigned levels, uint64_t entry)
{
    uint8_t *table = input_memory(INPUT_TABLE + 0x1000 * (uint64_t)level);

    memcpy(table, &entry, levels == 2 ? 4 : 8);
}

// Linear addresses of the first pages are physical ones, but for what the input has against it.
static void put_tables(const X86ExitInput *input, unsigned levels)
{
    const unsigned size = levels == 2 ? 4 : 8;

    for (unsigned level = 1; level < levels; level++) {
        const bool is_pointer = levels == 3 && level == 2; // which processors look at before
        const uint64_t next = INPUT_TABLE + 0x1000 * (uint64_t)(level - 1);

        put_table(level, levels, is_pointer ? next | 1 : (next | 7) ^ input->entries[level]);
    }
    for (uint64_t page = 0; page < INPUT_PAGES && levels != 0; page++) {
        const uint64_t entry = (page << 12 | 7) ^ (page == 1 ? 0 : input->entries[0]);

        memcpy(input_memory(INPUT_TABLE) + page * size, &entry, size);
    }
}

// MOV to a control register is #GP there, without an exit.
static bool input_is_user(const X86ExitInput *input)
{
    const bool is_mov = input_is_vmx(input) &&
                        input->exit_code % INPUT_REASONS == VMX_EXIT_CR_ACCESS;

    return (input->flags & INPUT_USER) != 0 && input_mode(input) != INPUT_REAL && !is_mov;
}

static void put_segments(X86VCpu *vcpu, const X86ExitInput *input, uint64_t code)
{
    const uint64_t dpl = input_is_user(input) ? 0x60 : 0;

    for (unsigned n = 0; n < 6; n++) {
        x86_write(vcpu, X86_FIELD_ES_ATTRIBUTES + 4 * n, 0x93 | dpl);
        x86_write(vcpu, X86_FIELD_ES_BASE + 4 * n, n == 1 ? 0 : (input->base >> n) & UINT32_MAX);
    }
    x86_write(vcpu, X86_FIELD_CS_ATTRIBUTES, code | dpl);
}

static void put_registers(X86VCpu *vcpu, const X86ExitInput *input)
{
    for (unsigned n = 0; n < 16; n++) {
        vcpu->regs.gpr[n] = input->gpr[n % 4];
    }
    vcpu->regs.rip = INPUT_RIP;
    vcpu->regs.rflags = (input->rflags & RFLAGS_WRITABLE & ~(RFLAGS_VM | RFLAGS_TF | RFLAGS_IF)) |
                        RFLAGS_FIXED | ((input->flags & INPUT_IF) != 0 ? RFLAGS_IF : 0);
}

static void put_guest(X86VCpu *vcpu, const X86ExitInput *input)
{
    const InputMode mode = input_mode(input);

    x86_write(vcpu, X86_FIELD_CR0, input_modes[mode].cr0 | (input->cr0 & INPUT_CR0));
    x86_write(vcpu, X86_FIELD_CR4, input_modes[mode].cr4 | (input->cr4 & INPUT_CR4));
    x86_write(vcpu, X86_FIELD_EFER, input_modes[mode].efer | (input->efer & INPUT_EFER));
    put_segments(vcpu, input, input_modes[mode].code);
    put_registers(vcpu, input);
    put_tables(input, input_modes[mode].levels);
    if (input_modes[mode].levels != 0) {
        x86_write(vcpu, X86_FIELD_CR3,
                  INPUT_TABLE + 0x1000 * (uint64_t)(input_modes[mode].levels - 1));
    }
    memcpy(input_memory(INPUT_RIP), input->code, sizeof(input->code));
}

static void put_apic(X86VCpu *vcpu, const X86ExitInput *input)
{
    if ((input->flags & INPUT_APIC_ON) != 0) {
        vcpu->lapic.svr |= 0x100;
    }
    if ((input->flags & INPUT_X2APIC) != 0) {
        PROMISE(x86_set_apic_base(vcpu, vcpu->lapic.base | 0x400));
    }
    if ((input->flags & INPUT_INTERRUPT) != 0) {
        PROMISE(axvcpu_events_post_irq(vcpu->env.events, input->vector) == AX_OK);
    }
    if ((input->flags & INPUT_NMI) != 0) {
        axvcpu_events_post_nmi(vcpu->env.events);
    }
}

#define INPUT_WITH_ERROR                                                                 \
    (X86_BIT(VECTOR_DF) | X86_BIT(VECTOR_TS) | X86_BIT(VECTOR_NP) | X86_BIT(VECTOR_SS) | \
     X86_BIT(VECTOR_GP) | X86_BIT(VECTOR_PF) | X86_BIT(VECTOR_AC))

static uint64_t input_exception(const X86ExitInput *input, uint64_t vector)
{
    const bool has_error = input_mode(input) != INPUT_REAL && (INPUT_WITH_ERROR >> vector & 1) != 0;

    return X86_EVENT_EXCEPTION << EVENT_TYPE_SHIFT | vector | (has_error ? EVENT_HAS_ERROR : 0);
}

// An event whose delivery the exit interrupted, of a sort that processors report.
static uint64_t input_event(const X86ExitInput *input)
{
    const uint64_t kept = input->int_info & (EVENT_VALID | UINT64_C(0xffff) << EVENT_ERROR_SHIFT);
    const uint64_t vector = input->int_info & EVENT_VECTOR;

    switch (input->int_info >> EVENT_TYPE_SHIFT & 3) {
    case 0:
        if ((input->flags & INPUT_IF) != 0) {
            return kept | X86_EVENT_INTERRUPT << EVENT_TYPE_SHIFT | vector | 0x10;
        }
        return kept | X86_EVENT_NMI << EVENT_TYPE_SHIFT | 2;
    case 1: return kept | X86_EVENT_NMI << EVENT_TYPE_SHIFT | 2;
    case 2: return kept | X86_EVENT_SOFTWARE << EVENT_TYPE_SHIFT | vector;
    default: return kept | input_exception(input, vector % 32 == 2 ? VECTOR_DF : vector % 32);
    }
}

// The first entry ends as the input says, the others with HLT.
static void input_guest(struct X86GuestRegs *regs, Vmcb *vmcb)
{
    X86ExitRun *run = &x86_exit_run;
    const X86ExitInput *input = run->input;

    (void)regs;
    vmcb->exit_code = VMEXIT_HLT;
    if (run->entries++ != 0) {
        return;
    }
    vmcb->exit_code = input->exit_code;
    vmcb->exit_info_1 = input->info_1;
    vmcb->exit_info_2 = input->info_2;
    vmcb->exit_int_info = input_event(input);
    vmcb->next_rip = vmcb->rip + (input->info_2 & 15);
}

// ---- the same on VMX ----

// Only some exits come while an event is delivered.
static bool input_has_event(const X86ExitInput *input)
{
    const uint64_t reason = input->exit_code % INPUT_REASONS;

    return reason == VMX_EXIT_EXCEPTION_OR_NMI || reason == VMX_EXIT_TASK_SWITCH ||
           reason == VMX_EXIT_EPT_VIOLATION || reason == VMX_EXIT_EPT_MISCONFIGURATION;
}

static void input_leave_by_event(const X86ExitInput *input)
{
    uint64_t info = input_has_event(input) ? input_event(input) & UINT32_MAX : 0;

    if (INTERRUPTION_TYPE(info) == INTERRUPTION_HARDWARE_EXCEPTION &&
        ((info & EVENT_VECTOR) == VECTOR_BP || (info & EVENT_VECTOR) == VECTOR_OF)) {
        info |= INTERRUPTION_SOFTWARE_EXCEPTION << INTERRUPTION_TYPE_SHIFT;
    }
    *x86_sim_field(VMCS_IDT_VECTORING_INFO) = info;
    *x86_sim_field(VMCS_IDT_VECTORING_ERROR_CODE) = input->int_info >> EVENT_ERROR_SHIFT & 0xffff;
}

static bool is_entry_failure(uint64_t reason)
{
    return reason == VMX_EXIT_ENTRY_FAILURE_GUEST_STATE ||
           reason == VMX_EXIT_ENTRY_FAILURE_MSR_LOADING ||
           reason == VMX_EXIT_ENTRY_FAILURE_MACHINE_CHECK;
}

static uint64_t input_reason(const X86ExitInput *input)
{
    const uint64_t reason = input->exit_code % INPUT_REASONS;

    return is_entry_failure(reason) ? reason | EXIT_REASON_ENTRY_FAILURE : reason;
}

// Of those that are intercepted, and NMIs.
static uint64_t input_interruption(const X86ExitInput *input)
{
    static const uint64_t infos[] = {
        INTERRUPTION_NMI << INTERRUPTION_TYPE_SHIFT | 2,
        INTERRUPTION_HARDWARE_EXCEPTION << INTERRUPTION_TYPE_SHIFT | VECTOR_DB,
        INTERRUPTION_PRIVILEGED_EXCEPTION << INTERRUPTION_TYPE_SHIFT | VECTOR_DB,
        INTERRUPTION_HARDWARE_EXCEPTION << INTERRUPTION_TYPE_SHIFT | INTERRUPTION_HAS_ERROR |
            VECTOR_AC,
        INTERRUPTION_HARDWARE_EXCEPTION << INTERRUPTION_TYPE_SHIFT | VECTOR_MC,
    };

    return INTERRUPTION_VALID | infos[input->info_2 % (sizeof(infos) / sizeof(infos[0]))];
}

static void input_vmx_guest(struct X86GuestRegs *regs)
{
    X86ExitRun *run = &x86_exit_run;
    const X86ExitInput *input = run->input;

    (void)regs;
    *x86_sim_field(VMCS_EXIT_REASON) = VMX_EXIT_HLT;
    *x86_sim_field(VMCS_EXIT_INSTRUCTION_LENGTH) = 1;
    *x86_sim_field(VMCS_IDT_VECTORING_INFO) = 0;
    if (run->entries++ != 0) {
        return;
    }
    *x86_sim_field(VMCS_EXIT_REASON) = input_reason(input);
    *x86_sim_field(VMCS_EXIT_QUALIFICATION) = input->info_1;
    *x86_sim_field(VMCS_GUEST_PHYSICAL_ADDRESS) = input->info_2;
    *x86_sim_field(VMCS_EXIT_INSTRUCTION_LENGTH) = (input->info_2 >> 60) + 1;
    *x86_sim_field(VMCS_EXIT_INTERRUPTION_INFO) = input_interruption(input);
    *x86_sim_field(VMCS_EXIT_INTERRUPTION_ERROR_CODE) = 0;
    input_leave_by_event(input);
}

// ---- a life ----

static void map_memory(X86ExitRun *run)
{
    const AxEptFormat *ept = x86_ept_format();
    uint64_t *tables[4];

    for (unsigned level = 0; level < 4; level++) {
        HostPhysAddr frame;

        PROMISE(input_alloc(run, 1, 4096, &frame) == AX_OK);
        tables[level] = (uint64_t *)(uintptr_t)frame.value;
        if (level != 0) {
            tables[level][0] = ept->make_table(ax_hpa((uintptr_t)tables[level - 1]));
        }
    }
    for (uint64_t page = 0; page < INPUT_PAGES; page++) {
        HostPhysAddr frame;

        PROMISE(input_alloc(run, 1, 4096, &frame) == AX_OK);
        tables[0][page] = ept->make_leaf(frame, AX_MAP_RIGHTS, 0);
    }
    run->root = (AxEptRoot){.base = ax_hpa((uintptr_t)tables[3]), .levels = 4, .gpa_bits = 40};
}

static void start_processor(const X86ExitInput *input)
{
    if (input_is_vmx(input)) {
        x86_sim_reset_vmx();
        x86_sim.vmx.guest = input_vmx_guest;
    } else {
        x86_sim_reset();
        x86_sim.guest = input_guest;
    }
    if ((input->flags & INPUT_NEXT_RIP) != 0 && !input_is_vmx(input)) {
        x86_sim_leaf(0x8000000a)->edx |= UINT32_C(0xe8);
    }
    if ((input->flags & INPUT_NO_XSAVE) != 0) {
        x86_sim_leaf(1)->ecx &= ~(UINT32_C(1) << 26);
    }
}

static void start_run(X86ExitRun *run, const X86ExitInput *input)
{
    const AxArchVCpuEnv env = {.hal = &run->hal, .events = &run->events, .stats = &run->stats};
    const X86VCpuCreateConfig create = {.tsc_hz = 2000000000};
    const X86VCpuSetupConfig setup = {.trap_wait = true};

    memset(run, 0, sizeof(*run));
    run->input = input;
    run->hal = (AxVCpuHal){.ctx = run,
                           .alloc_frames = input_alloc,
                           .dealloc_frames = input_dealloc,
                           .phys_to_virt = input_phys_to_virt,
                           .irq_fetch = input_irq_fetch,
                           .set_deadline = input_set_deadline,
                           .now_ns = input_now_ns,
                           .log = input_log};
    start_processor(input);
    axvcpu_events_init(&run->events);
    PROMISE(x86_percpu_ops.init(&run->percpu, 0, &run->hal) == AX_OK);
    PROMISE(x86_percpu_ops.enable(&run->percpu) == AX_OK);
    map_memory(run);
    PROMISE(x86_vcpu_ops.create(&run->vcpu, &env, &create) == AX_OK);
    PROMISE(x86_vcpu_ops.set_entry(&run->vcpu, ax_gpa(0)) == AX_OK);
    PROMISE(x86_vcpu_ops.set_ept_root(&run->vcpu, &run->root) == AX_OK);
    PROMISE(x86_vcpu_ops.setup(&run->vcpu, &setup) == AX_OK);
    PROMISE(x86_vcpu_ops.bind(&run->vcpu, &run->percpu) == AX_OK);
    put_guest(&run->vcpu, input);
    put_apic(&run->vcpu, input);
}

static void stop_run(X86ExitRun *run)
{
    PROMISE(x86_vcpu_ops.unbind(&run->vcpu) == AX_OK);
    x86_vcpu_ops.destroy(&run->vcpu);
    PROMISE(x86_percpu_ops.disable(&run->percpu) == AX_OK);
    PROMISE(x86_sim.illegal == 0);
}

// ---- what must hold ----

// Pointers of PAE that an emulated MOV to CR0 or CR4 found in memory: as good as the guest made them.
static bool has_pointers_of_its_own(const X86VCpu *vcpu)
{
    return (x86_read(vcpu, X86_FIELD_CR0) & CR0_PG) != 0 &&
           (x86_read(vcpu, X86_FIELD_CR4) & CR4_PAE) != 0 &&
           (x86_read(vcpu, X86_FIELD_EFER) & EFER_LMA) == 0;
}

// Otherwise no guest makes itself one that cannot be entered.
static bool may_fail(const X86ExitRun *run)
{
    const X86ExitInput *input = run->input;

    if (input_is_vmx(input)) {
        return is_entry_failure(input->exit_code % INPUT_REASONS) ||
               has_pointers_of_its_own(&run->vcpu);
    }
    return input->exit_code == VMEXIT_INVALID || input->exit_code == UINT32_MAX;
}

static void check_exit(const X86ExitRun *run)
{
    const AxVCpuExit *exit = &run->exit;

    PROMISE(exit->reason < AX_EXIT_COUNT);
    PROMISE(exit->reason != AX_EXIT_FAIL_ENTRY || may_fail(run));
    switch (exit->reason) {
    case AX_EXIT_MMIO_READ:
    case AX_EXIT_MMIO_WRITE:
        PROMISE(ax_width_is_valid(exit->mmio.width));
        PROMISE((exit->mmio.data & ~ax_width_mask(exit->mmio.width)) == 0);
        PROMISE(exit->mmio.addr.value % AX_PAGE_SIZE + exit->mmio.width <= AX_PAGE_SIZE);
        break;
    case AX_EXIT_IO_READ:
    case AX_EXIT_IO_WRITE:
        PROMISE(exit->io.width == 1 || exit->io.width == 2 || exit->io.width == 4);
        PROMISE((exit->io.data & ~ax_width_mask(exit->io.width)) == 0);
        break;
    case AX_EXIT_SYSREG_READ:
    case AX_EXIT_SYSREG_WRITE: PROMISE(exit->sysreg.addr.value <= UINT32_MAX); break;
    default: break;
    }
}

static void check_event(const X86Event *event)
{
    if (!event->valid) {
        return;
    }
    PROMISE(event->type != X86_EVENT_EXCEPTION || (event->vector < 32 && event->vector != 2));
    PROMISE(event->type != X86_EVENT_NMI || event->vector == 2);
}

static void check_vectors(const X86Lapic *lapic)
{
    PROMISE((lapic->irr[0] & 0xffff) == 0 && (lapic->isr[0] & 0xffff) == 0);
}

static void check_guest(const X86ExitRun *run)
{
    check_event(&run->vcpu.event);
    check_vectors(&run->vcpu.lapic);
}

static AxError answer(X86ExitRun *run, uint8_t how)
{
    const AxVCpuExit *exit = &run->exit;
    X86VCpu *vcpu = &run->vcpu;
    AxError error;

    if (how % 8 == 0) {
        return x86_complete_fault(vcpu, exit);
    }
    error = x86_complete_read(vcpu, exit, run->input->value);
    if (error != AX_OK) {
        error = x86_complete_write(vcpu, exit);
    }
    return error == AX_OK
               ? AX_OK
               : x86_complete_call(vcpu, exit, (AxError)(how % AX_ERROR_COUNT), run->input->value);
}

static inline void x86_exit_input(const uint8_t *data, size_t size)
{
    X86ExitRun *run = &x86_exit_run;
    X86ExitInput input;

    memset(&input, 0, sizeof(input));
    memcpy(&input, data, size < sizeof(input) ? size : sizeof(input));
    start_run(run, &input);
    for (size_t i = 0; i < sizeof(input.answers); i++) {
        PROMISE(x86_vcpu_ops.run(&run->vcpu, &run->exit) == AX_OK);
        check_exit(run);
        x86_exit_seen[run->exit.reason]++;
        (void)!answer(run, input.answers[i]);
        check_guest(run);
    }
    stop_run(run);
}
