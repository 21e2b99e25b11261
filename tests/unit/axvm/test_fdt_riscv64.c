// SPDX-License-Identifier: Apache-2.0
/* The riscv64 board: its devices on the bus, and the device tree that tells the guest of them. */
#define BOARD     (&axvm_machine_riscv64)
#define BOARD_RAM GIB(2)
#include "board_fixture.h"

#define UART   UINT64_C(0x10000000)
#define PLIC   UINT64_C(0x0c000000)
#define IRQ    10u
#define SEI    9u // supervisor external interrupt
#define SSI    1u // supervisor software interrupt
#define SERIAL "/soc/serial@10000000"
#define INTC   "/soc/plic@c000000"

#define PRIORITY(source)   (PLIC + 4u * (source))
#define ENABLE(context)    (PLIC + 0x2000u + 0x80u * (context))
#define THRESHOLD(context) (PLIC + 0x200000u + 0x1000u * (context))
#define CLAIM(context)     (THRESHOLD(context) + 4u)

// ---- the tree ----

static void the_default_board_is_described(void **state)
{
    (void)state;
    create_and_read();
    ASSERT_CELLS("/", "#address-cells", 2);
    ASSERT_CELLS("/", "#size-cells", 2);
    assert_text("/chosen", "bootargs", "console=ttyAMA0 \"x\"");
    assert_text("/chosen", "stdout-path", SERIAL);
    assert_text("/aliases", "serial0", SERIAL);
    assert_int_equal(u64("/chosen", "linux,initrd-start"), vm.layout.ramdisk.value);
    assert_int_equal(u64("/chosen", "linux,initrd-end"), vm.layout.ramdisk.value + 5);
    assert_text("/memory@80000000", "device_type", "memory");
    ASSERT_CELLS("/memory@80000000", "reg", 0, 0x80000000, 0, 0x400000);
    ASSERT_CELLS("/cpus", "timebase-frequency", COUNTER_HZ);
    assert_text("/soc", "compatible", "simple-bus");
    ASSERT_CELLS("/soc", "#address-cells", 2);
    ASSERT_CELLS("/soc", "#size-cells", 2);
    ASSERT_CELLS("/soc", "interrupt-parent", 1);
    assert_non_null(property("/soc", "ranges", 0));
    assert_int_equal(fdt_stringlist_search(tree, node(INTC), "compatible", "sifive,plic-1.0.0"), 0);
    assert_int_equal(fdt_stringlist_search(tree, node(INTC), "compatible", "riscv,plic0"), 1);
    ASSERT_CELLS(INTC, "#interrupt-cells", 1);
    ASSERT_CELLS(INTC, "#address-cells", 0);
    ASSERT_CELLS(INTC, "phandle", 1);
    ASSERT_CELLS(INTC, "reg", 0, 0x0c000000, 0, 0x600000);
    ASSERT_CELLS(INTC, "riscv,ndev", 31);
    ASSERT_CELLS(INTC, "interrupts-extended", 2, SEI);
    assert_non_null(property(INTC, "interrupt-controller", 0));
    assert_text(SERIAL, "compatible", "ns16550a");
    ASSERT_CELLS(SERIAL, "reg", 0, 0x10000000, 0, 0x1000);
    ASSERT_CELLS(SERIAL, "interrupts", IRQ);
    ASSERT_CELLS(SERIAL, "clock-frequency", 3686400);
    ASSERT_CELLS(SERIAL, "reg-shift", 0);
    // What the guest has not got.
    assert_false(has_node("/cpus/cpu@1"));
    assert_int_equal(fdt_num_mem_rsv(tree), 0);
}

static void defaults_fill_only_what_is_left_out(void **state)
{
    (void)state;
    config.memory_count = 0;
    BOARD->defaults(&config);
    assert_int_equal(config.memory_count, 1);
    assert_int_equal(config.memory[0].base.value, 0x80000000);
    assert_int_equal(config.memory[0].size, MIB(256));
    assert_int_equal(config.memory[0].flags, AX_MAP_RIGHTS);
    assert_int_equal(config.memory[0].type, AX_MAP_TYPE_ALLOC);
    assert_int_equal(config.device_count, 2);
    assert_error(axvm_config_check(&config, &why), AX_OK);
    config.memory[0].size = MIB(8);
    config.devices[1].irq = 20;
    BOARD->defaults(&config);
    assert_int_equal(config.memory[0].size, MIB(8));
    assert_int_equal(config.devices[1].irq, 20);
    assert_int_equal(config.device_count, 2);
}

