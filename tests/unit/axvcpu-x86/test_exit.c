// SPDX-License-Identifier: Apache-2.0
#include "alu.h"
#include "x86_fixture.h"

static X86Fixture f;

static int start(void **state)
{
    fixture_choose(state);
    fixture_start_bound(&f);
    for (unsigned i = 0; i < 16; i++) {
        f.vcpu.regs.gpr[i] = UINT64_C(0x1111222233334400) + i;
    }
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fixture_stop(&f);
    return 0;
}

// The event of the second entry, with what was finished inside the first.
static void assert_raised(uint8_t vector, bool has_error)
{
    assert_int_equal(scripted.entries, 2);
    assert_int_equal(scripted.event_seen & 0xff, vector);
    assert_int_equal(scripted.event_seen >> 8 & 7, X86_EVENT_EXCEPTION);
    assert_int_equal(scripted.event_seen >> 11 & 1, has_error);
    assert_int_equal(scripted.event_seen >> 31 & 1, 1);
    assert_int_equal(f.vcpu.regs.rip, ENTRY + 1); // only HLT was passed
}

static void protected_mode(void)
{
    x86_write(&f.vcpu, X86_FIELD_CR0, CR0_PE | CR0_ET);
}

static void a_hypercall_has_its_arguments_and_returns_in_rax(void **state)
{
    (void)state;
    assert_int_equal(fixture_run_exit(&f, VMEXIT_VMMCALL, 0, 0, 0), AX_EXIT_HYPERCALL);
    assert_int_equal(f.exit.hypercall.nr, f.vcpu.regs.gpr[RAX]);
    assert_int_equal(f.exit.hypercall.args[0], f.vcpu.regs.gpr[RDI]);
    assert_int_equal(f.exit.hypercall.args[5], f.vcpu.regs.gpr[R9]);
    assert_int_equal(x86_complete_call(&f.vcpu, &f.exit, AX_OK, 77), AX_OK);
    assert_int_equal(f.vcpu.regs.gpr[RAX], 77);
    assert_int_equal(f.vcpu.regs.rip, ENTRY + 3);
    assert_int_equal(x86_complete_call(&f.vcpu, &f.exit, AX_ENOTSUP, 77), AX_OK);
    assert_int_equal((int64_t)f.vcpu.regs.gpr[RAX], -1000 - (int64_t)AX_ENOTSUP);
}

static void a_hypercall_of_a_user_is_undefined(void **state)
{
    (void)state;
    protected_mode();
    x86_write(&f.vcpu, X86_FIELD_SS_ATTRIBUTES, 0xf3);
    x86_write(&f.vcpu, X86_FIELD_CS_ATTRIBUTES, 0xfb);
    (void)fixture_run_exit(&f, VMEXIT_VMMCALL, 0, 0, 0);
    assert_raised(VECTOR_UD, false);
}

static void a_port_read_writes_its_part_of_rax(void **state)
{
    static const struct {
        unsigned width;
        uint64_t rax;
    } cases[] = {
        {1, UINT64_C(0x11112222333344f1)},
        {2, UINT64_C(0x111122223333e1f1)},
        {4, UINT64_C(0xc1d1e1f1)},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const uint64_t rip = f.vcpu.regs.rip;

        f.vcpu.regs.gpr[RAX] = UINT64_C(0x1111222233334400);
        assert_int_equal(fixture_run_exit(&f, VMEXIT_IOIO,
                                          0x03f80000 | cases[i].width << 4 | IOIO_IN, rip + 2, 0),
                         AX_EXIT_IO_READ);
        assert_int_equal(f.exit.io.port.number, 0x3f8);
        assert_int_equal(f.exit.io.width, cases[i].width);
        assert_int_equal(x86_complete_read(&f.vcpu, &f.exit, UINT64_C(0xffffffffc1d1e1f1)), AX_OK);
        assert_int_equal(f.vcpu.regs.gpr[RAX], cases[i].rax);
        assert_int_equal(f.vcpu.regs.rip, rip + 2);
    }
}

