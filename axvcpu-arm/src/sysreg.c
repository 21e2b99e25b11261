// SPDX-License-Identifier: Apache-2.0
// System registers that trap. The identification registers show what this CPU has, less what a guest
// cannot have here: everything that traps below, needs EL2's help, or is not moved with a vCPU (SVE,
// SME, MTE, pointer authentication, PMU, SPE, trace, RAS, AMU, MPAM, and what HCRX_EL2 enables).
// Registers in the tables are finished here; others leave the backend for whoever claims them.
#include "arm.h"

#include "arm_regs.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

// A register as a number that sorts like its name in assembly, S<op0>_<op1>_C<n>_C<m>_<op2>.
#define KEY(op0, op1, crn, crm, op2)                                                               \
    ((uint32_t)(op0) << 14 | (uint32_t)(op1) << 11 | (uint32_t)(crn) << 7 | (uint32_t)(crm) << 3 | \
     (uint32_t)(op2))
#define KEY_CRN(key) (((key) >> 7) & 0xf)
#define KEY_OP0(key) ((key) >> 14)

typedef struct Access {
    uint32_t key;
    uint32_t iss;
    bool is_write;
    uint64_t value; // written, or to be read
} Access;

typedef enum Outcome {
    OUTCOME_DONE,
    OUTCOME_UNDEFINED,
    OUTCOME_EXIT, // *exit is filled and the PC stands where it must
} Outcome;

typedef Outcome (*AccessHandler)(Aarch64VCpu *vcpu, Access *access, AxVCpuExit *exit);

// ---- identification registers: op0 3, op1 0, CRn 0 ----

// `limit` has one hexadecimal digit per 4-bit field: the most that is shown of it, 0 hides the
// feature, f shows what there is. `is_signed` marks fields in which f means less than 0, as f there
// would pass any limit.
typedef struct IdRegister {
    uint64_t (*read)(void);
    uint64_t limit;
    uint64_t is_signed;
    bool is_aarch32; // reads as zero on a CPU without AArch32 at EL0
} IdRegister;

// X(CRm, op2, register, limit, signed fields): AArch32 state of EL0
#define AARCH32_ID_REGISTERS(X)                \
    /* DIT CSV2; not RAS, AMU */               \
    X(1, 0, ID_PFR0_EL1, 0x0f01ffff, 0)        \
    /* GIC, timers, EL1 modes; not EL2, EL3 */ \
    X(1, 1, ID_PFR1_EL1, 0x100f000f, 0)        \
    /* CopDbg; not PMU, trace */               \
    X(1, 2, ID_DFR0_EL1, 0x00000006, 0)        \
    X(1, 4, ID_MMFR0_EL1, 0xffffffff, 0)       \
    X(1, 5, ID_MMFR1_EL1, 0xffffffff, 0)       \
    X(1, 6, ID_MMFR2_EL1, 0xffffffff, 0)       \
    X(1, 7, ID_MMFR3_EL1, 0xffffffff, 0)       \
    X(2, 0, ID_ISAR0_EL1, 0xffffffff, 0)       \
    X(2, 1, ID_ISAR1_EL1, 0xffffffff, 0)       \
    X(2, 2, ID_ISAR2_EL1, 0xffffffff, 0)       \
    X(2, 3, ID_ISAR3_EL1, 0xffffffff, 0)       \
    X(2, 4, ID_ISAR4_EL1, 0xffffffff, 0)       \
    X(2, 5, ID_ISAR5_EL1, 0xffffffff, 0)       \
    /* not EVT, XNX, SpecSEI */                \
    X(2, 6, ID_MMFR4_EL1, 0x0ffff0f0, 0)       \
    X(2, 7, ID_ISAR6_EL1, 0xffffffff, 0)       \
    X(3, 0, MVFR0_EL1, 0xffffffff, 0)          \
    X(3, 1, MVFR1_EL1, 0xffffffff, 0)          \
    X(3, 2, MVFR2_EL1, 0xffffffff, 0)          \
    /* SSBS CSV3; not RAS */                   \
    X(3, 4, ID_PFR2_EL1, 0x000000f1, 0)        \
    X(3, 6, ID_MMFR5_EL1, 0x000000ff, 0)

