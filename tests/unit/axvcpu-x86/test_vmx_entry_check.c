// SPDX-License-Identifier: Apache-2.0
// Every check of a VM entry finds its own mistake in a VMCS that is otherwise good, and names the
// field.
#include "vmx/entry_check.h"
#include "x86_fixture.h"

static _Alignas(4096) uint8_t page[4096];

static uint64_t read_page(const void *ctx, VmcsField field)
{
    return *x86_sim_vmcs_field((uintptr_t)ctx, field);
}

static void set(VmcsField field, uint64_t value)
{
    *x86_sim_vmcs_field((uintptr_t)page, field) = value;
}

static uint64_t get(VmcsField field)
{
    return *x86_sim_vmcs_field((uintptr_t)page, field);
}

static VmxView view(void)
{
    VmxView v = {.read = read_page, .ctx = page};

    vmx_allowed_read(&v.allowed);
    return v;
}

// ---- good guests ----

#define RIGHTS_CODE 0x9bu
#define RIGHTS_DATA 0x93u

static void set_segment(unsigned n, uint64_t selector, uint64_t base, uint64_t limit,
                        uint64_t rights)
{
    set((VmcsField)(VMCS_GUEST_ES_SELECTOR + 2 * n), selector);
    set((VmcsField)(VMCS_GUEST_ES_BASE + 2 * n), base);
    set((VmcsField)(VMCS_GUEST_ES_LIMIT + 2 * n), limit);
    set((VmcsField)(VMCS_GUEST_ES_ACCESS_RIGHTS + 2 * n), rights);
}

static void set_host(void)
{
    set(VMCS_HOST_CR0, 0x80010033);
    set(VMCS_HOST_CR3, 0x123000);
    set(VMCS_HOST_CR4, 0x2620 | CR4_PAE);
    set(VMCS_HOST_CS_SELECTOR, 0x08);
    set(VMCS_HOST_SS_SELECTOR, 0x10);
    set(VMCS_HOST_TR_SELECTOR, 0x28);
    set(VMCS_HOST_EFER, EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE);
    set(VMCS_HOST_PAT, PAT_RESET);
    set(VMCS_HOST_RIP, X86_SIM_EXIT_ADDRESS);
}

static void set_controls(void)
{
    set(VMCS_PIN_CONTROLS,
        0x16 | PIN_EXTERNAL_INTERRUPT_EXITING | PIN_NMI_EXITING | PIN_VIRTUAL_NMIS);
    set(VMCS_PRIMARY_CONTROLS, 0x04006172 | PRIMARY_TPR_SHADOW | PRIMARY_MSR_BITMAPS |
                                   PRIMARY_IO_BITMAPS | PRIMARY_SECONDARY_CONTROLS);
    set(VMCS_SECONDARY_CONTROLS, SECONDARY_EPT | SECONDARY_VPID | SECONDARY_UNRESTRICTED_GUEST);
    set(VMCS_EXIT_CONTROLS,
        0x36dfb | EXIT_HOST_ADDRESS_SPACE_SIZE | EXIT_LOAD_PAT | EXIT_LOAD_EFER);
    set(VMCS_ENTRY_CONTROLS, 0x11fb | ENTRY_LOAD_DEBUG_CONTROLS | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER);
    set(VMCS_VPID, 1);
    set(VMCS_EPT_POINTER, 0x200000 | EPTP_WRITE_BACK | EPTP_LEVELS(4));
    set(VMCS_LINK_POINTER, UINT64_MAX);
    set(VMCS_TSC_MULTIPLIER, X86_BIT(48));
}

// As after INIT.
static void real_mode(void)
{
    memset(page, 0, sizeof(page));
    set_controls();
    set_host();
    for (unsigned n = 0; n < 6; n++) {
        set_segment(n, 0, 0, 0xffff, RIGHTS_DATA);
    }
    set_segment(1, 0xf000, 0xffff0000, 0xffff, RIGHTS_CODE);
    set_segment(6, 0, 0, 0xffff, 0x82);
    set_segment(7, 0, 0, 0xffff, 0x8b);
    set(VMCS_GUEST_CR0, 0x20);
    set(VMCS_GUEST_CR4, 0x2000);
    set(VMCS_GUEST_PAT, PAT_RESET);
    set(VMCS_GUEST_DR7, DR7_RESET);
    set(VMCS_GUEST_RFLAGS, RFLAGS_FIXED);
    set(VMCS_GUEST_RIP, 0xfff0);
    set(VMCS_GUEST_GDTR_LIMIT, 0xffff);
    set(VMCS_GUEST_IDTR_LIMIT, 0xffff);
}

// Flat, with paging, at CPL 0.
static void protected_mode(void)
{
    real_mode();
    for (unsigned n = 0; n < 6; n++) {
        set_segment(n, 0x10, 0, UINT32_MAX, RIGHTS_DATA | RIGHTS_DB | RIGHTS_G);
    }
    set_segment(1, 0x08, 0, UINT32_MAX, RIGHTS_CODE | RIGHTS_DB | RIGHTS_G);
    set(VMCS_GUEST_CR0, 0x80010031);
}

