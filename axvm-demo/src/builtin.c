// SPDX-License-Identifier: Apache-2.0
#include "builtin.h"

#include "machine.h"

#include <axvm/devices/scratch.h>

#include <stdio.h>
#include <string.h>

#define GUEST_MEMORY  (UINT64_C(64) << 20)
#define GUEST_SCRATCH UINT64_C(0x0a000000) // guests/lib/guest.h knows it, too

typedef struct Builtin {
    const char *name;
    const uint8_t *start;
    const uint8_t *end;
    uint32_t cpu_num;
} Builtin;

#define BUILTIN_SYMBOLS(name, cpus) extern const uint8_t guest_##name[], guest_##name##_end[];
MACHINE_GUESTS(BUILTIN_SYMBOLS)

#define BUILTIN_ENTRY(name, cpus) {#name, guest_##name, guest_##name##_end, (cpus)},
static const Builtin builtins[] = {MACHINE_GUESTS(BUILTIN_ENTRY)};

#define BUILTIN_COUNT (sizeof(builtins) / sizeof(builtins[0]))

static const Builtin *find(const char *name)
{
    if (name[0] == '\0') {
        return &builtins[0];
    }
    for (size_t i = 0; i < BUILTIN_COUNT; i++) {
        if (strcmp(builtins[i].name, name) == 0) {
            return &builtins[i];
        }
    }
    return NULL;
}

static void add_scratch(AxVMConfig *config)
{
    AxVMDevice *device = &config->devices[config->device_count++];

    *device = (AxVMDevice){
        .name = "scratch",
        .base = GUEST_SCRATCH,
        .length = AX_SCRATCH_SIZE,
        .type = AX_EMU_SCRATCH,
    };
}

bool builtin_config(const char *name, AxVMConfig *config)
{
    const Builtin *guest = find(name);

    if (guest == NULL) {
        return false;
    }
    axvm_config_init(config, 0);
    (void)snprintf(config->name, sizeof(config->name), "%s", guest->name);
    config->cpu_num = guest->cpu_num;
    config->image_format = AX_IMAGE_RAW;
    config->kernel = (AxBlob){guest->start, (uint64_t)(guest->end - guest->start)};
    config->kernel_load_addr = ax_gpa(MACHINE_GUEST_LOAD);
    config->entry_point = ax_gpa(MACHINE_GUEST_LOAD);
    config->memory[0] = (AxVMMemory){
        .base = ax_gpa(MACHINE_GUEST_RAM),
        .size = GUEST_MEMORY,
        .flags = AX_MAP_RIGHTS,
    };
    config->memory_count = 1;
    machine_ops->defaults(config);
    add_scratch(config);
    return true;
}

const char *builtin_name(uint32_t index)
{
    return index < BUILTIN_COUNT ? builtins[index].name : NULL;
}
