// SPDX-License-Identifier: Apache-2.0
// Exits by kind, and the completions of what they hand out.
#include "x86.h"

// A hypercall that failed returns this minus the AxError.
#define HYPERCALL_ERROR (-INT64_C(1000))

typedef X86Next (*ExitHandler)(X86VCpu *vcpu, AxVCpuExit *exit);

typedef struct ExitCause {
    ExitHandler handle;
    AxVCpuExitReason kind; // counted as, when it is finished here
} ExitCause;

// Past 4 GiB: 64-bit code goes on there.
static X86_RARE void wrap_rip(X86VCpu *vcpu, uint64_t next)
{
    vcpu->regs.rip = x86_is_64bit(vcpu) ? next : (uint32_t)next;
}

static X86_RARE void end_flags(X86VCpu *vcpu)
{
    vcpu->regs.rflags &= ~RFLAGS_RF;
    x86_single_step(vcpu);
}

void x86_advance(X86VCpu *vcpu, unsigned length)
{
    const uint64_t next = vcpu->regs.rip + length;

    if ((next ^ vcpu->regs.rip) >> 32 != 0) {
        wrap_rip(vcpu, next);
    } else {
        vcpu->regs.rip = next;
    }
    vcpu->shadow = false;
    if ((vcpu->regs.rflags & (RFLAGS_RF | RFLAGS_TF)) != 0) {
        end_flags(vcpu);
    }
}

void x86_set_gpr(X86VCpu *vcpu, unsigned n, unsigned width, uint64_t value)
{
    uint64_t *gpr = &vcpu->regs.gpr[n % 16];

    switch (width) {
    case 1: *gpr = (*gpr & ~UINT64_C(0xff)) | (value & 0xff); break;
    case 2: *gpr = (*gpr & ~UINT64_C(0xffff)) | (value & 0xffff); break;
    case 4: *gpr = value & UINT32_MAX; break;
    default: *gpr = value; break;
    }
}

// ---- handlers ----

X86Next x86_exit_unhandled(const X86VCpu *vcpu, AxVCpuExit *exit)
{
    *exit = (AxVCpuExit){
        .reason = AX_EXIT_UNHANDLED,
        .unhandled = {.cause = vcpu->exit.raw,
                      .info = vcpu->exit.info,
                      .pc = ax_gva(vcpu->regs.rip)},
    };
    return X86_LEAVE;
}

static X86Next handle_unknown(X86VCpu *vcpu, AxVCpuExit *exit)
{
    return x86_exit_unhandled(vcpu, exit);
}

static X86Next handle_fail_entry(X86VCpu *vcpu, AxVCpuExit *exit)
{
    *exit = (AxVCpuExit){.reason = AX_EXIT_FAIL_ENTRY,
                         .fail_entry = {.hardware_reason = vcpu->exit.raw}};
    return X86_LEAVE;
}

// Of the host: those of the guest are its local APIC's.
static X86Next handle_irq(X86VCpu *vcpu, AxVCpuExit *exit)
{
    const AxVCpuHal *hal = vcpu->env.hal;
    const uint64_t vector = hal->irq_fetch(hal->ctx);

    if (vector == AX_IRQ_NONE) {
        return X86_RESUME;
    }
    *exit = (AxVCpuExit){.reason = AX_EXIT_EXTERNAL_INTERRUPT, .interrupt = {.vector = vector}};
    return X86_LEAVE;
}

// The host's own NMI came as soon as GIF was set again; a window is closed by the next entry.
static X86Next handle_nothing(X86VCpu *vcpu, AxVCpuExit *exit)
{
    (void)vcpu;
    (void)exit;
    return X86_RESUME;
}

static X86Next handle_nmi_window(X86VCpu *vcpu, AxVCpuExit *exit)
{
    (void)exit;
    x86_nmi_unblock(vcpu);
    return X86_RESUME;
}

static X86Next handle_iret(X86VCpu *vcpu, AxVCpuExit *exit)
{
    (void)exit;
    x86_nmi_iret(vcpu);
    return X86_RESUME;
}

// MOV CR8, r64: 0F 22 /0 with REX.R, or with LOCK outside of 64-bit mode (APM volume 3). The bytes
// are looked at because not every processor says which register it was.
static X86Next handle_tpr_write(X86VCpu *vcpu, AxVCpuExit *exit)
{
    uint8_t bytes[15];
    const size_t count = x86_fetch(vcpu, bytes);
    const unsigned rex = count >= 4 && (bytes[0] & 0xf0) == 0x40 ? bytes[0] : 0;
    uint64_t value;

    if (count < 4 || bytes[1] != 0x0f || bytes[2] != 0x22) {
        return x86_exit_unhandled(vcpu, exit);
    }
    value = vcpu->regs.gpr[(bytes[3] & 7) | (rex & 1) << 3];
    if (value > 15) {
        x86_inject_gp(vcpu);
        return X86_RESUME;
    }
    vcpu->vendor->set_tpr(vcpu, (uint8_t)(value << 4));
    x86_advance(vcpu, 4);
    return X86_RESUME;
}

