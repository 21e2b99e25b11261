// SPDX-License-Identifier: Apache-2.0
/*
 * Stands in for the C library's assert.h while a freestanding library of this stack is compiled:
 * only checks at compile time. Public headers say _Static_assert and need no header. Never installed.
 */
#pragma once

#define static_assert _Static_assert
