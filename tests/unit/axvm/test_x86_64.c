// SPDX-License-Identifier: Apache-2.0
// The PC board: its devices where every guest looks for them, wired to each other and to the vCPUs.
#include "test.h"

#include <axvm/machines.h>
#include <machine/x86_64_boot.h>

#define BOARD  (&axvm_machine_x86_64)
#define FRAMES 4096u
#define CPUS   4u
#define HZ     UINT64_C(2000000000)

#define IOAPIC        UINT64_C(0xfec00000)
#define INPUT_TIMER   2u
#define INPUT_UART    4u
#define INPUT_SCI     9u
#define LEVEL         0x8000u
#define LOGICAL       0x0800u
#define LOWEST        0x0100u
#define NMI           0x0400u
#define MASKED        0x10000u
#define INTR          256u
#define UART          0x3f8u
#define PM            0x600u
#define TIMER_EVENT   1u
#define CARRY_SECONDS 3u // more than PM timer's 2^23 ticks

static FakeHal host;
static AxVMConfig config;
static AxVM vm;
static const char *why;
static char typed[64];
static size_t typed_count;
static X86Start started; // what the board has told the first vCPU
static uint32_t starts;

// What the backend for x86 has registers for.
AxError axvm_x86_64_set_start(AxVCpu *vcpu, const X86Start *start)
{
    assert_true(axvcpu_is_bsp(vcpu));
    started = *start;
    starts++;
    return AX_OK;
}

static void put(void *ctx, uint8_t byte)
{
    assert_ptr_equal(ctx, typed);
    typed[typed_count++] = (char)byte;
}

static int set_up(void **state)
{
    static const uint8_t image[16] = {1};

    (void)state;
    fake_hal_init(&host, FRAMES);
    memset(&vm, 0, sizeof(vm));
    memset(typed, 0, sizeof(typed));
    typed_count = 0;
    starts = 0;
    axvm_config_init(&config, 1);
    config.cpu_num = CPUS;
    config.kernel = (AxBlob){image, sizeof(image)};
    config.memory[0] = (AxVMMemory){ax_gpa(0), MIB(4), AX_MAP_RIGHTS, AX_MAP_TYPE_ALLOC};
    config.memory_count = 1;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    if (vm.hal != NULL) {
        assert_error(axvm_destroy(&vm), AX_OK);
    }
    assert_int_equal(fake_hal_fini(&host), 0);
    return 0;
}

static AxError try_create(uint64_t counter_hz)
{
    const AxVMParams params = {.hal = &host.hal,
                               .machine = BOARD,
                               .config = &config,
                               .console = {put, typed},
                               .counter_hz = counter_hz};

    why = NULL;
    return axvm_create(&vm, &params, &why);
}

static void create(void)
{
    assert_error(try_create(HZ), AX_OK);
    for (AxVCpuId id = 0; id < CPUS; id++) {
        atomic_store(&vm.vcpus[id].power, AX_CPU_ON);
    }
}

// ---- what a guest does ----

static void out(uint16_t port, AccessWidth width, uint32_t value)
{
    assert_error(axvm_bus_write(&vm.ports, axvm_vcpu(&vm, 0), port, width, value), AX_OK);
}

static uint32_t in(uint16_t port, AccessWidth width)
{
    uint64_t value = UINT64_MAX;

    assert_error(axvm_bus_read(&vm.ports, axvm_vcpu(&vm, 0), port, width, &value), AX_OK);
    return (uint32_t)value;
}

static void ioapic_write(uint8_t index, uint32_t value)
{
    assert_error(axvm_bus_write(&vm.mmio, axvm_vcpu(&vm, 0), IOAPIC, AX_WIDTH_DWORD, index), AX_OK);
    assert_error(axvm_bus_write(&vm.mmio, axvm_vcpu(&vm, 0), IOAPIC + 0x10, AX_WIDTH_DWORD, value),
                 AX_OK);
}

static void route(uint32_t input, uint8_t destination, uint32_t entry)
{
    ioapic_write((uint8_t)(0x11 + 2 * input), (uint32_t)destination << 24);
    ioapic_write((uint8_t)(0x10 + 2 * input), entry);
}

// One byte is enough for the UART's interrupt; reading it ends that.
static void type(void)
{
    out(UART + 1, AX_WIDTH_BYTE, 1);
    assert_true(axvm_console_input(&vm, 'x'));
}

