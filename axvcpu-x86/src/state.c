// SPDX-License-Identifier: Apache-2.0
// What moves when a vCPU takes or leaves a pCPU: x87, SSE and AVX with XCR0, and the debug registers.
// The rest of a guest is switched by hardware.
#include "x86.h"

#include <string.h>

// Attributes after INIT (SDM volume 3, table 9-1).
#define CODE_ATTRIBUTES UINT64_C(0x9b)
#define DATA_ATTRIBUTES UINT64_C(0x93)
#define LDTR_ATTRIBUTES UINT64_C(0x82)
#define TR_ATTRIBUTES   UINT64_C(0x8b)
#define REAL_LIMIT      UINT64_C(0xffff)

#define RESET_CR0     (CR0_CD | CR0_NW | CR0_ET)
#define RESET_VECTOR  UINT64_C(0xfff0)
#define RESET_CS      UINT64_C(0xf000)
#define RESET_CS_BASE UINT64_C(0xffff0000)

// Of an image of FXSAVE or XSAVE, in words of 8 bytes.
#define FP_CONTROL       UINT64_C(0x37f)
#define FP_WORD_MXCSR    3u // and its mask in the upper half
#define FP_MXCSR         UINT64_C(0x1f80)
#define FP_MXCSR_BITS    UINT64_C(0xffff)
#define FP_WORD_XSTATE   64u // XSTATE_BV; the rest of the header is 0
#define FP_WORD_EXTENDED 72u
#define FP_WORD_XMM(n)   (20u + 2 * (n))

static uint64_t *fp_image(const X86VCpu *vcpu)
{
    return ax_ptr_from_hva(vcpu->env.hal->phys_to_virt(vcpu->env.hal->ctx, vcpu->fp));
}

// ---- reset ----

