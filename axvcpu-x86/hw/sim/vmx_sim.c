// SPDX-License-Identifier: Apache-2.0
#include "vmx_sim.h"

#include "vmx/entry_check.h"
#include "x86.h"
#include "x86_sim.h"

#include <string.h>

#define NO_VMCS  UINT64_MAX
#define CR4_VMXE X86_BIT(13)
#define DR7_EXIT UINT64_C(0x400)

// VM-instruction error numbers (SDM volume 3, 31.4).
#define ERROR_LAUNCH_NOT_CLEAR    UINT64_C(4)
#define ERROR_RESUME_NOT_LAUNCHED UINT64_C(5)
#define ERROR_CONTROLS            UINT64_C(7)
#define ERROR_HOST_STATE          UINT64_C(8)
#define ERROR_NO_SUCH_FIELD       UINT64_C(12)
#define ERROR_READ_ONLY_FIELD     UINT64_C(13)

typedef enum Slot {
#define SLOT(name, encoding) SLOT_##name,
    VMCS_FIELDS(SLOT)
#undef SLOT
        SLOT_COUNT
} Slot;

// The region of a VMCS. What hardware keeps to itself is there as well.
typedef struct Region {
    uint32_t revision;
    uint32_t abort;
    bool launched;
    bool active;
    uint64_t fields[SLOT_COUNT];
} Region;

static_assert(sizeof(Region) <= 4096, "a region is a page");

// By width, class and index of an encoding; 0 where no field is.
#define INDICES      64u
#define INDEX(field) ((field) >> 1 & 0x1ff)
#define NO_ENCODING  UINT32_C(0xffff9001) // bits that no encoding here has
static const uint8_t slots[4][4][INDICES] = {
#define PLACE(name, encoding) \
    [VMCS_WIDTH(encoding)][VMCS_CLASS(encoding)][INDEX(encoding)] = SLOT_##name + 1,
    VMCS_FIELDS(PLACE)
#undef PLACE
};
static_assert(SLOT_COUNT < UINT8_MAX, "a slot fits");

static Slot slot_of(uint32_t field)
{
    uint8_t slot;

    if ((field & NO_ENCODING) != 0 || INDEX(field) >= INDICES) {
        return SLOT_COUNT;
    }
    slot = slots[VMCS_WIDTH(field)][VMCS_CLASS(field)][INDEX(field)];
    return slot != 0 ? (Slot)(slot - 1) : SLOT_COUNT;
}

static Region *region_at(uint64_t address)
{
    return (Region *)(uintptr_t)address;
}

static Region *current(void)
{
    return x86_sim.vmx.current != NO_VMCS ? region_at(x86_sim.vmx.current) : NULL;
}

uint64_t *x86_sim_vmcs_field(uint64_t vmcs, uint32_t field)
{
    return &region_at(vmcs)->fields[slot_of(field)];
}

uint64_t *x86_sim_field(uint32_t field)
{
    return x86_sim_vmcs_field(x86_sim.vmx.current, field);
}

static bool refuse(void)
{
    x86_sim.illegal++;
    return false;
}

// VMfailValid.
static bool fail(uint64_t error)
{
    current()->fields[SLOT_INSTRUCTION_ERROR] = error;
    return false;
}

// ---- VMXON and VMXOFF ----

static bool honours(uint64_t value, X86SimReg fixed0, X86SimReg fixed1)
{
    const uint64_t ones = x86_sim.reg[fixed0];

    return (value & ones) == ones && (value & ~x86_sim.reg[fixed1]) == 0;
}

static bool registers_allow_vmx(void)
{
    const uint64_t unlocked = FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX_OUTSIDE_SMX;

    return (x86_sim.reg[X86_SIM_FEATURE_CONTROL] & unlocked) == unlocked &&
           (x86_sim.reg[X86_SIM_CR4] & CR4_VMXE) != 0 &&
           honours(x86_sim.reg[X86_SIM_CR0], X86_SIM_VMX_CR0_FIXED0, X86_SIM_VMX_CR0_FIXED1) &&
           honours(x86_sim.reg[X86_SIM_CR4], X86_SIM_VMX_CR4_FIXED0, X86_SIM_VMX_CR4_FIXED1);
}