static void read_typed(void)
{
    assert_int_equal(in(UART, AX_WIDTH_BYTE), 'x');
}

static void set_time(uint64_t seconds)
{
    fake_hal_set_time(&host, seconds * 1000000000u, 0);
}

// The SCI rises by the carry of the PM timer, a level that stays until its status is cleared.
static void raise_sci(void)
{
    set_time(0);
    out(PM + 2, AX_WIDTH_WORD, TIMER_EVENT);
    set_time(CARRY_SECONDS);
    (void)axvm_poll(&vm);
}

// ---- what arrives ----

static bool take(AxVCpuId id, uint32_t vector)
{
    return axvcpu_events_take_pending(&axvm_vcpu(&vm, id)->events, vector);
}

static bool is_high(AxVCpuId id, uint32_t vector)
{
    return axvcpu_events_level(&axvm_vcpu(&vm, id)->events, vector);
}

static uint32_t who_got(uint32_t vector)
{
    uint32_t who = 0;

    for (AxVCpuId id = 0; id < CPUS; id++) {
        who |= (uint32_t)take(id, vector) << id;
    }
    return who;
}

static bool has_nmi(AxVCpuId id)
{
    return (axvcpu_events_take_summary(&axvm_vcpu(&vm, id)->events) & AX_EVENT_NMI) != 0;
}

static bool was_kicked(AxVCpuId id)
{
    return (axvcpu_events_take_summary(&axvm_vcpu(&vm, id)->events) & AX_EVENT_KICK) != 0;
}

// ---- start ----

static void a_guest_must_be_told_what_its_counter_runs_at(void **state)
{
    (void)state;
    assert_error(try_create(0), AX_EINVAL);
    assert_string_equal(why, "VM: counter_hz must be known");
}

static void what_a_description_leaves_out_is_ram_at_0(void **state)
{
    (void)state;
    config.memory_count = 0;
    BOARD->defaults(&config);
    assert_int_equal(config.memory_count, 1);
    assert_int_equal(config.memory[0].base.value, 0);
    assert_int_equal(config.memory[0].size, MIB(256));
}

static void a_raw_guest_starts_as_the_processor_does(void **state)
{
    char tables[8];

    (void)state;
    create();
    assert_int_equal(vm.layout.entry.value, 0x8000);
    assert_int_equal(starts, 0);
    assert_error(axvm_copy_from_guest(&vm.memory, ax_gpa(vm.layout.boot_block.value + 0x8000),
                                      tables, sizeof(tables)),
                 AX_OK);
    assert_memory_equal(tables, "RSD PTR ", 8);
}

// Address fields, as the specification has them (3.1.1).
static void a_multiboot_guest_starts_in_protected_mode(void **state)
{
    const uint32_t flags = 1u << 16;
    const uint32_t image[12] = {
        0x1badb002, flags, -(0x1badb002 + flags), 0x100000, 0x100000, 0x100030, 0x100100, 0x100020};

    (void)state;
    config.kernel = (AxBlob){(const uint8_t *)image, sizeof(image)};
    create();
    assert_int_equal(starts, 1);
    assert_int_equal(started.mode, X86_START_PROTECTED);
    assert_int_equal(started.entry.value, 0x100020);
    assert_int_equal(started.rax, 0x2badb002);
    assert_int_equal(started.rbx, vm.layout.boot_block.value);
    assert_error(axvm_stop(&vm, AX_VM_STOP_RESET), AX_OK);
    assert_error(axvm_reset(&vm, &why), AX_OK);
    assert_int_equal(starts, 2);
}

static void the_cmos_says_how_much_ram_there_is(void **state)
{
    (void)state;
    create();
    out(0x70, AX_WIDTH_BYTE, 0x18); // KiB above 1 MiB, high byte
    assert_int_equal(in(0x71, AX_WIDTH_BYTE), 3 * 1024 >> 8);
}

// ---- IOAPIC ----

static void a_typed_byte_interrupts_through_the_ioapic(void **state)
{
    (void)state;
    create();
    route(INPUT_UART, 1, 0x31);
    type();
    assert_int_equal(who_got(0x31), 1u << 1);
    read_typed();
    assert_int_equal(who_got(0x31), 0);
    type();
    assert_int_equal(who_got(0x31), 1u << 1);
}

