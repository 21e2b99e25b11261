// SPDX-License-Identifier: Apache-2.0
// The guest's own page tables and memory, for instructions that are finished here (SDM volume 3,
// chapter 4).
#include "x86.h"

#include <stdatomic.h>
#include <string.h>

#define ENTRY_P    X86_BIT(0)
#define ENTRY_W    X86_BIT(1)
#define ENTRY_U    X86_BIT(2)
#define ENTRY_A    X86_BIT(5)
#define ENTRY_D    X86_BIT(6)
#define ENTRY_PS   X86_BIT(7)
#define ENTRY_NX   X86_BIT(63)
#define ENTRY_ADDR UINT64_C(0x000ffffffffff000)
#define CR3_PAE    UINT64_C(0xffffffe0)

// Reserved: bits 62:52 of PAE, what its four pointers have less than other entries, and the bit of a
// page of 4 MiB between the two parts of its frame.
#define PAE_RESERVED         UINT64_C(0x7ff0000000000000)
#define PAE_POINTER_RESERVED (ENTRY_NX | UINT64_C(0x1c6)) // QEMU sets the accessed flag, bit 5
#define PSE36_RESERVED       X86_BIT(21)
#define PSE36_FRAME          UINT64_C(0x1fe000) // bits 39:32 of the frame
#define PSE36_SHIFT          19
#define LARGE_DEFINED        UINT64_C(0x1fff) // below the frame: flags, and PAT in bit 12

#define CANONICAL_BITS 47u
#define MAX_LEVELS     4u

// Walks until nobody changed an entry meanwhile. A guest that does so all the time gets a page fault
// that has no cause, as from a processor that did not see the newest entry.
#define MAX_WALKS 8u

// The shape of a walk: from the root down, `index_bits` of the address at each level.
typedef struct Walk {
    unsigned levels;
    unsigned index_bits;
    unsigned entry_size;
    uint64_t root;
    bool has_rights_at_top; // not the four pointers of PAE
    bool nx;
    uint8_t large_levels; // a bit for each at which entries may map pages, but for level 0
    uint64_t reserved;    // in each entry, or of 4 bytes in those of large pages
} Walk;

// The entries that a walk went by, from `last` up, and where that leads.
typedef struct Path {
    struct {
        uint64_t gpa;
        uint64_t value;
    } entries[MAX_LEVELS];
    unsigned last;
    uint64_t gpa;
} Path;

#define LARGE_AT(level) (1u << (level))

static Walk walk_of(const X86VCpu *vcpu)
{
    const X86Features *features = &vcpu->percpu->features;
    const uint64_t beyond = UINT64_MAX << features->physical_bits;
    const uint64_t cr3 = x86_read(vcpu, X86_FIELD_CR3);
    const uint64_t efer = x86_read(vcpu, X86_FIELD_EFER);
    Walk walk = {.index_bits = 9,
                 .entry_size = 8,
                 .nx = (efer & EFER_NXE) != 0,
                 .large_levels = LARGE_AT(1),
                 .reserved = (ENTRY_ADDR & beyond) | ((efer & EFER_NXE) != 0 ? 0 : ENTRY_NX)};

    if ((efer & EFER_LMA) != 0) {
        walk.levels = 4;
        walk.root = cr3 & ENTRY_ADDR;
        walk.has_rights_at_top = true;
        walk.large_levels |= features->has_1g_pages ? LARGE_AT(2) : 0;
    } else if ((x86_read(vcpu, X86_FIELD_CR4) & CR4_PAE) != 0) {
        walk.levels = 3;
        walk.root = cr3 & CR3_PAE;
        walk.reserved |= PAE_RESERVED;
    } else {
        walk.levels = 2;
        walk.root = cr3 & UINT32_MAX & ENTRY_ADDR;
        walk.has_rights_at_top = true;
        walk.index_bits = 10;
        walk.entry_size = 4;
        walk.large_levels = (x86_read(vcpu, X86_FIELD_CR4) & CR4_PSE) != 0 ? LARGE_AT(1) : 0;
        walk.reserved = PSE36_RESERVED | (PSE36_FRAME & beyond >> PSE36_SHIFT);
    }
    return walk;
}

static bool read_entry(const X86VCpu *vcpu, const Walk *walk, uint64_t gpa, uint64_t *entry)
{
    const void *memory = x86_ept_lookup(vcpu, gpa, AX_MAP_READ);
    uint32_t half;

    *entry = 0;
    if (memory == NULL) {
        return false;
    }
    if (walk->entry_size == sizeof(*entry)) {
        memcpy(entry, memory, sizeof(*entry));
    } else {
        memcpy(&half, memory, sizeof(half));
        *entry = half;
    }
    return true;
}

