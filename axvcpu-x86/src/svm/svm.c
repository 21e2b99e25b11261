// SPDX-License-Identifier: Apache-2.0
// AMD SVM behind the table of vendor.h (APM volume 2, chapter 15).
#include "svm/vmcb.h"
#include "vendor.h"
#include "x86.h"

#include <string.h>

#define MSR_BITMAP_FRAMES 2u
#define IO_BITMAP_FRAMES  3u

#define CPUID_SVM_ECX  X86_BIT(2) // leaf 8000_0001
#define TSC_RATIO_BITS 32u        // APM volume 2, 15.30.5

#define SVM_NP             X86_BIT(0) // leaf 8000_000A, EDX
#define SVM_NRIPS          X86_BIT(3)
#define SVM_TSC_RATE       X86_BIT(4)
#define SVM_CLEAN          X86_BIT(5)
#define SVM_FLUSH_BY_ASID  X86_BIT(6)
#define SVM_DECODE_ASSISTS X86_BIT(7)

// What exits always: what is ours, and what guests do not have. Control registers, INVLPG, RDTSC and
// PAUSE are the guest's own.
#define INTERCEPTS_1                                                                       \
    (INTERCEPT_INTR | INTERCEPT_NMI | INTERCEPT_INIT | INTERCEPT_RDPMC | INTERCEPT_CPUID | \
     INTERCEPT_RSM | INTERCEPT_INVD | INTERCEPT_INVLPGA | INTERCEPT_IOIO | INTERCEPT_MSR | \
     INTERCEPT_SHUTDOWN)
#define INTERCEPTS_2                                                                              \
    (INTERCEPT_VMRUN | INTERCEPT_VMMCALL | INTERCEPT_VMLOAD | INTERCEPT_VMSAVE | INTERCEPT_STGI | \
     INTERCEPT_CLGI | INTERCEPT_SKINIT | INTERCEPT_RDTSCP | INTERCEPT_MONITOR | INTERCEPT_MWAIT | \
     INTERCEPT_XSETBV)
// A guest may have the processor deliver #DB or #AC for ever without an exit; #MC is the host's.
#define INTERCEPTED_EXCEPTIONS (X86_BIT(VECTOR_DB) | X86_BIT(VECTOR_AC) | X86_BIT(VECTOR_MC))

static void *frame(const AxVCpuHal *hal, HostPhysAddr addr)
{
    return ax_ptr_from_hva(hal->phys_to_virt(hal->ctx, addr));
}

static Vmcb *vmcb_of(const X86VCpu *vcpu)
{
    return vcpu->control_memory;
}

static void dirty(Vmcb *vmcb, uint64_t groups)
{
    vmcb->clean &= (uint32_t)~groups;
}

// ---- detection ----

static bool has_leaf(uint32_t leaf)
{
    return x86_hw_cpuid(leaf & UINT32_C(0x80000000), 0).eax >= leaf;
}

static bool has_svm(void)
{
    return has_leaf(0x8000000a) && (x86_hw_cpuid(0x80000001, 0).ecx & CPUID_SVM_ECX) != 0;
}

static bool is_unlocked(void)
{
    return (X86_READ(VM_CR) & VM_CR_SVMDIS) == 0;
}

static bool has_nested_paging(void)
{
    return (x86_hw_cpuid(0x8000000a, 0).edx & SVM_NP) != 0;
}

static bool has_asids(void)
{
    return x86_hw_cpuid(0x8000000a, 0).ebx >= 2;
}

// Nested tables have as many levels as those of the host.
static bool has_four_levels(void)
{
    return (X86_READ(CR4) & CR4_LA57) == 0;
}

// In this order: only the first may be asked of any CPU.
static const struct {
    bool (*holds)(void);
    AxError error;
    const char *reason;
} requirements[] = {
    {has_svm, AX_ENOHW, "this CPU has no SVM"},
    {is_unlocked, AX_EFIRMWARE,
     "SVM is switched off in VM_CR: enable SVM (AMD-V) in the firmware's setup"},
    {has_nested_paging, AX_ENOHW,
     "this CPU's SVM has no nested paging (QEMU: use -cpu max or EPYC)"},
    {has_asids, AX_ENOHW, "this CPU's SVM has no ASID for guests"},
    {has_four_levels, AX_ENOTSUP,
     "the host uses five-level paging, which this backend does not know"},
};