static void every_cpu_has_a_node_with_its_interrupt_controller(void **state)
{
    (void)state;
    config.cpu_num = AX_VM_CPUS_MAX;
    host_isa = "rv64imafdc_sstc";
    create_and_read();
    ASSERT_CELLS("/cpus", "#address-cells", 1);
    ASSERT_CELLS("/cpus", "#size-cells", 0);
    for (uint32_t i = 0; i < AX_VM_CPUS_MAX; i++) {
        const fdt32_t *contexts = property(INTC, "interrupts-extended", 2 * 4 * AX_VM_CPUS_MAX);
        char path[32];
        char intc[64];

        snprintf(path, sizeof(path), "/cpus/cpu@%x", i);
        snprintf(intc, sizeof(intc), "%s/interrupt-controller", path);
        ASSERT_CELLS(path, "reg", (uint32_t)axvcpu_arch_cpu_address(i));
        assert_text(path, "device_type", "cpu");
        assert_text(path, "compatible", "riscv");
        assert_text(path, "status", "okay");
        assert_text(path, "riscv,isa", "rv64imafdc_sstc");
        assert_text(path, "mmu-type", "riscv,sv39");
        assert_text(intc, "compatible", "riscv,cpu-intc");
        ASSERT_CELLS(intc, "#interrupt-cells", 1);
        assert_non_null(property(intc, "interrupt-controller", 0));
        // Context i of the PLIC is this CPU's.
        assert_int_equal(fdt32_to_cpu(contexts[2 * i]), fdt_get_phandle(tree, node(intc)));
        assert_int_equal(fdt32_to_cpu(contexts[2 * i + 1]), SEI);
    }
    assert_false(has_node("/cpus/cpu@8"));
}

static void without_the_firmwares_word_cpus_have_the_least(void **state)
{
    (void)state;
    create_and_read();
    assert_text("/cpus/cpu@0", "riscv,isa", "rv64imac");
}

static void extensions_that_cannot_be_read_are_refused(void **state)
{
    char text[AX_VM_ISA_SIZE + 1];

    (void)state;
    host_isa = "";
    assert_error(create(), AX_EINVAL);
    assert_non_null(strstr(why, "host_isa"));
    memset(text, 'x', AX_VM_ISA_SIZE);
    text[AX_VM_ISA_SIZE] = '\0';
    host_isa = text;
    assert_error(create(), AX_ENOSPC);
    assert_non_null(strstr(why, "host_isa"));
    assert_int_equal(host.frames_used, 0);
}

static void a_guest_must_be_told_what_its_counter_runs_at(void **state)
{
    static const uint64_t bad[] = {0, UINT64_C(1) << 32, UINT64_MAX};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        counter_hz = bad[i];
        assert_error(create(), AX_EINVAL);
        assert_non_null(strstr(why, "counter_hz"));
        assert_int_equal(host.frames_used, 0);
    }
}