static void a_port_write_is_cut_to_its_width(void **state)
{
    (void)state;
    assert_int_equal(fixture_run_exit(&f, VMEXIT_IOIO, 0x00800020, ENTRY + 2, 0), AX_EXIT_IO_WRITE);
    assert_int_equal(f.exit.io.data, 0x4400);
    assert_int_equal(x86_complete_write(&f.vcpu, &f.exit), AX_OK);
    assert_int_equal(f.vcpu.regs.rip, ENTRY + 2);
}

// rep outsb from 0000:8100, then rep insb to 0000:8200.
static void a_string_leaves_once_per_element(void **state)
{
    static const uint8_t outs[] = {0xf3, 0x6e};
    static const uint8_t ins[] = {0xf3, 0x6c};

    (void)state;
    memcpy(f.code, outs, sizeof(outs));
    memcpy(f.code + 0x100, "abc", 3);
    f.vcpu.regs.gpr[RSI] = 0x8100;
    f.vcpu.regs.gpr[RCX] = 0x99990003;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(f.vcpu.regs.rip, ENTRY);
        assert_int_equal(fixture_run_exit(&f, VMEXIT_IOIO, 0x0010001c, ENTRY + 2, 0),
                         AX_EXIT_IO_WRITE);
        assert_int_equal(f.exit.io.data, 'a' + i);
        assert_int_equal(x86_complete_write(&f.vcpu, &f.exit), AX_OK);
    }
    assert_int_equal(f.vcpu.regs.rip, ENTRY + 2);
    assert_int_equal(f.vcpu.regs.gpr[RCX], 0x99990000);
    assert_int_equal(f.vcpu.regs.gpr[RSI], 0x8103);

    memcpy(f.code, ins, sizeof(ins));
    f.vcpu.regs.rip = ENTRY;
    f.vcpu.regs.gpr[RDI] = 0x8201;
    f.vcpu.regs.gpr[RCX] = 2;
    f.vcpu.regs.rflags |= RFLAGS_DF;
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(fixture_run_exit(&f, VMEXIT_IOIO, 0x0010001d, ENTRY + 2, 0),
                         AX_EXIT_IO_READ);
        assert_int_equal(x86_complete_read(&f.vcpu, &f.exit, 'y' + i), AX_OK);
    }
    assert_memory_equal(f.code + 0x200, "zy", 2);
    assert_int_equal(f.vcpu.regs.rip, ENTRY + 2);
}

static void cpuid_hides_what_guests_do_not_have(void **state)
{
    X86CpuidResult r;

    (void)state;
    r = x86_guest_cpuid(&f.vcpu, 1, 0);
    assert_int_equal(r.ecx >> 13 & 1, fixture_is_vmx); // CX16, not on QEMU
    assert_int_equal(r.ecx >> 31 & 1, 1);
    assert_int_equal(r.ecx >> 27 & 1, 0); // OSXSAVE
    assert_int_equal(r.edx & (UINT32_C(1) << 7 | UINT32_C(1) << 12 | UINT32_C(1) << 14), 0);
    x86_write(&f.vcpu, X86_FIELD_CR4, CR4_OSXSAVE);
    assert_int_equal(x86_guest_cpuid(&f.vcpu, 1, 0).ecx >> 27 & 1, 1);
    x86_sim_leaf(0x40000000)->ebx = 0;
    assert_int_equal(x86_guest_cpuid(&f.vcpu, 1, 0).ecx >> 13 & 1, 1);
    assert_int_equal(x86_guest_cpuid(&f.vcpu, 0x80000001, 0).ecx & 4, 0); // SVM
    assert_int_equal(x86_guest_cpuid(&f.vcpu, 0x8000000a, 0).edx, 0);
    assert_int_equal(x86_guest_cpuid(&f.vcpu, 6, 0).eax, 4); // ARAT
}

