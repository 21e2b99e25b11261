// SPDX-License-Identifier: Apache-2.0
// Stage-2 aborts of a guest (Arm ARM D8.15, ESR_ELx for instruction and data aborts). A translation
// fault with a syndrome, or of an instruction that decode.c knows, leaves as MMIO; everything else
// that memory could satisfy leaves as a nested page fault. Errors of the memory system go back into
// the guest.
#include "arm.h"

#include "arm_regs.h"

#define PAGE_OFFSET    (AX_PAGE_SIZE - 1)
#define ADDRESS_BITS   AX_MASK(55, 0) // above may be a tag (TCR_EL1.TBI)
#define PAR_ATTR_OUTER AX_MASK(7, 4)  // of the attributes: 0 is Device memory
#define SCTLR_EL1_M    AX_BIT(0)
#define SCTLR_EL1_E0E  AX_BIT(24)
#define SCTLR_EL1_EE   AX_BIT(25)
#define PSTATE_A32_E   AX_BIT(9)
#define BASE_SP        31

typedef enum FaultClass {
    FAULT_OTHER, // no treatment, or none that can be
    FAULT_MISSING,
    FAULT_PERMISSION,
    FAULT_EXTERNAL,
    FAULT_OF_GUEST, // alignment and the like against the memory type: passed on unchanged
    FAULT_TLB_CONFLICT,
    FAULT_CLASS_COUNT
} FaultClass;

// By fault status code; -1 is the level above 0 of 52-bit addresses.
static const uint8_t fault_classes[64] = {
    [0x04 ... 0x07] = FAULT_MISSING, // translation
    [0x08 ... 0x0b] = FAULT_MISSING, // access flag
    [0x0c ... 0x0f] = FAULT_PERMISSION,
    [0x10] = FAULT_EXTERNAL,
    [0x12 ... 0x17] = FAULT_EXTERNAL, // on a table walk, levels -2 to 3
    [0x18] = FAULT_EXTERNAL,          // parity or ECC
    [0x1b ... 0x1f] = FAULT_EXTERNAL,
    [0x21] = FAULT_OF_GUEST, // alignment
    [0x2b] = FAULT_MISSING,  // translation, level -1
    [0x30] = FAULT_TLB_CONFLICT,
    [0x35] = FAULT_OF_GUEST, // exclusive or atomic access that the memory does not support
};

typedef Aarch64Next (*FaultHandler)(Aarch64VCpu *vcpu, AxVCpuExit *exit);

static uint64_t fault_status(const Aarch64VCpu *vcpu)
{
    return ax_get(vcpu->syndrome.esr, ESR_ELX_ABT_FSC);
}

static bool has_flag(const Aarch64VCpu *vcpu, uint64_t flag)
{
    return (vcpu->syndrome.esr & flag) != 0;
}

// ---- guest-physical address ----

// A permission fault on the access itself does not write HPFAR_EL2.
static bool hpfar_is_valid(const Aarch64VCpu *vcpu)
{
    return has_flag(vcpu, ESR_ELX_ABT_S1PTW) || fault_classes[fault_status(vcpu)] == FAULT_MISSING;
}

static uint64_t hpfar_page(const Aarch64VCpu *vcpu)
{
    return ax_get(vcpu->syndrome.hpfar, HPFAR_EL2_FIPA) * AX_PAGE_SIZE;
}

// False when the guest changed its own tables since the fault; it then meets the fault again.
static bool fault_address(const Aarch64VCpu *vcpu, GuestPhysAddr *out)
{
    const uint64_t far = vcpu->syndrome.far;
    uint64_t page = hpfar_page(vcpu);

    if (!hpfar_is_valid(vcpu)) {
        const uint64_t par = arm_at_s1e1r(far);

        if ((par & PAR_EL1_F) != 0) {
            return false;
        }
        page = par & PAR_EL1_PA;
    }
    *out = ax_gpa(has_flag(vcpu, ESR_ELX_ABT_S1PTW) ? page : page | (far & PAGE_OFFSET));
    return true;
}

// ---- nested page faults ----

static bool lacks_permission(const Aarch64VCpu *vcpu)
{
    return fault_classes[fault_status(vcpu)] == FAULT_PERMISSION;
}

// What a table walk needs: it reads, unless it was refused on readable memory. Then it had to set an
// access or dirty flag. ESR_EL2.WnR tells of the access behind the walk.
static MappingFlags walk_rights(const Aarch64VCpu *vcpu)
{
    return lacks_permission(vcpu) ? AX_MAP_WRITE : AX_MAP_READ;
}

