// SPDX-License-Identifier: Apache-2.0
// The guest's own page tables against a second walker, which follows the SDM's tables of entries
// (volume 3, 4.3 to 4.7) mode by mode; and the guest's memory through them.
#include "x86_fixture.h"

#define TABLES      UINT64_C(0x10000) // one table per level, the root last
#define TABLE(n)    (TABLES + 4096 * (uint64_t)(n))
#define MAX_LEVELS  4u
#define PHYSICAL    40u // bits of an address, at most
#define BIT         X86_BIT
#define RANGE(a, b) ((BIT((b) + 1) - 1) & ~(BIT(a) - 1))

static X86Fixture f;
static uint64_t *tables[MAX_LEVELS];

static int start(void **state)
{
    fixture_choose(state);
    fixture_start_bound(&f);
    for (unsigned n = 0; n < MAX_LEVELS; n++) {
        tables[n] = fixture_map_page(&f, TABLE(n));
    }
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fixture_stop(&f);
    return 0;
}

// ---- the second walker ----

typedef enum Mode { MODE_32, MODE_PAE, MODE_4_LEVEL } Mode;

typedef struct Setting {
    Mode mode;
    bool pse;
    bool nxe;
    bool wp;
    bool smep;
    bool smap;
    bool ac;
    bool has_1g;
    unsigned physical;
} Setting;

typedef struct Answer {
    bool translated;
    uint64_t gpa;
    uint32_t code;
    unsigned level; // of the entry that maps the page
} Answer;

// What the entries of a walk say together. An entry at level 0 maps a page.
typedef struct Path {
    bool present;
    bool reserved;
    bool user;
    bool write;
    bool nx;
    uint64_t frame;
    unsigned shift;
} Path;

static bool takes_part(uint64_t entry, uint64_t must_be_zero, Path *path)
{
    path->present = (entry & 1) != 0;
    path->reserved = path->present && (entry & must_be_zero) != 0;
    return path->present && !path->reserved;
}

static void add_rights(uint64_t entry, Path *path)
{
    path->write = path->write && (entry & 2) != 0;
    path->user = path->user && (entry & 4) != 0;
    path->nx = path->nx || (entry & BIT(63)) != 0;
}

static void maps(uint64_t entry, unsigned shift, Path *path)
{
    path->shift = shift;
    path->frame = entry & RANGE(shift, 51);
}

// Tables 4-4 to 4-6. e[1]: PDE, e[0]: PTE. PSE-36 has no more than 40 bits.
static void path_32(const Setting *s, const uint64_t *e, Path *path)
{
    const bool large = s->pse && (e[1] & BIT(7)) != 0;

    if (!takes_part(e[1], large ? RANGE(s->physical - 19, 21) : 0, path)) {
        return;
    }
    add_rights(e[1], path);
    if (large) {
        path->shift = 22;
        path->frame = (e[1] & RANGE(22, 31)) + ((e[1] & RANGE(13, 20)) << 19);
        return;
    }
    if (takes_part(e[0], 0, path)) {
        add_rights(e[0], path);
        maps(e[0], 12, path);
    }
}

// Tables 4-8 to 4-11. e[2]: PDPTE, e[1]: PDE, e[0]: PTE. Bit 5 of the PDPTE, which is reserved, is
// the accessed flag for QEMU.
static void path_pae(const Setting *s, const uint64_t *e, Path *path)
{
    const uint64_t high = RANGE(s->physical, 62) | (s->nxe ? 0 : BIT(63));

    if (!takes_part(e[2], RANGE(1, 2) | RANGE(6, 8) | RANGE(s->physical, 62) | BIT(63), path)) {
        return;
    }
    if (!takes_part(e[1], (e[1] & BIT(7)) != 0 ? high | RANGE(13, 20) : high, path)) {
        return;
    }
    add_rights(e[1], path);
    if ((e[1] & BIT(7)) != 0) {
        maps(e[1], 21, path);
        return;
    }
    if (takes_part(e[0], high, path)) {
        add_rights(e[0], path);
        maps(e[0], 12, path);
    }
}

// Tables 4-15 to 4-20. e[3]: PML4E, e[2]: PDPTE, e[1]: PDE, e[0]: PTE.
static void path_4_level(const Setting *s, const uint64_t *e, Path *path)
{
    const uint64_t high = RANGE(s->physical, 51) | (s->nxe ? 0 : BIT(63));
    const uint64_t low[] = {0, RANGE(13, 20), s->has_1g ? RANGE(13, 29) : BIT(7), BIT(7)};

    for (unsigned level = 4; level-- > 0;) {
        const bool large = level != 0 && (e[level] & BIT(7)) != 0;

        if (!takes_part(e[level], large ? high | low[level] : high, path)) {
            return;
        }
        add_rights(e[level], path);
        if (large || level == 0) {
            maps(e[level], 12 + 9 * level, path);
            return;
        }
    }
}