static void other_devices_and_memory_are_described_where_they_are(void **state)
{
    (void)state;
    config.memory[1] = (AxVMMemory){ax_gpa(GIB(5)), MIB(8), AX_MAP_READ, AX_MAP_TYPE_IDENTICAL};
    config.memory[2] = (AxVMMemory){ax_gpa(GIB(6)), MIB(8), AX_MAP_READ, AX_MAP_TYPE_RESERVED};
    config.memory_count = 3;
    config.devices[0] = (AxVMDevice){.name = "con",
                                     .base = UINT64_C(0x1234567000),
                                     .length = 0x1000,
                                     .irq = 1,
                                     .type = AX_EMU_CONSOLE};
    config.devices[1] = (AxVMDevice){
        .name = "plic", .base = 0x1000000, .length = 0x600000, .type = AX_EMU_INTERRUPT_CONTROLLER};
    config.device_count = 2;
    config.passthrough[0] = (AxVMPassthrough){"rtc", ax_gpa(0x9010000), ax_hpa(0x9020000), 0x1000,
                                              200};
    config.passthrough[1] = (AxVMPassthrough){"silent", ax_gpa(0x9020000), ax_hpa(0x9030000),
                                              0x2000, 0};
    config.passthrough_count = 2;
    create_and_read();
    ASSERT_CELLS("/memory@140000000", "reg", 1, 0x40000000, 0, 0x800000);
    assert_false(has_node("/memory@180000000"));
    assert_text("/chosen", "stdout-path", "/soc/serial@1234567000");
    ASSERT_CELLS("/soc/serial@1234567000", "reg", 0x12, 0x34567000, 0, 0x1000);
    ASSERT_CELLS("/soc/serial@1234567000", "interrupts", 1);
    ASSERT_CELLS("/soc/plic@1000000", "reg", 0, 0x1000000, 0, 0x600000);
    ASSERT_CELLS("/soc/plic@1000000", "riscv,ndev", 200);
    ASSERT_CELLS("/soc/rtc@9010000", "reg", 0, 0x9010000, 0, 0x1000);
    ASSERT_CELLS("/soc/rtc@9010000", "interrupts", 200);
    ASSERT_CELLS("/soc/silent@9020000", "reg", 0, 0x9020000, 0, 0x2000);
    assert_null(fdt_getprop(tree, node("/soc/silent@9020000"), "interrupts", NULL));
}

// ---- where a kernel goes ----

static void a_raw_image_starts_where_firmware_would_start_it(void **state)
{
    (void)state;
    assert_error(create(), AX_OK);
    assert_int_equal(vm.layout.kernel.value, 0x80200000);
    assert_int_equal(vm.layout.entry.value, 0x80200000);
    assert_error(axvm_destroy(&vm), AX_OK);
    config.kernel_load_addr = ax_gpa(BOARD_RAM + 0x3000);
    assert_error(create(), AX_OK);
    assert_int_equal(vm.layout.entry.value, BOARD_RAM + 0x3000);
}

// ---- devices ----

static bool is_high(AxVCpuId id)
{
    return axvcpu_events_level(&axvm_vcpu(&vm, id)->events, SEI);
}

static void open_uart_interrupt(uint32_t context)
{
    poke(PRIORITY(IRQ), AX_WIDTH_DWORD, 1);
    poke(ENABLE(context), AX_WIDTH_DWORD, 1u << IRQ);
    poke(UART + 2, AX_WIDTH_BYTE, 1); // FIFO on
    poke(UART + 1, AX_WIDTH_BYTE, 1); // receive interrupt on
}

static void the_uart_reaches_console_and_interrupt(void **state)
{
    (void)state;
    config.cpu_num = 2;
    assert_error(create(), AX_OK);
    poke(UART, AX_WIDTH_BYTE, 'H');
    poke(UART, AX_WIDTH_BYTE, 'i');
    assert_string_equal(typed, "Hi");
    open_uart_interrupt(1);
    assert_false(is_high(1));
    for (uint32_t i = 0; i < 16; i++) {
        assert_true(axvm_console_input(&vm, (uint8_t)('a' + i)));
    }
    assert_false(axvm_console_input(&vm, '!'));
    assert_true(is_high(1));
    assert_false(is_high(0));
    assert_int_equal(peek(CLAIM(1), AX_WIDTH_DWORD), IRQ);
    assert_false(is_high(1));
    for (uint32_t i = 0; i < 16; i++) {
        assert_int_equal(peek(UART, AX_WIDTH_BYTE), 'a' + i);
    }
    poke(CLAIM(1), AX_WIDTH_DWORD, IRQ);
    assert_false(is_high(1));
}

static void what_was_typed_can_be_taken_by_firmware_calls(void **state)
{
    uint8_t byte = 0;

    (void)state;
    assert_error(create(), AX_OK);
    assert_false(BOARD->console_take(vm.machine_state, &byte));
    assert_true(axvm_console_input(&vm, 'k'));
    assert_true(BOARD->console_take(vm.machine_state, &byte));
    assert_int_equal(byte, 'k');
    assert_int_equal(peek(UART + 5, AX_WIDTH_BYTE), 0x60);
}

