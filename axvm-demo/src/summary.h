// SPDX-License-Identifier: Apache-2.0
/* What the VMs did, in lines that programs can read. */
#pragma once

#include "vms.h"

/* One line per VM and one per vCPU. */
void summary_print(void);
