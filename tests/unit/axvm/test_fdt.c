// SPDX-License-Identifier: Apache-2.0
/* The AArch64 board: its devices on the bus, and the device tree that tells the guest of them. */
#define BOARD     (&axvm_machine_aarch64)
#define BOARD_RAM GIB(1)
#include "board_fixture.h"

#include "machine/tree.h"

// ---- the tree ----

static void the_default_board_is_described(void **state)
{
    (void)state;
    create_and_read();
    ASSERT_CELLS("/", "#address-cells", 2);
    ASSERT_CELLS("/", "#size-cells", 2);
    ASSERT_CELLS("/", "interrupt-parent", 1);
    assert_text("/chosen", "bootargs", "console=ttyAMA0 \"x\"");
    assert_text("/chosen", "stdout-path", "/serial@9000000");
    assert_text("/aliases", "serial0", "/serial@9000000");
    assert_int_equal(u64("/chosen", "linux,initrd-start"), vm.layout.ramdisk.value);
    assert_int_equal(u64("/chosen", "linux,initrd-end"), vm.layout.ramdisk.value + 5);
    assert_text("/memory@40000000", "device_type", "memory");
    ASSERT_CELLS("/memory@40000000", "reg", 0, 0x40000000, 0, 0x400000);
    assert_int_equal(fdt_stringlist_search(tree, node("/psci"), "compatible", "arm,psci-1.0"), 0);
    assert_text("/psci", "method", "hvc");
    assert_text("/timer", "compatible", "arm,armv8-timer");
    ASSERT_CELLS("/timer", "interrupts", 1, 13, 4, 1, 14, 4, 1, 11, 4, 1, 10, 4);
    assert_non_null(property("/timer", "always-on", 0));
    assert_text("/interrupt-controller@8000000", "compatible", "arm,gic-v3");
    ASSERT_CELLS("/interrupt-controller@8000000", "#interrupt-cells", 3);
    ASSERT_CELLS("/interrupt-controller@8000000", "#address-cells", 0);
    ASSERT_CELLS("/interrupt-controller@8000000", "phandle", 1);
    ASSERT_CELLS("/interrupt-controller@8000000", "reg", 0, 0x8000000, 0, 0x10000, 0, 0x80a0000, 0,
                 0x20000);
    assert_non_null(property("/interrupt-controller@8000000", "interrupt-controller", 0));
    assert_int_equal(
        fdt_stringlist_search(tree, node("/serial@9000000"), "compatible", "arm,sbsa-uart"), 0);
    ASSERT_CELLS("/serial@9000000", "reg", 0, 0x9000000, 0, 0x1000);
    ASSERT_CELLS("/serial@9000000", "interrupts", 0, 1, 4);
    ASSERT_CELLS("/serial@9000000", "current-speed", 115200);
    // What the guest has not got.
    assert_false(has_node("/cpus/cpu@1"));
    assert_int_equal(fdt_num_mem_rsv(tree), 0);
}

static void defaults_fill_only_what_is_left_out(void **state)
{
    (void)state;
    config.memory_count = 0;
    axvm_machine_aarch64.defaults(&config);
    assert_int_equal(config.memory_count, 1);
    assert_int_equal(config.memory[0].base.value, 0x40000000);
    assert_int_equal(config.memory[0].size, MIB(256));
    assert_int_equal(config.memory[0].flags, AX_MAP_RIGHTS);
    assert_int_equal(config.memory[0].type, AX_MAP_TYPE_ALLOC);
    assert_int_equal(config.device_count, 2);
    assert_error(axvm_config_check(&config, &why), AX_OK);
    config.memory[0].size = MIB(8);
    config.devices[1].irq = 40;
    axvm_machine_aarch64.defaults(&config);
    assert_int_equal(config.memory[0].size, MIB(8));
    assert_int_equal(config.devices[1].irq, 40);
    assert_int_equal(config.device_count, 2);
}

static void every_cpu_has_a_node_with_its_affinity(void **state)
{
    (void)state;
    config.cpu_num = AX_VM_CPUS_MAX;
    create_and_read();
    ASSERT_CELLS("/cpus", "#address-cells", 1);
    ASSERT_CELLS("/cpus", "#size-cells", 0);
    for (uint32_t i = 0; i < AX_VM_CPUS_MAX; i++) {
        char path[32];

        snprintf(path, sizeof(path), "/cpus/cpu@%x", i);
        ASSERT_CELLS(path, "reg", (uint32_t)axvcpu_arch_cpu_address(i));
        assert_text(path, "device_type", "cpu");
        assert_text(path, "compatible", "arm,armv8");
        assert_text(path, "enable-method", "psci");
    }
    assert_false(has_node("/cpus/cpu@8"));
    ASSERT_CELLS("/interrupt-controller@8000000", "reg", 0, 0x8000000, 0, 0x10000, 0, 0x80a0000, 0,
                 0x100000);
}