static void cpuid_is_finished_inside(void **state)
{
    (void)state;
    f.vcpu.regs.gpr[RAX] = 0;
    assert_int_equal(fixture_run_exit(&f, VMEXIT_CPUID, 0, 0, 0), AX_EXIT_HALT);
    assert_int_equal(f.vcpu.regs.gpr[RAX], 0x16);
    assert_int_equal(f.vcpu.regs.gpr[RBX], fixture_is_vmx ? 0x756e6547 : 0x68747541);
    assert_int_equal(f.vcpu.regs.rip, ENTRY + 3);
}

// QEMU 7.2: a guest's MOV to CR4 that is #GP, and a VMRUN that was refused.
static void a_failure_of_32_bits_has_a_reason_or_is_gp(void **state)
{
    const uint64_t efer = x86_read(&f.vcpu, X86_FIELD_EFER);

    (void)state;
    protected_mode();
    (void)fixture_run_exit(&f, UINT32_MAX, 0, 0, 0);
    assert_raised(VECTOR_GP, true);
    x86_write(&f.vcpu, X86_FIELD_CR0, CR0_PE | CR0_PG);
    x86_write(&f.vcpu, X86_FIELD_EFER, efer | EFER_LME);
    x86_write(&f.vcpu, X86_FIELD_CR4, 0); // long mode without PAE
    assert_int_equal(fixture_run_exit(&f, UINT32_MAX, 0, 0, 0), AX_EXIT_FAIL_ENTRY);
}

static void halt_waits_only_for_who_takes_interrupts(void **state)
{
    (void)state;
    assert_int_equal(fixture_run_halt(&f), AX_EXIT_HALT);
    f.vcpu.regs.rflags |= RFLAGS_IF;
    assert_int_equal(fixture_run_halt(&f), AX_EXIT_IDLE);
    assert_int_equal(f.vcpu.regs.rip, ENTRY + 2);
}

static void write_msr(uint32_t number, uint64_t value)
{
    f.vcpu.regs.gpr[RCX] = number;
    x86_set_edx_eax(&f.vcpu, value);
    f.vcpu.regs.rip = ENTRY;
    (void)fixture_run_exit(&f, VMEXIT_MSR, 1, 0, 0);
}

static void msrs_that_would_fail_an_entry_are_refused(void **state)
{
    static const struct {
        uint32_t number;
        uint64_t good;
        uint64_t bad;
        X86Field field;
    } cases[] = {
        {MSR_EFER, EFER_LME | EFER_NXE, EFER_SVME, X86_FIELD_EFER},
        {MSR_EFER, EFER_SCE, X86_BIT(63), X86_FIELD_EFER},
        {MSR_PAT, UINT64_C(0x0007010600070106), 2, X86_FIELD_PAT},
        {MSR_PAT, UINT64_C(0x0606060606060606), X86_BIT(63), X86_FIELD_PAT},
    };

    (void)state;
    protected_mode();
    for (size_t i = 0; i < COUNT(cases); i++) {
        write_msr(cases[i].number, cases[i].good);
        assert_int_equal(x86_read(&f.vcpu, cases[i].field), cases[i].good);
        assert_int_equal(f.vcpu.regs.rip, ENTRY + 3);
        write_msr(cases[i].number, cases[i].bad);
        assert_raised(VECTOR_GP, true);
        assert_int_equal(x86_read(&f.vcpu, cases[i].field), cases[i].good);
    }
}

static void reserved_bits_of_x2apic_registers_are_gp(void **state)
{
    static const struct {
        uint32_t number;
        uint64_t good;
        uint64_t bad;
    } cases[] = {
        {0x808, 0xff, 0x100},                          // TPR
        {0x80b, 0, 1},                                 // EOI
        {0x80f, 0x1ff, 0x200},                         // SVR
        {0x828, 0, 1},                                 // ESR
        {0x830, UINT64_C(0xffffffff000c0045), 0x2045}, // ICR
        {0x832, 0x700ff, 0x800ff},                     // LVT of the timer
        {0x837, 0x100ff, X86_BIT(32)},                 // LVT of errors
        {0x838, UINT32_MAX, X86_BIT(32)},              // initial count
        {0x83e, 0xb, 4},                               // divider
    };

    (void)state;
    protected_mode();
    assert_true(x86_set_apic_base(&f.vcpu, f.vcpu.lapic.base | 0x400));
    for (size_t i = 0; i < COUNT(cases); i++) {
        write_msr(cases[i].number, cases[i].good);
        assert_int_not_equal(f.vcpu.regs.rip, ENTRY);
        f.vcpu.event.valid = false;
        write_msr(cases[i].number, cases[i].bad);
        assert_raised(VECTOR_GP, true);
    }
}