static Aarch64Next exit_page_fault(const Aarch64VCpu *vcpu, MappingFlags access, AxVCpuExit *exit)
{
    const bool is_walk = has_flag(vcpu, ESR_ELX_ABT_S1PTW);
    GuestPhysAddr addr;

    if (!fault_address(vcpu, &addr)) {
        return AARCH64_RESUME;
    }
    *exit = (AxVCpuExit){
        .reason = AX_EXIT_NESTED_PAGE_FAULT,
        .page_fault = {.addr = addr,
                       .access = is_walk ? walk_rights(vcpu) : access,
                       .permission = lacks_permission(vcpu),
                       .page_table_walk = is_walk},
    };
    return AARCH64_EXIT;
}

static Aarch64Next data_page_fault(Aarch64VCpu *vcpu, AxVCpuExit *exit)
{
    const bool is_write = has_flag(vcpu, ESR_ELX_ABT_WNR);

    return exit_page_fault(vcpu, is_write ? AX_MAP_WRITE : AX_MAP_READ, exit);
}

static Aarch64Next fetch_page_fault(Aarch64VCpu *vcpu, AxVCpuExit *exit)
{
    return exit_page_fault(vcpu, AX_MAP_EXECUTE, exit);
}

// ---- MMIO values ----

static uint64_t sctlr(const Aarch64VCpu *vcpu)
{
    return vcpu->percpu != NULL ? ARM_READ(SCTLR_EL1) : vcpu->sys[AARCH64_SCTLR_EL1];
}

static bool is_big_endian(const Aarch64VCpu *vcpu)
{
    const uint64_t pstate = vcpu->regs.pstate;
    uint64_t bit = SCTLR_EL1_EE;

    if ((pstate & PSTATE_NRW) != 0) {
        return (pstate & PSTATE_A32_E) != 0;
    }
    if ((pstate & PSTATE_M) == PSTATE_M_EL0T) {
        bit = SCTLR_EL1_E0E;
    }
    return (sctlr(vcpu) & bit) != 0;
}

// Between the order of the bus, little-endian, and that of the guest; its own inverse.
static uint64_t in_guest_order(const Aarch64VCpu *vcpu, uint64_t value, AccessWidth width)
{
    if (is_big_endian(vcpu)) {
        return __builtin_bswap64(value) >> (64 - 8 * (unsigned)width);
    }
    return value & ax_width_mask(width);
}

static inline Aarch64Next exit_mmio(const Aarch64VCpu *vcpu, const Aarch64LoadStore *access,
                                    uint8_t rt, GuestPhysAddr addr, AxVCpuExit *exit)
{
    *exit = (AxVCpuExit){
        .reason = access->is_load ? AX_EXIT_MMIO_READ : AX_EXIT_MMIO_WRITE,
        .mmio = {.addr = addr,
                 .width = access->width,
                 .reg = rt,
                 .reg_width = access->reg_width,
                 .sign_extend = access->sign_extend},
    };
    if (!access->is_load) {
        exit->mmio.data = in_guest_order(vcpu, aarch64_x(vcpu, rt), access->width);
    }
    return AARCH64_EXIT;
}

// What the loaded register becomes.
static uint64_t loaded_value(const Aarch64VCpu *vcpu, const AxVCpuExit *exit, uint64_t value)
{
    const uint64_t data = in_guest_order(vcpu, value, exit->mmio.width);

    if (!exit->mmio.sign_extend) {
        return data;
    }
    return ax_sign_extend(data, exit->mmio.width) & ax_width_mask(exit->mmio.reg_width);
}

// ---- accesses without a syndrome ----

static Aarch64SysReg stack_pointer(const Aarch64VCpu *vcpu)
{
    const uint64_t mode = vcpu->regs.pstate & PSTATE_M;

    return mode == PSTATE_M_EL1H ? AARCH64_SP_EL1 : AARCH64_SP_EL0;
}

static uint64_t base_value(const Aarch64VCpu *vcpu, uint8_t rn)
{
    return rn == BASE_SP ? aarch64_sysreg_get(vcpu, stack_pointer(vcpu)) : aarch64_x(vcpu, rn);
}

static void set_base_value(Aarch64VCpu *vcpu, uint8_t rn, uint64_t value)
{
    if (rn == BASE_SP) {
        aarch64_sysreg_set(vcpu, stack_pointer(vcpu), value);
    } else {
        aarch64_set_x(vcpu, rn, value);
    }
}

// With its MMU off all that the guest reads counts as Device memory, but then it chose its PC by
// running from there, and no other vCPU can change where that is.
static bool is_memory(const Aarch64VCpu *vcpu, uint64_t par)
{
    return (ax_get(par, PAR_EL1_ATTR) & PAR_ATTR_OUTER) != 0 || (sctlr(vcpu) & SCTLR_EL1_M) == 0;
}

