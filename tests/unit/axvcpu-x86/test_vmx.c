// SPDX-License-Identifier: Apache-2.0
// What only VMX has: controls within what the processor allows, exit reasons, the VMCS and the
// registers beside it, refused entries.
#include "x86_fixture.h"

static X86Fixture f;

static int start(void **state)
{
    fixture_choose(state);
    fixture_start_bound(&f);
    x86_write(&f.vcpu, X86_FIELD_CR0, CR0_PE | CR0_ET);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fixture_stop(&f);
    return 0;
}

// ---- controls ----

typedef struct ControlGroup {
    X86SimReg msr;
    X86SimReg true_msr;
    VmcsField field;
} ControlGroup;

static const ControlGroup groups[] = {
    {X86_SIM_VMX_PIN_CONTROLS, X86_SIM_VMX_TRUE_PIN_CONTROLS, VMCS_PIN_CONTROLS},
    {X86_SIM_VMX_PRIMARY_CONTROLS, X86_SIM_VMX_TRUE_PRIMARY_CONTROLS, VMCS_PRIMARY_CONTROLS},
    {X86_SIM_VMX_SECONDARY_CONTROLS, X86_SIM_VMX_SECONDARY_CONTROLS, VMCS_SECONDARY_CONTROLS},
    {X86_SIM_VMX_EXIT_CONTROLS, X86_SIM_VMX_TRUE_EXIT_CONTROLS, VMCS_EXIT_CONTROLS},
    {X86_SIM_VMX_ENTRY_CONTROLS, X86_SIM_VMX_TRUE_ENTRY_CONTROLS, VMCS_ENTRY_CONTROLS},
};

// Every group of the last entry is what the MSRs allow.
static void assert_controls_are_allowed(void)
{
    for (size_t i = 0; i < COUNT(groups); i++) {
        const uint64_t allowed = x86_sim.reg[groups[i].true_msr];
        const uint64_t value = *fixture_vmcs(&f, groups[i].field);

        assert_int_equal(value & allowed & UINT32_MAX, allowed & UINT32_MAX);
        assert_int_equal(value & ~(allowed >> 32), 0);
    }
}

// A life on a processor that insists on the bit or does not have it. False when it is unfit, with a
// reason.
static bool lives_with(const ControlGroup *group, unsigned bit, bool insists)
{
    const uint64_t both = UINT64_C(0x100000001) << bit;
    const char *reason = NULL;

    fixture_start(&f);
    x86_sim.reg[group->msr] &= ~both;
    x86_sim.reg[group->true_msr] &= ~both;
    x86_sim.reg[group->msr] |= insists ? both : 0;
    x86_sim.reg[group->true_msr] |= insists ? both : 0;
    if (x86_hardware_check(&reason) != AX_OK) {
        assert_non_null(reason);
        return false;
    }
    assert_int_equal(x86_percpu_ops.enable(&f.percpu), AX_OK);
    fixture_map(&f);
    fixture_create_vcpu(&f, &f.vcpu, 0);
    fixture_setup_vcpu(&f, &f.vcpu);
    assert_int_equal(x86_vcpu_ops.bind(&f.vcpu, &f.percpu), AX_OK);
    (void)fixture_run_halt(&f);
    assert_controls_are_allowed();
    fixture_stop(&f);
    return true;
}

static void each_control_that_a_processor_lacks_is_done_without_or_named(void **state)
{
    unsigned fit = 0;

    fixture_choose(state);
    for (size_t i = 0; i < COUNT(groups); i++) {
        for (unsigned bit = 0; bit < 32; bit++) {
            fit += lives_with(&groups[i], bit, false) ? 1 : 0;
        }
    }
    assert_true(fit > 100 && fit < 5 * 32 - 20);
}

static void each_control_that_a_processor_insists_on_is_set_or_named(void **state)
{
    unsigned fit = 0;

    fixture_choose(state);
    for (size_t i = 0; i < COUNT(groups); i++) {
        for (unsigned bit = 0; bit < 32; bit++) {
            fit += lives_with(&groups[i], bit, true) ? 1 : 0;
        }
    }
    assert_true(fit > 100 && fit < 5 * 32);
}

// ---- exit reasons ----

typedef enum Outcome {
    LEAVES_UNHANDLED,
    LEAVES,  // with `reason`
    RESUMES, // finished inside
    RAISES_UD,
} Outcome;

