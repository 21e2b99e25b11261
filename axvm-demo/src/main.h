// SPDX-License-Identifier: Apache-2.0
/* The hypervisor, from the first C code with the MMU on to the end of the machine. */
#pragma once

/* `boot` is what the boot loader passed, NULL for nothing. */
_Noreturn void demo_main(const void *boot);

/* The same for a secondary CPU. It comes back from nothing and waits at the end. */
_Noreturn void demo_secondary(void);
