// SPDX-License-Identifier: Apache-2.0
// Seams between the files of the backend. Order: as a guest runs through them.
#pragma once

#include "vendor.h"
#include "x86_hw.h"
#include "x86_regs.h"

#include <assert.h>
#include <axvcpu-x86/percpu.h>
#include <axvcpu-x86/vcpu.h>
#include <stdatomic.h>

// Of what rare exits need: the common ones shall not save registers for it.
#define X86_RARE __attribute__((noinline))

// What an exit handler decides.
typedef enum X86Next {
    X86_RESUME, // finished here, enter the guest again
    X86_LEAVE,  // *exit is filled, return from run
} X86Next;

// ---- detect.c ----
void x86_features_read(const X86Vendor *vendor, X86Features *features);
uint8_t x86_physical_bits(void);
bool x86_has_1g_pages(void);
// Components of XSAVE that guests may switch on; 0 without XSAVE.
uint64_t x86_offered_xcr0(void);

// ---- run.c ----
AxError x86_run(void *arch, AxVCpuExit *exit);

// ---- state.c: FP and debug registers; at bind and unbind only ----
#define X86_FP_WORDS 104u // x87, SSE, header, AVX: 832 bytes
void x86_state_reset(X86VCpu *vcpu);
void x86_state_load(X86VCpu *vcpu);
void x86_state_save(X86VCpu *vcpu);
// DR0 to DR3, wherever they are.
void x86_debug_get(const X86VCpu *vcpu, uint64_t *dr);
void x86_debug_set(X86VCpu *vcpu, const uint64_t *dr);
AxError x86_fp_get(const X86VCpu *vcpu, uint32_t word, uint64_t *value);
AxError x86_fp_set(X86VCpu *vcpu, uint32_t word, uint64_t value);
void x86_xmm_get(const X86VCpu *vcpu, unsigned n, uint64_t *value); // 16 bytes each
void x86_xmm_set(X86VCpu *vcpu, unsigned n, const uint64_t *value);
// What XSETBV checks; false for a value that it refuses.
bool x86_xcr0_is_valid(uint64_t value);
uint64_t x86_xcr0(const X86VCpu *vcpu);
void x86_set_xcr0(X86VCpu *vcpu, uint64_t value);
// Real mode at segment:offset with everything else as after INIT.
void x86_start_at(X86VCpu *vcpu, uint16_t segment, uint64_t rip);

static inline uint64_t x86_read(const X86VCpu *vcpu, X86Field field)
{
    return vcpu->vendor->read(vcpu, field);
}

static inline void x86_write(X86VCpu *vcpu, X86Field field, uint64_t value)
{
    vcpu->vendor->write(vcpu, field, value);
}

static inline bool x86_is_64bit(const X86VCpu *vcpu)
{
    return (x86_read(vcpu, X86_FIELD_EFER) & EFER_LMA) != 0 &&
           (x86_read(vcpu, X86_FIELD_CS_ATTRIBUTES) & SEGMENT_LONG) != 0;
}

static inline unsigned x86_cpl(const X86VCpu *vcpu)
{
    return SEGMENT_DPL(x86_read(vcpu, X86_FIELD_SS_ATTRIBUTES));
}

// ---- regs.c: register ids ----
AxError x86_get_reg(const void *arch, AxRegId reg, uint64_t *value);
AxError x86_set_reg(void *arch, AxRegId reg, uint64_t value);
extern const AxRegId x86_reg_ids[];
// 16 GPRs, PC, seven by name, DR0..3, the fields, the local APIC, FP
#define X86_REG_ID_COUNT (16u + 8u + 4u + X86_FIELD_COUNT + X86_APIC_REG_COUNT + X86_FP_WORDS)

// ---- exit.c: exits by kind, one const table ----
X86Next x86_handle(X86VCpu *vcpu, AxVCpuExit *exit);
X86Next x86_exit_unhandled(const X86VCpu *vcpu, AxVCpuExit *exit);
// IDLE, HALT or TRIPLE_FAULT, by vcpu->activity.
X86Next x86_exit_inactive(const X86VCpu *vcpu, AxVCpuExit *exit);
AxError x86_complete_read(void *arch, const AxVCpuExit *exit, uint64_t value);
AxError x86_complete_write(void *arch, const AxVCpuExit *exit);
AxError x86_complete_call(void *arch, const AxVCpuExit *exit, AxError result, uint64_t value);
AxError x86_complete_fault(void *arch, const AxVCpuExit *exit);
// Behind the instruction that left: its shadow is over, and so is RF.
void x86_advance(X86VCpu *vcpu, unsigned length);
// The low `width` bytes of a register as instructions write them: 4 bytes clear the upper half.
void x86_set_gpr(X86VCpu *vcpu, unsigned n, unsigned width, uint64_t value);
static inline uint64_t x86_edx_eax(const X86VCpu *vcpu)
{
    return vcpu->regs.gpr[RDX] << 32 | (uint32_t)vcpu->regs.gpr[RAX];
}