static void other_devices_and_memory_are_described_where_they_are(void **state)
{
    (void)state;
    config.memory[1] = (AxVMMemory){ax_gpa(GIB(5)), MIB(8), AX_MAP_READ, AX_MAP_TYPE_IDENTICAL};
    config.memory[2] = (AxVMMemory){ax_gpa(GIB(6)), MIB(8), AX_MAP_READ, AX_MAP_TYPE_RESERVED};
    config.memory[3] = (AxVMMemory){ax_gpa(GIB(7)), MIB(8), AX_MAP_READ | AX_MAP_DEVICE,
                                    AX_MAP_TYPE_IDENTICAL};
    config.memory_count = 4;
    config.devices[0] = (AxVMDevice){.name = "con",
                                     .base = UINT64_C(0x1234567000),
                                     .length = 0x1000,
                                     .irq = 95,
                                     .type = AX_EMU_CONSOLE};
    config.devices[1] = (AxVMDevice){.name = "gic",
                                     .base = 0x1000000,
                                     .length = 0x10000,
                                     .type = AX_EMU_INTERRUPT_CONTROLLER,
                                     .config = {1, 0x20000},
                                     .config_count = 2};
    config.device_count = 2;
    config.passthrough[0] = (AxVMPassthrough){"rtc", ax_gpa(0x9010000), ax_hpa(0x9020000), 0x1000,
                                              200};
    config.passthrough[1] = (AxVMPassthrough){"silent", ax_gpa(0x9020000), ax_hpa(0x9030000),
                                              0x2000, 0};
    config.passthrough_count = 2;
    create_and_read();
    ASSERT_CELLS("/memory@140000000", "reg", 1, 0x40000000, 0, 0x800000);
    assert_false(has_node("/memory@180000000"));
    assert_false(has_node("/memory@1c0000000"));
    ASSERT_CELLS("/serial@1234567000", "reg", 0x12, 0x34567000, 0, 0x1000);
    ASSERT_CELLS("/serial@1234567000", "interrupts", 0, 63, 4);
    ASSERT_CELLS("/interrupt-controller@1000000", "reg", 0, 0x1000000, 0, 0x10000, 1, 0x20000, 0,
                 0x20000);
    ASSERT_CELLS("/rtc@9010000", "reg", 0, 0x9010000, 0, 0x1000);
    ASSERT_CELLS("/rtc@9010000", "interrupts", 0, 168, 4);
    ASSERT_CELLS("/silent@9020000", "reg", 0, 0x9020000, 0, 0x2000);
    assert_null(fdt_getprop(tree, node("/silent@9020000"), "interrupts", NULL));
}

// ---- the writer by itself ----

static void the_writer_refuses_what_is_no_tree(void **state)
{
    uint8_t buffer[256] __attribute__((aligned(8)));
    const uint32_t cells[AX_TREE_CELLS_MAX + 1] = {0};
    AxTree writer;
    size_t size;

    (void)state;
    axvm_tree_begin(&writer, buffer, sizeof(buffer));
    axvm_tree_node(&writer, "");
    axvm_tree_end_node(&writer);
    assert_error(axvm_tree_finish(&writer, &size), AX_OK);
    axvm_tree_u32(&writer, "late", 1);
    assert_error(axvm_tree_finish(&writer, &size), AX_EFORMAT);
    axvm_tree_begin(&writer, buffer, sizeof(buffer));
    axvm_tree_node(&writer, "");
    axvm_tree_cells(&writer, "many", cells, AX_TREE_CELLS_MAX + 1);
    axvm_tree_end_node(&writer);
    assert_error(axvm_tree_finish(&writer, &size), AX_ENOSPC);
}

static void addresses_in_names_are_short_hex(void **state)
{
    static const struct {
        uint64_t address;
        const char *path;
    } cases[] = {{0, "/n@0"},
                 {0xf, "/n@f"},
                 {0x10, "/n@10"},
                 {UINT64_C(0x8000000000000000), "/n@8000000000000000"},
                 {UINT64_MAX, "/n@ffffffffffffffff"}};
    AxTree writer;
    size_t size;

    (void)state;
    axvm_tree_begin(&writer, tree, sizeof(tree));
    axvm_tree_node(&writer, "");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        axvm_tree_node_at(&writer, "n", cases[i].address);
        axvm_tree_end_node(&writer);
    }
    axvm_tree_end_node(&writer);
    assert_error(axvm_tree_finish(&writer, &size), AX_OK);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_true(has_node(cases[i].path));
    }
}

// ---- devices ----