static bool is_large(const Walk *walk, unsigned level, uint64_t entry)
{
    return (entry & ENTRY_PS) != 0 && (walk->large_levels & LARGE_AT(level)) != 0;
}

// Bits of a large page's frame; those of PSE-36 are above bit 31.
static uint64_t frame_of(const Walk *walk, uint64_t entry, unsigned shift)
{
    const uint64_t mask = (UINT64_C(1) << shift) - 1;

    if (walk->entry_size == 4 && shift != 12) {
        return (entry & UINT64_C(0xffc00000)) | (entry & PSE36_FRAME) << PSE36_SHIFT;
    }
    return entry & ENTRY_ADDR & ~mask;
}

// ---- reserved bits ----

static uint64_t reserved_bits(const Walk *walk, unsigned level, bool large)
{
    if (walk->entry_size == 4) {
        return large ? walk->reserved : 0;
    }
    if (large) {
        return walk->reserved | (((UINT64_C(1) << (12 + 9 * level)) - 1) & ~LARGE_DEFINED);
    }
    if (walk->levels == 3 && level == 2) {
        return walk->reserved | PAE_POINTER_RESERVED;
    }
    return walk->reserved | (level >= 2 ? ENTRY_PS : 0);
}

// ---- rights ----

static bool has_cr4(const X86VCpu *vcpu, uint64_t bit)
{
    return (x86_read(vcpu, X86_FIELD_CR4) & bit) != 0;
}

static uint64_t fault_bits(const X86VCpu *vcpu, const Walk *walk, uint64_t access)
{
    const bool tells_fetches = (walk->nx && has_cr4(vcpu, CR4_PAE)) || has_cr4(vcpu, CR4_SMEP);

    return access & (PF_WRITE | PF_USER | (tells_fetches ? PF_FETCH : 0));
}

// Code and data of users, for a kernel.
static bool may_use_user_page(const X86VCpu *vcpu, uint64_t access)
{
    if ((access & PF_FETCH) != 0) {
        return !has_cr4(vcpu, CR4_SMEP);
    }
    return !has_cr4(vcpu, CR4_SMAP) || (vcpu->regs.rflags & RFLAGS_AC) != 0;
}

static bool is_allowed(const X86VCpu *vcpu, uint64_t rights, bool no_execute, uint64_t access)
{
    const bool user = (access & PF_USER) != 0;
    const bool of_user = (rights & ENTRY_U) != 0;

    if (user ? !of_user : of_user && !may_use_user_page(vcpu, access)) {
        return false;
    }
    if ((access & PF_WRITE) != 0 && (rights & ENTRY_W) == 0 &&
        (user || (x86_read(vcpu, X86_FIELD_CR0) & CR0_WP) != 0)) {
        return false;
    }
    return (access & PF_FETCH) == 0 || !no_execute;
}

static X86_RARE void page_fault(const X86VCpu *vcpu, const Walk *walk, uint64_t linear,
                                uint64_t access, uint64_t why, X86Fault *fault)
{
    *fault = (X86Fault){
        .vector = VECTOR_PF,
        .error_code = (uint32_t)(fault_bits(vcpu, walk, access) | why),
        .address = linear,
    };
}

bool x86_is_canonical(uint64_t linear)
{
    return (uint64_t)((int64_t)linear >> CANONICAL_BITS) + 1 <= 1;
}

static bool find_path(const X86VCpu *vcpu, const Walk *walk, uint64_t linear, uint64_t access,
                      Path *path, X86Fault *fault)
{
    uint64_t table = walk->root;
    uint64_t rights = ENTRY_W | ENTRY_U;
    bool no_execute = false;

    for (unsigned level = walk->levels; level-- > 0;) {
        const unsigned shift = 12 + walk->index_bits * level;
        const uint64_t index = linear >> shift & ((UINT64_C(1) << walk->index_bits) - 1);
        const uint64_t gpa = table + index * walk->entry_size;
        uint64_t entry;
        bool large;

        if (!read_entry(vcpu, walk, gpa, &entry) || (entry & ENTRY_P) == 0) {
            page_fault(vcpu, walk, linear, access, 0, fault);
            return false;
        }
        large = is_large(walk, level, entry);
        if ((entry & reserved_bits(walk, level, large)) != 0) {
            page_fault(vcpu, walk, linear, access, PF_PRESENT | PF_RESERVED, fault);
            return false;
        }
        path->entries[level].gpa = gpa;
        path->entries[level].value = entry;
        if (level + 1 < walk->levels || walk->has_rights_at_top) {
            rights &= entry;
            no_execute = no_execute || (entry & ENTRY_NX) != 0;
        }
        if (level == 0 || large) {
            path->last = level;
            path->gpa = frame_of(walk, entry, shift) | (linear & ((UINT64_C(1) << shift) - 1));
            if (is_allowed(vcpu, rights, no_execute, access)) {
                return true;
            }
            page_fault(vcpu, walk, linear, access, PF_PRESENT, fault);
            return false;
        }
        table = entry & ENTRY_ADDR;
    }
    page_fault(vcpu, walk, linear, access, 0, fault);
    return false;
}

