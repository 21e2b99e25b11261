// SPDX-License-Identifier: Apache-2.0
// One exit of a RISC-V guest made from bytes: any cause, any instruction, any CSRs and registers,
// and a host that answers as it likes. Used by the fuzzer and by a unit test with a fixed seed.
#pragma once

#include "riscv.h"
#include "riscv_regs.h"
#include "riscv_sim.h"

#include <axvcpu/event.h>

#include <stdlib.h>
#include <string.h>

#define INPUT_STVEC UINT64_C(0xffffffff80020000)
#define INPUT_PC    UINT64_C(0xffffffff80010100)

// A broken promise ends the process, whoever runs it.
#define PROMISE(condition)  \
    do {                    \
        if (!(condition)) { \
            abort();        \
        }                   \
    } while (0)

// Bits of RISCVExitInput.mode.
#define INPUT_SUPERVISOR 1u
#define INPUT_NO_LOW     2u // the guest cannot fetch the first half of its instruction ...
#define INPUT_NO_HIGH    4u // ... or the second
#define INPUT_NO_LOAD    8u // nor load the hart mask of a call
#define INPUT_NO_SSTC    16u

typedef struct RISCVExitInput {
    uint32_t instruction;
    uint8_t mode;
    uint8_t answers[3]; // of the host to the first exits
    uint64_t cause;
    uint64_t tval;
    uint64_t htval;
    uint64_t htinst;
    uint64_t vsstatus;
    uint64_t value; // read from a device or memory, returned by a call
    uint64_t x[4];  // repeated
    uint64_t eid;
    uint64_t fid;
} RISCVExitInput;

typedef struct RISCVExitRun {
    RISCVVCpu vcpu;
    RISCVPerCpu percpu;
    AxVCpuStats stats;
    AxEvents events;
    AxVCpuHal hal;
    AxEptRoot root;
    AxVCpuExit exit;
    const RISCVExitInput *input;
    bool fetch_failed;
} RISCVExitRun;

static RISCVExitRun riscv_exit_run;

static bool input_fetch(uint64_t va, uint16_t *out)
{
    RISCVExitRun *run = &riscv_exit_run;
    const uint64_t offset = va - INPUT_PC;

    PROMISE(offset == 0 || offset == 2);
    if ((run->input->mode & (offset == 0 ? INPUT_NO_LOW : INPUT_NO_HIGH)) != 0) {
        run->fetch_failed = true;
        return false;
    }
    *out = (uint16_t)(run->input->instruction >> (8 * offset));
    return true;
}

static bool input_load(uint64_t va, uint64_t *out)
{
    const RISCVExitInput *input = riscv_exit_run.input;

    (void)va;
    *out = input->value;
    return (input->mode & INPUT_NO_LOAD) == 0;
}

static void input_set_deadline(void *ctx, uint64_t deadline_ns)
{
    (void)ctx;
    (void)deadline_ns;
}

static uint64_t input_now_ns(void *ctx)
{
    (void)ctx;
    return 0;
}

static void check_decoder(uint32_t instruction)
{
    RISCVLoadStore d;

    if (!riscv_decode_load_store(instruction, &d)) {
        return;
    }
    PROMISE(ax_width_is_valid(d.width) && d.reg < 32 && d.base < 32);
    PROMISE(d.offset >= -2048 && d.offset < 2048);
    PROMISE(d.is_load || !d.sign_extend);
    PROMISE(d.width < 8 || !d.sign_extend);
    PROMISE(!riscv_is_atomic_store(instruction));
    if ((instruction & 3) != 3) {
        PROMISE(d.width >= 4 && d.offset >= 0 && d.offset % (int64_t)d.width == 0);
        PROMISE(d.base == 2 || (d.base >= 8 && d.base < 16));
        PROMISE(!d.is_load || d.reg != 0);
    }
}

// As run leaves it: bound, and the hart's CSRs as the guest left them.
static void start_run(RISCVExitRun *run, const RISCVExitInput *input)
{
    memset(run, 0, sizeof(*run));
    run->input = input;
    run->hal = (AxVCpuHal){.ctx = run, .set_deadline = input_set_deadline, .now_ns = input_now_ns};
    run->percpu.features.has_sstc = (input->mode & INPUT_NO_SSTC) == 0;
    run->vcpu.env = (AxArchVCpuEnv){.hal = &run->hal, .events = &run->events, .stats = &run->stats};
    run->vcpu.percpu = &run->percpu;
    run->vcpu.ept = &run->root;
    run->root.gpa_bits = 41;
    run->vcpu.create.timebase_hz = 10000000;
    for (unsigned n = 1; n < 32; n++) {
        run->vcpu.regs.x[n] = input->x[n % 4];
    }
    run->vcpu.regs.x[16] = input->fid;
    run->vcpu.regs.x[17] = input->eid;
    run->vcpu.regs.pc = INPUT_PC;
    run->vcpu.trap = (RISCVTrap){
        .cause = input->cause, .tval = input->tval, .htval = input->htval, .htinst = input->htinst};
    rv_sim.hlvx_hu = input_fetch;
    rv_sim.hlv_d = input_load;
    rv_sim.reg[RV_REG_VSTVEC] = INPUT_STVEC;
    rv_sim.reg[RV_REG_VSSTATUS] = input->vsstatus;
    rv_sim.reg[RV_REG_HSTATUS] = HSTATUS_SPV;
    rv_sim.reg[RV_REG_SSTATUS] = 0;
    run->vcpu.live = true;
    riscv_set_guest_mode(&run->vcpu, (input->mode & INPUT_SUPERVISOR) != 0);
}