static inline void x86_set_edx_eax(X86VCpu *vcpu, uint64_t value)
{
    vcpu->regs.gpr[RAX] = (uint32_t)value;
    vcpu->regs.gpr[RDX] = value >> 32;
}

// ---- control.c: MOV to CR0 and CR4, as far as they exit ----
X86Next x86_handle_control(X86VCpu *vcpu, AxVCpuExit *exit);

// ---- task.c: hardware task switches ----
X86Next x86_handle_task_switch(X86VCpu *vcpu, AxVCpuExit *exit);

// ---- cpuid.c ----
X86CpuidResult x86_guest_cpuid(const X86VCpu *vcpu, uint32_t leaf, uint32_t subleaf);

// ---- sysreg.c: MSRs ----
X86Next x86_handle_msr(X86VCpu *vcpu, AxVCpuExit *exit);
// Memory types that PAT may hold.
bool x86_pat_is_valid(uint64_t value);
AxError x86_complete_msr(X86VCpu *vcpu, const AxVCpuExit *exit, uint64_t value);

// ---- io.c: ports ----
X86Next x86_handle_io(X86VCpu *vcpu, AxVCpuExit *exit);
AxError x86_complete_io(X86VCpu *vcpu, const AxVCpuExit *exit, uint64_t value);

// ---- memory.c: the guest's own translation and memory ----
#define X86_FAULT_NESTED 0xffu // no memory with the right `error_code` at guest-physical `address`
typedef struct X86Fault {
    uint8_t vector; // or X86_FAULT_NESTED
    uint32_t error_code;
    uint64_t address;
} X86Fault;
bool x86_is_canonical(uint64_t linear); // of 48 bits
// access: PF_WRITE, PF_USER, PF_FETCH. Sets accessed and dirty flags. False with *fault what the
// guest's own access would meet.
bool x86_translate(const X86VCpu *vcpu, uint64_t linear, uint64_t access, uint64_t *gpa,
                   X86Fault *fault);
// Copies as the guest would at its CPL, at most a page. Nothing is written when the copy fails.
bool x86_read_memory(const X86VCpu *vcpu, uint64_t linear, uint64_t access, void *out, size_t size,
                     X86Fault *fault);
bool x86_write_memory(X86VCpu *vcpu, uint64_t linear, const void *data, size_t size,
                      X86Fault *fault);
// Whether the write would succeed: asked before a device is, which may not be asked twice.
bool x86_may_write(const X86VCpu *vcpu, uint64_t linear, size_t size, X86Fault *fault);
// The same for what the processor does by itself, in ring 0 whatever runs: descriptors, task states.
bool x86_read_system(const X86VCpu *vcpu, uint64_t linear, void *out, size_t size, X86Fault *fault);
bool x86_write_system(X86VCpu *vcpu, uint64_t linear, const void *data, size_t size,
                      X86Fault *fault);
bool x86_may_write_system(const X86VCpu *vcpu, uint64_t linear, size_t size, X86Fault *fault);
// The guest-physical address of each page of an access, of which the second may be none.
bool x86_translate_data(const X86VCpu *vcpu, uint64_t linear, size_t size, uint64_t access,
                        uint64_t *gpa, X86Fault *fault);
// The bytes at CS:RIP, up to 15; how many the guest can fetch.
size_t x86_fetch(const X86VCpu *vcpu, uint8_t *bytes);
// Base of segment 0 to 5 (ES to GS) as the guest's mode uses it.
uint64_t x86_segment_base(const X86VCpu *vcpu, unsigned segment);

// ---- abort.c: nested page faults, MMIO ----
X86Next x86_handle_nested_fault(X86VCpu *vcpu, AxVCpuExit *exit);
// What stands in the way of an instruction before its first access: for the guest, or for the host.
X86Next x86_raise(X86VCpu *vcpu, const X86Fault *fault, AxVCpuExit *exit);
// X86_DUE_MMIO, before events change anything: fills *exit.
X86Next x86_resume_mmio(X86VCpu *vcpu, AxVCpuExit *exit);
AxError x86_complete_mmio(X86VCpu *vcpu, const AxVCpuExit *exit, uint64_t value);

