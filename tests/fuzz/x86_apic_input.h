// SPDX-License-Identifier: Apache-2.0
// The local APIC under a sequence of register accesses, interrupts and time made from bytes, four to a
// step. Beside it a model that knows only this: no edge is lost, nothing is delivered that nobody sent,
// and nothing below the priority of what the processor does.
#pragma once

#include "x86_exit_input.h"

#define APIC_TPR      UINT32_C(0x080)
#define APIC_PPR      UINT32_C(0x0a0)
#define APIC_EOI      UINT32_C(0x0b0)
#define APIC_SVR      UINT32_C(0x0f0)
#define APIC_ICR      UINT32_C(0x300)
#define APIC_LVT      UINT32_C(0x320)
#define APIC_LVT_LAST UINT32_C(0x370)

// Of the local sources, and of messages that may go anywhere: they come at any time. Below, even
// vectors are edges and odd ones levels.
#define FIRST_OF_ANYBODY 0xe0u

typedef struct ApicModel {
    bool sent[256]; // edges that are due, levels that have been high since the last delivery
    bool high[256];
    uint64_t now;
    uint64_t event; // of the last entry
    unsigned deliveries;
} ApicModel;

static ApicModel apic_model;

static uint64_t apic_now(void *ctx)
{
    (void)ctx;
    return apic_model.now;
}

static uint64_t apic_read(uint32_t offset)
{
    uint64_t value = 0;

    return x86_lapic_read(&x86_exit_run.vcpu, offset, &value) ? value : 0;
}

static bool apic_bit(const uint32_t *words, unsigned vector)
{
    return (words[vector / 32] >> (vector % 32) & 1) != 0;
}

static unsigned apic_highest(const uint32_t *words)
{
    unsigned vector = 255;

    while (vector != 0 && !apic_bit(words, vector)) {
        vector--;
    }
    return vector;
}

// SDM volume 3, 11.8.3.1.
static void check_priority(void)
{
    const unsigned task = (unsigned)apic_read(APIC_TPR);
    const unsigned service = apic_highest(x86_exit_run.vcpu.lapic.isr);

    PROMISE(apic_read(APIC_PPR) == (task >> 4 >= service >> 4 ? task : service & 0xf0));
    check_vectors(&x86_exit_run.vcpu.lapic);
}

// ---- delivery ----

// PPR is what it was before the delivery, but for the vector itself.
static void check_delivery(uint8_t vector)
{
    const X86Lapic *lapic = &x86_exit_run.vcpu.lapic;
    uint32_t others[8];

    memcpy(others, lapic->isr, sizeof(others));
    PROMISE(apic_bit(others, vector));
    others[vector / 32] &= ~(UINT32_C(1) << (vector % 32));
    PROMISE(vector >> 4 > apic_highest(others) >> 4);
    PROMISE(vector >> 4 > apic_read(APIC_TPR) >> 4);
    PROMISE(vector >= FIRST_OF_ANYBODY || apic_model.sent[vector]);
    apic_model.sent[vector] = apic_model.high[vector];
    apic_model.deliveries++;
}

static void apic_guest(struct X86GuestRegs *regs, Vmcb *vmcb)
{
    (void)regs;
    apic_model.event = x86_sim_take_event(vmcb);
    vmcb->exit_int_info = 0;
    vmcb->exit_code = VMEXIT_HLT;
}

static void run_guest_once(void)
{
    X86ExitRun *run = &x86_exit_run;
    const bool could = (run->vcpu.regs.rflags & RFLAGS_IF) != 0;

    apic_model.event = 0;
    run->vcpu.activity = X86_ACTIVE;
    run->vcpu.regs.rip = INPUT_RIP;
    PROMISE(x86_vcpu_ops.run(&run->vcpu, &run->exit) == AX_OK);
    if ((apic_model.event & EVENT_VALID) != 0 &&
        (apic_model.event >> EVENT_TYPE_SHIFT & EVENT_TYPE) == X86_EVENT_INTERRUPT) {
        PROMISE(could);
        check_delivery((uint8_t)(apic_model.event & EVENT_VECTOR));
    }
}

// ---- steps ----

static void write_register(uint32_t offset, uint64_t value)
{
    X86ExitRun *run = &x86_exit_run;
    X86Next next = X86_RESUME;

    (void)x86_lapic_write(&run->vcpu, offset, value, &run->exit, &next);
    if (next == X86_LEAVE) {
        check_exit(run);
        (void)!x86_complete_call(&run->vcpu, &run->exit, AX_OK, 0);
    }
}

static void send_edge(uint8_t vector)
{
    if (vector >= X86_IRQ_FIRST && vector < FIRST_OF_ANYBODY) {
        vector &= 0xfe;
        apic_model.sent[vector] = true;
    }
    PROMISE(axvcpu_events_post_irq(&x86_exit_run.events, vector) == AX_OK);
}