static void bad_devices_are_refused(void **state)
{
    static const struct {
        size_t offset; // in the first (interrupt controller) or second (console) device
        uint32_t device;
        uint32_t value;
        AxError error;
        const char *word;
    } cases[] = {
        {offsetof(AxVMDevice, type), 0, AX_EMU_SCRATCH, AX_EINVAL, "interrupt controller"},
        {offsetof(AxVMDevice, length), 0, 0x400000, AX_EINVAL, "interrupt controller"},
        {offsetof(AxVMDevice, length), 0, 0x601000, AX_EINVAL, "interrupt controller"},
        {offsetof(AxVMDevice, type), 1, AX_EMU_INTERRUPT_CONTROLLER, AX_EINVAL,
         "interrupt controller"},
        {offsetof(AxVMDevice, type), 1, AX_EMU_SCRATCH, AX_EINVAL, "console"},
        {offsetof(AxVMDevice, length), 1, 0x2000, AX_EINVAL, "console"},
        {offsetof(AxVMDevice, irq), 1, 0, AX_EINVAL, "console"},
        {offsetof(AxVMDevice, irq), 1, 1024, AX_ERANGE, "irq"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        tear_down(state);
        set_up(state);
        BOARD->defaults(&config);
        memcpy((uint8_t *)&config.devices[cases[i].device] + cases[i].offset, &cases[i].value, 4);
        assert_error(create(), cases[i].error);
        assert_non_null(strstr(why, cases[i].word));
        assert_int_equal(host.frames_used, 0);
    }
}

static void add_scratch_page(void)
{
    BOARD->defaults(&config);
    config.devices[2] = (AxVMDevice){
        .name = "scratch", .base = 0xa000000, .length = 0x1000, .type = AX_EMU_SCRATCH};
    config.device_count = 3;
}

static void reset_reaches_every_device(void **state)
{
    (void)state;
    add_scratch_page();
    assert_error(create(), AX_OK);
    poke(0xa000010, AX_WIDTH_QWORD, 1234);
    assert_int_equal(peek(0xa000010, AX_WIDTH_QWORD), 1234);
    open_uart_interrupt(0);
    assert_true(axvm_console_input(&vm, 'x'));
    assert_error(axvm_stop(&vm, AX_VM_STOP_RESET), AX_OK);
    assert_error(axvm_reset(&vm, &why), AX_OK);
    assert_int_equal(peek(0xa000010, AX_WIDTH_QWORD), 0);
    assert_int_equal(peek(ENABLE(0), AX_WIDTH_DWORD), 0);
    assert_int_equal(peek(PRIORITY(IRQ), AX_WIDTH_DWORD), 0);
    assert_int_equal(peek(UART + 1, AX_WIDTH_BYTE), 0);
    assert_int_equal(peek(UART + 5, AX_WIDTH_BYTE), 0x60);
    assert_false(is_high(0));
}

static void a_vcpu_that_was_reset_gets_its_interrupt_back(void **state)
{
    (void)state;
    config.cpu_num = 2;
    assert_error(create(), AX_OK);
    open_uart_interrupt(1);
    assert_true(axvm_console_input(&vm, 'x'));
    assert_error(axvcpu_reset(axvm_vcpu(&vm, 1)), AX_OK);
    assert_false(is_high(1));
    BOARD->vcpu_reset(vm.machine_state, 1);
    assert_true(is_high(1));
}

// ---- interrupts between CPUs ----

#define CPUS 4u

static void create_with_cpus_on(void)
{
    config.cpu_num = CPUS;
    assert_error(create(), AX_OK);
    for (AxVCpuId id = 0; id < CPUS; id++) {
        atomic_store(&vm.vcpus[id].power, AX_CPU_ON);
    }
}

// Which vCPUs have been sent one since the last call, as a bitmap.
static uint32_t who_got_one(void)
{
    uint32_t who = 0;

    for (AxVCpuId id = 0; id < CPUS; id++) {
        who |= (uint32_t)axvcpu_events_take_pending(&axvm_vcpu(&vm, id)->events, SSI) << id;
    }
    return who;
}

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
        {{.ipi = {.vector = SSI, .target_cpu = 0, .target_list = 0x1}}, 0x1},
        {{.ipi = {.vector = SSI, .target_cpu = 0, .target_list = 0xf}}, 0xf},
        {{.ipi = {.vector = SSI, .target_cpu = 1, .target_list = 0x1}}, 0x2},
        {{.ipi = {.vector = SSI, .target_cpu = 2, .target_list = 0x3}}, 0xc},
        {{.ipi = {.vector = SSI, .target_cpu = 0, .target_list = 0}}, 0},
        {{.ipi = {.vector = SSI, .target_cpu = 99, .target_list = 0}}, 0},
        {{.ipi = {.vector = SSI, .to_all = true, .target_list = 0xf0}}, 0xd},
        {{.ipi = {.vector = SSI, .to_self = true}}, 0x2},
        {{.ipi = {.vector = SSI, .to_all = true, .to_self = true}}, 0xf},
    };

    (void)state;
    create_with_cpus_on();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_error(send(cases[i].exit), AX_OK);
        assert_int_equal(who_got_one(), cases[i].who);
    }
}