static void an_msr_that_nobody_has_is_the_hosts_to_refuse(void **state)
{
    (void)state;
    protected_mode();
    f.vcpu.regs.gpr[RCX] = 0x12345;
    assert_int_equal(fixture_run_exit(&f, VMEXIT_MSR, 0, 0, 0), AX_EXIT_SYSREG_READ);
    assert_int_equal(f.exit.sysreg.addr.value, 0x12345);
    assert_int_equal(x86_complete_fault(&f.vcpu, &f.exit), AX_OK);
    (void)fixture_run_halt(&f);
    assert_int_equal(scripted.event_seen, EVENT_VALID | EVENT_HAS_ERROR | 3 << 8 | VECTOR_GP);
}

static void mmio_moves_have_width_register_and_sign(void **state)
{
    static const struct {
        uint8_t code[8];
        uint8_t length;
        bool read;
        uint8_t width;
        uint64_t data;   // written
        uint64_t result; // of RAX
    } cases[] = {
        // in 16-bit code, [bx]
        {{0x8a, 0x07}, 2, true, 1, 0, UINT64_C(0x1111222233334488)},
        {{0x8b, 0x07}, 2, true, 2, 0, UINT64_C(0x1111222233338788)},
        {{0x66, 0x8b, 0x07}, 3, true, 4, 0, UINT64_C(0x85868788)},
        {{0x66, 0x0f, 0xbe, 0x07}, 4, true, 1, 0, UINT64_C(0xffffff88)},
        {{0x66, 0x0f, 0xb6, 0x07}, 4, true, 1, 0, UINT64_C(0x88)},
        {{0x8a, 0x27}, 2, true, 1, 0, UINT64_C(0x1111222233338800)}, // AH
        {{0x88, 0x07}, 2, false, 1, 0, 0},
        {{0x88, 0x27}, 2, false, 1, 0x44, 0},
        {{0x89, 0x07}, 2, false, 2, 0x4400, 0},
        {{0x66, 0x89, 0x07}, 3, false, 4, 0x33334400, 0},
        {{0xc6, 0x07, 0x5a}, 3, false, 1, 0x5a, 0},
        {{0xc7, 0x07, 0x34, 0x12}, 4, false, 2, 0x1234, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        memcpy(f.code, cases[i].code, sizeof(cases[i].code));
        f.vcpu.regs.rip = ENTRY;
        f.vcpu.regs.gpr[RAX] = UINT64_C(0x1111222233334400);
        assert_int_equal(fixture_run_exit(&f, VMEXIT_NPF,
                                          cases[i].read ? PF_USER : PF_USER | PF_WRITE, HOLE + 8,
                                          0),
                         cases[i].read ? AX_EXIT_MMIO_READ : AX_EXIT_MMIO_WRITE);
        assert_int_equal(f.exit.mmio.addr.value, HOLE + 8);
        assert_int_equal(f.exit.mmio.width, cases[i].width);
        if (cases[i].read) {
            assert_int_equal(x86_complete_read(&f.vcpu, &f.exit, UINT64_C(0x8182838485868788)),
                             AX_OK);
            assert_int_equal(f.vcpu.regs.gpr[RAX], cases[i].result);
        } else {
            assert_int_equal(f.exit.mmio.data, cases[i].data);
            assert_int_equal(x86_complete_write(&f.vcpu, &f.exit), AX_OK);
        }
        assert_int_equal(f.vcpu.regs.rip, ENTRY + cases[i].length);
    }
}

// The memory operand is [bx], RAX is 4400h, CX 5; memory reads as 88h.
static void what_reads_and_writes_leaves_twice(void **state)
{
    static const struct {
        uint8_t code[6];
        uint8_t length;
        uint64_t written;
        uint64_t rax;
        uint64_t rcx;
        uint64_t flags; // CF, ZF, SF
    } cases[] = {
        {{0x80, 0x0f, 0x01}, 3, 0x89, 0x4400, 5, RFLAGS_SF},             // or byte, 1
        {{0x20, 0x0f}, 2, 0x00, 0x4400, 5, RFLAGS_ZF},                   // and byte, cl
        {{0x80, 0x07, 0x78}, 3, 0x00, 0x4400, 5, RFLAGS_ZF | RFLAGS_CF}, // add byte, 78h
        {{0xfe, 0x07}, 2, 0x89, 0x4400, 5, RFLAGS_SF},                   // inc byte
        {{0xf6, 0x17}, 2, 0x77, 0x4400, 5, 0},                           // not byte
        {{0x86, 0x0f}, 2, 0x05, 0x4400, 0x88, 0},                        // xchg cl
        {{0x0f, 0xc0, 0x0f}, 3, 0x8d, 0x4400, 0x88, RFLAGS_SF},          // xadd cl
        {{0x0f, 0xb0, 0x0f}, 3, 0x88, 0x4488, 5, RFLAGS_CF},             // cmpxchg cl: fails
    };
    const uint64_t mask = RFLAGS_CF | RFLAGS_ZF | RFLAGS_SF;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        memcpy(f.code, cases[i].code, sizeof(cases[i].code));
        f.vcpu.regs.rip = ENTRY;
        f.vcpu.regs.rflags = RFLAGS_FIXED;
        f.vcpu.regs.gpr[RAX] = 0x4400;
        f.vcpu.regs.gpr[RCX] = 5;
        assert_int_equal(fixture_run_exit(&f, VMEXIT_NPF, PF_USER | PF_WRITE, HOLE, 0),
                         AX_EXIT_MMIO_READ);
        assert_int_equal(x86_complete_read(&f.vcpu, &f.exit, UINT64_C(0xffffff88)), AX_OK);
        assert_int_equal(f.vcpu.regs.rip, ENTRY);
        assert_int_equal(fixture_run_halt(&f), AX_EXIT_MMIO_WRITE);
        assert_int_equal(scripted.entries, 0);
        assert_int_equal(f.exit.mmio.data, cases[i].written);
        assert_int_equal(x86_complete_write(&f.vcpu, &f.exit), AX_OK);
        assert_int_equal(f.vcpu.regs.rip, ENTRY + cases[i].length);
        assert_int_equal(f.vcpu.regs.gpr[RAX], cases[i].rax);
        assert_int_equal(f.vcpu.regs.gpr[RCX], cases[i].rcx);
        assert_int_equal(f.vcpu.regs.rflags & mask, cases[i].flags);
    }
}