static bool is_region(uint64_t address)
{
    const uint64_t revision = x86_sim.reg[X86_SIM_VMX_BASIC] & VMX_BASIC_REVISION;

    return address != 0 && address % 4096 == 0 && region_at(address)->revision == revision;
}

bool x86_sim_vmx_on(uint64_t region)
{
    X86SimVmx *vmx = &x86_sim.vmx;

    if (vmx->on || !registers_allow_vmx() || !is_region(region)) {
        return refuse();
    }
    vmx->on = true;
    vmx->region = region;
    vmx->current = NO_VMCS;
    return true;
}

// A VMCS that is still active may be written to memory at any time later.
void x86_sim_vmx_off(void)
{
    if (!x86_sim.vmx.on || x86_sim.vmx.active != 0) {
        x86_sim.illegal++;
    }
    x86_sim.vmx.on = false;
    x86_sim.vmx.current = NO_VMCS;
}

// ---- VMCLEAR and VMPTRLD ----

static bool is_vmcs(uint64_t address)
{
    return x86_sim.vmx.on && address % 4096 == 0 && address != x86_sim.vmx.region;
}

bool x86_sim_vmx_clear(uint64_t vmcs)
{
    if (!is_vmcs(vmcs)) {
        return refuse();
    }
    if (region_at(vmcs)->active) {
        x86_sim.vmx.active--;
    }
    region_at(vmcs)->active = false;
    region_at(vmcs)->launched = false;
    if (x86_sim.vmx.current == vmcs) {
        x86_sim.vmx.current = NO_VMCS;
    }
    return true;
}

bool x86_sim_vmx_load(uint64_t vmcs)
{
    if (!is_vmcs(vmcs) || !is_region(vmcs)) {
        return refuse();
    }
    if (!region_at(vmcs)->active) {
        region_at(vmcs)->active = true;
        x86_sim.vmx.active++;
    }
    x86_sim.vmx.current = vmcs;
    return true;
}

// ---- VMREAD and VMWRITE ----

// Fields that only processors with a secondary control have.
static const struct {
    uint32_t field;
    uint64_t control;
} optional[] = {
    {VMCS_VPID, SECONDARY_VPID},
    {VMCS_EPT_POINTER, SECONDARY_EPT},
    {VMCS_APIC_ACCESS_ADDRESS, SECONDARY_APIC_ACCESSES},
    {VMCS_GUEST_INTERRUPT_STATUS, SECONDARY_VIRTUAL_INTERRUPT_DELIVERY},
    {VMCS_EOI_EXIT_BITMAP_0, SECONDARY_VIRTUAL_INTERRUPT_DELIVERY},
    {VMCS_EOI_EXIT_BITMAP_1, SECONDARY_VIRTUAL_INTERRUPT_DELIVERY},
    {VMCS_EOI_EXIT_BITMAP_2, SECONDARY_VIRTUAL_INTERRUPT_DELIVERY},
    {VMCS_EOI_EXIT_BITMAP_3, SECONDARY_VIRTUAL_INTERRUPT_DELIVERY},
    {VMCS_TSC_MULTIPLIER, SECONDARY_TSC_SCALING},
};

static bool has_field(uint32_t field)
{
    const uint64_t allowed = x86_sim.reg[X86_SIM_VMX_SECONDARY_CONTROLS] >> 32;

    for (size_t i = 0; i < sizeof(optional) / sizeof(optional[0]); i++) {
        if (optional[i].field == field) {
            return (allowed & optional[i].control) != 0;
        }
    }
    return slot_of(field) != SLOT_COUNT;
}

