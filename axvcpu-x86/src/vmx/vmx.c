// SPDX-License-Identifier: Apache-2.0
// Intel VMX behind the table of vendor.h (SDM volume 3, chapters 24 to 32).
#include "vmx/vmx.h"
#include "vmx/entry_check.h"

#include <string.h>

// A guest may have the processor deliver #DB or #AC for ever without an exit; #MC is the host's.
#define INTERCEPTED_EXCEPTIONS (X86_BIT(VECTOR_DB) | X86_BIT(VECTOR_AC) | X86_BIT(VECTOR_MC))

// Host selectors must have RPL 0 and be of the GDT.
#define SELECTOR_BITS UINT64_C(0xfff8)

// ---- this processor ----

// Bitmaps of a bit per MSR: read low, read high, write low, write high.
void vmx_pass_msr(uint8_t *bitmap, uint32_t msr, bool read, bool write)
{
    const uint32_t bit = (msr >= UINT32_C(0xc0000000) ? 0x2000 : 0) + (msr & 0x1fff);
    const uint8_t mask = (uint8_t)(1u << (bit % 8));

    bitmap[bit / 8] &= (uint8_t) ~(read ? mask : 0);
    bitmap[2048 + bit / 8] &= (uint8_t) ~(write ? mask : 0);
}

// Those that an entry loads or bind swaps, and where any value is as good as another.
static const uint32_t passed_msrs[] = {
    MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP, MSR_STAR,    MSR_LSTAR,
    MSR_CSTAR,       MSR_SFMASK,       MSR_FS_BASE,      MSR_GS_BASE, MSR_KERNEL_GS,
};

static void fill_frames(const X86PerCpu *percpu)
{
    uint8_t *msrs = vmx_memory(percpu->hal, percpu->frames.msr_bitmap);
    uint32_t *region = vmx_memory(percpu->hal, percpu->frames.vmxon);

    *region = (uint32_t)(X86_READ(VMX_BASIC) & VMX_BASIC_REVISION);
    memset(msrs, 0xff, AX_PAGE_SIZE);
    for (size_t i = 0; i < sizeof(passed_msrs) / sizeof(passed_msrs[0]); i++) {
        vmx_pass_msr(msrs, passed_msrs[i], true, true);
    }
    memcpy(msrs + AX_PAGE_SIZE, msrs, AX_PAGE_SIZE);
    vmx_pass_x2apic(msrs + AX_PAGE_SIZE);
}

static void free_frames(X86PerCpu *percpu)
{
    axvcpu_dealloc_frame(percpu->hal, percpu->frames.vmxon);
    percpu->hal->dealloc_frames(percpu->hal->ctx, percpu->frames.msr_bitmap, VMX_MSR_BITMAPS);
    percpu->frames = (X86Frames){0};
}

static AxError alloc_frames(X86PerCpu *percpu)
{
    AxError error = axvcpu_alloc_frame(percpu->hal, &percpu->frames.vmxon);

    if (error != AX_OK) {
        return error;
    }
    error = percpu->hal->alloc_frames(percpu->hal->ctx, VMX_MSR_BITMAPS, AX_PAGE_SIZE,
                                      &percpu->frames.msr_bitmap);
    if (error != AX_OK) {
        axvcpu_dealloc_frame(percpu->hal, percpu->frames.vmxon);
        percpu->frames = (X86Frames){0};
    }
    return error;
}

// Firmware that left the choice open gets it made for good: a locked register stays so until reset.
static void unlock(void)
{
    const uint64_t control = X86_READ(FEATURE_CONTROL);

    if ((control & FEATURE_CONTROL_LOCK) == 0) {
        X86_WRITE(FEATURE_CONTROL,
                  control | FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX_OUTSIDE_SMX);
    }
}

// What is left of earlier users of the processor.
static void flush_all(const X86Features *features)
{
    const uint64_t cap = features->ept_vpid_cap;

    if ((cap & EPT_CAP_INVEPT_ALL) != 0) {
        (void)x86_vmx_invept(INVEPT_ALL, 0);
    }
    if (features->has_flush_by_tag && (cap & EPT_CAP_INVVPID_ALL) != 0) {
        (void)x86_vmx_invvpid(INVVPID_ALL, 0);
    }
}

static AxError enable(X86PerCpu *percpu)
{
    const uint64_t cr0 = X86_READ(CR0);
    const uint64_t cr4 = X86_READ(CR4);
    const AxError error = alloc_frames(percpu);

    if (error != AX_OK) {
        return error;
    }
    fill_frames(percpu);
    unlock();
    X86_WRITE(CR0, cr0 | X86_READ(VMX_CR0_FIXED0));
    X86_WRITE(CR4, cr4 | X86_READ(VMX_CR4_FIXED0));
    if (!x86_vmx_on(percpu->frames.vmxon.value)) {
        X86_WRITE(CR4, cr4);
        X86_WRITE(CR0, cr0);
        free_frames(percpu);
        return AX_EBACKEND;
    }
    flush_all(&percpu->features);
    return AX_OK;
}