// rep movsb from 0000:8100 to the hole, back to 0000:8200, and rep stosb.
static void a_copy_leaves_once_per_element(void **state)
{
    static const uint8_t movs[] = {0xf3, 0xa4};
    static const uint8_t stos[] = {0xf3, 0xaa};

    (void)state;
    memcpy(f.code, movs, sizeof(movs));
    memcpy(f.code + 0x100, "ab", 2);
    f.vcpu.regs.gpr[RSI] = 0x8100;
    f.vcpu.regs.gpr[RCX] = 2;
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(f.vcpu.regs.rip, ENTRY);
        assert_int_equal(fixture_run_exit(&f, VMEXIT_NPF, PF_USER | PF_WRITE, HOLE + i, 0),
                         AX_EXIT_MMIO_WRITE);
        assert_int_equal(f.exit.mmio.data, 'a' + i);
        assert_int_equal(x86_complete_write(&f.vcpu, &f.exit), AX_OK);
    }
    assert_int_equal(f.vcpu.regs.rip, ENTRY + 2);
    assert_int_equal(f.vcpu.regs.gpr[RSI], 0x8102);
    f.vcpu.regs.rip = ENTRY;
    f.vcpu.regs.gpr[RDI] = 0x8200;
    f.vcpu.regs.gpr[RCX] = 2;
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(fixture_run_exit(&f, VMEXIT_NPF, PF_USER, HOLE + i, 0), AX_EXIT_MMIO_READ);
        assert_int_equal(x86_complete_read(&f.vcpu, &f.exit, 'y' + i), AX_OK);
    }
    assert_memory_equal(f.code + 0x200, "yz", 2);
    assert_int_equal(f.vcpu.regs.rip, ENTRY + 2);
    memcpy(f.code, stos, sizeof(stos));
    f.vcpu.regs.rip = ENTRY;
    f.vcpu.regs.gpr[RCX] = 1;
    assert_int_equal(fixture_run_exit(&f, VMEXIT_NPF, PF_USER | PF_WRITE, HOLE, 0),
                     AX_EXIT_MMIO_WRITE);
    assert_int_equal(f.exit.mmio.data, f.vcpu.regs.gpr[RAX] & 0xff);
    assert_int_equal(x86_complete_write(&f.vcpu, &f.exit), AX_OK);
    assert_int_equal(f.vcpu.regs.gpr[RDI], 0x8203);
    assert_int_equal(f.vcpu.regs.rip, ENTRY + 2);
}