// What is not here is unhandled.
static const struct {
    uint8_t outcome;
    uint8_t reason;
} outcomes[VMX_EXIT_REASON_COUNT] = {
    [VMX_EXIT_EXTERNAL_INTERRUPT] = {LEAVES, AX_EXIT_EXTERNAL_INTERRUPT},
    [VMX_EXIT_PREEMPTION_TIMER] = {LEAVES, AX_EXIT_EXTERNAL_INTERRUPT},
    [VMX_EXIT_TRIPLE_FAULT] = {LEAVES, AX_EXIT_TRIPLE_FAULT},
    [VMX_EXIT_HLT] = {LEAVES, AX_EXIT_HALT},
    [VMX_EXIT_VMCALL] = {LEAVES, AX_EXIT_HYPERCALL},
    [VMX_EXIT_RDMSR] = {LEAVES, AX_EXIT_SYSREG_READ},
    [VMX_EXIT_WRMSR] = {LEAVES, AX_EXIT_SYSREG_WRITE},
    [VMX_EXIT_IO] = {LEAVES, AX_EXIT_IO_WRITE},
    [VMX_EXIT_EPT_VIOLATION] = {LEAVES, AX_EXIT_NESTED_PAGE_FAULT},
    [VMX_EXIT_ENTRY_FAILURE_GUEST_STATE] = {LEAVES, AX_EXIT_FAIL_ENTRY},
    [VMX_EXIT_ENTRY_FAILURE_MSR_LOADING] = {LEAVES, AX_EXIT_FAIL_ENTRY},
    [VMX_EXIT_ENTRY_FAILURE_MACHINE_CHECK] = {RESUMES, 0},
    [VMX_EXIT_EXCEPTION_OR_NMI] = {RESUMES, 0},
    [VMX_EXIT_INTERRUPT_WINDOW] = {RESUMES, 0},
    [VMX_EXIT_NMI_WINDOW] = {RESUMES, 0},
    [VMX_EXIT_CPUID] = {RESUMES, 0},
    [VMX_EXIT_INVD] = {RESUMES, 0},
    [VMX_EXIT_WBINVD] = {RESUMES, 0},
    [VMX_EXIT_CR_ACCESS] = {RESUMES, 0},
    [VMX_EXIT_TASK_SWITCH] = {LEAVES, AX_EXIT_NESTED_PAGE_FAULT}, // there is no TSS
    [VMX_EXIT_TPR_BELOW_THRESHOLD] = {RESUMES, 0},
    [VMX_EXIT_VIRTUALIZED_EOI] = {LEAVES, AX_EXIT_INTERRUPT_END},
    [VMX_EXIT_XSETBV] = {RESUMES, 0},
    [VMX_EXIT_RDPMC] = {RESUMES, 0}, // with #GP
    [VMX_EXIT_GETSEC] = {RAISES_UD, 0},
    [VMX_EXIT_RSM] = {RAISES_UD, 0},
    [VMX_EXIT_VMCLEAR] = {RAISES_UD, 0},
    [VMX_EXIT_VMLAUNCH] = {RAISES_UD, 0},
    [VMX_EXIT_VMPTRLD] = {RAISES_UD, 0},
    [VMX_EXIT_VMPTRST] = {RAISES_UD, 0},
    [VMX_EXIT_VMREAD] = {RAISES_UD, 0},
    [VMX_EXIT_VMRESUME] = {RAISES_UD, 0},
    [VMX_EXIT_VMWRITE] = {RAISES_UD, 0},
    [VMX_EXIT_VMXOFF] = {RAISES_UD, 0},
    [VMX_EXIT_VMXON] = {RAISES_UD, 0},
    [VMX_EXIT_MWAIT] = {RAISES_UD, 0},
    [VMX_EXIT_MONITOR] = {RAISES_UD, 0},
    [VMX_EXIT_INVEPT] = {RAISES_UD, 0},
    [VMX_EXIT_INVVPID] = {RAISES_UD, 0},
    [VMX_EXIT_RDTSCP] = {RAISES_UD, 0},
    [VMX_EXIT_INVPCID] = {RAISES_UD, 0},
    [VMX_EXIT_VMFUNC] = {RAISES_UD, 0},
    [VMX_EXIT_ENCLS] = {RAISES_UD, 0},
    [VMX_EXIT_ENCLV] = {RAISES_UD, 0},
    [VMX_EXIT_XSAVES] = {RAISES_UD, 0},
    [VMX_EXIT_XRSTORS] = {RAISES_UD, 0},
    [VMX_EXIT_PCONFIG] = {RAISES_UD, 0},
    [VMX_EXIT_UMWAIT] = {RAISES_UD, 0},
    [VMX_EXIT_TPAUSE] = {RAISES_UD, 0},
    [VMX_EXIT_LOADIWKEY] = {RAISES_UD, 0},
    [VMX_EXIT_SEAMCALL] = {RAISES_UD, 0},
    [VMX_EXIT_TDCALL] = {RAISES_UD, 0},
};