// ---- emulate.c: the rest of an instruction whose memory operand trapped ----
struct X86Instruction;
bool x86_is_string(const struct X86Instruction *in);
// Linear addresses of the memory operand, of MOVS and CMPS that of rSI, and of ES:[rDI].
uint64_t x86_operand_address(const X86VCpu *vcpu, const struct X86Instruction *in);
uint64_t x86_destination_address(const X86VCpu *vcpu, const struct X86Instruction *in);
// Those that return false would fault at their other operand in memory, and have changed nothing.
// Before the device is asked.
bool x86_emulate_check(X86VCpu *vcpu, const struct X86Instruction *in, X86Fault *fault);
// `memory` is what was read ...
bool x86_emulate_load(X86VCpu *vcpu, const struct X86Instruction *in, const uint64_t *memory,
                      X86Fault *fault);
// ... and becomes what is returned.
uint64_t x86_emulate_modify(X86VCpu *vcpu, const struct X86Instruction *in, uint64_t memory);
// What is written by one that does not read; up to 16 bytes.
bool x86_emulate_store(X86VCpu *vcpu, const struct X86Instruction *in, uint64_t *memory,
                       X86Fault *fault);
// Behind the instruction, or at the next element of a repeated one.
void x86_emulate_end(X86VCpu *vcpu, const struct X86Instruction *in);

// ---- exception.c ----
// Delivered at the next entry, with the rules of double faults; a triple one ends the run.
void x86_inject(X86VCpu *vcpu, uint8_t vector, bool has_error_code, uint32_t error_code);
void x86_inject_fault(X86VCpu *vcpu, const X86Fault *fault);
static inline void x86_inject_ud(X86VCpu *vcpu)
{
    x86_inject(vcpu, VECTOR_UD, false, 0);
}

static inline void x86_inject_gp(X86VCpu *vcpu)
{
    x86_inject(vcpu, VECTOR_GP, true, 0);
}
// #DB of RFLAGS.TF, after an instruction or an element of a repeated one that was finished here.
void x86_single_step(X86VCpu *vcpu);
AxError x86_inject_exception(X86VCpu *vcpu, const AxException *exception);

// ---- interrupt.c: the local APIC ----
#define X86_APIC_PAGE UINT64_C(0xfee00000)
void x86_lapic_reset(X86VCpu *vcpu);
// Takes events, delivers what the guest can take now, opens windows for the rest. False when the
// vector must be asked for first.
bool x86_interrupt_enter(X86VCpu *vcpu, uint32_t summary);
void x86_interrupt_exit(X86VCpu *vcpu); // once at the end of run
// An event that was taken from the APIC and could not be delivered goes back.
void x86_interrupt_put_back(X86VCpu *vcpu, const X86Event *event);
void x86_lapic_raise(X86VCpu *vcpu, uint8_t vector); // an edge
void x86_lapic_acknowledged(X86VCpu *vcpu, uint8_t vector);
X86Next x86_handle_eoi(X86VCpu *vcpu, AxVCpuExit *exit);
// The first or next of several start-up messages, X86_DUE_STARTUP: fills *exit.
X86Next x86_lapic_startup(X86VCpu *vcpu, AxVCpuExit *exit);
void x86_nmi_unblock(X86VCpu *vcpu);
void x86_nmi_iret(X86VCpu *vcpu);     // unblocked when the IRET at RIP is through
bool x86_iret_stepped(X86VCpu *vcpu); // whether #DB says that and nothing else
AxIrqState x86_interrupt_state(const void *arch, uint32_t irq);
bool x86_interrupt_wakeup_pending(const X86VCpu *vcpu);
bool x86_lapic_is_x2apic(const X86VCpu *vcpu);
uint8_t x86_lapic_tpr(const X86VCpu *vcpu);
bool x86_lapic_is_enabled(const X86VCpu *vcpu);
bool x86_lapic_is_running(const X86VCpu *vcpu); // enabled by software, too
// offset: of the xAPIC page; the register of x2APIC MSR m is (m - 0x800) << 4. False for #GP.
// A write may leave as SEND_IPI, CPU_UP or INTERRUPT_END: then *next is X86_LEAVE. The caller has
// advanced RIP.
bool x86_lapic_read(X86VCpu *vcpu, uint32_t offset, uint64_t *value);
bool x86_lapic_write(X86VCpu *vcpu, uint32_t offset, uint64_t value, AxVCpuExit *exit,
                     X86Next *next);
bool x86_set_apic_base(X86VCpu *vcpu, uint64_t value);
// As a guest does it: a local APIC that is switched off forgets everything (SDM volume 3, 11.4.3).
bool x86_write_apic_base(X86VCpu *vcpu, uint64_t value);

