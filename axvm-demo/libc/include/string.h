// SPDX-License-Identifier: Apache-2.0
/* The functions of <string.h> that the image and libfdt use. As in C17 7.24; strnlen as in POSIX. */
#pragma once

#include <stddef.h>

void *memcpy(void *restrict dst, const void *restrict src, size_t size);
void *memmove(void *dst, const void *src, size_t size);
/* On the target, large areas are zeroed by DC ZVA: normal memory and a running MMU only. */
void *memset(void *dst, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);
void *memchr(const void *area, int byte, size_t size);

size_t strlen(const char *string);
size_t strnlen(const char *string, size_t limit);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t limit);
char *strchr(const char *string, int byte);
char *strrchr(const char *string, int byte);
