// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

void fp_fill(uint64_t seed);
uint64_t fp_differences(uint64_t seed);
void fp_touch(void); // writes one register
