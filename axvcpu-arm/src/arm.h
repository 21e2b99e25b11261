// SPDX-License-Identifier: Apache-2.0
// Seams between the files of the backend. Order: as a guest runs through them.
#pragma once

#include "arm_hw.h"
#include "arm_regs.h"

#include <assert.h>
#include <axvcpu-arm/percpu.h>
#include <axvcpu-arm/vcpu.h>
#include <stdatomic.h>

// Of what rare exits need: the common ones shall not save registers for it.
#define AARCH64_RARE __attribute__((noinline))

// What an exit handler decides.
typedef enum Aarch64Next {
    AARCH64_RESUME, // finished here, enter the guest again
    AARCH64_EXIT,   // *exit is filled, return from run
} Aarch64Next;

// Which vector of the lower exception level was taken; set by world_switch.S. ESR_EL2 is stale for
// all but the synchronous one.
typedef enum Aarch64Vector {
    AARCH64_VECTOR_SYNC = 0,
    AARCH64_VECTOR_IRQ = 1,
    AARCH64_VECTOR_FIQ = 2,
    AARCH64_VECTOR_SERROR = 3,
} Aarch64Vector;

// ---- world_switch.S, fp.S (simulated in hosted builds) ----
// aarch64_enter_guest(regs) is in arm_hw.h: it returns the vector of the exit with *regs updated.
extern char aarch64_vectors[];
void aarch64_fp_save(Aarch64Fp *fp);
void aarch64_fp_load(const Aarch64Fp *fp);

// ---- detect.c ----
void aarch64_features_read(Aarch64Features *features);

// ---- percpu.c ----
// VBAR_EL2 of the host with the number of enabled pCPUs in its zero bits 10:0. world_switch.S needs
// it when an exception is taken at EL2 on our vectors, where no register is free to find a pCPU.
extern _Atomic uint64_t aarch64_host_vbar;

// ---- run.c ----
AxError aarch64_run(void *arch, AxVCpuExit *exit);

// ---- state.c: EL1 registers, FP; at bind and unbind only ----
void aarch64_state_reset(Aarch64VCpu *vcpu);
void aarch64_state_load(Aarch64VCpu *vcpu);
void aarch64_state_save(Aarch64VCpu *vcpu);
// MDSCR_EL1 as the guest sees it; the single-step bits act.
void aarch64_mdscr_set(Aarch64VCpu *vcpu, uint64_t value);
// HCR_EL2 of a guest that does not trap waiting.
uint64_t aarch64_hcr_base(void);
// Sets a bit of the guest's HCR_EL2, e.g. HCR_EL2_VSE, bound or not.
void aarch64_hcr_set(Aarch64VCpu *vcpu, uint64_t bits);
// CPTR_EL2 while in the guest.
static inline uint64_t aarch64_cptr(const Aarch64VCpu *vcpu)
{
    return CPTR_EL2_RES1 | CPTR_EL2_TZ | CPTR_EL2_TSM | CPTR_EL2_TTA | CPTR_EL2_TAM |
           ax_put(!vcpu->fp_loaded, CPTR_EL2_TFP);
}
// FP: trapped until first use after a bind. aarch64_fp_use is called inside run only.
void aarch64_fp_use(Aarch64VCpu *vcpu);
void aarch64_fp_release(Aarch64VCpu *vcpu);
// The guest's FP registers, wherever they are.
void aarch64_fp_peek(const Aarch64VCpu *vcpu, Aarch64Fp *out);
// A live EL1 register of a bound vCPU, from the hardware; of another one from memory.
uint64_t aarch64_sysreg_get(const Aarch64VCpu *vcpu, Aarch64SysReg reg);
void aarch64_sysreg_set(Aarch64VCpu *vcpu, Aarch64SysReg reg, uint64_t value);

// ---- regs.c: register ids ----
AxError aarch64_get_reg(const void *arch, AxRegId reg, uint64_t *value);
AxError aarch64_set_reg(void *arch, AxRegId reg, uint64_t value);
extern const AxRegId aarch64_reg_ids[];
#define AARCH64_REG_ID_COUNT                                                                       \
    (31u + 2u + AARCH64_SYSREG_COUNT + 5u + 1u + 1u + 2u * AARCH64_APR_MAX + AARCH64_LR_MAX + 2u + \
     64u)
// General register by its encoding, 31 = XZR.
static inline uint64_t aarch64_x(const Aarch64VCpu *vcpu, uint32_t n)
{
    return n < 31 ? vcpu->regs.x[n] : 0;
}

static inline void aarch64_set_x(Aarch64VCpu *vcpu, uint32_t n, uint64_t value)
{
    if (n < 31) {
        vcpu->regs.x[n] = value;
    }
}