static void disable(X86PerCpu *percpu)
{
    x86_vmx_off();
    free_frames(percpu);
}

// ---- life of a vCPU ----

static AxError create(X86VCpu *vcpu)
{
    const AxVCpuHal *hal = vcpu->env.hal;

    return hal->alloc_frames(hal->ctx, VMX_FRAMES, AX_PAGE_SIZE, &vcpu->control);
}

static void destroy(X86VCpu *vcpu)
{
    vcpu->env.hal->dealloc_frames(vcpu->env.hal->ctx, vcpu->control, VMX_FRAMES);
}

static void reset(X86VCpu *vcpu)
{
    VmxState *state = vmx_state(vcpu);
    uint32_t *vmcs = vmx_memory(vcpu->env.hal, vmx_frame(vcpu, VMX_FRAME_VMCS));

    memset(vmcs, 0, VMX_FRAMES * AX_PAGE_SIZE);
    *vmcs = (uint32_t)(X86_READ(VMX_BASIC) & VMX_BASIC_REVISION);
    state->fresh = true;
    state->dirty = X86_BIT(X86_FIELD_COUNT) - 1;
}

// Bochs 2.7 delivers what RVI requests in spite of a clear RFLAGS.IF as soon as the host has an
// interrupt, too. While the window is open the processor delivers nothing by itself (SDM volume 3,
// 30.2.1); with IF set it would end every stay before the first instruction.
static bool needs_window(const X86VCpu *vcpu, const VmxState *state)
{
    const bool is_closed = vcpu->event.valid || (vcpu->regs.rflags & RFLAGS_IF) == 0;

    return (state->windows & X86_WINDOW_INTERRUPT) != 0 ||
           (is_closed && vmx_apic_is_requesting(vcpu, state));
}

static uint64_t primary_controls(const X86VCpu *vcpu, const VmxState *state)
{
    uint64_t controls = vcpu->percpu->features.controls.primary;

    controls |= vcpu->trap_wait ? PRIMARY_HLT_EXITING : 0;
    controls |= needs_window(vcpu, state) ? PRIMARY_INTERRUPT_WINDOW_EXITING : 0;
    controls |= (state->windows & X86_WINDOW_NMI) != 0 ? PRIMARY_NMI_WINDOW_EXITING : 0;
    return controls;
}

// What the controls are comes with each entry.
static void setup(X86VCpu *vcpu)
{
    (void)vcpu;
}

// The same for every guest; a VMCS that was never written holds anything.
static const struct {
    uint16_t field;
    uint64_t value;
} constants[] = {
    {VMCS_EXCEPTION_BITMAP, INTERCEPTED_EXCEPTIONS},
    {VMCS_PAGE_FAULT_MASK, 0},
    {VMCS_PAGE_FAULT_MATCH, 0},
    {VMCS_CR3_TARGET_COUNT, 0},
    {VMCS_EXIT_MSR_STORE_COUNT, 0},
    {VMCS_EXIT_MSR_LOAD_COUNT, 0},
    {VMCS_ENTRY_MSR_LOAD_COUNT, 0},
    {VMCS_ENTRY_INTERRUPTION_INFO, 0},
    {VMCS_LINK_POINTER, UINT64_MAX},
    {VMCS_GUEST_DEBUGCTL, 0},
    {VMCS_GUEST_PENDING_DEBUG, 0},
    {VMCS_TPR_THRESHOLD, 0},
};

static void write_constants(VmxState *state)
{
    for (size_t i = 0; i < sizeof(constants) / sizeof(constants[0]); i++) {
        vmx_put(state, constants[i].field, constants[i].value);
    }
    state->threshold = 0;
    state->fresh = false;
}

static uint64_t ept_pointer(const X86VCpu *vcpu)
{
    return vcpu->ept->base.value | EPTP_WRITE_BACK | EPTP_LEVELS(4);
}

// The mode that the guest is in stays.
static uint64_t entry_controls(const X86VCpu *vcpu)
{
    return vcpu->percpu->features.controls.entry |
           (x86_vmx_read(VMCS_ENTRY_CONTROLS) & ENTRY_IA32E_MODE_GUEST);
}

