// SPDX-License-Identifier: Apache-2.0
// The processor's own local APIC for guests (SDM volume 3, chapter 30): in x2APIC mode TPR and EOI are
// written and most registers read without an exit. A vector that TPR or one in service holds back is
// delivered when it no longer does; one that RFLAGS.IF holds back waits for its window, see vmx.c. The
// registers of interrupt.c are the truth while C code runs, the virtual-APIC page is while the guest
// does.
#include "vmx/vmx.h"

#include <string.h>

#define TPR 0x080u
#define ISR 0x100u
#define TMR 0x180u
#define IRR 0x200u

#define STATUS_SVI_SHIFT 8

// MSRs of x2APIC are offsets / 16. PPR is the processor's, the current count is always asked for.
static const struct {
    uint16_t first; // offset
    uint16_t count;
} readable[] = {
    {0x020, 2}, // ID, version
    {TPR, 1},   // TPR
    {0x0a0, 1}, // PPR
    {0x0d0, 1}, // LDR
    {0x0f0, 1}, // SVR
    {ISR, 24},  // ISR, TMR, IRR
    {0x280, 1}, // ESR
    {0x300, 1}, // ICR
    {0x320, 6}, // LVT
    {0x380, 1}, // initial count
    {0x3e0, 1}, // divider
};

#define READABLE_COUNT (sizeof(readable) / sizeof(readable[0]))

static bool is_virtualized(uint32_t offset)
{
    return offset == TPR || offset == 0xa0 || (offset >= ISR && offset < 0x280);
}

void vmx_pass_x2apic(uint8_t *bitmap)
{
    for (size_t i = 0; i < READABLE_COUNT; i++) {
        for (uint32_t n = 0; n < readable[i].count; n++) {
            vmx_pass_msr(bitmap, MSR_X2APIC + readable[i].first / 16 + n, true, false);
        }
    }
    vmx_pass_msr(bitmap, MSR_X2APIC + 0x08, false, true); // TPR
    vmx_pass_msr(bitmap, MSR_X2APIC + 0x0b, false, true); // EOI
}

// ---- into the page ----

static void copy_in(uint32_t *page, uint32_t offset, const uint32_t *words)
{
    for (unsigned i = 0; i < 8; i++) {
        page[VMX_VIRTUAL_REGISTER(offset + 16 * i)] = words[i];
    }
}

static uint8_t highest(const uint32_t *words)
{
    for (unsigned i = 8; i-- > 0;) {
        if (words[i] != 0) {
            return (uint8_t)(32 * i + 31 - (unsigned)__builtin_clz(words[i]));
        }
    }
    return 0;
}

static void load_registers(X86VCpu *vcpu, uint32_t *page)
{
    for (size_t i = 0; i < READABLE_COUNT; i++) {
        for (uint32_t n = 0; n < readable[i].count; n++) {
            const uint32_t offset = readable[i].first + 16 * n;
            uint64_t value = 0;

            if (!is_virtualized(offset) && x86_lapic_read(vcpu, offset, &value)) {
                page[VMX_VIRTUAL_REGISTER(offset)] = (uint32_t)value;
                page[VMX_VIRTUAL_REGISTER(offset) + 1] = (uint32_t)(value >> 32);
            }
        }
    }
}

// The end of level interrupts is to be told.
static void load_eoi_exits(const X86VCpu *vcpu, VmxState *state)
{
    const uint32_t *tmr = vcpu->lapic.tmr;

    for (size_t i = 0; i < 4; i++) {
        vmx_put_changed(state, (VmcsField)(VMCS_EOI_EXIT_BITMAP_0 + 2 * i),
                        (uint64_t)tmr[2 * i + 1] << 32 | tmr[2 * i], &state->eoi_exits[i]);
    }
}

// An APIC that is off keeps what it has.
static uint64_t status(const X86VCpu *vcpu)
{
    const uint64_t requested = x86_lapic_is_running(vcpu) ? highest(vcpu->lapic.irr) : 0;

    return (uint64_t)highest(vcpu->lapic.isr) << STATUS_SVI_SHIFT | requested;
}

static void choose_mode(const X86VCpu *vcpu, VmxState *state)
{
    const bool x2apic = vcpu->percpu->features.has_apicv && x86_lapic_is_x2apic(vcpu);
    const uint64_t plain = vcpu->percpu->features.controls.secondary |
                           (vcpu->tsc_ratio != 0 ? SECONDARY_TSC_SCALING : 0);
    const uint64_t secondary = plain | (x2apic ? SECONDARY_X2APIC_MODE : 0);

    if (secondary != state->secondary) {
        vmx_put_changed(state, VMCS_SECONDARY_CONTROLS, secondary, &state->secondary);
        vmx_put(state, VMCS_MSR_BITMAP,
                vcpu->percpu->frames.msr_bitmap.value + (x2apic ? AX_PAGE_SIZE : 0));
    }
}

void vmx_apic_bind(const X86VCpu *vcpu, VmxState *state)
{
    state->secondary = UINT64_MAX;
    choose_mode(vcpu, state);
    if (vcpu->percpu->features.has_apicv) {
        state->interrupt_status = UINT64_MAX;
        memset(state->eoi_exits, 0xff, sizeof(state->eoi_exits));
    }
}

static X86_RARE void load(X86VCpu *vcpu, VmxState *state)
{
    uint32_t *page = vmx_virtual_apic(vcpu);

    vcpu->lapic.changed = false;
    choose_mode(vcpu, state);
    copy_in(page, ISR, vcpu->lapic.isr);
    copy_in(page, TMR, vcpu->lapic.tmr);
    copy_in(page, IRR, vcpu->lapic.irr);
    if (x86_lapic_is_x2apic(vcpu)) {
        load_registers(vcpu, page);
    }
    load_eoi_exits(vcpu, state);
    vmx_put_changed(state, VMCS_GUEST_INTERRUPT_STATUS, status(vcpu), &state->interrupt_status);
}

void vmx_apic_load(X86VCpu *vcpu, VmxState *state)
{
    if (vcpu->percpu->features.has_apicv && vcpu->lapic.changed) {
        load(vcpu, state);
    }
}

// ---- out of the page ----

static void copy_out(const uint32_t *page, uint32_t offset, uint32_t *words)
{
    for (unsigned i = 0; i < 8; i++) {
        words[i] = page[VMX_VIRTUAL_REGISTER(offset + 16 * i)];
    }
}

// Nothing but the guest's taking and ending of interrupts changes IRR and ISR meanwhile. Taking one
// lowers RVI, without it ending one changes SVI: the same status means the same registers.
void vmx_apic_save(X86VCpu *vcpu, VmxState *state)
{
    const uint32_t *page;
    uint64_t now;

    if (!vcpu->percpu->features.has_apicv) {
        return;
    }
    page = vmx_virtual_apic(vcpu);
    vcpu->lapic.tpr = page[VMX_VIRTUAL_TPR] & 0xff;
    now = x86_vmx_read(VMCS_GUEST_INTERRUPT_STATUS);
    if (now != state->interrupt_status) {
        state->interrupt_status = now;
        copy_out(page, ISR, vcpu->lapic.isr);
        copy_out(page, IRR, vcpu->lapic.irr);
    }
}
