// SPDX-License-Identifier: Apache-2.0
#include <stdint.h>
#include <string.h>

size_t strlen(const char *string)
{
    size_t length = 0;

    while (string[length] != '\0') {
        length++;
    }
    return length;
}

size_t strnlen(const char *string, size_t limit)
{
    size_t length = 0;

    while (length < limit && string[length] != '\0') {
        length++;
    }
    return length;
}

int strncmp(const char *a, const char *b, size_t limit)
{
    for (size_t i = 0; i < limit; i++) {
        if (a[i] != b[i] || a[i] == '\0') {
            return (uint8_t)a[i] - (uint8_t)b[i];
        }
    }
    return 0;
}

int strcmp(const char *a, const char *b)
{
    return strncmp(a, b, SIZE_MAX);
}

// The terminating 0 belongs to the string, for this one and the next.
char *strchr(const char *string, int byte)
{
    for (;; string++) {
        if (*string == (char)byte) {
            return (char *)(uintptr_t)string;
        }
        if (*string == '\0') {
            return NULL;
        }
    }
}

char *strrchr(const char *string, int byte)
{
    const char *last = NULL;

    do {
        if (*string == (char)byte) {
            last = string;
        }
    } while (*string++ != '\0');
    return (char *)(uintptr_t)last;
}
