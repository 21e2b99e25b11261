// SPDX-License-Identifier: Apache-2.0
/*
 * TLB tags (VMID, ASID, VPID) for backends. There may be more VMs than tags, so a tag is lent: a VM
 * that has a vCPU bound keeps it, one that has none may lose it to another. Nothing is flushed when
 * that happens: each pCPU remembers whose entries its TLB may hold and flushes when it meets a
 * change, at bind. Lock-free; any pCPU.
 */
#pragma once

#include <axvcpu/ept.h>
#include <axvcpu/error.h>
#include <axvcpu/types.h>

#include <stdatomic.h>

/* More tags than this stay unused, because each costs a slot; more VMs than this still work. */
#define AX_TAG_SLOTS 1024u

/* One per machine, zero at start: the TLBs of all pCPUs know the same tags. Tag 0 is the host's. */
typedef struct AxTagPool {
    /* Owner (bits 63:16) and number of bound vCPUs (15:0) of each tag. Owner numbers never repeat. */
    _Atomic uint64_t slots[AX_TAG_SLOTS];
    _Atomic uint64_t last_owner;
    _Atomic uint32_t hand; /* where the last search ended */
} AxTagPool;

/*
 * Takes the tag of the VM of `root` for one bound vCPU, allocating one when it has none: it cannot
 * be taken away before the release, which every AX_OK needs. bits: width of a tag on this pCPU;
 * 0 < *tag < 2^bits. AX_ENOSPC when more VMs are bound at once than there are tags, or siblings are
 * bound with a tag that is too wide here.
 *
 * A flush that looks with axvcpu_tag_find either sees the tag, or what it changed before is seen by
 * table walks after the acquire. For that, both callers put a full barrier of their architecture
 * (dsb, fence) between the tables and the tag: the one before the find, the other after the acquire.
 */
AX_MUST_CHECK AxError axvcpu_tag_acquire(AxTagPool *pool, AxEptRoot *root, uint8_t bits,
                                         uint64_t *tag);
void axvcpu_tag_release(AxTagPool *pool, const AxEptRoot *root);
/* The tag that TLB entries of `root` may carry; false when there are none. */
bool axvcpu_tag_find(const AxTagPool *pool, const AxEptRoot *root, uint64_t *tag);

/*
 * Whose entries the TLB of one pCPU may hold; zero when it holds none. Direct mapped by tag; a miss
 * counts as a change.
 */
#define AX_TAG_RESIDENTS 16u

typedef struct AxTagResident {
    uint64_t tag;     /* AxEptRoot.tag */
    uint64_t flushes; /* AxEptRoot.flushes when all entries were last right */
    AxVCpuId vcpu_id;
} AxTagResident;

typedef struct AxTagResidents {
    AxTagResident entries[AX_TAG_RESIDENTS];
} AxTagResidents;

typedef enum AxTagChange {
    AX_TAG_SAME,    /* nothing to flush */
    AX_TAG_SIBLING, /* entries of the guest's own tables, and instructions, of the tag go */
    AX_TAG_OTHER,   /* another VM had the tag, or the nested tables changed: all with the tag go */
} AxTagChange;

/*
 * On the pCPU of `residents`, with the tag taken: what has to be flushed before vCPU `vcpu_id` of
 * `root` enters the guest here. The caller does it; the next call says AX_TAG_SAME.
 *
 * moved: the vCPU was bound to another pCPU since it was last bound here, and flushes of the guest
 * there were not heard here. Then what it left behind is as stale as a sibling's. Always false where
 * such flushes are broadcast (Arm), and while the vCPU is bound.
 */
AxTagChange axvcpu_tag_enter(AxTagResidents *residents, const AxEptRoot *root, AxVCpuId vcpu_id,
                             bool moved);