static uint64_t field_mask(uint32_t field)
{
    static const uint64_t masks[] = {
        [VMCS_WIDTH_16] = UINT16_MAX,
        [VMCS_WIDTH_64] = UINT64_MAX,
        [VMCS_WIDTH_32] = UINT32_MAX,
        [VMCS_WIDTH_NATURAL] = UINT64_MAX,
    };

    return masks[VMCS_WIDTH(field)];
}

uint64_t x86_sim_vmx_read(uint32_t field)
{
    x86_sim.vmx.reads++;
    if (!x86_sim.vmx.on || current() == NULL || !has_field(field)) {
        (void)refuse();
        return 0;
    }
    return *x86_sim_field(field);
}

bool x86_sim_vmx_write(uint32_t field, uint64_t value)
{
    x86_sim.vmx.writes++;
    if (!x86_sim.vmx.on || current() == NULL) {
        return refuse();
    }
    if (!has_field(field)) {
        x86_sim.illegal++;
        return fail(ERROR_NO_SUCH_FIELD);
    }
    if (VMCS_CLASS(field) == VMCS_CLASS_EXIT_INFO) {
        x86_sim.illegal++;
        return fail(ERROR_READ_ONLY_FIELD);
    }
    *x86_sim_field(field) = value & field_mask(field);
    return true;
}

// ---- INVEPT and INVVPID ----

static bool has_ept_capability(uint64_t bits)
{
    return x86_sim.vmx.on && (x86_sim.reg[X86_SIM_VMX_EPT_VPID_CAP] & bits) == bits;
}

bool x86_sim_vmx_invept(uint64_t type, uint64_t eptp)
{
    const uint64_t single = type == INVEPT_SINGLE ? EPT_CAP_INVEPT_SINGLE : 0;

    if ((type != INVEPT_SINGLE && type != INVEPT_ALL) ||
        !has_ept_capability(EPT_CAP_INVEPT | (single != 0 ? single : EPT_CAP_INVEPT_ALL))) {
        return refuse();
    }
    x86_sim.vmx.invepts++;
    x86_sim.vmx.flushed = eptp;
    return true;
}

bool x86_sim_vmx_invvpid(uint64_t type, uint16_t vpid)
{
    const uint64_t single = type == INVVPID_SINGLE ? EPT_CAP_INVVPID_SINGLE : 0;

    if ((type != INVVPID_SINGLE && type != INVVPID_ALL) || (single != 0 && vpid == 0) ||
        !has_ept_capability(EPT_CAP_INVVPID | (single != 0 ? single : EPT_CAP_INVVPID_ALL))) {
        return refuse();
    }
    x86_sim.vmx.invvpids++;
    x86_sim.vmx.flushed = vpid;
    return true;
}

// ---- VMLAUNCH and VMRESUME ----

static const struct {
    X86SimReg reg;
    Slot slot;
} host_registers[] = {
    {X86_SIM_CR0, SLOT_HOST_CR0},
    {X86_SIM_CR3, SLOT_HOST_CR3},
    {X86_SIM_CR4, SLOT_HOST_CR4},
    {X86_SIM_FS_BASE, SLOT_HOST_FS_BASE},
    {X86_SIM_GS_BASE, SLOT_HOST_GS_BASE},
    {X86_SIM_SYSENTER_CS, SLOT_HOST_SYSENTER_CS},
    {X86_SIM_SYSENTER_ESP, SLOT_HOST_SYSENTER_ESP},
    {X86_SIM_SYSENTER_EIP, SLOT_HOST_SYSENTER_EIP},
};