static X86Next handle_exception(X86VCpu *vcpu, AxVCpuExit *exit)
{
    const X86Exit *cause = &vcpu->exit;

    (void)exit;
    if (cause->exception.vector == VECTOR_DB && x86_iret_stepped(vcpu)) {
        return X86_RESUME;
    }
    x86_inject(vcpu, cause->exception.vector, cause->exception.has_error_code,
               cause->exception.error_code);
    return X86_RESUME;
}

static X86Next handle_machine_check(X86VCpu *vcpu, AxVCpuExit *exit)
{
    (void)vcpu;
    (void)exit;
    x86_hw_machine_check();
    return X86_RESUME;
}

static X86Next handle_hypercall(X86VCpu *vcpu, AxVCpuExit *exit)
{
    const uint64_t *gpr = vcpu->regs.gpr;

    if (x86_cpl(vcpu) != 0) {
        x86_inject_ud(vcpu);
        return X86_RESUME;
    }
    *exit = (AxVCpuExit){
        .reason = AX_EXIT_HYPERCALL,
        .hypercall = {.nr = gpr[RAX],
                      .args = {gpr[RDI], gpr[RSI], gpr[RDX], gpr[R10], gpr[R8], gpr[R9]}},
    };
    return X86_LEAVE;
}

static X86Next handle_halt(X86VCpu *vcpu, AxVCpuExit *exit)
{
    x86_advance(vcpu, vcpu->exit.length);
    vcpu->activity = X86_HALTED;
    return x86_exit_inactive(vcpu, exit);
}

X86Next x86_exit_inactive(const X86VCpu *vcpu, AxVCpuExit *exit)
{
    AxVCpuExitReason reason = AX_EXIT_TRIPLE_FAULT;

    if (vcpu->activity == X86_HALTED) {
        reason = (vcpu->regs.rflags & RFLAGS_IF) != 0 ? AX_EXIT_IDLE : AX_EXIT_HALT;
    }
    *exit = (AxVCpuExit){.reason = reason};
    return X86_LEAVE;
}

static X86Next handle_cpuid(X86VCpu *vcpu, AxVCpuExit *exit)
{
    uint64_t *gpr = vcpu->regs.gpr;
    const X86CpuidResult result = x86_guest_cpuid(vcpu, (uint32_t)gpr[RAX], (uint32_t)gpr[RCX]);

    (void)exit;
    gpr[RAX] = result.eax;
    gpr[RBX] = result.ebx;
    gpr[RCX] = result.ecx;
    gpr[RDX] = result.edx;
    x86_advance(vcpu, vcpu->exit.length);
    return X86_RESUME;
}

static X86Next handle_shutdown(X86VCpu *vcpu, AxVCpuExit *exit)
{
    vcpu->activity = X86_SHUTDOWN;
    return x86_exit_inactive(vcpu, exit);
}

static X86Next handle_xsetbv(X86VCpu *vcpu, AxVCpuExit *exit)
{
    const uint64_t value = x86_edx_eax(vcpu);

    (void)exit;
    if ((x86_read(vcpu, X86_FIELD_CR4) & CR4_OSXSAVE) == 0) {
        x86_inject_ud(vcpu);
        return X86_RESUME;
    }
    if (x86_cpl(vcpu) != 0 || (uint32_t)vcpu->regs.gpr[RCX] != 0 || !x86_xcr0_is_valid(value)) {
        x86_inject_gp(vcpu);
        return X86_RESUME;
    }
    x86_set_xcr0(vcpu, value);
    x86_advance(vcpu, vcpu->exit.length);
    return X86_RESUME;
}

// Nothing of the host may be lost: what INVD would drop is written back.
static X86Next handle_cache(X86VCpu *vcpu, AxVCpuExit *exit)
{
    (void)exit;
    x86_hw_wbinvd();
    x86_advance(vcpu, vcpu->exit.length);
    return X86_RESUME;
}

static X86Next handle_undefined(X86VCpu *vcpu, AxVCpuExit *exit)
{
    (void)exit;
    x86_inject_ud(vcpu);
    return X86_RESUME;
}

// RDPMC of a counter that is not there.
static X86Next handle_refused(X86VCpu *vcpu, AxVCpuExit *exit)
{
    (void)exit;
    x86_inject_gp(vcpu);
    return X86_RESUME;
}

