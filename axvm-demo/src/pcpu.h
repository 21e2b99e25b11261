// SPDX-License-Identifier: Apache-2.0
/* Physical CPUs as places where vCPUs run. The boot CPU also ends VMs and reads the keys. */
#pragma once

#include "hostinfo.h"

#include <axvcpu_arch.h>

/*
 * On the boot CPU: turns virtualization on here and on all others. Returns how many CPUs there are
 * to run on; 0 after an error line.
 */
uint32_t pcpu_start_all(const HostInfo *host);
/* Runs vCPUs on all of them until no VM is left. */
void pcpu_run_all(void);
/* The vCPU of this rank (see VCpuRef) can run now: its pCPU looks. Any pCPU. */
void pcpu_notice(uint32_t rank);
/* A guest began a line, which the boot CPU has to see to (vms_flush). Any pCPU. */
void pcpu_notice_line(void);
/* AxVCpuHal.set_deadline for the calling pCPU. */
void pcpu_set_deadline(uint64_t deadline_ns);
/* Turns virtualization off everywhere. */
void pcpu_stop_all(void);

/* On a secondary CPU: all of the above, told by the boot CPU. */
void pcpu_serve(AxPCpuId id);