static uint64_t reason_of_exit;
static uint64_t qualification_of_exit;

static void leave_by_reason(struct X86GuestRegs *regs)
{
    scripted.code = VMEXIT_HLT;
    fixture_vmx_guest(regs);
    if (scripted.entries == 1) {
        fixture_leave(reason_of_exit, qualification_of_exit, 3);
        *x86_sim_field(VMCS_EXIT_INTERRUPTION_INFO) = INTERRUPTION_VALID | 3 << 8 | VECTOR_DB;
    }
}

static AxVCpuExitReason run_reason(uint64_t reason, uint64_t qualification)
{
    reason_of_exit = reason;
    qualification_of_exit = qualification;
    scripted.entries = 0;
    f.vcpu.activity = X86_ACTIVE;
    f.vcpu.regs.rip = ENTRY;
    x86_sim.vmx.guest = leave_by_reason;
    assert_int_equal(x86_vcpu_ops.run(&f.vcpu, &f.exit), AX_OK);
    return f.exit.reason;
}

static void assert_outcome(uint64_t number)
{
    const AxVCpuExitReason got = f.exit.reason;

    switch ((Outcome)outcomes[number].outcome) {
    case LEAVES:
        assert_int_equal(scripted.entries, 1);
        assert_int_equal(got, outcomes[number].reason);
        break;
    case RESUMES:
    case RAISES_UD:
        assert_int_equal(scripted.entries, 2);
        assert_int_equal(got, AX_EXIT_HALT);
        assert_int_equal((scripted.event_seen & EVENT_VECTOR) == VECTOR_UD,
                         outcomes[number].outcome == RAISES_UD);
        break;
    default:
        assert_int_equal(got, AX_EXIT_UNHANDLED);
        assert_int_equal(f.exit.unhandled.cause & EXIT_REASON_BASIC, number);
        break;
    }
}

static void every_exit_reason_has_its_treatment(void **state)
{
    for (uint64_t number = 0; number < VMX_EXIT_REASON_COUNT; number++) {
        const uint64_t failure = number == VMX_EXIT_ENTRY_FAILURE_GUEST_STATE ||
                                         number == VMX_EXIT_ENTRY_FAILURE_MSR_LOADING ||
                                         number == VMX_EXIT_ENTRY_FAILURE_MACHINE_CHECK
                                     ? EXIT_REASON_ENTRY_FAILURE
                                     : 0;

        assert_int_equal(start(state), 0);
        x86_set_edx_eax(&f.vcpu, 1); // for XSETBV
        x86_write(&f.vcpu, X86_FIELD_CR4, CR4_OSXSAVE);
        f.vcpu.regs.gpr[RCX] = number == VMX_EXIT_XSETBV ? 0 : 0x12345;
        *x86_sim_vmcs_field(f.vcpu.control.value, VMCS_GUEST_PHYSICAL_ADDRESS) = HOLE;
        f.irq = 0x40;
        (void)run_reason(number | failure, number == VMX_EXIT_EPT_VIOLATION ? VIOLATION_FETCH : 0);
        assert_outcome(number);
        assert_int_equal(stop(state), 0);
    }
}

static void a_reason_that_has_no_number_yet_is_unhandled(void **state)
{
    (void)state;
    assert_int_equal(run_reason(0x1234, 9), AX_EXIT_UNHANDLED);
    assert_int_equal(f.exit.unhandled.cause, 0x1234);
    assert_int_equal(f.exit.unhandled.info, 9);
}

// ---- control registers ----

