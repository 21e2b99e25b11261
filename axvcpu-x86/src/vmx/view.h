// SPDX-License-Identifier: Apache-2.0
// What the checks of a VM entry are made of: questions to a VMCS.
#pragma once

#include "vmx/entry_check.h"
#include "x86.h"

#define EFER_DEFINED (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)
#define LINEAR_BITS  48u
#define SELECTOR_TI  X86_BIT(2)

static inline uint64_t view_get(const VmxView *v, VmcsField field)
{
    return v->read(v->ctx, field);
}

static inline bool view_has(const VmxView *v, VmcsField field, uint64_t bits)
{
    return (view_get(v, field) & bits) == bits;
}

static inline bool view_has_secondary(const VmxView *v, uint64_t bit)
{
    return view_has(v, VMCS_PRIMARY_CONTROLS, PRIMARY_SECONDARY_CONTROLS) &&
           view_has(v, VMCS_SECONDARY_CONTROLS, bit);
}

static inline bool view_is_within(uint64_t value, uint64_t ones, uint64_t allowed)
{
    return (value & ones) == ones && (value & ~allowed) == 0;
}

static inline bool view_is_allowed(const VmxView *v, VmcsField field, uint64_t allowed)
{
    return view_is_within(view_get(v, field), allowed & UINT32_MAX, allowed >> 32);
}

static inline bool view_is_canonical(uint64_t address)
{
    return (uint64_t)((int64_t)address >> (LINEAR_BITS - 1)) + 1 <= 1;
}

static inline bool view_is_physical(const VmxView *v, uint64_t address)
{
    return address >> v->allowed.physical_bits == 0;
}

static inline bool view_is_frame(const VmxView *v, VmcsField field)
{
    const uint64_t address = view_get(v, field);

    return address % AX_PAGE_SIZE == 0 && view_is_physical(v, address);
}

typedef struct VmxCheck {
    bool (*holds)(const VmxView *v);
    const char *problem;
} VmxCheck;

static inline const char *view_problem(const VmxView *v, const VmxCheck *checks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!checks[i].holds(v)) {
            return checks[i].problem;
        }
    }
    return NULL;
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

// ---- the event that an entry delivers ----

static inline bool view_delivers(const VmxView *v)
{
    return view_has(v, VMCS_ENTRY_INTERRUPTION_INFO, INTERRUPTION_VALID);
}

static inline unsigned view_event_type(const VmxView *v)
{
    return INTERRUPTION_TYPE(view_get(v, VMCS_ENTRY_INTERRUPTION_INFO));
}

static inline unsigned view_event_vector(const VmxView *v)
{
    return (unsigned)(view_get(v, VMCS_ENTRY_INTERRUPTION_INFO) & INTERRUPTION_VECTOR);
}

static inline bool view_delivers_type(const VmxView *v, unsigned type)
{
    return view_delivers(v) && view_event_type(v) == type;
}
