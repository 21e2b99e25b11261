// SPDX-License-Identifier: Apache-2.0
/* HostInfo from a device tree. Depends on nothing but libfdt. */
#pragma once

#include "hostinfo.h"

/*
 * `boot_cpu` is the number of the calling CPU, as /cpus names CPUs; `fdt` NULL: there is no tree. False with a sentence that names
 * the node in `why` when the tree is malformed or lacks a part.
 */
bool hostinfo_read_fdt(HostInfo *info, const void *fdt, uint64_t boot_cpu, const char **why);
