// SPDX-License-Identifier: Apache-2.0
/*
 * What a CPU must forget before it runs a guest again, where hardware does not tell other CPUs by
 * itself (RISC-V; x86 for nested tables). A fence may always do more than is asked for, and asks for
 * something when one of `instructions`, `translations`, `nested` is set. The other fields narrow
 * `translations` and may come from a guest as they are: `size` has no bound.
 */
#pragma once

#include <axvcpu/types.h>

typedef struct AxFence {
    bool instructions; /* code that another CPU wrote must be seen */
    bool translations; /* entries of the guest's own page tables ... */
    bool has_asid;     /* ... only those of address space `asid` ... */
    uint64_t asid;
    GuestVirtAddr start; /* ... and only those of [start, start + size); size 0 = all */
    uint64_t size;
    bool nested; /* entries of the nested page tables, and all that hardware made of them */
} AxFence;
