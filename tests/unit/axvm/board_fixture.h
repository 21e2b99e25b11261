// SPDX-License-Identifier: Apache-2.0
/*
 * A VM on one of the boards, its device tree read back, and what is true of all boards. Whoever
 * includes this has defined BOARD, the board's table, and BOARD_RAM, where its RAM begins.
 */
#pragma once

#include "test.h"

#include <axvm/machines.h>
#include <libfdt.h>
#include <stdio.h>
#include <unistd.h>

#define FRAMES     4096u
#define COUNTER_HZ 10000000u

static FakeHal host;
static AxVMConfig config;
static AxVM vm;
static uint8_t tree[AX_BOOT_BLOCK_ROOM] __attribute__((aligned(8)));
static char typed[64];
static size_t typed_count;
static const uint8_t image[16] = {1};
static const char *why;
static uint64_t counter_hz;
static const char *host_isa;
static AxVMRandom random_source;
static uint8_t next_random; /* what the source gives next: every byte is another one */
static uint32_t random_bytes;

static void put(void *ctx, uint8_t byte)
{
    assert_ptr_equal(ctx, typed);
    typed[typed_count++] = (char)byte;
}

static void count_up(void *ctx, uint8_t *buffer, size_t size)
{
    assert_ptr_equal(ctx, &next_random);
    for (size_t i = 0; i < size; i++) {
        buffer[i] = next_random++;
    }
    random_bytes += (uint32_t)size;
}

static int set_up(void **state)
{
    (void)state;
    counter_hz = COUNTER_HZ;
    host_isa = NULL;
    random_source = NULL;
    next_random = 1;
    random_bytes = 0;
    fake_hal_init(&host, FRAMES);
    memset(&vm, 0, sizeof(vm));
    memset(typed, 0, sizeof(typed));
    typed_count = 0;
    axvm_config_init(&config, 1);
    config.kernel = (AxBlob){image, sizeof(image)};
    config.ramdisk = (AxBlob){image, 5};
    config.memory[0] = (AxVMMemory){ax_gpa(BOARD_RAM), MIB(4), AX_MAP_RIGHTS, AX_MAP_TYPE_ALLOC};
    config.memory_count = 1;
    memcpy(config.cmdline, "console=ttyAMA0 \"x\"", 20);
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

static AxError create(void)
{
    const AxVMParams params = {.hal = &host.hal,
                               .machine = BOARD,
                               .config = &config,
                               .console = {put, typed},
                               .random = random_source,
                               .random_ctx = &next_random,
                               .counter_hz = counter_hz,
                               .host_isa = host_isa};

    why = NULL;
    return axvm_create(&vm, &params, &why);
}

/* Takes the device tree out of the guest's memory. */
static void read_tree(void)
{
    assert_error(axvm_copy_from_guest(&vm.memory, vm.layout.boot_block, tree, sizeof(tree)), AX_OK);
    assert_int_equal(fdt_check_full(tree, sizeof(tree)), 0);
}

static void create_and_read(void)
{
    assert_error(create(), AX_OK);
    read_tree();
}

/* ---- reading ---- */

static int node(const char *path)
{
    const int offset = fdt_path_offset(tree, path);

    if (offset < 0) {
        fail_msg("no node %s", path);
    }
    return offset;
}

static const void *property(const char *path, const char *name, int size)
{
    int length = -1;
    const void *value = fdt_getprop(tree, node(path), name, &length);

    if (value == NULL || (size >= 0 && length != size)) {
        fail_msg("%s of %s has length %d", name, path, length);
    }
    return value;
}

static void assert_text(const char *path, const char *name, const char *wanted)
{
    assert_string_equal(property(path, name, (int)strlen(wanted) + 1), wanted);
}

static void assert_cells(const char *path, const char *name, const uint32_t *wanted, int count)
{
    const fdt32_t *cells = property(path, name, count * 4);

    for (int i = 0; i < count; i++) {
        assert_int_equal(fdt32_to_cpu(cells[i]), wanted[i]);
    }
}

#define ASSERT_CELLS(path, name, ...)                         \
    assert_cells(path, name, (const uint32_t[]){__VA_ARGS__}, \
                 (int)(sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t)))

static bool has_node(const char *path)
{
    return fdt_path_offset(tree, path) >= 0;
}

static uint64_t u64(const char *path, const char *name)
{
    return fdt64_ld(property(path, name, 8));
}

/* ---- accesses of vCPU 0 ---- */

static inline uint64_t peek(uint64_t address, AccessWidth width)
{
    uint64_t value = UINT64_MAX;

    assert_error(axvm_bus_read(&vm.mmio, axvm_vcpu(&vm, 0), address, width, &value), AX_OK);
    return value;
}