// 4.6.1, and the error code of 4.7.
static Answer expect(const Setting *s, const uint64_t *entries, uint64_t linear, uint64_t access)
{
    static void (*const paths[])(const Setting *, const uint64_t *, Path *) = {path_32, path_pae,
                                                                               path_4_level};
    Path path = {.user = true, .write = true};
    const bool fetch = (access & PF_FETCH) != 0;
    const bool by_user = (access & PF_USER) != 0;
    const bool write = (access & PF_WRITE) != 0;
    bool allowed;
    Answer answer = {.code = (uint32_t)(access & (PF_WRITE | PF_USER))};

    paths[s->mode](s, entries, &path);
    if (fetch && (s->smep || (s->nxe && s->mode != MODE_32))) {
        answer.code |= 16;
    }
    if (!path.present || path.reserved) {
        answer.code |= path.reserved ? 9 : 0;
        return answer;
    }
    if (by_user) {
        allowed = path.user && !(write && !path.write);
    } else if (fetch) {
        allowed = !(s->smep && path.user);
    } else {
        allowed = !(s->smap && !s->ac && path.user) && !(write && s->wp && !path.write);
    }
    if (!allowed || (fetch && path.nx)) {
        answer.code |= 1;
        return answer;
    }
    answer.translated = true;
    answer.level = (path.shift - 12) / (s->mode == MODE_32 ? 10 : 9);
    answer.code = 0;
    answer.gpa = path.frame + (linear & (BIT(path.shift) - 1));
    return answer;
}

// ---- comparison ----

static void set_mode(const Setting *s)
{
    x86_write(&f.vcpu, X86_FIELD_CR0, CR0_PG | CR0_PE | CR0_ET | (s->wp ? CR0_WP : 0));
    x86_write(&f.vcpu, X86_FIELD_CR4,
              (s->mode != MODE_32 ? CR4_PAE : 0) | (s->pse ? CR4_PSE : 0) |
                  (s->smep ? CR4_SMEP : 0) | (s->smap ? CR4_SMAP : 0));
    x86_write(&f.vcpu, X86_FIELD_EFER,
              (s->mode == MODE_4_LEVEL ? EFER_LME | EFER_LMA : 0) | (s->nxe ? EFER_NXE : 0));
    x86_write(&f.vcpu, X86_FIELD_CS_ATTRIBUTES, s->mode == MODE_4_LEVEL ? 0x29b : 0x49b);
    x86_write(&f.vcpu, X86_FIELD_CR3, TABLE(s->mode == MODE_32 ? 1 : s->mode == MODE_PAE ? 2 : 3));
    f.vcpu.regs.rflags = RFLAGS_FIXED | (s->ac ? RFLAGS_AC : 0);
    x86_sim_leaf(0x80000008)->eax = s->physical;
    x86_sim_leaf(0x80000001)->edx = s->has_1g ? UINT32_C(1) << 26 : 0;
    x86_features_read(f.vcpu.vendor, &f.percpu.features);
}

static uint64_t index_at(const Setting *s, uint64_t linear, unsigned level)
{
    const unsigned bits = s->mode == MODE_32 ? 10 : 9;

    return linear >> (12 + bits * level) & (BIT(bits) - 1);
}

static uint64_t get_entry(const Setting *s, uint64_t linear, unsigned level)
{
    const uint64_t index = index_at(s, linear, level);

    return s->mode == MODE_32 ? ((uint32_t *)tables[level])[index] : tables[level][index];
}

// entries[0] is the lowest level's.
static void put_entries(const Setting *s, const uint64_t *entries, uint64_t linear)
{
    for (unsigned level = 0; level < MAX_LEVELS; level++) {
        const uint64_t index = index_at(s, linear, level);

        memset(tables[level], 0, 4096);
        if (s->mode == MODE_32) {
            ((uint32_t *)tables[level])[index] = (uint32_t)entries[level];
        } else {
            tables[level][index] = entries[level];
        }
    }
}