static void write_controls(const X86VCpu *vcpu, VmxState *state)
{
    const X86VmxControls *controls = &vcpu->percpu->features.controls;

    vmx_put(state, VMCS_PIN_CONTROLS, controls->pin);
    vmx_put(state, VMCS_EXIT_CONTROLS, controls->exit);
    vmx_put(state, VMCS_ENTRY_CONTROLS, entry_controls(vcpu));
    vmx_put(state, VMCS_VIRTUAL_APIC_ADDRESS, vmx_frame(vcpu, VMX_FRAME_VIRTUAL_APIC).value);
    vmx_put(state, VMCS_EPT_POINTER, ept_pointer(vcpu));
    vmx_put(state, VMCS_TSC_OFFSET, state->tsc_offset);
    if (vcpu->tsc_ratio != 0) {
        vmx_put(state, VMCS_TSC_MULTIPLIER, vcpu->tsc_ratio);
    }
    if ((controls->secondary & SECONDARY_VPID) != 0) {
        vmx_put(state, VMCS_VPID, vcpu->tag);
    }
}

static void write_host_segments(X86Host *host, VmxState *state)
{
    X86HostTables tables;

    x86_hw_tables_save(&tables);
    host->gdt_limit = tables.gdt_limit;
    host->idt_limit = tables.idt_limit;
    host->ldtr = tables.ldtr;
    vmx_put(state, VMCS_HOST_ES_SELECTOR, tables.es & SELECTOR_BITS);
    vmx_put(state, VMCS_HOST_CS_SELECTOR, tables.cs & SELECTOR_BITS);
    vmx_put(state, VMCS_HOST_SS_SELECTOR, tables.ss & SELECTOR_BITS);
    vmx_put(state, VMCS_HOST_DS_SELECTOR, tables.ds & SELECTOR_BITS);
    vmx_put(state, VMCS_HOST_FS_SELECTOR, tables.fs & SELECTOR_BITS);
    vmx_put(state, VMCS_HOST_GS_SELECTOR, tables.gs & SELECTOR_BITS);
    vmx_put(state, VMCS_HOST_TR_SELECTOR, tables.tr & SELECTOR_BITS);
    vmx_put(state, VMCS_HOST_TR_BASE, tables.tr_base);
    vmx_put(state, VMCS_HOST_GDTR_BASE, tables.gdt_base);
    vmx_put(state, VMCS_HOST_IDTR_BASE, tables.idt_base);
}

static void write_host_state(VmxState *state)
{
    vmx_put(state, VMCS_HOST_CR0, X86_READ(CR0));
    vmx_put(state, VMCS_HOST_CR4, X86_READ(CR4));
    vmx_put(state, VMCS_HOST_EFER, X86_READ(EFER));
    vmx_put(state, VMCS_HOST_PAT, X86_READ(PAT));
    vmx_put(state, VMCS_HOST_SYSENTER_CS, X86_READ(SYSENTER_CS));
    vmx_put(state, VMCS_HOST_SYSENTER_ESP, X86_READ(SYSENTER_ESP));
    vmx_put(state, VMCS_HOST_SYSENTER_EIP, X86_READ(SYSENTER_EIP));
    vmx_put(state, VMCS_HOST_RIP, x86_vmx_exit_address());
}

// No value that enter compares with is in the VMCS yet.
static void forget_entry_fields(const X86VCpu *vcpu, VmxState *state)
{
    state->rip = ~vcpu->regs.rip;
    state->rsp = ~vcpu->regs.gpr[RSP];
    state->rflags = UINT64_MAX;
    state->interruptibility = UINT64_MAX;
    state->primary = UINT64_MAX;
    state->patience = UINT64_MAX;
}

// The VMCS is in no processor, as unbind or its birth left it. A guest that waits in HLT without
// leaving goes on behind it.
static void bind(X86VCpu *vcpu)
{
    VmxState *state = vmx_state(vcpu);
    const uint64_t vmcs = vmx_frame(vcpu, VMX_FRAME_VMCS).value;

    vcpu->regs.launched = 0;
    vcpu->regs.host_rsp = 0;
    state->refused = 0;
    if ((state->fresh && !x86_vmx_clear(vmcs)) || !x86_vmx_load(vmcs)) {
        state->refused = VMX_REFUSED_NO_VMCS;
    }
    if (state->fresh) {
        write_constants(state);
    }
    write_controls(vcpu, state);
    vmx_apic_bind(vcpu, state);
    vcpu->lapic.changed = true;
    write_host_segments(&vcpu->percpu->host, state);
    write_host_state(state);
    vmx_put(state, VMCS_GUEST_ACTIVITY, ACTIVITY_ACTIVE);
    forget_entry_fields(vcpu, state);
    vmx_fields_load(vcpu);
}

static void restore_tables(const X86Host *host)
{
    X86HostTables tables;

    x86_hw_tables_save(&tables);
    tables.gdt_limit = host->gdt_limit;
    tables.idt_limit = host->idt_limit;
    tables.ldtr = host->ldtr;
    x86_hw_tables_restore(&tables);
}

static void unbind(X86VCpu *vcpu)
{
    vmx_fields_save(vcpu);
    (void)x86_vmx_clear(vmx_frame(vcpu, VMX_FRAME_VMCS).value);
    restore_tables(&vcpu->percpu->host);
}

