// SPDX-License-Identifier: Apache-2.0
/* The words of the hypervisor's own command line (QEMU: -append). */
#pragma once

#include <axvcpu/hal.h>
#include <axvm/config.h>

#define OPTIONS_WHY_SIZE 200u

typedef struct Options {
    char guest[AX_VM_NAME_SIZE]; /* axvm.guest=NAME; empty: not given */
    uint32_t vcpus;              /* axvm.vcpus=N; 0: not given */
    AxLogLevel log;              /* axvm.log=LEVEL; AX_LOG_INFO when not given */
} Options;

/* False with a sentence in `why` that names the word; *options is then not to be used. */
bool options_parse(Options *options, const char *words, char why[OPTIONS_WHY_SIZE]);