// ---- exit.c: synchronous exits by exception class, one const table ----
Aarch64Next aarch64_handle_sync(Aarch64VCpu *vcpu, AxVCpuExit *exit);
Aarch64Next aarch64_handle_serror(Aarch64VCpu *vcpu, AxVCpuExit *exit);
// Both count what they finish themselves in env.stats->handled.
// *exit for what has no treatment, with the raw syndrome; always AARCH64_EXIT.
Aarch64Next aarch64_exit_unhandled(const Aarch64VCpu *vcpu, AxVCpuExit *exit);
// Completions, the counterpart of what handle_sync handed out.
AxError aarch64_complete_read(void *arch, const AxVCpuExit *exit, uint64_t value);
AxError aarch64_complete_write(void *arch, const AxVCpuExit *exit);
AxError aarch64_complete_call(void *arch, const AxVCpuExit *exit, AxError result, uint64_t value);
AxError aarch64_complete_fault(void *arch, const AxVCpuExit *exit);
// Steps over the trapped instruction by its length in ESR_EL2.IL, and the single-step state.
void aarch64_advance_a32(Aarch64VCpu *vcpu);
static inline void aarch64_advance_pc(Aarch64VCpu *vcpu)
{
    if ((vcpu->regs.pstate & PSTATE_NRW) != 0) {
        aarch64_advance_a32(vcpu);
        return;
    }
    vcpu->regs.pc += 4;
    vcpu->regs.pstate &= ~(PSTATE_SS | PSTATE_BTYPE);
}

// ---- abort.c: stage-2 aborts; decode.c: load/store instructions without ISV ----
Aarch64Next aarch64_handle_data_abort(Aarch64VCpu *vcpu, AxVCpuExit *exit);
Aarch64Next aarch64_handle_instruction_abort(Aarch64VCpu *vcpu, AxVCpuExit *exit);

// Values of vcpu->split_step: the second transfer of a pair access, after the first was completed.
enum {
    AARCH64_SPLIT_NONE,
    AARCH64_SPLIT_DUE,
    AARCH64_SPLIT_OUT, // handed out
};
AxError aarch64_complete_mmio(Aarch64VCpu *vcpu, const AxVCpuExit *exit, uint64_t value);
// run calls it first of all when vcpu->split_step is not 0, before events change the guest's PC.
// AARCH64_EXIT with *exit filled, or AARCH64_RESUME.
Aarch64Next aarch64_resume_split(Aarch64VCpu *vcpu, AxVCpuExit *exit);

// One A64 load or store of general registers. Sizes in bytes.
typedef struct Aarch64LoadStore {
    bool is_load;
    bool sign_extend;
    bool is_pair;
    bool writeback;        // base + offset goes to the base
    bool post_index;       // the access is at the base alone
    AccessWidth width;     // of one transfer
    AccessWidth reg_width; // DWORD: Wt, QWORD: Xt
    uint8_t rt;
    uint8_t rt2;    // pair only
    uint8_t rn;     // base, 31 = SP
    int64_t offset; // of pairs and of write-back; 0 otherwise
} Aarch64LoadStore;
// False when `instruction` is none, or one that cannot be emulated (FP, exclusive, atomic, tag).
bool aarch64_decode_load_store(uint32_t instruction, Aarch64LoadStore *out);

// ---- sysreg.c: trapped system registers ----
Aarch64Next aarch64_handle_sysreg(Aarch64VCpu *vcpu, AxVCpuExit *exit);

// ---- firmware/: SMCCC services ----
Aarch64Next aarch64_handle_firmware_call(Aarch64VCpu *vcpu, AxVCpuExit *exit);
// What x0 becomes when the host completed a firmware exit.
uint64_t aarch64_firmware_result(const AxVCpuExit *exit, AxError result, uint64_t value);

// ---- exception.c: exceptions into EL1 ----
// Enters the EL1 vector with `esr`; FAR_EL1 is written when has_far.
void aarch64_inject_sync(Aarch64VCpu *vcpu, uint64_t esr, bool has_far, uint64_t far);
void aarch64_inject_undefined(Aarch64VCpu *vcpu);
// External abort on the faulting data or instruction access of vcpu->syndrome.
void aarch64_inject_abort(Aarch64VCpu *vcpu, bool instruction);
// The same with the fault status code `fsc`.
void aarch64_inject_fault(Aarch64VCpu *vcpu, bool instruction, uint64_t fsc);
// The exception of vcpu->syndrome, as it came.
void aarch64_reflect_sync(Aarch64VCpu *vcpu);
// AX_EINVAL when the class or the ISS has too many bits.
AxError aarch64_inject_exception(Aarch64VCpu *vcpu, const AxException *exception);

