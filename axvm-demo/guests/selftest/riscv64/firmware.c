// SPDX-License-Identifier: Apache-2.0
// SBI 2.0 as the guest calls it, good and bad arguments, each with its exact error.
#include "sip.h"

typedef struct CallCase {
    const char *name;
    uint64_t extension;
    uint64_t function;
    uint64_t args[5];
    uint64_t error;
    uint64_t value; // of a success
} CallCase;

#define NO_HART     UINT64_C(0x7f00)
#define NO_MEMORY   UINT64_C(0xf0000000)
#define FAR_AWAY    UINT64_C(0xdead00000000)
#define ALL_HARTS   UINT64_MAX
#define FIRST_BYTES UINT64_C(0x80200000) // the program, readable
#define MASK_OF_63  (UINT64_C(1) << 63)  // a hart that no VM has
#define SBI_SUSP    UINT64_C(0x53555350)
#define SBI_STA     UINT64_C(0x535441)

static const CallCase cases[] = {
    {"BASE: the version is 2.0", SBI_BASE, 0, {0}, SBI_SUCCESS, 0x2000000},
    {"BASE: no function 7", SBI_BASE, 7, {0}, SBI_NOT_SUPPORTED, 0},
    {"BASE: no function -1", SBI_BASE, UINT64_MAX, {0}, SBI_NOT_SUPPORTED, 0},
    {"probe: BASE", SBI_BASE, SBI_BASE_PROBE, {SBI_BASE}, SBI_SUCCESS, 1},
    {"probe: TIME", SBI_BASE, SBI_BASE_PROBE, {SBI_TIME}, SBI_SUCCESS, 1},
    {"probe: IPI", SBI_BASE, SBI_BASE_PROBE, {SBI_IPI}, SBI_SUCCESS, 1},
    {"probe: RFENCE", SBI_BASE, SBI_BASE_PROBE, {SBI_RFENCE}, SBI_SUCCESS, 1},
    {"probe: HSM", SBI_BASE, SBI_BASE_PROBE, {SBI_HSM}, SBI_SUCCESS, 1},
    {"probe: SRST", SBI_BASE, SBI_BASE_PROBE, {SBI_SRST}, SBI_SUCCESS, 1},
    {"probe: DBCN", SBI_BASE, SBI_BASE_PROBE, {SBI_DBCN}, SBI_SUCCESS, 1},
    {"probe: legacy console", SBI_BASE, SBI_BASE_PROBE, {SBI_LEGACY_GETCHAR}, SBI_SUCCESS, 1},
    {"probe: no PMU", SBI_BASE, SBI_BASE_PROBE, {SBI_PMU}, SBI_SUCCESS, 0},
    {"probe: no system suspend", SBI_BASE, SBI_BASE_PROBE, {SBI_SUSP}, SBI_SUCCESS, 0},
    {"probe: no stolen time", SBI_BASE, SBI_BASE_PROBE, {SBI_STA}, SBI_SUCCESS, 0},
    {"probe: not what nobody knows", SBI_BASE, SBI_BASE_PROBE, {0x12345678}, SBI_SUCCESS, 0},
    {"probe: all 64 bits count", SBI_BASE, SBI_BASE_PROBE, {SBI_TIME | UINT64_C(1) << 32}, 0, 0},
    {"TIME: no deadline", SBI_TIME, 0, {UINT64_MAX}, SBI_SUCCESS, 0},
    {"TIME: no function 1", SBI_TIME, 1, {0}, SBI_NOT_SUPPORTED, 0},
    {"IPI: to nobody", SBI_IPI, 0, {0, 0}, SBI_SUCCESS, 0},
    {"IPI: a hart that is not there", SBI_IPI, 0, {MASK_OF_63, 0}, SBI_INVALID_PARAM, 0},
    {"IPI: a base that is not there", SBI_IPI, 0, {1, NO_HART}, SBI_INVALID_PARAM, 0},
    {"IPI: a good hart and a bad one", SBI_IPI, 0, {1 | MASK_OF_63, 0}, SBI_INVALID_PARAM, 0},
    {"IPI: base and mask overflow", SBI_IPI, 0, {7, UINT64_MAX - 1}, SBI_INVALID_PARAM, 0},
    {"IPI: no function 1", SBI_IPI, 1, {1, 0}, SBI_NOT_SUPPORTED, 0},
    {"RFENCE: fence.i here", SBI_RFENCE, 0, {1, 0}, SBI_SUCCESS, 0},
    {"RFENCE: fence.i everywhere", SBI_RFENCE, 0, {0, ALL_HARTS}, SBI_SUCCESS, 0},
    {"RFENCE: fence.i on no hart", SBI_RFENCE, 0, {MASK_OF_63, 0}, SBI_INVALID_PARAM, 0},
    {"RFENCE: sfence.vma of a page", SBI_RFENCE, 1, {1, 0, FIRST_BYTES, 4096}, SBI_SUCCESS, 0},
    {"RFENCE: sfence.vma of all", SBI_RFENCE, 1, {1, 0, 0, UINT64_MAX}, SBI_SUCCESS, 0},
    {"RFENCE: sfence.vma of much", SBI_RFENCE, 1, {1, 0, 1, UINT64_MAX - 1}, SBI_SUCCESS, 0},
    {"RFENCE: sfence.vma on no hart", SBI_RFENCE, 1, {1, NO_HART, 0, 0}, SBI_INVALID_PARAM, 0},
    {"RFENCE: sfence.vma of an ASID", SBI_RFENCE, 2, {1, 0, 0, 4096, 7}, SBI_SUCCESS, 0},
    {"RFENCE: ASID, no hart", SBI_RFENCE, 2, {MASK_OF_63, 0, 0, 0, 7}, SBI_INVALID_PARAM, 0},
    {"RFENCE: no hfence.gvma.vmid", SBI_RFENCE, 3, {1, 0, 0, 4096}, SBI_NOT_SUPPORTED, 0},
    {"RFENCE: no hfence.gvma", SBI_RFENCE, 4, {1, 0, 0, 4096}, SBI_NOT_SUPPORTED, 0},
    {"RFENCE: no hfence.vvma.asid", SBI_RFENCE, 5, {1, 0, 0, 4096}, SBI_NOT_SUPPORTED, 0},
    {"RFENCE: no hfence.vvma", SBI_RFENCE, 6, {1, 0, 0, 4096}, SBI_NOT_SUPPORTED, 0},
    {"RFENCE: no function 7", SBI_RFENCE, 7, {1, 0}, SBI_NOT_SUPPORTED, 0},
    {"HSM: start of a running hart", SBI_HSM, 0, {0, FIRST_BYTES, 0}, SBI_ALREADY_AVAILABLE, 0},
    {"HSM: start of no hart", SBI_HSM, 0, {NO_HART, FIRST_BYTES, 0}, SBI_INVALID_PARAM, 0},
    {"HSM: start of hart -1", SBI_HSM, 0, {UINT64_MAX, FIRST_BYTES, 0}, SBI_INVALID_PARAM, 0},
    {"HSM: this hart is started", SBI_HSM, 2, {0}, SBI_SUCCESS, SBI_STARTED},
    {"HSM: status of no hart", SBI_HSM, 2, {NO_HART}, SBI_INVALID_PARAM, 0},
    {"HSM: status of hart 2^32", SBI_HSM, 2, {UINT64_C(1) << 32}, SBI_INVALID_PARAM, 0},
    {"HSM: a reserved suspend type", SBI_HSM, 3, {1, FIRST_BYTES}, SBI_INVALID_PARAM, 0},
    {"HSM: a platform's suspend type", SBI_HSM, 3, {0x10000000, 0}, SBI_INVALID_PARAM, 0},
    {"HSM: another reserved one", SBI_HSM, 3, {0x80000001, FIRST_BYTES}, SBI_INVALID_PARAM, 0},
    {"HSM: resume nowhere", SBI_HSM, 3, {SBI_NON_RETENTIVE, FAR_AWAY}, SBI_INVALID_ADDRESS, 0},
    {"HSM: no function 4", SBI_HSM, 4, {0}, SBI_NOT_SUPPORTED, 0},
    {"SRST: a reserved type", SBI_SRST, 0, {3, 0}, SBI_INVALID_PARAM, 0},
    {"SRST: a vendor's type", SBI_SRST, 0, {0xf0000000, 0}, SBI_INVALID_PARAM, 0},
    {"SRST: a reserved reason", SBI_SRST, 0, {0, 2}, SBI_INVALID_PARAM, 0},
    {"SRST: a reserved reason of a reboot", SBI_SRST, 0, {1, 0xdfffffff}, SBI_INVALID_PARAM, 0},
    {"SRST: no function 1", SBI_SRST, 1, {0, 0}, SBI_NOT_SUPPORTED, 0},
    {"DBCN: a write of nothing", SBI_DBCN, 0, {0, FIRST_BYTES, 0}, SBI_SUCCESS, 0},
    {"DBCN: a write from nowhere", SBI_DBCN, 0, {4, NO_MEMORY, 0}, SBI_INVALID_PARAM, 0},
    {"DBCN: a write from a device", SBI_DBCN, 0, {4, GUEST_SCRATCH_BASE, 0}, SBI_INVALID_PARAM, 0},
    {"DBCN: a write from far away", SBI_DBCN, 0, {4, FIRST_BYTES, 1}, SBI_INVALID_PARAM, 0},
    {"DBCN: a write that overflows",
     SBI_DBCN,
     0,
     {UINT64_MAX, FIRST_BYTES, 0},
     SBI_INVALID_PARAM,
     0},
    {"DBCN: a read of nothing", SBI_DBCN, 1, {0, FIRST_BYTES, 0}, SBI_SUCCESS, 0},
    {"DBCN: a read to nowhere", SBI_DBCN, 1, {4, NO_MEMORY, 0}, SBI_INVALID_PARAM, 0},
    {"DBCN: a read to a device", SBI_DBCN, 1, {4, GUEST_SCRATCH_BASE, 0}, SBI_INVALID_PARAM, 0},
    {"DBCN: a read to far away", SBI_DBCN, 1, {4, FIRST_BYTES, 1}, SBI_INVALID_PARAM, 0},
    {"DBCN: a byte", SBI_DBCN, 2, {'\r'}, SBI_SUCCESS, 0},
    {"DBCN: no function 3", SBI_DBCN, 3, {0}, SBI_NOT_SUPPORTED, 0},
    {"an unknown standard extension", SBI_PMU, 0, {0}, SBI_NOT_SUPPORTED, 0},
    {"an unknown vendor's extension", 0x09000000, 0, {0}, SBI_NOT_SUPPORTED, 0},
    {"an unknown firmware's extension", 0x0a000000, 0, {0}, SBI_NOT_SUPPORTED, 0},
    {"an extension with high bits", SBI_BASE | UINT64_C(1) << 32, 0, {0}, SBI_NOT_SUPPORTED, 0},
    {"a hypercall that does nothing", SBI_EXPERIMENTAL | GUEST_HC_NONE, 0, {0}, SBI_SUCCESS, 0},
    {"an unknown hypercall", SBI_EXPERIMENTAL | 0x7fff, 0, {0}, SBI_NOT_SUPPORTED, 0},
};

