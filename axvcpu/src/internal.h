// SPDX-License-Identifier: Apache-2.0
/* What the files of the core share and no host sees. */
#pragma once

#include <axvcpu/vcpu.h>

/* ---- state ---- */

/*
 * A vCPU that blocks while it is bound is in a state of its own, so that one compare-and-swap tells
 * a waker where to go (Free or Ready) while the owner unbinds. Hosts see Blocked for both.
 */
#define AX_VCPU_BLOCKED_BOUND ((uint32_t)AX_VCPU_STATE_COUNT)

/* Functions that every exit of a guest passes through are in this file. */

/* The state with the distinction above. Sequentially consistent. */
static inline uint32_t axvcpu_raw_state(const AxVCpu *vcpu)
{
    return atomic_load_explicit(&vcpu->state, memory_order_seq_cst);
}

/*
 * The same for a caller that only wants to know whether the vCPU is its own to use (Ready). Nobody
 * else makes it leave that state, and there is nothing it looks at afterwards that a poster could
 * change before: it is enough to see what whoever made it Ready has done.
 */
static inline bool axvcpu_is_ready(const AxVCpu *vcpu)
{
    return atomic_load_explicit(&vcpu->state, memory_order_acquire) == AX_VCPU_READY;
}

/* False, and nothing changed, when the state was not `from` any more. */
static inline bool axvcpu_change_state(AxVCpu *vcpu, uint32_t from, uint32_t to)
{
    return atomic_compare_exchange_strong_explicit(&vcpu->state, &from, to, memory_order_seq_cst,
                                                   memory_order_seq_cst);
}

/*
 * Ready to Running and back, by the vCPU's own pCPU. Nobody else leaves these two states, so that a
 * store does, which costs a quarter. All other changes of the state are made by the function above.
 */
static inline void axvcpu_set_running(AxVCpu *vcpu, bool running)
{
    atomic_store_explicit(&vcpu->state, running ? AX_VCPU_RUNNING : AX_VCPU_READY,
                          memory_order_seq_cst);
}

/* Changes the state whatever it is: a waker may be moving it from Blocked meanwhile. */
void axvcpu_force_state(AxVCpu *vcpu, uint32_t to);

/* A failing backend call ends in Invalid. Returns `error`. */
AX_MUST_CHECK static inline AxError axvcpu_settle(AxVCpu *vcpu, AxError error)
{
    if (error != AX_OK) {
        axvcpu_force_state(vcpu, AX_VCPU_INVALID);
    }
    return error;
}

/* As above, but a refused argument is no failure: the backend has changed nothing. */
AX_MUST_CHECK AxError axvcpu_settle_setter(AxVCpu *vcpu, AxError error);

/* Whether the caller is where the vCPU is bound; true when it is not bound. */
static inline bool axvcpu_on_bound_pcpu(const AxVCpu *vcpu)
{
    const AxPerCpu *percpu = atomic_load_explicit(&vcpu->percpu, memory_order_acquire);

    return percpu == NULL || vcpu->hal->this_pcpu(vcpu->hal->ctx) == percpu->id;
}

/* Takes the vCPU off its pCPU. A failing backend leaves it Invalid, and off the pCPU all the same:
 * nobody could use either of them otherwise. */
AX_MUST_CHECK AxError axvcpu_detach(AxVCpu *vcpu);

/* ---- exits ---- */

/* Answers that an exit may wait for, one bit each; 0 waits for none. */
typedef enum AxCompletion {
    AX_COMPLETE_READ = 1 << 0,
    AX_COMPLETE_WRITE = 1 << 1,
    AX_COMPLETE_CALL = 1 << 2,
    AX_COMPLETE_RETRY = 1 << 3,
} AxCompletion;

/* Set of AxCompletion that each kind accepts. */
extern const uint8_t axvcpu_completions[AX_EXIT_COUNT];

/* ---- events: as the functions of event.h without a check of the number; true on a change ---- */

bool axvcpu_events_latch(AxEvents *events, uint32_t irq);
bool axvcpu_events_drive(AxEvents *events, uint32_t irq, bool high);
bool axvcpu_events_switch(AxEvents *events, uint32_t irq, bool enable);
bool axvcpu_events_rank(AxEvents *events, uint32_t irq, uint8_t priority);

/* Whether an edge waits; false for a bad number. */
bool axvcpu_events_latched(const AxEvents *events, uint32_t irq);

/* Back to what axvcpu_events_init makes, while others may be posting. */
void axvcpu_events_reset(AxEvents *events);
