// SPDX-License-Identifier: Apache-2.0
// A guest that does something wrong gets a fault, and goes on.
#include "selftest.h"

#define NOWHERE     UINT64_C(0x18000000) // no device
#define NOWHERE_RAM UINT64_C(0xf0000000) // beyond the RAM
#define NOT_MAPPED  UINT64_C(0x3ffffff000)
#define TOO_FAR     UINT64_C(0x3f0000000000) // more bits than a guest-physical address has

enum {
    PAGE_NOWHERE = GUEST_WINDOW_PAGE + 16,
    PAGE_TOO_FAR,
    PAGE_NOWHERE_USER,
    PAGE_CODE_NOWHERE,
};

static void expect(GuestFault fault, uint64_t cause, uint64_t address, const char *name)
{
    if (GUEST_CHECK(fault.taken, name) && GUEST_CHECK_EQ(fault.cause, cause, name)) {
        GUEST_CHECK_EQ(fault.tval, address, name);
    }
}

static void wild_accesses(void)
{
    expect(GUEST_FAULT_OF((void)mmio_read32(NOWHERE)), CAUSE_LOAD_ACCESS, NOWHERE,
           "a read from nowhere");
    expect(GUEST_FAULT_OF(mmio_write64(NOWHERE + 8, 1)), CAUSE_STORE_ACCESS, NOWHERE + 8,
           "a write to nowhere");
    expect(GUEST_FAULT_OF((void)mmio_read8(NOWHERE_RAM)), CAUSE_LOAD_ACCESS, NOWHERE_RAM,
           "a read behind the memory");
    expect(GUEST_FAULT_OF(mmio_write8(NOWHERE_RAM + 3, 1)), CAUSE_STORE_ACCESS, NOWHERE_RAM + 3,
           "a write behind the memory");
    guest_paging(false);
    const GuestFault bare = GUEST_FAULT_OF((void)mmio_read32(NOWHERE + 4));

    guest_paging(true);
    expect(bare, CAUSE_LOAD_ACCESS, NOWHERE + 4, "a read from nowhere without translation");
}

static void wild_accesses_elsewhere(void)
{
    const uint64_t nowhere = guest_map(PAGE_NOWHERE, NOWHERE, PTE_R | PTE_W) + 0x128;
    const uint64_t too_far = guest_map(PAGE_TOO_FAR, TOO_FAR, PTE_R | PTE_W) + 0x10;

    guest_fence_vma();
    expect(GUEST_FAULT_OF((void)mmio_read64(nowhere)), CAUSE_LOAD_ACCESS, nowhere,
           "a read from nowhere has the virtual address");
    expect(GUEST_FAULT_OF(mmio_write32(nowhere, 1)), CAUSE_STORE_ACCESS, nowhere, "so has a write");
    expect(GUEST_FAULT_OF((void)mmio_read64(too_far)), CAUSE_LOAD_ACCESS, too_far,
           "a read beyond all guest-physical addresses");
    expect(GUEST_FAULT_OF(mmio_write64(too_far, 1)), CAUSE_STORE_ACCESS, too_far,
           "a write beyond all guest-physical addresses");
}

static void jump(uint64_t target, uint64_t cause, const char *name)
{
    const GuestFault fault = GUEST_FAULT_OF(((void (*)(void))target)());

    expect(fault, cause, target, name);
    GUEST_CHECK_EQ(fault.epc, target, name);
}

static void wild_jumps(void)
{
    const uint64_t code = guest_map(PAGE_CODE_NOWHERE, NOWHERE, PTE_R | PTE_X) + 0x40;
    const uint64_t device = guest_map(PAGE_NOWHERE, GUEST_SCRATCH_BASE, PTE_R | PTE_X) + 0x80;

    guest_fence_vma();
    jump(NOWHERE_RAM, CAUSE_FETCH_ACCESS, "a jump to nowhere");
    jump(code, CAUSE_FETCH_ACCESS, "a jump to nowhere, elsewhere");
    jump(device, CAUSE_FETCH_ACCESS, "a jump into a device");
    jump(GUEST_SCRATCH_BASE, CAUSE_FETCH_PAGE, "a jump that the guest's own tables forbid");
}

// The walk of the guest's tables comes to a table that is not memory: the fault is that of the access
// that made the walk.
static void wild_table(uint64_t table, const char *load, const char *store, const char *fetch)
{
    const uint64_t address = guest_map_table(table) + 0x1008;

    expect(GUEST_FAULT_OF((void)mmio_read64(address)), CAUSE_LOAD_ACCESS, address, load);
    expect(GUEST_FAULT_OF(mmio_write64(address, 1)), CAUSE_STORE_ACCESS, address, store);
    jump(address, CAUSE_FETCH_ACCESS, fetch);
}

static void wild_tables(void)
{
    wild_table(NOWHERE_RAM, "a load through a table that is nowhere",
               "a store through a table that is nowhere", "a jump through a table that is nowhere");
    wild_table(GUEST_SCRATCH_BASE, "a load through a table in a device",
               "a store through a table in a device", "a jump through a table in a device");
}

