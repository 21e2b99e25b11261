// SPDX-License-Identifier: Apache-2.0
/* Buses: who sits where, who is in the way, what a device gets to see. */
#include "test.h"

#include <axvm/device.h>

typedef struct Seen {
    uint32_t reads;
    uint32_t writes;
    uint64_t offset;
    AccessWidth width;
    uint64_t value;
    AxVCpu *vcpu;
    AxError answer;
} Seen;

static AxError device_read(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                           uint64_t *value)
{
    Seen *seen = device;

    seen->reads++;
    seen->offset = offset;
    seen->width = width;
    seen->vcpu = vcpu;
    *value = UINT64_C(0x1122334455667788);
    return seen->answer;
}

static AxError device_write(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                            uint64_t value)
{
    Seen *seen = device;

    seen->writes++;
    seen->offset = offset;
    seen->width = width;
    seen->value = value;
    seen->vcpu = vcpu;
    return seen->answer;
}

static const AxDeviceOps ops = {"device", device_read, device_write};
static const AxDeviceOps other_ops = {"other", device_read, device_write};

static AxBus bus;
static Seen seen;
static AxVCpu vcpu;

static int setup(void **state)
{
    (void)state;
    axvm_bus_init(&bus);
    memset(&seen, 0, sizeof(seen));
    return 0;
}

static AxError add(uint64_t base, uint64_t size)
{
    const AxBusRange range = {base, size, &ops, &seen};

    return axvm_bus_add(&bus, &range, NULL);
}

static void incomplete_ranges_are_refused(void **state)
{
    const AxDeviceOps no_name = {NULL, device_read, device_write};
    const AxDeviceOps no_read = {"x", NULL, device_write};
    const AxDeviceOps no_write = {"x", device_read, NULL};
    const AxBusRange bad[] = {
        {0, 0, &ops, &seen},      {0, 16, NULL, &seen},      {0, 16, &no_name, &seen},
        {0, 16, &no_read, &seen}, {0, 16, &no_write, &seen},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_error(axvm_bus_add(&bus, &bad[i], NULL), AX_EINVAL);
    }
    assert_error(axvm_bus_add(NULL, &(AxBusRange){0, 16, &ops, &seen}, NULL), AX_EINVAL);
    assert_error(axvm_bus_add(&bus, NULL, NULL), AX_EINVAL);
    assert_error(add(UINT64_MAX - 14, 16), AX_ERANGE);
    assert_error(add(1, UINT64_MAX), AX_OK);
    assert_int_equal(bus.count, 1);
}

static void conflicts_name_the_other(void **state)
{
    static const struct {
        uint64_t base;
        uint64_t size;
        bool fits;
    } cases[] = {
        {0xfff, 1, true},       {0xfff, 2, false},     {0x1000, 1, false}, {0x10ff, 1, false},
        {0x1100, 1, true},      {0x1080, 0x10, false}, {0, 0x1000, true},  {0, 0x1001, false},
        {0, UINT64_MAX, false}, {0x10ff, 0x10, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const AxBusRange first = {0x1000, 0x100, &other_ops, &seen};
        const AxBusRange second = {cases[i].base, cases[i].size, &ops, &seen};
        const char *conflict = "nobody";

        axvm_bus_init(&bus);
        assert_error(axvm_bus_add(&bus, &first, &conflict), AX_OK);
        assert_error(axvm_bus_add(&bus, &second, &conflict), cases[i].fits ? AX_OK : AX_EOVERLAP);
        assert_string_equal(conflict, cases[i].fits ? "nobody" : "other");
        assert_int_equal(bus.count, cases[i].fits ? 2 : 1);
    }
}

static void a_full_bus_says_so(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < AX_BUS_RANGES; i++) {
        assert_error(add((i * 7 % AX_BUS_RANGES) * 16, 16), AX_OK);
    }
    assert_error(add(0x10000, 16), AX_ENOSPC);
    assert_error(add(0, 16), AX_EOVERLAP);
}

static void every_address_finds_its_range_whatever_the_order(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < AX_BUS_RANGES; i++) {
        assert_error(add(0x100 + (i * 7 % AX_BUS_RANGES) * 32, 16), AX_OK);
    }
    for (uint64_t addr = 0; addr < 0x100 + AX_BUS_RANGES * 32 + 32; addr++) {
        const bool inside = addr >= 0x100 && addr < 0x100 + AX_BUS_RANGES * 32 && addr % 32 < 16;
        const AxBusRange *range = axvm_bus_find(&bus, addr, AX_WIDTH_BYTE);

        assert_int_equal(range != NULL, inside);
        if (inside) {
            assert_int_equal(range->base, addr & ~UINT64_C(31));
        }
    }
    assert_null(axvm_bus_find(&bus, UINT64_MAX, AX_WIDTH_QWORD));
}

