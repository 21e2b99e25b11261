// SPDX-License-Identifier: Apache-2.0
// Nested tables as far as the vendors do not differ.
#include "x86.h"

#define INDEX_BITS 9u

#define LEVELS         4u
#define MOST_GPA_BITS  48u
#define LEAST_GPA_BITS 13u // two pages

AxError x86_ept_root_shape(uint8_t gpa_bits, uint8_t *levels, uint8_t *root_frames)
{
    if (gpa_bits < LEAST_GPA_BITS || gpa_bits > MOST_GPA_BITS || gpa_bits > x86_physical_bits()) {
        return AX_ENOTSUP;
    }
    *levels = LEVELS;
    *root_frames = 1;
    return AX_OK;
}

AxError x86_ept_root_check(const X86VCpu *vcpu, const AxEptRoot *root)
{
    return axvcpu_ept_root_check(vcpu->vendor->ept, root, UINT64_MAX << x86_physical_bits());
}

AxEptEntryKind x86_ept_kind(uint64_t entry, uint8_t level, uint64_t present)
{
    if ((entry & present) == 0) {
        return AX_EPT_EMPTY;
    }
    if (level != 0 && (entry & X86_EPT_PS) == 0) {
        return AX_EPT_TABLE;
    }
    return level <= 2 ? AX_EPT_LEAF : AX_EPT_EMPTY;
}

HostPhysAddr x86_ept_address(uint64_t entry, uint8_t level, AxEptEntryKind kind)
{
    const unsigned size_bits = kind == AX_EPT_LEAF ? 12 + INDEX_BITS * level : 12;

    return ax_hpa(entry & X86_EPT_ADDR & (UINT64_MAX << size_bits));
}

// Caches and instruction fetches are coherent.
void x86_ept_sync(const void *memory, uint64_t size)
{
    (void)memory;
    (void)size;
}

void x86_ept_publish(void)
{
    atomic_thread_fence(memory_order_seq_cst);
}

// A vCPU of this VM compares `flushes` before each entry; those that are in the guest are recalled.
void x86_ept_flush(AxEptRoot *root, GuestPhysAddr gpa, uint64_t size)
{
    (void)gpa;
    (void)size;
    atomic_fetch_add_explicit(&root->flushes, 1, memory_order_seq_cst);
    if (root->recall != NULL) {
        root->recall(root->owner);
    }
}

static uint64_t entry_at(const X86VCpu *vcpu, HostPhysAddr table, uint64_t gpa, unsigned level)
{
    const AxVCpuHal *hal = vcpu->env.hal;
    const _Atomic uint64_t *entries = ax_ptr_from_hva(hal->phys_to_virt(hal->ctx, table));

    return atomic_load_explicit(&entries[gpa >> (12 + INDEX_BITS * level) & 0x1ff],
                                memory_order_acquire);
}

// The frame behind a page, for what is in the tables now.
static X86_RARE void *walk(const X86VCpu *vcpu, uint64_t gpa, MappingFlags rights)
{
    const AxEptFormat *ept = vcpu->vendor->ept;
    const AxVCpuHal *hal = vcpu->env.hal;
    HostPhysAddr table = vcpu->ept->base;

    for (unsigned level = vcpu->ept->levels; level-- > 0;) {
        const uint64_t entry = entry_at(vcpu, table, gpa, level);
        const AxEptEntryKind kind = ept->kind(entry, (uint8_t)level);

        table = ept->address(entry, (uint8_t)level);
        if (kind == AX_EPT_LEAF) {
            const uint64_t mask = (UINT64_C(1) << (12 + INDEX_BITS * level)) - 1;

            if ((ept->flags(entry) & (rights | AX_MAP_DEVICE)) != rights) {
                return NULL;
            }
            return ax_ptr_from_hva(hal->phys_to_virt(hal->ctx, ax_hpa(table.value + (gpa & mask))));
        }
        if (kind != AX_EPT_TABLE) {
            return NULL;
        }
    }
    return NULL;
}

// What is taken out of the tables is flushed before it is used for something else, and that waits for
// this vCPU to be out of here: what was found before is as good as what a TLB has.
void *x86_ept_lookup(const X86VCpu *vcpu, uint64_t gpa, MappingFlags rights)
{
    const uint64_t flushes = atomic_load_explicit(&vcpu->ept->flushes, memory_order_acquire);
    const uint64_t page = gpa / AX_PAGE_SIZE;
    X86Lookup *known = &vcpu->lookup_cache[page % X86_LOOKUPS];

    if (known->memory != NULL && known->page == page && known->flushes == flushes &&
        (known->rights & rights) == rights) {
        return known->memory + gpa % AX_PAGE_SIZE;
    }
    if (gpa >> vcpu->ept->gpa_bits != 0) {
        return NULL;
    }
    *known = (X86Lookup){.page = page,
                         .flushes = flushes,
                         .memory = walk(vcpu, gpa & ~(AX_PAGE_SIZE - 1), rights),
                         .rights = rights};
    return known->memory != NULL ? known->memory + gpa % AX_PAGE_SIZE : NULL;
}