static inline void poke(uint64_t address, AccessWidth width, uint64_t value)
{
    assert_error(axvm_bus_write(&vm.mmio, axvm_vcpu(&vm, 0), address, width, value), AX_OK);
}

/* ---- what is true of all boards ---- */

static void without_a_ramdisk_none_is_named(void **state)
{
    (void)state;
    config.ramdisk.size = 0;
    config.cmdline[0] = '\0';
    create_and_read();
    assert_null(fdt_getprop(tree, node("/chosen"), "linux,initrd-start", NULL));
    assert_text("/chosen", "bootargs", "");
}

/* All of the source's bytes from `first` on, in this order. */
static void assert_seed(const char *name, uint8_t first, int size)
{
    const uint8_t *seed = property("/chosen", name, size);

    for (int i = 0; i < size; i++) {
        assert_int_equal(seed[i], (uint8_t)(first + i));
    }
}

static void a_source_of_random_bytes_gives_the_guest_its_seeds(void **state)
{
    (void)state;
    random_source = count_up;
    create_and_read();
    assert_seed("kaslr-seed", 1, 8);
    assert_seed("rng-seed", 9, 32);
    assert_int_equal(random_bytes, 8 + 32);
}

static void without_a_source_there_are_no_seeds(void **state)
{
    (void)state;
    create_and_read();
    assert_null(fdt_getprop(tree, node("/chosen"), "kaslr-seed", NULL));
    assert_null(fdt_getprop(tree, node("/chosen"), "rng-seed", NULL));
    assert_int_equal(random_bytes, 0);
}

static void each_load_has_seeds_of_its_own(void **state)
{
    (void)state;
    random_source = count_up;
    create_and_read();
    assert_error(axvm_stop(&vm, AX_VM_STOP_RESET), AX_OK);
    assert_error(axvm_reset(&vm, &why), AX_OK);
    read_tree();
    assert_seed("kaslr-seed", 41, 8);
    assert_seed("rng-seed", 49, 32);
    assert_int_equal(random_bytes, 2 * (8 + 32));
}

static void a_tree_that_does_not_fit_is_refused(void **state)
{
    static uint8_t buffer[AX_BOOT_BLOCK_ROOM] __attribute__((aligned(8)));
    size_t whole = 0;
    size_t size = 0;

    (void)state;
    create_and_read();
    for (size_t room = 0; room < sizeof(buffer) && whole == 0; room += 4) {
        const AxError error = vm.machine->describe(vm.machine_state, &vm, buffer, room, &size);

        if (error == AX_OK) {
            whole = room;
        } else {
            assert_error(error, AX_ENOSPC);
        }
    }
    assert_in_range(whole, size, size + 16);
    assert_error(vm.machine->describe(vm.machine_state, &vm, buffer, SIZE_MAX, &size), AX_ENOSPC);
}

static void dtc_has_no_complaint(void **state)
{
    char command[256];
    char name[] = "/tmp/axvm-fdt-XXXXXX";
    char output[1024] = "";
    int file;
    FILE *pipe;

    (void)state;
    if (system("dtc --version >/dev/null 2>&1") != 0) {
        skip();
    }
    config.cpu_num = 3;
    config.passthrough[0] = (AxVMPassthrough){"rtc", ax_gpa(0x9010000), ax_hpa(0x9020000), 0x1000,
                                              40};
    config.passthrough_count = 1;
    create_and_read();
    file = mkstemp(name);
    assert_true(file >= 0);
    assert_int_equal(write(file, tree, fdt_totalsize(tree)), fdt_totalsize(tree));
    close(file);
    snprintf(command, sizeof(command), "dtc -I dtb -O dts -o /dev/null %s 2>&1", name);
    pipe = popen(command, "r");
    assert_non_null(pipe);
    output[fread(output, 1, sizeof(output) - 1, pipe)] = '\0';
    assert_int_equal(pclose(pipe), 0);
    unlink(name);
    assert_string_equal(output, "");
}

#define BOARD_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

/* To begin the table of a board's tests. */
#define COMMON_BOARD_TESTS                                              \
    BOARD_TEST(without_a_ramdisk_none_is_named),                        \
        BOARD_TEST(a_source_of_random_bytes_gives_the_guest_its_seeds), \
        BOARD_TEST(without_a_source_there_are_no_seeds),                \
        BOARD_TEST(each_load_has_seeds_of_its_own),                     \
        BOARD_TEST(a_tree_that_does_not_fit_is_refused), BOARD_TEST(dtc_has_no_complaint)
