// SPDX-License-Identifier: Apache-2.0
// A guest that makes SBI calls, each of which is checked for what no call may do.
#pragma once

#include "exit_fixture.h"

#define A0 10u
#define A1 11u
#define A6 16u
#define A7 17u

#define EID_SET_TIMER  0x00
#define EID_PUTCHAR    0x01
#define EID_GETCHAR    0x02
#define EID_CLEAR_IPI  0x03
#define EID_SEND_IPI   0x04
#define EID_FENCE_I    0x05
#define EID_SFENCE     0x06
#define EID_SFENCE_AS  0x07
#define EID_SHUTDOWN   0x08
#define EID_BASE       0x10
#define EID_TIME       0x54494d45
#define EID_IPI        0x735049
#define EID_RFENCE     0x52464e43
#define EID_HSM        0x48534d
#define EID_SRST       0x53525354
#define EID_DBCN       0x4442434e
#define EID_HOST_FIRST 0x08000000
#define EID_HOST_LAST  0x08ffffff

#define SUCCESS           UINT64_C(0)
#define FAILED            UINT64_MAX
#define NOT_SUPPORTED     (UINT64_MAX - 1)
#define INVALID_PARAM     (UINT64_MAX - 2)
#define DENIED            (UINT64_MAX - 3)
#define INVALID_ADDRESS   (UINT64_MAX - 4)
#define ALREADY_AVAILABLE (UINT64_MAX - 5)

#define OWN_HART UINT64_C(5)
#define GPA_BITS 41

typedef struct Call {
    uint64_t eid;
    uint64_t fid;
    uint64_t args[6];
} Call;

static AxEptRoot firmware_root;

// As exit_fixture.h has it; hart OWN_HART of a VM with addresses of GPA_BITS.
static int firmware_reset(void **state)
{
    Fixture *f;

    fixture_reset(state);
    f = *state;
    firmware_root = (AxEptRoot){.levels = 3, .gpa_bits = GPA_BITS};
    f->vcpu.ept = &firmware_root;
    f->vcpu.create.hart_id = OWN_HART;
    f->vcpu.create.timebase_hz = 10000000;
    riscv_interrupt_reset(&f->vcpu);
    riscv_timer_reset(&f->vcpu);
    return 0;
}

// The ECALL, without a look at the registers.
static inline RISCVNext make_call(Fixture *f, const Call *call)
{
    f->vcpu.regs.pc = GUEST_PC;
    f->vcpu.regs.x[A7] = call->eid;
    f->vcpu.regs.x[A6] = call->fid;
    memcpy(&f->vcpu.regs.x[A0], call->args, sizeof(call->args));
    f->exit.reason = AX_EXIT_COUNT;
    f->vcpu.trap = (RISCVTrap){.cause = CAUSE_ECALL_VS};
    return riscv_handle_sync(&f->vcpu, &f->exit);
}

// Nothing but a0, and but a1 for calls that are not legacy, may differ from `before`.
static inline void assert_results_only(const Fixture *f, const RISCVGuestRegs *before, bool legacy)
{
    for (unsigned n = 0; n < 32; n++) {
        if (n != A0 && (n != A1 || legacy)) {
            assert_int_equal(f->vcpu.regs.x[n], before->x[n]);
        }
    }
}

// A call that is finished or handed out in the usual way: the PC is behind it, and as long as the
// host has it no register changes.
static inline RISCVNext checked_call(Fixture *f, const Call *call)
{
    RISCVGuestRegs before;
    RISCVNext next;

    f->vcpu.regs.x[A7] = call->eid;
    f->vcpu.regs.x[A6] = call->fid;
    memcpy(&f->vcpu.regs.x[A0], call->args, sizeof(call->args));
    before = f->vcpu.regs;
    next = make_call(f, call);
    assert_int_equal(f->vcpu.regs.pc, GUEST_PC + 4);
    assert_results_only(f, &before, call->eid < 9);
    if (next == RISCV_EXIT) {
        assert_int_equal(f->vcpu.regs.x[A0], before.x[A0]);
        assert_int_equal(f->vcpu.regs.x[A1], before.x[A1]);
    }
    return next;
}

#define CALL(id, function, ...) \
    (&(const Call){.eid = (id), .fid = (function), .args = {__VA_ARGS__}})

// Finished inside with `error` and `value`.
static inline void assert_answer(Fixture *f, const Call *call, uint64_t error, uint64_t value)
{
    assert_int_equal(checked_call(f, call), RISCV_RESUME);
    assert_int_equal(f->exit.reason, AX_EXIT_COUNT);
    assert_int_equal(f->vcpu.regs.x[A0], error);
    if (call->eid >= 9) {
        assert_int_equal(f->vcpu.regs.x[A1], value);
    }
}

static inline const AxVCpuExit *assert_exit(Fixture *f, const Call *call, AxVCpuExitReason reason)
{
    assert_int_equal(checked_call(f, call), RISCV_EXIT);
    assert_int_equal(f->exit.reason, reason);
    return &f->exit;
}

// The host completes what the last call handed out.
static inline void complete(Fixture *f, AxError result, uint64_t value)
{
    const RISCVGuestRegs before = f->vcpu.regs;

    assert_int_equal(riscv_complete_call(&f->vcpu, &f->exit, result, value), AX_OK);
    assert_results_only(f, &before, before.x[A7] < 9);
    assert_int_equal(f->vcpu.regs.pc, before.pc);
}

static inline void assert_results(const Fixture *f, uint64_t error, uint64_t value)
{
    assert_int_equal(f->vcpu.regs.x[A0], error);
    assert_int_equal(f->vcpu.regs.x[A1], value);
}

// The error that the guest sees of a completion, for every AxError but AX_OK. Entries that are 0
// stand for FAILED.
static inline void assert_errors(Fixture *f, const Call *call, const uint64_t *expected)
{
    for (AxError error = AX_EINVAL; error < AX_ERROR_COUNT; error++) {
        assert_int_equal(checked_call(f, call), RISCV_EXIT);
        complete(f, error, 0x1234);
        assert_int_equal(f->vcpu.regs.x[A0], expected[error] != 0 ? expected[error] : FAILED);
        if (call->eid >= 9) {
            assert_int_equal(f->vcpu.regs.x[A1], 0);
        }
    }
}