static void messages_go_to_those_that_they_name(void **state)
{
    static const struct {
        uint8_t destination;
        uint32_t mode;
        uint32_t who;
    } cases[] = {
        {0, 0, 0x1},
        {3, 0, 0x8},
        {4, 0, 0},
        {0xff, 0, 0xf},
        {0x05, LOGICAL, 0x5},
        {0xff, LOGICAL, 0xf},
        {0xf0, LOGICAL, 0},
        {0x0c, LOGICAL | LOWEST, 0x4},
        {0xff, LOWEST, 0x1},
    };

    (void)state;
    create();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        route(INPUT_UART, cases[i].destination, cases[i].mode | 0x31);
        type();
        assert_int_equal(who_got(0x31), cases[i].who);
        read_typed();
        route(INPUT_UART, 0, MASKED);
    }
}

static void a_cpu_that_is_off_gets_no_message(void **state)
{
    (void)state;
    create();
    atomic_store(&vm.vcpus[1].power, AX_CPU_OFF);
    atomic_store(&vm.vcpus[2].power, AX_CPU_ON_PENDING);
    route(INPUT_UART, 0xff, 0x31);
    type();
    assert_int_equal(who_got(0x31), 0x9);
}

static void a_message_may_be_an_nmi(void **state)
{
    (void)state;
    create();
    route(INPUT_UART, 2, NMI);
    assert_false(has_nmi(2));
    type();
    assert_true(has_nmi(2));
    assert_false(has_nmi(1));
}

// As vectors below 16, INIT and ExtINT.
static void other_messages_reach_nobody(void **state)
{
    static const uint32_t entries[] = {0x00, 0x0f, 0x500, 0x700, 0x531, 0x731};

    (void)state;
    create();
    for (size_t i = 0; i < COUNT_OF(entries); i++) {
        route(INPUT_UART, 0xff, entries[i]);
        type();
        for (uint32_t vector = 0; vector < INTR; vector++) {
            assert_int_equal(who_got(vector), 0);
        }
        read_typed();
        route(INPUT_UART, 0, MASKED);
    }
}

static void a_level_comes_again_until_its_source_is_quiet(void **state)
{
    (void)state;
    create();
    route(INPUT_SCI, 1, LEVEL | 0x40);
    raise_sci();
    assert_true(is_high(1, 0x40));
    BOARD->interrupt_end(vm.machine_state, axvm_vcpu(&vm, 1), 0x40);
    assert_true(is_high(1, 0x40));
    out(PM, AX_WIDTH_WORD, TIMER_EVENT);
    assert_true(is_high(1, 0x40)); // until the guest is done with it
    BOARD->interrupt_end(vm.machine_state, axvm_vcpu(&vm, 1), 0x40);
    assert_false(is_high(1, 0x40));
}

// ---- 8259 ----

// As every PC's firmware does, with all but `irq` masked.
static void open_pic(uint32_t irq)
{
    const uint32_t open = 0xffff & ~(1u << irq | 1u << 2);

    out(0x20, AX_WIDTH_BYTE, 0x11);
    out(0x21, AX_WIDTH_BYTE, 0x20);
    out(0x21, AX_WIDTH_BYTE, 0x04);
    out(0x21, AX_WIDTH_BYTE, 0x01);
    out(0xa0, AX_WIDTH_BYTE, 0x11);
    out(0xa1, AX_WIDTH_BYTE, 0x28);
    out(0xa1, AX_WIDTH_BYTE, 0x02);
    out(0xa1, AX_WIDTH_BYTE, 0x01);
    out(0x21, AX_WIDTH_BYTE, open & 0xff);
    out(0xa1, AX_WIDTH_BYTE, open >> 8);
}

static void the_8259s_interrupt_the_first_cpu_and_say_why(void **state)
{
    uint64_t vector = 0;

    (void)state;
    create();
    open_pic(4);
    assert_false(is_high(0, INTR));
    type();
    assert_true(is_high(0, INTR));
    assert_false(is_high(1, INTR));
    assert_error(BOARD->interrupt_acknowledge(vm.machine_state, axvm_vcpu(&vm, 0), &vector), AX_OK);
    assert_int_equal(vector, 0x24);
    assert_false(is_high(0, INTR));
}

static void a_first_cpu_that_was_reset_gets_its_interrupt_back(void **state)
{
    (void)state;
    create();
    open_pic(4);
    type();
    assert_error(axvcpu_reset(axvm_vcpu(&vm, 0)), AX_OK);
    BOARD->vcpu_reset(vm.machine_state, 1);
    assert_false(is_high(0, INTR));
    BOARD->vcpu_reset(vm.machine_state, 0);
    assert_true(is_high(0, INTR));
}

