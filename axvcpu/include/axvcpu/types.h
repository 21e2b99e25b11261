// SPDX-License-Identifier: Apache-2.0
/*
 * Basic types shared by every component: addresses that cannot be mixed, access widths, flags.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Results that must be looked at: a dropped AxError is a compile-time warning. */
#define AX_MUST_CHECK __attribute__((warn_unused_result))

/* Size of a physical frame handed out by the HAL, in bytes. */
#define AX_PAGE_SIZE UINT64_C(4096)

/* Chosen by the host. A VM id and a vCPU id are small integers; they need not be dense. */
typedef uint32_t AxVMId;
typedef uint32_t AxVCpuId;
/* Index of a physical CPU, dense from 0, as returned by AxVCpuHal.this_pcpu. */
typedef uint32_t AxPCpuId;

#define AX_PCPU_NONE UINT32_MAX

/*
 * Four address spaces, four types. Assigning one to another does not compile; the named functions
 * below are the only crossings, so that each of them can be found by name.
 */
typedef struct GuestPhysAddr {
    uint64_t value;
} GuestPhysAddr;

typedef struct GuestVirtAddr {
    uint64_t value;
} GuestVirtAddr;

typedef struct HostPhysAddr {
    uint64_t value;
} HostPhysAddr;

typedef struct HostVirtAddr {
    uintptr_t value;
} HostVirtAddr;

static inline GuestPhysAddr ax_gpa(uint64_t value)
{
    return (GuestPhysAddr){value};
}

static inline GuestVirtAddr ax_gva(uint64_t value)
{
    return (GuestVirtAddr){value};
}

static inline HostPhysAddr ax_hpa(uint64_t value)
{
    return (HostPhysAddr){value};
}

static inline HostVirtAddr ax_hva(uintptr_t value)
{
    return (HostVirtAddr){value};
}

static inline HostVirtAddr ax_hva_from_ptr(const void *ptr)
{
    return (HostVirtAddr){(uintptr_t)ptr};
}

static inline void *ax_ptr_from_hva(HostVirtAddr addr)
{
    return (void *)addr.value;
}

/* Width of one access in bytes; no other value exists. */
typedef enum AccessWidth {
    AX_WIDTH_BYTE = 1,
    AX_WIDTH_WORD = 2,
    AX_WIDTH_DWORD = 4,
    AX_WIDTH_QWORD = 8,
} AccessWidth;

/* True when `bytes` is 1, 2, 4 or 8, i.e. may be converted to AccessWidth. */
static inline bool ax_width_is_valid(uint64_t bytes)
{
    return bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8;
}

/* All-ones mask of `width`, e.g. 0xffff for AX_WIDTH_WORD. */
static inline uint64_t ax_width_mask(AccessWidth width)
{
    return UINT64_MAX >> (64 - 8 * (unsigned)width);
}

/* `value` cut to `width`, then sign-extended to 64 bits. */
static inline uint64_t ax_sign_extend(uint64_t value, AccessWidth width)
{
    const unsigned shift = 64 - 8 * (unsigned)width;

    return (uint64_t)((int64_t)(value << shift) >> shift);
}

/* A port of the x86 I/O space. */
typedef struct Port {
    uint16_t number;
} Port;

/*
 * Address of a system register in the encoding of the architecture: an MSR number on x86, a CSR
 * number on RISC-V, the ISS fields Op0:Op2:Op1:CRn:CRm in place (bits 21:1) on AArch64.
 */
typedef struct SysRegAddr {
    uint64_t value;
} SysRegAddr;

/* Rights and memory type of a guest-physical mapping, and of an access that faulted. */
typedef uint32_t MappingFlags;
#define AX_MAP_READ    (UINT32_C(1) << 0)
#define AX_MAP_WRITE   (UINT32_C(1) << 1)
#define AX_MAP_EXECUTE (UINT32_C(1) << 2)
/* Device memory: uncached, no speculation, no gathering. Without it memory is normal write-back. */
#define AX_MAP_DEVICE (UINT32_C(1) << 3)
#define AX_MAP_RIGHTS (AX_MAP_READ | AX_MAP_WRITE | AX_MAP_EXECUTE)
#define AX_MAP_ALL    (AX_MAP_RIGHTS | AX_MAP_DEVICE)