// MOV to CRn, RAX.
static void mov_to_cr(unsigned n, uint64_t value)
{
    f.vcpu.regs.gpr[RAX] = value;
    (void)run_reason(VMX_EXIT_CR_ACCESS, n);
}

static void the_guest_sees_what_it_wrote_and_the_processor_what_it_needs(void **state)
{
    (void)state;
    mov_to_cr(0, CR0_PE | CR0_CD | CR0_NW);
    assert_int_equal(x86_read(&f.vcpu, X86_FIELD_CR0), CR0_PE | CR0_ET | CR0_CD | CR0_NW);
    assert_int_equal(*fixture_vmcs(&f, VMCS_GUEST_CR0), CR0_PE | CR0_ET | CR0_NE);
    assert_int_equal(f.vcpu.regs.rip, ENTRY + 3 + 1);
    mov_to_cr(4, CR4_PAE | CR4_PGE);
    assert_int_equal(x86_read(&f.vcpu, X86_FIELD_CR4), CR4_PAE | CR4_PGE);
    assert_int_equal(*fixture_vmcs(&f, VMCS_GUEST_CR4), CR4_PAE | CR4_PGE | CR4_VMXE);
    // What it changes without an exit is in the field.
    *fixture_vmcs(&f, VMCS_GUEST_CR4) |= CR4_PSE;
    assert_int_equal(x86_read(&f.vcpu, X86_FIELD_CR4), CR4_PAE | CR4_PGE | CR4_PSE);
}

static void what_a_processor_would_refuse_is_a_general_protection_fault(void **state)
{
    static const struct {
        unsigned n;
        uint64_t value;
    } cases[] = {
        {0, CR0_PG},               // without PE
        {0, CR0_PE | CR0_NW},      // without CD
        {0, CR0_PE | X86_BIT(32)}, // truncated outside of 64-bit mode
        {4, CR4_VMXE},
        {4, CR4_LA57},
        {4, CR4_PCIDE}, // outside of long mode
        {4, X86_BIT(31)},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const bool truncated = cases[i].value == (CR0_PE | X86_BIT(32));

        mov_to_cr(cases[i].n, cases[i].value);
        assert_int_equal(scripted.event_seen,
                         truncated ? 0 : EVENT_VALID | EVENT_HAS_ERROR | 3 << 8 | VECTOR_GP);
        assert_int_equal(x86_read(&f.vcpu, X86_FIELD_CR4), 0);
    }
}

// Real mode, protected mode with PAE and LME, paging: the control of entries follows.
static void switching_paging_on_enters_long_mode(void **state)
{
    const uint64_t mode = ENTRY_IA32E_MODE_GUEST;

    (void)state;
    mov_to_cr(4, CR4_PAE);
    x86_write(&f.vcpu, X86_FIELD_EFER, EFER_LME);
    mov_to_cr(0, CR0_PE | CR0_PG);
    assert_int_equal(x86_read(&f.vcpu, X86_FIELD_EFER), EFER_LME | EFER_LMA);
    assert_int_equal(*fixture_vmcs(&f, VMCS_ENTRY_CONTROLS) & mode, mode);
    mov_to_cr(4, 0); // PAE stays in long mode
    assert_int_equal(scripted.event_seen & EVENT_VECTOR, VECTOR_GP);
    mov_to_cr(0, CR0_PE);
    assert_int_equal(x86_read(&f.vcpu, X86_FIELD_EFER), EFER_LME);
    assert_int_equal(*fixture_vmcs(&f, VMCS_ENTRY_CONTROLS) & mode, 0);
}

static void pae_pointers_are_those_in_memory(void **state)
{
    uint64_t *pointers = fixture_map_page(&f, 0x10000);

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        pointers[4 + i] = 0x11001 + 0x1000 * i;
    }
    x86_write(&f.vcpu, X86_FIELD_CR4, CR4_PAE);
    x86_write(&f.vcpu, X86_FIELD_CR3, 0x10020);
    x86_write(&f.vcpu, X86_FIELD_CR0, CR0_PE | CR0_PG | CR0_ET);
    (void)run_reason(VMX_EXIT_CPUID, 0);
    assert_int_equal(*fixture_vmcs(&f, VMCS_GUEST_PDPTE_0), 0x11001);
    assert_int_equal(*fixture_vmcs(&f, VMCS_GUEST_PDPTE_3), 0x14001);
}