// The instruction at the guest's PC, if that is in normal memory: never from a device.
static bool fetch_instruction(const Aarch64VCpu *vcpu, uint32_t *out)
{
    const AxVCpuHal *hal = vcpu->env.hal;
    const uint64_t par = arm_at_s12e1r(vcpu->regs.pc);
    const uint64_t pa = (par & PAR_EL1_PA) | (vcpu->regs.pc & PAGE_OFFSET);

    if ((par & PAR_EL1_F) != 0 || !is_memory(vcpu, par) || pa % sizeof(*out) != 0) {
        return false;
    }
    *out = *(const volatile uint32_t *)ax_ptr_from_hva(hal->phys_to_virt(hal->ctx, ax_hpa(pa)));
    return true;
}

// Another pCPU may have changed the code since, so believe the decoded instruction only as far as it
// explains the fault. An access that starts on another page than the one which faulted, or goes on
// to another, is refused.
static bool explains_fault(const Aarch64VCpu *vcpu, const Aarch64LoadStore *access)
{
    const uint64_t far = vcpu->syndrome.far;
    const uint64_t size = (uint64_t)access->width << (access->is_pair ? 1 : 0);
    uint64_t start = far;

    if (access->is_pair || access->writeback) {
        start = base_value(vcpu, access->rn) + (access->post_index ? 0 : (uint64_t)access->offset);
    }
    return ((start ^ far) & ADDRESS_BITS) == 0 && (far & PAGE_OFFSET) + size <= AX_PAGE_SIZE &&
           access->is_load == !has_flag(vcpu, ESR_ELX_ABT_WNR);
}

// Transfer `n` of a pair, or the only one. The fault is a missing translation, so HPFAR_EL2 is valid.
static inline Aarch64Next exit_transfer(const Aarch64VCpu *vcpu, const Aarch64LoadStore *access,
                                        unsigned n, AxVCpuExit *exit)
{
    const uint64_t first = hpfar_page(vcpu) | (vcpu->syndrome.far & PAGE_OFFSET);
    const uint8_t rt = n == 0 ? access->rt : access->rt2;

    return exit_mmio(vcpu, access, rt, ax_gpa(first + n * (uint64_t)access->width), exit);
}

static AARCH64_RARE Aarch64Next handle_without_syndrome(Aarch64VCpu *vcpu, AxVCpuExit *exit)
{
    Aarch64LoadStore access;
    uint32_t instruction;

    if ((vcpu->regs.pstate & PSTATE_NRW) != 0 || !fetch_instruction(vcpu, &instruction) ||
        !aarch64_decode_load_store(instruction, &access) || !explains_fault(vcpu, &access)) {
        return data_page_fault(vcpu, exit);
    }
    vcpu->instruction = instruction;
    return exit_transfer(vcpu, &access, 0, exit);
}

// AARCH64_SPLIT_OUT here means that the second transfer was answered by a retry, so that the whole
// instruction starts again.
Aarch64Next aarch64_resume_split(Aarch64VCpu *vcpu, AxVCpuExit *exit)
{
    const bool is_due = vcpu->split_step == AARCH64_SPLIT_DUE;
    Aarch64LoadStore access;

    vcpu->split_step = AARCH64_SPLIT_NONE;
    if (!is_due || !aarch64_decode_load_store(vcpu->instruction, &access)) {
        return AARCH64_RESUME;
    }
    vcpu->split_step = AARCH64_SPLIT_OUT;
    return exit_transfer(vcpu, &access, 1, exit);
}

// The registers of the whole instruction change here, at once.
static void finish_without_syndrome(Aarch64VCpu *vcpu, const Aarch64LoadStore *access,
                                    uint64_t value)
{
    const uint64_t base = base_value(vcpu, access->rn);

    if (access->is_load && access->is_pair) {
        aarch64_set_x(vcpu, access->rt, vcpu->split_value);
        aarch64_set_x(vcpu, access->rt2, value);
    } else if (access->is_load) {
        aarch64_set_x(vcpu, access->rt, value);
    }
    if (access->writeback) {
        set_base_value(vcpu, access->rn, base + (uint64_t)access->offset);
    }
    vcpu->split_step = AARCH64_SPLIT_NONE;
    aarch64_advance_pc(vcpu);
}

static AARCH64_RARE AxError complete_without_syndrome(Aarch64VCpu *vcpu, uint64_t value)
{
    Aarch64LoadStore access;

    if (!aarch64_decode_load_store(vcpu->instruction, &access)) {
        return AX_EBACKEND;
    }
    if (access.is_pair && vcpu->split_step == AARCH64_SPLIT_NONE) {
        vcpu->split_value = value;
        vcpu->split_step = AARCH64_SPLIT_DUE;
        return AX_OK;
    }
    finish_without_syndrome(vcpu, &access, value);
    return AX_OK;
}