static Answer translate(uint64_t linear, uint64_t access)
{
    Answer answer = {0};
    X86Fault fault;

    answer.translated = x86_translate(&f.vcpu, linear, access, &answer.gpa, &fault);
    if (!answer.translated) {
        assert_int_equal(fault.vector, VECTOR_PF);
        assert_int_equal(fault.address, linear);
        answer.gpa = 0;
        answer.code = fault.error_code;
    }
    return answer;
}

static uint64_t next_random(void)
{
    static uint64_t seed = UINT64_C(0x9e3779b97f4a7c15);

    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static bool chance(unsigned one_in)
{
    return next_random() % one_in == 0;
}

static Setting random_setting(Mode mode)
{
    return (Setting){.mode = mode,
                     .pse = chance(2),
                     .nxe = chance(2),
                     .wp = chance(2),
                     .smep = chance(3),
                     .smap = chance(3),
                     .ac = chance(2),
                     .has_1g = chance(2),
                     .physical = chance(3) ? 36 : PHYSICAL};
}

// A bit that says nothing of where the next table is.
static uint64_t random_flag(const Setting *s, bool maps_page)
{
    const unsigned bit = next_random() % 64;
    const bool in_address = bit >= 12 && bit < s->physical;

    return in_address || (maps_page && bit == 7) ? 0 : BIT(bit);
}

// Mostly good entries: any right, sometimes a large page, seldom a bit that is wrong.
static uint64_t random_entry(const Setting *s, unsigned level)
{
    const bool is_pointer = s->mode == MODE_PAE && level == 2;
    const bool large = level != 0 && !is_pointer && (s->mode != MODE_32 || s->pse) && chance(4);
    const unsigned frame = s->mode == MODE_32 && level != 0 ? 13 : 12 + 9 * level;
    uint64_t entry = level != 0 ? TABLE(level - 1) : next_random() & RANGE(12, s->physical - 1);

    if (large) {
        entry = BIT(7) | (next_random() & RANGE(chance(3) ? 12 : frame, s->physical - 1));
    }
    entry |= chance(12) ? 0 : BIT(0);
    if (!is_pointer) {
        entry |= (chance(4) ? 0 : BIT(1)) | (chance(2) ? 0 : BIT(2)) | (chance(3) ? BIT(63) : 0);
    }
    return chance(12) ? entry ^ random_flag(s, large || level == 0) : entry;
}

static uint64_t random_linear(Mode mode)
{
    const uint64_t low = next_random() & RANGE(0, 46);

    if (mode != MODE_4_LEVEL) {
        return low & UINT32_MAX;
    }
    return chance(2) ? low : low | RANGE(47, 62) | BIT(63);
}

typedef struct Seen {
    unsigned translated;
    unsigned missing;
    unsigned refused;
    unsigned reserved;
} Seen;

static void count(const Answer *answer, Seen *seen)
{
    seen->translated += answer->translated ? 1 : 0;
    seen->missing += !answer->translated && (answer->code & 1) == 0 ? 1 : 0;
    seen->refused += !answer->translated && (answer->code & 9) == 1 ? 1 : 0;
    seen->reserved += !answer->translated && (answer->code & 9) == 9 ? 1 : 0;
}

// 4.8. The four pointers of PAE have neither.
static void compare_flags(const Setting *s, uint64_t linear, const uint64_t *entries,
                          const Answer *answer, uint64_t access)
{
    static const unsigned levels_with_flags[] = {2, 2, 4};

    for (unsigned level = 0; level < MAX_LEVELS; level++) {
        const bool has = answer->translated && level < levels_with_flags[s->mode];
        const uint64_t dirty = (access & PF_WRITE) != 0 && level == answer->level ? BIT(6) : 0;
        const uint64_t flags = has && level >= answer->level ? BIT(5) | dirty : 0;

        assert_int_equal(get_entry(s, linear, level), entries[level] | flags);
    }
}

static void compare(const Setting *s, uint64_t linear, const uint64_t *entries, Seen *seen)
{
    static const uint64_t accesses[] = {0,       PF_WRITE,           PF_FETCH,
                                        PF_USER, PF_USER | PF_WRITE, PF_USER | PF_FETCH};

    for (size_t i = 0; i < COUNT(accesses); i++) {
        const Answer wanted = expect(s, entries, linear, accesses[i]);
        Answer got;

        put_entries(s, entries, linear);
        got = translate(linear, accesses[i]);
        compare_flags(s, linear, entries, &wanted, accesses[i]);
        assert_int_equal(got.translated, wanted.translated);
        assert_int_equal(got.gpa, wanted.gpa);
        assert_int_equal(got.code, wanted.code);
        count(&wanted, seen);
    }
}

static void compare_mode(Mode mode)
{
    static const unsigned levels[] = {2, 3, 4};
    Seen seen = {0};

    for (unsigned i = 0; i < 30000; i++) {
        const Setting setting = random_setting(mode);
        const uint64_t linear = random_linear(mode);
        uint64_t entries[MAX_LEVELS] = {0};

        for (unsigned level = 0; level < levels[mode]; level++) {
            entries[level] = random_entry(&setting, level);
        }
        if (mode == MODE_32) {
            entries[0] &= UINT32_MAX;
            entries[1] &= UINT32_MAX;
        }
        set_mode(&setting);
        compare(&setting, linear, entries, &seen);
    }
    assert_true(seen.translated > 10000 && seen.missing > 10000 && seen.refused > 10000);
    assert_true(seen.reserved > 300);
}

static void tables_of_two_levels_mean_what_the_manual_says(void **state)
{
    (void)state;
    compare_mode(MODE_32);
}

static void tables_of_pae_mean_what_the_manual_says(void **state)
{
    (void)state;
    compare_mode(MODE_PAE);
}

static void tables_of_four_levels_mean_what_the_manual_says(void **state)
{
    (void)state;
    compare_mode(MODE_4_LEVEL);
}

// ---- addresses ----

static const Setting long_mode = {
    .mode = MODE_4_LEVEL, .nxe = true, .wp = true, .physical = PHYSICAL};

static void an_address_that_is_not_canonical_is_a_general_protection_fault(void **state)
{
    static const uint64_t cases[] = {BIT(47), BIT(63), RANGE(48, 62) | BIT(63), BIT(62) | 5};

    (void)state;
    set_mode(&long_mode);
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t gpa;
        X86Fault fault;

        assert_false(x86_translate(&f.vcpu, cases[i], 0, &gpa, &fault));
        assert_int_equal(fault.vector, VECTOR_GP);
        assert_int_equal(fault.error_code, 0);
    }
}