// ---- registers ----

// Values that every processor takes.
static uint64_t sample(X86Field field)
{
    switch (field) {
    case X86_FIELD_CR0: return CR0_PE | CR0_ET | CR0_TS | CR0_CD;
    case X86_FIELD_CR4: return CR4_PSE | CR4_OSFXSR;
    case X86_FIELD_CR3: return 0x5000;
    case X86_FIELD_EFER: return EFER_SCE | EFER_NXE;
    case X86_FIELD_PAT: return UINT64_C(0x0007010600070106);
    case X86_FIELD_DR6: return DR6_RESET | 1;
    case X86_FIELD_DR7: return 0x455;
    default: break;
    }
    if (field >= X86_FIELD_ES_SELECTOR && (field - X86_FIELD_ES_SELECTOR) % 4 == 1) {
        return x86_read(&f.vcpu, field); // attributes
    }
    return 0x10 * (uint64_t)(field + 1);
}

// In the VMCS, in the processor and in memory.
static void a_field_is_the_same_wherever_it_is(void **state)
{
    uint64_t host[X86_SIM_REG_COUNT];
    uint64_t values[X86_FIELD_COUNT];

    (void)state;
    for (unsigned n = 0; n < X86_FIELD_COUNT; n++) {
        values[n] = sample((X86Field)n);
        x86_write(&f.vcpu, (X86Field)n, values[n]);
    }
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned n = 0; n < X86_FIELD_COUNT; n++) {
            assert_int_equal(x86_read(&f.vcpu, (X86Field)n), values[n]);
        }
        if (round == 0) {
            assert_int_equal(x86_vcpu_ops.unbind(&f.vcpu), AX_OK);
            memcpy(host, x86_sim.reg, sizeof(host));
        } else if (round == 1) {
            assert_int_equal(x86_vcpu_ops.bind(&f.vcpu, &f.percpu), AX_OK);
            assert_int_equal(x86_sim.reg[X86_SIM_LSTAR], values[X86_FIELD_LSTAR]);
            assert_int_equal(x86_sim.reg[X86_SIM_KERNEL_GS_BASE], values[X86_FIELD_KERNEL_GS_BASE]);
        }
    }
    assert_int_equal(x86_vcpu_ops.unbind(&f.vcpu), AX_OK);
    assert_memory_equal(host, x86_sim.reg, sizeof(host));
    assert_int_equal(x86_sim.vmx.active, 0);
}

// What a host wrote while the vCPU was away counts.
static void a_field_that_is_written_unbound_is_the_guests_at_the_next_entry(void **state)
{
    (void)state;
    assert_int_equal(x86_vcpu_ops.unbind(&f.vcpu), AX_OK);
    x86_write(&f.vcpu, X86_FIELD_GDTR_BASE, 0x123450);
    x86_write(&f.vcpu, X86_FIELD_STAR, 0x99);
    assert_int_equal(x86_vcpu_ops.bind(&f.vcpu, &f.percpu), AX_OK);
    (void)fixture_run_halt(&f);
    assert_int_equal(*fixture_vmcs(&f, VMCS_GUEST_GDTR_BASE), 0x123450);
    assert_int_equal(x86_sim.reg[X86_SIM_STAR], 0x99);
}

static void a_bound_vcpu_is_launched_once_and_then_resumed(void **state)
{
    (void)state;
    (void)fixture_run_exit(&f, VMEXIT_CPUID, 0, 0, 0);
    assert_int_equal(x86_sim.vmx.launches, 1);
    assert_int_equal(x86_sim.vmx.resumes, 1);
    assert_int_equal(x86_vcpu_ops.unbind(&f.vcpu), AX_OK);
    assert_int_equal(x86_vcpu_ops.bind(&f.vcpu, &f.percpu), AX_OK);
    (void)fixture_run_halt(&f);
    assert_int_equal(x86_sim.vmx.launches, 2);
}

// One that is switched often must not be slow to enter: what did not change is not written.
static void an_entry_writes_only_what_changed(void **state)
{
    unsigned writes;

    (void)state;
    (void)fixture_run_halt(&f);
    writes = x86_sim.vmx.writes;
    (void)fixture_run_halt(&f); // three of the host's in begin, and RIP
    assert_true(x86_sim.vmx.writes - writes <= 5);
}

