// SPDX-License-Identifier: Apache-2.0
// A vCPU on simulated CSRs that has just left its guest, for the tests of what happens then.
#pragma once

#include "riscv.h"
#include "riscv_regs.h"
#include "riscv_sim.h"

#include <axvcpu/event.h>

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define GUEST_PC    UINT64_C(0xffffffff80010100)
#define GUEST_STVEC UINT64_C(0xffffffff80020000)

typedef struct Fixture {
    RISCVVCpu vcpu;
    RISCVPerCpu percpu;
    AxVCpuStats stats;
    AxEvents events;
    AxVCpuHal hal;
    AxVCpuExit exit;
    uint32_t code; // at the guest's PC
} Fixture;

static Fixture fixture;

// The halfwords of `code`, as long as the guest can fetch them.
static inline bool fixture_fetch(uint64_t va, uint16_t *out)
{
    const uint64_t offset = va - fixture.vcpu.regs.pc;

    assert_true(offset == 0 || offset == 2);
    *out = (uint16_t)(fixture.code >> (8 * offset));
    return true;
}

// A guest in VS mode, not bound, with registers that can be told apart.
static int fixture_reset(void **state)
{
    Fixture *f = &fixture;

    memset(f, 0, sizeof(*f));
    rv_sim_reset();
    axvcpu_events_init(&f->events);
    f->hal = (AxVCpuHal){.ctx = f};
    f->vcpu.env = (AxArchVCpuEnv){.hal = &f->hal, .events = &f->events, .stats = &f->stats};
    for (unsigned n = 1; n < 32; n++) {
        f->vcpu.regs.x[n] = UINT64_C(0x1111222233330000) + n;
    }
    f->vcpu.regs.pc = GUEST_PC;
    riscv_set_guest_mode(&f->vcpu, true);
    f->vcpu.sys[RISCV_VSSTATUS] = SSTATUS_UXL_64;
    f->vcpu.sys[RISCV_VSTVEC] = GUEST_STVEC;
    f->exit.reason = AX_EXIT_COUNT;
    *state = f;
    return 0;
}

static inline void assert_trapped(const Fixture *f, uint64_t cause, uint64_t tval)
{
    assert_int_equal(f->vcpu.sys[RISCV_VSCAUSE], cause);
    assert_int_equal(f->vcpu.sys[RISCV_VSTVAL], tval);
    assert_int_equal(f->vcpu.sys[RISCV_VSEPC], GUEST_PC);
    assert_int_equal(f->vcpu.regs.pc, GUEST_STVEC);
    assert_true(riscv_guest_is_supervisor(&f->vcpu));
}

static inline void assert_registers_unchanged(const Fixture *f)
{
    assert_int_equal(f->vcpu.regs.x[0], 0);
    for (unsigned n = 1; n < 32; n++) {
        assert_int_equal(f->vcpu.regs.x[n], UINT64_C(0x1111222233330000) + n);
    }
}
