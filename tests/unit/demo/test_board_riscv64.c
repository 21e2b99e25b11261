// SPDX-License-Identifier: Apache-2.0
// A tree like that of QEMU's virt board is built, one thing in it changed, and read.
#include "hostinfo_fdt.h"
#include "riscv64/board.h"
#include "tree.h"

#define ISA "rv64imafdch_zicsr_zifencei_sstc"

// Hart ids of the tree, in its order, and the phandles of their interrupt controllers.
#define HARTS 3
static const uint32_t harts[HARTS] = {4, 0, 7};
#define PHANDLE(i) (0x10 + (i))

static void put_cpu(uint32_t index)
{
    char name[16];

    snprintf(name, sizeof(name), "cpu@%u", harts[index]);
    check(fdt_begin_node(tree, name));
    check(fdt_property_string(tree, "device_type", "cpu"));
    check(fdt_property_string(tree, "riscv,isa", ISA));
    CELLS("reg", harts[index]);
    check(fdt_begin_node(tree, "interrupt-controller"));
    check(fdt_property_string(tree, "compatible", "riscv,cpu-intc"));
    CELLS("phandle", PHANDLE(index));
    check(fdt_end_node(tree));
    check(fdt_end_node(tree));
}

static void put_cpus(void)
{
    check(fdt_begin_node(tree, "cpus"));
    CELLS("#address-cells", 1);
    CELLS("#size-cells", 0);
    CELLS("timebase-frequency", 10000000);
    for (uint32_t i = 0; i < HARTS; i++) {
        put_cpu(i);
    }
    check(fdt_begin_node(tree, "cpu-map"));
    check(fdt_end_node(tree));
    check(fdt_end_node(tree));
}

static void put_devices(void)
{
    check(fdt_begin_node(tree, "soc"));
    CELLS("#address-cells", 2);
    CELLS("#size-cells", 2);
    check(fdt_begin_node(tree, "serial@10000000"));
    check(fdt_property_string(tree, "compatible", "ns16550a"));
    CELLS("reg", 0, 0x10000000, 0, 0x100);
    CELLS("interrupts", 10);
    check(fdt_end_node(tree));
    check(fdt_begin_node(tree, "test@100000"));
    check(fdt_property(tree, "compatible", "sifive,test1\0sifive,test0\0syscon", 33));
    CELLS("reg", 0, 0x100000, 0, 0x1000);
    check(fdt_end_node(tree));
    check(fdt_begin_node(tree, "plic@c000000"));
    check(fdt_property(tree, "compatible", "sifive,plic-1.0.0\0riscv,plic0", 30));
    CELLS("reg", 0, 0xc000000, 0, 0x600000);
    CELLS("riscv,ndev", 96);
    // The last hart first, and the second one without machine mode.
    CELLS("interrupts-extended", PHANDLE(2), 11, PHANDLE(2), 9, PHANDLE(1), 9, PHANDLE(0), 11,
          PHANDLE(0), 9);
    check(fdt_end_node(tree));
    check(fdt_end_node(tree));
}

static void build(void)
{
    tree_begin();
    put_devices();
    put_cpus();
    tree_end();
}

typedef struct Machine {
    Riscv64Board board;
    HostInfo info;
    const char *why;
} Machine;

static bool read(Machine *machine)
{
    machine->why = "?";
    return hostinfo_read_fdt(&machine->info, tree, 4, &machine->why) &&
           riscv64_board_read(&machine->board, &machine->info, tree, &machine->why);
}

static Machine must_read(void)
{
    Machine machine;

    assert_true(read(&machine));
    assert_null(machine.why);
    return machine;
}

static void must_name(const char *thing)
{
    Machine machine;

    assert_false(read(&machine));
    assert_names(machine.why, thing);
}