static void limits_of_the_hosts_tables_are_as_before(void **state)
{
    const X86HostTables before = x86_sim.tables;

    (void)state;
    (void)fixture_run_halt(&f);
    assert_int_equal(x86_sim.tables.gdt_limit, UINT16_MAX); // after any exit
    assert_int_equal(x86_vcpu_ops.unbind(&f.vcpu), AX_OK);
    assert_memory_equal(&before, &x86_sim.tables, sizeof(before));
}

// ---- exceptions and NMIs ----

static uint64_t interruption;

static void leave_by_interruption(struct X86GuestRegs *regs)
{
    leave_by_reason(regs);
    *x86_sim_field(VMCS_EXIT_INTERRUPTION_INFO) = interruption;
    *x86_sim_field(VMCS_EXIT_INTERRUPTION_ERROR_CODE) = 0;
}

static void run_interruption(uint64_t info, uint64_t qualification)
{
    interruption = INTERRUPTION_VALID | info;
    reason_of_exit = VMX_EXIT_EXCEPTION_OR_NMI;
    qualification_of_exit = qualification;
    scripted.entries = 0;
    f.vcpu.activity = X86_ACTIVE;
    f.vcpu.regs.rip = ENTRY;
    x86_sim.vmx.guest = leave_by_interruption;
    assert_int_equal(x86_vcpu_ops.run(&f.vcpu, &f.exit), AX_OK);
}

static void an_nmi_of_the_host_goes_to_its_handler(void **state)
{
    (void)state;
    run_interruption(INTERRUPTION_NMI << 8 | 2, 0);
    assert_int_equal(x86_sim.nmis, 1);
    assert_int_equal(scripted.event_seen, 0);
}

static void a_machine_check_is_the_hosts(void **state)
{
    (void)state;
    run_interruption(INTERRUPTION_HARDWARE_EXCEPTION << 8 | VECTOR_MC, 0);
    assert_int_equal(x86_sim.machine_checks, 1);
    assert_int_equal(scripted.event_seen, 0);
}

static void a_debug_exception_tells_its_cause_in_dr6(void **state)
{
    (void)state;
    run_interruption(INTERRUPTION_HARDWARE_EXCEPTION << 8 | VECTOR_DB, DEBUG_BS | 2);
    assert_int_equal(scripted.event_seen, EVENT_VALID | 3 << 8 | VECTOR_DB);
    assert_int_equal(x86_read(&f.vcpu, X86_FIELD_DR6), DR6_RESET | DEBUG_BS | 2);
    assert_int_equal(f.vcpu.regs.rip, ENTRY + 1);
}

// INT1 is behind when its handler runs.
static void int1_is_a_trap(void **state)
{
    (void)state;
    run_interruption(INTERRUPTION_PRIVILEGED_EXCEPTION << 8 | VECTOR_DB, 0);
    assert_int_equal(scripted.event_seen, EVENT_VALID | 3 << 8 | VECTOR_DB);
    assert_int_equal(f.vcpu.regs.rip, ENTRY + 3 + 1);
}

static void an_iret_that_is_repeated_is_repeated_with_nmis_blocked(void **state)
{
    (void)state;
    run_interruption(INTERRUPTION_HARDWARE_EXCEPTION << 8 | INTERRUPTION_NMI_UNBLOCKED | VECTOR_AC,
                     0);
    assert_true((*fixture_vmcs(&f, VMCS_GUEST_INTERRUPTIBILITY) & BLOCKING_BY_NMI) != 0);
}

static void an_event_of_software_is_not_delivered_again(void **state)
{
    static const uint64_t cases[] = {
        INTERRUPTION_SOFTWARE << 8 | 0x80,
        INTERRUPTION_PRIVILEGED_EXCEPTION << 8 | VECTOR_DB,
        INTERRUPTION_SOFTWARE_EXCEPTION << 8 | VECTOR_BP,
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        (void)fixture_run_exit(&f, VMEXIT_NMI, 0, 0, INTERRUPTION_VALID | cases[i]);
        assert_int_equal(scripted.event_seen, 0);
    }
}

// ---- entries that fail ----

