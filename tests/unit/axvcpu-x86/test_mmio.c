// SPDX-License-Identifier: Apache-2.0
// Trapped accesses that are more than a move: two operands in memory, the stack, vector registers, two
// pages, devices on both sides. In 64-bit code, with linear addresses as the physical ones.
#include "alu.h"
#include "decode.h"
#include "x86_fixture.h"

#define DATA      (CODE_PAGE + 0x400)
#define STACK     (CODE_PAGE + 0x800)
#define NEXT_PAGE (CODE_PAGE + AX_PAGE_SIZE) // nothing, behind memory
#define LOW_PAGE  (CODE_PAGE - AX_PAGE_SIZE) // nothing, before memory

#define PML4 (CODE_PAGE + 0x2000)
#define PDPT (CODE_PAGE + 0x3000)

#define MOST_ACCESSES 8u

static X86Fixture f;

typedef struct Access {
    bool write;
    uint64_t addr;
    unsigned width;
    uint64_t data;
} Access;

static Access accesses[MOST_ACCESSES];
static unsigned access_count;

// Four pages of 1 GiB.
static void start_long_mode(void)
{
    uint64_t *pml4 = fixture_map_page(&f, PML4);
    uint64_t *pdpt = fixture_map_page(&f, PDPT);

    pml4[0] = PDPT | 7;
    for (uint64_t i = 0; i < 4; i++) {
        pdpt[i] = i << 30 | 0x87;
    }
    x86_write(&f.vcpu, X86_FIELD_CR3, PML4);
    x86_write(&f.vcpu, X86_FIELD_CR4, CR4_PAE);
    x86_write(&f.vcpu, X86_FIELD_EFER, EFER_LME | EFER_LMA);
    x86_write(&f.vcpu, X86_FIELD_CR0, CR0_PG | CR0_PE | CR0_ET);
    x86_write(&f.vcpu, X86_FIELD_CS_ATTRIBUTES, 0x29b);
}

static int start(void **state)
{
    fixture_choose(state);
    fixture_start_bound(&f);
    start_long_mode();
    f.vcpu.regs.gpr[RBX] = HOLE;
    f.vcpu.regs.gpr[RSP] = STACK;
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fixture_stop(&f);
    return 0;
}

// Byte n of the device is A0h + n % 16.
static uint64_t device_value(uint64_t addr)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < 8; i++) {
        value |= (0xa0 + ((addr + i) & 15)) << (8 * i);
    }
    return value;
}

static void answer(void)
{
    Access *access = &accesses[access_count++];

    assert_true(access_count <= MOST_ACCESSES);
    *access = (Access){.write = f.exit.reason == AX_EXIT_MMIO_WRITE,
                       .addr = f.exit.mmio.addr.value,
                       .width = f.exit.mmio.width,
                       .data = f.exit.mmio.data};
    assert_true(ax_width_is_valid(f.exit.mmio.width));
    if (access->write) {
        assert_int_equal(x86_vcpu_ops.complete_write(&f.vcpu, &f.exit), AX_OK);
    } else {
        assert_int_equal(
            x86_vcpu_ops.complete_read(&f.vcpu, &f.exit, device_value(f.exit.mmio.addr.value)),
            AX_OK);
    }
}

// One fault, with all that the instruction (or one element of it) needs from the device.
static AxVCpuExitReason execute(const void *code, size_t length, uint64_t gpa, bool write)
{
    AxVCpuExitReason reason;

    access_count = 0;
    f.vcpu.event.valid = false;
    f.vcpu.regs.rip = ENTRY;
    memcpy(f.code, code, length);
    reason = fixture_run_exit(&f, VMEXIT_NPF, PF_USER | (write ? PF_WRITE : 0), gpa, 0);
    while (reason == AX_EXIT_MMIO_READ || reason == AX_EXIT_MMIO_WRITE) {
        answer();
        if (f.vcpu.due == X86_DUE_NONE) {
            break;
        }
        assert_int_equal(x86_vcpu_ops.run(&f.vcpu, &f.exit), AX_OK);
        reason = f.exit.reason;
    }
    return reason;
}

