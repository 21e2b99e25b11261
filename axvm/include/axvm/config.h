// SPDX-License-Identifier: Apache-2.0
/* Description of one VM, and the bundle that carries descriptions and images. */
#pragma once

#include <axvcpu/axvcpu.h>

#define AX_VM_NAME_SIZE     32u /* with the terminating 0 */
#define AX_VM_CMDLINE_SIZE  2048u
#define AX_VM_CPUS_MAX      8u
#define AX_VM_MEMORY_MAX    8u
#define AX_VM_DEVICES_MAX   16u
#define AX_VM_DEVICE_CONFIG 8u

/* An address the loader chooses. */
#define AX_ADDR_AUTO (ax_gpa(UINT64_MAX))

/* As the TOML files of axvisor number them. */
typedef enum AxMapType {
    AX_MAP_TYPE_ALLOC = 0,
    AX_MAP_TYPE_IDENTICAL = 1, /* gpa = hpa */
    AX_MAP_TYPE_RESERVED = 2,
} AxMapType;

typedef enum AxImageFormat {
    AX_IMAGE_AUTO, /* by the magic numbers of the file */
    AX_IMAGE_RAW,
    AX_IMAGE_LINUX_ARM64,
    AX_IMAGE_LINUX_RISCV64,
    AX_IMAGE_BZIMAGE,   /* Linux x86 */
    AX_IMAGE_MULTIBOOT, /* version 1 */
    AX_IMAGE_ELF,       /* 32 or 64 bits, of any architecture; by its PVH note if it has one */
    AX_IMAGE_FORMAT_COUNT
} AxImageFormat;

typedef enum AxEmuDeviceType {
    AX_EMU_INTERRUPT_CONTROLLER = 0x1,
    AX_EMU_CONSOLE = 0x2,
    AX_EMU_SCRATCH = 0xf0, /* ours: a page that traps, for tests (devices/scratch.h) */
} AxEmuDeviceType;

typedef struct AxBlob {
    const uint8_t *data;
    uint64_t size; /* 0 = none */
} AxBlob;

typedef struct AxVMMemory {
    GuestPhysAddr base;
    uint64_t size;
    MappingFlags flags;
    AxMapType type;
} AxVMMemory;

typedef struct AxVMDevice {
    char name[AX_VM_NAME_SIZE];
    uint64_t base;
    uint64_t length;
    uint32_t irq;
    uint32_t type; /* AxEmuDeviceType */
    uint32_t config[AX_VM_DEVICE_CONFIG];
    uint32_t config_count;
} AxVMDevice;

typedef struct AxVMPassthrough {
    char name[AX_VM_NAME_SIZE];
    GuestPhysAddr gpa;
    HostPhysAddr hpa;
    uint64_t length;
    uint32_t irq;
} AxVMPassthrough;

typedef struct AxVMConfig {
    AxVMId id;
    char name[AX_VM_NAME_SIZE];
    uint32_t cpu_num;
    AxImageFormat image_format;
    AxBlob kernel; /* images stay the caller's and must outlive the VM (reset loads them again) */
    AxBlob ramdisk;
    GuestPhysAddr entry_point; /* AX_ADDR_AUTO: as the image says */
    GuestPhysAddr kernel_load_addr;
    GuestPhysAddr ramdisk_load_addr;
    char cmdline[AX_VM_CMDLINE_SIZE];
    AxVMMemory memory[AX_VM_MEMORY_MAX];
    uint32_t memory_count;
    AxVMDevice devices[AX_VM_DEVICES_MAX]; /* none: the machine's default set */
    uint32_t device_count;
    AxVMPassthrough passthrough[AX_VM_DEVICES_MAX];
    uint32_t passthrough_count;
} AxVMConfig;

/* One VM named "vm<id>", one CPU, no image, addresses AX_ADDR_AUTO. */
void axvm_config_init(AxVMConfig *config, AxVMId id);

/*
 * Checks a description by itself: names, counts, ranges, overlaps. *why gets a sentence that names
 * the field (static text) on an error.
 */
AX_MUST_CHECK AxError axvm_config_check(const AxVMConfig *config, const char **why);

/*
 * A bundle: a flattened device tree that describes the VMs, followed by the images it points to,
 * made by tools/mkbundle.py (format: docs/bundle.md). The memory stays the caller's.
 */
typedef struct AxBundle {
    const uint8_t *data;
    uint64_t size;
    uint32_t vm_count;
} AxBundle;

/* AX_EFORMAT with a sentence in *why; `size` may exceed the bundle (padding). */
AX_MUST_CHECK AxError axvm_bundle_open(AxBundle *bundle, const void *data, uint64_t size,
                                       const char **why);
/* Description of VM `index`; images point into the bundle. AX_ERANGE, AX_EFORMAT. */
AX_MUST_CHECK AxError axvm_bundle_vm(const AxBundle *bundle, uint32_t index, AxVMConfig *config,
                                     const char **why);
