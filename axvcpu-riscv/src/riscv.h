// SPDX-License-Identifier: Apache-2.0
// Seams between the files of the backend. Order: as a guest runs through them.
#pragma once

#include "riscv_hw.h"
#include "riscv_regs.h"

#include <assert.h>
#include <axvcpu-riscv/percpu.h>
#include <axvcpu-riscv/vcpu.h>
#include <stdatomic.h>

// Of what rare exits need: the common ones shall not save registers for it.
#define RISCV_RARE __attribute__((noinline))

// What an exit handler decides.
typedef enum RISCVNext {
    RISCV_RESUME, // finished here, enter the guest again
    RISCV_EXIT,   // *exit is filled, return from run
} RISCVNext;

// ---- world_switch.S, fp.S (simulated in hosted builds) ----
// rv_enter_guest(regs) is in riscv_hw.h: it returns scause of the exit with *regs updated.
extern char riscv_guest_vector[];
void riscv_fp_save(RISCVFp *fp);
void riscv_fp_load(const RISCVFp *fp);

// ---- detect.c ----
void riscv_features_read(RISCVFeatures *features);
// Most levels of a G-stage of this hart; 0 without any. Safe on every CPU.
uint8_t riscv_gstage_levels(void);

// ---- run.c ----
AxError riscv_run(void *arch, AxVCpuExit *exit);

// ---- state.c: VS CSRs, FP; at bind and unbind only ----
void riscv_state_reset(RISCVVCpu *vcpu);
void riscv_state_load(RISCVVCpu *vcpu);
void riscv_state_save(RISCVVCpu *vcpu);
// hstatus of a guest that does not trap waiting; SPV set, SPVP for S mode.
uint64_t riscv_hstatus_base(void);
// The FP registers move at bind and, when sstatus.FS is Dirty, at unbind.
void riscv_fp_use(RISCVVCpu *vcpu);
void riscv_fp_release(RISCVVCpu *vcpu);
// The guest's FP registers, wherever they are.
void riscv_fp_peek(const RISCVVCpu *vcpu, RISCVFp *out);
void riscv_fp_poke(RISCVVCpu *vcpu, const RISCVFp *fp);
// A live VS CSR of a bound vCPU, from the hardware; of another one from memory.
uint64_t riscv_sysreg_get(const RISCVVCpu *vcpu, RISCVSysReg reg);
void riscv_sysreg_set(RISCVVCpu *vcpu, RISCVSysReg reg, uint64_t value);
// S mode (true) or U mode of the guest: hstatus.SPVP and sstatus.SPP, in hardware or not.
bool riscv_guest_is_supervisor(const RISCVVCpu *vcpu);
void riscv_set_guest_mode(RISCVVCpu *vcpu, bool supervisor);

// ---- regs.c: register ids ----
AxError riscv_get_reg(const void *arch, AxRegId reg, uint64_t *value);
AxError riscv_set_reg(void *arch, AxRegId reg, uint64_t value);
extern const AxRegId riscv_reg_ids[];
// x1..x31, PC, MODE, the VS CSRs, HVIP, TIMECMP, HTIMEDELTA, fcsr, f0..f31
#define RISCV_REG_ID_COUNT (31u + 2u + RISCV_SYSREG_COUNT + 3u + 33u)
static inline uint64_t riscv_x(const RISCVVCpu *vcpu, uint32_t n)
{
    return vcpu->regs.x[n % 32];
}

static inline void riscv_set_x(RISCVVCpu *vcpu, uint32_t n, uint64_t value)
{
    if (n % 32 != 0) {
        vcpu->regs.x[n % 32] = value;
    }
}

// ---- exit.c: synchronous exits by scause, one const table ----
RISCVNext riscv_handle_sync(RISCVVCpu *vcpu, AxVCpuExit *exit);
// Counts what it finishes itself in env.stats->handled.
// *exit for what has no treatment, with the raw cause; always RISCV_EXIT.
RISCVNext riscv_exit_unhandled(const RISCVVCpu *vcpu, AxVCpuExit *exit);
// Completions, the counterpart of what handle_sync handed out.
AxError riscv_complete_read(void *arch, const AxVCpuExit *exit, uint64_t value);
AxError riscv_complete_write(void *arch, const AxVCpuExit *exit);
AxError riscv_complete_call(void *arch, const AxVCpuExit *exit, AxError result, uint64_t value);
AxError riscv_complete_fault(void *arch, const AxVCpuExit *exit);
static inline void riscv_advance_pc(RISCVVCpu *vcpu, unsigned size)
{
    vcpu->regs.pc += size;
}