// An exit would change nothing of the host.
static bool host_state_is_true(const Region *vmcs)
{
    const X86HostTables *tables = &x86_sim.tables;
    const uint64_t *fields = vmcs->fields;

    for (size_t i = 0; i < sizeof(host_registers) / sizeof(host_registers[0]); i++) {
        if (fields[host_registers[i].slot] != x86_sim.reg[host_registers[i].reg]) {
            return false;
        }
    }
    return fields[SLOT_HOST_CS_SELECTOR] == tables->cs &&
           fields[SLOT_HOST_TR_SELECTOR] == tables->tr &&
           fields[SLOT_HOST_TR_BASE] == tables->tr_base &&
           fields[SLOT_HOST_GDTR_BASE] == tables->gdt_base &&
           fields[SLOT_HOST_IDTR_BASE] == tables->idt_base &&
           fields[SLOT_HOST_RIP] == X86_SIM_EXIT_ADDRESS;
}

static uint64_t read_current(const void *ctx, VmcsField field)
{
    (void)ctx;
    return *x86_sim_field(field);
}

// False when the guest is not entered. What a good backend finds out before.
static bool check_entry(bool *entered)
{
    VmxView view = {.read = read_current};

    *entered = true;
    vmx_allowed_read(&view.allowed);
    if (vmx_entry_problem(&view) == NULL) {
        return true;
    }
    x86_sim.illegal++;
    if (vmx_control_problem(&view) != NULL || vmx_host_problem(&view) != NULL) {
        *entered = fail(vmx_control_problem(&view) != NULL ? ERROR_CONTROLS : ERROR_HOST_STATE);
        return false;
    }
    *x86_sim_field(VMCS_EXIT_REASON) = VMX_EXIT_ENTRY_FAILURE_GUEST_STATE |
                                       EXIT_REASON_ENTRY_FAILURE;
    *x86_sim_field(VMCS_EXIT_QUALIFICATION) = 0;
    return false;
}

// What an exit loads, whatever the controls say (28.5).
static void load_host(void)
{
    x86_sim.reg[X86_SIM_DR7] = DR7_EXIT;
    x86_sim.tables.gdt_limit = UINT16_MAX;
    x86_sim.tables.idt_limit = UINT16_MAX;
    x86_sim.tables.ldtr = 0;
}

// An NMI blocks others, and the first instruction ends the shadow of the one before. What became of
// the event is the guest's to say.
static void enter_guest(Region *vmcs)
{
    const uint64_t info = vmcs->fields[SLOT_ENTRY_INTERRUPTION_INFO];
    uint64_t *blocking = &vmcs->fields[SLOT_GUEST_INTERRUPTIBILITY];

    *blocking &= ~(BLOCKING_BY_STI | BLOCKING_BY_MOV_SS);
    if ((info & INTERRUPTION_VALID) != 0 && INTERRUPTION_TYPE(info) == INTERRUPTION_NMI) {
        *blocking |= BLOCKING_BY_NMI;
    }
}

static void leave_guest(Region *vmcs)
{
    const bool failed = (vmcs->fields[SLOT_EXIT_REASON] & EXIT_REASON_ENTRY_FAILURE) != 0;

    if (!failed) {
        vmcs->launched = true;
        vmcs->fields[SLOT_ENTRY_INTERRUPTION_INFO] &= ~INTERRUPTION_VALID;
    }
    load_host();
}

bool x86_sim_vmx_enter(struct X86GuestRegs *regs)
{
    const bool resume = regs->launched != 0;
    Region *vmcs = current();
    bool entered;

    x86_sim.entries++;
    if (!x86_sim.vmx.on || vmcs == NULL) {
        return refuse();
    }
    if (vmcs->launched != resume) {
        x86_sim.illegal++;
        return fail(resume ? ERROR_RESUME_NOT_LAUNCHED : ERROR_LAUNCH_NOT_CLEAR);
    }
    x86_sim.illegal += (x86_sim.rflags & RFLAGS_IF) == 0 && host_state_is_true(vmcs) ? 0 : 1;
    if (check_entry(&entered)) {
        x86_sim.vmx.launches += resume ? 0 : 1;
        x86_sim.vmx.resumes += resume ? 1 : 0;
        enter_guest(vmcs);
        x86_sim.vmx.guest(regs);
    }
    if (entered) {
        leave_guest(vmcs);
    }
    return entered;
}