// ---- accessed and dirty flags (4.8) ----

// False when the entry is no longer what it was. One that the guest cannot write stays.
static X86_RARE bool set_flags(const X86VCpu *vcpu, const Walk *walk, uint64_t gpa, uint64_t value,
                               uint64_t flags)
{
    void *memory = x86_ept_lookup(vcpu, gpa, AX_MAP_READ | AX_MAP_WRITE);
    uint32_t half = (uint32_t)value;

    if (memory == NULL) {
        return true;
    }
    if (walk->entry_size == sizeof(half)) {
        return atomic_compare_exchange_strong_explicit((_Atomic uint32_t *)memory, &half,
                                                       half | (uint32_t)flags, memory_order_seq_cst,
                                                       memory_order_relaxed);
    }
    return atomic_compare_exchange_strong_explicit((_Atomic uint64_t *)memory, &value,
                                                   value | flags, memory_order_seq_cst,
                                                   memory_order_relaxed);
}

static bool mark_path(const X86VCpu *vcpu, const Walk *walk, const Path *path, uint64_t access)
{
    const unsigned end = walk->has_rights_at_top ? walk->levels : walk->levels - 1;
    uint64_t flags = ENTRY_A | ((access & PF_WRITE) != 0 ? ENTRY_D : 0);

    for (unsigned level = path->last; level < end; level++) {
        const uint64_t value = path->entries[level].value;

        if ((value & flags) != flags &&
            !set_flags(vcpu, walk, path->entries[level].gpa, value, flags)) {
            return false;
        }
        flags = ENTRY_A;
    }
    return true;
}

static bool walk_tables(const X86VCpu *vcpu, uint64_t linear, uint64_t access, uint64_t *gpa,
                        X86Fault *fault)
{
    const Walk walk = walk_of(vcpu);

    for (unsigned i = 0; i < MAX_WALKS; i++) {
        Path path;

        if (!find_path(vcpu, &walk, linear, access, &path, fault)) {
            return false;
        }
        if (mark_path(vcpu, &walk, &path, access)) {
            *gpa = path.gpa;
            return true;
        }
    }
    page_fault(vcpu, &walk, linear, access, 0, fault);
    return false;
}

static bool translate(const X86VCpu *vcpu, bool is_64bit, uint64_t linear, uint64_t access,
                      uint64_t *gpa, X86Fault *fault)
{
    if (!is_64bit) {
        linear &= UINT32_MAX;
    } else if (!x86_is_canonical(linear)) {
        *fault = (X86Fault){.vector = VECTOR_GP};
        return false;
    }
    if ((x86_read(vcpu, X86_FIELD_CR0) & CR0_PG) == 0) {
        *gpa = linear;
        return true;
    }
    return walk_tables(vcpu, linear, access, gpa, fault);
}

bool x86_translate(const X86VCpu *vcpu, uint64_t linear, uint64_t access, uint64_t *gpa,
                   X86Fault *fault)
{
    return translate(vcpu, x86_is_64bit(vcpu), linear, access, gpa, fault);
}

// ---- copies ----

static size_t to_page_end(uint64_t linear, size_t size)
{
    const size_t left = AX_PAGE_SIZE - linear % AX_PAGE_SIZE;

    return size < left ? size : left;
}

static uint64_t user_bit(const X86VCpu *vcpu)
{
    return x86_cpl(vcpu) == 3 ? PF_USER : 0;
}

static bool nested_fault(uint64_t gpa, MappingFlags right, X86Fault *fault)
{
    *fault = (X86Fault){.vector = X86_FAULT_NESTED, .error_code = right, .address = gpa};
    return false;
}

static bool read_pages(const X86VCpu *vcpu, bool is_64bit, uint64_t linear, uint64_t access,
                       void *out, size_t size, X86Fault *fault)
{
    uint8_t *bytes = out;

    while (size != 0) {
        const size_t part = to_page_end(linear, size);
        const void *memory;
        uint64_t gpa;

        if (!translate(vcpu, is_64bit, linear, access, &gpa, fault)) {
            return false;
        }
        memory = x86_ept_lookup(vcpu, gpa, AX_MAP_READ);
        if (memory == NULL) {
            return nested_fault(gpa, AX_MAP_READ, fault);
        }
        memcpy(bytes, memory, part);
        bytes += part;
        linear += part;
        size -= part;
    }
    return true;
}