// CMP and TEST change no register, not even the upper half of one; OR does.
static void what_only_reads_leaves_once(void **state)
{
    static const struct {
        uint8_t code[6];
        uint8_t length;
        uint64_t rax;
        uint64_t flags;
    } cases[] = {
        {{0x66, 0x3b, 0x07}, 3, UINT64_C(0x1111222200000088), RFLAGS_ZF},
        {{0x66, 0x85, 0x07}, 3, UINT64_C(0x1111222200000088), 0},
        {{0x66, 0x0b, 0x07}, 3, 0x88, 0},
        {{0x80, 0x3f, 0x89}, 3, UINT64_C(0x1111222200000088), RFLAGS_CF | RFLAGS_SF},
    };
    const uint64_t mask = RFLAGS_CF | RFLAGS_ZF | RFLAGS_SF;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        memcpy(f.code, cases[i].code, sizeof(cases[i].code));
        f.vcpu.regs.rip = ENTRY;
        f.vcpu.regs.rflags = RFLAGS_FIXED;
        f.vcpu.regs.gpr[RAX] = UINT64_C(0x1111222200000088);
        assert_int_equal(fixture_run_exit(&f, VMEXIT_NPF, PF_USER, HOLE, 0), AX_EXIT_MMIO_READ);
        assert_int_equal(x86_complete_read(&f.vcpu, &f.exit, 0x88), AX_OK);
        assert_int_equal(f.vcpu.regs.rip, ENTRY + cases[i].length);
        assert_int_equal(f.vcpu.regs.gpr[RAX], cases[i].rax);
        assert_int_equal(f.vcpu.regs.rflags & mask, cases[i].flags);
    }
}

static void what_is_not_known_is_a_nested_page_fault(void **state)
{
    static const struct {
        uint64_t info;
        uint64_t int_info;
        MappingFlags access;
        bool permission;
        bool walk;
    } cases[] = {
        {PF_USER, 0, AX_MAP_READ, false, false},               // the code there is no access
        {PF_USER | PF_FETCH, 0, AX_MAP_EXECUTE, false, false}, // a fetch
        {PF_USER | PF_WRITE | PF_PRESENT, 0, AX_MAP_WRITE, true, false},
        {NPF_WALK | PF_USER | PF_WRITE, 0, AX_MAP_WRITE, false, true},
        {PF_USER, EVENT_VALID | 0x30, AX_MAP_READ, false, false},
    };

    (void)state;
    memset(f.code, 0x90, 15);
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(fixture_run_exit(&f, VMEXIT_NPF, cases[i].info, HOLE, cases[i].int_info),
                         AX_EXIT_NESTED_PAGE_FAULT);
        assert_int_equal(f.exit.page_fault.addr.value, HOLE);
        assert_int_equal(f.exit.page_fault.access, cases[i].access);
        assert_int_equal(f.exit.page_fault.permission, cases[i].permission);
        assert_int_equal(f.exit.page_fault.page_table_walk, cases[i].walk);
        assert_int_equal(f.vcpu.regs.rip, ENTRY);
    }
}