// ---- time ----

static void start_timer(uint16_t count)
{
    out(0x43, AX_WIDTH_BYTE, 0x34); // counter 0, mode 2
    out(0x40, AX_WIDTH_BYTE, count & 0xff);
    out(0x40, AX_WIDTH_BYTE, count >> 8);
}

static void nothing_is_due_before_a_guest_asks(void **state)
{
    (void)state;
    create();
    assert_int_equal(axvm_poll(&vm), AX_DEADLINE_NONE);
}

static void the_timer_interrupts_input_2_and_irq_0(void **state)
{
    uint64_t due;

    (void)state;
    set_time(1);
    create();
    open_pic(0);
    route(INPUT_TIMER, 0, 0x30);
    start_timer(11932);  // 10 ms
    (void)take(0, 0x30); // its output goes high at once
    due = axvm_poll(&vm);
    assert_in_range(due, 1009990000, 1010010000);
    assert_int_equal(who_got(0x30), 0);
    fake_hal_set_time(&host, due, 0);
    assert_true(axvm_poll(&vm) > due);
    assert_int_equal(who_got(0x30), 1);
    assert_true(is_high(0, INTR));
}

static void a_moment_that_is_brought_forward_kicks_the_first_cpu(void **state)
{
    (void)state;
    create();
    (void)axvm_poll(&vm);
    (void)was_kicked(0);
    start_timer(0);
    assert_true(was_kicked(0));
    (void)axvm_poll(&vm);
    (void)in(0x40, AX_WIDTH_BYTE);
    assert_false(was_kicked(0));
    start_timer(100);
    assert_true(was_kicked(0));
    (void)axvm_poll(&vm);
    start_timer(0);
    assert_false(was_kicked(0)); // later than what the host waits for
}

static void the_clock_begins_at_a_date_that_is_one(void **state)
{
    (void)state;
    create();
    out(0x70, AX_WIDTH_BYTE, 0x09);
    assert_int_equal(in(0x71, AX_WIDTH_BYTE), 0x00);
    out(0x70, AX_WIDTH_BYTE, 0x32);
    assert_int_equal(in(0x71, AX_WIDTH_BYTE), 0x20);
    set_time(7);
    out(0x70, AX_WIDTH_BYTE, 0x00);
    assert_int_equal(in(0x71, AX_WIDTH_BYTE), 0x07);
}

// ---- power ----

static void each_way_to_end_is_one(void **state)
{
    static const struct {
        uint16_t port;
        AccessWidth width;
        uint32_t value;
        AxVMStopReason reason;
    } cases[] = {
        {0xcf9, AX_WIDTH_BYTE, 0x06, AX_VM_STOP_RESET},
        {0x64, AX_WIDTH_BYTE, 0xfe, AX_VM_STOP_RESET},
        {PM + 4, AX_WIDTH_WORD, 0x3400, AX_VM_STOP_POWER_OFF},
        {PM + 4, AX_WIDTH_WORD, 0x2000, AX_VM_STOP_NONE}, // not the type that the DSDT says
        {0x80, AX_WIDTH_BYTE, 0xfe, AX_VM_STOP_NONE},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        tear_down(state);
        set_up(state);
        create();
        out(cases[i].port, cases[i].width, cases[i].value);
        assert_int_equal(axvm_stop_reason(&vm), cases[i].reason);
    }
}

static void reset_reaches_every_device(void **state)
{
    (void)state;
    create();
    route(INPUT_UART, 1, 0x31);
    open_pic(4);
    start_timer(100);
    type();
    out(UART + 7, AX_WIDTH_BYTE, 0x5a);
    assert_error(axvm_stop(&vm, AX_VM_STOP_RESET), AX_OK);
    assert_error(axvm_reset(&vm, &why), AX_OK);
    assert_int_equal(axvm_poll(&vm), AX_DEADLINE_NONE);
    assert_int_equal(in(UART + 1, AX_WIDTH_BYTE), 0);
    assert_int_equal(in(UART + 7, AX_WIDTH_BYTE), 0);
    assert_false(is_high(0, INTR));
    (void)who_got(0x31);
    atomic_store(&vm.vcpus[1].power, AX_CPU_ON);
    type(); // nobody listens
    assert_int_equal(who_got(0x31), 0);
    assert_false(is_high(0, INTR));
}

// ---- between CPUs ----

