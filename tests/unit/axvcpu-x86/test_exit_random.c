// SPDX-License-Identifier: Apache-2.0
// The harness of the fuzzer with a fixed seed, for builds without one.
#include "../../fuzz/x86_exit_input.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

// Instructions that access memory, with and without prefixes.
static const uint8_t opcodes[][3] = {
    {0x8a, 0x07}, {0x89, 0x07},       {0x66, 0x8b, 0x07}, {0xa4},       {0xf3, 0xaa},
    {0x86, 0x07}, {0xf0, 0x01, 0x07}, {0x0f, 0xb6, 0x07}, {0xf3, 0x6e}, {0x67, 0xf3, 0x6d},
};

// Number of the exit on each vendor.
static void set_exit(X86ExitInput *input, uint64_t svm, uint64_t vmx)
{
    input->exit_code = (input->mode & INPUT_VMX) != 0 ? vmx : svm;
}

static void make_memory_access(X86ExitInput *input)
{
    set_exit(input, VMEXIT_NPF, VMX_EXIT_EPT_VIOLATION);
    memcpy(input->code, opcodes[input->value % COUNT(opcodes)], sizeof(opcodes[0]));
    input->info_1 &= input->info_1 % 3 == 0 ? UINT64_MAX : PF_WRITE | PF_USER;
    if ((input->mode & INPUT_VMX) != 0) {
        input->info_1 = (input->info_1 & PF_WRITE) | VIOLATION_HAS_LINEAR | VIOLATION_TRANSLATED;
    }
    input->info_2 &= UINT64_C(0xfffffff);
    if (input->base % 4 == 0) {
        input->info_2 = X86_APIC_PAGE | (input->info_2 & 0xff0);
    }
}

static void make_port_access(X86ExitInput *input)
{
    const uint64_t size = input->value % 3;

    set_exit(input, VMEXIT_IOIO, VMX_EXIT_IO);
    input->info_1 &= ~UINT64_C(0x70);
    if ((input->mode & INPUT_VMX) != 0) {
        input->info_1 = (input->info_1 & ~UINT64_C(7)) | ((UINT64_C(1) << size) - 1);
    } else {
        input->info_1 |= UINT64_C(0x10) << size;
    }
    memcpy(input->code, opcodes[8 + input->value % 2], sizeof(opcodes[0]));
}

static void make_msr_access(X86ExitInput *input)
{
    static const uint32_t msrs[] = {0x10,  0x1b,  0x277,      0x6e0, 0xc0000080,
                                    0x808, 0x830, 0x80000000, 0x832, 0x838};

    input->info_1 &= 1;
    set_exit(input, VMEXIT_MSR, input->info_1 == 1 ? VMX_EXIT_WRMSR : VMX_EXIT_RDMSR);
    input->gpr[RCX] = msrs[input->value % COUNT(msrs)];
}

// MOV to CR0 and CR4 of what is nearly good.
static void make_control_access(X86ExitInput *input)
{
    const bool is_cr4 = input->value % 2 == 0;

    set_exit(input, input->exit_code % (VMEXIT_XSETBV + 1), VMX_EXIT_CR_ACCESS);
    if ((input->mode & INPUT_VMX) != 0) {
        input->info_1 = (input->info_1 & 0x300) | (is_cr4 ? 4 : 0);
        for (unsigned n = 0; n < 4; n++) {
            input->gpr[n] &= is_cr4 ? UINT64_C(0x3727ff) : UINT64_C(0xe005003f);
        }
    }
}

// Random exits are seldom some that exist, so most inputs are made so.
static void make_likely(X86ExitInput *input, unsigned i)
{
    input->int_info &= i % 4 == 0 ? UINT64_C(0xffffffff800007ff) : 0;
    for (unsigned n = 0; n < 4; n++) {
        input->entries[n] &= i % 3 == 0 ? input->value & input->base & UINT64_C(0xfff) : 0;
        input->gpr[n] &= i % 5 == 0 ? UINT64_MAX : UINT64_C(0x7fff);
    }
    switch (i % 6) {
    case 0:
    case 1: make_memory_access(input); break;
    case 2: make_port_access(input); break;
    case 3: make_msr_access(input); break;
    case 4: make_control_access(input); break;
    default: break;
    }
}

// The harness gets everywhere.
static void assert_all_seen(void)
{
    static const AxVCpuExitReason reasons[] = {
        AX_EXIT_HYPERCALL,    AX_EXIT_MMIO_READ,          AX_EXIT_MMIO_WRITE,
        AX_EXIT_SYSREG_READ,  AX_EXIT_SYSREG_WRITE,       AX_EXIT_IO_READ,
        AX_EXIT_IO_WRITE,     AX_EXIT_EXTERNAL_INTERRUPT, AX_EXIT_HALT,
        AX_EXIT_IDLE,         AX_EXIT_NESTED_PAGE_FAULT,  AX_EXIT_CPU_UP,
        AX_EXIT_TRIPLE_FAULT, AX_EXIT_SEND_IPI,           AX_EXIT_UNHANDLED,
    };

    for (size_t i = 0; i < COUNT(reasons); i++) {
        assert_true(x86_exit_seen[reasons[i]] > 10);
    }
    assert_true(x86_exit_seen[AX_EXIT_MMIO_READ] > 1000);
    assert_true(x86_exit_seen[AX_EXIT_IO_WRITE] > 1000);
}

static X86ExitInput random_input(uint64_t *seed)
{
    uint64_t words[sizeof(X86ExitInput) / 8];
    X86ExitInput input;

    for (size_t i = 0; i < COUNT(words); i++) {
        words[i] = next_random(seed);
    }
    memcpy(&input, words, sizeof(input));
    return input;
}

static void random_exits_keep_the_promises_of_the_backend(void **state)
{
    uint64_t seed = 0x2545f4914f6cdd1d;

    (void)state;
    for (unsigned i = 0; i < 30000; i++) {
        X86ExitInput input = random_input(&seed);

        make_likely(&input, i);
        x86_exit_input((const uint8_t *)&input, i % 1000 == 1 ? i % sizeof(input) : sizeof(input));
    }
    assert_all_seen();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_exits_keep_the_promises_of_the_backend),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
