// SPDX-License-Identifier: Apache-2.0
#include "decode.h"
#include "x86.h"

#define OPCODE_HLT 0xf4u

static X86_RARE void take_exception(X86VCpu *vcpu)
{
    AxException exception;

    if (axvcpu_events_take_exception(vcpu->env.events, &exception)) {
        // Checked when it was posted as far as it can be; one that cannot be raised is dropped.
        (void)!x86_inject_exception(vcpu, &exception);
    }
}

static X86_RARE void take_rare_events(X86VCpu *vcpu, uint32_t summary)
{
    if ((summary & AX_EVENT_EXCEPTION) != 0) {
        take_exception(vcpu);
    }
    if ((summary & AX_EVENT_NMI) != 0) {
        vcpu->lapic.nmi_pending = true;
    }
    if ((summary & AX_EVENT_FENCE) != 0) {
        x86_fence(vcpu);
    }
}

static bool leave(AxVCpuExit *exit, AxVCpuExitReason reason)
{
    *exit = (AxVCpuExit){.reason = reason};
    return false;
}

// HLT ends with what is delivered, and with nothing else: whoever woke the vCPU for less runs it in
// vain.
static X86_RARE bool activate(X86VCpu *vcpu, AxVCpuExit *exit)
{
    if (vcpu->activity == X86_HALTED && vcpu->event.valid) {
        vcpu->activity = X86_ACTIVE;
        return true;
    }
    (void)x86_exit_inactive(vcpu, exit);
    return false;
}

// Ordered by what the guest would see first: an exception is taken before an interrupt. False when
// *exit says why the guest is not entered.
static bool prepare_entry(X86VCpu *vcpu, AxVCpuExit *exit)
{
    const uint32_t summary = axvcpu_events_take_summary(vcpu->env.events);
    bool is_ready;

    if ((summary & (AX_EVENT_EXCEPTION | AX_EVENT_FENCE | AX_EVENT_NMI)) != 0) {
        take_rare_events(vcpu, summary);
    }
    if (x86_vmid_is_stale(vcpu)) {
        x86_vmid_flush(vcpu);
    }
    x86_timer_enter(vcpu);
    is_ready = x86_interrupt_enter(vcpu, summary);
    if ((summary & AX_EVENT_KICK) != 0) {
        return leave(exit, AX_EXIT_NOTHING);
    }
    if (!is_ready) {
        return leave(exit, AX_EXIT_INTERRUPT_ACKNOWLEDGE);
    }
    return vcpu->activity == X86_ACTIVE || activate(vcpu, exit);
}

// Those of software are not repeated: RIP still stands on the instruction.
static bool must_repeat(const X86Event *event)
{
    return event->valid && event->type != X86_EVENT_SOFTWARE &&
           !(event->type == X86_EVENT_EXCEPTION &&
             (event->vector == VECTOR_BP || event->vector == VECTOR_OF));
}

// The guest stands between STI and HLT. QEMU 7.2's VMRUN forgets the shadow of STI: an interrupt would
// come before HLT, which then sleeps for good. So HLT is carried out here.
static X86_RARE void finish_halt(X86VCpu *vcpu)
{
    uint8_t bytes[X86_MAX_INSTRUCTION];

    if ((vcpu->regs.rflags & RFLAGS_IF) != 0 && x86_cpl(vcpu) == 0 && x86_fetch(vcpu, bytes) != 0 &&
        bytes[0] == OPCODE_HLT) {
        x86_advance(vcpu, 1);
        vcpu->activity = X86_HALTED;
    }
}

static void run_guest(X86VCpu *vcpu, AxVCpuExit *exit)
{
    do {
        if (!prepare_entry(vcpu, exit)) {
            return;
        }
        vcpu->vendor->enter(vcpu);
        if (must_repeat(&vcpu->exit.event)) {
            vcpu->event = vcpu->exit.event;
        }
        if (vcpu->shadow && vcpu->exit.kind == X86_EXIT_EXTERNAL_INTERRUPT) {
            finish_halt(vcpu);
        }
    } while (x86_handle(vcpu, exit) == X86_RESUME);
}

// The instruction that left before has more to do.
static X86_RARE void finish(X86VCpu *vcpu, AxVCpuExit *exit)
{
    if (vcpu->due == X86_DUE_MMIO) {
        (void)x86_resume_mmio(vcpu, exit);
    } else {
        (void)x86_lapic_startup(vcpu, exit);
    }
}

AxError x86_run(void *arch, AxVCpuExit *exit)
{
    X86VCpu *vcpu = arch;
    uint64_t flags;

    if (vcpu->due != X86_DUE_NONE) {
        finish(vcpu, exit);
        return AX_OK;
    }
    flags = x86_irq_mask();
    vcpu->vendor->begin(vcpu);
    run_guest(vcpu, exit);
    x86_interrupt_exit(vcpu);
    x86_irq_restore(flags);
    return AX_OK;
}
