// SPDX-License-Identifier: Apache-2.0
// String forms of IN and OUT: where an element is, which registers move and how wide they are, and
// what a page that is not there does to them.
#include "x86_fixture.h"

#define PORT UINT64_C(0x01f00000) // in EXITINFO1
#define REST UINT64_C(0xaaaaaaaaaaaaaaaa)

static X86Fixture f;

static int start(void **state)
{
    fixture_choose(state);
    fixture_start_bound(&f);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fixture_stop(&f);
    return 0;
}

typedef enum Mode { MODE_16, MODE_32, MODE_64 } Mode;

// Linear addresses are physical ones, by one page of 1 GiB.
static void page_identically(void)
{
    uint64_t *root = fixture_map_page(&f, 0x20000);
    uint64_t *pointers = fixture_map_page(&f, 0x21000);

    root[0] = 0x21007;
    pointers[0] = 0x87;
    x86_write(&f.vcpu, X86_FIELD_CR3, 0x20000);
    x86_write(&f.vcpu, X86_FIELD_CR0, CR0_PG | CR0_PE | CR0_ET);
}

// Segment n (ES to GS) begins at 100h * (n + 1) in the page of code, or in 64-bit mode at 0 where the
// processor has it so. What linear addresses mean is a matter of its own.
static void set_mode(Mode mode)
{
    static const uint64_t attributes[] = {0x9b, 0x49b, 0x29b};

    x86_write(&f.vcpu, X86_FIELD_CR0, CR0_PE | CR0_ET);
    x86_write(&f.vcpu, X86_FIELD_CR4, CR4_PAE);
    x86_write(&f.vcpu, X86_FIELD_EFER, mode == MODE_64 ? EFER_LME | EFER_LMA : 0);
    x86_write(&f.vcpu, X86_FIELD_CS_ATTRIBUTES, attributes[mode]);
    if (mode == MODE_64) {
        page_identically();
    }
    for (unsigned n = 0; n < 6; n++) {
        x86_write(&f.vcpu, X86_FIELD_ES_BASE + 4 * n, CODE_PAGE + 0x100 * (n + 1));
    }
}

static uint64_t base_of(Mode mode, unsigned segment)
{
    return mode != MODE_64 || segment >= 4 ? CODE_PAGE + 0x100 * (segment + 1) : 0;
}

// Code lies at the start of the segment CS.
static void put_code(Mode mode, const uint8_t *code, size_t size)
{
    f.vcpu.regs.rip = mode == MODE_64 ? CODE_PAGE + 0x200 : 0;
    memcpy(f.code + 0x200, code, size);
}

static AxVCpuExitReason run_string(uint64_t info)
{
    return fixture_run_exit(&f, VMEXIT_IOIO, PORT | IOIO_STRING | info, f.vcpu.regs.rip + 4, 0);
}

// `value` in the low `width` bytes of a register, as an instruction leaves the rest.
static uint64_t after(uint64_t value, unsigned width)
{
    return width == 2 ? (REST & ~UINT64_C(0xffff)) | (value & 0xffff)
                      : (width == 4 ? value & UINT32_MAX : value);
}

static const struct {
    uint8_t code[4];
    Mode mode;
    uint8_t address_size;
    uint8_t segment;
} forms[] = {
    {{0xf3, 0x6e}, MODE_16, 2, 3},
    {{0x67, 0xf3, 0x6e}, MODE_16, 4, 3},
    {{0x26, 0xf3, 0x6e}, MODE_16, 2, 0},
    {{0xf3, 0x2e, 0x6e}, MODE_16, 2, 1},
    {{0x36, 0xf3, 0x6e}, MODE_16, 2, 2},
    {{0x3e, 0xf3, 0x6e}, MODE_16, 2, 3},
    {{0x64, 0xf3, 0x6e}, MODE_16, 2, 4},
    {{0x65, 0xf3, 0x6e}, MODE_16, 2, 5},
    {{0xf3, 0x6e}, MODE_32, 4, 3},
    {{0x67, 0xf3, 0x6e}, MODE_32, 2, 3},
    {{0x65, 0x66, 0xf3, 0x6f}, MODE_32, 4, 5},
    {{0x65, 0x26, 0xf3, 0x6e}, MODE_32, 4, 0},
    {{0xf3, 0x6e}, MODE_64, 8, 3},
    {{0x67, 0xf3, 0x6e}, MODE_64, 4, 3},
    {{0x64, 0xf3, 0x6e}, MODE_64, 8, 4},
    {{0x65, 0x67, 0xf3, 0x6e}, MODE_64, 4, 5},
    {{0x26, 0xf3, 0x48, 0x6e}, MODE_64, 8, 0},
};

