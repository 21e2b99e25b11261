// SPDX-License-Identifier: Apache-2.0
#include "x86_sim.h"

#include "svm/vmcb.h"
#include "x86.h"

#include <string.h>

_Thread_local X86Sim x86_sim;

static const X86SimLeaf reset_leaves[] = {
    {0x0, {0xd, 0x68747541, 0x444d4163, 0x69746e65}},
    {0x1, {0x00060fb1, 0x00000800, 0xf6d8320b, 0x0f8bfbff}},
    {0x7, {0, 0x219c07ab, 0x00400004, 0}},
    {0xd, {7, 832, 832, 0}},
    {0x40000000, {0x40000001, 0x54474354, 0x43544743, 0x47435447}},
    {0x80000000, {0x8000000a, 0x68747541, 0x444d4163, 0x69746e65}},
    {0x80000001, {0x00060fb1, 0, 0x000007f7, 0xe7d3fbff}},
    {0x80000008, {0x3030, 0, 0, 0}},
    {0x8000000a, {1, 16, 0, 0x10010001}},
};

void x86_sim_reset(void)
{
    memset(&x86_sim, 0, sizeof(x86_sim));
    memcpy(x86_sim.leaves, reset_leaves, sizeof(reset_leaves));
    x86_sim.reg[X86_SIM_EFER] = EFER_SCE | EFER_LME | EFER_LMA;
    x86_sim.reg[X86_SIM_CR0] = CR0_PG | CR0_PE | CR0_ET | CR0_TS;
    x86_sim.reg[X86_SIM_CR4] = CR4_PAE;
    x86_sim.reg[X86_SIM_DR6] = DR6_RESET;
    x86_sim.reg[X86_SIM_DR7] = DR7_RESET;
    x86_sim.reg[X86_SIM_XCR0] = XCR0_X87;
    x86_sim.rflags = RFLAGS_FIXED | RFLAGS_IF;
}

X86CpuidResult *x86_sim_leaf(uint32_t leaf)
{
    size_t i = 0;

    while (i + 1 < X86_SIM_LEAVES && x86_sim.leaves[i].leaf != leaf &&
           (i == 0 || x86_sim.leaves[i].leaf != 0)) {
        i++;
    }
    x86_sim.leaves[i].leaf = leaf;
    return &x86_sim.leaves[i].result;
}

uint64_t x86_sim_read(X86SimReg reg)
{
    return x86_sim.reg[reg];
}

void x86_sim_write(X86SimReg reg, uint64_t value)
{
    x86_sim.reg[reg] = value;
    x86_sim.writes[reg]++;
}

X86CpuidResult x86_sim_cpuid(uint32_t leaf, uint32_t subleaf)
{
    (void)subleaf;
    for (size_t i = 0; i < X86_SIM_LEAVES; i++) {
        if (x86_sim.leaves[i].leaf == leaf) {
            return x86_sim.leaves[i].result;
        }
    }
    return (X86CpuidResult){0};
}

static void check_fp(void)
{
    x86_sim.illegal += (x86_sim.reg[X86_SIM_CR0] & (CR0_TS | CR0_EM)) != 0 ? 1 : 0;
}

void x86_sim_fp_save(void *area, uint64_t mask)
{
    check_fp();
    x86_sim.illegal += (mask & ~x86_sim.reg[X86_SIM_XCR0]) != 0 ? 1 : 0;
    memcpy(area, x86_sim.fp, mask != 0 ? X86_SIM_FP : 512);
}

void x86_sim_fp_load(const void *area, uint64_t mask)
{
    check_fp();
    x86_sim.illegal += (mask & ~x86_sim.reg[X86_SIM_XCR0]) != 0 ? 1 : 0;
    memcpy(x86_sim.fp, area, mask != 0 ? X86_SIM_FP : 512);
}

uint64_t x86_sim_take_event(Vmcb *vmcb)
{
    uint64_t event = vmcb->event_inj;

    vmcb->event_inj = 0;
    if ((vmcb->vintr & VINTR_IRQ) != 0 && (vmcb->intercept_1 & INTERCEPT_VINTR) == 0) {
        event = EVENT_VALID | (vmcb->vintr & VINTR_VECTOR) >> 32;
        vmcb->vintr &= ~VINTR_IRQ;
    }
    return event;
}

static bool entry_is_good(const X86GuestRegs *regs, const Vmcb *vmcb)
{
    return (x86_sim.reg[X86_SIM_EFER] & EFER_SVME) != 0 && x86_sim.reg[X86_SIM_VM_HSAVE_PA] != 0 &&
           x86_sim.vmsaved == regs->host_vmcb && (x86_sim.rflags & RFLAGS_IF) == 0 &&
           vmcb->np_enable == 1 && svm_entry_problem(vmcb) == NULL;
}

void x86_sim_enter(X86GuestRegs *regs)
{
    Vmcb *vmcb = (Vmcb *)(uintptr_t)regs->vmcb;

    x86_sim.illegal += entry_is_good(regs, vmcb) ? 0 : 1;
    x86_sim.entries++;
    vmcb->exit_int_info = 0;
    x86_sim.guest(regs, vmcb);
}
