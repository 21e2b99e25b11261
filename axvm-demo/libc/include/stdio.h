// SPDX-License-Identifier: Apache-2.0
/*
 * Formatting into a buffer, a subset of C17 7.21.6: flags '-' and '0', a width (number or '*'), the
 * lengths l, ll and z, and %s %c %d %i %u %x %p %%. Anything else is written as it stands.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>

/* Returns the length of the whole text; at most size - 1 bytes of it and a 0 are stored. */
int vsnprintf(char *buffer, size_t size, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));
int snprintf(char *buffer, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