// Offset of the first element from the base of its segment; it is in the page of code.
static uint64_t first_offset(Mode mode, unsigned segment)
{
    return base_of(mode, segment) != 0 ? 0x40 : CODE_PAGE + 0x440;
}

static void elements_are_read_where_prefixes_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(forms); i++) {
        const Mode mode = forms[i].mode;
        const unsigned size = forms[i].address_size;
        const uint64_t offset = first_offset(mode, forms[i].segment);
        const uint64_t at = base_of(mode, forms[i].segment) + offset - CODE_PAGE;

        set_mode(mode);
        put_code(mode, forms[i].code, sizeof(forms[i].code));
        memcpy(f.code + at, &i, 2);
        f.vcpu.regs.gpr[RSI] = after(offset, size) | (size == 8 ? 0 : REST & ~UINT64_C(0xffffffff));
        f.vcpu.regs.gpr[RCX] = after(2, size);
        assert_int_equal(run_string(IOIO_REP | 0x20), AX_EXIT_IO_WRITE);
        assert_int_equal(f.exit.io.data, i);
        assert_int_equal(f.exit.io.port.number, 0x1f0);
        assert_int_equal(x86_complete_write(&f.vcpu, &f.exit), AX_OK);
        assert_int_equal(f.vcpu.regs.gpr[RSI], after(offset + 2, size));
        assert_int_equal(f.vcpu.regs.gpr[RCX], after(1, size));
    }
}

static void elements_are_written_to_es_whatever_the_prefixes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(forms); i++) {
        const Mode mode = forms[i].mode;
        const unsigned size = forms[i].address_size;
        const uint64_t offset = first_offset(mode, 0);
        const uint64_t at = base_of(mode, 0) + offset - CODE_PAGE;
        uint8_t code[4];

        for (size_t k = 0; k < sizeof(code); k++) {
            code[k] = forms[i].code[k] == 0x6e ? 0x6c : forms[i].code[k];
        }
        set_mode(mode);
        put_code(mode, code, sizeof(code));
        f.vcpu.regs.gpr[RDI] = after(offset, size);
        f.vcpu.regs.gpr[RCX] = after(1, size);
        f.vcpu.regs.rflags = RFLAGS_FIXED | RFLAGS_DF;
        assert_int_equal(run_string(IOIO_IN | IOIO_REP | 0x40), AX_EXIT_IO_READ);
        assert_int_equal(x86_complete_read(&f.vcpu, &f.exit, 0x80000001 + i), AX_OK);
        assert_int_equal(*(const uint32_t *)(const void *)(f.code + at), 0x80000001 + i);
        assert_int_equal(f.vcpu.regs.gpr[RDI], after(offset - 4, size));
        assert_int_equal(f.vcpu.regs.gpr[RCX], after(0, size));
    }
}

static void a_count_of_zero_does_nothing(void **state)
{
    static const uint8_t code[] = {0xf3, 0x6e};

    (void)state;
    set_mode(MODE_16);
    put_code(MODE_16, code, sizeof(code));
    f.vcpu.regs.gpr[RCX] = 0x10000; // CX is 0
    assert_int_equal(run_string(IOIO_REP | 0x10), AX_EXIT_HALT);
    assert_int_equal(f.vcpu.regs.rip, 4 + 1);
    assert_int_equal(f.vcpu.regs.gpr[RSI], 0);
}