static void the_uart_reaches_console_and_interrupt(void **state)
{
    uint64_t value = 0;

    (void)state;
    assert_error(create(), AX_OK);
    assert_error(axvm_bus_write(&vm.mmio, axvm_vcpu(&vm, 0), 0x9000000, AX_WIDTH_BYTE, 'H'), AX_OK);
    assert_error(axvm_bus_write(&vm.mmio, axvm_vcpu(&vm, 0), 0x9000000, AX_WIDTH_BYTE, 'i'), AX_OK);
    assert_string_equal(typed, "Hi");
    // Receive interrupts on, and SPI 33 enabled in Group 1, routed to CPU 0.
    assert_error(axvm_bus_write(&vm.mmio, axvm_vcpu(&vm, 0), 0x9000030, AX_WIDTH_DWORD, 0x301),
                 AX_OK);
    assert_error(axvm_bus_write(&vm.mmio, axvm_vcpu(&vm, 0), 0x9000038, AX_WIDTH_DWORD, 0x50),
                 AX_OK);
    assert_error(axvm_bus_write(&vm.mmio, axvm_vcpu(&vm, 0), 0x8000000, AX_WIDTH_DWORD, 0x12),
                 AX_OK);
    assert_error(axvm_bus_write(&vm.mmio, axvm_vcpu(&vm, 0), 0x8000084, AX_WIDTH_DWORD, 2), AX_OK);
    assert_error(axvm_bus_write(&vm.mmio, axvm_vcpu(&vm, 0), 0x8000104, AX_WIDTH_DWORD, 2), AX_OK);
    assert_false(axvcpu_interrupt_state(axvm_vcpu(&vm, 0), 33).pending);
    for (uint32_t i = 0; i < 32; i++) {
        assert_true(axvm_console_input(&vm, (uint8_t)('a' + i % 26)));
    }
    assert_false(axvm_console_input(&vm, '!'));
    assert_true(axvcpu_interrupt_state(axvm_vcpu(&vm, 0), 33).pending);
    assert_error(axvm_bus_read(&vm.mmio, axvm_vcpu(&vm, 0), 0x9000000, AX_WIDTH_DWORD, &value),
                 AX_OK);
    assert_int_equal(value, 'a');
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
        {offsetof(AxVMDevice, length), 0, 0x20000, AX_EINVAL, "interrupt controller"},
        {offsetof(AxVMDevice, config_count), 0, 1, AX_EINVAL, "interrupt controller"},
        {offsetof(AxVMDevice, config) + 4, 0, 0x80a1000, AX_EOVERLAP, "redistributors"},
        {offsetof(AxVMDevice, config) + 4, 0, 0x40000000, AX_EOVERLAP, "redistributors"},
        {offsetof(AxVMDevice, config) + 4, 0, 0x9040000, AX_EOVERLAP, "redistributors"},
        {offsetof(AxVMDevice, config) + 4, 0, 0x9000000, AX_EOVERLAP, "emu_devices"},
        {offsetof(AxVMDevice, config), 0, 0x100, AX_EOVERLAP, "redistributors"},
        {offsetof(AxVMDevice, type), 1, AX_EMU_INTERRUPT_CONTROLLER, AX_EINVAL,
         "interrupt controller"},
        {offsetof(AxVMDevice, type), 1, AX_EMU_SCRATCH, AX_EINVAL, "console"},
        {offsetof(AxVMDevice, length), 1, 0x2000, AX_EINVAL, "console"},
        {offsetof(AxVMDevice, irq), 1, 31, AX_EINVAL, "console"},
        {offsetof(AxVMDevice, irq), 1, 1000, AX_EINVAL, "irq"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        tear_down(state);
        set_up(state);
        axvm_machine_aarch64.defaults(&config);
        config.passthrough[0] = (AxVMPassthrough){"rtc", ax_gpa(0x9050000), ax_hpa(0x9020000),
                                                  0x1000, 40};
        config.passthrough_count = 1;
        memcpy((uint8_t *)&config.devices[cases[i].device] + cases[i].offset, &cases[i].value, 4);
        assert_error(create(), cases[i].error);
        assert_non_null(strstr(why, cases[i].word));
        assert_int_equal(host.frames_used, 0);
    }
}

static void a_scratch_page_is_a_device_of_its_own(void **state)
{
    uint64_t value = 0;

    (void)state;
    axvm_machine_aarch64.defaults(&config);
    config.devices[2] = (AxVMDevice){
        .name = "scratch", .base = 0xa000000, .length = 0x1000, .type = AX_EMU_SCRATCH};
    config.devices[3] = (AxVMDevice){
        .name = "more", .base = 0xa002000, .length = 0x1000, .type = AX_EMU_SCRATCH};
    config.device_count = 4;
    assert_error(create(), AX_EINVAL);
    assert_non_null(strstr(why, "scratch"));
    config.device_count = 3;
    config.devices[2].length = 0x2000;
    assert_error(create(), AX_EINVAL);
    config.devices[2].length = 0x1000;
    assert_error(create(), AX_OK);
    assert_error(axvm_bus_write(&vm.mmio, axvm_vcpu(&vm, 0), 0xa000010, AX_WIDTH_QWORD, 1234),
                 AX_OK);
    assert_error(axvm_bus_read(&vm.mmio, axvm_vcpu(&vm, 0), 0xa000010, AX_WIDTH_QWORD, &value),
                 AX_OK);
    assert_int_equal(value, 1234);
}