static void expect_access(unsigned n, bool write, uint64_t addr, unsigned width, uint64_t data)
{
    assert_true(n < access_count);
    assert_int_equal(accesses[n].write, write);
    assert_int_equal(accesses[n].addr, addr);
    assert_int_equal(accesses[n].width, width);
    if (write) {
        assert_int_equal(accesses[n].data, data);
    }
}

static void expect_done(size_t length)
{
    assert_false(f.vcpu.event.valid);
    assert_int_equal(f.vcpu.regs.rip, ENTRY + length);
}

static void expect_fault(uint8_t vector)
{
    assert_int_equal(f.vcpu.regs.rip, ENTRY + 1); // of the HLT that ends the run
    assert_int_equal(scripted.event_seen & EVENT_VECTOR, vector);
    assert_int_equal(access_count, 0);
}

static uint8_t *memory_at(uint64_t gpa)
{
    return f.code + (gpa - CODE_PAGE);
}

// ---- strings ----

static void lods_loads_the_accumulator(void **state)
{
    static const uint8_t lodsb[] = {0xac};
    static const uint8_t rep_lodsl[] = {0xf3, 0xad};

    (void)state;
    f.vcpu.regs.gpr[RAX] = UINT64_C(0x1122334455667788);
    f.vcpu.regs.gpr[RSI] = HOLE + 5;
    (void)execute(lodsb, sizeof(lodsb), HOLE + 5, false);
    expect_access(0, false, HOLE + 5, 1, 0);
    assert_int_equal(f.vcpu.regs.gpr[RAX], UINT64_C(0x11223344556677a5));
    assert_int_equal(f.vcpu.regs.gpr[RSI], HOLE + 6);
    expect_done(1);

    f.vcpu.regs.rflags |= RFLAGS_DF;
    f.vcpu.regs.gpr[RSI] = HOLE + 8;
    f.vcpu.regs.gpr[RCX] = 2;
    (void)execute(rep_lodsl, sizeof(rep_lodsl), HOLE + 8, false);
    assert_int_equal(f.vcpu.regs.rip, ENTRY);
    (void)execute(rep_lodsl, sizeof(rep_lodsl), HOLE + 4, false);
    assert_int_equal(f.vcpu.regs.gpr[RAX], UINT64_C(0xa7a6a5a4));
    assert_int_equal(f.vcpu.regs.gpr[RSI], HOLE);
    assert_int_equal(f.vcpu.regs.gpr[RCX], 0);
    expect_done(2);
}