static void calls_answer(void)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const CallCase *c = &cases[i];
        const GuestSbi result = guest_sbi(
            c->extension, c->function,
            (const uint64_t[6]){c->args[0], c->args[1], c->args[2], c->args[3], c->args[4]});

        if (GUEST_CHECK_EQ(result.error, c->error, c->name) && c->error == SBI_SUCCESS) {
            GUEST_CHECK_EQ(result.value, c->value, c->name);
        }
    }
}

static void base_names_the_machine(void)
{
    static const char *const names[] = {
        "BASE: an implementation id", "BASE: an implementation version", NULL,
        "BASE: a vendor id",          "BASE: an architecture id",        "BASE: a machine id",
    };

    for (uint64_t function = 1; function <= 6; function++) {
        const char *const name = names[function - 1];

        if (name != NULL) {
            GUEST_CHECK_EQ(guest_sbi3(SBI_BASE, function, 0, 0, 0).error, SBI_SUCCESS, name);
        }
    }
}

// ---- nothing but the results changes ----

#define REG_A0 10u
#define REG_A1 11u
#define REG_A3 13u
#define REG_A6 16u
#define REG_A7 17u

static GuestContext context;

static void prepare(uint64_t extension, uint64_t function, uint64_t a0)
{
    for (uint64_t i = 1; i < 32; i++) {
        context.x[i] = UINT64_C(0x1111111111111111) * i;
    }
    context.x[REG_A0] = a0;
    context.x[REG_A1] = 0;
    context.x[REG_A6] = function;
    context.x[REG_A7] = extension;
}

