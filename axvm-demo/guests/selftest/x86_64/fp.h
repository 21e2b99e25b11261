// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>
#include <stdint.h>

void fp_fill(uint64_t seed, bool with_avx);
// Of the 16 vector registers, the 8 of x87 and the two control registers; it clears the latter ten.
uint64_t fp_differences(uint64_t seed, bool with_avx);