static AxError check(const char **reason)
{
    for (size_t i = 0; i < sizeof(requirements) / sizeof(requirements[0]); i++) {
        if (requirements[i].holds()) {
            continue;
        }
        if (reason != NULL) {
            *reason = requirements[i].reason;
        }
        return requirements[i].error;
    }
    return AX_OK;
}

// ASIDs 0 to n - 1, of which a power of two is used.
static uint8_t asid_bits(uint32_t count)
{
    uint8_t bits = 0;

    while (bits < 16 && UINT32_C(2) << bits <= count) {
        bits++;
    }
    return bits;
}

static void features(X86Features *out)
{
    const X86CpuidResult leaf = x86_hw_cpuid(0x8000000a, 0);

    out->tag_bits = asid_bits(leaf.ebx);
    out->has_next_rip = (leaf.edx & SVM_NRIPS) != 0;
    out->tsc_ratio_bits = (leaf.edx & SVM_TSC_RATE) != 0 ? TSC_RATIO_BITS : 0;
    out->has_clean_bits = (leaf.edx & SVM_CLEAN) != 0;
    out->has_flush_by_tag = (leaf.edx & SVM_FLUSH_BY_ASID) != 0;
    out->has_decode_assists = (leaf.edx & SVM_DECODE_ASSISTS) != 0;
}

// ---- this processor ----

// Bitmap of two bits per MSR, read and write; three ranges of 0x2000 MSRs.
static void pass_msr(uint8_t *bitmap, uint32_t msr)
{
    const uint32_t base = msr >= UINT32_C(0xc0000000) ? 0x2000 : 0;
    const uint32_t bit = (base + (msr & 0x1fff)) * 2;

    bitmap[bit / 8] &= (uint8_t) ~(3u << (bit % 8));
}

// Those that VMLOAD, VMSAVE and VMRUN switch, and where any value is as good as another.
static const uint32_t passed_msrs[] = {
    MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP, MSR_STAR,    MSR_LSTAR,
    MSR_CSTAR,       MSR_SFMASK,       MSR_FS_BASE,      MSR_GS_BASE, MSR_KERNEL_GS,
};

static void fill_bitmaps(const X86PerCpu *percpu)
{
    uint8_t *msrs = frame(percpu->hal, percpu->frames.msr_bitmap);

    memset(frame(percpu->hal, percpu->frames.io_bitmap), 0xff, IO_BITMAP_FRAMES * AX_PAGE_SIZE);
    memset(msrs, 0xff, MSR_BITMAP_FRAMES * AX_PAGE_SIZE);
    for (size_t i = 0; i < sizeof(passed_msrs) / sizeof(passed_msrs[0]); i++) {
        pass_msr(msrs, passed_msrs[i]);
    }
}

typedef struct FrameNeed {
    size_t offset; // in X86Frames
    size_t count;
} FrameNeed;

static const FrameNeed needs[] = {
    {offsetof(X86Frames, host_save), 1},
    {offsetof(X86Frames, host_vmcb), 1},
    {offsetof(X86Frames, msr_bitmap), MSR_BITMAP_FRAMES},
    {offsetof(X86Frames, io_bitmap), IO_BITMAP_FRAMES},
};

#define NEED_COUNT (sizeof(needs) / sizeof(needs[0]))

static HostPhysAddr *field_of(X86PerCpu *percpu, const FrameNeed *need)
{
    return (HostPhysAddr *)((uintptr_t)&percpu->frames + need->offset);
}

static void free_frames(X86PerCpu *percpu, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        percpu->hal->dealloc_frames(percpu->hal->ctx, *field_of(percpu, &needs[i]), needs[i].count);
    }
    percpu->frames = (X86Frames){0};
}

static AxError alloc_frames(X86PerCpu *percpu)
{
    const AxVCpuHal *hal = percpu->hal;

    for (size_t i = 0; i < NEED_COUNT; i++) {
        const AxError error = hal->alloc_frames(hal->ctx, needs[i].count, AX_PAGE_SIZE,
                                                field_of(percpu, &needs[i]));

        if (error != AX_OK) {
            free_frames(percpu, i);
            return error;
        }
    }
    return AX_OK;
}