static void outside_of_64_bit_mode_addresses_have_32_bits(void **state)
{
    const uint64_t entries[] = {CODE_PAGE | 3, TABLE(0) | 3, TABLE(1) | 3, TABLE(2) | 3};

    (void)state;
    set_mode(&long_mode);
    put_entries(&long_mode, entries, 0x8123);
    x86_write(&f.vcpu, X86_FIELD_CS_ATTRIBUTES, 0x49b); // compatibility mode
    assert_int_equal(translate(0x8123, 0).gpa, 0x8123);
    assert_int_equal(x86_read(&f.vcpu, X86_FIELD_EFER) & EFER_LMA, EFER_LMA);
    for (unsigned bit = 32; bit < 64; bit++) {
        uint64_t gpa;
        X86Fault fault;

        assert_true(x86_translate(&f.vcpu, BIT(bit) | 0x8123, 0, &gpa, &fault));
        assert_int_equal(gpa, 0x8123);
    }
}

static void without_paging_addresses_are_what_they_are(void **state)
{
    uint64_t gpa;
    X86Fault fault;

    (void)state;
    x86_write(&f.vcpu, X86_FIELD_CR0, CR0_PE | CR0_ET);
    assert_true(x86_translate(&f.vcpu, BIT(32) | 0x12345678, PF_USER | PF_WRITE, &gpa, &fault));
    assert_int_equal(gpa, 0x12345678);
}

static void a_table_outside_of_memory_is_a_page_that_is_missing(void **state)
{
    (void)state;
    set_mode(&long_mode);
    x86_write(&f.vcpu, X86_FIELD_CR3, HOLE);
    assert_int_equal(translate(0x8123, PF_WRITE).code, PF_WRITE);
}

// ---- accessed and dirty flags ----

static unsigned changes_left;

// Another vCPU that changes an entry whenever this one looks where it is.
static HostVirtAddr change_entry(void *ctx, HostPhysAddr addr)
{
    const uintptr_t page = (uintptr_t)tables[0];

    if (addr.value == page && changes_left != 0) {
        changes_left--;
        tables[0][8] ^= BIT(9); // for software
        f.root.flushes++;
    }
    return fixture_phys_to_virt(ctx, addr);
}