#define RESET_SEGMENT(NAME, attributes)                         \
    x86_write(vcpu, X86_FIELD_##NAME##_SELECTOR, 0);            \
    x86_write(vcpu, X86_FIELD_##NAME##_ATTRIBUTES, attributes); \
    x86_write(vcpu, X86_FIELD_##NAME##_LIMIT, REAL_LIMIT);      \
    x86_write(vcpu, X86_FIELD_##NAME##_BASE, 0);

static void reset_segments(X86VCpu *vcpu)
{
    RESET_SEGMENT(ES, DATA_ATTRIBUTES)
    RESET_SEGMENT(CS, CODE_ATTRIBUTES)
    RESET_SEGMENT(SS, DATA_ATTRIBUTES)
    RESET_SEGMENT(DS, DATA_ATTRIBUTES)
    RESET_SEGMENT(FS, DATA_ATTRIBUTES)
    RESET_SEGMENT(GS, DATA_ATTRIBUTES)
    RESET_SEGMENT(LDTR, LDTR_ATTRIBUTES)
    RESET_SEGMENT(TR, TR_ATTRIBUTES)
    x86_write(vcpu, X86_FIELD_GDTR_LIMIT, REAL_LIMIT);
    x86_write(vcpu, X86_FIELD_IDTR_LIMIT, REAL_LIMIT);
}

static void reset_fp(X86VCpu *vcpu)
{
    uint64_t *image = fp_image(vcpu);

    memset(image, 0, AX_PAGE_SIZE);
    image[0] = FP_CONTROL;
    image[FP_WORD_MXCSR] = FP_MXCSR;
    vcpu->xcr0 = XCR0_X87;
}

// Everything not named is 0, which the vendor has done.
void x86_state_reset(X86VCpu *vcpu)
{
    reset_segments(vcpu);
    reset_fp(vcpu);
    memset(vcpu->dr, 0, sizeof(vcpu->dr));
    vcpu->event = (X86Event){0};
    vcpu->shadow = false;
    vcpu->activity = X86_ACTIVE;
    x86_write(vcpu, X86_FIELD_CR0, RESET_CR0);
    x86_write(vcpu, X86_FIELD_PAT, PAT_RESET);
    x86_write(vcpu, X86_FIELD_DR6, DR6_RESET);
    x86_write(vcpu, X86_FIELD_DR7, DR7_RESET);
    vcpu->regs.rflags = RFLAGS_FIXED;
    vcpu->regs.rip = RESET_VECTOR;
    x86_write(vcpu, X86_FIELD_CS_SELECTOR, RESET_CS);
    x86_write(vcpu, X86_FIELD_CS_BASE, RESET_CS_BASE);
}

void x86_start_at(X86VCpu *vcpu, uint16_t segment, uint64_t rip)
{
    x86_write(vcpu, X86_FIELD_CS_SELECTOR, segment);
    x86_write(vcpu, X86_FIELD_CS_BASE, (uint64_t)segment << 4);
    vcpu->regs.rip = rip;
}

// ---- bind and unbind ----

static void load_debug(const uint64_t *dr)
{
    X86_WRITE(DR0, dr[0]);
    X86_WRITE(DR1, dr[1]);
    X86_WRITE(DR2, dr[2]);
    X86_WRITE(DR3, dr[3]);
}

static void save_debug(uint64_t *dr)
{
    dr[0] = X86_READ(DR0);
    dr[1] = X86_READ(DR1);
    dr[2] = X86_READ(DR2);
    dr[3] = X86_READ(DR3);
}

// What the guest has, while it is bound: the emulated processors of QEMU 7.2 carry XSETBV out in spite
// of its intercept.
uint64_t x86_xcr0(const X86VCpu *vcpu)
{
    if (vcpu->percpu == NULL || !vcpu->percpu->features.has_xsave) {
        return vcpu->xcr0;
    }
    return (X86_READ(XCR0) & vcpu->percpu->features.xcr0) | XCR0_X87;
}

// The processor may move no component that XCR0 does not have; it is `after` then.
static void move_fp(const X86VCpu *vcpu, bool load, uint64_t after)
{
    const X86Features *features = &vcpu->percpu->features;

    if (features->has_xsave) {
        X86_WRITE(XCR0, features->xcr0);
    }
    if (load) {
        x86_fp_load(fp_image(vcpu), features->xcr0);
    } else {
        x86_fp_save(fp_image(vcpu), features->xcr0);
    }
    if (features->has_xsave) {
        X86_WRITE(XCR0, after);
    }
}

// No breakpoint of the host acts while the addresses are a guest's.
void x86_state_load(X86VCpu *vcpu)
{
    X86Host *host = &vcpu->percpu->host;

    host->dr7 = X86_READ(DR7);
    host->dr6 = X86_READ(DR6);
    X86_WRITE(DR7, DR7_FIXED);
    save_debug(host->dr);
    load_debug(vcpu->dr);
    if (vcpu->percpu->features.has_xsave) {
        host->xcr0 = X86_READ(XCR0);
    }
    move_fp(vcpu, true, vcpu->xcr0);
}

void x86_state_save(X86VCpu *vcpu)
{
    const X86Host *host = &vcpu->percpu->host;

    vcpu->xcr0 = x86_xcr0(vcpu);
    move_fp(vcpu, false, host->xcr0);
    save_debug(vcpu->dr);
    load_debug(host->dr);
    X86_WRITE(DR6, host->dr6);
    X86_WRITE(DR7, host->dr7);
}

// ---- debug registers from outside ----

void x86_debug_get(const X86VCpu *vcpu, uint64_t *dr)
{
    if (vcpu->percpu != NULL) {
        save_debug(dr);
    } else {
        memcpy(dr, vcpu->dr, sizeof(vcpu->dr));
    }
}

void x86_debug_set(X86VCpu *vcpu, const uint64_t *dr)
{
    memcpy(vcpu->dr, dr, sizeof(vcpu->dr));
    if (vcpu->percpu != NULL) {
        load_debug(dr);
    }
}

// ---- FP from outside ----

AxError x86_fp_get(const X86VCpu *vcpu, uint32_t word, uint64_t *value)
{
    if (vcpu->percpu != NULL) {
        move_fp(vcpu, false, x86_xcr0(vcpu));
    }
    *value = fp_image(vcpu)[word];
    return AX_OK;
}

// What XRSTOR takes without a fault.
static bool fp_word_is_valid(uint32_t word, uint64_t value)
{
    if (word == FP_WORD_MXCSR) {
        return (value & UINT32_MAX & ~FP_MXCSR_BITS) == 0;
    }
    if (word == FP_WORD_XSTATE) {
        return (value & ~x86_offered_xcr0()) == 0;
    }
    return word < FP_WORD_XSTATE || word >= FP_WORD_EXTENDED || value == 0;
}

AxError x86_fp_set(X86VCpu *vcpu, uint32_t word, uint64_t value)
{
    if (!fp_word_is_valid(word, value)) {
        return AX_EINVAL;
    }
    if (vcpu->percpu != NULL) {
        move_fp(vcpu, false, x86_xcr0(vcpu));
    }
    fp_image(vcpu)[word] = value;
    if (vcpu->percpu != NULL) {
        move_fp(vcpu, true, x86_xcr0(vcpu));
    }
    return AX_OK;
}

// While a vCPU is bound its registers are in the processor, whose code here does not use them: they
// move through the image as for a snapshot.
void x86_xmm_get(const X86VCpu *vcpu, unsigned n, uint64_t *value)
{
    move_fp(vcpu, false, x86_xcr0(vcpu));
    memcpy(value, &fp_image(vcpu)[FP_WORD_XMM(n)], 16);
}

void x86_xmm_set(X86VCpu *vcpu, unsigned n, const uint64_t *value)
{
    uint64_t *image = fp_image(vcpu);

    move_fp(vcpu, false, x86_xcr0(vcpu));
    memcpy(&image[FP_WORD_XMM(n)], value, 16);
    image[FP_WORD_XSTATE] |= vcpu->percpu->features.xcr0 & XCR0_SSE;
    move_fp(vcpu, true, x86_xcr0(vcpu));
}

bool x86_xcr0_is_valid(uint64_t value)
{
    return (value & XCR0_X87) != 0 && (value & ~x86_offered_xcr0()) == 0 &&
           ((value & XCR0_AVX) == 0 || (value & XCR0_SSE) != 0);
}

void x86_set_xcr0(X86VCpu *vcpu, uint64_t value)
{
    vcpu->xcr0 = value;
    if (vcpu->percpu != NULL && vcpu->percpu->features.has_xsave) {
        X86_WRITE(XCR0, value);
    }
}
