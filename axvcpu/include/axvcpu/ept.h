// SPDX-License-Identifier: Apache-2.0
/*
 * Second-stage translation (nested page tables, EPT, stage 2, G-stage): what the VM layer's walker
 * must know of an architecture, as one const table per backend. The walker is generic C in axvm.
 */
#pragma once

#include <axvcpu/error.h>
#include <axvcpu/types.h>

#include <stdatomic.h>

/* Levels count from the leaf: level 0 maps 4 KiB, 1 maps 2 MiB, 2 maps 1 GiB. */
#define AX_EPT_MAX_LEVELS 5u

/*
 * Root of one guest-physical address space, shared by all vCPUs of a VM. Filled by the VM layer,
 * except for `tag` and `flushes`: they start at 0, belong to the backend, and mean what tag.h says.
 * Must not move while a vCPU uses it.
 */
typedef struct AxEptRoot {
    HostPhysAddr base;    /* first root frame */
    uint8_t levels;       /* including the root level */
    uint8_t gpa_bits;     /* guest-physical addresses are < 2^gpa_bits */
    _Atomic uint64_t tag; /* VMID/ASID/VPID with its owner */
    /*
     * How often a flush was asked for, where CPUs do not hear of each other's: counted up after the
     * tables have changed and before `recall`.
     */
    _Atomic uint64_t flushes;
    /*
     * Given by the VM layer for the backend's `flush`, and changed only while no vCPU can run: posts
     * a `nested` fence to every vCPU of the VM (axvcpu_fence), then waits for each (axvcpu_fence_wait,
     * with its rules). NULL when there is nobody to tell, and where flushes are broadcast anyway.
     */
    void (*recall)(void *owner);
    void *owner;
} AxEptRoot;

typedef enum AxEptEntryKind {
    AX_EPT_EMPTY, /* any access faults */
    AX_EPT_TABLE, /* points to the next level */
    AX_EPT_LEAF,
} AxEptEntryKind;

/*
 * Entry codec and invalidation. All functions but `flush` are pure. `level` is 0 based from the
 * leaf, `addr` is aligned to the size of the level.
 */
typedef struct AxEptFormat {
    const char *name;
    /*
     * Shape of the root for `gpa_bits`: number of levels and of contiguous frames at the root (the
     * root is aligned to its size). AX_ENOTSUP when this pCPU's hardware cannot do it.
     */
    AxError (*root_shape)(uint8_t gpa_bits, uint8_t *levels, uint8_t *root_frames);
    /* Whether a leaf may stand at `level`. */
    bool (*leaf_allowed)(uint8_t level);
    uint64_t (*make_leaf)(HostPhysAddr addr, MappingFlags flags, uint8_t level);
    uint64_t (*make_table)(HostPhysAddr next);
    AxEptEntryKind (*kind)(uint64_t entry, uint8_t level);
    HostPhysAddr (*address)(uint64_t entry, uint8_t level);
    MappingFlags (*flags)(uint64_t entry);
    /*
     * Makes what the host wrote to guest memory visible to a guest that runs with its caches off,
     * and to its instruction fetches. `memory` is where the host maps it.
     */
    void (*sync)(const void *memory, uint64_t size);
    /* Makes a changed entry visible to hardware walkers (barriers), before and without a flush. */
    void (*publish)(void);
    /*
     * Removes every translation of [gpa, gpa + size) that any pCPU cached for `root`, leaves and
     * walk caches; size 0 means the whole space. Returns when no pCPU can use one any more.
     */
    void (*flush)(AxEptRoot *root, GuestPhysAddr gpa, uint64_t size);
} AxEptFormat;

/*
 * For a backend that is given `root`: whether it has the shape that `format` asks for, its frames are
 * aligned to their size, and no bit of `reserved` is in their address. AX_ENOTSUP, AX_EINVAL or
 * AX_EALIGN.
 */
static inline AxError axvcpu_ept_root_check(const AxEptFormat *format, const AxEptRoot *root,
                                            uint64_t reserved)
{
    uint8_t levels;
    uint8_t frames;
    const AxError error = format->root_shape(root->gpa_bits, &levels, &frames);

    if (error != AX_OK) {
        return error;
    }
    if (root->levels != levels || (root->base.value & reserved) != 0) {
        return AX_EINVAL;
    }
    return root->base.value % (frames * AX_PAGE_SIZE) == 0 ? AX_OK : AX_EALIGN;
}