// Makes the prepared call; true when it changed no register from x1 on but a0 and, perhaps, a1.
static bool call_keeps_registers(bool also_a1)
{
    const GuestContext before = context;
    bool same = guest_step(&context, GUEST_CODE("ecall"), false);

    for (unsigned i = 1; i < 32; i++) {
        same = same && (i == REG_A0 || (i == REG_A1 && !also_a1) || context.x[i] == before.x[i]);
    }
    return same;
}

static void registers_survive(void)
{
    static const uint64_t calls[][3] = {
        {SBI_BASE, SBI_BASE_VERSION, 0},
        {SBI_TIME, 0, UINT64_MAX},
        {SBI_IPI, 0, 0},
        {SBI_RFENCE, 0, 1},
        {SBI_HSM, SBI_HART_STATUS, 0},
        {SBI_SRST, 0, 3},
        {SBI_DBCN, SBI_DBCN_WRITE, 0},
        {SBI_PMU, 0, 0},
        {SBI_EXPERIMENTAL | GUEST_HC_NONE, 0, 0},
        {SBI_HSM, SBI_HART_STATUS, NO_HART},
    };
    bool same = true;

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        prepare(calls[i][0], calls[i][1], calls[i][2]);
        same = call_keeps_registers(false) && same;
    }
    GUEST_CHECK(same, "a call changes a0 and a1 only");
}