static AxError send(AxVCpuExit exit)
{
    exit.reason = AX_EXIT_SEND_IPI;
    return BOARD->send_ipi(vm.machine_state, axvm_vcpu(&vm, 1), &exit);
}

static void interrupts_go_to_those_that_are_named(void **state)
{
    static const struct {
        AxVCpuExit exit;
        uint32_t who;
    } cases[] = {
        {{.ipi = {.target_cpu = 0, .target_list = 0xf}}, 0xf},
        {{.ipi = {.target_cpu = 2, .target_list = 0x3}}, 0xc},
        {{.ipi = {.target_cpu = 99, .target_list = 1}}, 0}, // nobody is no error
        {{.ipi = {.to_all = true}}, 0xd},
        {{.ipi = {.to_self = true}}, 0x2},
    };

    (void)state;
    create();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AxVCpuExit exit = cases[i].exit;

        exit.ipi.vector = 0xfd;
        assert_error(send(exit), AX_OK);
        assert_int_equal(who_got(0xfd), cases[i].who);
    }
    assert_error(
        BOARD->send_ipi(vm.machine_state, axvm_vcpu(&vm, 1), &(AxVCpuExit){.reason = AX_EXIT_IDLE}),
        AX_EINVAL);
}

static void an_nmi_is_no_vector(void **state)
{
    const AxVCpuExit exit = {.ipi = {.kind = AX_IPI_NMI, .target_cpu = 3, .target_list = 1}};

    (void)state;
    create();
    assert_error(send(exit), AX_OK);
    assert_true(has_nmi(3));
    assert_false(has_nmi(2));
    assert_int_equal(who_got(0), 0);
}

static void init_switches_a_cpu_off(void **state)
{
    const AxVCpuExit exit = {.ipi = {.kind = AX_IPI_INIT, .target_cpu = 3, .target_list = 1}};

    (void)state;
    create();
    assert_error(send(exit), AX_OK);
    assert_int_equal(atomic_load(&vm.vcpus[3].power), AX_CPU_OFF);
    assert_true(was_kicked(3));
    assert_int_equal(atomic_load(&vm.vcpus[2].power), AX_CPU_ON);
}

static void init_of_the_first_cpu_resets_the_vm(void **state)
{
    const AxVCpuExit exit = {.ipi = {.kind = AX_IPI_INIT, .target_cpu = 0, .target_list = 1}};

    (void)state;
    create();
    assert_error(send(exit), AX_OK);
    assert_int_equal(axvm_stop_reason(&vm), AX_VM_STOP_RESET);
}

// ---- console ----

static void the_console_is_com1(void **state)
{
    uint8_t byte = 0;

    (void)state;
    create();
    out(UART, AX_WIDTH_BYTE, 'h');
    out(UART, AX_WIDTH_BYTE, 'i');
    assert_string_equal(typed, "hi");
    type();
    assert_true(BOARD->console_take(vm.machine_state, &byte));
    assert_int_equal(byte, 'x');
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_guest_must_be_told_what_its_counter_runs_at),
        TEST(what_a_description_leaves_out_is_ram_at_0),
        TEST(a_raw_guest_starts_as_the_processor_does),
        TEST(a_multiboot_guest_starts_in_protected_mode),
        TEST(the_cmos_says_how_much_ram_there_is),
        TEST(a_typed_byte_interrupts_through_the_ioapic),
        TEST(messages_go_to_those_that_they_name),
        TEST(a_cpu_that_is_off_gets_no_message),
        TEST(a_message_may_be_an_nmi),
        TEST(other_messages_reach_nobody),
        TEST(a_level_comes_again_until_its_source_is_quiet),
        TEST(the_8259s_interrupt_the_first_cpu_and_say_why),
        TEST(a_first_cpu_that_was_reset_gets_its_interrupt_back),
        TEST(nothing_is_due_before_a_guest_asks),
        TEST(the_timer_interrupts_input_2_and_irq_0),
        TEST(a_moment_that_is_brought_forward_kicks_the_first_cpu),
        TEST(the_clock_begins_at_a_date_that_is_one),
        TEST(each_way_to_end_is_one),
        TEST(reset_reaches_every_device),
        TEST(interrupts_go_to_those_that_are_named),
        TEST(an_nmi_is_no_vector),
        TEST(init_switches_a_cpu_off),
        TEST(init_of_the_first_cpu_resets_the_vm),
        TEST(the_console_is_com1),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
