// SPDX-License-Identifier: Apache-2.0
/* The board that guests of this architecture get. */
#pragma once

#include <axvm/machines.h>

#define machine_ops (&axvm_machine_x86_64)

/* Where its RAM begins, and where flat guest programs are linked. */
#define MACHINE_GUEST_RAM  UINT64_C(0)
#define MACHINE_GUEST_LOAD UINT64_C(0x8000)

/* The numbers of its hypercalls begin here. */
#define MACHINE_HYPERCALLS UINT64_C(0)

/* X(name, vCPUs): its built-in guests. guests/meson.build makes guest_<name> and guest_<name>_end. */
#define MACHINE_GUESTS(X) \
    X(selftest, 2)        \
    X(hello, 1)           \
    X(bench, 1)