// ---- DBCN with memory ----

static char text[] = "# DBCN wrote this line\n";

static void write_text(uint64_t address, uint64_t length, const char *name)
{
    uint64_t done = 0;
    GuestSbi result = {SBI_SUCCESS, 1};

    // It may take less than all of it.
    while (done < length && result.error == SBI_SUCCESS && result.value != 0) {
        result = guest_sbi3(SBI_DBCN, SBI_DBCN_WRITE, length - done, address + done, 0);
        done += result.value;
    }
    GUEST_CHECK(result.error == SBI_SUCCESS && done == length, name);
}

static void console_by_memory(void)
{
    static char pages[2 * GUEST_PAGE] __attribute__((aligned(4096)));
    const uint64_t length = sizeof(text) - 1;
    char *const crossing = pages + GUEST_PAGE - length / 2;

    write_text((uint64_t)text, length, "DBCN: a line is written");
    for (uint64_t i = 0; i < length; i++) {
        crossing[i] = text[i];
    }
    write_text((uint64_t)crossing, length, "DBCN: a line across two pages");
}

static void console_reads(void)
{
    static char buffer[16] = "unchanged";
    const GuestSbi result = guest_sbi3(SBI_DBCN, SBI_DBCN_READ, sizeof(buffer), (uint64_t)buffer,
                                       0);

    GUEST_CHECK_EQ(result.error, SBI_SUCCESS, "DBCN: a read when nothing was typed");
    GUEST_CHECK(result.value != 0 || buffer[0] == 'u', "and it leaves the buffer alone");
}

// ---- HSM ----

static void bad_entry_is_refused(void)
{
    const uint64_t error = guest_sbi3(SBI_HSM, SBI_HART_START, 1, FAR_AWAY, 0).error;

    GUEST_CHECK(error == SBI_INVALID_ADDRESS || error == SBI_INVALID_PARAM,
                "HSM: start with an entry outside memory");
}

// A suspended hart is woken by its timer, which stays pending because interrupts are off.
static uint64_t wake_soon(void)
{
    const uint64_t deadline = guest_ticks() + guest_tick_rate() / 100;

    CLEAR_CSR(sip, IRQ_BIT(GUEST_IRQ_SOFTWARE));
    (void)guest_sbi3(SBI_TIME, 0, deadline, 0, 0);
    return deadline;
}