static AxError enable(X86PerCpu *percpu)
{
    const AxError error = alloc_frames(percpu);

    if (error != AX_OK) {
        return error;
    }
    fill_bitmaps(percpu);
    X86_WRITE(EFER, X86_READ(EFER) | EFER_SVME | EFER_NXE);
    percpu->host.hsave_pa = X86_READ(VM_HSAVE_PA);
    X86_WRITE(VM_HSAVE_PA, percpu->frames.host_save.value);
    return AX_OK;
}

static void disable(X86PerCpu *percpu)
{
    X86_WRITE(VM_HSAVE_PA, percpu->host.hsave_pa);
    free_frames(percpu, NEED_COUNT);
}

// ---- life of a vCPU ----

static AxError create(X86VCpu *vcpu)
{
    const AxError error = axvcpu_alloc_frame(vcpu->env.hal, &vcpu->control);

    if (error == AX_OK) {
        vcpu->control_memory = frame(vcpu->env.hal, vcpu->control);
    }
    return error;
}

static void destroy(X86VCpu *vcpu)
{
    axvcpu_dealloc_frame(vcpu->env.hal, vcpu->control);
}

// What a guest never sees of EFER is set as long as its block lives.
static void reset(X86VCpu *vcpu)
{
    Vmcb *vmcb = vmcb_of(vcpu);

    memset(vmcb, 0, sizeof(*vmcb));
    vmcb->intercept_1 = (uint32_t)INTERCEPTS_1;
    vmcb->intercept_2 = (uint32_t)INTERCEPTS_2;
    vmcb->intercept_exceptions = (uint32_t)INTERCEPTED_EXCEPTIONS;
    vmcb->vintr = VINTR_MASKING;
    vmcb->np_enable = 1;
    vmcb->efer = EFER_SVME;
}

static void setup(X86VCpu *vcpu)
{
    if (vcpu->trap_wait) {
        vmcb_of(vcpu)->intercept_1 |= (uint32_t)INTERCEPT_HLT;
    }
}

// What the processor multiplies its TSC with in a guest, without a field in the block.
static void set_tsc_ratio(const X86VCpu *vcpu, uint64_t ratio)
{
    if (vcpu->tsc_ratio != 0) {
        X86_WRITE(TSC_RATIO, ratio);
    }
}

static void bind(X86VCpu *vcpu)
{
    Vmcb *vmcb = vmcb_of(vcpu);
    const X86Frames *frames = &vcpu->percpu->frames;

    vcpu->regs.vmcb = vcpu->control.value;
    vcpu->regs.host_vmcb = frames->host_vmcb.value;
    vmcb->iopm_base = frames->io_bitmap.value;
    vmcb->msrpm_base = frames->msr_bitmap.value;
    vmcb->n_cr3 = vcpu->ept->base.value;
    vmcb->asid = (uint32_t)vcpu->tag;
    set_tsc_ratio(vcpu, vcpu->tsc_ratio);
    vmcb->clean = 0; // another processor, or another block since
}

// Everything else is in memory.
static void unbind(X86VCpu *vcpu)
{
    set_tsc_ratio(vcpu, UINT64_C(1) << TSC_RATIO_BITS);
}

// ---- fields ----

typedef struct FieldPlace {
    uint16_t offset;
    uint8_t size;
    uint16_t clean;
} FieldPlace;

#define PLACE(member, group)                                                         \
    {                                                                                \
        offsetof(Vmcb, member), sizeof(((const Vmcb *)0)->member), (uint16_t)(group) \
    }