// ---- what an exit means ----

// Those of software are told apart by where RIP stands: on the instruction.
static const uint8_t event_types[] = {
    [INTERRUPTION_EXTERNAL] = X86_EVENT_INTERRUPT,
    [INTERRUPTION_NMI] = X86_EVENT_NMI,
    [INTERRUPTION_HARDWARE_EXCEPTION] = X86_EVENT_EXCEPTION,
    [INTERRUPTION_SOFTWARE] = X86_EVENT_SOFTWARE,
    [INTERRUPTION_PRIVILEGED_EXCEPTION] = X86_EVENT_SOFTWARE,
    [INTERRUPTION_SOFTWARE_EXCEPTION] = X86_EVENT_SOFTWARE,
    [INTERRUPTION_OTHER] = X86_EVENT_SOFTWARE,
};

static X86Event event_from(uint64_t info)
{
    X86Event event = {.valid = (info & INTERRUPTION_VALID) != 0};

    if (!event.valid) {
        return event;
    }
    event.vector = (uint8_t)(info & INTERRUPTION_VECTOR);
    event.type = (X86EventType)event_types[INTERRUPTION_TYPE(info)];
    event.has_error_code = (info & INTERRUPTION_HAS_ERROR) != 0;
    if (event.has_error_code) {
        event.error_code = (uint32_t)x86_vmx_read(VMCS_IDT_VECTORING_ERROR_CODE);
    }
    return event;
}

static void decode_io(X86VCpu *vcpu, X86Exit *exit)
{
    (void)vcpu;
    exit->io.port = IO_PORT(exit->info);
    exit->io.width = (uint8_t)IO_SIZE(exit->info);
    exit->io.in = (exit->info & IO_IN) != 0;
    exit->io.string = (exit->info & IO_STRING) != 0;
    exit->io.repeat = (exit->info & IO_REP) != 0;
}

static void decode_wrmsr(X86VCpu *vcpu, X86Exit *exit)
{
    (void)vcpu;
    exit->msr.write = true;
}

// An IRET that ended the blocking of NMIs is to be repeated, with them blocked.
static void block_nmis_again(X86VCpu *vcpu, uint64_t info, uint64_t unblocked)
{
    if ((info & unblocked) != 0 && !vcpu->exit.event.valid) {
        vcpu->lapic.nmi_blocked = true;
    }
}

static void decode_violation(X86VCpu *vcpu, X86Exit *exit)
{
    const uint64_t info = exit->info;

    block_nmis_again(vcpu, info, VIOLATION_NMI_UNBLOCKED);
    exit->fault.gpa = x86_vmx_read(VMCS_GUEST_PHYSICAL_ADDRESS);
    exit->fault.present = (info & VIOLATION_RIGHTS) != 0;
    exit->fault.walk = (info & VIOLATION_HAS_LINEAR) != 0 && (info & VIOLATION_TRANSLATED) == 0;
    exit->fault.access = AX_MAP_READ;
    if ((info & VIOLATION_WRITE) != 0) {
        exit->fault.access = AX_MAP_WRITE;
    } else if ((info & VIOLATION_FETCH) != 0) {
        exit->fault.access = AX_MAP_EXECUTE;
    }
}

static void decode_eoi(X86VCpu *vcpu, X86Exit *exit)
{
    (void)vcpu;
    exit->eoi.vector = (uint8_t)exit->info;
}

static void decode_control(X86VCpu *vcpu, X86Exit *exit)
{
    const uint64_t value = vcpu->regs.gpr[CR_REGISTER(exit->info)];

    if (CR_ACCESS(exit->info) != CR_ACCESS_MOV_TO) {
        exit->kind = X86_EXIT_UNKNOWN; // of no register that exits
        return;
    }
    exit->control.number = (uint8_t)CR_NUMBER(exit->info);
    exit->control.value = x86_is_64bit(vcpu) ? value : (uint32_t)value;
}

// One that an exception or an interrupt began has no instruction.
static void decode_task(X86VCpu *vcpu, X86Exit *exit)
{
    (void)vcpu;
    exit->task.selector = TASK_SELECTOR(exit->info);
    exit->task.source = (X86TaskSource)TASK_SOURCE(exit->info);
    if (exit->task.source != X86_TASK_GATE || exit->event.type == X86_EVENT_SOFTWARE) {
        exit->length = (uint8_t)x86_vmx_read(VMCS_EXIT_INSTRUCTION_LENGTH);
    }
}

// Such an exit has not touched DR6.
static void take_debug(uint64_t info)
{
    const uint64_t bits = DEBUG_BREAKPOINTS | DEBUG_BD | DEBUG_BS;

    X86_WRITE(DR6, (X86_READ(DR6) & ~DEBUG_BREAKPOINTS) | (info & bits));
}