static void one_wrong_target_and_nobody_gets_anything(void **state)
{
    static const struct {
        uint64_t cpu;
        uint64_t list;
    } cases[] = {
        {0, 0x1f},
        {0, 0x10},
        {0, UINT64_C(1) << 63},
        {1, 0xf},
        {4, 1},
        {3, UINT64_C(3)},
        {UINT64_C(1) << 63, 1},
        {UINT64_MAX - 1, 0x4}, // would be CPU 0 if it wrapped
        {UINT64_MAX, 0x2},
        {0x100000000, 1},
    };

    (void)state;
    create_with_cpus_on();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const AxVCpuExit exit = {
            .ipi = {.vector = SSI, .target_cpu = cases[i].cpu, .target_list = cases[i].list}};

        assert_error(send(exit), AX_EINVAL);
        assert_int_equal(who_got_one(), 0);
    }
}

static void a_cpu_that_is_off_gets_nothing(void **state)
{
    const AxVCpuExit exit = {.ipi = {.vector = SSI, .target_list = 0xf}};

    (void)state;
    create_with_cpus_on();
    atomic_store(&vm.vcpus[2].power, AX_CPU_OFF);
    atomic_store(&vm.vcpus[3].power, AX_CPU_ON_PENDING);
    assert_error(send(exit), AX_OK);
    assert_int_equal(who_got_one(), 0x3);
}

static void other_interrupts_are_not_sent(void **state)
{
    static const uint32_t vectors[] = {0, 2, 5, SEI, 1024, UINT32_MAX};
    const AxVCpuExit idle = {.reason = AX_EXIT_IDLE};

    (void)state;
    create_with_cpus_on();
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        const AxVCpuExit exit = {.ipi = {.vector = vectors[i], .target_list = 1}};

        assert_error(send(exit), AX_ERANGE);
    }
    assert_error(BOARD->send_ipi(vm.machine_state, axvm_vcpu(&vm, 1), &idle), AX_EINVAL);
    assert_int_equal(who_got_one(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        COMMON_BOARD_TESTS,
        BOARD_TEST(the_default_board_is_described),
        BOARD_TEST(defaults_fill_only_what_is_left_out),
        BOARD_TEST(every_cpu_has_a_node_with_its_interrupt_controller),
        BOARD_TEST(without_the_firmwares_word_cpus_have_the_least),
        BOARD_TEST(extensions_that_cannot_be_read_are_refused),
        BOARD_TEST(a_guest_must_be_told_what_its_counter_runs_at),
        BOARD_TEST(other_devices_and_memory_are_described_where_they_are),
        BOARD_TEST(a_raw_image_starts_where_firmware_would_start_it),
        BOARD_TEST(the_uart_reaches_console_and_interrupt),
        BOARD_TEST(what_was_typed_can_be_taken_by_firmware_calls),
        BOARD_TEST(bad_devices_are_refused),
        BOARD_TEST(reset_reaches_every_device),
        BOARD_TEST(a_vcpu_that_was_reset_gets_its_interrupt_back),
        BOARD_TEST(interrupts_go_to_those_that_are_named),
        BOARD_TEST(one_wrong_target_and_nobody_gets_anything),
        BOARD_TEST(a_cpu_that_is_off_gets_nothing),
        BOARD_TEST(other_interrupts_are_not_sent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
