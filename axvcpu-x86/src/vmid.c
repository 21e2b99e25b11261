// SPDX-License-Identifier: Apache-2.0
// ASIDs (VPIDs) tag TLB entries with their VM; which VM has which one is settled in axvcpu/tag.h.
// Processors do not hear of each other's nested tables: each flushes its own entries, at bind when it
// meets a change, and before an entry when somebody asks for it. INVLPG and writes of CR3 in a guest
// act on its own processor only, as on real ones.
#include "x86.h"

// Global, because tags are.
static AxTagPool pool;

// Table walks of this pCPU come after the tag is visible: a flush that did not see it has changed
// the tables before.
AxError x86_vmid_acquire(X86VCpu *vcpu)
{
    const AxError error = axvcpu_tag_acquire(&pool, vcpu->ept, vcpu->percpu->features.tag_bits,
                                             &vcpu->tag);

    atomic_thread_fence(memory_order_seq_cst);
    return error;
}

void x86_vmid_release(X86VCpu *vcpu)
{
    axvcpu_tag_release(&pool, vcpu->ept);
}

static bool has_moved(X86VCpu *vcpu)
{
    const bool moved = vcpu->last_percpu != vcpu->percpu;

    vcpu->last_percpu = vcpu->percpu;
    return moved;
}

// Siblings share the tag, but not what their own tables mean.
void x86_vmid_flush(X86VCpu *vcpu)
{
    AxTagChange change;

    vcpu->flushes = atomic_load_explicit(&vcpu->ept->flushes, memory_order_acquire);
    change = axvcpu_tag_enter(&vcpu->percpu->residents, vcpu->ept, vcpu->env.vcpu_id,
                              has_moved(vcpu));
    if (change != AX_TAG_SAME) {
        vcpu->vendor->flush(vcpu);
    }
}

// Whatever was asked for goes with everything else. One look is enough: what is posted meanwhile is
// announced again.
void x86_fence(X86VCpu *vcpu)
{
    AxFence fence;

    (void)axvcpu_events_take_fence(vcpu->env.events, &fence);
    vcpu->vendor->flush(vcpu);
}
