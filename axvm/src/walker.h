// SPDX-License-Identifier: Apache-2.0
/*
 * Nested page tables under an AxAddrSpace, whatever the format of their entries. No locks: the
 * caller holds as->lock. Addresses are inside the space and aligned to pages unless said otherwise.
 *
 * Hardware walks the tables at any time, so entries are written whole. A valid entry never turns
 * into another valid one directly: it is cleared, flushed, then written ("break before make"). An
 * empty entry that becomes valid needs no flush: a CPU that cached it faults, and learns of the
 * change in axvm_handle_fault(). In every format an entry of zero is empty.
 */
#pragma once

#include <axvm/addrspace.h>

typedef _Atomic uint64_t AxEptEntry;

/* Where the host sees a frame of tables or of guest memory. */
static inline void *axvm_host_pointer(const AxAddrSpace *as, HostPhysAddr addr)
{
    return ax_ptr_from_hva(as->hal->phys_to_virt(as->hal->ctx, addr));
}

#define AX_EPT_ENTRIES 512u

/* Bytes that one entry at `level` covers. */
static inline uint64_t axvm_level_size(uint8_t level)
{
    return AX_PAGE_SIZE << (9u * level);
}

/* The entry found for an address, with those above it. */
typedef struct AxWalk {
    AxEptEntry *entry[AX_EPT_MAX_LEVELS]; /* by level, from the root down to `level` */
    uint8_t level;
    AxEptEntryKind kind; /* TABLE never */
} AxWalk;

/* Who owns the frames behind leaves that go away. */
typedef enum AxOwner {
    AX_OWNER_LENT, /* the caller of axvm_map_linear */
    AX_OWNER_SELF, /* this address space */
} AxOwner;

/* Descends to the leaf or the empty entry that decides about `gpa` (any byte). */
void axvm_walk(const AxAddrSpace *as, GuestPhysAddr gpa, AxWalk *walk);

/* Value of the entry found; its kind is walk->kind. */
uint64_t axvm_walk_value(const AxWalk *walk);

/*
 * Fill the empty range [gpa, gpa + size). AX_ENOMEM with a part of it mapped: the caller takes it
 * back with axvm_walker_clear, which also removes tables that stayed empty.
 */
AX_MUST_CHECK AxError axvm_walker_map(AxAddrSpace *as, GuestPhysAddr gpa, HostPhysAddr hpa,
                                      uint64_t size, MappingFlags flags);
AX_MUST_CHECK AxError axvm_walker_populate(AxAddrSpace *as, GuestPhysAddr gpa, uint64_t size,
                                           MappingFlags flags);

/* Splits leaves until one ends at `gpa`. AX_ENOMEM: all translations are as before. */
AX_MUST_CHECK AxError axvm_walker_split(AxAddrSpace *as, GuestPhysAddr gpa, AxOwner owner);

/* Empties the range, whose ends are no middle of a leaf; frames of owner SELF go to the HAL. */
void axvm_walker_clear(AxAddrSpace *as, GuestPhysAddr gpa, uint64_t size, AxOwner owner);

/* The same for an address space that no vCPU uses any more: without a flush per step. */
void axvm_walker_clear_idle(AxAddrSpace *as, GuestPhysAddr gpa, uint64_t size, AxOwner owner);

/* Gives all leaves in the range, whose ends are no middle of a leaf, these flags. */
void axvm_walker_protect(AxAddrSpace *as, GuestPhysAddr gpa, uint64_t size, MappingFlags flags);
