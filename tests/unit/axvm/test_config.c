// SPDX-License-Identifier: Apache-2.0
/* Descriptions of VMs: each way in which one can be wrong, and what is right about the limits. */
#include "test.h"

#include <axvm/config.h>

#define RW (AX_MAP_READ | AX_MAP_WRITE)

static const uint8_t image[4] = {1, 2, 3, 4};

static AxVMConfig good_config(void)
{
    AxVMConfig config;

    axvm_config_init(&config, 3);
    config.kernel = (AxBlob){image, sizeof(image)};
    config.memory[0] = (AxVMMemory){ax_gpa(GIB(1)), MIB(64), AX_MAP_RIGHTS, AX_MAP_TYPE_ALLOC};
    config.memory[1] = (AxVMMemory){ax_gpa(GIB(2)), MIB(1), RW, AX_MAP_TYPE_RESERVED};
    config.memory_count = 2;
    config.devices[0] = (AxVMDevice){.name = "gic",
                                     .base = 0x8000000,
                                     .length = 0x10000,
                                     .type = AX_EMU_INTERRUPT_CONTROLLER,
                                     .config = {0, 0x80a0000},
                                     .config_count = 2};
    config.devices[1] = (AxVMDevice){
        .name = "uart", .base = 0x9000000, .length = 0x1000, .irq = 33, .type = AX_EMU_CONSOLE};
    config.device_count = 2;
    config.passthrough[0] = (AxVMPassthrough){"rtc", ax_gpa(0x9010000), ax_hpa(0x9010000), 0x1000,
                                              34};
    config.passthrough_count = 1;
    return config;
}

static void a_new_description_has_the_documented_defaults(void **state)
{
    static const struct {
        AxVMId id;
        const char *name;
    } cases[] = {{0, "vm0"}, {7, "vm7"}, {10, "vm10"}, {UINT32_MAX, "vm4294967295"}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AxVMConfig config;

        memset(&config, 0xff, sizeof(config));
        axvm_config_init(&config, cases[i].id);
        assert_int_equal(config.id, cases[i].id);
        assert_string_equal(config.name, cases[i].name);
        assert_int_equal(config.cpu_num, 1);
        assert_int_equal(config.entry_point.value, AX_ADDR_AUTO.value);
        assert_int_equal(config.kernel_load_addr.value, AX_ADDR_AUTO.value);
        assert_int_equal(config.ramdisk_load_addr.value, AX_ADDR_AUTO.value);
        assert_int_equal(config.kernel.size + config.ramdisk.size, 0);
        assert_int_equal(config.memory_count + config.device_count + config.passthrough_count, 0);
        assert_string_equal(config.cmdline, "");
    }
}

static void a_complete_description_is_accepted(void **state)
{
    AxVMConfig config = good_config();
    const char *why = "untouched";

    (void)state;
    assert_error(axvm_config_check(&config, &why), AX_OK);
    assert_error(axvm_config_check(&config, NULL), AX_OK);
    config.kernel.size = 0;
    config.entry_point = ax_gpa(GIB(1));
    assert_error(axvm_config_check(&config, &why), AX_OK);
    memset(config.cmdline, 'x', AX_VM_CMDLINE_SIZE - 1);
    config.cpu_num = AX_VM_CPUS_MAX;
    assert_error(axvm_config_check(&config, &why), AX_OK);
    assert_string_equal(why, "untouched");
    config.device_count = 0;
    config.memory_count = 0;
    config.passthrough_count = 0;
    assert_error(axvm_config_check(&config, &why), AX_OK);
}