static void everything_is_found_in_a_tree_like_qemus(void **state)
{
    (void)state;
    build();
    const Machine machine = must_read();

    assert_int_equal(machine.board.uart.base, 0x10000000);
    assert_int_equal(machine.board.uart_irq, 10);
    assert_int_equal(machine.board.plic.base, 0xc000000);
    assert_int_equal(machine.board.plic_sources, 96);
    assert_int_equal(machine.board.test.base, 0x100000);
    assert_int_equal(machine.info.counter_hz, 10000000);
    assert_string_equal(machine.info.isa, ISA);
}

static void each_hart_gets_its_own_context(void **state)
{
    static const uint32_t contexts[HARTS] = {4, 2, 1};

    (void)state;
    build();
    const Machine machine = must_read();

    for (uint32_t i = 0; i < HARTS; i++) {
        assert_int_equal(machine.info.cpus[i], harts[i]);
        assert_int_equal(machine.board.contexts[i], contexts[i]);
    }
    assert_int_equal(machine.board.contexts[HARTS], PLIC_NO_CONTEXT);
}

static void a_wire_to_nowhere_is_no_context(void **state)
{
    static const uint32_t phandles[] = {0, 0x99, UINT32_MAX};

    (void)state;
    for (size_t i = 0; i < COUNT(phandles); i++) {
        const fdt32_t wires[] = {cpu_to_fdt32(phandles[i]), cpu_to_fdt32(9),
                                 cpu_to_fdt32(PHANDLE(1)), cpu_to_fdt32(9)};

        build();
        check(fdt_setprop(tree, node_at("/soc/plic@c000000"), "interrupts-extended", wires,
                          (int)sizeof(wires)));
        const Machine machine = must_read();

        assert_int_equal(machine.board.contexts[0], PLIC_NO_CONTEXT);
        assert_int_equal(machine.board.contexts[1], 1);
    }
}

static void its_devices_belong_to_the_hypervisor(void **state)
{
    static const uint64_t taken[] = {0x10000000, 0xc000000, 0x100000};

    (void)state;
    build();
    const Machine machine = must_read();

    assert_int_equal(machine.info.devices.count, COUNT(taken));
    for (size_t i = 0; i < COUNT(taken); i++) {
        const Range range = {.base = taken[i], .size = 0x100};

        assert_true(ranges_contain(&machine.info.devices, range));
    }
}

static void the_test_device_may_be_missing(void **state)
{
    (void)state;
    build();
    check(fdt_del_node(tree, node_at("/soc/test@100000")));
    const Machine machine = must_read();

    assert_int_equal(machine.board.test.size, 0);
    assert_int_equal(machine.info.devices.count, 2);
}

static void what_not_all_harts_say_is_not_said(void **state)
{
    (void)state;
    build();
    check(fdt_setprop_string(tree, node_at("/cpus/cpu@7"), "riscv,isa", "rv64imac"));
    assert_null(must_read().info.isa);
    build();
    check(fdt_delprop(tree, node_at("/cpus/cpu@4"), "riscv,isa"));
    assert_null(must_read().info.isa);
    build();
    check(fdt_setprop(tree, node_at("/cpus/cpu@0"), "riscv,isa", "rv64", 4));
    assert_null(must_read().info.isa);
}

static void what_a_hart_says_that_is_not_used_does_not_count(void **state)
{
    (void)state;
    build();
    check(fdt_setprop_string(tree, node_at("/cpus/cpu@7"), "status", "disabled"));
    check(fdt_setprop_string(tree, node_at("/cpus/cpu@7"), "riscv,isa", "rv64imac"));
    assert_string_equal(must_read().info.isa, ISA);
}

