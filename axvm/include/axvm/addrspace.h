// SPDX-License-Identifier: Apache-2.0
/*
 * The guest-physical address space of a VM: regions on top, nested page tables below. One walker
 * for all architectures; the entry format comes from the backend. All functions may be called from
 * any pCPU, also while vCPUs run; each takes the lock for a bounded time.
 *
 * Every frame the address space allocates (tables, guest RAM) comes from the HAL and goes back to
 * it at the latest in axvm_addrspace_destroy.
 */
#pragma once

#include <axvcpu/axvcpu.h>
#include <axvm/lock.h>

#define AX_REGIONS_MAX 32u

typedef enum AxRegionKind {
    AX_REGION_LINEAR, /* host memory lent by the caller, gpa → hpa with one offset */
    AX_REGION_POPULATED /* RAM of this address space, allocated when mapped */,
    AX_REGION_ON_DEMAND, /* RAM of this address space, allocated page by page on first use */
} AxRegionKind;

typedef struct AxRegion {
    GuestPhysAddr base;
    uint64_t size;
    HostPhysAddr host; /* LINEAR only */
    MappingFlags flags;
    AxRegionKind kind;
} AxRegion;

typedef struct AxAddrSpace {
    const AxVCpuHal *hal;
    const AxEptFormat *format;
    AxEptRoot root; /* lent to the vCPUs: axvcpu_set_ept_root(vcpu, &as->root) */
    uint8_t root_frames;
    AxLock lock;
    uint32_t region_count;
    AxRegion regions[AX_REGIONS_MAX]; /* sorted by base */
    uint64_t table_frames;            /* frames in use, for the summary and leak checks */
    uint64_t ram_frames;
    HostPhysAddr chunk_list; /* private: pieces of RAM that are partly unmapped or split */
    uint32_t chunk_pages;
    uint32_t chunk_count;
} AxAddrSpace;

/* Empty space of `gpa_bits`. AX_ENOTSUP: the hardware has no such shape; AX_ENOMEM; AX_EINVAL. */
AX_MUST_CHECK AxError axvm_addrspace_init(AxAddrSpace *as, const AxVCpuHal *hal,
                                          const AxEptFormat *format, uint8_t gpa_bits);

/* Gives every frame back. No vCPU may use it any more. */
void axvm_addrspace_destroy(AxAddrSpace *as);

/*
 * Map [gpa, gpa + size) with the largest pages that alignment allows. AX_EALIGN unless all are
 * multiples of 4 KiB, AX_EINVAL (size 0, unknown flag, no right to read: not every architecture can
 * express that), AX_ERANGE (beyond gpa_bits or wraps), AX_EOVERLAP, AX_ENOSPC (regions), AX_ENOMEM.
 * On an error nothing is mapped.
 */
AX_MUST_CHECK AxError axvm_map_linear(AxAddrSpace *as, GuestPhysAddr gpa, HostPhysAddr hpa,
                                      uint64_t size, MappingFlags flags);
AX_MUST_CHECK AxError axvm_map_ram(AxAddrSpace *as, GuestPhysAddr gpa, uint64_t size,
                                   MappingFlags flags, bool populate);

/*
 * Any page-aligned part of what is mapped, across regions; holes inside are AX_EFAULT and nothing
 * changes. Large pages are split as needed (AX_ENOMEM), and regions are cut (AX_ENOSPC); the rest
 * as above. When these return no pCPU uses the old translation. RAM that was allocated in one piece
 * goes back to the HAL when all of the piece is unmapped.
 */
AX_MUST_CHECK AxError axvm_unmap(AxAddrSpace *as, GuestPhysAddr gpa, uint64_t size);
AX_MUST_CHECK AxError axvm_protect(AxAddrSpace *as, GuestPhysAddr gpa, uint64_t size,
                                   MappingFlags flags);

/*
 * Where `gpa` lies, without allocating. *run, when not NULL, gets the number of bytes from there to
 * the end of its (large) page, which are contiguous in host memory. AX_EFAULT when nothing is
 * mapped there, AX_EPERM when one of the rights in `access` is missing.
 */
AX_MUST_CHECK AxError axvm_translate(AxAddrSpace *as, GuestPhysAddr gpa, MappingFlags access,
                                     HostPhysAddr *hpa, uint64_t *run);

/*
 * Answers a nested page fault, on the pCPU where it was taken. AX_OK: the page is there now (also
 * when another vCPU was first, and this pCPU's caches had not seen it); AX_ENOENT: no region; AX_EPERM: the region lacks the right; AX_ENOMEM.
 */
AX_MUST_CHECK AxError axvm_handle_fault(AxAddrSpace *as, GuestPhysAddr gpa, MappingFlags access);

/* Whether [gpa, gpa + size) lies wholly inside regions (mapped yet or not). */
bool axvm_in_region(AxAddrSpace *as, GuestPhysAddr gpa, uint64_t size);

/*
 * Copy between host and guest memory, across pages and regions, allocating on demand. AX_EFAULT
 * when a byte has no region or is device memory, AX_ENOMEM: nothing is copied then, unless somebody
 * unmaps the memory at the same time. The guest's rights do not matter. Lent memory is reached
 * through the HAL's linear map, which must cover it.
 */
AX_MUST_CHECK AxError axvm_copy_to_guest(AxAddrSpace *as, GuestPhysAddr gpa, const void *data,
                                         uint64_t size);
AX_MUST_CHECK AxError axvm_copy_from_guest(AxAddrSpace *as, GuestPhysAddr gpa, void *data,
                                           uint64_t size);
