// SPDX-License-Identifier: Apache-2.0
/* What firmware and boot loader left in physical memory, which nobody has checked yet. */
#pragma once

#include <stdint.h>

/* [addr, addr + size) for reading, at any alignment; NULL when it cannot be read. */
typedef const void *(*MemoryRead)(uint64_t addr, uint64_t size);