static void decode_exception(X86VCpu *vcpu, X86Exit *exit)
{
    const uint64_t info = x86_vmx_read(VMCS_EXIT_INTERRUPTION_INFO);
    const uint8_t vector = (uint8_t)(info & INTERRUPTION_VECTOR);

    if (INTERRUPTION_TYPE(info) == INTERRUPTION_NMI) {
        exit->kind = X86_EXIT_NMI;
        x86_hw_nmi();
        return;
    }
    block_nmis_again(vcpu, info, INTERRUPTION_NMI_UNBLOCKED);
    exit->kind = vector == VECTOR_MC ? X86_EXIT_MACHINE_CHECK : X86_EXIT_EXCEPTION;
    exit->exception.vector = vector;
    exit->exception.has_error_code = (info & INTERRUPTION_HAS_ERROR) != 0;
    exit->exception.error_code = (uint32_t)x86_vmx_read(VMCS_EXIT_INTERRUPTION_ERROR_CODE);
    if (INTERRUPTION_TYPE(info) == INTERRUPTION_PRIVILEGED_EXCEPTION) {
        x86_advance(vcpu, (unsigned)x86_vmx_read(VMCS_EXIT_INSTRUCTION_LENGTH)); // INT1 is a trap
    } else if (vector == VECTOR_DB) {
        take_debug(exit->info);
    }
}

static X86_RARE void decode_failure(X86VCpu *vcpu, X86Exit *exit)
{
    exit->kind = X86_EXIT_FAIL_ENTRY;
    vmx_log_failure(vcpu, exit->raw);
}

typedef struct Cause {
    uint8_t kind;
    bool is_instruction; // that has a length
    void (*decode)(X86VCpu *vcpu, X86Exit *exit);
} Cause;