static void xsetbv_takes_what_was_offered(void **state)
{
    static const struct {
        uint64_t value;
        bool good;
    } cases[] = {{1, true},  {3, true},  {7, true},  {0, false},
                 {2, false}, {5, false}, {9, false}, {X86_BIT(63) | 1, false}};

    (void)state;
    protected_mode();
    (void)fixture_run_exit(&f, VMEXIT_XSETBV, 0, 0, 0);
    assert_raised(VECTOR_UD, false);
    x86_write(&f.vcpu, X86_FIELD_CR4, CR4_OSXSAVE);
    for (size_t i = 0; i < COUNT(cases); i++) {
        f.vcpu.regs.rip = ENTRY;
        f.vcpu.regs.gpr[RCX] = 0;
        x86_set_xcr0(&f.vcpu, 1);
        x86_set_edx_eax(&f.vcpu, cases[i].value);
        (void)fixture_run_exit(&f, VMEXIT_XSETBV, 0, 0, 0);
        assert_int_equal(x86_sim.reg[X86_SIM_XCR0], cases[i].good ? cases[i].value : 1);
        assert_int_equal(f.vcpu.regs.rip, ENTRY + (cases[i].good ? 4 : 1));
    }
}

static void instructions_of_hypervisors_are_undefined(void **state)
{
    static const uint64_t codes[] = {VMEXIT_VMRUN,  VMEXIT_VMLOAD,  VMEXIT_VMSAVE,  VMEXIT_STGI,
                                     VMEXIT_CLGI,   VMEXIT_SKINIT,  VMEXIT_INVLPGA, VMEXIT_RSM,
                                     VMEXIT_RDTSCP, VMEXIT_MONITOR, VMEXIT_MWAIT};

    (void)state;
    for (size_t i = 0; i < COUNT(codes); i++) {
        f.vcpu.regs.rip = ENTRY;
        (void)fixture_run_exit(&f, codes[i], 0, 0, 0);
        assert_raised(VECTOR_UD, false);
    }
}

static void a_counter_that_is_not_there_is_refused(void **state)
{
    (void)state;
    protected_mode();
    (void)fixture_run_exit(&f, VMEXIT_RDPMC, 0, 0, 0);
    assert_raised(VECTOR_GP, true);
}

static void end_sti(void)
{
    if (fixture_is_vmx) {
        *fixture_vmcs(&f, VMCS_GUEST_INTERRUPTIBILITY) = BLOCKING_BY_STI;
    } else {
        fixture_vmcb(&f)->interrupt_shadow = 1;
    }
}

// The guest is at CODE_PAGE, interrupted in the shadow of STI.
static void interrupted_in_shadow(uint64_t flags, uint8_t opcode)
{
    x86_write(&f.vcpu, X86_FIELD_CS_BASE, CODE_PAGE);
    f.vcpu.regs.rip = 0;
    f.vcpu.regs.rflags = RFLAGS_FIXED | flags;
    f.code[0] = opcode;
    scripted.act = end_sti;
    assert_int_equal(fixture_run_exit(&f, VMEXIT_INTR, 0, 0, 0), AX_EXIT_EXTERNAL_INTERRUPT);
}