static void restricted(void)
{
    protected_mode();
    set(VMCS_SECONDARY_CONTROLS, SECONDARY_EPT | SECONDARY_VPID);
}

static void pae(void)
{
    protected_mode();
    set(VMCS_GUEST_CR4, 0x2000 | CR4_PAE);
    set(VMCS_GUEST_PDPTE_0, 0x5001);
    set(VMCS_GUEST_PDPTE_1, 0x1e6); // not present
}

static void v86_mode(void)
{
    protected_mode();
    for (unsigned n = 0; n < 6; n++) {
        set_segment(n, 0x100 * n, 0x1000 * n, 0xffff, 0xf3);
    }
    set(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_VM);
}

static void long_mode(void)
{
    protected_mode();
    set_segment(1, 0x08, 0, UINT32_MAX, RIGHTS_CODE | RIGHTS_L | RIGHTS_G);
    set_segment(0, 0, 0, 0, RIGHTS_UNUSABLE);
    set_segment(6, 4, UINT64_C(1) << 60, 1, RIGHTS_UNUSABLE);
    set(VMCS_GUEST_CR4, 0x2000 | CR4_PAE);
    set(VMCS_GUEST_EFER, EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE);
    set(VMCS_ENTRY_CONTROLS, get(VMCS_ENTRY_CONTROLS) | ENTRY_IA32E_MODE_GUEST);
    set(VMCS_GUEST_RIP, UINT64_C(0xffffffff81000000));
    set(VMCS_GUEST_FS_BASE, UINT64_C(0x00007f1234560000));
    set(VMCS_GUEST_GS_BASE, UINT64_C(0xffff888000000000));
}

// CPL 3 of the same, with interrupts on.
static void user_mode(void)
{
    long_mode();
    set_segment(1, 0x33, 0, UINT32_MAX, 0xfb | RIGHTS_L | RIGHTS_G);
    set_segment(2, 0x2b, 0, UINT32_MAX, 0xf3 | RIGHTS_DB | RIGHTS_G);
    set(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
}

static void (*const guests[])(void) = {real_mode, protected_mode, restricted, pae,
                                       v86_mode,  long_mode,      user_mode};

static int start(void **state)
{
    (void)state;
    x86_sim_reset_vmx();
    x86_sim_leaf(0x80000008)->eax = 40; // bits of an address
    return 0;
}

static void good_guests_of_every_mode_pass(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(guests); i++) {
        const VmxView v = view();

        guests[i]();
        assert_null(vmx_entry_problem(&v));
    }
}

// What is delivered: INFO(type, vector), with an error code.
#define INFO(type, vector) (INTERRUPTION_VALID | (uint64_t)(type) << 8 | (vector))
#define INFO_ERROR(vector) (INFO(3, vector) | INTERRUPTION_HAS_ERROR)

