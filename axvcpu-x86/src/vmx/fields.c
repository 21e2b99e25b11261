// SPDX-License-Identifier: Apache-2.0
// Where a guest's registers are. Not bound: all in VmxState, and the VMCS has them but for the dirty
// ones. Bound: in the VMCS, or in the processor itself when the VMCS has no field for them.
#include "vmx/vmx.h"

#include <string.h>

// Bits that the guest reads from a shadow. NE must be set; CD and NW would act on the host's caches
// and stay set after an exit.
#define CR0_OWNED (CR0_NE | CR0_NW | CR0_CD)
// CR0.ET is 1, whatever was written.
#define CR0_FIXED (CR0_NE | CR0_ET)

// ---- registers that no field has ----

// DR6 is of the processor as are DR0 to DR3; see state.c.
#define LIVE(NAME)                         \
    static uint64_t get_##NAME(void)       \
    {                                      \
        return X86_READ(NAME);             \
    }                                      \
    static void set_##NAME(uint64_t value) \
    {                                      \
        X86_WRITE(NAME, value);            \
    }
LIVE(DR6)
LIVE(STAR)
LIVE(LSTAR)
LIVE(CSTAR)
LIVE(SFMASK)
LIVE(KERNEL_GS_BASE)
#undef LIVE

static const struct LiveRegister {
    X86Field field;
    uint64_t (*get)(void);
    void (*set)(uint64_t value);
} live[] = {
    {X86_FIELD_DR6, get_DR6, set_DR6},
    {X86_FIELD_STAR, get_STAR, set_STAR},
    {X86_FIELD_LSTAR, get_LSTAR, set_LSTAR},
    {X86_FIELD_CSTAR, get_CSTAR, set_CSTAR},
    {X86_FIELD_SFMASK, get_SFMASK, set_SFMASK},
    {X86_FIELD_KERNEL_GS_BASE, get_KERNEL_GS_BASE, set_KERNEL_GS_BASE},
};

#define LIVE_COUNT (sizeof(live) / sizeof(live[0]))
static_assert(LIVE_COUNT == X86_VMX_LIVE_REGISTERS, "the host's have room");

static size_t live_index(X86Field field)
{
    size_t i = 0;

    while (i + 1 < LIVE_COUNT && live[i].field != field) {
        i++;
    }
    return i;
}

// ---- fields ----

typedef enum PlaceKind {
    PLACE_FIELD,  // as it is
    PLACE_RIGHTS, // attributes of a segment
    PLACE_CR0,
    PLACE_CR4,
    PLACE_EFER,
    PLACE_LIVE,
    PLACE_KEPT, // CR2, which enter moves
} PlaceKind;

typedef struct FieldPlace {
    uint16_t encoding;
    uint8_t kind;
} FieldPlace;