// What is not here comes from controls that are off, or is the host's: it leaves with its number.
static const Cause causes[VMX_EXIT_REASON_COUNT] = {
    [VMX_EXIT_EXCEPTION_OR_NMI] = {X86_EXIT_EXCEPTION, false, decode_exception},
    [VMX_EXIT_EXTERNAL_INTERRUPT] = {X86_EXIT_EXTERNAL_INTERRUPT, false, NULL},
    [VMX_EXIT_TRIPLE_FAULT] = {X86_EXIT_SHUTDOWN, false, NULL},
    [VMX_EXIT_INTERRUPT_WINDOW] = {X86_EXIT_INTERRUPT_WINDOW, false, NULL},
    [VMX_EXIT_NMI_WINDOW] = {X86_EXIT_NMI_WINDOW, false, NULL},
    [VMX_EXIT_TASK_SWITCH] = {X86_EXIT_TASK_SWITCH, false, decode_task},
    [VMX_EXIT_CPUID] = {X86_EXIT_CPUID, true, NULL},
    [VMX_EXIT_GETSEC] = {X86_EXIT_UNDEFINED, true, NULL},
    [VMX_EXIT_HLT] = {X86_EXIT_HALT, true, NULL},
    [VMX_EXIT_INVD] = {X86_EXIT_CACHE, true, NULL},
    [VMX_EXIT_RDPMC] = {X86_EXIT_REFUSED, true, NULL},
    [VMX_EXIT_RSM] = {X86_EXIT_UNDEFINED, true, NULL},
    [VMX_EXIT_VMCALL] = {X86_EXIT_HYPERCALL, true, NULL},
    [VMX_EXIT_VMCLEAR] = {X86_EXIT_UNDEFINED, true, NULL},
    [VMX_EXIT_VMLAUNCH] = {X86_EXIT_UNDEFINED, true, NULL},
    [VMX_EXIT_VMPTRLD] = {X86_EXIT_UNDEFINED, true, NULL},
    [VMX_EXIT_VMPTRST] = {X86_EXIT_UNDEFINED, true, NULL},
    [VMX_EXIT_VMREAD] = {X86_EXIT_UNDEFINED, true, NULL},
    [VMX_EXIT_VMRESUME] = {X86_EXIT_UNDEFINED, true, NULL},
    [VMX_EXIT_VMWRITE] = {X86_EXIT_UNDEFINED, true, NULL},
    [VMX_EXIT_VMXOFF] = {X86_EXIT_UNDEFINED, true, NULL},
    [VMX_EXIT_VMXON] = {X86_EXIT_UNDEFINED, true, NULL},
    [VMX_EXIT_CR_ACCESS] = {X86_EXIT_CONTROL, true, decode_control},
    [VMX_EXIT_IO] = {X86_EXIT_IO, true, decode_io},
    [VMX_EXIT_RDMSR] = {X86_EXIT_MSR, true, NULL},
    [VMX_EXIT_WRMSR] = {X86_EXIT_MSR, true, decode_wrmsr},
    [VMX_EXIT_ENTRY_FAILURE_GUEST_STATE] = {X86_EXIT_FAIL_ENTRY, false, decode_failure},
    [VMX_EXIT_ENTRY_FAILURE_MSR_LOADING] = {X86_EXIT_FAIL_ENTRY, false, decode_failure},
    [VMX_EXIT_MWAIT] = {X86_EXIT_UNDEFINED, true, NULL},
    [VMX_EXIT_MONITOR] = {X86_EXIT_UNDEFINED, true, NULL},
    [VMX_EXIT_ENTRY_FAILURE_MACHINE_CHECK] = {X86_EXIT_MACHINE_CHECK, false, NULL},
    [VMX_EXIT_TPR_BELOW_THRESHOLD] = {X86_EXIT_INTERRUPT_WINDOW, false, NULL},
    [VMX_EXIT_VIRTUALIZED_EOI] = {X86_EXIT_APIC_EOI, false, decode_eoi},
    [VMX_EXIT_EPT_VIOLATION] = {X86_EXIT_NESTED_FAULT, false, decode_violation},
    [VMX_EXIT_INVEPT] = {X86_EXIT_UNDEFINED, true, NULL},
    [VMX_EXIT_RDTSCP] = {X86_EXIT_UNDEFINED, true, NULL},
    [VMX_EXIT_INVVPID] = {X86_EXIT_UNDEFINED, true, NULL},
    [VMX_EXIT_WBINVD] = {X86_EXIT_CACHE, true, NULL},
    [VMX_EXIT_PREEMPTION_TIMER] = {X86_EXIT_EXTERNAL_INTERRUPT, false, NULL},
    [VMX_EXIT_XSETBV] = {X86_EXIT_XSETBV, true, NULL},
    [VMX_EXIT_INVPCID] = {X86_EXIT_UNDEFINED, true, NULL},
    [VMX_EXIT_VMFUNC] = {X86_EXIT_UNDEFINED, true, NULL},
    [VMX_EXIT_ENCLS] = {X86_EXIT_UNDEFINED, true, NULL},
    [VMX_EXIT_XSAVES] = {X86_EXIT_UNDEFINED, true, NULL},
    [VMX_EXIT_XRSTORS] = {X86_EXIT_UNDEFINED, true, NULL},
    [VMX_EXIT_PCONFIG] = {X86_EXIT_UNDEFINED, true, NULL},
    [VMX_EXIT_UMWAIT] = {X86_EXIT_UNDEFINED, true, NULL},
    [VMX_EXIT_TPAUSE] = {X86_EXIT_UNDEFINED, true, NULL},
    [VMX_EXIT_LOADIWKEY] = {X86_EXIT_UNDEFINED, true, NULL},
    [VMX_EXIT_ENCLV] = {X86_EXIT_UNDEFINED, true, NULL},
    [VMX_EXIT_SEAMCALL] = {X86_EXIT_UNDEFINED, true, NULL},
    [VMX_EXIT_TDCALL] = {X86_EXIT_UNDEFINED, true, NULL},
};

static void decode(X86VCpu *vcpu)
{
    X86Exit *exit = &vcpu->exit;
    const uint64_t reason = x86_vmx_read(VMCS_EXIT_REASON);
    const Cause *cause;

    *exit = (X86Exit){
        .raw = reason,
        .info = x86_vmx_read(VMCS_EXIT_QUALIFICATION),
        .event = event_from(x86_vmx_read(VMCS_IDT_VECTORING_INFO)),
    };
    if ((reason & EXIT_REASON_BASIC) >= VMX_EXIT_REASON_COUNT) {
        return;
    }
    cause = &causes[reason & EXIT_REASON_BASIC];
    exit->kind = (X86ExitKind)cause->kind;
    if (cause->is_instruction) {
        exit->length = (uint8_t)x86_vmx_read(VMCS_EXIT_INSTRUCTION_LENGTH);
    }
    if (cause->decode != NULL) {
        cause->decode(vcpu, exit);
    }
}

// ---- a stay in the guest ----

// Of the host: what may change between two runs.
static void begin(X86VCpu *vcpu)
{
    VmxState *state = vmx_state(vcpu);

    vmx_put(state, VMCS_HOST_CR3, X86_READ(CR3));
    vmx_put(state, VMCS_HOST_FS_BASE, X86_READ(FS_BASE));
    vmx_put(state, VMCS_HOST_GS_BASE, X86_READ(GS_BASE));
}

static void windows(X86VCpu *vcpu, uint32_t open)
{
    vmx_state(vcpu)->windows = open;
}