static void user_accesses(void)
{
    static GuestContext context;
    const uint64_t page = guest_map(PAGE_NOWHERE_USER, NOWHERE, PTE_R | PTE_W | PTE_U);

    guest_fence_vma();
    context.x[11] = page + 8;
    (void)guest_step(&context, GUEST_CODE("c.sd a0, 0(a1)"), true);
    GUEST_CHECK(context.cause == CAUSE_STORE_ACCESS && context.tval == page + 8,
                "a store to nowhere from U mode");
    GUEST_CHECK_EQ(context.sstatus & SSTATUS_SPP, 0, "and SPP says that it was U mode");
}

// ---- CSRs and instructions that a guest has not ----

static void illegal(const char *name, const void *code)
{
    static GuestContext context;
    const uint32_t instruction = *(const uint32_t *)code;

    context.x[11] = GUEST_RAM_BASE + 0x200000;
    (void)guest_step(&context, code, false);
    const bool good = context.cause == CAUSE_ILLEGAL && context.pc == guest_step_pc(false) &&
                      (context.tval == 0 || context.tval == instruction);

    GUEST_CHECK(good, name);
    if (!good) {
        guest_printf("# cause %lu tval 0x%lx pc 0x%lx\n", context.cause, context.tval, context.pc);
    }
}

#define ILLEGAL(text, name) illegal(name " is illegal", GUEST_CODE(text))

static void machine_csrs(void)
{
    ILLEGAL("csrr a0, 0xf14", "mhartid");
    ILLEGAL("csrr a0, 0x300", "mstatus");
    ILLEGAL("csrw 0x304, a0", "a write of mie");
    ILLEGAL("csrr a0, 0x301", "misa");
    ILLEGAL("csrr a0, 0x3a0", "pmpcfg0");
    ILLEGAL("csrr a0, 0x7a0", "tselect");
    ILLEGAL("csrr a0, 0x7b0", "dcsr");
    ILLEGAL("csrr a0, 0xb00", "mcycle");
    ILLEGAL("mret", "mret");
}

static void hypervisor_csrs(void)
{
    ILLEGAL("csrr a0, 0x600", "hstatus");
    ILLEGAL("csrw 0x600, a0", "a write of hstatus");
    ILLEGAL("csrr a0, 0x602", "hedeleg");
    ILLEGAL("csrr a0, 0x680", "hgatp");
    ILLEGAL("csrs 0x645, a0", "hvip");
    ILLEGAL("csrr a0, 0x605", "htimedelta");
    ILLEGAL("csrr a0, 0x200", "vsstatus");
    ILLEGAL("csrw 0x280, a0", "vsatp");
    ILLEGAL("csrr a0, 0x24d", "vstimecmp");
    ILLEGAL("csrr a0, 0xe12", "hgeip");
}

static void hypervisor_instructions(void)
{
    ILLEGAL(".insn r 0x73, 4, 0x36, a0, a1, x0", "hlv.d");
    ILLEGAL(".insn r 0x73, 4, 0x32, a0, a1, x3", "hlvx.hu");
    ILLEGAL(".insn r 0x73, 4, 0x35, x0, a1, a2", "hsv.w");
    ILLEGAL(".insn r 0x73, 0, 0x11, x0, x0, x0", "hfence.vvma");
    ILLEGAL(".insn r 0x73, 0, 0x31, x0, x0, x0", "hfence.gvma");
}

static void other_csrs(void)
{
    ILLEGAL("csrr a0, 0x5c0", "a custom CSR");
    ILLEGAL("csrr a0, 0x8ff", "a custom user CSR");
    ILLEGAL("csrr a0, 0x1ff", "a reserved CSR");
    ILLEGAL("csrw 0xc01, a0", "a write of time");
    ILLEGAL("csrw 0xc00, a0", "a write of cycle");
    ILLEGAL("csrr a0, 0xc83", "a counter of RV32");
    ILLEGAL(".4byte 0x00000000", "an instruction of zeros");
    ILLEGAL(".4byte 0xffffffff", "an instruction of ones");
}

static void counters(void)
{
    GUEST_CHECK(!GUEST_FAULT_OF((void)READ_CSR(0xc01)).taken, "time can be read");
    GUEST_CHECK(!GUEST_FAULT_OF((void)READ_CSR(0xc00)).taken, "cycle can be read");
    GUEST_CHECK(!GUEST_FAULT_OF((void)READ_CSR(0xc02)).taken, "instret can be read");
}

static void translation_faults_stay_own(void)
{
    expect(GUEST_FAULT_OF((void)mmio_read32(NOT_MAPPED)), CAUSE_LOAD_PAGE, NOT_MAPPED,
           "a load page fault is the guest's own");
    expect(GUEST_FAULT_OF(mmio_write32(NOT_MAPPED + 4, 1)), CAUSE_STORE_PAGE, NOT_MAPPED + 4,
           "so is a store page fault");
    jump(NOT_MAPPED, CAUSE_FETCH_PAGE, "so is a fetch page fault");
}

void test_faults(void)
{
    wild_accesses();
    wild_accesses_elsewhere();
    wild_jumps();
    wild_tables();
    user_accesses();
    machine_csrs();
    hypervisor_csrs();
    hypervisor_instructions();
    other_csrs();
    counters();
    translation_faults_stay_own();
}
