// SPDX-License-Identifier: Apache-2.0
/* From the machine's console to the guests' consoles. */
#pragma once

#include <stdbool.h>

/* Handles what was typed: gives it to the VM with the focus, or obeys. */
void keys_poll(void);

/* A key waits because the guest's console was full: poll again soon. */
bool keys_waiting(void);