// Back at the host.
static void leave_run(RISCVVCpu *vcpu)
{
    vcpu->live = false;
    vcpu->hstatus = rv_sim.reg[RV_REG_HSTATUS];
    vcpu->sstatus = rv_sim.reg[RV_REG_SSTATUS];
}

static void check_exit(const AxVCpuExit *exit)
{
    PROMISE(exit->reason < AX_EXIT_COUNT);
    switch (exit->reason) {
    case AX_EXIT_MMIO_READ:
    case AX_EXIT_MMIO_WRITE:
        PROMISE(ax_width_is_valid(exit->mmio.width) && exit->mmio.reg < 32);
        PROMISE((exit->mmio.data & ~ax_width_mask(exit->mmio.width)) == 0);
        PROMISE(exit->mmio.addr.value % AX_PAGE_SIZE + exit->mmio.width <= AX_PAGE_SIZE ||
                (exit->mmio.addr.value ^ (riscv_exit_run.input->tval)) % AX_PAGE_SIZE != 0);
        break;
    case AX_EXIT_NESTED_PAGE_FAULT:
        PROMISE(exit->page_fault.access == AX_MAP_READ || exit->page_fault.access == AX_MAP_WRITE ||
                exit->page_fault.access == AX_MAP_EXECUTE);
        break;
    case AX_EXIT_SYSREG_READ:
    case AX_EXIT_SYSREG_WRITE:
        PROMISE(exit->sysreg.addr.value < 4096 && exit->sysreg.reg < 32);
        PROMISE((exit->sysreg.addr.value >> 8 & 3) <= 1);
        break;
    default: break;
    }
}

// True when the guest may go on, which a retry does where it stands.
static bool answer(RISCVExitRun *run, uint8_t how)
{
    const AxVCpuExit *exit = &run->exit;
    RISCVVCpu *vcpu = &run->vcpu;

    if (how % 8 == 0 && riscv_complete_fault(vcpu, exit) == AX_OK) {
        return true;
    }
    if (how % 8 == 1 && exit->reason != AX_EXIT_SYSREG_READ &&
        exit->reason != AX_EXIT_SYSREG_WRITE) {
        return false; // a retry is no business of the backend
    }
    return riscv_complete_read(vcpu, exit, run->input->value) == AX_OK ||
           riscv_complete_write(vcpu, exit) == AX_OK ||
           riscv_complete_call(vcpu, exit, (AxError)(how % AX_ERROR_COUNT), run->input->value) ==
               AX_OK;
}

static bool is_trapped(const RISCVVCpu *vcpu)
{
    return vcpu->regs.pc == INPUT_STVEC;
}

static void check_guest(const RISCVExitRun *run)
{
    const RISCVVCpu *vcpu = &run->vcpu;
    const uint64_t step = vcpu->regs.pc - INPUT_PC;

    PROMISE(vcpu->regs.x[0] == 0);
    PROMISE(vcpu->csr_step == RISCV_CSR_NONE);
    if (run->input->cause == CAUSE_ECALL_VS) {
        return; // a hart that was suspended starts where it asked for
    }
    PROMISE(step == 0 || step == 2 || step == 4 || is_trapped(vcpu));
    if (is_trapped(vcpu)) {
        PROMISE(rv_sim.reg[RV_REG_VSEPC] == INPUT_PC && rv_sim.reg[RV_REG_VSCAUSE] < 20);
        PROMISE((rv_sim.reg[RV_REG_VSSTATUS] & SSTATUS_SIE) == 0);
        PROMISE(riscv_guest_is_supervisor(vcpu));
    }
}

static void riscv_exit_input(const uint8_t *data, size_t size)
{
    RISCVExitRun *run = &riscv_exit_run;
    bool moves = true; // the guest is not left to do the same again
    RISCVExitInput input;
    RISCVNext next;

    memset(&input, 0, sizeof(input));
    memcpy(&input, data, size < sizeof(input) ? size : sizeof(input));
    check_decoder(input.instruction);
    start_run(run, &input);
    next = riscv_handle_sync(&run->vcpu, &run->exit);
    leave_run(&run->vcpu);
    for (size_t i = 0; i < sizeof(input.answers) && next == RISCV_EXIT; i++) {
        check_exit(&run->exit);
        moves = answer(run, input.answers[i]);
        next = run->vcpu.csr_step == RISCV_CSR_NONE ? RISCV_RESUME
                                                    : riscv_resume_csr(&run->vcpu, &run->exit);
    }
    PROMISE(next == RISCV_RESUME);
    check_guest(run);
    PROMISE(run->vcpu.regs.pc != INPUT_PC || !moves || run->fetch_failed);
}