static void scas_ends_with_what_it_finds(void **state)
{
    static const struct {
        uint8_t code[2];
        uint8_t al;
        uint64_t count;
        uint64_t left;
        bool ends;
    } cases[] = {
        {{0xf2, 0xae}, 0xa3, 5, 4, true},  // REPNE, equal
        {{0xf2, 0xae}, 0xa4, 5, 4, false}, // REPNE, different
        {{0xf2, 0xae}, 0xa4, 1, 0, true},  // ... and the last
        {{0xf3, 0xae}, 0xa3, 5, 4, false}, // REPE, equal
        {{0xf3, 0xae}, 0xa2, 5, 4, true},  {{0x90, 0xae}, 0xa2, 5, 5, true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const bool repeats = cases[i].code[0] != 0x90;

        f.vcpu.regs.gpr[RAX] = cases[i].al;
        f.vcpu.regs.gpr[RCX] = cases[i].count;
        f.vcpu.regs.gpr[RDI] = HOLE + 3;
        (void)execute(cases[i].code + !repeats, sizeof(cases[i].code) - !repeats, HOLE + 3, false);
        expect_access(0, false, HOLE + 3, 1, 0);
        assert_int_equal(f.vcpu.regs.gpr[RCX], cases[i].left);
        assert_int_equal(f.vcpu.regs.gpr[RDI], HOLE + 4);
        assert_int_equal((f.vcpu.regs.rflags & RFLAGS_ZF) != 0, cases[i].al == 0xa3);
        assert_int_equal((f.vcpu.regs.rflags & RFLAGS_CF) != 0, cases[i].al < 0xa3);
        expect_done(cases[i].ends ? 1 + repeats : 0);
    }
}

// First operand [rSI], second [rDI], whichever of them is the device.
static void cmps_compares_memory_with_a_device(void **state)
{
    static const uint8_t code[] = {0x66, 0xa7};
    static const struct {
        bool device_first;
        uint16_t memory;
        bool below;
        bool equal;
    } cases[] = {
        {true, 0xa5a4, false, true},   {true, 0xa5a5, true, false},  {false, 0xa5a4, false, true},
        {false, 0xa5a5, false, false}, {false, 0x0001, true, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        memcpy(memory_at(DATA), &cases[i].memory, 2);
        f.vcpu.regs.gpr[RSI] = cases[i].device_first ? HOLE + 4 : DATA;
        f.vcpu.regs.gpr[RDI] = cases[i].device_first ? DATA : HOLE + 4;
        (void)execute(code, sizeof(code), HOLE + 4, false);
        expect_access(0, false, HOLE + 4, 2, 0);
        assert_int_equal((f.vcpu.regs.rflags & RFLAGS_ZF) != 0, cases[i].equal);
        assert_int_equal((f.vcpu.regs.rflags & RFLAGS_CF) != 0, cases[i].below);
        assert_int_equal(f.vcpu.regs.gpr[RSI], (cases[i].device_first ? HOLE + 4 : DATA) + 2);
        expect_done(2);
    }
}

static void cmps_of_two_devices_is_a_nested_page_fault(void **state)
{
    static const uint8_t code[] = {0x66, 0xa7};

    (void)state;
    f.vcpu.regs.gpr[RSI] = HOLE + 4;
    f.vcpu.regs.gpr[RDI] = HOLE + 0x1000;
    assert_int_equal(execute(code, sizeof(code), HOLE + 4, false), AX_EXIT_NESTED_PAGE_FAULT);
    assert_int_equal(access_count, 0);
    assert_int_equal(f.exit.page_fault.addr.value, HOLE + 0x1000);
    assert_int_equal(f.exit.page_fault.access, AX_MAP_READ);
}

static void movs_goes_from_a_device_to_another(void **state)
{
    static const uint8_t code[] = {0xf3, 0xa5};

    (void)state;
    f.vcpu.regs.gpr[RSI] = HOLE + 4;
    f.vcpu.regs.gpr[RDI] = HOLE + 0x1000;
    f.vcpu.regs.gpr[RCX] = 7;
    (void)execute(code, sizeof(code), HOLE + 4, false);
    assert_int_equal(access_count, 2);
    expect_access(0, false, HOLE + 4, 4, 0);
    expect_access(1, true, HOLE + 0x1000, 4, 0xa7a6a5a4);
    assert_int_equal(f.vcpu.regs.gpr[RCX], 6);
    assert_int_equal(f.vcpu.regs.gpr[RDI], HOLE + 0x1004);
    expect_done(0);
}

static void movs_reads_a_device_into_memory_across_two_pages(void **state)
{
    static const uint8_t code[] = {0x48, 0xa5};
    uint8_t *const low = fixture_map_page(&f, LOW_PAGE);
    const uint64_t expected = device_value(HOLE);

    (void)state;
    f.vcpu.regs.gpr[RSI] = HOLE;
    f.vcpu.regs.gpr[RDI] = NEXT_PAGE - 3; // there the second half is a device's
    (void)execute(code, sizeof(code), HOLE, false);
    assert_int_equal(access_count, 3);
    assert_memory_equal(memory_at(NEXT_PAGE - 3), &expected, 3);
    expect_access(1, true, NEXT_PAGE, 4, (uint32_t)(expected >> 24));
    expect_access(2, true, NEXT_PAGE + 4, 1, expected >> 56);
    expect_done(2);

    f.vcpu.regs.gpr[RSI] = HOLE;
    f.vcpu.regs.gpr[RDI] = CODE_PAGE - 3;
    (void)execute(code, sizeof(code), HOLE, false);
    assert_int_equal(access_count, 1);
    assert_memory_equal(low + AX_PAGE_SIZE - 3, &expected, 3);
    assert_memory_equal(f.code, (const uint8_t *)&expected + 3, 5);
}

// ---- the stack ----

static void push_copies_to_the_stack(void **state)
{
    static const uint8_t push64[] = {0xff, 0x33};
    static const uint8_t push16[] = {0x66, 0xff, 0x33};
    const uint64_t expected = device_value(HOLE);

    (void)state;
    (void)execute(push64, sizeof(push64), HOLE, false);
    assert_memory_equal(memory_at(STACK - 8), &expected, 8);
    assert_int_equal(f.vcpu.regs.gpr[RSP], STACK - 8);
    expect_done(2);
    (void)execute(push16, sizeof(push16), HOLE, false);
    assert_memory_equal(memory_at(STACK - 10), &expected, 2);
    assert_int_equal(f.vcpu.regs.gpr[RSP], STACK - 10);
    expect_done(3);
}

static void pop_copies_from_the_stack(void **state)
{
    static const uint8_t code[] = {0x8f, 0x03};
    const uint64_t value = UINT64_C(0x0123456789abcdef);

    (void)state;
    memcpy(memory_at(STACK), &value, 8);
    (void)execute(code, sizeof(code), HOLE, true);
    expect_access(0, true, HOLE, 8, value);
    assert_int_equal(f.vcpu.regs.gpr[RSP], STACK + 8);
    expect_done(2);
}

// The stack of 16-bit code wraps within its segment.
static void the_stack_is_as_wide_as_its_segment_says(void **state)
{
    static const uint8_t code[] = {0xff, 0x37}; // push word [bx]

    (void)state;
    x86_write(&f.vcpu, X86_FIELD_CR0, CR0_PE | CR0_ET);
    x86_write(&f.vcpu, X86_FIELD_EFER, 0);
    x86_write(&f.vcpu, X86_FIELD_CS_ATTRIBUTES, 0x9b);
    x86_write(&f.vcpu, X86_FIELD_SS_ATTRIBUTES, 0x93);
    x86_write(&f.vcpu, X86_FIELD_DS_BASE, HOLE);
    f.vcpu.regs.gpr[RBX] = 0;
    f.vcpu.regs.gpr[RSP] = UINT64_C(0x12340000) | STACK;
    (void)execute(code, sizeof(code), HOLE, false);
    assert_int_equal(f.vcpu.regs.gpr[RSP], UINT64_C(0x12340000) | (STACK - 2));
    assert_int_equal(memory_at(STACK - 2)[1], 0xa1);
    expect_done(2);
}

// A stack that is no memory is nobody's register.
static void a_stack_in_a_device_is_a_nested_page_fault(void **state)
{
    static const uint8_t push[] = {0xff, 0x33};
    static const uint8_t pop[] = {0x8f, 0x03};

    (void)state;
    assert_int_equal(execute(push, sizeof(push), HOLE, true), AX_EXIT_NESTED_PAGE_FAULT);
    assert_int_equal(execute(pop, sizeof(pop), HOLE, false), AX_EXIT_NESTED_PAGE_FAULT);
}

// ---- vector registers ----

static void xmm(unsigned n, uint64_t low, uint64_t high)
{
    const uint64_t value[2] = {low, high};

    x86_xmm_set(&f.vcpu, n, value);
}

static void vector_loads_clear_the_rest_of_16_bytes(void **state)
{
    static const struct {
        uint8_t code[4];
        uint8_t length;
        unsigned reg;
        unsigned accesses;
        uint64_t low;
        uint64_t high;
    } cases[] = {
        {{0x44, 0x0f, 0x28, 0x0b}, 4, 9, 2, 0xa7a6a5a4a3a2a1a0, 0xafaeadacabaaa9a8}, // movaps
        {{0x66, 0x0f, 0x6e, 0x0b}, 4, 1, 1, 0xa3a2a1a0, 0},                          // movd
        {{0xf3, 0x0f, 0x7e, 0x0b}, 4, 1, 1, 0xa7a6a5a4a3a2a1a0, 0},                  // movq
        {{0xf3, 0x0f, 0x10, 0x0b}, 4, 1, 1, 0xa3a2a1a0, 0},                          // movss
    };
    uint64_t value[2];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        xmm(cases[i].reg, UINT64_MAX, UINT64_MAX);
        xmm(2, 0x22, 0x33);
        (void)execute(cases[i].code, cases[i].length, HOLE, false);
        assert_int_equal(access_count, cases[i].accesses);
        x86_xmm_get(&f.vcpu, cases[i].reg, value);
        assert_int_equal(value[0], cases[i].low);
        assert_int_equal(value[1], cases[i].high);
        x86_xmm_get(&f.vcpu, 2, value);
        assert_int_equal(value[1], 0x33);
        expect_done(4);
    }
}

static void vector_stores_leave_in_pieces_of_8_bytes(void **state)
{
    static const uint8_t movups[] = {0x44, 0x0f, 0x11, 0x0b};
    static const uint8_t movq[] = {0x66, 0x0f, 0xd6, 0x0b};

    (void)state;
    xmm(9, 0x1111, 0x2222);
    (void)execute(movups, sizeof(movups), HOLE, true);
    assert_int_equal(access_count, 2);
    expect_access(0, true, HOLE, 8, 0x1111);
    expect_access(1, true, HOLE + 8, 8, 0x2222);
    expect_done(4);
    xmm(1, 0x3333, 0x4444);
    (void)execute(movq, sizeof(movq), HOLE, true);
    assert_int_equal(access_count, 1);
    expect_access(0, true, HOLE, 8, 0x3333);
}

// ---- two pages ----

// mov rcx, [rbx] and mov [rbx], ecx, at every place around the end of a page of memory, however the
// processor reports the fault.
static void loads_across_pages_come_from_both(void **state)
{
    static const uint8_t code[] = {0x48, 0x8b, 0x0b};

    (void)state;
    memset(memory_at(NEXT_PAGE - 8), 0x5a, 8);
    for (unsigned in_memory = 1; in_memory < 8; in_memory++) {
        const uint64_t mask = UINT64_MAX >> (64 - 8 * in_memory);

        f.vcpu.regs.gpr[RBX] = NEXT_PAGE - in_memory;
        (void)execute(code, sizeof(code), NEXT_PAGE, false);
        assert_int_equal(f.vcpu.regs.gpr[RCX], (UINT64_C(0x5a5a5a5a5a5a5a5a) & mask) |
                                                   device_value(NEXT_PAGE) << (8 * in_memory));
        expect_done(3);
    }
    // The device first: the address may be cut to the width of the access.
    for (unsigned in_device = 1; in_device < 8; in_device++) {
        const uint64_t first = CODE_PAGE - in_device;
        const uint64_t mask = UINT64_MAX >> (64 - 8 * in_device);
        uint64_t code_bytes;

        f.vcpu.regs.gpr[RBX] = first;
        (void)execute(code, sizeof(code), in_device % 2 == 0 ? first : first & ~UINT64_C(7), false);
        memcpy(&code_bytes, f.code, 8);
        assert_int_equal(f.vcpu.regs.gpr[RCX],
                         (device_value(first) & mask) | code_bytes << (8 * in_device));
        expect_done(3);
    }
}

static void stores_across_pages_go_to_both(void **state)
{
    static const uint8_t code[] = {0x89, 0x0b};

    (void)state;
    f.vcpu.regs.gpr[RCX] = 0x44332211;
    f.vcpu.regs.gpr[RBX] = NEXT_PAGE - 1;
    (void)execute(code, sizeof(code), NEXT_PAGE, true);
    assert_int_equal(*memory_at(NEXT_PAGE - 1), 0x11);
    assert_int_equal(access_count, 2);
    expect_access(0, true, NEXT_PAGE, 2, 0x3322);
    expect_access(1, true, NEXT_PAGE + 2, 1, 0x44);
    expect_done(2);
}

// lock add [rbx], cx: both devices are read before one of them is written.
static void what_reads_and_writes_across_pages_reads_all_first(void **state)
{
    static const uint8_t code[] = {0x66, 0xf0, 0x01, 0x0b};

    (void)state;
    f.vcpu.regs.gpr[RCX] = 0x0101;
    f.vcpu.regs.gpr[RBX] = HOLE + 0xfff;
    (void)execute(code, sizeof(code), HOLE + 0xfff, true);
    assert_int_equal(access_count, 4);
    expect_access(0, false, HOLE + 0xfff, 1, 0);
    expect_access(1, false, HOLE + 0x1000, 1, 0);
    expect_access(2, true, HOLE + 0xfff, 1, 0xb0);
    expect_access(3, true, HOLE + 0x1000, 1, 0xa1);
    expect_done(4);
}

static void vectors_cross_pages_too(void **state)
{
    static const uint8_t movups[] = {0x44, 0x0f, 0x11, 0x0b};

    (void)state;
    xmm(9, UINT64_C(0x8877665544332211), UINT64_C(0x00ffeeddccbbaa99));
    f.vcpu.regs.gpr[RBX] = NEXT_PAGE - 10;
    (void)execute(movups, sizeof(movups), NEXT_PAGE, true);
    assert_int_equal(access_count, 2);
    expect_access(0, true, NEXT_PAGE, 4, 0xeeddccbb);
    expect_access(1, true, NEXT_PAGE + 4, 2, 0x00ff);
    assert_int_equal(*memory_at(NEXT_PAGE - 1), 0xaa);
    expect_done(4);
}

// Registers at both ends of a page are no reason to look for a second one.
static void an_access_up_to_the_end_of_a_page_is_one(void **state)
{
    static const uint8_t code[] = {0x48, 0x8b, 0x0b};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        f.vcpu.regs.gpr[RBX] = HOLE + (i == 0 ? 0xff8 : 0);
        (void)execute(code, sizeof(code), f.vcpu.regs.gpr[RBX], false);
        assert_int_equal(access_count, 1);
        expect_access(0, false, f.vcpu.regs.gpr[RBX], 8, 0);
    }
}