// ---- abort.c: guest page faults; decode.c: load/store instructions ----
RISCVNext riscv_handle_data_fault(RISCVVCpu *vcpu, AxVCpuExit *exit);
RISCVNext riscv_handle_fetch_fault(RISCVVCpu *vcpu, AxVCpuExit *exit);
AxError riscv_complete_mmio(RISCVVCpu *vcpu, const AxVCpuExit *exit, uint64_t value);
// The instruction at the guest's PC, 16 or 32 bits wide (*size 2 or 4). False when the guest cannot
// fetch it itself: it changed its tables since. Inside run only: needs hstatus as the exit left it.
bool riscv_fetch_instruction(const RISCVVCpu *vcpu, uint32_t *instruction, unsigned *size);

// One RV64 load or store of a general register. Sizes in bytes.
typedef struct RISCVLoadStore {
    bool is_load;
    bool sign_extend; // to 64 bits
    AccessWidth width;
    uint8_t reg;    // destination or source
    uint8_t base;   // register of the address ...
    int64_t offset; // ... and what is added to it
} RISCVLoadStore;
// False when `instruction` (2 or 4 bytes, by its lowest bits) is none, or one that cannot be emulated
// (FP, LR/SC, AMO, vector).
bool riscv_decode_load_store(uint32_t instruction, RISCVLoadStore *out);
// SC or AMO: it needs the right to write, also where the CPU reports a load (QEMU 7.2).
bool riscv_is_atomic_store(uint32_t instruction);
// Any instruction that writes memory, as far as guests may have it.
bool riscv_is_store(uint32_t instruction);

// ---- sysreg.c: virtual-instruction exceptions: CSRs, WFI, and what a guest may not have ----
RISCVNext riscv_handle_virtual_instruction(RISCVVCpu *vcpu, AxVCpuExit *exit);
void riscv_complete_csr_read(RISCVVCpu *vcpu, uint64_t value);
void riscv_complete_csr_write(RISCVVCpu *vcpu);

// Values of vcpu->csr_step: the write of a CSR access that had to read first.
enum {
    RISCV_CSR_NONE,
    RISCV_CSR_WRITE_DUE, // the read was completed
};
// run calls it first of all when vcpu->csr_step is not 0, before events change the guest's PC: fills
// *exit, RISCV_EXIT.
RISCVNext riscv_resume_csr(RISCVVCpu *vcpu, AxVCpuExit *exit);

// ---- firmware/: SBI ----
// The caller has advanced the PC behind the ECALL.
RISCVNext riscv_handle_firmware_call(RISCVVCpu *vcpu, AxVCpuExit *exit);
// Puts into a0 and a1 what the host completed a firmware exit with. AX_EINVAL when it is none, or
// `result` is no AxError.
AxError riscv_firmware_complete(RISCVVCpu *vcpu, const AxVCpuExit *exit, AxError result,
                                uint64_t value);

// ---- exception.c: exceptions into VS mode ----
// Enters vstvec with `cause`; the guest's PC goes to vsepc.
void riscv_inject_trap(RISCVVCpu *vcpu, uint64_t cause, uint64_t tval);
void riscv_inject_illegal(RISCVVCpu *vcpu, uint64_t instruction);
// Access fault for the guest page fault of vcpu->trap.
void riscv_inject_access_fault(RISCVVCpu *vcpu);
// The exception of vcpu->trap, as it came.
void riscv_reflect_trap(RISCVVCpu *vcpu);
// AX_EINVAL for a cause that is an interrupt, or none that VS mode can have.
AxError riscv_inject_exception(RISCVVCpu *vcpu, const AxException *exception);