// INSB at the end of a segment of 64 KiB, without REP.
static void indices_of_16_bits_wrap(void **state)
{
    static const uint8_t code[] = {0x6c};

    (void)state;
    set_mode(MODE_16);
    x86_write(&f.vcpu, X86_FIELD_ES_BASE, (uint32_t)(CODE_PAGE - 0xffff));
    put_code(MODE_16, code, sizeof(code));
    f.vcpu.regs.gpr[RDI] = REST | 0xffff;
    f.vcpu.regs.gpr[RCX] = 7;
    assert_int_equal(run_string(IOIO_IN | 0x10), AX_EXIT_IO_READ);
    assert_int_equal(x86_complete_read(&f.vcpu, &f.exit, 0), AX_OK);
    assert_int_equal(f.vcpu.regs.gpr[RDI], REST & ~UINT64_C(0xffff));
    assert_int_equal(f.vcpu.regs.gpr[RCX], 7); // no prefix, no count
    assert_int_equal(f.vcpu.regs.rip, 4);
}

// Paging on, with a table that has the code and the page of ES.
static uint64_t *two_level_tables(void)
{
    uint32_t *directory = fixture_map_page(&f, 0x10000);
    uint32_t *table = fixture_map_page(&f, 0x11000);

    directory[0] = 0x11007;
    table[CODE_PAGE / 4096] = CODE_PAGE | 7;
    set_mode(MODE_32);
    x86_write(&f.vcpu, X86_FIELD_CR4, 0);
    x86_write(&f.vcpu, X86_FIELD_CR3, 0x10000);
    x86_write(&f.vcpu, X86_FIELD_CR0, CR0_PG | CR0_PE | CR0_WP | CR0_ET);
    return (uint64_t *)(void *)table;
}

static void assert_page_fault(uint64_t address, uint32_t code)
{
    assert_int_equal(scripted.entries, 2);
    assert_int_equal(scripted.event_seen,
                     EVENT_VALID | EVENT_HAS_ERROR | 3 << 8 | VECTOR_PF | (uint64_t)code << 32);
    assert_int_equal(x86_read(&f.vcpu, X86_FIELD_CR2), address);
}

// The fault comes before the port is read: the device would not give the same twice.
static void a_missing_page_is_told_before_the_device_is_asked(void **state)
{
    static const uint8_t ins[] = {0x6d};
    static const uint8_t outs[] = {0x6f};

    (void)state;
    (void)two_level_tables();
    put_code(MODE_32, ins, sizeof(ins));
    f.vcpu.regs.gpr[RDI] = 0x1000 - 0x102; // the last two bytes of the page
    assert_int_equal(run_string(IOIO_IN | 0x40), AX_EXIT_HALT);
    assert_page_fault(CODE_PAGE + 0x1000, PF_WRITE);
    put_code(MODE_32, outs, sizeof(outs));
    f.vcpu.regs.gpr[RSI] = 0x2000;
    assert_int_equal(run_string(0x40), AX_EXIT_HALT);
    assert_page_fault(CODE_PAGE + 0x2400, 0);
}

