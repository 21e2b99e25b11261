// SPDX-License-Identifier: Apache-2.0
// PSCI 1.1 (DEN0022) and SMCCC (DEN0028) as the guest calls them, good and bad arguments.
#include "selftest.h"

typedef struct CallCase {
    const char *name;
    uint64_t fn;
    uint64_t args[3];
    uint64_t expected;
} CallCase;

#define RAM_ADDRESS UINT64_C(0x40200000)
#define NO_CPU      UINT64_C(0x7f00)

static const CallCase cases[] = {
    {"PSCI_VERSION is 1.1", PSCI_VERSION, {0}, 0x10001},
    {"MIGRATE_INFO_TYPE: no migration needed", PSCI_MIGRATE_INFO_TYPE, {0}, 2},
    {"MIGRATE is not supported", PSCI_MIGRATE, {0}, PSCI_NOT_SUPPORTED},
    {"FEATURES knows CPU_ON", PSCI_FEATURES, {PSCI_CPU_ON}, 0},
    {"FEATURES knows CPU_ON (32)", PSCI_FEATURES, {PSCI_CPU_ON_32}, 0},
    {"FEATURES knows CPU_OFF", PSCI_FEATURES, {PSCI_CPU_OFF}, 0},
    {"FEATURES knows SYSTEM_OFF", PSCI_FEATURES, {PSCI_SYSTEM_OFF}, 0},
    {"FEATURES knows SYSTEM_RESET", PSCI_FEATURES, {PSCI_SYSTEM_RESET}, 0},
    {"FEATURES knows SMCCC_VERSION", PSCI_FEATURES, {SMCCC_VERSION}, 0},
    {"FEATURES denies MIGRATE", PSCI_FEATURES, {PSCI_MIGRATE}, PSCI_NOT_SUPPORTED},
    {"FEATURES denies an unknown function", PSCI_FEATURES, {0x8400ffff}, PSCI_NOT_SUPPORTED},
    {"AFFINITY_INFO of this CPU: on", PSCI_AFFINITY_INFO, {0, 0}, 0},
    {"AFFINITY_INFO (32) of this CPU: on", PSCI_AFFINITY_INFO_32, {0, 0}, 0},
    {"AFFINITY_INFO of no CPU", PSCI_AFFINITY_INFO, {NO_CPU, 0}, PSCI_INVALID_PARAMETERS},
    {"AFFINITY_INFO of a bad level", PSCI_AFFINITY_INFO, {0, 4}, PSCI_INVALID_PARAMETERS},
    {"CPU_ON of a running CPU", PSCI_CPU_ON, {0, RAM_ADDRESS, 0}, PSCI_ALREADY_ON},
    {"CPU_ON (32) of a running CPU", PSCI_CPU_ON_32, {0, RAM_ADDRESS, 0}, PSCI_ALREADY_ON},
    {"CPU_ON of no CPU", PSCI_CPU_ON, {NO_CPU, RAM_ADDRESS, 0}, PSCI_INVALID_PARAMETERS},
    {"an unknown PSCI function", 0x8400001f, {0}, PSCI_NOT_SUPPORTED},
    {"an unknown PSCI function (64)", 0xc400001f, {0}, PSCI_NOT_SUPPORTED},
    {"ARCH_FEATURES of an unknown function", SMCCC_ARCH_FEATURES, {0x8000ffff}, PSCI_NOT_SUPPORTED},
    {"an unknown OEM service", 0xc300ff00, {0}, PSCI_NOT_SUPPORTED},
    {"an unknown trusted-OS service", 0xb2000000, {0}, PSCI_NOT_SUPPORTED},
    {"a hypercall that does nothing", GUEST_HC_NONE, {0}, 0},
    {"an unknown hypercall", 0x7fff, {0}, PSCI_NOT_SUPPORTED},
};

// Results of 32-bit functions are defined in w0 only.
static uint64_t result_of(uint64_t fn, uint64_t x0)
{
    const bool is_smc64 = (fn >> 30) & 1;
    const bool is_fast = (fn >> 31) & 1;

    return !is_fast || is_smc64 ? x0 : (uint64_t)(int64_t)(int32_t)x0;
}

static void calls_answer(void)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const CallCase *c = &cases[i];
        const uint64_t x0 = guest_hvc(c->fn, c->args[0], c->args[1], c->args[2]);

        GUEST_CHECK_EQ(result_of(c->fn, x0), c->expected, c->name);
    }
}

static void calling_convention(void)
{
    const uint64_t version = guest_hvc(SMCCC_VERSION, 0, 0, 0);

    GUEST_CHECK(version >= 0x10001 && version < 0x20000, "SMCCC_VERSION is at least 1.1");
}

static void registers_survive(void)
{
    GuestCall call = {.x = {PSCI_VERSION}};
    bool same = true;

    for (size_t i = 4; i < 18; i++) {
        call.x[i] = 0x1111111111111111 * i;
    }
    (void)guest_hvc_regs(&call);
    for (size_t i = 4; i < 18; i++) {
        same = same && call.x[i] == 0x1111111111111111 * i;
    }
    GUEST_CHECK(same, "x4 to x17 survive a call");
}

static void smc_is_answered_here(void)
{
    GuestCall version = {.x = {PSCI_VERSION}};
    GuestCall unknown = {.x = {0xc3001234, 1, 2, 3}};

    GUEST_CHECK_EQ(guest_smc_regs(&version), 0x10001, "PSCI by SMC");
    GUEST_CHECK_EQ(guest_smc_regs(&unknown), PSCI_NOT_SUPPORTED, "an unknown SMC");
}

static void bad_entry_is_refused(void)
{
    const uint64_t x0 = guest_hvc(PSCI_CPU_ON, 1, UINT64_C(0xdead00000000), 0);

    GUEST_CHECK(x0 == PSCI_INVALID_ADDRESS || x0 == PSCI_INVALID_PARAMETERS,
                "CPU_ON with an entry outside memory");
}

void test_firmware(void)
{
    calls_answer();
    calling_convention();
    registers_survive();
    smc_is_answered_here();
    bad_entry_is_refused();
}