// ---- interrupt.c: list registers ----
void aarch64_gic_reset(Aarch64VCpu *vcpu);
void aarch64_gic_load(Aarch64VCpu *vcpu); // bind
void aarch64_gic_save(Aarch64VCpu *vcpu); // unbind
void aarch64_gic_refresh(Aarch64VCpu *vcpu, uint32_t summary);
void aarch64_gic_fold(Aarch64VCpu *vcpu);
// Before each entry.
static inline void aarch64_gic_enter(Aarch64VCpu *vcpu, uint32_t summary)
{
    const Aarch64VGic *gic = &vcpu->gic;

    if ((summary & (AX_EVENT_IRQ | AX_EVENT_REQUEST)) != 0 || gic->look_again || gic->linked != 0) {
        aarch64_gic_refresh(vcpu, summary);
    }
}
// After each exit, before the host can see PPI 25.
static inline void aarch64_gic_exit(Aarch64VCpu *vcpu)
{
    if (vcpu->gic.used != 0 || vcpu->gic.hcr != ICH_HCR_EN) {
        aarch64_gic_fold(vcpu);
    }
}
// Makes PPI `intid` pending, linked to the active physical interrupt of the same number.
void aarch64_gic_inject_linked(Aarch64VCpu *vcpu, uint32_t intid);
// The guest wrote ICC_DIR_EL1 (S3_0_C12_C11_1), which traps while ICH_HCR_EL2.TDIR is set. Any value
// is safe. The caller advances the PC.
void aarch64_gic_deactivate(Aarch64VCpu *vcpu, uint64_t intid);
// For interrupt_state.c. Moves what is in list registers that this pCPU does not have to others; bind
// only, before the hardware is loaded.
void aarch64_gic_fit(Aarch64VCpu *vcpu);
// Puts a checked value into list register n, taking the interrupt out of another one; not running.
void aarch64_gic_restore_lr(Aarch64VCpu *vcpu, unsigned n, uint64_t lr);
AxIrqState aarch64_gic_irq_state(const void *arch, uint32_t irq);
bool aarch64_gic_wakeup_pending(const Aarch64VCpu *vcpu);
// AARCH64_REG_ICH_*: AX_ENOENT for an id of somebody else, AX_EINVAL for a value that is refused.
AxError aarch64_gic_get_reg(const Aarch64VCpu *vcpu, AxRegId reg, uint64_t *value);
AxError aarch64_gic_set_reg(Aarch64VCpu *vcpu, AxRegId reg, uint64_t value);

// ---- timer.c: both EL1 timers, CNTV and CNTP, belong to the guest and never trap ----
void aarch64_timer_reset(Aarch64VCpu *vcpu);
void aarch64_timer_load(Aarch64VCpu *vcpu);   // bind; leaves them muted
void aarch64_timer_save(Aarch64VCpu *vcpu);   // unbind
void aarch64_timer_unmute(Aarch64VCpu *vcpu); // once at the begin of run: they may interrupt
// Once at the end of run: the host never sees them. The caller synchronises before it opens interrupts.
void aarch64_timer_mute(Aarch64VCpu *vcpu);
// True when the fetched `vector` is PPI 27 or 30: it is in a linked list register now, the guest's
// end of interrupt deactivates it, and irq_handler must not be called for it.
bool aarch64_timer_interrupt(Aarch64VCpu *vcpu, uint64_t vector);
bool aarch64_timer_asserted(const Aarch64VCpu *vcpu, uint32_t intid); // output of the timer
bool aarch64_timer_wakeup_pending(const Aarch64VCpu *vcpu);
uint64_t aarch64_next_deadline(const void *arch);
// AARCH64_REG_CNT*: AX_ENOENT for an id of somebody else, AX_EINVAL for a value that is refused.
AxError aarch64_timer_get_reg(const Aarch64VCpu *vcpu, AxRegId reg, uint64_t *value);
AxError aarch64_timer_set_reg(Aarch64VCpu *vcpu, AxRegId reg, uint64_t value);

// ---- ept.c, vmid.c: stage 2 ----
// AX_EINVAL, AX_EALIGN or AX_ENOTSUP when this pCPU cannot use `root`.
AxError aarch64_ept_root_check(const AxEptRoot *root);
uint64_t aarch64_vtcr(const Aarch64Features *features, const AxEptRoot *root);
uint64_t aarch64_vttbr(const AxEptRoot *root, uint64_t vmid);
// Takes the VMID of the VM for one bound vCPU; see axvcpu/tag.h.
AxError aarch64_vmid_acquire(AxEptRoot *root, uint8_t vmid_bits, uint64_t *vmid);
void aarch64_vmid_release(const AxEptRoot *root);
// The VMID that TLB entries of `root` may carry; false when there are none.
bool aarch64_vmid_find(const AxEptRoot *root, uint64_t *vmid);
// What has to go before this vCPU enters the guest here; at bind, with VTTBR_EL2 set.
void aarch64_vmid_flush(const Aarch64VCpu *vcpu);
// Carries out what the host asked for; before an entry. A guest needs none: its TLBI and IC are
// broadcast.
void aarch64_fence(Aarch64VCpu *vcpu);