#define SEGMENT(NAME)                                                                    \
    [X86_FIELD_##NAME##_SELECTOR] = {VMCS_GUEST_##NAME##_SELECTOR, PLACE_FIELD},         \
    [X86_FIELD_##NAME##_ATTRIBUTES] = {VMCS_GUEST_##NAME##_ACCESS_RIGHTS, PLACE_RIGHTS}, \
    [X86_FIELD_##NAME##_LIMIT] = {VMCS_GUEST_##NAME##_LIMIT, PLACE_FIELD},               \
    [X86_FIELD_##NAME##_BASE] = {VMCS_GUEST_##NAME##_BASE, PLACE_FIELD}

static const FieldPlace places[X86_FIELD_COUNT] = {
    [X86_FIELD_CR0] = {VMCS_GUEST_CR0, PLACE_CR0},
    [X86_FIELD_CR2] = {0, PLACE_KEPT},
    [X86_FIELD_CR3] = {VMCS_GUEST_CR3, PLACE_FIELD},
    [X86_FIELD_CR4] = {VMCS_GUEST_CR4, PLACE_CR4},
    [X86_FIELD_EFER] = {VMCS_GUEST_EFER, PLACE_EFER},
    [X86_FIELD_PAT] = {VMCS_GUEST_PAT, PLACE_FIELD},
    [X86_FIELD_DR6] = {0, PLACE_LIVE},
    [X86_FIELD_DR7] = {VMCS_GUEST_DR7, PLACE_FIELD},
    [X86_FIELD_GDTR_BASE] = {VMCS_GUEST_GDTR_BASE, PLACE_FIELD},
    [X86_FIELD_GDTR_LIMIT] = {VMCS_GUEST_GDTR_LIMIT, PLACE_FIELD},
    [X86_FIELD_IDTR_BASE] = {VMCS_GUEST_IDTR_BASE, PLACE_FIELD},
    [X86_FIELD_IDTR_LIMIT] = {VMCS_GUEST_IDTR_LIMIT, PLACE_FIELD},
    [X86_FIELD_SYSENTER_CS] = {VMCS_GUEST_SYSENTER_CS, PLACE_FIELD},
    [X86_FIELD_SYSENTER_ESP] = {VMCS_GUEST_SYSENTER_ESP, PLACE_FIELD},
    [X86_FIELD_SYSENTER_EIP] = {VMCS_GUEST_SYSENTER_EIP, PLACE_FIELD},
    [X86_FIELD_STAR] = {0, PLACE_LIVE},
    [X86_FIELD_LSTAR] = {0, PLACE_LIVE},
    [X86_FIELD_CSTAR] = {0, PLACE_LIVE},
    [X86_FIELD_SFMASK] = {0, PLACE_LIVE},
    [X86_FIELD_KERNEL_GS_BASE] = {0, PLACE_LIVE},
    SEGMENT(ES),
    SEGMENT(CS),
    SEGMENT(SS),
    SEGMENT(DS),
    SEGMENT(FS),
    SEGMENT(GS),
    SEGMENT(LDTR),
    SEGMENT(TR),
};

// Unusable is what a null selector leaves, and what is not present cannot be told from it.
static uint64_t rights_of(uint64_t attributes)
{
    return (attributes & 0xff) | (attributes & 0xf00) << 4 |
           ((attributes & SEGMENT_PRESENT) != 0 ? 0 : RIGHTS_UNUSABLE);
}

static uint64_t attributes_of(uint64_t rights)
{
    const uint64_t attributes = (rights & 0xff) | (rights >> 4 & 0xf00);

    return (rights & RIGHTS_UNUSABLE) != 0 ? attributes & ~SEGMENT_PRESENT : attributes;
}

// What the guest may change without an exit. Machine checks are the host's.
static uint64_t cr4_owned(const X86VCpu *vcpu)
{
    return ~vcpu->percpu->features.cr4 | CR4_MCE;
}

static uint64_t load(const X86VCpu *vcpu, const FieldPlace *place)
{
    const uint64_t value = x86_vmx_read(place->encoding);
    uint64_t owned;

    switch ((PlaceKind)place->kind) {
    case PLACE_RIGHTS: return attributes_of(value);
    case PLACE_CR0: return (value & ~CR0_OWNED) | (x86_vmx_read(VMCS_CR0_READ_SHADOW) & CR0_OWNED);
    case PLACE_CR4:
        owned = cr4_owned(vcpu);
        return (value & ~owned) | (x86_vmx_read(VMCS_CR4_READ_SHADOW) & owned);
    default: return value;
    }
}

static void store_cr4(const X86VCpu *vcpu, VmxState *state, uint64_t value)
{
    const uint64_t owned = cr4_owned(vcpu);

    vmx_put(state, VMCS_CR4_GUEST_HOST_MASK, owned);
    vmx_put(state, VMCS_CR4_READ_SHADOW, value);
    vmx_put(state, VMCS_GUEST_CR4,
            (value & ~owned) | X86_READ(VMX_CR4_FIXED0) | (X86_READ(CR4) & CR4_MCE));
}

static void store_cr0(VmxState *state, uint64_t value)
{
    vmx_put(state, VMCS_CR0_GUEST_HOST_MASK, CR0_OWNED);
    vmx_put(state, VMCS_CR0_READ_SHADOW, value);
    vmx_put(state, VMCS_GUEST_CR0, (value & ~CR0_OWNED) | CR0_FIXED);
}

// An exit keeps the control up to date with EFER.LMA, which the guest's CR0.PG changes.
static void store_efer(const X86VCpu *vcpu, VmxState *state, uint64_t value)
{
    const bool is_long = (value & EFER_LMA) != 0;

    vmx_put(state, VMCS_GUEST_EFER, value);
    vmx_put(state, VMCS_ENTRY_CONTROLS,
            vcpu->percpu->features.controls.entry | (is_long ? ENTRY_IA32E_MODE_GUEST : 0));
}

static bool changes_pdptes(X86Field field)
{
    return field == X86_FIELD_CR0 || field == X86_FIELD_CR3 || field == X86_FIELD_CR4 ||
           field == X86_FIELD_EFER;
}

static void store(const X86VCpu *vcpu, VmxState *state, X86Field field, uint64_t value)
{
    const FieldPlace *place = &places[field];

    state->pdptes_stale = state->pdptes_stale || changes_pdptes(field);
    switch ((PlaceKind)place->kind) {
    case PLACE_FIELD: vmx_put(state, place->encoding, value); break;
    case PLACE_RIGHTS: vmx_put(state, place->encoding, rights_of(value)); break;
    case PLACE_CR0: store_cr0(state, value); break;
    case PLACE_CR4: store_cr4(vcpu, state, value); break;
    case PLACE_EFER: store_efer(vcpu, state, value); break;
    case PLACE_LIVE: live[live_index(field)].set(value); break;
    default: break;
    }
}

uint64_t vmx_read(const X86VCpu *vcpu, X86Field field)
{
    const FieldPlace *place = &places[field];

    if (vcpu->percpu == NULL || place->kind == PLACE_KEPT) {
        return vmx_state(vcpu)->fields[field];
    }
    return place->kind == PLACE_LIVE ? live[live_index(field)].get() : load(vcpu, place);
}

void vmx_write(X86VCpu *vcpu, X86Field field, uint64_t value)
{
    VmxState *state = vmx_state(vcpu);

    state->fields[field] = value;
    if (vcpu->percpu == NULL) {
        state->dirty |= X86_BIT(field);
    } else {
        store(vcpu, state, field, value);
    }
}

// ---- bind and unbind ----

static void swap_in(X86Host *host, const VmxState *state)
{
    for (size_t i = 0; i < LIVE_COUNT; i++) {
        const uint64_t guest = state->fields[live[i].field];

        host->live[i] = live[i].get();
        if (host->live[i] != guest) {
            live[i].set(guest);
        }
    }
}

static void swap_out(const X86Host *host, VmxState *state)
{
    for (size_t i = 0; i < LIVE_COUNT; i++) {
        const uint64_t guest = live[i].get();

        state->fields[live[i].field] = guest;
        if (host->live[i] != guest) {
            live[i].set(host->live[i]);
        }
    }
}

void vmx_fields_load(X86VCpu *vcpu)
{
    VmxState *state = vmx_state(vcpu);

    swap_in(&vcpu->percpu->host, state);
    for (uint64_t left = state->dirty; left != 0; left &= left - 1) {
        const X86Field field = (X86Field)ax_lowest_bit(left);

        if (places[field].kind != PLACE_LIVE) {
            store(vcpu, state, field, state->fields[field]);
        }
    }
    state->dirty = 0;
}

void vmx_fields_save(X86VCpu *vcpu)
{
    VmxState *state = vmx_state(vcpu);

    for (unsigned field = 0; field < X86_FIELD_COUNT; field++) {
        if (places[field].kind < PLACE_LIVE) {
            state->fields[field] = load(vcpu, &places[field]);
        }
    }
    swap_out(&vcpu->percpu->host, state);
}

// ---- PAE ----

#define CR3_PAE UINT64_C(0xffffffe0)

static bool is_pae(const X86VCpu *vcpu)
{
    return (vmx_read(vcpu, X86_FIELD_CR0) & CR0_PG) != 0 &&
           (vmx_read(vcpu, X86_FIELD_CR4) & CR4_PAE) != 0 &&
           (vmx_read(vcpu, X86_FIELD_EFER) & EFER_LMA) == 0;
}

// Entries take the four pointers from the VMCS, MOV to CR3 of the guest puts them there.
void vmx_load_pdptes(X86VCpu *vcpu)
{
    VmxState *state = vmx_state(vcpu);
    uint64_t pointers[4] = {0};
    const void *memory;

    state->pdptes_stale = false;
    if (!is_pae(vcpu)) {
        return;
    }
    memory = x86_ept_lookup(vcpu, vmx_read(vcpu, X86_FIELD_CR3) & CR3_PAE, AX_MAP_READ);
    if (memory != NULL) {
        memcpy(pointers, memory, sizeof(pointers));
    }
    vmx_put(state, VMCS_GUEST_PDPTE_0, pointers[0]);
    vmx_put(state, VMCS_GUEST_PDPTE_1, pointers[1]);
    vmx_put(state, VMCS_GUEST_PDPTE_2, pointers[2]);
    vmx_put(state, VMCS_GUEST_PDPTE_3, pointers[3]);
}