// ---- accesses with a syndrome ----

static Aarch64Next handle_with_syndrome(Aarch64VCpu *vcpu, AxVCpuExit *exit)
{
    const uint64_t esr = vcpu->syndrome.esr;
    const Aarch64LoadStore access = {
        .is_load = (esr & ESR_ELX_ABT_WNR) == 0,
        .sign_extend = (esr & ESR_ELX_ABT_SSE) != 0,
        .width = (AccessWidth)(1u << ax_get(esr, ESR_ELX_ABT_SAS)),
        .reg_width = (esr & ESR_ELX_ABT_SF) != 0 ? AX_WIDTH_QWORD : AX_WIDTH_DWORD,
        .rt = (uint8_t)ax_get(esr, ESR_ELX_ABT_SRT),
    };

    return exit_transfer(vcpu, &access, 0, exit);
}

AxError aarch64_complete_mmio(Aarch64VCpu *vcpu, const AxVCpuExit *exit, uint64_t value)
{
    const bool is_load = exit->reason == AX_EXIT_MMIO_READ;
    const uint64_t result = is_load ? loaded_value(vcpu, exit, value) : 0;

    if (!has_flag(vcpu, ESR_ELX_ABT_ISV)) {
        return complete_without_syndrome(vcpu, result);
    }
    if (is_load) {
        aarch64_set_x(vcpu, exit->mmio.reg, result);
    }
    aarch64_advance_pc(vcpu);
    return AX_OK;
}

// ---- the classes ----

// Cache maintenance by address where nothing is mapped has nothing to maintain.
static Aarch64Next data_missing(Aarch64VCpu *vcpu, AxVCpuExit *exit)
{
    if (has_flag(vcpu, ESR_ELX_ABT_S1PTW)) {
        return data_page_fault(vcpu, exit);
    }
    if (has_flag(vcpu, ESR_ELX_ABT_CM)) {
        aarch64_advance_pc(vcpu);
        return AARCH64_RESUME;
    }
    return has_flag(vcpu, ESR_ELX_ABT_ISV) ? handle_with_syndrome(vcpu, exit)
                                           : handle_without_syndrome(vcpu, exit);
}

static Aarch64Next other(Aarch64VCpu *vcpu, AxVCpuExit *exit)
{
    return aarch64_exit_unhandled(vcpu, exit);
}

static bool is_fetch(const Aarch64VCpu *vcpu)
{
    return ax_get(vcpu->syndrome.esr, ESR_ELX_EC) == ESR_ELX_EC_IABT_LOW;
}

static Aarch64Next external(Aarch64VCpu *vcpu, AxVCpuExit *exit)
{
    (void)exit;
    aarch64_inject_abort(vcpu, is_fetch(vcpu));
    return AARCH64_RESUME;
}

static Aarch64Next of_guest(Aarch64VCpu *vcpu, AxVCpuExit *exit)
{
    (void)exit;
    aarch64_inject_fault(vcpu, is_fetch(vcpu), fault_status(vcpu));
    return AARCH64_RESUME;
}

// Two entries for one address, possible after a break-before-make that a guest left out: drop all of
// this VM's, and the access is repeated.
static Aarch64Next tlb_conflict(Aarch64VCpu *vcpu, AxVCpuExit *exit)
{
    (void)vcpu;
    (void)exit;
    arm_tlbi_vmalls12e1is();
    arm_dsb_ish();
    return AARCH64_RESUME;
}

static const FaultHandler data_handlers[FAULT_CLASS_COUNT] = {
    [FAULT_OTHER] = other,
    [FAULT_MISSING] = data_missing,
    [FAULT_PERMISSION] = data_page_fault,
    [FAULT_EXTERNAL] = external,
    [FAULT_OF_GUEST] = of_guest,
    [FAULT_TLB_CONFLICT] = tlb_conflict,
};

static const FaultHandler fetch_handlers[FAULT_CLASS_COUNT] = {
    [FAULT_OTHER] = other,
    [FAULT_MISSING] = fetch_page_fault,
    [FAULT_PERMISSION] = fetch_page_fault,
    [FAULT_EXTERNAL] = external,
    [FAULT_OF_GUEST] = of_guest,
    [FAULT_TLB_CONFLICT] = tlb_conflict,
};

Aarch64Next aarch64_handle_data_abort(Aarch64VCpu *vcpu, AxVCpuExit *exit)
{
    return data_handlers[fault_classes[fault_status(vcpu)]](vcpu, exit);
}

Aarch64Next aarch64_handle_instruction_abort(Aarch64VCpu *vcpu, AxVCpuExit *exit)
{
    return fetch_handlers[fault_classes[fault_status(vcpu)]](vcpu, exit);
}
