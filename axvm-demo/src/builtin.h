// SPDX-License-Identifier: Apache-2.0
/* The guests inside the image. */
#pragma once

#include <axvm/config.h>

/* Describes the guest `name`, or the default one for "". False when there is none of that name. */
bool builtin_config(const char *name, AxVMConfig *config);

/* Name of guest `index`, NULL behind the last. Number 0 is the default. */
const char *builtin_name(uint32_t index);