// ---- apic_regs.c: X86_REG_APIC; n is an X86ApicReg ----
AxError x86_apic_get(const X86VCpu *vcpu, uint32_t n, uint64_t *value);
AxError x86_apic_set(X86VCpu *vcpu, uint32_t n, uint64_t value);

// Offsets of registers that several files know.
#define LAPIC_LVT_TIMER     UINT32_C(0x320)
#define LAPIC_TIMER_INITIAL UINT32_C(0x380)
#define LAPIC_TIMER_CURRENT UINT32_C(0x390)
#define LAPIC_TIMER_DIVIDE  UINT32_C(0x3e0)
#define LVT_MASKED          X86_BIT(16)
#define LVT_TIMER_MODE(lvt) ((unsigned)((lvt) >> 17) & 3)
#define TIMER_ONE_SHOT      0u
#define TIMER_PERIODIC      1u
#define TIMER_TSC_DEADLINE  2u

// ---- timer.c: of the local APIC ----
void x86_timer_reset(X86VCpu *vcpu);
void x86_timer_load(X86VCpu *vcpu); // bind
void x86_timer_save(X86VCpu *vcpu); // unbind
void x86_timer_poll(X86VCpu *vcpu);
static inline void x86_timer_enter(X86VCpu *vcpu)
{
    if (vcpu->timer.deadline != AX_DEADLINE_NONE || vcpu->timer.announced != AX_DEADLINE_NONE) {
        x86_timer_poll(vcpu);
    }
}
uint32_t x86_timer_read(const X86VCpu *vcpu, uint32_t offset);
void x86_timer_write(X86VCpu *vcpu, uint32_t offset, uint32_t value);
void x86_timer_set_tsc_deadline(X86VCpu *vcpu, uint64_t value);
uint64_t x86_timer_tsc_deadline(const X86VCpu *vcpu);
// The mode in the LVT has changed from `before`.
void x86_timer_mode_changed(X86VCpu *vcpu, uint32_t before);
bool x86_timer_due(const X86VCpu *vcpu);
uint64_t x86_next_deadline(const void *arch);
uint64_t x86_guest_tsc(const X86VCpu *vcpu);
void x86_set_tsc_offset(X86VCpu *vcpu, uint64_t offset);
// By vcpu->create. AX_ENOTSUP, AX_EINVAL.
AxError x86_timer_set_pace(X86VCpu *vcpu);

// ---- pvclock.c: the MSRs of KVM's clock; false for what cannot be ----
bool x86_set_system_time(X86VCpu *vcpu, uint64_t value);
void x86_system_time_changed(X86VCpu *vcpu); // the TSC was set
bool x86_set_wall_clock(X86VCpu *vcpu, uint64_t value);

// ---- ept.c, vmid.c: nested tables and tags ----
// In the entries of both vendors: a leaf above the last level, and the address.
#define X86_EPT_PS   X86_BIT(7)
#define X86_EPT_ADDR UINT64_C(0x000ffffffffff000)
AxError x86_ept_root_shape(uint8_t gpa_bits, uint8_t *levels, uint8_t *root_frames);
// AX_EINVAL, AX_EALIGN or AX_ENOTSUP when this processor cannot use `root`.
AxError x86_ept_root_check(const X86VCpu *vcpu, const AxEptRoot *root);
// present: bits of which an entry that is in use has one at least.
AxEptEntryKind x86_ept_kind(uint64_t entry, uint8_t level, uint64_t present);
HostPhysAddr x86_ept_address(uint64_t entry, uint8_t level, AxEptEntryKind kind);
void x86_ept_sync(const void *memory, uint64_t size);
void x86_ept_publish(void);
void x86_ept_flush(AxEptRoot *root, GuestPhysAddr gpa, uint64_t size);
// Host memory behind a guest-physical address, at least to the end of its page; NULL when there is
// none, or without the rights.
void *x86_ept_lookup(const X86VCpu *vcpu, uint64_t gpa, MappingFlags rights);
AxError x86_vmid_acquire(X86VCpu *vcpu);
void x86_vmid_release(X86VCpu *vcpu);
void x86_vmid_flush(X86VCpu *vcpu); // at bind
// Flushes that somebody asked for since; before each entry.
static inline bool x86_vmid_is_stale(const X86VCpu *vcpu)
{
    return atomic_load_explicit(&vcpu->ept->flushes, memory_order_acquire) != vcpu->flushes;
}
void x86_fence(X86VCpu *vcpu);
