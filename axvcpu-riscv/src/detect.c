// SPDX-License-Identifier: Apache-2.0
#include "riscv.h"
#include "riscv_regs.h"
