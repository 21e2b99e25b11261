// SPDX-License-Identifier: Apache-2.0
/*
 * Stands in for the C library's string.h while a freestanding library of this stack is compiled:
 * a compiler may emit calls of these four functions anyway, and the libraries need no others. The
 * program that links them provides the definitions. Never installed.
 */
#pragma once

#include <stddef.h>

void *memcpy(void *restrict dst, const void *restrict src, size_t size);
void *memmove(void *dst, const void *src, size_t size);
void *memset(void *dst, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);