// One mistake each, with the word that its message must hold.
#define MISTAKES(X)                                                                          \
    X(empty_name, AX_EINVAL, "name", c->name[0] = '\0')                                      \
    X(bad_name, AX_EINVAL, "name", c->name[0] = '/')                                         \
    X(endless_name, AX_EINVAL, "name", memset(c->name, 'a', sizeof(c->name)))                \
    X(no_cpu, AX_ERANGE, "cpu_num", c->cpu_num = 0)                                          \
    X(many_cpus, AX_ERANGE, "cpu_num", c->cpu_num = AX_VM_CPUS_MAX + 1)                      \
    X(control_char, AX_EINVAL, "cmdline", c->cmdline[0] = '\n')                              \
    X(delete_char, AX_EINVAL, "cmdline", c->cmdline[0] = 0x7f)                               \
    X(endless_cmdline, AX_EINVAL, "cmdline", memset(c->cmdline, 'a', sizeof(c->cmdline)))    \
    X(many_regions, AX_ERANGE, "memory", c->memory_count = AX_VM_MEMORY_MAX + 1)             \
    X(many_devices, AX_ERANGE, "devices", c->device_count = AX_VM_DEVICES_MAX + 1)           \
    X(many_passed, AX_ERANGE, "devices", c->passthrough_count = AX_VM_DEVICES_MAX + 1)       \
    X(kernel_no_data, AX_EINVAL, "kernel", c->kernel.data = NULL)                            \
    X(ramdisk_no_data, AX_EINVAL, "ramdisk", c->ramdisk.size = 1)                            \
    X(bad_format, AX_ENOTSUP, "image_format", c->image_format = (AxImageFormat)7)            \
    X(far_entry, AX_ERANGE, "entry_point", c->entry_point.value = UINT64_C(1) << 48)         \
    X(far_kernel, AX_ERANGE, "kernel_load_addr", c->kernel_load_addr.value--)                \
    X(far_ramdisk, AX_ERANGE, "ramdisk_load_addr", c->ramdisk_load_addr.value--)             \
    X(no_kernel, AX_EINVAL, "kernel", c->kernel.size = 0)                                    \
    X(region_flags, AX_EINVAL, "memory_regions", c->memory[0].flags = 0x10 | RW)             \
    X(region_unreadable, AX_EINVAL, "memory_regions", c->memory[0].flags = AX_MAP_WRITE)     \
    X(region_type, AX_EINVAL, "memory_regions", c->memory[0].type = (AxMapType)3)            \
    X(region_empty, AX_EINVAL, "memory_regions", c->memory[0].size = 0)                      \
    X(region_align, AX_EALIGN, "memory_regions", c->memory[0].size++)                        \
    X(region_base, AX_EALIGN, "memory_regions", c->memory[0].base.value++)                   \
    X(region_far, AX_ERANGE, "memory_regions", c->memory[0].size = UINT64_C(1) << 48)        \
    X(region_wraps, AX_ERANGE, "memory_regions", c->memory[0].size = ~UINT64_C(0xfff))       \
    X(device_name, AX_EINVAL, "emu_devices", c->devices[1].name[0] = ' ')                    \
    X(device_type, AX_ENOTSUP, "emu_devices", c->devices[1].type = 3)                        \
    X(device_irq, AX_ERANGE, "emu_devices", c->devices[1].irq = AX_IRQ_COUNT)                \
    X(device_words, AX_ERANGE, "emu_devices", c->devices[1].config_count = 9)                \
    X(device_empty, AX_EINVAL, "emu_devices", c->devices[1].length = 0)                      \
    X(device_align, AX_EALIGN, "emu_devices", c->devices[1].base += 4)                       \
    X(device_far, AX_ERANGE, "emu_devices", c->devices[1].base = UINT64_C(1) << 48)          \
    X(passed_name, AX_EINVAL, "passthrough", c->passthrough[0].name[0] = '@')                \
    X(passed_irq, AX_ERANGE, "passthrough", c->passthrough[0].irq = 5000)                    \
    X(passed_empty, AX_EINVAL, "passthrough", c->passthrough[0].length = 0)                  \
    X(passed_gpa, AX_EALIGN, "passthrough", c->passthrough[0].gpa.value++)                   \
    X(passed_hpa, AX_EALIGN, "passthrough", c->passthrough[0].hpa.value++)                   \
    X(passed_far, AX_ERANGE, "passthrough", c->passthrough[0].hpa.value = UINT64_C(1) << 63) \
    X(region_on_region, AX_EOVERLAP, "overlap", c->memory[1].base.value = GIB(1) + MIB(63))  \
    X(device_on_region, AX_EOVERLAP, "overlap", c->devices[1].base = GIB(1))                 \
    X(device_on_device, AX_EOVERLAP, "overlap", c->devices[1].base = 0x800f000)              \
    X(passed_on_device, AX_EOVERLAP, "overlap", c->passthrough[0].gpa.value = 0x9000000)     \
    X(same_name, AX_EEXIST, "name", memcpy(c->devices[0].name, "uart", 5))                   \
    X(passed_same_name, AX_EEXIST, "name", memcpy(c->passthrough[0].name, "gic", 4))         \
    X(same_irq, AX_EEXIST, "irq", c->passthrough[0].irq = 33)

#define MISTAKE_FUNCTION(what, error, word, change) \
    static void mistake_##what(AxVMConfig *c)       \
    {                                               \
        (void)(change);                             \
    }
MISTAKES(MISTAKE_FUNCTION)

#define MISTAKE_ROW(what, error, word, change) {#what, mistake_##what, error, word},

static void each_mistake_is_named(void **state)
{
    static const struct {
        const char *name;
        void (*make)(AxVMConfig *config);
        AxError error;
        const char *word;
    } cases[] = {MISTAKES(MISTAKE_ROW)};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AxVMConfig config = good_config();
        const char *why = "";

        cases[i].make(&config);
        print_message("# %s\n", cases[i].name);
        assert_error(axvm_config_check(&config, &why), cases[i].error);
        assert_non_null(strstr(why, cases[i].word));
    }
}

static void no_description_at_all_is_an_error(void **state)
{
    const char *why = NULL;

    (void)state;
    assert_error(axvm_config_check(NULL, &why), AX_EINVAL);
    assert_non_null(why);
}

static void neighbours_do_not_overlap(void **state)
{
    AxVMConfig config = good_config();

    (void)state;
    config.memory[1].base.value = GIB(1) + MIB(64);
    config.passthrough[0].gpa.value = 0x9001000;
    config.devices[0].base = 0x9000000 - 0x10000;
    config.devices[0].irq = 0;
    config.passthrough[0].irq = 0;
    assert_error(axvm_config_check(&config, NULL), AX_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_description_has_the_documented_defaults),
        cmocka_unit_test(a_complete_description_is_accepted),
        cmocka_unit_test(each_mistake_is_named),
        cmocka_unit_test(no_description_at_all_is_an_error),
        cmocka_unit_test(neighbours_do_not_overlap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
