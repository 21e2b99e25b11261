// SPDX-License-Identifier: Apache-2.0
#include "riscv.h"
#include "riscv_regs.h"

#include <string.h>

// Nothing is believed that can be tried: firmware may keep an extension from us that the ISA string
// names. All CSRs are as before afterwards.

static bool has_hypervisor_csrs(void)
{
    uint64_t value;

    return RV_PROBE(HSTATUS, &value);
}

// Trapped while mstatus.TVM is set.
static bool has_hgatp(void)
{
    uint64_t value;

    return RV_PROBE(HGATP, &value);
}

static bool has_version_1(void)
{
    uint64_t value;

    return RV_PROBE(HENVCFG, &value) && RV_PROBE(SENVCFG, &value);
}

// What hgatp makes of `value`. Nothing is translated by it: no guest runs meanwhile.
static uint64_t try_hgatp(uint64_t value)
{
    const uint64_t sstatus = rv_irq_mask();
    const uint64_t before = RV_SWAP(HGATP, value);
    const uint64_t result = RV_SWAP(HGATP, before);

    rv_irq_restore(sstatus);
    return result;
}

static bool has_gstage_of(uint8_t levels)
{
    const uint64_t mode = riscv_gstage_mode(levels);

    return mode <= HGATP_MODE_SV57X4 &&
           ax_get(try_hgatp(ax_put(mode, HGATP_MODE)), HGATP_MODE) == mode;
}

// Each mode asks for the one before. Only these are tried: QEMU 7.2 takes any number.
uint8_t riscv_gstage_levels(void)
{
    uint8_t levels = RISCV_GSTAGE_LEVELS_MIN;

    if (!has_hgatp()) {
        return 0;
    }
    while (has_gstage_of(levels)) {
        levels++;
    }
    return levels == RISCV_GSTAGE_LEVELS_MIN ? 0 : (uint8_t)(levels - 1);
}

static bool has_gstage(void)
{
    return riscv_gstage_levels() != 0;
}

// In this order: only the first may be asked of any CPU.
static const struct {
    bool (*holds)(void);
    AxError error;
    const char *reason;
} requirements[] = {
    {has_hypervisor_csrs, AX_ENOHW, "this CPU has no hypervisor extension (H)"},
    {has_hgatp, AX_ENOHW, "the firmware keeps hgatp to itself (mstatus.TVM)"},
    {has_version_1, AX_ENOHW, "the hypervisor extension of this CPU is older than 1.0"},
    {has_gstage, AX_ENOHW, "this CPU has no G-stage translation of Sv39x4 or more"},
};

AxError riscv_hardware_check(const char **reason)
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

// VMIDLEN: bits of VMID that can be written, from the lowest.
static uint8_t vmid_bits(void)
{
    const uint64_t ones = ax_put(HGATP_MODE_SV39X4, HGATP_MODE) | HGATP_VMID;
    uint8_t bits = 0;

    for (uint64_t left = ax_get(try_hgatp(ones), HGATP_VMID); (left & 1) != 0; left >>= 1) {
        bits++;
    }
    return bits;
}

// The CSR is there and guests can be given it: both are in the hands of firmware (menvcfg.STCE).
static bool has_sstc(void)
{
    uint64_t value;
    uint64_t before;

    if (!RV_PROBE(VSTIMECMP, &value)) {
        return false;
    }
    before = RV_READ(HENVCFG);
    RV_WRITE(HENVCFG, before | HENVCFG_STCE);
    return (RV_SWAP(HENVCFG, before) & HENVCFG_STCE) != 0;
}

static bool has_fp(void)
{
    const uint64_t before = rv_irq_mask();
    uint64_t tried;

    RV_WRITE(SSTATUS, (before & ~SSTATUS_SIE) | SSTATUS_FS_DIRTY);
    tried = RV_SWAP(SSTATUS, before);
    return (tried & SSTATUS_FS) == SSTATUS_FS_DIRTY;
}

static bool has_stateen(void)
{
    uint64_t value;

    return RV_PROBE(HSTATEEN0, &value);
}

void riscv_features_read(RISCVFeatures *features)
{
    *features = (RISCVFeatures){
        .gstage_levels = riscv_gstage_levels(),
        .vmid_bits = vmid_bits(),
        .has_sstc = has_sstc(),
        .has_fp = has_fp(),
        .has_stateen = has_stateen(),
    };
}

// ---- ISA strings (Unprivileged ISA, chapter on naming conventions) ----

typedef enum Need {
    NEED_NOTHING,
    NEED_FP,
    NEED_SSTC,
} Need;

// What guests are offered when the machine has it, in the order of the result. All of it works
// without a control of ours but those that are set for every guest.
static const struct {
    const char *name;
    Need need;
} offered[] = {
    {"i", NEED_NOTHING},
    {"m", NEED_NOTHING},
    {"a", NEED_NOTHING},
    {"f", NEED_FP},
    {"d", NEED_FP},
    {"c", NEED_NOTHING},
    {"zicntr", NEED_NOTHING},
    {"zicond", NEED_NOTHING},
    {"zicsr", NEED_NOTHING},
    {"zifencei", NEED_NOTHING},
    {"zihintntl", NEED_NOTHING},
    {"zihintpause", NEED_NOTHING},
    {"zfa", NEED_FP},
    {"zfh", NEED_FP},
    {"zfhmin", NEED_FP},
    {"zba", NEED_NOTHING},
    {"zbb", NEED_NOTHING},
    {"zbc", NEED_NOTHING},
    {"zbkb", NEED_NOTHING},
    {"zbkc", NEED_NOTHING},
    {"zbkx", NEED_NOTHING},
    {"zbs", NEED_NOTHING},
    {"sstc", NEED_SSTC},
    {"svinval", NEED_NOTHING},
    {"svnapot", NEED_NOTHING},
};

