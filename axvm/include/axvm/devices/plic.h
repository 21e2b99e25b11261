// SPDX-License-Identifier: Apache-2.0
/*
 * Platform-level interrupt controller (RISC-V PLIC specification 1.0.0): up to 1023 sources with
 * level-triggered gateways, priorities 0..7, one context per CPU, for S-mode. A context drives the
 * external interrupt of its vCPU.
 *
 * A request that a gateway has passed on stays pending when the line falls before it is claimed, as
 * the specification wants it. Registers are 32 bits wide and take aligned accesses of 32 bits;
 * others are faults. Where the address map has no register of this configuration (sources and
 * contexts that do not exist included), reads give 0 and writes are ignored.
 *
 * All functions but init, add_cpu and reset may be called on any pCPU at any time.
 */
#pragma once

#include <axvm/config.h>
#include <axvm/device.h>
#include <axvm/lock.h>

/* Room for 1024 contexts, of which few exist; as QEMU's `virt` says it in its device tree. */
#define AX_PLIC_SIZE UINT64_C(0x600000)

/* Source 0 means "no interrupt". */
#define AX_PLIC_SOURCE_MAX     1023u
#define AX_PLIC_SOURCE_DEFAULT 31u
#define AX_PLIC_WORDS          ((AX_PLIC_SOURCE_MAX + 1u) / 32u)

/* Supervisor external interrupt: what a context is wired to. */
#define AX_PLIC_IRQ 9u

typedef struct AxPlicContext {
    AxVCpu *vcpu;
    uint8_t threshold;
    uint32_t enabled[AX_PLIC_WORDS]; /* bit n % 32 of word n / 32 is source n, here and below */
} AxPlicContext;

typedef struct AxPlic {
    AxLock lock;
    uint32_t source_count;
    uint32_t context_count;
    uint32_t line[AX_PLIC_WORDS];    /* inputs, as the devices drive them */
    uint32_t pending[AX_PLIC_WORDS]; /* requests that a gateway passed on, not yet claimed */
    uint32_t claimed[AX_PLIC_WORDS]; /* gateways that wait for a completion */
    uint8_t priority[AX_PLIC_SOURCE_MAX + 1u];
    AxPlicContext contexts[AX_VM_CPUS_MAX];
} AxPlic;

/* No contexts yet. AX_EINVAL unless source_count is in 1..AX_PLIC_SOURCE_MAX. */
AX_MUST_CHECK AxError axvm_plic_init(AxPlic *plic, uint32_t source_count);

/*
 * Connects the next context to `vcpu`. While the VM is built only. AX_ENOSPC, AX_EINVAL (NULL).
 */
AX_MUST_CHECK AxError axvm_plic_add_cpu(AxPlic *plic, AxVCpu *vcpu);

/* Power-on values: all zero; inputs are low until driven anew. */
void axvm_plic_reset(AxPlic *plic);

/*
 * After axvcpu_reset() of the vCPU of context `index`, which forgot the level of its interrupt:
 * drives it again. The context itself is no part of the CPU and keeps what it has.
 */
void axvm_plic_vcpu_reset(AxPlic *plic, uint32_t index);

/* `device` is the AxPlic, the range AX_PLIC_SIZE. */
extern const AxDeviceOps axvm_plic_ops;

/* Drives the input of `source` of an AxPlic (an AxIrqLine.set); others than 1..count are ignored. */
void axvm_plic_set_source(void *controller, uint32_t source, bool high);

static inline AxIrqLine axvm_plic_line(AxPlic *plic, uint32_t source)
{
    return (AxIrqLine){.set = axvm_plic_set_source, .controller = plic, .irq = source};
}
