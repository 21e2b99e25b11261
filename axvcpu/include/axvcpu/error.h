// SPDX-License-Identifier: Apache-2.0
/*
 * Error values of the whole stack. 0 is success; every cause has a value of its own.
 * A function that returns an error other than AX_OK has changed nothing unless it says otherwise.
 */
#pragma once

#include <axvcpu/types.h>

/* X(symbol, text for people) */
#define AX_ERROR_LIST(X)                                        \
    X(AX_OK, "success")                                         \
    X(AX_EINVAL, "invalid argument")                            \
    X(AX_ESTATE, "not allowed in the present state")            \
    X(AX_EBUSY, "resource is in use")                           \
    X(AX_EAGAIN, "an event is pending, try again")              \
    X(AX_EEXIST, "already exists")                              \
    X(AX_ENOENT, "no such object")                              \
    X(AX_ENOMEM, "out of memory frames")                        \
    X(AX_ENOSPC, "table is full")                               \
    X(AX_ERANGE, "address or index is out of range")            \
    X(AX_EALIGN, "address or size is not aligned")              \
    X(AX_EOVERLAP, "ranges overlap")                            \
    X(AX_EPERM, "access right is missing")                      \
    X(AX_EFAULT, "guest address is not mapped")                 \
    X(AX_EFORMAT, "malformed image, table or blob")             \
    X(AX_ENOTSUP, "not supported")                              \
    X(AX_ENOHW, "virtualization hardware is missing")           \
    X(AX_EPRIVILEGE, "wrong privilege or exception level")      \
    X(AX_EFIRMWARE, "virtualization is locked off by firmware") \
    X(AX_EWRONGCPU, "called on the wrong physical CPU")         \
    X(AX_EPENDING, "the last exit is not completed")            \
    X(AX_ENOEXIT, "no exit waits for this completion")          \
    X(AX_EBACKEND, "the backend failed in an unexpected way")

typedef enum AxError {
#define AX_ERROR_ENUM(symbol, text) symbol,
    AX_ERROR_LIST(AX_ERROR_ENUM)
#undef AX_ERROR_ENUM
        AX_ERROR_COUNT
} AxError;

/* Symbol of `error`, e.g. "AX_EINVAL"; "AX_E?" for a value that is none. Never NULL. */
const char *axvcpu_error_name(AxError error);

/* One phrase for people, e.g. "invalid argument"; "unknown error" for a value that is none. */
const char *axvcpu_error_text(AxError error);