// ---- the processor ----

static const X86SimLeaf leaves[] = {
    {0x0, {0xd, 0x756e6547, 0x6c65746e, 0x49656e69}},
    {0x1, {0x00050654, 0x00000800, 0x77faf3bf & ~0x08000000, 0xbfebfbff}},
    {0x7, {0, 0x219c07ab, 0x00400004, 0}},
    {0xd, {7, 832, 832, 0}},
    {0x80000000, {0x80000008, 0, 0, 0}},
    {0x80000001, {0, 0, 0x00000121, 0x2c100800}},
    {0x80000008, {0x3030, 0, 0, 0}},
};

// All that can be 1 above, what must be 1 below; that of the older four with what is not default1.
static const struct {
    X86SimReg reg;
    uint64_t value;
} msrs[] = {
    {X86_SIM_FEATURE_CONTROL, FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX_OUTSIDE_SMX},
    {X86_SIM_VMX_BASIC, UINT64_C(0x00da040000000004)},
    {X86_SIM_VMX_PIN_CONTROLS, UINT64_C(0x0000007f00000016)},
    {X86_SIM_VMX_PRIMARY_CONTROLS, UINT64_C(0xfff9fffe0401e172)},
    {X86_SIM_VMX_EXIT_CONTROLS, UINT64_C(0x007fffff00036dff)},
    {X86_SIM_VMX_ENTRY_CONTROLS, UINT64_C(0x0000ffff000011ff)},
    {X86_SIM_VMX_MISC, UINT64_C(0x00000000000401e0)},
    {X86_SIM_VMX_CR0_FIXED0, UINT64_C(0x0000000080000021)},
    {X86_SIM_VMX_CR0_FIXED1, UINT64_C(0x00000000ffffffff)},
    {X86_SIM_VMX_CR4_FIXED0, UINT64_C(0x0000000000002000)},
    {X86_SIM_VMX_CR4_FIXED1, UINT64_C(0x00000000003767ff)},
    {X86_SIM_VMX_SECONDARY_CONTROLS, UINT64_C(0x0217ffff00000000)},
    {X86_SIM_VMX_EPT_VPID_CAP, UINT64_C(0x00000f0106334141)},
    {X86_SIM_VMX_TRUE_PIN_CONTROLS, UINT64_C(0x0000007f00000016)},
    {X86_SIM_VMX_TRUE_PRIMARY_CONTROLS, UINT64_C(0xfff9fffe04006172)},
    {X86_SIM_VMX_TRUE_EXIT_CONTROLS, UINT64_C(0x007fffff00036dfb)},
    {X86_SIM_VMX_TRUE_ENTRY_CONTROLS, UINT64_C(0x0000ffff000011fb)},
    {X86_SIM_PAT, UINT64_C(0x0007040600070406)},
    {X86_SIM_CR3, UINT64_C(0x0000000000123000)},
    {X86_SIM_FS_BASE, UINT64_C(0x0000000000456000)},
    {X86_SIM_GS_BASE, UINT64_C(0xffffffff80457000)},
};

void x86_sim_reset_vmx(void)
{
    x86_sim_reset();
    memset(x86_sim.leaves, 0, sizeof(x86_sim.leaves));
    memcpy(x86_sim.leaves, leaves, sizeof(leaves));
    for (size_t i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++) {
        x86_sim.reg[msrs[i].reg] = msrs[i].value;
    }
    x86_sim.vmx.current = NO_VMCS;
    x86_sim.tables = (X86HostTables){.gdt_base = UINT64_C(0xffffffff80002000),
                                     .idt_base = UINT64_C(0xffffffff80003000),
                                     .tr_base = UINT64_C(0xffffffff80004000),
                                     .gdt_limit = 0x37,
                                     .idt_limit = 0xfff,
                                     .cs = 0x08,
                                     .ss = 0x10,
                                     .tr = 0x28};
}
