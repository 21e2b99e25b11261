// SPDX-License-Identifier: Apache-2.0
// One exit of an Arm guest made from bytes: any syndrome, any instruction, any registers, and a host
// that answers as it likes. Used by the fuzzer and by a unit test with a fixed seed.
#pragma once

#include "arm.h"
#include "arm_regs.h"
#include "arm_sim.h"

#include <stdlib.h>
#include <string.h>

#define INPUT_VBAR UINT64_C(0xffff800020000000)
#define INPUT_PC   UINT64_C(0xffff800010000100)

// A broken promise ends the process, whoever runs it.
#define PROMISE(condition)  \
    do {                    \
        if (!(condition)) { \
            abort();        \
        }                   \
    } while (0)

typedef struct ArmExitInput {
    uint32_t instruction;
    uint8_t mode;
    uint8_t answers[3]; // of the host to the first exits
    uint64_t esr;
    uint64_t far;
    uint64_t hpfar;
    uint64_t par_stage1;
    uint64_t sctlr;
    uint64_t value; // read from a device, returned by a call
    uint64_t x[4];  // repeated
} ArmExitInput;

typedef struct ArmExitRun {
    Aarch64VCpu vcpu;
    AxVCpuStats stats;
    AxEvents events;
    AxVCpuHal hal;
    AxVCpuExit exit;
    const ArmExitInput *input;
} ArmExitRun;

static ArmExitRun arm_exit_run;

static uint64_t input_translate(uint64_t va)
{
    return (va & 0xfff) | UINT64_C(0xff00000040000000);
}

static uint64_t input_translate_stage1(uint64_t va)
{
    (void)va;
    return arm_exit_run.input->par_stage1;
}

static HostVirtAddr input_phys_to_virt(void *ctx, HostPhysAddr addr)
{
    ArmExitRun *run = ctx;

    PROMISE((addr.value & ~UINT64_C(0xfff)) == 0x40000000 && addr.value % 4 == 0);
    return ax_hva_from_ptr(&run->input->instruction);
}

static void check_decoder(uint32_t instruction)
{
    Aarch64LoadStore d;

    if (!aarch64_decode_load_store(instruction, &d)) {
        return;
    }
    PROMISE(ax_width_is_valid(d.width) && (d.reg_width == 4 || d.reg_width == 8));
    PROMISE(d.width <= d.reg_width && d.rt < 32 && d.rt2 < 32 && d.rn < 32);
    PROMISE(d.offset >= -512 && d.offset <= 504);
    PROMISE(!d.is_pair || d.width >= 4);
    PROMISE(d.is_load || !d.sign_extend);
    PROMISE(d.writeback || !d.post_index);
    PROMISE(!d.is_load || !d.is_pair || d.rt != d.rt2);
    PROMISE(!d.writeback || d.rn == 31 || d.rn != d.rt);
}

static void start_run(ArmExitRun *run, const ArmExitInput *input)
{
    static const uint64_t modes[] = {PSTATE_M_EL0T, PSTATE_M_EL1T, PSTATE_M_EL1H, PSTATE_NRW,
                                     PSTATE_NRW | PSTATE_T32};

    memset(run, 0, sizeof(*run));
    run->input = input;
    run->hal = (AxVCpuHal){.ctx = run, .phys_to_virt = input_phys_to_virt};
    run->vcpu.env = (AxArchVCpuEnv){.hal = &run->hal, .events = &run->events, .stats = &run->stats};
    for (unsigned n = 0; n < 31; n++) {
        run->vcpu.regs.x[n] = input->x[n % 4];
    }
    run->vcpu.regs.pc = INPUT_PC;
    run->vcpu.regs.pstate = modes[input->mode % 5] | (uint64_t)(input->mode / 5 & 0xf) << 28;
    run->vcpu.sys[AARCH64_VBAR_EL1] = INPUT_VBAR;
    run->vcpu.sys[AARCH64_SCTLR_EL1] = input->sctlr;
    run->vcpu.syndrome = (Aarch64Syndrome){
        .esr = input->esr, .far = input->far, .hpfar = input->hpfar};
    arm_sim.translate = input_translate;
    arm_sim.translate_stage1 = input_translate_stage1;
}

static void check_exit(const AxVCpuExit *exit)
{
    PROMISE(exit->reason < AX_EXIT_COUNT);
    if (exit->reason == AX_EXIT_MMIO_READ || exit->reason == AX_EXIT_MMIO_WRITE) {
        PROMISE(ax_width_is_valid(exit->mmio.width) && exit->mmio.reg < 32);
        PROMISE((exit->mmio.data & ~ax_width_mask(exit->mmio.width)) == 0);
    }
    if (exit->reason == AX_EXIT_NESTED_PAGE_FAULT) {
        PROMISE(exit->page_fault.access != 0 && (exit->page_fault.access & ~AX_MAP_RIGHTS) == 0);
        PROMISE(exit->page_fault.addr.value < UINT64_C(1) << 52);
    }
}

// True when a completion took it and the guest may go on.
static bool answer(ArmExitRun *run, uint8_t how)
{
    const AxVCpuExit *exit = &run->exit;
    Aarch64VCpu *vcpu = &run->vcpu;

    if (how % 8 == 0 && aarch64_complete_fault(vcpu, exit) == AX_OK) {
        return true;
    }
    if (how % 8 == 1) {
        return false; // a retry is no business of the backend
    }
    return aarch64_complete_read(vcpu, exit, run->input->value) == AX_OK ||
           aarch64_complete_write(vcpu, exit) == AX_OK ||
           aarch64_complete_call(vcpu, exit, (AxError)(how % AX_ERROR_COUNT), run->input->value) ==
               AX_OK;
}

static void check_guest(const Aarch64VCpu *vcpu)
{
    const uint64_t pc = vcpu->regs.pc;
    const uint64_t mode = vcpu->regs.pstate & (PSTATE_M | PSTATE_NRW);
    const uint64_t step = pc - INPUT_PC;
    const uint64_t vector = pc - INPUT_VBAR;

    PROMISE(step == 0 || step == 2 || step == 4 || (vector % 0x200 == 0 && vector <= 0x600));
    PROMISE(mode == PSTATE_M_EL0T || mode == PSTATE_M_EL1T || mode == PSTATE_M_EL1H ||
            mode == PSTATE_NRW);
    PROMISE(vector > 0x600 || (vcpu->regs.pstate & PSTATE_DAIF) == PSTATE_DAIF);
}

static void arm_exit_input(const uint8_t *data, size_t size)
{
    ArmExitRun *run = &arm_exit_run;
    ArmExitInput input;
    Aarch64Next next;

    memset(&input, 0, sizeof(input));
    memcpy(&input, data, size < sizeof(input) ? size : sizeof(input));
    check_decoder(input.instruction);
    start_run(run, &input);
    next = aarch64_handle_sync(&run->vcpu, &run->exit);
    for (size_t i = 0; i < sizeof(input.answers) && next == AARCH64_EXIT; i++) {
        check_exit(&run->exit);
        (void)answer(run, input.answers[i]);
        next = run->vcpu.split_step == AARCH64_SPLIT_NONE
                   ? AARCH64_RESUME
                   : aarch64_resume_split(&run->vcpu, &run->exit);
    }
    PROMISE(next == AARCH64_RESUME);
    check_guest(&run->vcpu);
}
