// SPDX-License-Identifier: Apache-2.0
// A TCG plugin that prints how many guest instructions were executed, all CPUs and exception levels
// together. Debian ships no header for the plugin interface: what is used of its version 1 (QEMU's
// "TCG Plugins" manual) is declared here.
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t PluginId;
typedef struct TranslationBlock TranslationBlock;
typedef struct Instruction Instruction;
typedef struct PluginInfo PluginInfo;
typedef enum { INLINE_ADD_U64 } InlineOp;

void qemu_plugin_register_vcpu_tb_trans_cb(PluginId id,
                                           void (*callback)(PluginId, TranslationBlock *));
void qemu_plugin_register_atexit_cb(PluginId id, void (*callback)(PluginId, void *), void *data);
size_t qemu_plugin_tb_n_insns(const TranslationBlock *block);
Instruction *qemu_plugin_tb_get_insn(const TranslationBlock *block, size_t index);
void qemu_plugin_register_vcpu_insn_exec_inline(Instruction *instruction, InlineOp op,
                                                void *counter, uint64_t operand);
void qemu_plugin_outs(const char *text);

EXPORT int qemu_plugin_version = 1;
EXPORT int qemu_plugin_install(PluginId id, const PluginInfo *info, int argc, char **argv);

static uint64_t executed;

static void count_block(PluginId id, TranslationBlock *block)
{
    (void)id;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(block); i++) {
        qemu_plugin_register_vcpu_insn_exec_inline(qemu_plugin_tb_get_insn(block, i),
                                                   INLINE_ADD_U64, &executed, 1);
    }
}

static void print_count(PluginId id, void *data)
{
    char text[64];

    (void)id;
    (void)data;
    snprintf(text, sizeof(text), "instructions: %" PRIu64 "\n", executed);
    qemu_plugin_outs(text);
}

int qemu_plugin_install(PluginId id, const PluginInfo *info, int argc, char **argv)
{
    (void)info;
    (void)argc;
    (void)argv;
    qemu_plugin_register_vcpu_tb_trans_cb(id, count_block);
    qemu_plugin_register_atexit_cb(id, print_count, NULL);
    return 0;
}