static void set_level(uint8_t vector, bool high)
{
    vector |= 1;
    if (vector >= X86_IRQ_FIRST && vector < FIRST_OF_ANYBODY) {
        apic_model.high[vector] = high;
        apic_model.sent[vector] = apic_model.sent[vector] || high;
        PROMISE(axvcpu_events_set_level(&x86_exit_run.events, vector, high) == AX_OK);
    }
}

static void send_to_itself(uint8_t vector)
{
    vector &= 0xfe;
    if (vector >= X86_IRQ_FIRST && vector < FIRST_OF_ANYBODY) {
        apic_model.sent[vector] = true;
    }
    write_register(APIC_ICR, UINT64_C(0x40000) | vector);
}

// Any register with any value; what raises interrupts of its own does it above FIRST_OF_ANYBODY.
static void write_any(uint8_t where, uint16_t value)
{
    const uint32_t offset = (uint32_t)(where % 64) << 4;
    uint64_t wide = (uint64_t)value << 16 | value;

    if (offset == APIC_ICR || (offset >= APIC_LVT && offset <= APIC_LVT_LAST) || offset == 0x3f0) {
        wide |= FIRST_OF_ANYBODY;
    }
    write_register(offset, wide);
}

static void change_base(uint8_t how)
{
    const uint64_t old = x86_exit_run.vcpu.lapic.base;

    (void)x86_set_apic_base(&x86_exit_run.vcpu, (old & ~UINT64_C(0xc00)) | (uint64_t)(how & 3)
                                                                               << 10);
}

static void change_flags(uint8_t how)
{
    uint64_t *rflags = &x86_exit_run.vcpu.regs.rflags;

    *rflags = (how & 1) != 0 ? *rflags | RFLAGS_IF : *rflags & ~RFLAGS_IF;
    x86_exit_run.vcpu.shadow = (how & 6) == 6;
}

static void step(const uint8_t *bytes)
{
    const uint16_t value = (uint16_t)(bytes[2] | bytes[3] << 8);

    switch (bytes[0] % 12) {
    case 0: send_edge(bytes[1]); break;
    case 1: set_level(bytes[1], bytes[2] % 2 == 0); break;
    case 2: write_any(bytes[1], value); break;
    case 3: write_register(APIC_EOI, 0); break;
    case 4: write_register(APIC_TPR, bytes[1]); break;
    case 5: write_register(APIC_SVR, 0xff | (bytes[1] % 4 != 0 ? 0x100 : 0)); break;
    case 6: send_to_itself(bytes[1]); break;
    case 7: change_base(bytes[1]); break;
    case 8: change_flags(bytes[1]); break;
    case 9: apic_model.now += (uint64_t)value << (bytes[1] % 32); break;
    case 10: x86_timer_set_tsc_deadline(&x86_exit_run.vcpu, (uint64_t)value << 20); break;
    default: run_guest_once(); break;
    }
    (void)apic_read((uint32_t)(bytes[1] % 64) << 4);
    check_priority();
}

// ---- the end ----

static void open_everything(void)
{
    X86VCpu *vcpu = &x86_exit_run.vcpu;

    if (!x86_lapic_is_enabled(vcpu)) {
        change_base(2);
    }
    for (uint32_t offset = APIC_LVT; offset <= APIC_LVT_LAST; offset += 16) {
        write_register(offset, 0x10000 | FIRST_OF_ANYBODY);
    }
    write_register(APIC_SVR, 0x1ff);
    write_register(APIC_TPR, 0);
    change_flags(1);
}

// Everything that is due comes, one after the other.
static void drain(void)
{
    open_everything();
    for (unsigned i = 0; i < 260; i++) {
        const uint8_t vector = (uint8_t)(apic_model.event & EVENT_VECTOR);

        if (vector % 2 != 0) {
            set_level(vector, false);
        }
        write_register(APIC_EOI, 0);
        run_guest_once();
    }
    for (unsigned vector = 0; vector < 256; vector++) {
        PROMISE(vector % 2 != 0 ? !apic_model.high[vector] : !apic_model.sent[vector]);
    }
    PROMISE(apic_highest(x86_exit_run.vcpu.lapic.irr) == 0);
    PROMISE(apic_highest(x86_exit_run.vcpu.lapic.isr) == 0);
}

static void x86_apic_input(const uint8_t *data, size_t size)
{
    static const X86ExitInput input = {.flags = INPUT_IF | INPUT_APIC_ON};

    memset(&apic_model, 0, sizeof(apic_model));
    start_run(&x86_exit_run, &input);
    x86_exit_run.hal.now_ns = apic_now;
    x86_sim.guest = apic_guest;
    for (size_t i = 0; i + 4 <= size; i += 4) {
        step(data + i);
    }
    drain();
    stop_run(&x86_exit_run);
}