// ---- interrupt.c: hvip ----
void riscv_interrupt_reset(RISCVVCpu *vcpu);
void riscv_interrupt_load(RISCVVCpu *vcpu); // bind
void riscv_interrupt_save(RISCVVCpu *vcpu); // unbind
void riscv_interrupt_refresh(RISCVVCpu *vcpu, bool has_requests);
// Before each entry.
static inline void riscv_interrupt_enter(RISCVVCpu *vcpu, uint32_t summary)
{
    if ((summary & (AX_EVENT_IRQ | AX_EVENT_REQUEST)) != 0 || vcpu->interrupts.look_again) {
        riscv_interrupt_refresh(vcpu, (summary & AX_EVENT_REQUEST) != 0);
    }
}
// Clears the guest's software interrupt (sip.SSIP) as itself would; true when it was pending. Bound.
bool riscv_interrupt_clear_software(RISCVVCpu *vcpu);
// Once at the end of run: the guest may have cleared VSSIP, its timer may have fired.
void riscv_interrupt_exit(RISCVVCpu *vcpu);
AxIrqState riscv_interrupt_state(const void *arch, uint32_t irq);
bool riscv_interrupt_wakeup_pending(const RISCVVCpu *vcpu);
// RISCV_REG_HVIP: AX_ENOENT for an id of somebody else, AX_EINVAL for a value that is refused.
AxError riscv_interrupt_get_reg(const RISCVVCpu *vcpu, AxRegId reg, uint64_t *value);
AxError riscv_interrupt_set_reg(RISCVVCpu *vcpu, AxRegId reg, uint64_t value);

// ---- timer.c ----
void riscv_timer_reset(RISCVVCpu *vcpu);
void riscv_timer_load(RISCVVCpu *vcpu); // bind
void riscv_timer_save(RISCVVCpu *vcpu); // unbind
// SBI set_timer: guest time; clears the pending interrupt when it lies ahead. Bound.
void riscv_timer_set(RISCVVCpu *vcpu, uint64_t deadline);
// Before each entry, without Sstc: raises the interrupt when it is due, or tells the host when that
// will be.
void riscv_timer_poll(RISCVVCpu *vcpu);
static inline void riscv_timer_enter(RISCVVCpu *vcpu)
{
    if (!vcpu->percpu->features.has_sstc) {
        riscv_timer_poll(vcpu);
    }
}
bool riscv_timer_asserted(const RISCVVCpu *vcpu); // guest time has reached the deadline
bool riscv_timer_wakeup_pending(const RISCVVCpu *vcpu);
uint64_t riscv_next_deadline(const void *arch);
// RISCV_REG_TIMECMP, RISCV_REG_HTIMEDELTA: AX_ENOENT for an id of somebody else.
AxError riscv_timer_get_reg(const RISCVVCpu *vcpu, AxRegId reg, uint64_t *value);
AxError riscv_timer_set_reg(RISCVVCpu *vcpu, AxRegId reg, uint64_t value);

// ---- ept.c, vmid.c: G-stage ----
// Sv39x4, Sv48x4 and Sv57x4 have 3, 4 and 5 levels and translate 41, 50 and 59 bits.
#define RISCV_GSTAGE_LEVELS_MIN 3u
static inline uint64_t riscv_gstage_mode(uint8_t levels)
{
    return HGATP_MODE_SV39X4 + levels - RISCV_GSTAGE_LEVELS_MIN;
}

static inline uint8_t riscv_gstage_bits(uint8_t levels)
{
    return (uint8_t)(12 + 9 * levels + 2);
}
// AX_EINVAL, AX_EALIGN or AX_ENOTSUP when this hart cannot use `root`.
AxError riscv_ept_root_check(const AxEptRoot *root);
uint64_t riscv_hgatp(const AxEptRoot *root, uint64_t vmid);
// Takes the VMID of the VM for one bound vCPU; see axvcpu/tag.h. VMID 0 on harts without VMIDs,
// where every change of VM flushes.
AxError riscv_vmid_acquire(RISCVVCpu *vcpu);
void riscv_vmid_release(RISCVVCpu *vcpu);
// The VMID that TLB entries of `root` may carry; false when there are none.
bool riscv_vmid_find(const AxEptRoot *root, uint64_t *vmid);
// What has to go before this vCPU enters the guest here, with hgatp set; at bind.
void riscv_vmid_flush(RISCVVCpu *vcpu);
// Carries out what siblings and the host asked for; before an entry, with hgatp set.
void riscv_fence(RISCVVCpu *vcpu);