static void a_guest_that_would_be_refused_is_not_entered(void **state)
{
    (void)state;
    x86_write(&f.vcpu, X86_FIELD_CR0, CR0_PG | CR0_ET);
    assert_int_equal(fixture_run_halt(&f), AX_EXIT_FAIL_ENTRY);
    assert_int_equal(scripted.entries, 0);
    assert_non_null(strstr(fixture_logged, "GUEST_CR0 has PG without PE"));
    x86_write(&f.vcpu, X86_FIELD_CR0, CR0_ET);
    assert_int_equal(fixture_run_halt(&f), AX_EXIT_HALT);
}

static void a_refused_vmresume_is_told_to_the_host(void **state)
{
    (void)state;
    f.vcpu.regs.launched = 1;
    assert_int_equal(fixture_run_halt(&f), AX_EXIT_FAIL_ENTRY);
    assert_int_equal(f.exit.fail_entry.hardware_reason, 5);
    assert_non_null(strstr(fixture_logged, "VMRESUME"));
    assert_int_equal(x86_sim.illegal, 1);
    x86_sim.illegal = 0;
}

static void a_state_that_the_processor_refused_has_the_exit_reason(void **state)
{
    const uint64_t reason = EXIT_REASON_ENTRY_FAILURE | VMX_EXIT_ENTRY_FAILURE_GUEST_STATE;

    (void)state;
    assert_int_equal(run_reason(reason, 0), AX_EXIT_FAIL_ENTRY);
    assert_int_equal(f.exit.fail_entry.hardware_reason, reason);
    assert_non_null(strstr(fixture_logged, "33"));
    assert_int_equal(f.vcpu.regs.launched, 0);
}

// A processor that promised VPIDs and has none.
static void a_field_that_is_not_there_ends_the_run(void **state)
{
    (void)state;
    assert_int_equal(x86_vcpu_ops.unbind(&f.vcpu), AX_OK);
    x86_sim.reg[X86_SIM_VMX_SECONDARY_CONTROLS] &= ~(SECONDARY_VPID << 32);
    assert_int_equal(x86_vcpu_ops.bind(&f.vcpu, &f.percpu), AX_OK);
    assert_int_equal(fixture_run_halt(&f), AX_EXIT_FAIL_ENTRY);
    assert_int_equal(scripted.entries, 0);
    assert_non_null(strstr(fixture_logged, "field 0 "));
    assert_true(x86_sim.illegal > 0);
    x86_sim.illegal = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"each control that a processor lacks is done without, or named",
         each_control_that_a_processor_lacks_is_done_without_or_named, NULL, NULL, STATE_OF_VMX},
        {"each control that a processor insists on is set, or named",
         each_control_that_a_processor_insists_on_is_set_or_named, NULL, NULL, STATE_OF_VMX},
        {"every exit reason has its treatment", every_exit_reason_has_its_treatment, NULL, NULL,
         STATE_OF_VMX},
        ON_VMX(a_reason_that_has_no_number_yet_is_unhandled),
        ON_VMX(the_guest_sees_what_it_wrote_and_the_processor_what_it_needs),
        ON_VMX(what_a_processor_would_refuse_is_a_general_protection_fault),
        ON_VMX(switching_paging_on_enters_long_mode),
        ON_VMX(pae_pointers_are_those_in_memory),
        ON_VMX(a_field_is_the_same_wherever_it_is),
        ON_VMX(a_field_that_is_written_unbound_is_the_guests_at_the_next_entry),
        ON_VMX(a_bound_vcpu_is_launched_once_and_then_resumed),
        ON_VMX(an_entry_writes_only_what_changed),
        ON_VMX(limits_of_the_hosts_tables_are_as_before),
        ON_VMX(an_nmi_of_the_host_goes_to_its_handler),
        ON_VMX(a_machine_check_is_the_hosts),
        ON_VMX(a_debug_exception_tells_its_cause_in_dr6),
        ON_VMX(int1_is_a_trap),
        ON_VMX(an_iret_that_is_repeated_is_repeated_with_nmis_blocked),
        ON_VMX(an_event_of_software_is_not_delivered_again),
        ON_VMX(a_guest_that_would_be_refused_is_not_entered),
        ON_VMX(a_refused_vmresume_is_told_to_the_host),
        ON_VMX(a_state_that_the_processor_refused_has_the_exit_reason),
        ON_VMX(a_field_that_is_not_there_ends_the_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
