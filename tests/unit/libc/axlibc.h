// SPDX-License-Identifier: Apache-2.0
/* The demo's C library as a hosted build names it, beside the host's own as the oracle. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

void *axlibc_memcpy(void *restrict dst, const void *restrict src, size_t size);
void *axlibc_memmove(void *dst, const void *src, size_t size);
void *axlibc_memset(void *dst, int byte, size_t size);
int axlibc_memcmp(const void *a, const void *b, size_t size);
void *axlibc_memchr(const void *area, int byte, size_t size);
size_t axlibc_strlen(const char *string);
size_t axlibc_strnlen(const char *string, size_t limit);
int axlibc_strcmp(const char *a, const char *b);
int axlibc_strncmp(const char *a, const char *b, size_t limit);
char *axlibc_strchr(const char *string, int byte);
char *axlibc_strrchr(const char *string, int byte);
int axlibc_vsnprintf(char *buffer, size_t size, const char *format, va_list args);
int axlibc_snprintf(char *buffer, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* -1, 0 or 1: what comparison functions promise. */
static inline int sign(int value)
{
    return (value > 0) - (value < 0);
}