#define OFFERED_COUNT  (sizeof(offered) / sizeof(offered[0]))
#define IMAFDC         "imafdc"
#define G_STANDS_FOR   "imafd"
#define MULTI_INITIALS "sxz"

static_assert(OFFERED_COUNT <= 32, "a set of them is one word");

// A piece of a string in small letters.
typedef struct Name {
    const char *start;
    size_t length;
} Name;

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return lower(c) >= 'a' && lower(c) <= 'z';
}

static bool is_one_of(char c, const char *set)
{
    while (*set != 0 && *set != lower(c)) {
        set++;
    }
    return *set != 0;
}

// Length of `prefix` when `name` begins with it in letters of any size, else 0.
static size_t matched(const char *name, const char *prefix)
{
    size_t i = 0;

    while (prefix[i] != 0 && lower(name[i]) == prefix[i]) {
        i++;
    }
    return prefix[i] == 0 ? i : 0;
}

// A version may follow a name: digits, then perhaps 'p' and digits.
static bool is_named(Name name, const char *extension)
{
    const size_t length = matched(name.start, extension);

    return length != 0 && length <= name.length &&
           (length == name.length || (length > 1 && is_digit(name.start[length])));
}

static uint32_t add(uint32_t set, Name name)
{
    for (size_t i = 0; i < OFFERED_COUNT; i++) {
        if (is_named(name, offered[i].name)) {
            set |= UINT32_C(1) << i;
        }
    }
    return set;
}

static uint32_t add_letters(uint32_t set, const char *letters)
{
    for (; *letters != 0; letters++) {
        set = add(set, (Name){letters, 1});
    }
    return set;
}

static size_t skip_digits(const char *at)
{
    size_t n = 0;

    while (is_digit(at[n])) {
        n++;
    }
    return n;
}

// The version behind a single letter; a 'p' without digits around it is an extension.
static const char *skip_version(const char *at)
{
    const size_t major = skip_digits(at);

    at += major;
    if (major != 0 && lower(*at) == 'p' && is_digit(at[1])) {
        at += 1 + skip_digits(at + 1);
    }
    return at;
}

// "s" and "u" as letters: supervisor and user mode in strings of old.
static bool is_old_su(const char *at)
{
    return lower(at[0]) == 's' && lower(at[1]) == 'u' && (at[2] == 0 || at[2] == '_');
}

static const char *read_letter(const char *at, uint32_t *set)
{
    if (is_old_su(at)) {
        return at + 2;
    }
    *set = lower(*at) == 'g' ? add_letters(*set, G_STANDS_FOR) : add(*set, (Name){at, 1});
    if (lower(*at) == 'g') {
        *set = add(add(*set, (Name){"zicsr", 5}), (Name){"zifencei", 8});
    }
    return skip_version(at + 1);
}

// An extension with a name of several letters reaches to the next '_'. NULL when it is none.
static const char *read_name(const char *at, uint32_t *set)
{
    Name name = {at, 0};

    while (is_letter(at[name.length]) || is_digit(at[name.length])) {
        name.length++;
    }
    *set = add(*set, name);
    return name.length > 1 ? at + name.length : NULL;
}

static const char *read_extension(const char *at, uint32_t *set)
{
    if (*at == '_') {
        at++;
    }
    if (!is_letter(*at)) {
        return NULL;
    }
    return is_one_of(*at, MULTI_INITIALS) && !is_old_su(at) ? read_name(at, set)
                                                            : read_letter(at, set);
}

// The offered extensions that `isa` names. AX_EINVAL when it is no rv64 string.
static AxError read_isa(const char *isa, uint32_t *set)
{
    const char *at = isa + matched(isa, "rv64");

    *set = 0;
    if (at == isa || !is_one_of(*at, "ig")) {
        return AX_EINVAL;
    }
    while (at != NULL && *at != 0) {
        at = read_extension(at, set);
    }
    return at != NULL ? AX_OK : AX_EINVAL;
}

static bool is_given(Need need, const RISCVFeatures *features)
{
    return need == NEED_NOTHING || (need == NEED_FP && features->has_fp) ||
           (need == NEED_SSTC && features->has_sstc);
}

// Puts `text` at *at and a 0 behind it; false when there is no room.
static bool put(char **at, const char *end, const char *text)
{
    while (*text != 0 && *at < end) {
        *(*at)++ = *text++;
    }
    if (*at == end) {
        return false;
    }
    **at = 0;
    return true;
}

static AxError write_isa(uint32_t set, const RISCVFeatures *features, char *buffer, size_t room)
{
    const char *end = buffer + room;
    bool fits = put(&buffer, end, "rv64");

    for (size_t i = 0; i < OFFERED_COUNT; i++) {
        const bool is_letter_only = offered[i].name[1] == 0;

        if ((set >> i & 1) != 0 && is_given(offered[i].need, features)) {
            fits = fits && (is_letter_only || put(&buffer, end, "_")) &&
                   put(&buffer, end, offered[i].name);
        }
    }
    return fits ? AX_OK : AX_ENOSPC;
}

AxError riscv_guest_isa(const char *host, char *buffer, size_t room)
{
    RISCVFeatures features = {0};
    uint32_t set = add_letters(0, IMAFDC);
    const AxError error = host != NULL ? read_isa(host, &set) : AX_OK;

    if (error != AX_OK) {
        return error;
    }
    if (riscv_hardware_check(NULL) == AX_OK) {
        riscv_features_read(&features);
    }
    return write_isa(set, &features, buffer, room);
}