static X86_RARE void put_event(const X86VCpu *vcpu, VmxState *state)
{
    const X86Event *event = &vcpu->event;
    uint64_t info = INTERRUPTION_VALID | event->vector |
                    (uint64_t)event->type << INTERRUPTION_TYPE_SHIFT;

    if (event->has_error_code) {
        info |= INTERRUPTION_HAS_ERROR;
        vmx_put(state, VMCS_ENTRY_EXCEPTION_ERROR_CODE, event->error_code);
    }
    if (!vcpu->trap_wait) {
        vmx_put(state, VMCS_GUEST_ACTIVITY, ACTIVITY_ACTIVE); // not every event may wake it
    }
    vmx_put(state, VMCS_ENTRY_INTERRUPTION_INFO, info);
}

// In a shadow, a single step is pending exactly if TF is set (SDM volume 3, 27.3.1.5).
static X86_RARE uint64_t shadow_of(const X86VCpu *vcpu, VmxState *state)
{
    const uint64_t known = state->interruptibility & (BLOCKING_BY_STI | BLOCKING_BY_MOV_SS);
    const bool sti = (vcpu->regs.rflags & RFLAGS_IF) != 0;
    const uint64_t pending = x86_vmx_read(VMCS_GUEST_PENDING_DEBUG) & ~PENDING_DEBUG_BS;
    const bool step = (vcpu->regs.rflags & RFLAGS_TF) != 0;

    vmx_put(state, VMCS_GUEST_PENDING_DEBUG, pending | (step ? PENDING_DEBUG_BS : 0));
    if (state->interruptibility != UINT64_MAX && known != 0 &&
        (sti || known == BLOCKING_BY_MOV_SS)) {
        return known;
    }
    return sti ? BLOCKING_BY_STI : BLOCKING_BY_MOV_SS;
}

static uint64_t interruptibility(const X86VCpu *vcpu, VmxState *state)
{
    const bool is_nmi = vcpu->event.valid && vcpu->event.type == X86_EVENT_NMI;
    const uint64_t nmi = vcpu->lapic.nmi_blocked && !is_nmi ? BLOCKING_BY_NMI : 0;

    return vcpu->shadow ? nmi | shadow_of(vcpu, state) : nmi;
}

// The exit that says that interrupts may get through comes as soon as TPR falls below what it is.
static uint64_t threshold(const X86VCpu *vcpu, const VmxState *state)
{
    if ((state->windows & X86_WINDOW_TPR) == 0 || vcpu->percpu->features.has_apicv) {
        return 0;
    }
    return vmx_virtual_apic(vcpu)[VMX_VIRTUAL_TPR] >> 4 & 0xf;
}

// Bochs 2.7 masks the host's interrupts when it enters a guest with RFLAGS.IF clear, until the guest
// changes IF, and a window does not end HLT. So such a stay ends after a millisecond, and the host
// looks for itself.
static void limit_stay(const X86VCpu *vcpu, VmxState *state)
{
    const X86Features *features = &vcpu->percpu->features;
    const uint64_t window = PRIMARY_INTERRUPT_WINDOW_EXITING;
    uint64_t ticks = UINT32_MAX;

    if ((features->controls.pin & PIN_PREEMPTION_TIMER) == 0) {
        return;
    }
    if ((vcpu->regs.rflags & RFLAGS_IF) == 0 || (state->primary & window) != 0) {
        const uint64_t wanted = vcpu->create.tsc_hz / 1000 >> features->preemption_shift;

        ticks = wanted < ticks ? wanted + 1 : ticks;
    }
    vmx_put_changed(state, VMCS_PREEMPTION_TIMER, ticks, &state->patience);
}

static void load_guest(X86VCpu *vcpu, VmxState *state)
{
    const X86GuestRegs *regs = &vcpu->regs;

    if (state->pdptes_stale) {
        vmx_load_pdptes(vcpu);
    }
    if (vcpu->event.valid) {
        put_event(vcpu, state);
    }
    vmx_put_changed(state, VMCS_GUEST_RIP, regs->rip, &state->rip);
    vmx_put_changed(state, VMCS_GUEST_RSP, regs->gpr[RSP], &state->rsp);
    vmx_put_changed(state, VMCS_GUEST_RFLAGS, (regs->rflags & RFLAGS_WRITABLE) | RFLAGS_FIXED,
                    &state->rflags);
    vmx_put_changed(state, VMCS_GUEST_INTERRUPTIBILITY, interruptibility(vcpu, state),
                    &state->interruptibility);
    vmx_put_changed(state, VMCS_TPR_THRESHOLD, threshold(vcpu, state), &state->threshold);
    vmx_apic_load(vcpu, state);
    vmx_put_changed(state, VMCS_PRIMARY_CONTROLS, primary_controls(vcpu, state), &state->primary);
    limit_stay(vcpu, state);
    if (X86_READ(CR2) != state->fields[X86_FIELD_CR2]) {
        X86_WRITE(CR2, state->fields[X86_FIELD_CR2]);
    }
}

