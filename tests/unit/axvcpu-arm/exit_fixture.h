// SPDX-License-Identifier: Apache-2.0
// A vCPU on simulated registers that has just left its guest, for the tests of what happens then.
#pragma once

#include "arm.h"
#include "arm_regs.h"
#include "arm_sim.h"

#include <axvcpu/event.h>

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define GUEST_PC   UINT64_C(0xffff800010000100)
#define GUEST_VBAR UINT64_C(0xffff800020000000)

// Normal write-back memory, respectively Device-nGnRE, as PAR_EL1 reports them.
#define PAR_NORMAL UINT64_C(0xff00000000000000)
#define PAR_DEVICE UINT64_C(0x0400000000000000)

typedef struct Fixture {
    Aarch64VCpu vcpu;
    Aarch64PerCpu percpu;
    AxVCpuStats stats;
    AxEvents events;
    AxVCpuHal hal;
    AxVCpuExit exit;
    _Alignas(4096) uint32_t code[1024]; // the page that holds GUEST_PC
} Fixture;

static Fixture fixture;

static HostVirtAddr fixture_phys_to_virt(void *ctx, HostPhysAddr addr)
{
    Fixture *f = ctx;

    assert_int_equal(addr.value & ~UINT64_C(0xfff), 0x40000000);
    return ax_hva_from_ptr((char *)f->code + (addr.value & 0xfff));
}

static inline uint64_t fixture_translate(uint64_t va)
{
    assert_int_equal(va & ~UINT64_C(0xfff), GUEST_PC & ~UINT64_C(0xfff));
    return PAR_NORMAL | 0x40000000;
}

// A guest at EL1h, not bound, with registers that can be told apart.
static int fixture_reset(void **state)
{
    Fixture *f = &fixture;

    memset(f, 0, sizeof(*f));
    arm_sim_reset();
    axvcpu_events_init(&f->events);
    f->hal = (AxVCpuHal){.ctx = f, .phys_to_virt = fixture_phys_to_virt};
    f->vcpu.env = (AxArchVCpuEnv){.hal = &f->hal, .events = &f->events, .stats = &f->stats};
    for (unsigned n = 0; n < 31; n++) {
        f->vcpu.regs.x[n] = UINT64_C(0x1111222233330000) + n;
    }
    f->vcpu.regs.pc = GUEST_PC;
    f->vcpu.regs.pstate = PSTATE_M_EL1H;
    f->vcpu.sys[AARCH64_VBAR_EL1] = GUEST_VBAR;
    f->exit.reason = AX_EXIT_COUNT;
    *state = f;
    return 0;
}

static inline uint64_t esr_of(uint64_t ec, uint64_t iss)
{
    return ax_put(ec, ESR_ELX_EC) | ESR_ELX_IL | iss;
}

// What a guest at EL1h that got an undefined-instruction exception looks like.
static inline void assert_undefined(const Fixture *f)
{
    assert_int_equal(f->vcpu.sys[AARCH64_ESR_EL1], ESR_ELX_IL);
    assert_int_equal(f->vcpu.sys[AARCH64_ELR_EL1], GUEST_PC);
    assert_int_equal(f->vcpu.regs.pc, GUEST_VBAR + 0x200);
}

static inline void assert_registers_unchanged(const Fixture *f)
{
    for (unsigned n = 0; n < 31; n++) {
        assert_int_equal(f->vcpu.regs.x[n], UINT64_C(0x1111222233330000) + n);
    }
}
