// SPDX-License-Identifier: Apache-2.0
// The checks that VMRUN makes of a control block (APM volume 2, 15.5.1), in words: hardware only says
// that one of them failed.
#include "svm/vmcb.h"
#include "x86.h"

#define CR4_DEFINED UINT64_C(0x03f7ffff)
#define IO_SIZE     UINT64_C(0x3000)
#define MSR_SIZE    UINT64_C(0x2000)
#define HIGH_HALF   UINT64_C(0xffffffff00000000)

#define SEGMENT_CODE_LONG_BIG (SEGMENT_LONG | SEGMENT_BIG)

static bool both(uint64_t value, uint64_t bits)
{
    return (value & bits) == bits;
}

static bool enters_long_mode(const Vmcb *vmcb)
{
    return both(vmcb->efer, EFER_LME) && both(vmcb->cr0, CR0_PG);
}

static bool has_svme(const Vmcb *vmcb)
{
    return both(vmcb->efer, EFER_SVME);
}

static bool has_good_efer(const Vmcb *vmcb)
{
    return (vmcb->efer & ~(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | EFER_SVME)) == 0;
}

static bool has_good_cache_bits(const Vmcb *vmcb)
{
    return both(vmcb->cr0, CR0_CD) || !both(vmcb->cr0, CR0_NW);
}

static bool has_good_cr0(const Vmcb *vmcb)
{
    return (vmcb->cr0 & HIGH_HALF) == 0;
}

static bool is_physical(uint64_t address)
{
    return address >> x86_physical_bits() == 0;
}

static bool has_good_cr3(const Vmcb *vmcb)
{
    return !enters_long_mode(vmcb) || is_physical(vmcb->cr3);
}

static bool has_good_cr4(const Vmcb *vmcb)
{
    return (vmcb->cr4 & ~CR4_DEFINED) == 0;
}

static bool has_good_debug(const Vmcb *vmcb)
{
    return ((vmcb->dr6 | vmcb->dr7) & HIGH_HALF) == 0;
}

static bool has_pae_in_long_mode(const Vmcb *vmcb)
{
    return !enters_long_mode(vmcb) || both(vmcb->cr4, CR4_PAE);
}

static bool is_protected_in_long_mode(const Vmcb *vmcb)
{
    return !enters_long_mode(vmcb) || both(vmcb->cr0, CR0_PE);
}

static bool has_good_code_segment(const Vmcb *vmcb)
{
    return !enters_long_mode(vmcb) || !both(vmcb->cs.attributes, SEGMENT_CODE_LONG_BIG);
}

static bool intercepts_vmrun(const Vmcb *vmcb)
{
    return both(vmcb->intercept_2, INTERCEPT_VMRUN);
}

static bool has_asid(const Vmcb *vmcb)
{
    return vmcb->asid != 0;
}

static bool has_good_nested_root(const Vmcb *vmcb)
{
    return vmcb->n_cr3 % AX_PAGE_SIZE == 0 && is_physical(vmcb->n_cr3);
}

static bool has_good_bitmaps(const Vmcb *vmcb)
{
    return is_physical(vmcb->iopm_base + IO_SIZE - 1) &&
           is_physical(vmcb->msrpm_base + MSR_SIZE - 1);
}

static bool has_good_pat(const Vmcb *vmcb)
{
    return x86_pat_is_valid(vmcb->pat);
}

// Types 0, 2, 3 and 4; as an exception no NMI and nothing beyond 31.
static bool has_good_event(const Vmcb *vmcb)
{
    const uint64_t type = vmcb->event_inj >> EVENT_TYPE_SHIFT & EVENT_TYPE;
    const uint64_t vector = vmcb->event_inj & EVENT_VECTOR;

    if (!both(vmcb->event_inj, EVENT_VALID)) {
        return true;
    }
    return type <= X86_EVENT_SOFTWARE && type != 1 &&
           (type != X86_EVENT_EXCEPTION || (vector < 32 && vector != 2));
}

static const struct {
    bool (*holds)(const Vmcb *vmcb);
    const char *problem;
} checks[] = {
    {has_svme, "EFER.SVME is clear"},
    {has_good_efer, "EFER has reserved bits"},
    {has_good_cache_bits, "CR0.NW is set and CR0.CD is clear"},
    {has_good_cr0, "CR0 has bits above 31"},
    {has_good_cr3, "CR3 has bits beyond physical addresses in long mode"},
    {has_good_cr4, "CR4 has reserved bits"},
    {has_good_debug, "DR6 or DR7 has bits above 31"},
    {has_pae_in_long_mode, "long mode without CR4.PAE"},
    {is_protected_in_long_mode, "long mode without CR0.PE"},
    {has_good_code_segment, "long mode with CS.L and CS.D"},
    {intercepts_vmrun, "VMRUN is not intercepted"},
    {has_asid, "ASID 0"},
    {has_good_nested_root, "the nested root is no frame"},
    {has_good_bitmaps, "a bitmap lies beyond physical addresses"},
    {has_good_pat, "PAT has a reserved memory type"},
    {has_good_event, "the event to be delivered is none"},
};

const char *svm_entry_problem(const Vmcb *vmcb)
{
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        if (!checks[i].holds(vmcb)) {
            return checks[i].problem;
        }
    }
    return NULL;
}