static void an_entry_that_changes_meanwhile_is_walked_again(void **state)
{
    const uint64_t entries[] = {CODE_PAGE | 3, TABLE(0) | 3, TABLE(1) | 3, TABLE(2) | 3};

    (void)state;
    set_mode(&long_mode);
    f.hal.phys_to_virt = change_entry;
    put_entries(&long_mode, entries, 0x8123);
    changes_left = 4; // at the reads of two walks, and before their writes
    assert_int_equal(translate(0x8123, PF_WRITE).gpa, 0x8123);
    assert_int_equal(tables[0][8], entries[0] | BIT(5) | BIT(6));
    put_entries(&long_mode, entries, 0x8123);
    changes_left = UINT32_MAX;
    f.root.flushes++;
    assert_int_equal(translate(0x8123, PF_WRITE).code, PF_WRITE);
    assert_int_equal(tables[0][8] & (BIT(5) | BIT(6)), 0);
}

static void flags_of_a_table_that_the_guest_cannot_write_stay(void **state)
{
    const uint64_t entries[] = {CODE_PAGE | 3, TABLE(0) | 3, TABLE(1) | 3, TABLE(2) | 3};

    (void)state;
    set_mode(&long_mode);
    put_entries(&long_mode, entries, 0x8123);
    f.leaves[TABLE(0) / 4096] = x86_ept_format()->make_leaf(ax_hpa((uintptr_t)tables[0]),
                                                            AX_MAP_READ, 0);
    f.root.flushes++;
    assert_int_equal(translate(0x8123, PF_WRITE).gpa, 0x8123);
    assert_int_equal(tables[0][8], entries[0]);
    assert_int_equal(tables[1][0], entries[1] | BIT(5));
}

// ---- memory ----

// The pages 0x8000 and 0x9000; the second at linear 0x9000 with the flags `second`.
static uint8_t *two_pages(uint64_t second)
{
    uint8_t *page = fixture_map_page(&f, CODE_PAGE + 4096);
    const uint64_t entries[] = {0, TABLE(0) | 7, TABLE(1) | 7, TABLE(2) | 7};

    set_mode(&long_mode);
    put_entries(&long_mode, entries, CODE_PAGE);
    tables[0][CODE_PAGE / 4096] = CODE_PAGE | 7;
    tables[0][CODE_PAGE / 4096 + 1] = (CODE_PAGE + 4096) | second;
    return page;
}

static void a_write_across_two_pages_is_all_or_nothing(void **state)
{
    static const uint64_t data = UINT64_C(0x1122334455667788);
    uint8_t *second = two_pages(5); // read-only
    X86Fault fault;

    (void)state;
    assert_false(x86_write_memory(&f.vcpu, CODE_PAGE + 4093, &data, 8, &fault));
    assert_int_equal(fault.address, CODE_PAGE + 4096);
    assert_int_equal(fault.error_code, PF_PRESENT | PF_WRITE);
    assert_int_equal(f.code[4093], 0);
    tables[0][CODE_PAGE / 4096 + 1] |= 2;
    assert_true(x86_write_memory(&f.vcpu, CODE_PAGE + 4093, &data, 8, &fault));
    assert_memory_equal(f.code + 4093, &data, 3);
    assert_memory_equal(second, (const uint8_t *)&data + 3, 5);
}

static void a_read_across_two_pages_takes_each_from_its_own(void **state)
{
    uint8_t *second = two_pages(7);
    uint8_t bytes[6];
    X86Fault fault;

    (void)state;
    memcpy(f.code + 4094, "ab", 2);
    memcpy(second, "cdef", 4);
    assert_true(x86_read_memory(&f.vcpu, CODE_PAGE + 4094, 0, bytes, 6, &fault));
    assert_memory_equal(bytes, "abcdef", 6);
    tables[0][CODE_PAGE / 4096 + 1] = 0;
    assert_false(x86_read_memory(&f.vcpu, CODE_PAGE + 4094, 0, bytes, 6, &fault));
    assert_int_equal(fault.address, CODE_PAGE + 4096);
}

static void assert_nested_fault(const X86Fault *fault, uint64_t gpa, MappingFlags right)
{
    assert_int_equal(fault->vector, X86_FAULT_NESTED);
    assert_int_equal(fault->address, gpa);
    assert_int_equal(fault->error_code, right);
}

