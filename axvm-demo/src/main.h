// SPDX-License-Identifier: Apache-2.0
/* The hypervisor, from the first C code with the MMU on to the end of the machine. */
#pragma once

/* `fdt` is what the boot loader passed, NULL for nothing. */
_Noreturn void demo_main(const void *fdt);