static void reset_reaches_every_device(void **state)
{
    uint64_t value = 1;

    (void)state;
    axvm_machine_aarch64.defaults(&config);
    config.devices[2] = (AxVMDevice){
        .name = "scratch", .base = 0xa000000, .length = 0x1000, .type = AX_EMU_SCRATCH};
    config.device_count = 3;
    assert_error(create(), AX_OK);
    assert_error(axvm_bus_write(&vm.mmio, axvm_vcpu(&vm, 0), 0xa000010, AX_WIDTH_QWORD, 1234),
                 AX_OK);
    assert_error(axvm_bus_write(&vm.mmio, axvm_vcpu(&vm, 0), 0x8000104, AX_WIDTH_DWORD, 2), AX_OK);
    assert_error(axvm_bus_write(&vm.mmio, axvm_vcpu(&vm, 0), 0x9000038, AX_WIDTH_DWORD, 0x10),
                 AX_OK);
    assert_error(axvm_stop(&vm, AX_VM_STOP_RESET), AX_OK);
    assert_error(axvm_reset(&vm, &why), AX_OK);
    assert_error(axvm_bus_read(&vm.mmio, axvm_vcpu(&vm, 0), 0xa000010, AX_WIDTH_QWORD, &value),
                 AX_OK);
    assert_int_equal(value, 0);
    assert_error(axvm_bus_read(&vm.mmio, axvm_vcpu(&vm, 0), 0x8000104, AX_WIDTH_DWORD, &value),
                 AX_OK);
    assert_int_equal(value, 0);
    assert_error(axvm_bus_read(&vm.mmio, axvm_vcpu(&vm, 0), 0x9000038, AX_WIDTH_DWORD, &value),
                 AX_OK);
    assert_int_equal(value, 0);
}

static void interrupts_between_cpus_arrive(void **state)
{
    const AxVCpuExit sgi = {.reason = AX_EXIT_SEND_IPI,
                            .ipi = {.target_cpu = 0, .target_list = 2, .vector = 4}};
    const AxVCpuExit bad = {.reason = AX_EXIT_SEND_IPI, .ipi = {.vector = 16}};

    (void)state;
    config.cpu_num = 2;
    assert_error(create(), AX_OK);
    // SGI 4 of CPU 1 into Group 1.
    assert_error(axvm_bus_write(&vm.mmio, axvm_vcpu(&vm, 0), 0x80d0080, AX_WIDTH_DWORD, 0x10),
                 AX_OK);
    assert_error(vm.machine->send_ipi(vm.machine_state, axvm_vcpu(&vm, 0), &sgi), AX_OK);
    assert_true(axvcpu_interrupt_state(axvm_vcpu(&vm, 1), 4).pending);
    assert_false(axvcpu_interrupt_state(axvm_vcpu(&vm, 0), 4).pending);
    assert_error(vm.machine->send_ipi(vm.machine_state, axvm_vcpu(&vm, 0), &bad), AX_ERANGE);
}

static void a_vcpu_that_was_reset_gets_its_enables_back(void **state)
{
    (void)state;
    config.cpu_num = 2;
    assert_error(create(), AX_OK);
    assert_error(axvcpu_reset(axvm_vcpu(&vm, 1)), AX_OK);
    assert_true(axvcpu_events_enabled(&axvm_vcpu(&vm, 1)->events, 40));
    vm.machine->vcpu_reset(vm.machine_state, 1);
    assert_false(axvcpu_events_enabled(&axvm_vcpu(&vm, 1)->events, 40));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        COMMON_BOARD_TESTS,
        BOARD_TEST(the_default_board_is_described),
        BOARD_TEST(defaults_fill_only_what_is_left_out),
        BOARD_TEST(every_cpu_has_a_node_with_its_affinity),
        BOARD_TEST(other_devices_and_memory_are_described_where_they_are),
        cmocka_unit_test(the_writer_refuses_what_is_no_tree),
        cmocka_unit_test(addresses_in_names_are_short_hex),
        BOARD_TEST(the_uart_reaches_console_and_interrupt),
        BOARD_TEST(bad_devices_are_refused),
        BOARD_TEST(a_scratch_page_is_a_device_of_its_own),
        BOARD_TEST(reset_reaches_every_device),
        BOARD_TEST(interrupts_between_cpus_arrive),
        BOARD_TEST(a_vcpu_that_was_reset_gets_its_enables_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