static void where_no_memory_is_the_host_is_told(void **state)
{
    uint32_t value = UINT32_MAX;
    X86Fault fault;

    (void)state;
    x86_write(&f.vcpu, X86_FIELD_CR0, CR0_PE | CR0_ET);
    assert_false(x86_write_memory(&f.vcpu, HOLE + 8, &value, 4, &fault));
    assert_nested_fault(&fault, HOLE + 8, AX_MAP_WRITE);
    assert_false(x86_may_write(&f.vcpu, HOLE + 8, 4, &fault));
    assert_nested_fault(&fault, HOLE + 8, AX_MAP_WRITE);
    assert_false(x86_read_memory(&f.vcpu, HOLE + 8, 0, &value, 4, &fault));
    assert_nested_fault(&fault, HOLE + 8, AX_MAP_READ);
    assert_int_equal(value, UINT32_MAX);
    // The second page of two: the first is not touched.
    assert_false(x86_write_memory(&f.vcpu, CODE_PAGE + 4094, &value, 4, &fault));
    assert_nested_fault(&fault, CODE_PAGE + 4096, AX_MAP_WRITE);
    assert_int_equal(f.code[4094], 0);
}

static void a_user_needs_the_right_of_users(void **state)
{
    uint8_t byte = 0;
    X86Fault fault;

    (void)state;
    (void)two_pages(3); // the kernel's
    assert_true(x86_read_memory(&f.vcpu, CODE_PAGE + 4096, 0, &byte, 1, &fault));
    x86_write(&f.vcpu, X86_FIELD_SS_ATTRIBUTES, 0xf3);
    assert_false(x86_read_memory(&f.vcpu, CODE_PAGE + 4096, 0, &byte, 1, &fault));
    assert_int_equal(fault.error_code, PF_PRESENT | PF_USER);
    assert_false(x86_write_memory(&f.vcpu, CODE_PAGE + 4096, &byte, 1, &fault));
    assert_int_equal(fault.error_code, PF_PRESENT | PF_USER | PF_WRITE);
}

static void a_fetch_ends_where_the_code_does(void **state)
{
    uint8_t bytes[15];

    (void)state;
    (void)two_pages(0);
    f.vcpu.regs.rip = CODE_PAGE;
    assert_int_equal(x86_fetch(&f.vcpu, bytes), 15);
    f.vcpu.regs.rip = CODE_PAGE + 4090;
    memcpy(f.code + 4090, "abcdef", 6);
    assert_int_equal(x86_fetch(&f.vcpu, bytes), 6);
    assert_memory_equal(bytes, "abcdef", 6);
    f.vcpu.regs.rip = CODE_PAGE + 4096;
    assert_int_equal(x86_fetch(&f.vcpu, bytes), 0);
    tables[0][CODE_PAGE / 4096] |= BIT(63);
    f.vcpu.regs.rip = CODE_PAGE;
    assert_int_equal(x86_fetch(&f.vcpu, bytes), 0);
}

static void in_64_bit_mode_only_fs_and_gs_have_a_base(void **state)
{
    (void)state;
    for (unsigned segment = 0; segment < 6; segment++) {
        x86_write(&f.vcpu, X86_FIELD_ES_BASE + 4 * segment, 0x1000 * (segment + 1));
    }
    for (unsigned segment = 0; segment < 6; segment++) {
        set_mode(&long_mode);
        assert_int_equal(x86_segment_base(&f.vcpu, segment),
                         segment >= 4 ? 0x1000 * (segment + 1) : 0);
        x86_write(&f.vcpu, X86_FIELD_CS_ATTRIBUTES, 0x49b);
        assert_int_equal(x86_segment_base(&f.vcpu, segment), 0x1000 * (segment + 1));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(tables_of_two_levels_mean_what_the_manual_says),
        ON_BOTH(tables_of_pae_mean_what_the_manual_says),
        ON_BOTH(tables_of_four_levels_mean_what_the_manual_says),
        ON_BOTH(an_address_that_is_not_canonical_is_a_general_protection_fault),
        ON_BOTH(outside_of_64_bit_mode_addresses_have_32_bits),
        ON_BOTH(without_paging_addresses_are_what_they_are),
        ON_BOTH(a_table_outside_of_memory_is_a_page_that_is_missing),
        ON_BOTH(an_entry_that_changes_meanwhile_is_walked_again),
        ON_BOTH(flags_of_a_table_that_the_guest_cannot_write_stay),
        ON_BOTH(a_write_across_two_pages_is_all_or_nothing),
        ON_BOTH(a_read_across_two_pages_takes_each_from_its_own),
        ON_BOTH(where_no_memory_is_the_host_is_told),
        ON_BOTH(a_user_needs_the_right_of_users),
        ON_BOTH(a_fetch_ends_where_the_code_does),
        ON_BOTH(in_64_bit_mode_only_fs_and_gs_have_a_base),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