// What is not here reads as zero: AFR0, DFR1, ZFR0 (SVE), SMFR0 (SME), FPFR0, PFR2, ISAR3, MMFR3 and
// MMFR4 (HCRX_EL2), and all that is not allocated.
#define AARCH64_ID_REGISTERS(X)                                                                  \
    /* CSV3 CSV2 DIT GIC AdvSIMD FP EL1=64 EL0; not RME, AMU, MPAM, SEL2, SVE, RAS, EL3, EL2 */  \
    X(4, 0, ID_AA64PFR0_EL1, 0x110f000001ff0012, 0)                                              \
    /* CSV2_frac SSBS BT; not MTE, SME, NMI, GCS, RAS_frac, MPAM_frac, RNDR_trap */              \
    X(4, 1, ID_AA64PFR1_EL1, 0x0000000100000021, 0)                                              \
    /* DoubleLock, the least of break- and watchpoints, Armv8.0; not PMU, SPE, trace, BRBE */    \
    X(5, 0, ID_AA64DFR0_EL1, 0x000000f000101006, 0)                                              \
    /* all but TME */                                                                            \
    X(6, 0, ID_AA64ISAR0_EL1, 0xfffffffff0fffff0, 0)                                             \
    /* all but LS64 and pointer authentication: GPI GPA API APA */                               \
    X(6, 1, ID_AA64ISAR1_EL1, 0x0fffffff00fff00f, 0)                                             \
    /* LUT CSSC RPRFM PRFMSLC CLRBHB BC RPRES; not WFxT, MOPS, GPA3, APA3, PAC_frac, 128 bits */ \
    X(6, 2, ID_AA64ISAR2_EL1, 0x0fff0f00f0f000f0, 0)                                             \
    /* ExS, granules without 52-bit addresses, PARange <= 48; not ECV, FGT, stage-2 granules */  \
    X(7, 0, ID_AA64MMFR0_EL1, 0x0000f000001f0ff5, 0x00000000ff000000)                            \
    /* ECBHB nTLBPA AFP ETS PAN<=3 HPDS HAFDBS<=2; not CMOW, TIDCP1, HCX, TWED, XNX, LO, VH */   \
    X(7, 1, ID_AA64MMFR1_EL1, 0xf00ff0f00030f002, 0)                                             \
    /* E0PD BBM TTL IDS AT ST CCIDX VARange LSM UAO CnP; not EVT, FWB, NV, IESB */               \
    X(7, 2, ID_AA64MMFR2_EL1, 0xf0ff00fff0f10fff, 0)

#define DEFINE_READ(crm, op2, name, limit, is_signed) \
    static uint64_t read_##name(void)                 \
    {                                                 \
        return ARM_READ(name);                        \
    }
AARCH32_ID_REGISTERS(DEFINE_READ)
AARCH64_ID_REGISTERS(DEFINE_READ)
#undef DEFINE_READ