// The host maps it, and the instruction begins anew; or it knows of a device there, and gives up.
static void where_no_memory_is_the_host_is_told_before_the_device(void **state)
{
    static const uint8_t ins[] = {0xf3, 0x6d};
    static const uint8_t outs[] = {0xf3, 0x6f};

    (void)state;
    set_mode(MODE_32);
    f.vcpu.regs.gpr[RCX] = 3;
    for (unsigned segment = 0; segment < 6; segment++) {
        x86_write(&f.vcpu, X86_FIELD_ES_BASE + 4 * segment,
                  segment == 1 ? CODE_PAGE + 0x200 : HOLE);
    }
    put_code(MODE_32, ins, sizeof(ins));
    assert_int_equal(run_string(IOIO_IN | IOIO_REP | 0x40), AX_EXIT_NESTED_PAGE_FAULT);
    assert_int_equal(f.exit.page_fault.addr.value, HOLE);
    assert_int_equal(f.exit.page_fault.access, AX_MAP_WRITE);
    assert_false(f.exit.page_fault.permission);
    put_code(MODE_32, outs, sizeof(outs));
    assert_int_equal(run_string(IOIO_REP | 0x40), AX_EXIT_NESTED_PAGE_FAULT);
    assert_int_equal(f.exit.page_fault.access, AX_MAP_READ);
    assert_int_equal(f.vcpu.regs.rip, 0);
    assert_int_equal(f.vcpu.regs.gpr[RCX], 3);
    f.leaves[CODE_PAGE / 4096 + 1] = x86_ept_format()->make_leaf(fixture_frame(&f), AX_MAP_READ, 0);
    x86_write(&f.vcpu, X86_FIELD_ES_BASE, CODE_PAGE + 4096);
    put_code(MODE_32, ins, sizeof(ins));
    assert_int_equal(run_string(IOIO_IN | IOIO_REP | 0x40), AX_EXIT_NESTED_PAGE_FAULT);
    assert_true(f.exit.page_fault.permission);
}

static void memory_that_goes_meanwhile_is_a_fault_at_the_completion(void **state)
{
    static const uint8_t ins[] = {0x6d};

    (void)state;
    set_mode(MODE_32);
    put_code(MODE_32, ins, sizeof(ins));
    assert_int_equal(run_string(IOIO_IN | 0x40), AX_EXIT_IO_READ);
    f.leaves[CODE_PAGE / 4096] = 0;
    f.root.flushes++;
    assert_int_equal(x86_complete_read(&f.vcpu, &f.exit, 1), AX_OK);
    (void)fixture_run_halt(&f);
    assert_int_equal(scripted.event_seen & 0xff, VECTOR_GP);
    assert_int_equal(f.vcpu.regs.gpr[RDI], 0);
}

static void a_page_that_goes_meanwhile_is_a_fault_at_the_completion(void **state)
{
    static const uint8_t ins[] = {0x6d};
    uint64_t *table = two_level_tables();

    (void)state;
    put_code(MODE_32, ins, sizeof(ins));
    f.vcpu.regs.gpr[RDI] = 0x40;
    assert_int_equal(run_string(IOIO_IN | 0x40), AX_EXIT_IO_READ);
    memset(table, 0, 4096);
    assert_int_equal(x86_complete_read(&f.vcpu, &f.exit, 1), AX_OK);
    (void)fixture_run_halt(&f);
    assert_int_equal(scripted.event_seen & 0xff, VECTOR_PF);
    assert_int_equal(f.vcpu.regs.gpr[RDI], 0x40);
}

static void a_width_that_no_port_has_is_unhandled(void **state)
{
    static const unsigned widths[] = {0, 3, 5, 6, 7};

    (void)state;
    for (size_t i = 0; i < COUNT(widths); i++) {
        assert_int_equal(fixture_run_exit(&f, VMEXIT_IOIO, PORT | widths[i] << 4, ENTRY + 2, 0),
                         AX_EXIT_UNHANDLED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(elements_are_read_where_prefixes_say),
        ON_BOTH(elements_are_written_to_es_whatever_the_prefixes),
        ON_BOTH(a_count_of_zero_does_nothing),
        ON_BOTH(indices_of_16_bits_wrap),
        ON_BOTH(a_missing_page_is_told_before_the_device_is_asked),
        ON_BOTH(where_no_memory_is_the_host_is_told_before_the_device),
        ON_BOTH(memory_that_goes_meanwhile_is_a_fault_at_the_completion),
        ON_BOTH(a_page_that_goes_meanwhile_is_a_fault_at_the_completion),
        ON_BOTH(a_width_that_no_port_has_is_unhandled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
