// SPDX-License-Identifier: Apache-2.0
// VMIDs tag TLB entries with their VM; which VM has which one is settled in axvcpu/tag.h. Harts do
// not hear of each other: each flushes its own entries, at bind when it meets a change, and between
// two entries of a guest when somebody asks for it.
#include "riscv.h"
#include "riscv_regs.h"

// More pages than this are cheaper to flush with all others of the guest.
#define FENCE_PAGES_MAX 64u

// Global, because VMIDs are: the TLBs of all pCPUs know the same ones.
static AxTagPool pool;

static bool is_tagged(const RISCVVCpu *vcpu)
{
    return vcpu->percpu->features.vmid_bits != 0;
}

AxError riscv_vmid_acquire(RISCVVCpu *vcpu)
{
    AxError error = AX_OK;

    vcpu->vmid = 0;
    if (is_tagged(vcpu)) {
        error = axvcpu_tag_acquire(&pool, vcpu->ept, vcpu->percpu->features.vmid_bits, &vcpu->vmid);
    }
    // Table walks of this pCPU come after the tag is visible: a flush that did not see it has
    // changed the tables before.
    rv_fence();
    return error;
}

void riscv_vmid_release(RISCVVCpu *vcpu)
{
    if (is_tagged(vcpu)) {
        axvcpu_tag_release(&pool, vcpu->ept);
    }
}

bool riscv_vmid_find(const AxEptRoot *root, uint64_t *vmid)
{
    return axvcpu_tag_find(&pool, root, vmid);
}

// What a guest's own fences removed is still here when it made them on another hart.
static AxTagChange enter(RISCVVCpu *vcpu)
{
    const bool moved = vcpu->last_percpu != vcpu->percpu;

    vcpu->last_percpu = vcpu->percpu;
    return is_tagged(vcpu)
               ? axvcpu_tag_enter(&vcpu->percpu->residents, vcpu->ept, vcpu->env.vcpu_id, moved)
               : AX_TAG_OTHER;
}

// Of this hart, for the VMID in hgatp. Instructions go with translations: a sibling has fetched its
// own code through a virtual address that means something else now.
static void flush(const RISCVVCpu *vcpu, bool nested)
{
    if (nested) {
        rv_hfence_gvma_vmid(vcpu->vmid);
    }
    rv_hfence_vvma_all();
    rv_fence_i();
}

void riscv_vmid_flush(RISCVVCpu *vcpu)
{
    const AxTagChange change = enter(vcpu);

    if (change != AX_TAG_SAME) {
        flush(vcpu, change == AX_TAG_OTHER);
    }
}

// ---- fences that siblings and the host asked for ----

static bool has_asid(const AxFence *fence)
{
    return fence->has_asid && fence->asid <= ax_get(SATP_ASID, SATP_ASID);
}

static void fence_page(const AxFence *fence, uint64_t va)
{
    if (has_asid(fence)) {
        rv_hfence_vvma(va, fence->asid);
    } else {
        rv_hfence_vvma_va(va);
    }
}

static void fence_all_pages(const AxFence *fence)
{
    if (has_asid(fence)) {
        rv_hfence_vvma_asid(fence->asid);
    } else {
        rv_hfence_vvma_all();
    }
}

static void fence_translations(const AxFence *fence)
{
    const uint64_t offset = fence->start.value % AX_PAGE_SIZE;

    if (fence->size == 0 || fence->size > FENCE_PAGES_MAX * AX_PAGE_SIZE) {
        fence_all_pages(fence);
        return;
    }
    for (uint64_t at = 0; at < offset + fence->size; at += AX_PAGE_SIZE) {
        fence_page(fence, fence->start.value - offset + at);
    }
}

static void carry_out(RISCVVCpu *vcpu, const AxFence *fence)
{
    if (fence->nested) {
        (void)enter(vcpu); // the next bind has not to do it once more
        flush(vcpu, true);
        return;
    }
    if (fence->translations) {
        fence_translations(fence);
    }
    if (fence->instructions) {
        rv_fence_i();
    }
}

void riscv_fence(RISCVVCpu *vcpu)
{
    AxFence fence;

    if (axvcpu_events_take_fence(vcpu->env.events, &fence)) {
        carry_out(vcpu, &fence);
    }
}
