// SPDX-License-Identifier: Apache-2.0
#include "riscv.h"
#include "riscv_regs.h"

// Of sstatus while a guest can run: the mode that sret leads to, and FP. No vector unit, and nothing
// of the host's that acts on the guest (MXR). SPIE: interrupts stay off after sret and after a trap.
#define SSTATUS_GUEST (SSTATUS_SPP | SSTATUS_FS)
#define SSTATUS_OFF \
    (SSTATUS_SIE | SSTATUS_SPIE | SSTATUS_SPP | SSTATUS_VS | SSTATUS_FS | SSTATUS_SUM | SSTATUS_MXR)

static RISCV_RARE void take_exception(RISCVVCpu *vcpu)
{
    AxException exception;

    if (axvcpu_events_take_exception(vcpu->env.events, &exception)) {
        // Checked when it was posted as far as it can be; one that cannot be raised is dropped.
        (void)!riscv_inject_exception(vcpu, &exception);
    }
}

static RISCV_RARE void take_rare_events(RISCVVCpu *vcpu, uint32_t summary)
{
    if ((summary & AX_EVENT_EXCEPTION) != 0) {
        take_exception(vcpu);
    }
    if ((summary & AX_EVENT_FENCE) != 0) {
        riscv_fence(vcpu);
    }
}

// Ordered by what the guest would see first: an exception is taken before an interrupt. False when
// a kick ends the run.
static bool prepare_entry(RISCVVCpu *vcpu)
{
    const uint32_t summary = axvcpu_events_take_summary(vcpu->env.events);

    if ((summary & (AX_EVENT_EXCEPTION | AX_EVENT_FENCE)) != 0) {
        take_rare_events(vcpu, summary);
    }
    riscv_timer_enter(vcpu);
    riscv_interrupt_enter(vcpu, summary);
    return (summary & AX_EVENT_KICK) == 0;
}

static bool is_guest_page_fault(uint64_t cause)
{
    return cause == CAUSE_FETCH_GUEST_PAGE || cause == CAUSE_LOAD_GUEST_PAGE ||
           cause == CAUSE_STORE_GUEST_PAGE;
}

// htval and htinst mean nothing with other causes.
static RISCVNext handle_sync(RISCVVCpu *vcpu, uint64_t cause, AxVCpuExit *exit)
{
    vcpu->trap = (RISCVTrap){.cause = cause, .tval = RV_READ(STVAL)};
    if (is_guest_page_fault(cause)) {
        vcpu->trap.htval = RV_READ(HTVAL);
        vcpu->trap.htinst = RV_READ(HTINST);
    }
    return riscv_handle_sync(vcpu, exit);
}

// Of the host: those of the guest are delegated.
static RISCVNext handle_irq(RISCVVCpu *vcpu, AxVCpuExit *exit)
{
    const AxVCpuHal *hal = vcpu->env.hal;
    const uint64_t vector = hal->irq_fetch(hal->ctx);

    if (vector != AX_IRQ_NONE) {
        *exit = (AxVCpuExit){.reason = AX_EXIT_EXTERNAL_INTERRUPT, .interrupt = {.vector = vector}};
        return RISCV_EXIT;
    }
    axvcpu_count(&vcpu->env.stats->handled[AX_EXIT_EXTERNAL_INTERRUPT], 1);
    return RISCV_RESUME;
}

static RISCVNext handle(RISCVVCpu *vcpu, uint64_t cause, AxVCpuExit *exit)
{
    return (cause & SCAUSE_INTERRUPT) != 0 ? handle_irq(vcpu, exit)
                                           : handle_sync(vcpu, cause, exit);
}

static void run_guest(RISCVVCpu *vcpu, AxVCpuExit *exit)
{
    uint64_t cause;

    do {
        if (!prepare_entry(vcpu)) {
            *exit = (AxVCpuExit){.reason = AX_EXIT_NOTHING};
            return;
        }
        cause = rv_enter_guest(&vcpu->regs);
    } while (handle(vcpu, cause, exit) == RISCV_RESUME);
}

// sscratch first: as soon as the vector is ours, it is the address of the registers. Both of the
// host are in memory by then, where the vector finds them.
static void install_vector(RISCVGuestRegs *regs)
{
    regs->host_stvec = RV_READ(STVEC);
    regs->host_sscratch = RV_READ(SSCRATCH);
    RV_WRITE(SSCRATCH, (uintptr_t)regs);
    RV_WRITE(STVEC, (uintptr_t)riscv_guest_vector);
}

static void remove_vector(const RISCVGuestRegs *regs)
{
    RV_WRITE(STVEC, regs->host_stvec);
    RV_WRITE(SSCRATCH, regs->host_sscratch);
}

AxError riscv_run(void *arch, AxVCpuExit *exit)
{
    RISCVVCpu *vcpu = arch;
    uint64_t sstatus;
    uint64_t hstatus;

    if (vcpu->csr_step != RISCV_CSR_NONE && riscv_resume_csr(vcpu, exit) == RISCV_EXIT) {
        return AX_OK;
    }
    sstatus = rv_irq_mask();
    install_vector(&vcpu->regs);
    hstatus = RV_SWAP(HSTATUS, vcpu->hstatus);
    RV_WRITE(SSTATUS, (sstatus & ~SSTATUS_OFF) | (vcpu->sstatus & SSTATUS_GUEST));
    vcpu->live = true;
    run_guest(vcpu, exit);
    vcpu->live = false;
    vcpu->sstatus = RV_READ(SSTATUS) & SSTATUS_GUEST;
    vcpu->hstatus = RV_SWAP(HSTATUS, hstatus) & ~HSTATUS_GVA;
    riscv_interrupt_exit(vcpu);
    remove_vector(&vcpu->regs);
    RV_WRITE(SSTATUS, sstatus);
    return AX_OK;
}
