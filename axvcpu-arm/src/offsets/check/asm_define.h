// SPDX-License-Identifier: Apache-2.0
/*
 * Compiles the generated header back: a value that differs from the structure is a build error.
 * The only user is src/asm-offsets.c, inside a function body.
 */
#pragma once

#include "asm-offsets.h"

#define AX_ASM_DEFINE(name, value) _Static_assert((name) == (value), #name)
