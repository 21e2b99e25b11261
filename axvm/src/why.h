// SPDX-License-Identifier: Apache-2.0
/* Reasons for people, next to an error. */
#pragma once

#include <axvcpu/error.h>

/* Sets *why when the caller wants to know, and returns `error`. */
AX_MUST_CHECK static inline AxError axvm_because(const char **why, AxError error, const char *text)
{
    if (why != NULL) {
        *why = text;
    }
    return error;
}