#define SEGMENT(NAME, member, group)                                   \
    [X86_FIELD_##NAME##_SELECTOR] = PLACE(member.selector, group),     \
    [X86_FIELD_##NAME##_ATTRIBUTES] = PLACE(member.attributes, group), \
    [X86_FIELD_##NAME##_LIMIT] = PLACE(member.limit, group),           \
    [X86_FIELD_##NAME##_BASE] = PLACE(member.base, group)

static const FieldPlace places[X86_FIELD_COUNT] = {
    [X86_FIELD_CR0] = PLACE(cr0, CLEAN_CR),
    [X86_FIELD_CR2] = PLACE(cr2, CLEAN_CR2),
    [X86_FIELD_CR3] = PLACE(cr3, CLEAN_CR),
    [X86_FIELD_CR4] = PLACE(cr4, CLEAN_CR),
    [X86_FIELD_EFER] = PLACE(efer, CLEAN_CR),
    [X86_FIELD_PAT] = PLACE(pat, CLEAN_NP),
    [X86_FIELD_DR6] = PLACE(dr6, CLEAN_DR),
    [X86_FIELD_DR7] = PLACE(dr7, CLEAN_DR),
    [X86_FIELD_GDTR_BASE] = PLACE(gdtr.base, CLEAN_DT),
    [X86_FIELD_GDTR_LIMIT] = PLACE(gdtr.limit, CLEAN_DT),
    [X86_FIELD_IDTR_BASE] = PLACE(idtr.base, CLEAN_DT),
    [X86_FIELD_IDTR_LIMIT] = PLACE(idtr.limit, CLEAN_DT),
    [X86_FIELD_SYSENTER_CS] = PLACE(sysenter_cs, 0),
    [X86_FIELD_SYSENTER_ESP] = PLACE(sysenter_esp, 0),
    [X86_FIELD_SYSENTER_EIP] = PLACE(sysenter_eip, 0),
    [X86_FIELD_STAR] = PLACE(star, 0),
    [X86_FIELD_LSTAR] = PLACE(lstar, 0),
    [X86_FIELD_CSTAR] = PLACE(cstar, 0),
    [X86_FIELD_SFMASK] = PLACE(sfmask, 0),
    [X86_FIELD_KERNEL_GS_BASE] = PLACE(kernel_gs_base, 0),
    SEGMENT(ES, es, CLEAN_SEG),
    SEGMENT(CS, cs, CLEAN_SEG),
    SEGMENT(SS, ss, CLEAN_SEG),
    SEGMENT(DS, ds, CLEAN_SEG),
    SEGMENT(FS, fs, 0),
    SEGMENT(GS, gs, 0),
    SEGMENT(LDTR, ldtr, 0),
    SEGMENT(TR, tr, 0),
};

static uint64_t read(const X86VCpu *vcpu, X86Field field)
{
    const FieldPlace *place = &places[field];
    const uint8_t *from = (const uint8_t *)vmcb_of(vcpu) + place->offset;
    uint64_t value = 0;

    if (place->size == sizeof(value)) {
        memcpy(&value, from, sizeof(value)); // most of them
    } else {
        memcpy(&value, from, place->size);
    }
    return field == X86_FIELD_EFER ? value & ~EFER_SVME : value;
}

// CPL is a field of its own here.
static void write(X86VCpu *vcpu, X86Field field, uint64_t value)
{
    const FieldPlace *place = &places[field];
    Vmcb *vmcb = vmcb_of(vcpu);

    if (field == X86_FIELD_EFER) {
        value |= EFER_SVME;
    }
    memcpy((uint8_t *)vmcb + place->offset, &value, place->size);
    if (field == X86_FIELD_SS_ATTRIBUTES) {
        vmcb->cpl = (uint8_t)SEGMENT_DPL(value);
    }
    dirty(vmcb, place->clean);
}

// ---- what an exit means ----

static X86Event event_from(uint64_t info)
{
    return (X86Event){
        .valid = (info & EVENT_VALID) != 0,
        .vector = (uint8_t)(info & EVENT_VECTOR),
        .type = (X86EventType)((info >> EVENT_TYPE_SHIFT) & EVENT_TYPE),
        .has_error_code = (info & EVENT_HAS_ERROR) != 0,
        .error_code = (uint32_t)(info >> EVENT_ERROR_SHIFT),
    };
}

static uint64_t event_to(const X86Event *event)
{
    uint64_t info = event->vector | (uint64_t)event->type << EVENT_TYPE_SHIFT;

    if (!event->valid) {
        return 0;
    }
    if (event->has_error_code) {
        info |= EVENT_HAS_ERROR | (uint64_t)event->error_code << EVENT_ERROR_SHIFT;
    }
    return info | EVENT_VALID;
}

// length: without prefixes, for processors that do not tell the next RIP.
static const struct {
    uint8_t kind;
    uint8_t length;
} simple_exits[] = {
    [VMEXIT_CR8_WRITE] = {X86_EXIT_TPR_WRITE, 0},
    [VMEXIT_INTR] = {X86_EXIT_EXTERNAL_INTERRUPT, 0},
    [VMEXIT_NMI] = {X86_EXIT_NMI, 0},
    [VMEXIT_VINTR] = {X86_EXIT_INTERRUPT_WINDOW, 0},
    [VMEXIT_RDPMC] = {X86_EXIT_REFUSED, 0},
    [VMEXIT_CPUID] = {X86_EXIT_CPUID, 2},
    [VMEXIT_RSM] = {X86_EXIT_UNDEFINED, 0},
    [VMEXIT_IRET] = {X86_EXIT_IRET, 0},
    [VMEXIT_INVD] = {X86_EXIT_CACHE, 2},
    [VMEXIT_HLT] = {X86_EXIT_HALT, 1},
    [VMEXIT_INVLPGA] = {X86_EXIT_UNDEFINED, 0},
    [VMEXIT_IOIO] = {X86_EXIT_IO, 0},
    [VMEXIT_MSR] = {X86_EXIT_MSR, 2},
    [VMEXIT_SHUTDOWN] = {X86_EXIT_SHUTDOWN, 0},
    [VMEXIT_VMRUN] = {X86_EXIT_UNDEFINED, 0},
    [VMEXIT_VMMCALL] = {X86_EXIT_HYPERCALL, 3},
    [VMEXIT_VMLOAD] = {X86_EXIT_UNDEFINED, 0},
    [VMEXIT_VMSAVE] = {X86_EXIT_UNDEFINED, 0},
    [VMEXIT_STGI] = {X86_EXIT_UNDEFINED, 0},
    [VMEXIT_CLGI] = {X86_EXIT_UNDEFINED, 0},
    [VMEXIT_SKINIT] = {X86_EXIT_UNDEFINED, 0},
    [VMEXIT_RDTSCP] = {X86_EXIT_UNDEFINED, 0},
    [VMEXIT_WBINVD] = {X86_EXIT_CACHE, 2},
    [VMEXIT_MONITOR] = {X86_EXIT_UNDEFINED, 0},
    [VMEXIT_MWAIT] = {X86_EXIT_UNDEFINED, 0},
    [VMEXIT_XSETBV] = {X86_EXIT_XSETBV, 3},
};

#define SIMPLE_COUNT (sizeof(simple_exits) / sizeof(simple_exits[0]))

static void decode_io(const Vmcb *vmcb, X86Exit *exit)
{
    const uint64_t info = vmcb->exit_info_1;

    exit->io.port = (uint16_t)(info >> IOIO_PORT_SHIFT);
    exit->io.width = (uint8_t)((info >> IOIO_WIDTH_SHIFT) & 7);
    exit->io.in = (info & IOIO_IN) != 0;
    exit->io.string = (info & IOIO_STRING) != 0;
    exit->io.repeat = (info & IOIO_REP) != 0;
    exit->length = (uint8_t)(vmcb->exit_info_2 - vmcb->rip);
}

static void decode_nested_fault(const Vmcb *vmcb, X86Exit *exit)
{
    const uint64_t info = vmcb->exit_info_1;

    exit->kind = X86_EXIT_NESTED_FAULT;
    exit->fault.gpa = vmcb->exit_info_2;
    exit->fault.present = (info & PF_PRESENT) != 0;
    exit->fault.walk = (info & NPF_WALK) != 0;
    exit->fault.access = AX_MAP_READ;
    if ((info & PF_WRITE) != 0) {
        exit->fault.access = AX_MAP_WRITE;
    } else if ((info & PF_FETCH) != 0 && !exit->fault.walk) {
        exit->fault.access = AX_MAP_EXECUTE;
    }
}

static void decode_exception(const Vmcb *vmcb, X86Exit *exit)
{
    const uint8_t vector = (uint8_t)(vmcb->exit_code - VMEXIT_EXCEPTION);

    exit->kind = vector == VECTOR_MC ? X86_EXIT_MACHINE_CHECK : X86_EXIT_EXCEPTION;
    exit->exception.vector = vector;
    exit->exception.has_error_code = vector == VECTOR_AC;
    exit->exception.error_code = (uint32_t)vmcb->exit_info_1;
}

static void decode_simple(const X86VCpu *vcpu, const Vmcb *vmcb, X86Exit *exit)
{
    exit->kind = (X86ExitKind)simple_exits[vmcb->exit_code].kind;
    exit->length = simple_exits[vmcb->exit_code].length;
    if (exit->length != 0 && vcpu->percpu->features.has_next_rip) {
        exit->length = (uint8_t)(vmcb->next_rip - vmcb->rip);
    }
    if (exit->kind == X86_EXIT_IO) {
        decode_io(vmcb, exit);
    } else if (exit->kind == X86_EXIT_MSR) {
        exit->msr.write = vmcb->exit_info_1 == 1;
    }
}

// QEMU 7.2 gives it 32 bits.
static bool is_failure(uint64_t code)
{
    return (uint32_t)code == (uint32_t)VMEXIT_INVALID;
}

// Hardware does not say why. QEMU 7.2 ends a guest's MOV to CR3 or CR4 with reserved bits in this way,
// too, which is #GP.
static X86_RARE void decode_failure(const X86VCpu *vcpu, const Vmcb *vmcb, X86Exit *exit)
{
    const AxVCpuHal *hal = vcpu->env.hal;
    const char *problem = svm_entry_problem(vmcb);

    if (problem == NULL && vmcb->exit_code != VMEXIT_INVALID) {
        exit->kind = X86_EXIT_EXCEPTION;
        exit->exception.vector = VECTOR_GP;
        exit->exception.has_error_code = true;
        return;
    }
    exit->kind = X86_EXIT_FAIL_ENTRY;
    hal->log(hal->ctx, AX_LOG_WARN, "VMRUN refused vCPU %u: %s", (unsigned)vcpu->env.vcpu_id,
             problem != NULL ? problem : "none of the known reasons");
}

static bool is_intercepted_exception(uint64_t code)
{
    return code - VMEXIT_EXCEPTION < 32 &&
           (INTERCEPTED_EXCEPTIONS >> (code - VMEXIT_EXCEPTION) & 1) != 0;
}

static void decode(const X86VCpu *vcpu, const Vmcb *vmcb, X86Exit *exit)
{
    const uint64_t code = vmcb->exit_code;

    *exit = (X86Exit){
        .raw = code, .info = vmcb->exit_info_1, .event = event_from(vmcb->exit_int_info)};
    if (code == VMEXIT_NPF) {
        decode_nested_fault(vmcb, exit);
    } else if (is_intercepted_exception(code)) {
        decode_exception(vmcb, exit);
    } else if (code < SIMPLE_COUNT) {
        decode_simple(vcpu, vmcb, exit);
    } else if (is_failure(code)) {
        decode_failure(vcpu, vmcb, exit);
    }
}

// ---- a stay in the guest ----

static void begin(X86VCpu *vcpu)
{
    x86_svm_vmsave(vcpu->regs.host_vmcb);
}

// In debug builds. The outcome is the same as when VMRUN refuses, without VMRUN.
static bool is_refused(Vmcb *vmcb)
{
    if (!X86_CHECK_ENTRIES || svm_entry_problem(vmcb) == NULL) {
        return false;
    }
    vmcb->exit_code = VMEXIT_INVALID;
    vmcb->exit_int_info = 0;
    return true;
}

// Whether an interrupt goes as a virtual one, which the guest takes at once, and not by EVENTINJ: QEMU
// 7.2 may deliver that a second time, behind any instruction that follows. Not when V_IRQ is a window's.
static bool is_virtual(const X86VCpu *vcpu, const Vmcb *vmcb)
{
    return vcpu->event.valid && vcpu->event.type == X86_EVENT_INTERRUPT &&
           (vmcb->vintr & VINTR_IRQ) == 0 && (vcpu->regs.rflags & RFLAGS_IF) != 0 && !vcpu->shadow;
}

static void request(Vmcb *vmcb, uint8_t vector)
{
    vmcb->vintr |= VINTR_IRQ | VINTR_IGN_TPR | (uint64_t)vector << 32;
    dirty(vmcb, CLEAN_TPR);
}

// It still waits when an interrupt of the host came first; with QEMU 7.2 also when its delivery met a
// fault, and one of nested paging is told there as if the vector were an exception's.
static void withdraw(X86VCpu *vcpu, Vmcb *vmcb)
{
    const bool waits = (vmcb->vintr & VINTR_IRQ) != 0;

    vmcb->vintr &= ~(VINTR_IRQ | VINTR_IGN_TPR | VINTR_VECTOR);
    dirty(vmcb, CLEAN_TPR);
    if (waits && vcpu->exit.event.valid && vcpu->exit.event.vector == vcpu->event.vector) {
        vcpu->exit.event = vcpu->event;
    } else if (waits) {
        x86_interrupt_put_back(vcpu, &vcpu->event);
    }
}

// EXITINTINFO tells what of the event was not delivered, so that EVENTINJ is used up. QEMU 7.2 leaves
// it as it was, and flags that no guest can set after CMPXCHG16B.
static void enter(X86VCpu *vcpu)
{
    Vmcb *vmcb = vmcb_of(vcpu);
    X86GuestRegs *regs = &vcpu->regs;
    const bool by_virq = is_virtual(vcpu, vmcb);

    vmcb->rax = regs->gpr[RAX];
    vmcb->rsp = regs->gpr[RSP];
    vmcb->rip = regs->rip;
    vmcb->rflags = (regs->rflags & RFLAGS_WRITABLE) | RFLAGS_FIXED;
    vmcb->interrupt_shadow = vcpu->shadow;
    vmcb->event_inj = by_virq ? 0 : event_to(&vcpu->event);
    if (by_virq) {
        request(vmcb, vcpu->event.vector);
    }
    if (!is_refused(vmcb)) {
        x86_svm_enter(regs);
    }
    regs->gpr[RAX] = vmcb->rax;
    regs->gpr[RSP] = vmcb->rsp;
    regs->rip = vmcb->rip;
    regs->rflags = vmcb->rflags;
    vcpu->shadow = (vmcb->interrupt_shadow & 1) != 0;
    vmcb->tlb_control = TLB_CONTROL_NONE;
    vmcb->clean = vcpu->percpu->features.has_clean_bits ? (uint32_t)CLEAN_ALL : 0;
    decode(vcpu, vmcb, &vcpu->exit);
    if (by_virq) {
        withdraw(vcpu, vmcb);
    }
    vcpu->event.valid = false;
}

// A virtual interrupt that nothing but RFLAGS.IF and the shadow can hold back, and whose delivery is
// intercepted; the vector is never used.
static void windows(X86VCpu *vcpu, uint32_t open)
{
    Vmcb *vmcb = vmcb_of(vcpu);
    const uint32_t mask = (uint32_t)(INTERCEPT_VINTR | INTERCEPT_IRET);
    uint32_t wanted = vmcb->intercept_1 & ~mask;

    wanted |= (open & X86_WINDOW_INTERRUPT) != 0 ? (uint32_t)INTERCEPT_VINTR : 0;
    wanted |= (open & X86_WINDOW_NMI) != 0 ? (uint32_t)INTERCEPT_IRET : 0;
    vmcb->vintr &= ~(VINTR_IRQ | VINTR_IGN_TPR);
    if ((open & X86_WINDOW_INTERRUPT) != 0) {
        vmcb->vintr |= VINTR_IRQ | VINTR_IGN_TPR;
    }
    vmcb->intercept_1 = wanted;
    vmcb->intercept_cr = (open & X86_WINDOW_TPR) != 0 ? (uint32_t)INTERCEPT_CR8_WRITE : 0;
    dirty(vmcb, CLEAN_TPR | CLEAN_INTERCEPTS);
}

static void flush(X86VCpu *vcpu)
{
    vmcb_of(vcpu)->tlb_control = vcpu->percpu->features.has_flush_by_tag ? TLB_CONTROL_FLUSH_ASID
                                                                         : TLB_CONTROL_FLUSH_ALL;
}

// CR8 is bits 7:4 of TPR.
static void set_tpr(X86VCpu *vcpu, uint8_t value)
{
    Vmcb *vmcb = vmcb_of(vcpu);

    vmcb->vintr = (vmcb->vintr & ~VINTR_TPR) | value >> 4;
    dirty(vmcb, CLEAN_TPR);
}

static uint8_t tpr(const X86VCpu *vcpu)
{
    return (uint8_t)((vmcb_of(vcpu)->vintr & 0xf) << 4);
}

static void set_tsc_offset(X86VCpu *vcpu, uint64_t offset)
{
    Vmcb *vmcb = vmcb_of(vcpu);

    vmcb->tsc_offset = offset;
    dirty(vmcb, CLEAN_INTERCEPTS);
}

const X86Vendor svm_vendor = {
    .name = "SVM",
    .ept = &svm_npt_format,
    .check = check,
    .features = features,
    .enable = enable,
    .disable = disable,
    .create = create,
    .destroy = destroy,
    .reset = reset,
    .setup = setup,
    .bind = bind,
    .unbind = unbind,
    .read = read,
    .write = write,
    .begin = begin,
    .enter = enter,
    .windows = windows,
    .flush = flush,
    .set_tpr = set_tpr,
    .tpr = tpr,
    .set_tsc_offset = set_tsc_offset,
};
