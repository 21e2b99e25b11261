// SPDX-License-Identifier: Apache-2.0
// VMIDs tag TLB entries with their VM; which VM has which one is settled in axvcpu/tag.h. Nothing is
// broadcast when a VMID changes hands: each pCPU flushes its own entries when it meets the new owner.
#include "arm.h"
#include "arm_regs.h"

// Global, because VMIDs are: the TLBs of all pCPUs know the same ones.
static AxTagPool pool;

AxError aarch64_vmid_acquire(AxEptRoot *root, uint8_t vmid_bits, uint64_t *vmid)
{
    const AxError error = axvcpu_tag_acquire(&pool, root, vmid_bits, vmid);

    // Table walks of this pCPU come after the tag is visible: a flush that did not see it has
    // changed the tables before.
    arm_dsb_ish();
    return error;
}

void aarch64_vmid_release(const AxEptRoot *root)
{
    axvcpu_tag_release(&pool, root);
}

bool aarch64_vmid_find(const AxEptRoot *root, uint64_t *vmid)
{
    return axvcpu_tag_find(&pool, root, vmid);
}

// Of this pCPU, for the VMID in VTTBR_EL2.
static void flush(bool nested)
{
    arm_isb();
    if (nested) {
        arm_tlbi_vmalls12e1();
    } else {
        arm_tlbi_vmalle1();
    }
    arm_ic_iallu();
    arm_dsb_nsh();
}

// Instructions go with translations: a sibling has fetched its own code through a virtual address
// that means something else now, and caches may be tagged by VMID (VPIPT). What the guest flushed
// while it was on another pCPU was flushed here, too: HCR_EL2.FB.
void aarch64_vmid_flush(const Aarch64VCpu *vcpu)
{
    const AxTagChange change = axvcpu_tag_enter(&vcpu->percpu->residents, vcpu->ept,
                                                vcpu->env.vcpu_id, false);

    if (change != AX_TAG_SAME) {
        flush(change == AX_TAG_OTHER);
    }
}

void aarch64_fence(Aarch64VCpu *vcpu)
{
    AxFence fence;

    if (axvcpu_events_take_fence(vcpu->env.events, &fence)) {
        flush(fence.nested);
    }
}