static void memory_that_has_come_meanwhile_is_tried_again(void **state)
{
    static const uint8_t code[] = {0x48, 0x8b, 0x0b};

    (void)state;
    (void)fixture_map_page(&f, LOW_PAGE);
    f.vcpu.regs.gpr[RBX] = CODE_PAGE - 4;
    assert_int_equal(execute(code, sizeof(code), CODE_PAGE - 4, false), AX_EXIT_HALT);
    assert_int_equal(access_count, 0);
    assert_int_equal(scripted.event_seen, 0);
}

// Code that another processor changed since says nothing about the fault.
static void an_instruction_that_does_not_fit_the_fault_is_not_believed(void **state)
{
    static const uint8_t code[] = {0x48, 0x8b, 0x0b};

    (void)state;
    f.vcpu.regs.gpr[RBX] = NEXT_PAGE - 4;
    assert_int_equal(execute(code, sizeof(code), HOLE + 0xffc, false), AX_EXIT_NESTED_PAGE_FAULT);
    assert_int_equal(execute(code, sizeof(code), HOLE + 8, true), AX_EXIT_NESTED_PAGE_FAULT);
}

// ---- the other operand faults ----

static void what_faults_does_so_before_the_device_is_asked(void **state)
{
    static const uint8_t push[] = {0xff, 0x33};
    static const uint8_t pop[] = {0x8f, 0x03};
    static const uint8_t cmpsb[] = {0xa6};
    static const uint8_t movsb[] = {0xa4};
    static const uint8_t movaps[] = {0x0f, 0x28, 0x0b};
    const uint64_t hole = UINT64_C(0x800000000000); // not canonical

    (void)state;
    f.vcpu.regs.gpr[RSP] = hole + 8;
    (void)execute(push, sizeof(push), HOLE, false);
    expect_fault(VECTOR_GP);
    (void)execute(pop, sizeof(pop), HOLE, true);
    expect_fault(VECTOR_GP);
    f.vcpu.regs.gpr[RBX] = HOLE + 8;
    (void)execute(movaps, sizeof(movaps), HOLE + 8, false);
    expect_fault(VECTOR_GP);
    f.vcpu.regs.gpr[RSI] = HOLE;
    f.vcpu.regs.gpr[RDI] = hole;
    (void)execute(cmpsb, sizeof(cmpsb), HOLE, false);
    expect_fault(VECTOR_GP);
    (void)execute(movsb, sizeof(movsb), HOLE, false);
    expect_fault(VECTOR_GP);
    assert_int_equal(f.vcpu.regs.gpr[RSI], HOLE);
}

