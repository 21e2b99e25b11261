// SPDX-License-Identifier: Apache-2.0
/* What the device trees of all boards say in the same words (Devicetree Specification 0.4). */
#pragma once

#include <axvm/vm.h>

#include "tree.h"

/* Properties of the root: `compatible` as for axvm_tree_texts. */
void axvm_describe_root(AxTree *tree, const char *compatible, size_t size);
/* /aliases and /chosen; the console is the node `console` (a path) at address `base`. */
void axvm_describe_aliases(AxTree *tree, const char *console, uint64_t base);
void axvm_describe_chosen(AxTree *tree, const AxVM *vm, const char *console, uint64_t base);
/* A node per region of RAM. */
void axvm_describe_memory(AxTree *tree, const AxVMConfig *config);
/* Begins /cpus, and in it the node of the CPU at `address`; the board ends both. */
void axvm_describe_cpus(AxTree *tree);
void axvm_describe_cpu(AxTree *tree, const char *compatible, uint64_t address);
/* A node per passed device; `interrupt` adds what the board's interrupt controller wants to hear. */
void axvm_describe_passthrough(AxTree *tree, const AxVMConfig *config,
                               void (*interrupt)(AxTree *tree, uint32_t irq));
