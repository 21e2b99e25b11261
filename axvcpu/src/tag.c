// SPDX-License-Identifier: Apache-2.0
/*
 * Each tag has a slot with its owner and the number of bound vCPUs that use it. Owners are numbers
 * that never repeat (48 bits): they are the generation that tells a VM that its tag went to another
 * one. AxEptRoot.tag holds owner and tag as the VM got them; they are good as long as the slot has
 * the same owner. What a pCPU may hold of an earlier owner is found out and flushed when the tag is
 * next entered there, so that no other VM loses its entries.
 *
 * Every failed compare-exchange means that somebody else got on.
 */
#include <axvcpu/tag.h>

#define USERS      UINT64_C(0xffff) // of a slot
#define TAG        UINT64_C(0xffff) // of AxEptRoot.tag
#define OWNER      (~UINT64_C(0xffff))
#define NEXT_OWNER UINT64_C(0x10000)

_Static_assert((AX_TAG_SLOTS & (AX_TAG_SLOTS - 1)) == 0, "hand wraps around with the slots");
_Static_assert((AX_TAG_RESIDENTS & (AX_TAG_RESIDENTS - 1)) == 0,
               "residents are mapped by tag bits");
_Static_assert(AX_TAG_SLOTS - 1 <= TAG, "a tag fits into its field");

static uint32_t usable_slots(uint8_t bits)
{
    return bits < 32 && UINT32_C(1) << bits < AX_TAG_SLOTS ? UINT32_C(1) << bits : AX_TAG_SLOTS;
}

// One more user of the slot of `tag`; false when the tag belongs to another VM by now.
static bool take(AxTagPool *pool, uint64_t tag)
{
    _Atomic uint64_t *slot = &pool->slots[tag & TAG];
    uint64_t old = atomic_load_explicit(slot, memory_order_acquire);

    do {
        if ((old & OWNER) != (tag & OWNER) || (old & USERS) == USERS) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(slot, &old, old + 1, memory_order_acq_rel,
                                                    memory_order_acquire));
    return true;
}

static void give_back(AxTagPool *pool, uint64_t tag)
{
    atomic_fetch_sub_explicit(&pool->slots[tag & TAG], 1, memory_order_release);
}

// Makes `owner` the owner of a tag that nobody uses, with one user. 0 when all are in use.
static uint64_t claim(AxTagPool *pool, uint64_t owner, uint32_t count)
{
    for (uint32_t tries = 0; tries < count; tries++) {
        const uint32_t n = atomic_fetch_add_explicit(&pool->hand, 1, memory_order_relaxed) &
                           (count - 1);
        uint64_t old = atomic_load_explicit(&pool->slots[n], memory_order_relaxed);

        if (n != 0 && (old & USERS) == 0 &&
            atomic_compare_exchange_strong_explicit(&pool->slots[n], &old, owner | 1,
                                                    memory_order_acq_rel, memory_order_relaxed)) {
            return owner | n;
        }
    }
    return 0;
}

static uint64_t new_owner(AxTagPool *pool)
{
    return atomic_fetch_add_explicit(&pool->last_owner, NEXT_OWNER, memory_order_relaxed) +
           NEXT_OWNER;
}

AxError axvcpu_tag_acquire(AxTagPool *pool, AxEptRoot *root, uint8_t bits, uint64_t *tag)
{
    const uint32_t count = usable_slots(bits);
    uint64_t held = atomic_load_explicit(&root->tag, memory_order_acquire);

    while (held == 0 || !take(pool, held)) {
        const uint64_t claimed = claim(pool, new_owner(pool), count);

        if (claimed == 0) {
            return AX_ENOSPC;
        }
        if (atomic_compare_exchange_strong_explicit(&root->tag, &held, claimed,
                                                    memory_order_seq_cst, memory_order_acquire)) {
            held = claimed;
            break;
        }
        give_back(pool, claimed); // a sibling was faster: take its tag
    }
    if ((held & TAG) >= count) {
        give_back(pool, held);
        return AX_ENOSPC;
    }
    *tag = held & TAG;
    return AX_OK;
}

void axvcpu_tag_release(AxTagPool *pool, const AxEptRoot *root)
{
    give_back(pool, atomic_load_explicit(&root->tag, memory_order_relaxed));
}

bool axvcpu_tag_find(const AxTagPool *pool, const AxEptRoot *root, uint64_t *tag)
{
    const uint64_t held = atomic_load_explicit(&root->tag, memory_order_seq_cst);
    const uint64_t owner = atomic_load_explicit(&pool->slots[held & TAG], memory_order_seq_cst) &
                           OWNER;

    *tag = held & TAG;
    return held != 0 && owner == (held & OWNER);
}

AxTagChange axvcpu_tag_enter(AxTagResidents *residents, const AxEptRoot *root, AxVCpuId vcpu_id,
                             bool moved)
{
    // Read before the caller flushes: a flush that comes later changes it again.
    const AxTagResident now = {
        .tag = atomic_load_explicit(&root->tag, memory_order_relaxed),
        .flushes = atomic_load_explicit(&root->flushes, memory_order_acquire),
        .vcpu_id = vcpu_id,
    };
    AxTagResident *entry = &residents->entries[now.tag & (AX_TAG_RESIDENTS - 1)];
    const AxTagResident before = *entry;

    *entry = now;
    if (before.tag != now.tag || before.flushes != now.flushes) {
        return AX_TAG_OTHER;
    }
    return before.vcpu_id == vcpu_id && !moved ? AX_TAG_SAME : AX_TAG_SIBLING;
}
