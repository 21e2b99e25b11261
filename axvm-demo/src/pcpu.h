// SPDX-License-Identifier: Apache-2.0
/* A physical CPU as a place where vCPUs run. */
#pragma once

#include <axvcpu_arch.h>

/* Turns virtualization on here. False after an error line. */
bool pcpu_start(AxPCpuId id);
/* Runs vCPUs until no VM is left. */
void pcpu_run(AxPCpuId id);
/* Turns virtualization off again. */
void pcpu_stop(AxPCpuId id);