static void hlt_behind_sti_is_finished_when_the_host_interrupts(void **state)
{
    (void)state;
    f.irq = 0x40;
    interrupted_in_shadow(RFLAGS_IF, 0xf4);
    assert_int_equal(f.vcpu.activity, X86_HALTED);
    assert_int_equal(f.vcpu.regs.rip, 1);
    assert_false(f.vcpu.shadow);
    interrupted_in_shadow(RFLAGS_IF, 0x90);
    assert_int_equal(f.vcpu.activity, X86_ACTIVE);
    assert_int_equal(f.vcpu.regs.rip, 0);
    interrupted_in_shadow(0, 0xf4);
    assert_int_equal(f.vcpu.activity, X86_ACTIVE);
}

static void every_other_cause_has_a_name(void **state)
{
    (void)state;
    f.irq = 0x40;
    assert_int_equal(fixture_run_exit(&f, VMEXIT_INTR, 0, 0, 0), AX_EXIT_EXTERNAL_INTERRUPT);
    assert_int_equal(f.exit.interrupt.vector, 0x40);
    assert_int_equal(fixture_run_exit(&f, VMEXIT_INVALID, 0, 0, 0), AX_EXIT_FAIL_ENTRY);
    assert_int_equal(fixture_run_exit(&f, 0x1234, 5, 0, 0), AX_EXIT_UNHANDLED);
    assert_int_equal(f.exit.unhandled.cause, 0x1234);
    assert_int_equal(f.exit.unhandled.info, 5);
    assert_int_equal(fixture_run_exit(&f, VMEXIT_INVD, 0, 0, 0), AX_EXIT_HALT);
    assert_int_equal(x86_sim.wbinvds, 1);
    assert_int_equal(fixture_run_exit(&f, VMEXIT_EXCEPTION + VECTOR_MC, 0, 0, 0), AX_EXIT_HALT);
    assert_int_equal(x86_sim.machine_checks, 1);
    assert_int_equal(fixture_run_exit(&f, VMEXIT_SHUTDOWN, 0, 0, 0), AX_EXIT_TRIPLE_FAULT);
}

// No exit code that hardware could report brings the backend down.
static void any_exit_code_ends_in_some_way(void **state)
{
    (void)state;
    for (uint64_t code = 0; code < 0x420; code++) {
        f.vcpu.activity = X86_ACTIVE;
        f.vcpu.event.valid = false;
        f.vcpu.regs.rip = ENTRY;
        (void)fixture_run_exit(&f, code, UINT64_C(0x00100011), ENTRY + 2, 0);
        assert_true(f.exit.reason < AX_EXIT_COUNT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(a_hypercall_has_its_arguments_and_returns_in_rax),
        ON_BOTH(a_hypercall_of_a_user_is_undefined),
        ON_BOTH(a_port_read_writes_its_part_of_rax),
        ON_BOTH(a_port_write_is_cut_to_its_width),
        ON_BOTH(a_string_leaves_once_per_element),
        ON_BOTH(cpuid_hides_what_guests_do_not_have),
        ON_BOTH(cpuid_is_finished_inside),
        ON_SVM(a_failure_of_32_bits_has_a_reason_or_is_gp),
        ON_BOTH(halt_waits_only_for_who_takes_interrupts),
        ON_BOTH(msrs_that_would_fail_an_entry_are_refused),
        ON_BOTH(reserved_bits_of_x2apic_registers_are_gp),
        ON_BOTH(an_msr_that_nobody_has_is_the_hosts_to_refuse),
        ON_BOTH(mmio_moves_have_width_register_and_sign),
        ON_BOTH(what_reads_and_writes_leaves_twice),
        ON_BOTH(a_copy_leaves_once_per_element),
        ON_BOTH(what_only_reads_leaves_once),
        ON_BOTH(what_is_not_known_is_a_nested_page_fault),
        ON_BOTH(xsetbv_takes_what_was_offered),
        ON_BOTH(instructions_of_hypervisors_are_undefined),
        ON_BOTH(a_counter_that_is_not_there_is_refused),
        ON_BOTH(hlt_behind_sti_is_finished_when_the_host_interrupts),
        ON_BOTH(every_other_cause_has_a_name),
        ON_BOTH(any_exit_code_ends_in_some_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