static void an_access_must_lie_inside_as_a_whole(void **state)
{
    static const AccessWidth widths[] = {AX_WIDTH_BYTE, AX_WIDTH_WORD, AX_WIDTH_DWORD,
                                         AX_WIDTH_QWORD};

    (void)state;
    assert_error(add(0x100, 16), AX_OK);
    assert_error(add(0x110, 4), AX_OK);
    for (size_t i = 0; i < COUNT_OF(widths); i++) {
        for (uint64_t addr = 0xf0; addr < 0x120; addr++) {
            const uint64_t end = addr + (uint64_t)widths[i];
            const bool inside = (addr >= 0x100 && end <= 0x110) || (addr >= 0x110 && end <= 0x114);

            assert_int_equal(axvm_bus_find(&bus, addr, widths[i]) != NULL, inside);
        }
    }
}

static void a_range_at_the_very_top_is_found(void **state)
{
    (void)state;
    assert_error(add(UINT64_MAX - 15, 16), AX_OK);
    assert_non_null(axvm_bus_find(&bus, UINT64_MAX, AX_WIDTH_BYTE));
    assert_non_null(axvm_bus_find(&bus, UINT64_MAX - 7, AX_WIDTH_QWORD));
    assert_null(axvm_bus_find(&bus, UINT64_MAX - 6, AX_WIDTH_QWORD));
}

static void a_read_is_cut_to_its_width(void **state)
{
    static const struct {
        AccessWidth width;
        uint64_t value;
    } cases[] = {{AX_WIDTH_BYTE, 0x88},
                 {AX_WIDTH_WORD, 0x7788},
                 {AX_WIDTH_DWORD, 0x55667788},
                 {AX_WIDTH_QWORD, UINT64_C(0x1122334455667788)}};

    (void)state;
    assert_error(add(0x100, 16), AX_OK);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t value = 0;

        assert_error(axvm_bus_read(&bus, &vcpu, 0x103, cases[i].width, &value), AX_OK);
        assert_int_equal(value, cases[i].value);
        assert_int_equal(seen.offset, 3);
        assert_int_equal(seen.width, cases[i].width);
        assert_ptr_equal(seen.vcpu, &vcpu);
    }
}

static void a_write_is_cut_to_its_width(void **state)
{
    (void)state;
    assert_error(add(0x100, 16), AX_OK);
    assert_error(axvm_bus_write(&bus, &vcpu, 0x108, AX_WIDTH_WORD, 0x123456), AX_OK);
    assert_int_equal(seen.value, 0x3456);
    assert_int_equal(seen.offset, 8);
    assert_int_equal(seen.writes, 1);
    assert_ptr_equal(seen.vcpu, &vcpu);
}

static void nobody_answers_for_a_hole(void **state)
{
    uint64_t value = 1;

    (void)state;
    assert_error(axvm_bus_read(&bus, &vcpu, 0, AX_WIDTH_BYTE, &value), AX_ENOENT);
    assert_error(axvm_bus_write(&bus, &vcpu, 0, AX_WIDTH_BYTE, 0), AX_ENOENT);
    assert_int_equal(value, 1);
}

static void a_device_cannot_pretend_to_be_a_hole(void **state)
{
    uint64_t value;

    (void)state;
    assert_error(add(0x100, 16), AX_OK);
    seen.answer = AX_EPERM;
    assert_error(axvm_bus_read(&bus, &vcpu, 0x100, AX_WIDTH_BYTE, &value), AX_EPERM);
    assert_error(axvm_bus_write(&bus, &vcpu, 0x100, AX_WIDTH_BYTE, 0), AX_EPERM);
    seen.answer = AX_ENOENT;
    assert_error(axvm_bus_read(&bus, &vcpu, 0x100, AX_WIDTH_BYTE, &value), AX_EFAULT);
    assert_error(axvm_bus_write(&bus, &vcpu, 0x100, AX_WIDTH_BYTE, 0), AX_EFAULT);
}

#define ON_BUS(test) cmocka_unit_test_setup(test, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BUS(incomplete_ranges_are_refused),
        ON_BUS(conflicts_name_the_other),
        ON_BUS(a_full_bus_says_so),
        ON_BUS(every_address_finds_its_range_whatever_the_order),
        ON_BUS(an_access_must_lie_inside_as_a_whole),
        ON_BUS(a_range_at_the_very_top_is_found),
        ON_BUS(a_read_is_cut_to_its_width),
        ON_BUS(a_write_is_cut_to_its_width),
        ON_BUS(nobody_answers_for_a_hole),
        ON_BUS(a_device_cannot_pretend_to_be_a_hole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