static void suspend_and_resume(void)
{
    uint64_t deadline = wake_soon();
    uint64_t error = guest_sbi3(SBI_HSM, SBI_HART_SUSPEND, SBI_RETENTIVE, 0, 0).error;
    uint64_t end = guest_ticks();

    GUEST_CHECK_EQ(error, SBI_SUCCESS, "HSM: a retentive suspend comes back");
    GUEST_CHECK(end >= deadline, "because the timer woke it");
    deadline = wake_soon();
    error = guest_cpu_suspend();
    end = guest_ticks();
    GUEST_CHECK_EQ(error, SBI_SUCCESS,
                   "HSM: a non-retentive one comes back where it should, without translation");
    GUEST_CHECK(end >= deadline, "because the timer woke it, too");
    (void)guest_sbi3(SBI_TIME, 0, UINT64_MAX, 0, 0);
}

// ---- the legacy extensions: a0 is the only result ----

typedef struct LegacyCase {
    const char *name;
    uint64_t extension;
    uint64_t a0;
    uint64_t expected;
} LegacyCase;

#define LEGACY_ASID UINT64_C(7)

static uint64_t hart_mask = 1;
static uint64_t bad_hart_mask = MASK_OF_63;

static void legacy_calls(void)
{
    const LegacyCase legacy[] = {
        {"legacy set_timer", 0, UINT64_MAX, 0},
        {"legacy putchar", 1, '\r', 0},
        {"legacy clear_ipi", 3, 0, 0},
        {"legacy send_ipi", 4, (uint64_t)&hart_mask, 0},
        {"legacy remote_fence_i", 5, (uint64_t)&hart_mask, 0},
        {"legacy remote_sfence_vma", 6, (uint64_t)&hart_mask, 0},
        {"legacy remote_sfence_vma_asid", 7, (uint64_t)&hart_mask, 0},
        {"legacy extension 9 is reserved", 9, 0, SBI_NOT_SUPPORTED},
        {"legacy extension 15 is reserved", 15, 0, SBI_NOT_SUPPORTED},
    };

    for (size_t i = 0; i < sizeof(legacy) / sizeof(legacy[0]); i++) {
        const bool has_value = legacy[i].expected == SBI_NOT_SUPPORTED;

        prepare(legacy[i].extension, 0, legacy[i].a0);
        context.x[REG_A3] = LEGACY_ASID;
        GUEST_CHECK(call_keeps_registers(!has_value), legacy[i].name);
        GUEST_CHECK_EQ(context.x[REG_A0], legacy[i].expected, legacy[i].name);
    }
    GUEST_CHECK(sip_shows(GUEST_IRQ_SOFTWARE), "legacy send_ipi has arrived");
    CLEAR_CSR(sip, IRQ_BIT(GUEST_IRQ_SOFTWARE));
}

// A mask that cannot be read: an error or a page fault at the call, but nothing else.
static void legacy_bad_masks(void)
{
    prepare(4, 0, (uint64_t)&bad_hart_mask);
    (void)guest_step(&context, GUEST_CODE("ecall"), false);
    GUEST_CHECK(context.cause == CAUSE_BREAKPOINT, "legacy send_ipi to no hart comes back");
    prepare(4, 0, UINT64_C(0x4000000000) - 8);
    (void)guest_step(&context, GUEST_CODE("ecall"), false);
    GUEST_CHECK(context.cause == CAUSE_BREAKPOINT ? (int64_t)context.x[REG_A0] < 0
                                                  : context.cause == CAUSE_LOAD_PAGE,
                "legacy send_ipi with a mask that is not mapped fails");
    CLEAR_CSR(sip, IRQ_BIT(GUEST_IRQ_SOFTWARE));
}

void test_firmware(void)
{
    calls_answer();
    base_names_the_machine();
    registers_survive();
    console_by_memory();
    console_reads();
    bad_entry_is_refused();
    suspend_and_resume();
    legacy_calls();
    legacy_bad_masks();
}