static void a_missing_node_is_named(void **state)
{
    static const char *const nodes[][2] = {
        {"/soc/serial@10000000", "NS16550A"},
        {"/soc/plic@c000000", "PLIC"},
        {"/cpus", "/cpus"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(nodes); i++) {
        build();
        check(fdt_del_node(tree, node_at(nodes[i][0])));
        must_name(nodes[i][1]);
    }
}

static void a_damaged_property_is_named(void **state)
{
    static const Damage cuts[] = {
        {"/soc/serial@10000000", "reg", 0, "NS16550A"},
        {"/soc/serial@10000000", "interrupts", 0, "NS16550A"},
        {"/soc/serial@10000000", "interrupts", 4, "NS16550A"},
        {"/soc/serial@10000000", "interrupts", 12, "NS16550A"},
        {"/soc/plic@c000000", "reg", 12, "PLIC"},
        {"/soc/plic@c000000", "riscv,ndev", 4, "PLIC"},
        {"/soc/plic@c000000", "riscv,ndev", 2, "PLIC"},
        {"/soc/plic@c000000", "interrupts-extended", 12, "interrupts-extended"},
        {"/soc/plic@c000000", "interrupts-extended", 2, "interrupts-extended"},
        {"/cpus", "timebase-frequency", 0, "timebase-frequency"},
        {"/cpus", "timebase-frequency", 4, "timebase-frequency"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cuts); i++) {
        build();
        tree_damage(&cuts[i]);
        must_name(cuts[i].named);
    }
}

static void contexts_lie_within_the_plic(void **state)
{
    const fdt64_t small[] = {cpu_to_fdt64(0xc000000), cpu_to_fdt64(0x204000)};
    const fdt64_t enough[] = {cpu_to_fdt64(0xc000000), cpu_to_fdt64(0x205000)};

    (void)state;
    build();
    check(fdt_setprop(tree, node_at("/soc/plic@c000000"), "reg", small, (int)sizeof(small)));
    must_name("interrupts-extended");
    build();
    check(fdt_setprop(tree, node_at("/soc/plic@c000000"), "reg", enough, (int)sizeof(enough)));
    (void)must_read();
}

static void a_timebase_has_a_rate(void **state)
{
    static const struct {
        uint32_t hz;
        bool good;
    } rates[] = {{0, false}, {1, true}, {1000000000, true}, {1000000001, false}};

    (void)state;
    for (size_t i = 0; i < COUNT(rates); i++) {
        Machine machine;

        build();
        check(fdt_setprop_u32(tree, node_at("/cpus"), "timebase-frequency", rates[i].hz));
        assert_int_equal(read(&machine), rates[i].good);
    }
}

// Whatever one byte of the structure becomes, reading ends, inside the tree.
static void any_damaged_byte_is_survived(void **state)
{
    Machine machine;

    (void)state;
    build();
    check(fdt_pack(tree));
    const uint32_t size = fdt_totalsize(tree);

    for (uint32_t at = sizeof(struct fdt_header); at < size; at++) {
        uint8_t *copy = malloc(size);

        assert_non_null(copy);
        memcpy(copy, tree, size);
        copy[at] ^= 0xff;
        if (hostinfo_read_fdt(&machine.info, copy, 0, &machine.why)) {
            const bool good = riscv64_board_read(&machine.board, &machine.info, copy, &machine.why);

            assert_int_equal(good, machine.why == NULL);
        }
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_found_in_a_tree_like_qemus),
        cmocka_unit_test(each_hart_gets_its_own_context),
        cmocka_unit_test(a_wire_to_nowhere_is_no_context),
        cmocka_unit_test(its_devices_belong_to_the_hypervisor),
        cmocka_unit_test(the_test_device_may_be_missing),
        cmocka_unit_test(what_not_all_harts_say_is_not_said),
        cmocka_unit_test(what_a_hart_says_that_is_not_used_does_not_count),
        cmocka_unit_test(a_missing_node_is_named),
        cmocka_unit_test(a_damaged_property_is_named),
        cmocka_unit_test(contexts_lie_within_the_plic),
        cmocka_unit_test(a_timebase_has_a_rate),
        cmocka_unit_test(any_damaged_byte_is_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