bool x86_read_memory(const X86VCpu *vcpu, uint64_t linear, uint64_t access, void *out, size_t size,
                     X86Fault *fault)
{
    return read_pages(vcpu, x86_is_64bit(vcpu), linear, access | user_bit(vcpu), out, size, fault);
}

bool x86_read_system(const X86VCpu *vcpu, uint64_t linear, void *out, size_t size, X86Fault *fault)
{
    return read_pages(vcpu, x86_is_64bit(vcpu), linear, 0, out, size, fault);
}

static bool translate_pages(const X86VCpu *vcpu, uint64_t linear, size_t size, uint64_t access,
                            uint64_t *gpa, X86Fault *fault)
{
    const size_t first = to_page_end(linear, size);

    return x86_translate(vcpu, linear, access, &gpa[0], fault) &&
           (first == size || x86_translate(vcpu, linear + first, access, &gpa[1], fault));
}

bool x86_translate_data(const X86VCpu *vcpu, uint64_t linear, size_t size, uint64_t access,
                        uint64_t *gpa, X86Fault *fault)
{
    return translate_pages(vcpu, linear, size, access | user_bit(vcpu), gpa, fault);
}

// Both pages of an access that lies across two.
static bool find_writable(const X86VCpu *vcpu, uint64_t linear, size_t size, uint64_t user,
                          void **memory, X86Fault *fault)
{
    const unsigned pages = to_page_end(linear, size) != size ? 2 : 1;
    uint64_t gpa[2];

    if (!translate_pages(vcpu, linear, size, PF_WRITE | user, gpa, fault)) {
        return false;
    }
    for (unsigned i = 0; i < pages; i++) {
        memory[i] = x86_ept_lookup(vcpu, gpa[i], AX_MAP_WRITE);
        if (memory[i] == NULL) {
            return nested_fault(gpa[i], AX_MAP_WRITE, fault);
        }
    }
    return true;
}

bool x86_may_write(const X86VCpu *vcpu, uint64_t linear, size_t size, X86Fault *fault)
{
    void *memory[2];

    return find_writable(vcpu, linear, size, user_bit(vcpu), memory, fault);
}

bool x86_may_write_system(const X86VCpu *vcpu, uint64_t linear, size_t size, X86Fault *fault)
{
    void *memory[2];

    return find_writable(vcpu, linear, size, 0, memory, fault);
}

static bool write(const X86VCpu *vcpu, uint64_t linear, const void *data, size_t size,
                  uint64_t user, X86Fault *fault)
{
    const size_t first = to_page_end(linear, size);
    void *memory[2];

    if (!find_writable(vcpu, linear, size, user, memory, fault)) {
        return false;
    }
    memcpy(memory[0], data, first);
    if (first != size) {
        memcpy(memory[1], (const uint8_t *)data + first, size - first);
    }
    return true;
}

bool x86_write_memory(X86VCpu *vcpu, uint64_t linear, const void *data, size_t size,
                      X86Fault *fault)
{
    return write(vcpu, linear, data, size, user_bit(vcpu), fault);
}

bool x86_write_system(X86VCpu *vcpu, uint64_t linear, const void *data, size_t size,
                      X86Fault *fault)
{
    return write(vcpu, linear, data, size, 0, fault);
}

// ---- instructions ----

static const X86Field segment_bases[] = {
    X86_FIELD_ES_BASE, X86_FIELD_CS_BASE, X86_FIELD_SS_BASE,
    X86_FIELD_DS_BASE, X86_FIELD_FS_BASE, X86_FIELD_GS_BASE,
};

#define FIRST_64BIT_BASE 4u // FS and GS

uint64_t x86_segment_base(const X86VCpu *vcpu, unsigned segment)
{
    return segment >= FIRST_64BIT_BASE || !x86_is_64bit(vcpu)
               ? x86_read(vcpu, segment_bases[segment % 6])
               : 0;
}

size_t x86_fetch(const X86VCpu *vcpu, uint8_t *bytes)
{
    const bool is_64bit = x86_is_64bit(vcpu);
    const uint64_t base = is_64bit ? 0 : x86_read(vcpu, X86_FIELD_CS_BASE);
    const uint64_t linear = base + vcpu->regs.rip;
    const uint64_t access = PF_FETCH | user_bit(vcpu);
    const size_t most = 15;
    const size_t first = to_page_end(linear, most);
    X86Fault fault;

    if (!read_pages(vcpu, is_64bit, linear, access, bytes, first, &fault)) {
        return 0;
    }
    if (first == most ||
        !read_pages(vcpu, is_64bit, linear + first, access, bytes + first, most - first, &fault)) {
        return first;
    }
    return most;
}