static void save_guest(X86VCpu *vcpu, VmxState *state)
{
    X86GuestRegs *regs = &vcpu->regs;

    state->fields[X86_FIELD_CR2] = X86_READ(CR2);
    state->rip = x86_vmx_read(VMCS_GUEST_RIP);
    state->rsp = x86_vmx_read(VMCS_GUEST_RSP);
    state->rflags = x86_vmx_read(VMCS_GUEST_RFLAGS);
    state->interruptibility = x86_vmx_read(VMCS_GUEST_INTERRUPTIBILITY);
    regs->rip = state->rip;
    regs->gpr[RSP] = state->rsp;
    regs->rflags = state->rflags;
    vcpu->shadow = (state->interruptibility & (BLOCKING_BY_STI | BLOCKING_BY_MOV_SS)) != 0;
    vcpu->lapic.nmi_blocked = (state->interruptibility & BLOCKING_BY_NMI) != 0;
    vmx_apic_save(vcpu, state);
}

static X86_RARE void refuse(X86VCpu *vcpu)
{
    const uint64_t error = x86_vmx_read(VMCS_INSTRUCTION_ERROR);

    vcpu->exit = (X86Exit){.kind = X86_EXIT_FAIL_ENTRY, .raw = error};
    vmx_log_failure(vcpu, error);
}

// What bind could not write, and in debug builds what the processor would refuse.
static bool is_refused(const VmxState *state)
{
    return state->refused != 0 || (X86_CHECK_ENTRIES && vmx_loaded_problem() != NULL);
}

// IDT-vectoring information tells what of the event was not delivered, so that it is used up. The
// blocking of NMIs is the processor's; an NMI that is to be delivered again blocks others.
static void enter(X86VCpu *vcpu)
{
    VmxState *state = vmx_state(vcpu);

    load_guest(vcpu, state);
    if (is_refused(state) || !x86_vmx_enter(&vcpu->regs)) {
        refuse(vcpu);
        return;
    }
    vcpu->lapic.extint_in_flight = vcpu->lapic.extint_in_flight && vcpu->event.valid;
    vcpu->event.valid = false;
    save_guest(vcpu, state);
    decode(vcpu);
    if ((vcpu->exit.raw & EXIT_REASON_ENTRY_FAILURE) == 0) {
        vcpu->regs.launched = 1;
    }
}

// What the guest's own tables and the nested ones mean together, whichever of them changed.
static void flush(X86VCpu *vcpu)
{
    const X86Features *features = &vcpu->percpu->features;
    const uint64_t cap = features->ept_vpid_cap;
    VmxState *state = vmx_state(vcpu);
    bool ok = true;

    if ((cap & EPT_CAP_INVEPT_SINGLE) != 0) {
        ok = x86_vmx_invept(INVEPT_SINGLE, ept_pointer(vcpu));
    } else {
        ok = x86_vmx_invept(INVEPT_ALL, 0);
    }
    if (features->has_flush_by_tag && (cap & EPT_CAP_INVVPID_SINGLE) != 0) {
        ok = x86_vmx_invvpid(INVVPID_SINGLE, (uint16_t)vcpu->tag) && ok;
    } else if (features->has_flush_by_tag) {
        ok = x86_vmx_invvpid(INVVPID_ALL, 0) && ok;
    }
    if (!ok && state->refused == 0) {
        state->refused = VMX_REFUSED_FLUSH;
    }
}

static void set_tpr(X86VCpu *vcpu, uint8_t value)
{
    vmx_virtual_apic(vcpu)[VMX_VIRTUAL_TPR] = value;
}

// CR8 is bits 7:4 of TPR.
static uint8_t tpr(const X86VCpu *vcpu)
{
    return (uint8_t)(vmx_virtual_apic(vcpu)[VMX_VIRTUAL_TPR] & 0xf0);
}

static void set_tsc_offset(X86VCpu *vcpu, uint64_t offset)
{
    VmxState *state = vmx_state(vcpu);

    state->tsc_offset = offset;
    if (vcpu->percpu != NULL) {
        vmx_put(state, VMCS_TSC_OFFSET, offset);
    }
}

const X86Vendor vmx_vendor = {
    .name = "VMX",
    .ept = &vmx_ept_format,
    .check = vmx_check,
    .features = vmx_features,
    .enable = enable,
    .disable = disable,
    .create = create,
    .destroy = destroy,
    .reset = reset,
    .setup = setup,
    .bind = bind,
    .unbind = unbind,
    .read = vmx_read,
    .write = vmx_write,
    .begin = begin,
    .enter = enter,
    .windows = windows,
    .flush = flush,
    .set_tpr = set_tpr,
    .tpr = tpr,
    .set_tsc_offset = set_tsc_offset,
};
