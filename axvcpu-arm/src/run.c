// SPDX-License-Identifier: Apache-2.0
#include "arm.h"
#include "arm_regs.h"

static AARCH64_RARE void take_rare_events(Aarch64VCpu *vcpu, uint32_t summary)
{
    AxException exception;

    if ((summary & AX_EVENT_FENCE) != 0) {
        aarch64_fence(vcpu);
    }
    if ((summary & AX_EVENT_EXCEPTION) != 0 &&
        axvcpu_events_take_exception(vcpu->env.events, &exception)) {
        // Checked when it was posted as far as it can be; one that cannot be raised is dropped.
        (void)!aarch64_inject_exception(vcpu, &exception);
    }
}

// Ordered by what the guest would see first: an exception is taken before an interrupt. False when
// a kick ends the run.
static bool prepare_entry(Aarch64VCpu *vcpu)
{
    const uint32_t summary = axvcpu_events_take_summary(vcpu->env.events);

    if ((summary & (AX_EVENT_EXCEPTION | AX_EVENT_FENCE)) != 0) {
        take_rare_events(vcpu, summary);
    }
    if (vcpu->serror_pending) {
        vcpu->serror_pending = false;
        aarch64_hcr_set(vcpu, HCR_EL2_VSE);
    }
    aarch64_gic_enter(vcpu, summary);
    return (summary & AX_EVENT_KICK) == 0;
}

static Aarch64Next handle_sync(Aarch64VCpu *vcpu, AxVCpuExit *exit)
{
    vcpu->syndrome = (Aarch64Syndrome){
        .esr = ARM_READ(ESR_EL2),
        .far = ARM_READ(FAR_EL2),
        .hpfar = ARM_READ(HPFAR_EL2),
    };
    return aarch64_handle_sync(vcpu, exit);
}

static Aarch64Next handle_irq(Aarch64VCpu *vcpu, AxVCpuExit *exit)
{
    const AxVCpuHal *hal = vcpu->env.hal;
    const uint64_t vector = hal->irq_fetch(hal->ctx);

    if (vector == AARCH64_PPI_MAINTENANCE) {
        hal->irq_handler(hal->ctx, vector); // aarch64_gic_exit has removed its cause
    } else if (vector != AX_IRQ_NONE && !aarch64_timer_interrupt(vcpu, vector)) {
        *exit = (AxVCpuExit){.reason = AX_EXIT_EXTERNAL_INTERRUPT, .interrupt = {.vector = vector}};
        return AARCH64_EXIT;
    }
    axvcpu_count(&vcpu->env.stats->handled[AX_EXIT_EXTERNAL_INTERRUPT], 1);
    return AARCH64_RESUME;
}

// Group 0 belongs to the host's FIQ vector, if it uses it: leave, and it is taken there.
static Aarch64Next handle_fiq(Aarch64VCpu *vcpu, AxVCpuExit *exit)
{
    (void)vcpu;
    *exit = (AxVCpuExit){.reason = AX_EXIT_NOTHING};
    return AARCH64_EXIT;
}

static Aarch64Next handle_serror(Aarch64VCpu *vcpu, AxVCpuExit *exit)
{
    vcpu->syndrome = (Aarch64Syndrome){.esr = ARM_READ(ESR_EL2)};
    return aarch64_handle_serror(vcpu, exit);
}

static Aarch64Next (*const handlers[])(Aarch64VCpu *vcpu, AxVCpuExit *exit) = {
    [AARCH64_VECTOR_SYNC] = handle_sync,
    [AARCH64_VECTOR_IRQ] = handle_irq,
    [AARCH64_VECTOR_FIQ] = handle_fiq,
    [AARCH64_VECTOR_SERROR] = handle_serror,
};

static void run_guest(Aarch64VCpu *vcpu, AxVCpuExit *exit)
{
    uint64_t vector;

    do {
        if (!prepare_entry(vcpu)) {
            aarch64_gic_exit(vcpu); // the host must not see a maintenance interrupt
            *exit = (AxVCpuExit){.reason = AX_EXIT_NOTHING};
            return;
        }
        vector = aarch64_enter_guest(&vcpu->regs);
        aarch64_gic_exit(vcpu);
    } while (handlers[vector % (sizeof(handlers) / sizeof(handlers[0]))](vcpu, exit) ==
             AARCH64_RESUME);
}

AxError aarch64_run(void *arch, AxVCpuExit *exit)
{
    Aarch64VCpu *vcpu = arch;
    const Aarch64Host *host = &vcpu->percpu->host;
    uint64_t daif;
    uint64_t cptr;

    if (vcpu->split_step != AARCH64_SPLIT_NONE &&
        aarch64_resume_split(vcpu, exit) == AARCH64_EXIT) {
        return AX_OK;
    }
    daif = arm_daif_mask();
    cptr = ARM_READ(CPTR_EL2);
    ARM_WRITE(VBAR_EL2, (uintptr_t)aarch64_vectors);
    ARM_WRITE(CPTR_EL2, aarch64_cptr(vcpu));
    aarch64_timer_unmute(vcpu);
    run_guest(vcpu, exit);
    aarch64_timer_mute(vcpu);
    ARM_WRITE(CPTR_EL2, cptr);
    ARM_WRITE(VBAR_EL2, host->vbar);
    arm_isb();
    arm_daif_restore(daif);
    return AX_OK;
}