static const ExitCause causes[X86_EXIT_KIND_COUNT] = {
    [X86_EXIT_UNKNOWN] = {handle_unknown, AX_EXIT_UNHANDLED},
    [X86_EXIT_FAIL_ENTRY] = {handle_fail_entry, AX_EXIT_FAIL_ENTRY},
    [X86_EXIT_EXTERNAL_INTERRUPT] = {handle_irq, AX_EXIT_EXTERNAL_INTERRUPT},
    [X86_EXIT_NMI] = {handle_nothing, AX_EXIT_EXTERNAL_INTERRUPT},
    [X86_EXIT_INTERRUPT_WINDOW] = {handle_nothing, AX_EXIT_INTERRUPT_WINDOW},
    [X86_EXIT_NMI_WINDOW] = {handle_nmi_window, AX_EXIT_INTERRUPT_WINDOW},
    [X86_EXIT_IRET] = {handle_iret, AX_EXIT_INTERRUPT_WINDOW},
    [X86_EXIT_TPR_WRITE] = {handle_tpr_write, AX_EXIT_SYSREG_WRITE},
    [X86_EXIT_EXCEPTION] = {handle_exception, AX_EXIT_EXCEPTION},
    [X86_EXIT_MACHINE_CHECK] = {handle_machine_check, AX_EXIT_EXCEPTION},
    [X86_EXIT_HYPERCALL] = {handle_hypercall, AX_EXIT_EXCEPTION},
    [X86_EXIT_HALT] = {handle_halt, AX_EXIT_IDLE},
    [X86_EXIT_CPUID] = {handle_cpuid, AX_EXIT_SYSREG_READ},
    [X86_EXIT_IO] = {x86_handle_io, AX_EXIT_IO_READ},
    [X86_EXIT_MSR] = {x86_handle_msr, AX_EXIT_SYSREG_WRITE},
    [X86_EXIT_NESTED_FAULT] = {x86_handle_nested_fault, AX_EXIT_NESTED_PAGE_FAULT},
    [X86_EXIT_SHUTDOWN] = {handle_shutdown, AX_EXIT_TRIPLE_FAULT},
    [X86_EXIT_XSETBV] = {handle_xsetbv, AX_EXIT_SYSREG_WRITE},
    [X86_EXIT_CACHE] = {handle_cache, AX_EXIT_NOTHING},
    [X86_EXIT_UNDEFINED] = {handle_undefined, AX_EXIT_EXCEPTION},
    [X86_EXIT_REFUSED] = {handle_refused, AX_EXIT_EXCEPTION},
    [X86_EXIT_TASK_SWITCH] = {x86_handle_task_switch, AX_EXIT_NOTHING},
    [X86_EXIT_CONTROL] = {x86_handle_control, AX_EXIT_SYSREG_WRITE},
    [X86_EXIT_APIC_EOI] = {x86_handle_eoi, AX_EXIT_INTERRUPT_END},
};

X86Next x86_handle(X86VCpu *vcpu, AxVCpuExit *exit)
{
    const ExitCause *cause = &causes[vcpu->exit.kind];
    const X86Next next = cause->handle(vcpu, exit);

    if (next == X86_RESUME) {
        axvcpu_count(&vcpu->env.stats->handled[cause->kind], 1);
    }
    return next;
}

// ---- completions ----

AxError x86_complete_read(void *arch, const AxVCpuExit *exit, uint64_t value)
{
    switch (exit->reason) {
    case AX_EXIT_MMIO_READ: return x86_complete_mmio(arch, exit, value);
    case AX_EXIT_IO_READ: return x86_complete_io(arch, exit, value);
    case AX_EXIT_SYSREG_READ: return x86_complete_msr(arch, exit, value);
    case AX_EXIT_INTERRUPT_ACKNOWLEDGE: x86_lapic_acknowledged(arch, (uint8_t)value); return AX_OK;
    default: return AX_EINVAL;
    }
}

AxError x86_complete_write(void *arch, const AxVCpuExit *exit)
{
    switch (exit->reason) {
    case AX_EXIT_MMIO_WRITE: return x86_complete_mmio(arch, exit, 0);
    case AX_EXIT_IO_WRITE: return x86_complete_io(arch, exit, 0);
    case AX_EXIT_SYSREG_WRITE: return x86_complete_msr(arch, exit, 0);
    default: return AX_EINVAL;
    }
}

// The APIC's messages have no result, and their instruction is behind.
AxError x86_complete_call(void *arch, const AxVCpuExit *exit, AxError result, uint64_t value)
{
    X86VCpu *vcpu = arch;

    if ((unsigned)result >= AX_ERROR_COUNT) {
        return AX_EINVAL;
    }
    if (exit->reason == AX_EXIT_SEND_IPI || exit->reason == AX_EXIT_CPU_UP) {
        return AX_OK;
    }
    if (exit->reason != AX_EXIT_HYPERCALL) {
        return AX_EINVAL;
    }
    vcpu->regs.gpr[RAX] = result == AX_OK ? value : (uint64_t)(HYPERCALL_ERROR - (int64_t)result);
    x86_advance(vcpu, vcpu->exit.length);
    return AX_OK;
}

// An MSR nobody has is #GP; so is an address where nothing is, which hardware would read as ones.
AxError x86_complete_fault(void *arch, const AxVCpuExit *exit)
{
    X86VCpu *vcpu = arch;

    switch (exit->reason) {
    case AX_EXIT_HYPERCALL: x86_inject_ud(vcpu); return AX_OK;
    case AX_EXIT_SEND_IPI:
    case AX_EXIT_CPU_UP:
    case AX_EXIT_INTERRUPT_ACKNOWLEDGE: return AX_OK;
    default: x86_inject_gp(vcpu); return AX_OK;
    }
}