static void good_events_pass(void **state)
{
    static const struct {
        void (*guest)(void);
        uint64_t info;
        uint64_t activity;
    } cases[] = {
        {user_mode, INFO(0, 0x40), 0},
        {long_mode, INFO(2, 2), 0},
        {long_mode, INFO(3, VECTOR_UD), 0},
        {long_mode, INFO_ERROR(VECTOR_GP), 0},
        {real_mode, INFO(3, VECTOR_GP), 0},
        {long_mode, INFO(4, 0x80), 0},
        {long_mode, INFO(5, VECTOR_DB), 0},
        {long_mode, INFO(6, VECTOR_BP), 0},
        {long_mode, INFO(2, 2), 1},
        {long_mode, INFO(3, VECTOR_DB), 1},
        {long_mode, INFO(3, VECTOR_MC), 2},
        {long_mode, 0x7ff, 0}, // not valid
        {long_mode, INFO_ERROR(VECTOR_PF), 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const VmxView v = view();

        cases[i].guest();
        set(VMCS_ENTRY_INTERRUPTION_INFO, cases[i].info);
        set(VMCS_ENTRY_EXCEPTION_ERROR_CODE, 0xffff);
        set(VMCS_ENTRY_INSTRUCTION_LENGTH, 2);
        set(VMCS_GUEST_ACTIVITY, cases[i].activity);
        assert_null(vmx_entry_problem(&v));
    }
}

// ---- mistakes ----

typedef struct Change {
    VmcsField field;
    uint64_t on;  // bits that are set
    uint64_t off; // and cleared before; the field has 0 otherwise untouched
} Change;

typedef struct Mistake {
    void (*guest)(void);
    Change changes[3];
    const char *problem; // how it begins
} Mistake;

#define ALL UINT64_MAX
#define PRIMARY(on)                    \
    {                                  \
        VMCS_PRIMARY_CONTROLS, (on), 0 \
    }
#define SECONDARY(on)                    \
    {                                    \
        VMCS_SECONDARY_CONTROLS, (on), 0 \
    }
#define EVENT(info)                               \
    {                                             \
        VMCS_ENTRY_INTERRUPTION_INFO, (info), ALL \
    }
#define RFLAGS(on)                 \
    {                              \
        VMCS_GUEST_RFLAGS, (on), 0 \
    }

static const Mistake controls[] = {
    {real_mode, {{VMCS_PIN_CONTROLS, 0, 2}}, "PIN_CONTROLS is not"},
    {real_mode, {{VMCS_PIN_CONTROLS, X86_BIT(8), 0}}, "PIN_CONTROLS is not"},
    {real_mode, {{VMCS_PRIMARY_CONTROLS, 0, X86_BIT(1)}}, "PRIMARY_CONTROLS is not"},
    {real_mode, {PRIMARY(X86_BIT(0))}, "PRIMARY_CONTROLS is not"},
    {real_mode, {SECONDARY(X86_BIT(31))}, "SECONDARY_CONTROLS is not"},
    {real_mode, {{VMCS_CR3_TARGET_COUNT, 5, 0}}, "CR3_TARGET_COUNT"},
    {real_mode, {{VMCS_IO_BITMAP_A, 8, 0}}, "IO_BITMAP_A"},
    {real_mode, {{VMCS_IO_BITMAP_B, X86_BIT(40), 0}}, "IO_BITMAP_B"},
    {real_mode, {{VMCS_MSR_BITMAP, 0x800, 0}}, "MSR_BITMAP"},
    {real_mode, {{VMCS_VIRTUAL_APIC_ADDRESS, 1, 0}}, "VIRTUAL_APIC_ADDRESS"},
    {real_mode, {{VMCS_TPR_THRESHOLD, 16, 0}}, "TPR_THRESHOLD"},
    {real_mode, {{VMCS_PIN_CONTROLS, 0, PIN_NMI_EXITING}}, "PIN_CONTROLS has virtual NMIs"},
    {real_mode,
     {PRIMARY(PRIMARY_NMI_WINDOW_EXITING), {VMCS_PIN_CONTROLS, 0, PIN_VIRTUAL_NMIS}},
     "PRIMARY_CONTROLS has an NMI window"},
    {real_mode,
     {SECONDARY(SECONDARY_APIC_ACCESSES), {VMCS_APIC_ACCESS_ADDRESS, 0x10, 0}},
     "APIC_ACCESS_ADDRESS"},
    {real_mode,
     {SECONDARY(SECONDARY_APIC_REGISTERS), {VMCS_PRIMARY_CONTROLS, 0, PRIMARY_TPR_SHADOW}},
     "SECONDARY_CONTROLS virtualizes"},
    {real_mode,
     {SECONDARY(SECONDARY_X2APIC_MODE | SECONDARY_APIC_ACCESSES)},
     "SECONDARY_CONTROLS has both"},
    {real_mode,
     {SECONDARY(SECONDARY_VIRTUAL_INTERRUPT_DELIVERY),
      {VMCS_PIN_CONTROLS, 0, PIN_EXTERNAL_INTERRUPT_EXITING}},
     "SECONDARY_CONTROLS delivers"},
    {real_mode, {{VMCS_EPT_POINTER, 1, 7}}, "EPT_POINTER"},
    {real_mode, {{VMCS_EPT_POINTER, EPTP_LEVELS(5), EPTP_LEVELS_MASK}}, "EPT_POINTER"},
    {real_mode, {{VMCS_EPT_POINTER, EPTP_ACCESSED_DIRTY, 0}}, NULL},
    {real_mode, {{VMCS_EPT_POINTER, X86_BIT(7), 0}}, "EPT_POINTER"},
    {real_mode, {{VMCS_EPT_POINTER, X86_BIT(40), 0}}, "EPT_POINTER"},
    {restricted,
     {{VMCS_SECONDARY_CONTROLS, SECONDARY_UNRESTRICTED_GUEST, SECONDARY_EPT}},
     "SECONDARY_CONTROLS has an unrestricted"},
    {real_mode,
     {SECONDARY(SECONDARY_TSC_SCALING), {VMCS_TSC_MULTIPLIER, 0, ALL}},
     "TSC_MULTIPLIER"},
    {real_mode, {{VMCS_EXIT_CONTROLS, 0, X86_BIT(0)}}, "EXIT_CONTROLS is not"},
    {real_mode, {{VMCS_EXIT_CONTROLS, EXIT_SAVE_PREEMPTION_TIMER, 0}}, "EXIT_CONTROLS saves"},
    {real_mode,
     {{VMCS_EXIT_MSR_STORE_COUNT, 1, 0}, {VMCS_EXIT_MSR_STORE_ADDRESS, 8, 0}},
     "EXIT_MSR_STORE_ADDRESS"},
    {real_mode,
     {{VMCS_EXIT_MSR_LOAD_COUNT, 2, 0}, {VMCS_EXIT_MSR_LOAD_ADDRESS, 0xfffffffff0, 0}},
     "EXIT_MSR_LOAD_ADDRESS"},
    {real_mode, {{VMCS_ENTRY_CONTROLS, X86_BIT(31), 0}}, "ENTRY_CONTROLS is not"},
    {real_mode, {{VMCS_ENTRY_CONTROLS, ENTRY_TO_SMM, 0}}, "ENTRY_CONTROLS is for SMM"},
    {long_mode, {EVENT(INFO(1, 5))}, "ENTRY_INTERRUPTION_INFO has a reserved type"},
    {long_mode, {EVENT(INFO(7, 0))}, NULL},
    {long_mode, {EVENT(INFO(2, 3))}, "ENTRY_INTERRUPTION_INFO has a vector"},
    {long_mode, {EVENT(INFO(3, 32))}, "ENTRY_INTERRUPTION_INFO has a vector"},
    {long_mode, {EVENT(INFO(7, 1))}, "ENTRY_INTERRUPTION_INFO has a vector"},
    {long_mode, {EVENT(INFO(3, VECTOR_GP))}, "ENTRY_INTERRUPTION_INFO has an error code"},
    {real_mode, {EVENT(INFO_ERROR(VECTOR_GP))}, "ENTRY_INTERRUPTION_INFO has an error code"},
    {long_mode, {EVENT(INFO_ERROR(VECTOR_UD))}, "ENTRY_INTERRUPTION_INFO has an error code"},
    {long_mode, {EVENT(INFO(2, 2) | X86_BIT(12))}, "ENTRY_INTERRUPTION_INFO has reserved bits"},
    {long_mode,
     {EVENT(INFO_ERROR(VECTOR_PF)), {VMCS_ENTRY_EXCEPTION_ERROR_CODE, X86_BIT(16), 0}},
     "ENTRY_EXCEPTION_ERROR_CODE"},
    {long_mode, {EVENT(INFO(4, 0x80))}, "ENTRY_INSTRUCTION_LENGTH"},
    {long_mode,
     {EVENT(INFO(6, VECTOR_BP)), {VMCS_ENTRY_INSTRUCTION_LENGTH, 16, 0}},
     "ENTRY_INSTRUCTION_LENGTH"},
    {real_mode,
     {{VMCS_ENTRY_MSR_LOAD_COUNT, 1, 0}, {VMCS_ENTRY_MSR_LOAD_ADDRESS, X86_BIT(50), 0}},
     "ENTRY_MSR_LOAD_ADDRESS"},
};

static const Mistake hosts[] = {
    {real_mode, {{VMCS_HOST_CR0, 0, CR0_NE}}, "HOST_CR0"},
    {real_mode, {{VMCS_HOST_CR0, X86_BIT(32), 0}}, "HOST_CR0"},
    {real_mode, {{VMCS_HOST_CR4, 0, X86_BIT(13)}}, "HOST_CR4 is not"},
    {real_mode, {{VMCS_HOST_CR4, X86_BIT(23), 0}}, "HOST_CR4 is not"},
    {real_mode, {{VMCS_HOST_CR3, X86_BIT(40), 0}}, "HOST_CR3"},
    {real_mode, {{VMCS_HOST_SYSENTER_ESP, X86_BIT(47), 0}}, "HOST_SYSENTER"},
    {real_mode, {{VMCS_HOST_SYSENTER_EIP, X86_BIT(63), 0}}, "HOST_SYSENTER"},
    {real_mode, {{VMCS_HOST_PAT, 2, 0xff}}, "HOST_PAT"},
    {real_mode, {{VMCS_EXIT_CONTROLS, 0, EXIT_HOST_ADDRESS_SPACE_SIZE}}, "EXIT_CONTROLS says"},
    {real_mode, {{VMCS_HOST_EFER, X86_BIT(1), 0}}, "HOST_EFER"},
    {real_mode, {{VMCS_HOST_EFER, 0, EFER_LMA}}, "HOST_EFER"},
    {real_mode, {{VMCS_HOST_ES_SELECTOR, 4, 0}}, "HOST_ES_SELECTOR"},
    {real_mode, {{VMCS_HOST_GS_SELECTOR, 3, 0}}, "HOST_ES_SELECTOR"},
    {real_mode, {{VMCS_HOST_TR_SELECTOR, 1, 0}}, "HOST_ES_SELECTOR"},
    {real_mode, {{VMCS_HOST_CS_SELECTOR, 0, ALL}}, "HOST_CS_SELECTOR"},
    {real_mode, {{VMCS_HOST_TR_SELECTOR, 0, ALL}}, "HOST_TR_SELECTOR"},
    {real_mode, {{VMCS_HOST_FS_BASE, X86_BIT(50), 0}}, "HOST_FS_BASE"},
    {real_mode, {{VMCS_HOST_IDTR_BASE, X86_BIT(50), 0}}, "HOST_FS_BASE"},
    {real_mode, {{VMCS_HOST_CR4, 0, CR4_PAE}}, "HOST_CR4 has no PAE"},
    {real_mode, {{VMCS_HOST_RIP, 0, X86_BIT(63)}}, "HOST_RIP"},
};

static const Mistake registers[] = {
    {real_mode, {{VMCS_GUEST_CR0, 0, CR0_NE}}, "GUEST_CR0 is not"},
    {real_mode, {{VMCS_GUEST_CR0, X86_BIT(32), 0}}, "GUEST_CR0 is not"},
    {real_mode, {{VMCS_GUEST_CR0, CR0_NW | CR0_CD, 0}}, NULL},
    {restricted, {{VMCS_GUEST_CR0, 0, CR0_PG}}, "GUEST_CR0 is not"},
    {protected_mode, {{VMCS_GUEST_CR0, 0, CR0_PG}}, NULL},
    {protected_mode, {{VMCS_GUEST_CR0, 0, CR0_PE}}, "GUEST_CR0 has PG"},
    {real_mode, {{VMCS_GUEST_CR4, 0, X86_BIT(13)}}, "GUEST_CR4 is not"},
    {real_mode, {{VMCS_GUEST_CR4, X86_BIT(12), 0}}, "GUEST_CR4 is not"},
    {real_mode, {{VMCS_GUEST_DEBUGCTL, X86_BIT(3), 0}}, "GUEST_DEBUGCTL"},
    {long_mode, {{VMCS_GUEST_CR0, 0, CR0_PG}}, "GUEST_CR0 has no PG"},
    {long_mode, {{VMCS_GUEST_CR4, 0, CR4_PAE}}, "GUEST_CR4 has no PAE"},
    {pae, {{VMCS_GUEST_CR4, X86_BIT(17), 0}}, "GUEST_CR4 has PCIDE"},
    {long_mode, {{VMCS_GUEST_CR3, X86_BIT(63), 0}}, "GUEST_CR3"},
    {long_mode, {{VMCS_GUEST_DR7, X86_BIT(32), 0}}, "GUEST_DR7"},
    {long_mode, {{VMCS_GUEST_SYSENTER_ESP, X86_BIT(48), 0}}, "GUEST_SYSENTER"},
    {long_mode, {{VMCS_GUEST_SYSENTER_EIP, X86_BIT(48), 0}}, "GUEST_SYSENTER"},
    {long_mode, {{VMCS_GUEST_PAT, UINT64_C(8) << 56, UINT64_C(0xff) << 56}}, "GUEST_PAT"},
    {long_mode, {{VMCS_GUEST_EFER, EFER_SVME, 0}}, "GUEST_EFER has reserved"},
    {long_mode, {{VMCS_GUEST_EFER, 0, EFER_LMA}}, "GUEST_EFER has LMA where"},
    {real_mode, {{VMCS_GUEST_EFER, EFER_LMA, 0}}, "GUEST_EFER has LMA where"},
    {long_mode, {{VMCS_GUEST_EFER, 0, EFER_LME}}, "GUEST_EFER has LMA and LME"},
    {real_mode, {{VMCS_GUEST_EFER, EFER_LME, 0}}, NULL},
};

#define RIGHTS(name, on, off)                          \
    {                                                  \
        VMCS_GUEST_##name##_ACCESS_RIGHTS, (on), (off) \
    }

static const Mistake segments[] = {
    {long_mode, {{VMCS_GUEST_TR_SELECTOR, 4, 0}}, "GUEST_TR_SELECTOR"},
    {protected_mode, {{VMCS_GUEST_LDTR_SELECTOR, 4, 0}}, "GUEST_LDTR_SELECTOR"},
    {restricted, {{VMCS_GUEST_SS_SELECTOR, 1, 0}}, "GUEST_SS_SELECTOR"},
    {protected_mode, {{VMCS_GUEST_SS_SELECTOR, 1, 0}}, NULL},
    {v86_mode, {{VMCS_GUEST_ES_BASE, 1, 0}}, "GUEST_ES_BASE"},
    {v86_mode, {{VMCS_GUEST_GS_SELECTOR, 1, 0}}, "GUEST_GS_BASE"},
    {long_mode, {{VMCS_GUEST_CS_BASE, X86_BIT(32), 0}}, "GUEST_CS_BASE"},
    {long_mode, {{VMCS_GUEST_SS_BASE, X86_BIT(32), 0}}, "GUEST_SS_BASE"},
    {long_mode, {{VMCS_GUEST_ES_BASE, X86_BIT(32), 0}}, NULL}, // unusable
    {long_mode, {{VMCS_GUEST_FS_BASE, X86_BIT(47), 0}}, "GUEST_FS_BASE"},
    {long_mode, {{VMCS_GUEST_TR_BASE, X86_BIT(47), 0}}, "GUEST_TR_BASE"},
    {protected_mode, {{VMCS_GUEST_LDTR_BASE, X86_BIT(47), 0}}, "GUEST_LDTR_BASE"},
    {v86_mode, {{VMCS_GUEST_DS_LIMIT, X86_BIT(16), 0}}, "GUEST_DS_LIMIT"},
    {protected_mode, {{VMCS_GUEST_CS_LIMIT, 0, 1}}, "GUEST_CS_LIMIT"},
    {protected_mode, {RIGHTS(DS, 0, RIGHTS_G)}, "GUEST_DS_LIMIT"},
    {long_mode, {{VMCS_GUEST_TR_LIMIT, X86_BIT(20), 0}}, "GUEST_TR_LIMIT"},
    {protected_mode, {RIGHTS(CS, 0, 1)}, "GUEST_CS_ACCESS_RIGHTS has a wrong type"},
    {protected_mode, {RIGHTS(CS, 3, 15)}, NULL},
    {restricted, {RIGHTS(CS, 3, 15)}, "GUEST_CS_ACCESS_RIGHTS has a wrong type"},
    {protected_mode, {RIGHTS(SS, 1, 15)}, "GUEST_SS_ACCESS_RIGHTS has a wrong type"},
    {protected_mode, {RIGHTS(ES, 2, 15)}, "GUEST_ES_ACCESS_RIGHTS has a wrong type"},
    {protected_mode, {RIGHTS(FS, 9, 15)}, "GUEST_FS_ACCESS_RIGHTS has a wrong type"},
    {protected_mode, {RIGHTS(FS, 11, 15)}, NULL},
    {long_mode, {RIGHTS(TR, 3, 15)}, "GUEST_TR_ACCESS_RIGHTS has a wrong type"},
    {protected_mode, {RIGHTS(TR, 3, 15)}, NULL},
    {protected_mode, {RIGHTS(TR, 9, 15)}, "GUEST_TR_ACCESS_RIGHTS has a wrong type"},
    {protected_mode, {RIGHTS(LDTR, 3, 15)}, "GUEST_LDTR_ACCESS_RIGHTS has a wrong type"},
    {protected_mode, {RIGHTS(CS, 0, RIGHTS_S)}, "GUEST_CS_ACCESS_RIGHTS has wrong S"},
    {protected_mode, {RIGHTS(GS, 0, RIGHTS_P)}, "GUEST_GS_ACCESS_RIGHTS has wrong S"},
    {protected_mode, {RIGHTS(DS, X86_BIT(8), 0)}, "GUEST_DS_ACCESS_RIGHTS has wrong S"},
    {protected_mode, {RIGHTS(SS, X86_BIT(17), 0)}, "GUEST_SS_ACCESS_RIGHTS has wrong S"},
    {protected_mode, {RIGHTS(LDTR, RIGHTS_S, 0)}, "GUEST_LDTR_ACCESS_RIGHTS has wrong S"},
    {long_mode, {RIGHTS(TR, RIGHTS_UNUSABLE, 0)}, "GUEST_TR_ACCESS_RIGHTS has wrong S"},
    {v86_mode, {RIGHTS(ES, 0, 0x60)}, "GUEST_ES_ACCESS_RIGHTS has wrong S"},
    {user_mode, {RIGHTS(CS, 0, 0x60)}, "GUEST_CS_ACCESS_RIGHTS has a wrong DPL"},
    {user_mode, {RIGHTS(CS, 4, 0x60)}, NULL}, // conforming
    {long_mode, {RIGHTS(CS, 0x64, 0)}, "GUEST_CS_ACCESS_RIGHTS has a wrong DPL"},
    {protected_mode, {RIGHTS(CS, 0x63, 15)}, "GUEST_CS_ACCESS_RIGHTS has a wrong DPL"},
    {protected_mode,
     {RIGHTS(CS, 3, 15), RIGHTS(SS, 0x60, 0)},
     "GUEST_SS_ACCESS_RIGHTS has a wrong"},
    {real_mode,
     {RIGHTS(SS, 0x60, 0), RIGHTS(CS, 0x60, 0)},
     "GUEST_SS_ACCESS_RIGHTS has a wrong DPL"},
    {restricted,
     {RIGHTS(SS, 0x20, 0), RIGHTS(CS, 0x20, 0)},
     "GUEST_SS_ACCESS_RIGHTS has a wrong DPL"},
    {restricted, {{VMCS_GUEST_DS_SELECTOR, 3, 0}}, "GUEST_DS_ACCESS_RIGHTS has a wrong DPL"},
    {restricted, {{VMCS_GUEST_DS_SELECTOR, 3, 0}, RIGHTS(DS, 15, 0)}, NULL}, // conforming
    {protected_mode, {{VMCS_GUEST_DS_SELECTOR, 3, 0}}, NULL},
    {long_mode, {RIGHTS(CS, RIGHTS_DB, 0)}, "GUEST_CS_ACCESS_RIGHTS has both"},
};

static const Mistake others[] = {
    {long_mode, {{VMCS_GUEST_GDTR_BASE, X86_BIT(47), 0}}, "GUEST_GDTR_BASE"},
    {long_mode, {{VMCS_GUEST_IDTR_BASE, X86_BIT(47), 0}}, "GUEST_GDTR_BASE"},
    {long_mode, {{VMCS_GUEST_GDTR_LIMIT, X86_BIT(16), 0}}, "GUEST_GDTR_LIMIT"},
    {long_mode, {{VMCS_GUEST_IDTR_LIMIT, X86_BIT(16), 0}}, "GUEST_GDTR_LIMIT"},
    {long_mode, {{VMCS_GUEST_RIP, 0, X86_BIT(60)}}, "GUEST_RIP"},
    {long_mode, {{VMCS_GUEST_RIP, X86_BIT(47), ALL}}, NULL},
    {protected_mode, {{VMCS_GUEST_RIP, X86_BIT(32), 0}}, "GUEST_RIP"},
    {long_mode, {RIGHTS(CS, RIGHTS_DB, RIGHTS_L)}, "GUEST_RIP"}, // compatibility mode
    {long_mode, {{VMCS_GUEST_RFLAGS, 0, RFLAGS_FIXED}}, "GUEST_RFLAGS has reserved"},
    {long_mode, {RFLAGS(X86_BIT(3))}, "GUEST_RFLAGS has reserved"},
    {long_mode, {RFLAGS(X86_BIT(22))}, "GUEST_RFLAGS has reserved"},
    {long_mode, {EVENT(INFO(0, 0x40))}, "GUEST_RFLAGS has IF"},
    {long_mode, {{VMCS_GUEST_ACTIVITY, 4, 0}}, "GUEST_ACTIVITY is no state"},
    {user_mode, {{VMCS_GUEST_ACTIVITY, ACTIVITY_HLT, 0}}, "GUEST_ACTIVITY is HLT"},
    {long_mode,
     {{VMCS_GUEST_ACTIVITY, ACTIVITY_HLT, 0}, {VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_BY_MOV_SS, 0}},
     "GUEST_ACTIVITY is not active"},
    {long_mode,
     {{VMCS_GUEST_ACTIVITY, ACTIVITY_HLT, 0}, EVENT(INFO(3, VECTOR_UD))},
     "GUEST_ACTIVITY is none"},
    {long_mode,
     {{VMCS_GUEST_ACTIVITY, ACTIVITY_SHUTDOWN, 0}, EVENT(INFO(3, VECTOR_DB))},
     "GUEST_ACTIVITY is none"},
    {long_mode,
     {{VMCS_GUEST_ACTIVITY, ACTIVITY_WAIT_FOR_SIPI, 0}, EVENT(INFO(2, 2))},
     "GUEST_ACTIVITY is none"},
    {long_mode, {{VMCS_GUEST_INTERRUPTIBILITY, X86_BIT(5), 0}}, "GUEST_INTERRUPTIBILITY has res"},
    {user_mode, {{VMCS_GUEST_INTERRUPTIBILITY, 3, 0}}, "GUEST_INTERRUPTIBILITY has both"},
    {long_mode,
     {{VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_BY_STI, 0}},
     "GUEST_INTERRUPTIBILITY has STI"},
    {user_mode,
     {{VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_BY_STI, 0}, EVENT(INFO(0, 0x40))},
     "GUEST_INTERRUPTIBILITY blocks the interrupt"},
    {long_mode,
     {{VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_BY_MOV_SS, 0}, EVENT(INFO(2, 2))},
     "GUEST_INTERRUPTIBILITY blocks the NMI"},
    {long_mode,
     {{VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_BY_NMI, 0}, EVENT(INFO(2, 2))},
     "GUEST_INTERRUPTIBILITY blocks the NMI"},
    {long_mode, {{VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_BY_NMI, 0}}, NULL},
    {long_mode,
     {{VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_BY_SMI, 0}},
     "GUEST_INTERRUPTIBILITY blocks SMIs"},
    {long_mode, {{VMCS_GUEST_PENDING_DEBUG, X86_BIT(13), 0}}, "GUEST_PENDING_DEBUG has res"},
    {long_mode,
     {{VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_BY_MOV_SS, 0}, RFLAGS(RFLAGS_TF)},
     "GUEST_PENDING_DEBUG has BS"},
    {long_mode,
     {{VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_BY_MOV_SS, 0},
      RFLAGS(RFLAGS_TF),
      {VMCS_GUEST_PENDING_DEBUG, PENDING_DEBUG_BS, 0}},
     NULL},
    {long_mode,
     {{VMCS_GUEST_ACTIVITY, ACTIVITY_HLT, 0}, {VMCS_GUEST_PENDING_DEBUG, PENDING_DEBUG_BS, 0}},
     "GUEST_PENDING_DEBUG has BS"},
    {long_mode, {{VMCS_LINK_POINTER, 0x10, ALL}}, "LINK_POINTER"},
    {long_mode, {{VMCS_LINK_POINTER, 0x1000, ALL}}, NULL},
    {pae, {{VMCS_GUEST_PDPTE_3, 3, 0}}, "GUEST_PDPTE_0"},
    {pae, {{VMCS_GUEST_PDPTE_0, X86_BIT(40), 0}}, "GUEST_PDPTE_0"},
    {v86_mode, {{VMCS_GUEST_CR0, 0, CR0_PE | CR0_PG}}, "GUEST_RFLAGS has VM"},
};

typedef const char *(*Checker)(const VmxView *view);

static void assert_found(const Mistake *mistake, Checker checker)
{
    const VmxView v = view();
    const char *problem;

    mistake->guest();
    for (size_t i = 0; i < COUNT(mistake->changes) && mistake->changes[i].field != 0; i++) {
        const Change *change = &mistake->changes[i];

        set(change->field, (get(change->field) & ~change->off) | change->on);
    }
    problem = checker(&v);
    if (mistake->problem == NULL) {
        assert_null(problem);
        return;
    }
    assert_non_null(problem);
    assert_memory_equal(problem, mistake->problem, strlen(mistake->problem));
    assert_ptr_equal(vmx_entry_problem(&v), problem);
}

// VPID has the number 0, which ends a list of changes elsewhere.
static void a_guest_without_a_vpid_is_found(void **state)
{
    const VmxView v = view();

    (void)state;
    real_mode();
    set(VMCS_VPID, 0);
    assert_string_equal(vmx_control_problem(&v), "VPID is 0");
}

static void assert_all_found(const Mistake *mistakes, size_t count, Checker checker)
{
    for (size_t i = 0; i < count; i++) {
        assert_found(&mistakes[i], checker);
    }
}

static void mistakes_in_controls_are_named(void **state)
{
    (void)state;
    assert_all_found(controls, COUNT(controls), vmx_control_problem);
}

static void mistakes_in_the_host_are_named(void **state)
{
    (void)state;
    assert_all_found(hosts, COUNT(hosts), vmx_host_problem);
}

static void mistakes_in_registers_are_named(void **state)
{
    (void)state;
    assert_all_found(registers, COUNT(registers), vmx_guest_problem);
}

static void mistakes_in_segments_are_named(void **state)
{
    (void)state;
    assert_all_found(segments, COUNT(segments), vmx_guest_problem);
}

static void mistakes_in_the_rest_are_named(void **state)
{
    (void)state;
    assert_all_found(others, COUNT(others), vmx_guest_problem);
}

static void controls_follow_the_capabilities(void **state)
{
    static const struct {
        X86SimReg msr;
        uint64_t clear;
        const char *problem;
    } cases[] = {
        {X86_SIM_VMX_TRUE_PIN_CONTROLS, PIN_VIRTUAL_NMIS, "PIN_CONTROLS"},
        {X86_SIM_VMX_TRUE_PRIMARY_CONTROLS, PRIMARY_TPR_SHADOW, "PRIMARY_CONTROLS"},
        {X86_SIM_VMX_SECONDARY_CONTROLS, SECONDARY_VPID, "SECONDARY_CONTROLS"},
        {X86_SIM_VMX_TRUE_EXIT_CONTROLS, EXIT_LOAD_PAT, "EXIT_CONTROLS"},
        {X86_SIM_VMX_TRUE_ENTRY_CONTROLS, ENTRY_LOAD_PAT, "ENTRY_CONTROLS"},
    };

    (void)state;
    real_mode();
    for (size_t i = 0; i < COUNT(cases); i++) {
        VmxView v;

        x86_sim_reset_vmx();
        x86_sim.reg[cases[i].msr] &= ~(cases[i].clear << 32);
        v = view();
        assert_memory_equal(vmx_entry_problem(&v), cases[i].problem, strlen(cases[i].problem));
    }
}

// The older MSR insists on exits by CR3.
static void without_true_controls_the_older_ones_count(void **state)
{
    VmxView v;

    (void)state;
    real_mode();
    x86_sim.reg[X86_SIM_VMX_BASIC] &= ~VMX_BASIC_TRUE_CONTROLS;
    v = view();
    assert_string_equal(vmx_entry_problem(&v),
                        "PRIMARY_CONTROLS is not what IA32_VMX_PROCBASED_CTLS allows");
}

static void without_secondary_controls_nothing_of_them_counts(void **state)
{
    VmxView v;

    (void)state;
    restricted();
    set(VMCS_PRIMARY_CONTROLS, get(VMCS_PRIMARY_CONTROLS) & ~PRIMARY_SECONDARY_CONTROLS);
    set(VMCS_SECONDARY_CONTROLS, UINT32_MAX);
    set(VMCS_VPID, 0);
    x86_sim.reg[X86_SIM_VMX_TRUE_PRIMARY_CONTROLS] &= ~(PRIMARY_SECONDARY_CONTROLS << 32);
    v = view();
    assert_int_equal(v.allowed.secondary, 0);
    assert_int_equal(v.allowed.ept_vpid_cap, 0);
    assert_null(vmx_entry_problem(&v));
}

#define TEST(name) cmocka_unit_test_setup(name, start)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(good_guests_of_every_mode_pass),
        TEST(good_events_pass),
        TEST(mistakes_in_controls_are_named),
        TEST(a_guest_without_a_vpid_is_found),
        TEST(mistakes_in_the_host_are_named),
        TEST(mistakes_in_registers_are_named),
        TEST(mistakes_in_segments_are_named),
        TEST(mistakes_in_the_rest_are_named),
        TEST(controls_follow_the_capabilities),
        TEST(without_true_controls_the_older_ones_count),
        TEST(without_secondary_controls_nothing_of_them_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