// ---- the local APIC's page ----

static void only_simple_instructions_reach_the_local_apic(void **state)
{
    static const uint8_t lodsb[] = {0xac};
    static const uint8_t movd[] = {0x66, 0x0f, 0x6e, 0x0b};
    static const uint8_t or [] = {0x83, 0x0b, 0x01}; // or dword [rbx], 1

    (void)state;
    f.vcpu.regs.gpr[RSI] = X86_APIC_PAGE;
    f.vcpu.regs.gpr[RBX] = X86_APIC_PAGE + 0x80;
    assert_int_equal(execute(lodsb, sizeof(lodsb), X86_APIC_PAGE, false),
                     AX_EXIT_NESTED_PAGE_FAULT);
    assert_int_equal(execute(movd, sizeof(movd), X86_APIC_PAGE, false), AX_EXIT_NESTED_PAGE_FAULT);
    (void)execute(or, sizeof(or), X86_APIC_PAGE + 0x80, true);
    assert_int_equal(x86_lapic_tpr(&f.vcpu), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(lods_loads_the_accumulator),
        ON_BOTH(scas_ends_with_what_it_finds),
        ON_BOTH(cmps_compares_memory_with_a_device),
        ON_BOTH(cmps_of_two_devices_is_a_nested_page_fault),
        ON_BOTH(movs_goes_from_a_device_to_another),
        ON_BOTH(movs_reads_a_device_into_memory_across_two_pages),
        ON_BOTH(push_copies_to_the_stack),
        ON_BOTH(pop_copies_from_the_stack),
        ON_BOTH(the_stack_is_as_wide_as_its_segment_says),
        ON_BOTH(a_stack_in_a_device_is_a_nested_page_fault),
        ON_BOTH(vector_loads_clear_the_rest_of_16_bytes),
        ON_BOTH(vector_stores_leave_in_pieces_of_8_bytes),
        ON_BOTH(loads_across_pages_come_from_both),
        ON_BOTH(stores_across_pages_go_to_both),
        ON_BOTH(what_reads_and_writes_across_pages_reads_all_first),
        ON_BOTH(vectors_cross_pages_too),
        ON_BOTH(an_access_up_to_the_end_of_a_page_is_one),
        ON_BOTH(memory_that_has_come_meanwhile_is_tried_again),
        ON_BOTH(an_instruction_that_does_not_fit_the_fault_is_not_believed),
        ON_BOTH(what_faults_does_so_before_the_device_is_asked),
        ON_BOTH(only_simple_instructions_reach_the_local_apic),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
