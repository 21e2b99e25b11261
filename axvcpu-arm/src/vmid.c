// SPDX-License-Identifier: Apache-2.0
// VMIDs tag TLB entries with their VM. There may be more VMs than VMIDs, so a VMID is lent: a VM that
// has a vCPU bound keeps it, one that has none may lose it to another.
//
// Each VMID has a slot with its owner and the number of bound vCPUs that use it. Owners are numbers
// that never repeat (48 bits): they are the generation that tells a VM that its VMID went to another
// one. AxEptRoot.tag holds owner and VMID as the VM got them; they are good as long as the slot has
// the same owner. A VMID that changes hands is flushed everywhere before the new owner publishes it,
// so nothing has to be looked at when a guest is entered, and no other VM loses its entries.
//
// Lock-free: every failed compare-exchange means that somebody else got on.
#include "arm.h"
#include "arm_regs.h"

// Of 16-bit VMIDs only so many are used, because each costs a slot. More VMs than this still work.
#define SLOT_COUNT 1024u

#define USERS      ARM_MASK(15, 0) // of a slot
#define VMID       ARM_MASK(15, 0) // of a tag
#define OWNER      ARM_MASK(63, 16)
#define NEXT_OWNER ARM_BIT(16)

// Global, because VMIDs are: the TLBs of all pCPUs know the same ones. VMID 0 is the host's.
static _Atomic uint64_t slots[SLOT_COUNT];
static _Atomic uint64_t last_owner;
static _Atomic uint32_t hand; // where the last search ended

static_assert((SLOT_COUNT & (SLOT_COUNT - 1)) == 0, "hand wraps around with SLOT_COUNT");

static uint32_t usable_slots(uint8_t vmid_bits)
{
    const uint32_t all = UINT32_C(1) << vmid_bits;

    return all < SLOT_COUNT ? all : SLOT_COUNT;
}

// One more user of the slot of `tag`; false when the VMID belongs to another VM by now.
static bool take(uint64_t tag)
{
    _Atomic uint64_t *slot = &slots[tag & VMID];
    uint64_t old = atomic_load_explicit(slot, memory_order_acquire);

    do {
        if ((old & OWNER) != (tag & OWNER) || (old & USERS) == USERS) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(slot, &old, old + 1, memory_order_acq_rel,
                                                    memory_order_acquire));
    return true;
}

static void give_back(uint64_t tag)
{
    atomic_fetch_sub_explicit(&slots[tag & VMID], 1, memory_order_release);
}

static void flush_vmid(uint64_t vmid)
{
    const uint64_t daif = arm_daif_mask();
    const uint64_t vttbr = ARM_READ(VTTBR_EL2);

    ARM_WRITE(VTTBR_EL2, arm_put(vmid, VTTBR_EL2_VMID));
    arm_isb();
    arm_tlbi_vmalls12e1is();
    arm_dsb_ish();
    ARM_WRITE(VTTBR_EL2, vttbr);
    arm_isb();
    arm_daif_restore(daif);
}

// Makes `owner` the owner of a VMID that nobody uses, with one user. 0 when all are in use.
static uint64_t claim(uint64_t owner, uint32_t count)
{
    for (uint32_t tries = 0; tries < count; tries++) {
        const uint32_t n = atomic_fetch_add_explicit(&hand, 1, memory_order_relaxed) & (count - 1);
        uint64_t old = atomic_load_explicit(&slots[n], memory_order_relaxed);

        if (n == 0 || (old & USERS) != 0 ||
            !atomic_compare_exchange_strong_explicit(&slots[n], &old, owner | 1,
                                                     memory_order_acq_rel, memory_order_relaxed)) {
            continue;
        }
        if (old != 0) {
            flush_vmid(n);
        }
        return owner | n;
    }
    return 0;
}

AxError aarch64_vmid_acquire(AxEptRoot *root, uint8_t vmid_bits, uint64_t *vmid)
{
    const uint32_t count = usable_slots(vmid_bits);
    uint64_t tag = atomic_load_explicit(&root->tag, memory_order_acquire);

    while (tag == 0 || !take(tag)) {
        const uint64_t owner =
            atomic_fetch_add_explicit(&last_owner, NEXT_OWNER, memory_order_relaxed) + NEXT_OWNER;
        const uint64_t claimed = claim(owner, count);

        if (claimed == 0) {
            return AX_ENOSPC;
        }
        if (atomic_compare_exchange_strong_explicit(&root->tag, &tag, claimed, memory_order_seq_cst,
                                                    memory_order_acquire)) {
            tag = claimed;
            break;
        }
        give_back(claimed); // a sibling was faster: take its VMID
    }
    // Table walks of this pCPU come after the tag is visible: a flush that did not see it has
    // changed the tables before.
    arm_dsb_ish();
    *vmid = tag & VMID;
    return AX_OK;
}

void aarch64_vmid_release(const AxEptRoot *root)
{
    give_back(atomic_load_explicit(&root->tag, memory_order_relaxed));
}

bool aarch64_vmid_find(const AxEptRoot *root, uint64_t *vmid)
{
    const uint64_t tag = atomic_load_explicit(&root->tag, memory_order_seq_cst);
    const uint64_t owner = atomic_load_explicit(&slots[tag & VMID], memory_order_seq_cst) & OWNER;

    *vmid = tag & VMID;
    return tag != 0 && owner == (tag & OWNER);
}
