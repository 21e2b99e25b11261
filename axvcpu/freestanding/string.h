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

/* A freestanding compiler takes these names for anybody's, and would make a call of every copied word. */
#define memcpy(...)  __builtin_memcpy(__VA_ARGS__)
#define memmove(...) __builtin_memmove(__VA_ARGS__)
#define memset(...)  __builtin_memset(__VA_ARGS__)
#define memcmp(...)  __builtin_memcmp(__VA_ARGS__)
