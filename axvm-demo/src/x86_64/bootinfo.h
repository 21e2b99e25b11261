// SPDX-License-Identifier: Apache-2.0
/* What the boot loader says of the machine: PVH's start_info or Multiboot 1 information. */
#pragma once

#include "hostinfo.h"
#include "memory.h"

/*
 * Fills memory, reserved, initrd and bootargs of `info` from what lies at `addr`: its first word tells
 * which of the two. `rsdp`: address of ACPI's root pointer, 0 when the loader does not name it. False
 * with a sentence in `why`.
 */
bool x86_64_bootinfo_read(HostInfo *info, uint64_t *rsdp, uint64_t addr, MemoryRead read,
                          const char **why);
