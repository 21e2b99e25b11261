// SPDX-License-Identifier: Apache-2.0
// hvip (Privileged Architecture 8.2.3). AxEvents says what is signalled, hvip what the guest sees in
// its sip. All functions run on the vCPU's pCPU, unless stated.
//
// - The software interrupt is an edge that the guest may clear, or make, by itself: hvip.VSSIP has
//   it from the moment it leaves AxEvents. During a run only the hardware knows.
// - The two others are levels that the guest cannot change: hvip follows latch and level in
//   AxEvents, and the timer when that is not in hardware.
#include "riscv.h"
#include "riscv_regs.h"

// Word and bit in AxEvents; in hvip each is one bit higher.
#define EVENT_WORD     0u
#define EVENT_SOFTWARE AX_BIT(RISCV_IRQ_SOFTWARE)
#define EVENT_TIMER    AX_BIT(RISCV_IRQ_TIMER)
#define EVENT_EXTERNAL AX_BIT(RISCV_IRQ_EXTERNAL)

_Static_assert(EVENT_SOFTWARE << 1 == HIP_VSSIP && EVENT_TIMER << 1 == HIP_VSTIP &&
                   EVENT_EXTERNAL << 1 == HIP_VSEIP,
               "interrupt numbers are those of the guest's scause");

static void publish(RISCVVCpu *vcpu, uint64_t pending)
{
    atomic_store_explicit(&vcpu->interrupts.pending, pending, memory_order_release);
}

static uint64_t published(const RISCVVCpu *vcpu)
{
    return atomic_load_explicit(&vcpu->interrupts.pending, memory_order_acquire);
}

void riscv_interrupt_reset(RISCVVCpu *vcpu)
{
    vcpu->interrupts.hvip = 0;
    vcpu->interrupts.look_again = false;
    publish(vcpu, 0);
}

// ---- bind and unbind ----

void riscv_interrupt_load(RISCVVCpu *vcpu)
{
    RV_WRITE(HVIP, vcpu->interrupts.hvip);
    vcpu->interrupts.look_again = true; // the timer may have moved into hardware, or out of it
}

void riscv_interrupt_save(RISCVVCpu *vcpu)
{
    (void)vcpu; // has the value since the end of the last run
    RV_WRITE(HVIP, 0);
}

// ---- before an entry ----

// True when the software interrupt shall go. There are no active states to change.
static bool take_requests(AxEvents *events)
{
    const uint64_t clear = axvcpu_events_take_requests(events, AX_IRQ_CLEAR_PENDING, EVENT_WORD);

    (void)axvcpu_events_take_requests(events, AX_IRQ_SET_ACTIVE, EVENT_WORD);
    (void)axvcpu_events_take_requests(events, AX_IRQ_CLEAR_ACTIVE, EVENT_WORD);
    return (clear & EVENT_SOFTWARE) != 0;
}

// While it is disabled AxEvents keeps the edge. It is published before it leaves AxEvents: a reader
// never misses it.
static uint64_t software_bit(RISCVVCpu *vcpu, uint64_t signalled, bool pending)
{
    AxEvents *events = vcpu->env.events;

    if (!axvcpu_events_enabled(events, RISCV_IRQ_SOFTWARE)) {
        if (pending) {
            axvcpu_events_restore_pending(events, RISCV_IRQ_SOFTWARE);
        }
        return 0;
    }
    if ((signalled & EVENT_SOFTWARE) != 0) {
        publish(vcpu, published(vcpu) | HIP_VSSIP);
        (void)axvcpu_events_take_pending(events, RISCV_IRQ_SOFTWARE);
        return HIP_VSSIP;
    }
    return pending ? HIP_VSSIP : 0;
}

static uint64_t level_bits(const RISCVVCpu *vcpu, uint64_t signalled)
{
    const AxEvents *events = vcpu->env.events;
    const bool timer = vcpu->timer.fired && axvcpu_events_enabled(events, RISCV_IRQ_TIMER);

    return (signalled & (EVENT_TIMER | EVENT_EXTERNAL)) << 1 | (timer ? HIP_VSTIP : 0);
}

void riscv_interrupt_refresh(RISCVVCpu *vcpu, bool has_requests)
{
    const uint64_t old = RV_READ(HVIP) & HIP_VS;
    const uint64_t signalled = axvcpu_events_signalled(vcpu->env.events, EVENT_WORD);
    bool software = (old & HIP_VSSIP) != 0;

    vcpu->interrupts.look_again = false;
    if (has_requests && take_requests(vcpu->env.events)) {
        software = false;
    }
    vcpu->interrupts.hvip = software_bit(vcpu, signalled, software) | level_bits(vcpu, signalled);
    if (vcpu->interrupts.hvip != old) {
        RV_WRITE(HVIP, vcpu->interrupts.hvip);
    }
}

bool riscv_interrupt_clear_software(RISCVVCpu *vcpu)
{
    const bool pending = (RV_READ(HVIP) & HIP_VSSIP) != 0;

    (void)vcpu;
    if (pending) {
        RV_CLEAR(HVIP, HIP_VSSIP);
    }
    return pending;
}

// ---- after a run ----

// hip has a timer in hardware as well.
void riscv_interrupt_exit(RISCVVCpu *vcpu)
{
    const uint64_t hip = RV_READ(HIP) & HIP_VS;

    vcpu->interrupts.hvip = (vcpu->interrupts.hvip & ~HIP_VSSIP) | (hip & HIP_VSSIP);
    publish(vcpu, hip);
}

// ---- queries ----

AxIrqState riscv_interrupt_state(const void *arch, uint32_t irq)
{
    return (AxIrqState){
        .pending = irq < 63 && (published(arch) & AX_BIT(irq + 1)) != 0,
        .active = false,
    };
}

// The levels are in AxEvents and the timer is asked by itself. What the guest does not want in sie
// does not end its WFI, whatever sstatus.SIE says.
bool riscv_interrupt_wakeup_pending(const RISCVVCpu *vcpu)
{
    return (vcpu->interrupts.hvip & HIP_VSSIP) != 0 &&
           (riscv_sysreg_get(vcpu, RISCV_VSIE) & SIP_SSIP) != 0;
}

// ---- register ids ----

AxError riscv_interrupt_get_reg(const RISCVVCpu *vcpu, AxRegId reg, uint64_t *value)
{
    if (reg != RISCV_REG_HVIP) {
        return AX_ENOENT;
    }
    *value = vcpu->interrupts.hvip;
    return AX_OK;
}

AxError riscv_interrupt_set_reg(RISCVVCpu *vcpu, AxRegId reg, uint64_t value)
{
    if (reg != RISCV_REG_HVIP) {
        return AX_ENOENT;
    }
    if ((value & ~HIP_VS) != 0) {
        return AX_EINVAL;
    }
    vcpu->interrupts.hvip = value;
    vcpu->interrupts.look_again = true; // levels that nobody drives go again
    publish(vcpu, value);
    if (vcpu->percpu != NULL) {
        RV_WRITE(HVIP, value);
    }
    return AX_OK;
}