#define ID_AARCH32(crm, op2, name, limit, is_signed) \
    [(crm)*8 + (op2)] = {read_##name, UINT64_C(limit), UINT64_C(is_signed), true},
#define ID_AARCH64(crm, op2, name, limit, is_signed) \
    [(crm)*8 + (op2)] = {read_##name, UINT64_C(limit), UINT64_C(is_signed), false},
static const IdRegister id_registers[64] = {AARCH32_ID_REGISTERS(ID_AARCH32)
                                                AARCH64_ID_REGISTERS(ID_AARCH64)};
#undef ID_AARCH32
#undef ID_AARCH64

#define TOP_BITS UINT64_C(0x8888888888888888)

// The lesser of value and limit in each 4-bit field, all at once: Linux reads ID registers thousands
// of times at boot. Signed fields compare with their sign bit flipped.
static uint64_t limit_fields(uint64_t value, const IdRegister *reg)
{
    const uint64_t flip = reg->is_signed & TOP_BITS;
    const uint64_t v = value ^ flip;
    const uint64_t limit = reg->limit ^ flip;
    // Top bit of each field: the lower three bits of the limit are not less. Borrows stay inside.
    const uint64_t low_fits = (limit | TOP_BITS) - (v & ~TOP_BITS);
    const uint64_t fits = ((limit & ~v) | (~(limit ^ v) & low_fits)) & TOP_BITS;
    const uint64_t mask = (fits >> 3) * 0xf;

    return (value & mask) | (reg->limit & ~mask);
}

static bool has_aarch32(void)
{
    return ax_get(ARM_READ(ID_AA64PFR0_EL1), ID_AA64PFR0_EL1_EL0) == 2;
}

static Outcome identification(Aarch64VCpu *vcpu, Access *access, AxVCpuExit *exit)
{
    const IdRegister *reg = &id_registers[access->key % COUNT(id_registers)];

    (void)vcpu;
    (void)exit;
    if (access->is_write) {
        return OUTCOME_UNDEFINED;
    }
    access->value = 0;
    if (reg->read != NULL && (!reg->is_aarch32 || has_aarch32())) {
        access->value = limit_fields(reg->read(), reg);
    }
    return OUTCOME_DONE;
}

// ---- simple behaviours ----

static Outcome undefined(Aarch64VCpu *vcpu, Access *access, AxVCpuExit *exit)
{
    (void)vcpu;
    (void)access;
    (void)exit;
    return OUTCOME_UNDEFINED;
}

// Reads as zero, writes are ignored.
static Outcome raz_wi(Aarch64VCpu *vcpu, Access *access, AxVCpuExit *exit)
{
    (void)vcpu;
    (void)exit;
    access->value = 0;
    return OUTCOME_DONE;
}

// ---- debug: what every CPU must have, without effect but for single steps ----

// SS, TDCC, KDE and MDE; all else is read-only while the OS lock is open, which it always is.
#define MDSCR_EL1_WRITABLE (AX_BIT(0) | AX_BIT(12) | AX_BIT(13) | AX_BIT(15))
#define OSLSR_EL1_OSLM     AX_BIT(3) // the OS lock exists

static Outcome mdscr(Aarch64VCpu *vcpu, Access *access, AxVCpuExit *exit)
{
    (void)exit;
    if (access->is_write) {
        aarch64_mdscr_set(vcpu, access->value & MDSCR_EL1_WRITABLE);
    }
    access->value = vcpu->mdscr;
    return OUTCOME_DONE;
}

static Outcome oslsr(Aarch64VCpu *vcpu, Access *access, AxVCpuExit *exit)
{
    (void)vcpu;
    (void)exit;
    access->value = OSLSR_EL1_OSLM;
    return access->is_write ? OUTCOME_UNDEFINED : OUTCOME_DONE;
}

// ---- GIC CPU interface ----

#define ICC_SRE_EL1_ALL    UINT64_C(7) // system registers only: SRE, DFB, DIB
#define ICC_INTID_SPURIOUS UINT64_C(1023)
#define SGI_TARGETS_PER_RS UINT64_C(16)

static Outcome icc_sre(Aarch64VCpu *vcpu, Access *access, AxVCpuExit *exit)
{
    (void)vcpu;
    (void)exit;
    access->value = ICC_SRE_EL1_ALL;
    return OUTCOME_DONE;
}

// Group 0 is not offered: nothing is ever pending.
static Outcome group0_acknowledge(Aarch64VCpu *vcpu, Access *access, AxVCpuExit *exit)
{
    (void)vcpu;
    (void)exit;
    access->value = ICC_INTID_SPURIOUS;
    return access->is_write ? OUTCOME_UNDEFINED : OUTCOME_DONE;
}

// ICC_SGI0R_EL1 and ICC_ASGI1R_EL1 address groups that do not exist here.
static Outcome sgi_other_group(Aarch64VCpu *vcpu, Access *access, AxVCpuExit *exit)
{
    (void)vcpu;
    (void)exit;
    return access->is_write ? OUTCOME_DONE : OUTCOME_UNDEFINED;
}

static uint64_t sgi_cluster(uint64_t sgi)
{
    return ax_get(sgi, ICC_SGI1R_AFF3) << 32 | ax_get(sgi, ICC_SGI1R_AFF2) << 16 |
           ax_get(sgi, ICC_SGI1R_AFF1) << 8;
}

static Outcome sgi1(Aarch64VCpu *vcpu, Access *access, AxVCpuExit *exit)
{
    const uint64_t sgi = access->value;
    const bool to_all = (sgi & ICC_SGI1R_IRM) != 0;

    if (!access->is_write) {
        return OUTCOME_UNDEFINED;
    }
    if (!to_all && (sgi & ICC_SGI1R_TARGETS) == 0) {
        return OUTCOME_DONE;
    }
    *exit = (AxVCpuExit){
        .reason = AX_EXIT_SEND_IPI,
        .ipi = {.vector = (uint32_t)ax_get(sgi, ICC_SGI1R_INTID), .to_all = to_all},
    };
    if (!to_all) {
        exit->ipi.target_cpu = sgi_cluster(sgi) | ax_get(sgi, ICC_SGI1R_RS) * SGI_TARGETS_PER_RS;
        exit->ipi.target_list = sgi & ICC_SGI1R_TARGETS;
    }
    aarch64_advance_pc(vcpu);
    return OUTCOME_EXIT;
}

// Traps only while an active interrupt is in no list register (ICH_HCR_EL2.TDIR).
static Outcome icc_dir(Aarch64VCpu *vcpu, Access *access, AxVCpuExit *exit)
{
    (void)exit;
    if (!access->is_write) {
        return OUTCOME_UNDEFINED;
    }
    aarch64_gic_deactivate(vcpu, access->value & ICC_DIR_INTID);
    return OUTCOME_DONE;
}

// ---- the table ----

typedef struct Row {
    uint32_t first;
    uint32_t last;
    AccessHandler handle;
} Row;

#define ONE(op0, op1, crn, crm, op2, handler)                               \
    {                                                                       \
        KEY(op0, op1, crn, crm, op2), KEY(op0, op1, crn, crm, op2), handler \
    }
#define ALL(op0, op1, crn, crm0, crm1, handler)                           \
    {                                                                     \
        KEY(op0, op1, crn, crm0, 0), KEY(op0, op1, crn, crm1, 7), handler \
    }

// Ascending and without overlap, so that it can be searched; a test checks that.
static const Row rows[] = {
    ONE(2, 0, 0, 0, 2, raz_wi),                                    // OSDTRRX_EL1
    {KEY(2, 0, 0, 0, 4), KEY(2, 0, 0, 0, 7), raz_wi},              // DBGB/WVR0, DBGB/WCR0
    {KEY(2, 0, 0, 1, 4), KEY(2, 0, 0, 1, 7), raz_wi},              // ... and 1: as ID_AA64DFR0 says
    ONE(2, 0, 0, 2, 0, raz_wi),                                    // MDCCINT_EL1
    ONE(2, 0, 0, 2, 2, mdscr),                                     // MDSCR_EL1
    ONE(2, 0, 0, 3, 2, raz_wi),                                    // OSDTRTX_EL1
    ONE(2, 0, 0, 6, 2, raz_wi),                                    // OSECCR_EL1
    ONE(2, 0, 1, 0, 0, raz_wi),                                    // MDRAR_EL1
    ONE(2, 0, 1, 0, 4, raz_wi),                                    // OSLAR_EL1
    ONE(2, 0, 1, 1, 4, oslsr),                                     // OSLSR_EL1
    ONE(2, 0, 1, 3, 4, raz_wi),                                    // OSDLR_EL1
    ONE(2, 0, 1, 4, 4, raz_wi),                                    // DBGPRCR_EL1
    ONE(2, 0, 7, 8, 6, raz_wi),                                    // DBGCLAIMSET_EL1
    ONE(2, 0, 7, 9, 6, raz_wi),                                    // DBGCLAIMCLR_EL1
    ONE(2, 0, 7, 14, 6, raz_wi),                                   // DBGAUTHSTATUS_EL1
    {KEY(2, 1, 0, 0, 0), KEY(2, 1, 15, 15, 7), undefined},         // trace unit
    ONE(2, 3, 0, 1, 0, raz_wi),                                    // MDCCSR_EL0
    ONE(2, 3, 0, 4, 0, raz_wi),                                    // DBGDTR_EL0
    ONE(2, 3, 0, 5, 0, raz_wi),                                    // DBGDTRRX_EL0, DBGDTRTX_EL0
    ALL(3, 0, 0, 0, 7, identification),                            // HCR_EL2.TID3
    ONE(3, 0, 1, 0, 1, raz_wi),                                    // ACTLR_EL1
    {KEY(3, 0, 1, 0, 5), KEY(3, 0, 1, 0, 6), undefined},           // RGSR_EL1, GCR_EL1: MTE
    ALL(3, 0, 1, 2, 2, undefined),                                 // ZCR_EL1, TRFCR_EL1, SMCR_EL1
    ALL(3, 0, 2, 1, 3, undefined),                                 // pointer authentication keys
    ALL(3, 0, 5, 3, 6, undefined),                                 // ERR*, ERX*: RAS; TFSR*: MTE
    ALL(3, 0, 9, 9, 15, undefined),                                // SPE, TRBE, PMU
    ALL(3, 0, 10, 4, 5, undefined),                                // LORegions, MPAM
    ONE(3, 0, 12, 8, 0, group0_acknowledge),                       // ICC_IAR0_EL1
    ONE(3, 0, 12, 8, 1, raz_wi),                                   // ICC_EOIR0_EL1
    ONE(3, 0, 12, 8, 2, group0_acknowledge),                       // ICC_HPPIR0_EL1
    {KEY(3, 0, 12, 8, 3), KEY(3, 0, 12, 8, 7), raz_wi},            // ICC_BPR0_EL1, ICC_AP0R<n>_EL1
    ONE(3, 0, 12, 11, 1, icc_dir),                                 // ICC_DIR_EL1
    ONE(3, 0, 12, 11, 5, sgi1),                                    // ICC_SGI1R_EL1
    {KEY(3, 0, 12, 11, 6), KEY(3, 0, 12, 11, 7), sgi_other_group}, // ICC_ASGI1R, ICC_SGI0R
    ONE(3, 0, 12, 12, 5, icc_sre),                                 // ICC_SRE_EL1
    ONE(3, 0, 12, 12, 6, raz_wi),                                  // ICC_IGRPEN0_EL1
    ONE(3, 0, 13, 0, 5, undefined),                                // ACCDATA_EL1: LS64
    ONE(3, 0, 13, 0, 7, undefined),                                // SCXTNUM_EL1
    ONE(3, 1, 0, 0, 4, undefined),                                 // GMID_EL1: MTE
    ONE(3, 1, 0, 0, 6, undefined),                                 // SMIDR_EL1: SME
    ALL(3, 3, 9, 12, 14, undefined),                               // PMU
    ONE(3, 3, 13, 0, 5, undefined),                                // TPIDR2_EL0: SME
    ONE(3, 3, 13, 0, 7, undefined),                                // SCXTNUM_EL0
    ALL(3, 3, 13, 2, 15, undefined),                               // AMU
    ALL(3, 3, 14, 8, 15, undefined),                               // PMU event counters
};

static const Row *find_row(uint32_t key)
{
    const Row *row = rows;

    for (size_t left = COUNT(rows); left > 1; left -= left / 2) {
        if (row[left / 2].first <= key) {
            row += left / 2;
        }
    }
    return row->first <= key && key <= row->last ? row : NULL;
}

// CRn 11 and 15 of system instructions and registers (HCR_EL2.TIDCP).
static bool is_implementation_defined(uint32_t key)
{
    return (KEY_OP0(key) == 1 || KEY_OP0(key) == 3) && (KEY_CRN(key) == 11 || KEY_CRN(key) == 15);
}

// ---- entry ----

static uint32_t key_of(uint64_t iss)
{
    return KEY(ax_get(iss, ESR_ELX_SYS_OP0), ax_get(iss, ESR_ELX_SYS_OP1),
               ax_get(iss, ESR_ELX_SYS_CRN), ax_get(iss, ESR_ELX_SYS_CRM),
               ax_get(iss, ESR_ELX_SYS_OP2));
}

static Aarch64Next exit_sysreg(const Access *access, uint32_t rt, AxVCpuExit *exit)
{
    *exit = (AxVCpuExit){
        .reason = access->is_write ? AX_EXIT_SYSREG_WRITE : AX_EXIT_SYSREG_READ,
        .sysreg = {.addr = {access->iss & ESR_ELX_SYS_ADDR},
                   .value = access->is_write ? access->value : 0,
                   .reg = rt},
    };
    return AARCH64_EXIT;
}

static Aarch64Next finish(Aarch64VCpu *vcpu, const Access *access, uint32_t rt)
{
    if (!access->is_write) {
        aarch64_set_x(vcpu, rt, access->value);
    }
    aarch64_advance_pc(vcpu);
    return AARCH64_RESUME;
}

static Outcome perform(Aarch64VCpu *vcpu, const Row *row, Access *access, AxVCpuExit *exit)
{
    return row == NULL ? OUTCOME_UNDEFINED : row->handle(vcpu, access, exit);
}

Aarch64Next aarch64_handle_sysreg(Aarch64VCpu *vcpu, AxVCpuExit *exit)
{
    const uint64_t iss = vcpu->syndrome.esr & ESR_ELX_ISS;
    const uint32_t rt = (uint32_t)ax_get(iss, ESR_ELX_SYS_RT);
    Access access = {
        .key = key_of(iss),
        .iss = (uint32_t)iss,
        .is_write = (iss & ESR_ELX_SYS_READ) == 0,
        .value = aarch64_x(vcpu, rt),
    };
    const Row *row = find_row(access.key);

    if (row == NULL && !is_implementation_defined(access.key)) {
        return exit_sysreg(&access, rt, exit);
    }
    switch (perform(vcpu, row, &access, exit)) {
    case OUTCOME_DONE: return finish(vcpu, &access, rt);
    case OUTCOME_EXIT: return AARCH64_EXIT;
    case OUTCOME_UNDEFINED: break;
    }
    aarch64_inject_undefined(vcpu);
    return AARCH64_RESUME;
}
