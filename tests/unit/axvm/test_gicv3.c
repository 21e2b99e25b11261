// SPDX-License-Identifier: Apache-2.0
// The distributor and redistributors: register by register against a table, then what the two vCPUs
// (fake backend) are told.
#include "test.h"

#include <axvm/devices/gicv3.h>

#define SPIS        64u
#define LAST_INTID  (31u + SPIS)
#define SPI         40u
#define OTHER_SPI   73u
#define PPI         20u
#define SGI         5u
#define CPU1        1u
#define SGI_FRAME   0x10000u
#define REDIST(cpu) ((uint64_t)(cpu)*AX_GICV3_REDIST_SIZE)

static FakeHal host;
static AxVCpu vcpus[AX_VM_CPUS_MAX + 1];
static FakeVCpu fakes[AX_VM_CPUS_MAX + 1];
static AxGicv3 gic;

static void create_vcpu(AxVCpuId id)
{
    const AxVCpuParams params = {.hal = &host.hal, .id = id, .preferred_pcpu = AX_PCPU_NONE};
    const CreateConfig config = axvcpu_arch_create_config(id, ax_gpa(0), 0);

    assert_error(axvcpu_arch_create(&vcpus[id], params, &fakes[id], &config), AX_OK);
}

static int setup(void **state)
{
    (void)state;
    fake_hal_init(&host, 16);
    assert_error(axvm_gicv3_init(&gic, SPIS), AX_OK);
    for (AxVCpuId id = 0; id < 2; id++) {
        create_vcpu(id);
        assert_error(axvm_gicv3_add_cpu(&gic, &vcpus[id], axvcpu_arch_cpu_address(id)), AX_OK);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (AxVCpuId id = 0; id < 2; id++) {
        assert_int_equal(fakes[id].violations, 0);
        assert_error(axvcpu_destroy(&vcpus[id]), AX_OK);
    }
    assert_int_equal(fake_hal_fini(&host), 0);
    return 0;
}

// ---- accesses, made by vCPU 0 ----

static uint64_t dist_read(uint64_t offset, AccessWidth width)
{
    uint64_t value = 0xdeadbeef;

    assert_error(axvm_gicv3_dist_ops.read(&gic, &vcpus[0], offset, width, &value), AX_OK);
    return value;
}

static void dist_write(uint64_t offset, AccessWidth width, uint64_t value)
{
    assert_error(axvm_gicv3_dist_ops.write(&gic, &vcpus[0], offset, width, value), AX_OK);
}

static uint64_t redist_read(uint64_t offset, AccessWidth width)
{
    uint64_t value = 0xdeadbeef;

    assert_error(axvm_gicv3_redist_ops.read(&gic, &vcpus[0], offset, width, &value), AX_OK);
    return value;
}

static void redist_write(uint64_t offset, AccessWidth width, uint64_t value)
{
    assert_error(axvm_gicv3_redist_ops.write(&gic, &vcpus[0], offset, width, value), AX_OK);
}

// The word of a bit array at `base` that has interrupt `intid`; private ones are those of vCPU 0.
static void set_bit(uint32_t base, uint32_t intid)
{
    const uint32_t bit = UINT32_C(1) << (intid % 32);

    if (intid < 32) {
        redist_write(SGI_FRAME + base, AX_WIDTH_DWORD, bit);
    } else {
        dist_write(base + intid / 32 * 4, AX_WIDTH_DWORD, bit);
    }
}

static bool get_bit(uint32_t base, uint32_t intid)
{
    const uint64_t word = intid < 32 ? redist_read(SGI_FRAME + base, AX_WIDTH_DWORD)
                                     : dist_read(base + intid / 32 * 4, AX_WIDTH_DWORD);

    return ((word >> (intid % 32)) & 1) != 0;
}

enum {
    IGROUPR = 0x80,
    ISENABLER = 0x100,
    ICENABLER = 0x180,
    ISPENDR = 0x200,
    ICPENDR = 0x280,
    ISACTIVER = 0x300,
    ICACTIVER = 0x380,
    IPRIORITYR = 0x400,
    ICFGR = 0xc00,
    IROUTER = 0x6000,
};

static void enable_group1(void)
{
    dist_write(0, AX_WIDTH_DWORD, 2);
    for (uint32_t n = 1; n <= SPIS / 32; n++) {
        dist_write(IGROUPR + 4 * n, AX_WIDTH_DWORD, UINT32_MAX);
    }
    redist_write(REDIST(0) + SGI_FRAME + IGROUPR, AX_WIDTH_DWORD, UINT32_MAX);
    redist_write(REDIST(1) + SGI_FRAME + IGROUPR, AX_WIDTH_DWORD, UINT32_MAX);
}

static void make_edge(uint32_t intid)
{
    const uint32_t offset = ICFGR + intid / 16 * 4;

    dist_write(offset, AX_WIDTH_DWORD,
               dist_read(offset, AX_WIDTH_DWORD) | UINT64_C(2) << (intid % 16 * 2));
}

static void route_to(uint32_t intid, uint64_t affinity)
{
    dist_write(IROUTER + 8 * intid, AX_WIDTH_QWORD, affinity);
}

// ---- what a vCPU was told ----

static bool is_enabled(uint32_t cpu, uint32_t intid)
{
    return axvcpu_events_enabled(&vcpus[cpu].events, intid);
}

static bool is_high(uint32_t cpu, uint32_t intid)
{
    return axvcpu_events_level(&vcpus[cpu].events, intid);
}

static bool is_latched(uint32_t cpu, uint32_t intid)
{
    return axvcpu_interrupt_state(&vcpus[cpu], intid).pending && !is_high(cpu, intid);
}

static bool is_signalled(uint32_t cpu, uint32_t intid)
{
    return ((axvcpu_events_signalled(&vcpus[cpu].events, intid / 64) >> (intid % 64)) & 1) != 0;
}

static bool was_requested(uint32_t cpu, AxIrqRequest request, uint32_t intid)
{
    const uint64_t bits = axvcpu_events_take_requests(&vcpus[cpu].events, request, intid / 64);

    return ((bits >> (intid % 64)) & 1) != 0;
}

// ---- registers ----

typedef struct Reg {
    bool redist;
    uint32_t offset;
    AccessWidth width;
    uint64_t reset;
    uint64_t writable; // bits that read back
} Reg;

#define B 1
#define H 2
#define W 4
#define Q 8
#define D false
#define R true

static const Reg regs[] = {
    {D, 0x0000, W, 0x50, 0x2},     // CTLR: DS, ARE; EnableGrp1
    {D, 0x0004, W, 0x02480002, 0}, // TYPER: 96 INTIDs, 10 bits, No1N
    {D, 0x0008, W, 0x7800043b, 0}, // IIDR
    {D, 0x000c, W, 0, 0},          // TYPER2
    {D, 0x0010, W, 0, 0},          // STATUSR
    {D, 0x0040, W, 0, 0},          // SETSPI_NSR
    {D, 0x0080, W, 0, 0},          // IGROUPR0 is in the redistributor
    {D, 0x0084, W, 0, 0xffffffff}, // IGROUPR1
    {D, 0x0088, W, 0, 0xffffffff}, // IGROUPR2
    {D, 0x008c, W, 0, 0},          // beyond ITLinesNumber
    {D, 0x00fc, W, 0, 0},
    {D, 0x0100, W, 0, 0}, // ISENABLER0
    {D, 0x0108, W, 0, 0xffffffff},
    {D, 0x010c, W, 0, 0},
    {D, 0x0200, W, 0, 0},
    {D, 0x0204, W, 0, 0xffffffff}, // ISPENDR1
    {D, 0x020c, W, 0, 0},
    {D, 0x0300, W, 0, 0},
    {D, 0x030c, W, 0, 0},
    {D, 0x0400, W, 0, 0},          // IPRIORITYR0..7
    {D, 0x0420, W, 0, 0xf8f8f8f8}, // IPRIORITYR8
    {D, 0x0421, B, 0, 0xf8},
    {D, 0x045f, B, 0, 0xf8},
    {D, 0x0460, B, 0, 0},
    {D, 0x0800, W, 0, 0},          // ITARGETSR
    {D, 0x0c00, W, 0, 0},          // ICFGR0
    {D, 0x0c08, W, 0, 0xaaaaaaaa}, // ICFGR2
    {D, 0x0c14, W, 0, 0xaaaaaaaa},
    {D, 0x0c18, W, 0, 0},
    {D, 0x0d04, W, 0, 0}, // IGRPMODR1
    {D, 0x0e08, W, 0, 0}, // NSACR
    {D, 0x0f00, W, 0, 0}, // SGIR
    {D, 0x6000, Q, 0, 0}, // no route for private interrupts
    {D, 0x60f8, Q, 0, 0},
    {D, 0x6100, Q, 0, 0xffffff}, // IROUTER32
    {D, 0x6100, W, 0, 0xffffff},
    {D, 0x6104, W, 0, 0},        // Aff3
    {D, 0x62f8, Q, 0, 0xffffff}, // IROUTER95
    {D, 0x6300, Q, 0, 0},
    {D, 0x7ff8, Q, 0, 0},
    {D, 0xffd0, W, 0, 0},
    {D, 0xffe8, W, 0x3b, 0}, // PIDR2
    {D, 0xfffc, W, 0, 0},
    {R, 0x00000, W, 0, 0},          // GICR_CTLR
    {R, 0x00004, W, 0x7800043b, 0}, // GICR_IIDR
    {R, 0x00008, Q, 0, 0},          // GICR_TYPER of CPU 0
    {R, 0x00014, W, 0x6, 0x6},      // GICR_WAKER, both bits together
    {R, 0x00040, Q, 0, 0},          // SETLPIR
    {R, 0x00070, Q, 0, 0},          // PROPBASER
    {R, 0x0ffe8, W, 0x3b, 0},
    {R, 0x10080, W, 0, 0xffffffff}, // IGROUPR0
    {R, 0x10084, W, 0, 0},          // no extended PPIs
    {R, 0x10100, W, 0, 0xffffffff}, // ISENABLER0
    {R, 0x10200, W, 0, 0xffffffff}, // ISPENDR0
    {R, 0x10400, W, 0, 0xf8f8f8f8}, // IPRIORITYR0
    {R, 0x1041f, B, 0, 0xf8},
    {R, 0x10420, W, 0, 0},
    {R, 0x10c00, W, 0xaaaaaaaa, 0xaaaaaaaa}, // ICFGR0: SGIs are edges
    {R, 0x10c04, W, 0, 0xaaaaaaaa},          // ICFGR1
    {R, 0x10c08, W, 0, 0},
    {R, 0x10d00, W, 0, 0},                     // IGRPMODR0
    {R, 0x10e00, W, 0, 0},                     // NSACR
    {R, 0x20008, Q, UINT64_C(0x100000110), 0}, // GICR_TYPER of CPU 1: last
    {R, 0x20008, W, 0x110, 0},
    {R, 0x2000c, W, 1, 0}, // affinity
    {R, 0x40008, Q, 0, 0}, // no CPU 2
    {R, 0x50100, W, 0, 0},
    // widths and alignments that are not allowed
    {D, 0x0000, B, 0, 0},
    {D, 0x0000, H, 0, 0},
    {D, 0x0000, Q, 0, 0},
    {D, 0x0001, W, 0, 0},
    {D, 0x0084, B, 0, 0},
    {D, 0x0084, Q, 0, 0},
    {D, 0x0085, W, 0, 0},
    {D, 0x0420, H, 0, 0},
    {D, 0x0421, W, 0, 0},
    {D, 0x0420, Q, 0, 0},
    {D, 0x0c08, B, 0, 0},
    {D, 0x6100, B, 0, 0},
    {D, 0x6100, H, 0, 0},
    {D, 0x6102, W, 0, 0},
    {D, 0x6104, Q, 0, 0},
    {D, 0xffe8, B, 0, 0},
    {R, 0x00008, H, 0, 0},
    {R, 0x2000c, Q, 0, 0},
    {R, 0x10100, H, 0, 0},
};

static uint64_t reg_read(const Reg *reg)
{
    return reg->redist ? redist_read(reg->offset, reg->width) : dist_read(reg->offset, reg->width);
}

static void reg_write(const Reg *reg, uint64_t value)
{
    if (reg->redist) {
        redist_write(reg->offset, reg->width, value);
    } else {
        dist_write(reg->offset, reg->width, value);
    }
}

static void registers_have_the_values_after_reset(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(regs); i++) {
        assert_int_equal(reg_read(&regs[i]), regs[i].reset);
    }
}

static void registers_read_back_their_writable_bits_only(void **state)
{
    for (size_t i = 0; i < COUNT_OF(regs); i++) {
        const Reg *reg = &regs[i];
        const uint64_t all = ax_width_mask(reg->width);

        reg_write(reg, all);
        assert_int_equal(reg_read(reg), reg->reset | (reg->writable & all));
        teardown(state);
        setup(state);
    }
}

static void a_write_of_the_wrong_width_changes_nothing(void **state)
{
    static AxGicv3 before;

    (void)state;
    before = gic;
    for (size_t i = 0; i < COUNT_OF(regs); i++) {
        if (regs[i].writable == 0) {
            reg_write(&regs[i], UINT64_MAX);
        }
    }
    before.lock = gic.lock;
    assert_memory_equal(&gic, &before, sizeof(gic));
}

static void every_access_of_the_frames_is_harmless(void **state)
{
    static const AccessWidth widths[] = {AX_WIDTH_BYTE, AX_WIDTH_WORD, AX_WIDTH_DWORD,
                                         AX_WIDTH_QWORD};

    (void)state;
    for (size_t w = 0; w < COUNT_OF(widths); w++) {
        for (uint64_t at = 0; at + widths[w] <= AX_GICV3_DIST_SIZE; at++) {
            dist_write(at, widths[w], UINT64_MAX);
            assert_int_equal(dist_read(at, widths[w]) & ~ax_width_mask(widths[w]), 0);
        }
        for (uint64_t at = 0; at + widths[w] <= 3 * AX_GICV3_REDIST_SIZE; at += 1) {
            redist_write(at, widths[w], UINT64_MAX);
            assert_int_equal(redist_read(at, widths[w]) & ~ax_width_mask(widths[w]), 0);
        }
    }
}

static void the_last_redistributor_says_so(void **state)
{
    (void)state;
    assert_int_equal(redist_read(REDIST(0) + 8, AX_WIDTH_DWORD) & 0x10, 0);
    assert_int_equal(redist_read(REDIST(1) + 8, AX_WIDTH_DWORD) & 0x10, 0x10);
}

static void the_number_of_lines_follows_the_configuration(void **state)
{
    static const uint32_t bad[] = {0, 1, 31, 33, 65, 961, 992, UINT32_MAX - 31};
    static const uint32_t good[] = {32, 64, 480, 960};
    static AxGicv3 other;
    uint64_t value;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_error(axvm_gicv3_init(&other, bad[i]), AX_EINVAL);
    }
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        assert_error(axvm_gicv3_init(&other, good[i]), AX_OK);
        assert_error(axvm_gicv3_dist_ops.read(&other, NULL, 4, AX_WIDTH_DWORD, &value), AX_OK);
        assert_int_equal(value & 0x1f, good[i] / 32);
        assert_error(axvm_gicv3_dist_ops.write(&other, NULL, 0x7ff8, AX_WIDTH_QWORD, 1), AX_OK);
        assert_error(axvm_gicv3_dist_ops.write(&other, NULL, 0x17c, AX_WIDTH_DWORD, 1), AX_OK);
    }
}

static void bad_cpus_are_refused(void **state)
{
    (void)state;
    assert_error(axvm_gicv3_add_cpu(&gic, NULL, 5), AX_EINVAL);
    assert_error(axvm_gicv3_add_cpu(&gic, &vcpus[2], UINT64_C(1) << 32), AX_EINVAL);
    assert_error(axvm_gicv3_add_cpu(&gic, &vcpus[2], 1), AX_EEXIST);
    for (AxVCpuId id = 2; id < AX_VM_CPUS_MAX; id++) {
        create_vcpu(id);
        assert_error(axvm_gicv3_add_cpu(&gic, &vcpus[id], axvcpu_arch_cpu_address(id)), AX_OK);
    }
    assert_error(axvm_gicv3_add_cpu(&gic, &vcpus[AX_VM_CPUS_MAX], 99), AX_ENOSPC);
    assert_int_equal(redist_read(REDIST(7) + 8, AX_WIDTH_QWORD), UINT64_C(0x700000710));
    for (AxVCpuId id = 2; id < AX_VM_CPUS_MAX; id++) {
        assert_error(axvcpu_destroy(&vcpus[id]), AX_OK);
    }
}

// ---- forwarding ----

static const uint32_t some[] = {SGI, PPI, SPI, OTHER_SPI, LAST_INTID};

static void a_new_vcpu_has_everything_disabled(void **state)
{
    (void)state;
    for (uint32_t cpu = 0; cpu < 2; cpu++) {
        for (uint32_t intid = 0; intid < AX_IRQ_COUNT; intid++) {
            assert_false(is_enabled(cpu, intid));
        }
    }
}

// One step of the three that must all be done.
static void do_step(uint32_t step, uint32_t intid, bool on)
{
    switch (step) {
    case 0: dist_write(0, AX_WIDTH_DWORD, on ? 2 : 0); break;
    case 1: set_bit(on ? ISENABLER : ICENABLER, intid); break;
    default:
        if (intid < 32) {
            redist_write(SGI_FRAME + IGROUPR, AX_WIDTH_DWORD, on ? UINT32_MAX : 0);
        } else {
            dist_write(IGROUPR + intid / 32 * 4, AX_WIDTH_DWORD, on ? UINT32_MAX : 0);
        }
        break;
    }
}

static void an_interrupt_needs_its_enable_its_group_and_the_distributor(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(some); i++) {
        for (uint32_t missing = 0; missing < 3; missing++) {
            for (uint32_t step = 0; step < 3; step++) {
                do_step(step, some[i], step != missing);
                assert_false(is_enabled(0, some[i]));
            }
            do_step(missing, some[i], true);
            assert_true(is_enabled(0, some[i]));
            assert_false(is_enabled(1, some[i]));
            do_step(missing, some[i], false);
            assert_false(is_enabled(0, some[i]));
            for (uint32_t step = 0; step < 3; step++) {
                do_step(step, some[i], false);
            }
        }
    }
}

static void enabling_one_interrupt_leaves_the_others(void **state)
{
    (void)state;
    enable_group1();
    set_bit(ISENABLER, SPI);
    set_bit(ISENABLER, SPI + 1);
    set_bit(ICENABLER, SPI);
    for (uint32_t intid = 0; intid < AX_IRQ_COUNT; intid++) {
        assert_int_equal(is_enabled(0, intid), intid == SPI + 1);
    }
    assert_true(get_bit(ISENABLER, SPI + 1) && get_bit(ICENABLER, SPI + 1));
    assert_false(get_bit(ISENABLER, SPI));
}

static void private_interrupts_are_those_of_the_redistributor(void **state)
{
    (void)state;
    enable_group1();
    redist_write(REDIST(1) + SGI_FRAME + ISENABLER, AX_WIDTH_DWORD, 1u << PPI);
    redist_write(REDIST(1) + SGI_FRAME + IPRIORITYR + PPI, AX_WIDTH_BYTE, 0x47);
    assert_true(is_enabled(1, PPI));
    assert_false(is_enabled(0, PPI));
    assert_int_equal(axvcpu_events_priority(&vcpus[1].events, PPI), 0x40);
    assert_int_equal(axvcpu_events_priority(&vcpus[0].events, PPI), 0);
}

static void priorities_reach_the_target(void **state)
{
    (void)state;
    dist_write(IPRIORITYR + SPI, AX_WIDTH_DWORD, 0xa0b0c0d7);
    assert_int_equal(axvcpu_events_priority(&vcpus[0].events, SPI), 0xd0);
    assert_int_equal(axvcpu_events_priority(&vcpus[0].events, SPI + 3), 0xa0);
    assert_int_equal(axvcpu_events_priority(&vcpus[1].events, SPI), 0);
    assert_int_equal(dist_read(IPRIORITYR + SPI + 1, AX_WIDTH_BYTE), 0xc0);
}

// ---- inputs ----

static void a_level_input_is_followed(void **state)
{
    const AxIrqLine line = axvm_gicv3_spi_line(&gic, SPI);

    (void)state;
    enable_group1();
    set_bit(ISENABLER, SPI);
    axvm_irq_set(&line, true);
    assert_true(is_high(0, SPI) && is_signalled(0, SPI));
    assert_true(get_bit(ISPENDR, SPI));
    axvm_irq_set(&line, true);
    axvm_irq_set(&line, false);
    assert_false(is_signalled(0, SPI));
    assert_false(get_bit(ISPENDR, SPI));
}

static void an_edge_input_latches_when_it_rises(void **state)
{
    (void)state;
    make_edge(SPI);
    axvm_gicv3_set_spi(&gic, SPI, true);
    axvm_gicv3_set_spi(&gic, SPI, false);
    assert_false(is_high(0, SPI));
    assert_true(is_latched(0, SPI));
    assert_true(axvcpu_events_take_pending(&vcpus[0].events, SPI));
    axvm_gicv3_set_spi(&gic, SPI, false);
    assert_false(is_latched(0, SPI));
    axvm_gicv3_set_spi(&gic, SPI, true);
    axvm_gicv3_set_spi(&gic, SPI, true);
    assert_true(axvcpu_events_take_pending(&vcpus[0].events, SPI));
    assert_false(is_latched(0, SPI));
}

static void a_change_of_trigger_looks_at_the_input_again(void **state)
{
    (void)state;
    axvm_gicv3_set_spi(&gic, SPI, true);
    make_edge(SPI);
    assert_false(is_high(0, SPI));
    dist_write(ICFGR + SPI / 16 * 4, AX_WIDTH_DWORD, 0);
    assert_true(is_high(0, SPI));
}

static void sgis_stay_edges(void **state)
{
    (void)state;
    redist_write(SGI_FRAME + ICFGR, AX_WIDTH_DWORD, 0);
    assert_int_equal(redist_read(SGI_FRAME + ICFGR, AX_WIDTH_DWORD), 0xaaaaaaaa);
}

static void inputs_that_do_not_exist_are_ignored(void **state)
{
    static AxGicv3 before;

    (void)state;
    before = gic;
    axvm_gicv3_set_spi(&gic, 0, true);
    axvm_gicv3_set_spi(&gic, 31, true);
    axvm_gicv3_set_spi(&gic, LAST_INTID + 1, true);
    axvm_gicv3_set_spi(&gic, UINT32_MAX, true);
    axvm_gicv3_set_ppi(&gic, 0, 15, true);
    axvm_gicv3_set_ppi(&gic, 0, 32, true);
    axvm_gicv3_set_ppi(&gic, 2, PPI, true);
    assert_memory_equal(&gic, &before, sizeof(gic));
}

static void a_ppi_belongs_to_one_cpu(void **state)
{
    (void)state;
    axvm_gicv3_set_ppi(&gic, CPU1, PPI, true);
    assert_true(is_high(1, PPI));
    assert_false(is_high(0, PPI));
    axvm_gicv3_set_ppi(&gic, CPU1, PPI, false);
    assert_false(is_high(1, PPI));
}

// ---- pending and active ----

static void pending_is_set_and_cleared_by_software(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(some); i++) {
        set_bit(ISPENDR, some[i]);
        assert_true(is_latched(0, some[i]));
        assert_true(get_bit(ISPENDR, some[i]) && get_bit(ICPENDR, some[i]));
        set_bit(ICPENDR, some[i]);
        assert_false(is_latched(0, some[i]));
        assert_true(was_requested(0, AX_IRQ_CLEAR_PENDING, some[i]));
        assert_false(get_bit(ISPENDR, some[i]));
    }
}

static void clearing_pending_leaves_a_high_level(void **state)
{
    (void)state;
    axvm_gicv3_set_spi(&gic, SPI, true);
    set_bit(ICPENDR, SPI);
    assert_true(get_bit(ISPENDR, SPI));
}

static void active_is_what_the_vcpu_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(some); i++) {
        assert_false(get_bit(ISACTIVER, some[i]));
        atomic_fetch_or(&fakes[0].active[some[i] / 64], UINT64_C(1) << (some[i] % 64));
        assert_true(get_bit(ISACTIVER, some[i]) && get_bit(ICACTIVER, some[i]));
        set_bit(ICACTIVER, some[i]);
        assert_true(was_requested(0, AX_IRQ_CLEAR_ACTIVE, some[i]));
        set_bit(ISACTIVER, some[i]);
        assert_true(was_requested(0, AX_IRQ_SET_ACTIVE, some[i]));
    }
}

static void clearing_what_is_clear_asks_nothing_of_oneself(void **state)
{
    (void)state;
    dist_write(ICACTIVER + 4, AX_WIDTH_DWORD, UINT32_MAX);
    dist_write(ICPENDR + 4, AX_WIDTH_DWORD, UINT32_MAX);
    assert_int_equal(atomic_load(&vcpus[0].events.summary) & AX_EVENT_REQUEST, 0);
    route_to(SPI, 1);
    (void)was_requested(1, AX_IRQ_CLEAR_ACTIVE, SPI);
    set_bit(ICACTIVER, SPI); // of another CPU, whose state may be newer than we know
    assert_true(was_requested(1, AX_IRQ_CLEAR_ACTIVE, SPI));
}

// ---- routing ----

static void a_route_moves_enable_priority_and_level(void **state)
{
    (void)state;
    enable_group1();
    set_bit(ISENABLER, SPI);
    dist_write(IPRIORITYR + SPI, AX_WIDTH_BYTE, 0x50);
    axvm_gicv3_set_spi(&gic, SPI, true);
    route_to(SPI, 1);
    assert_false(is_enabled(0, SPI) || is_high(0, SPI));
    assert_true(is_enabled(1, SPI) && is_high(1, SPI));
    assert_int_equal(axvcpu_events_priority(&vcpus[1].events, SPI), 0x50);
    assert_int_equal(dist_read(IROUTER + 8 * SPI, AX_WIDTH_QWORD), 1);
    axvm_gicv3_set_spi(&gic, SPI, false);
    assert_false(is_high(1, SPI));
}

static void a_route_moves_an_edge_that_waits(void **state)
{
    (void)state;
    make_edge(SPI);
    axvm_gicv3_set_spi(&gic, SPI, true);
    route_to(SPI, 1);
    assert_false(is_latched(0, SPI));
    assert_true(is_latched(1, SPI));
    assert_true(was_requested(0, AX_IRQ_CLEAR_PENDING, SPI));
}

static void a_route_moves_an_edge_that_waits_in_hardware(void **state)
{
    (void)state;
    make_edge(SPI);
    atomic_fetch_or(&fakes[0].held[SPI / 64], UINT64_C(1) << (SPI % 64));
    route_to(SPI, 1);
    assert_true(is_latched(1, SPI));
    assert_true(was_requested(0, AX_IRQ_CLEAR_PENDING, SPI));
}

static void the_same_route_again_changes_nothing(void **state)
{
    (void)state;
    route_to(SPI, 0);
    dist_write(IROUTER + 8 * SPI + 4, AX_WIDTH_DWORD, UINT32_MAX);
    assert_int_equal(atomic_load(&vcpus[0].events.summary) & AX_EVENT_REQUEST, 0);
    assert_int_equal(dist_read(IROUTER + 8 * SPI, AX_WIDTH_QWORD), 0);
}

static void an_interrupt_without_a_cpu_waits_in_the_distributor(void **state)
{
    (void)state;
    enable_group1();
    route_to(SPI, 0x70);
    route_to(OTHER_SPI, 0x70);
    set_bit(ISENABLER, SPI);
    make_edge(SPI);
    axvm_gicv3_set_spi(&gic, SPI, true);
    axvm_gicv3_set_spi(&gic, OTHER_SPI, true);
    assert_true(get_bit(ISPENDR, SPI) && get_bit(ISPENDR, OTHER_SPI));
    assert_false(is_latched(0, SPI) || is_latched(1, SPI));
    set_bit(ISACTIVER, SPI);
    assert_false(get_bit(ISACTIVER, SPI));
    route_to(SPI, 1);
    route_to(OTHER_SPI, 1);
    assert_true(is_latched(1, SPI) && is_signalled(1, SPI));
    assert_true(is_high(1, OTHER_SPI));
    assert_true(axvcpu_events_take_pending(&vcpus[1].events, SPI));
    route_to(SPI, 0x70);
    assert_false(get_bit(ISPENDR, SPI)); // it was taken
    set_bit(ISPENDR, SPI);
    assert_true(get_bit(ISPENDR, SPI));
    set_bit(ICPENDR, SPI);
    assert_false(get_bit(ISPENDR, SPI));
}

// ---- SGIs ----

static AxVCpuExit ipi(uint64_t target, uint64_t list, uint32_t vector)
{
    return (AxVCpuExit){
        .reason = AX_EXIT_SEND_IPI,
        .ipi = {.target_cpu = target, .target_list = list, .vector = vector},
    };
}

static void assert_sgi_reaches(const AxVCpuExit *exit, bool first, bool second)
{
    const uint32_t vector = exit->ipi.vector;

    assert_error(axvm_gicv3_send_sgi(&gic, &vcpus[0], exit), AX_OK);
    assert_int_equal(axvcpu_events_take_pending(&vcpus[0].events, vector), first);
    assert_int_equal(axvcpu_events_take_pending(&vcpus[1].events, vector), second);
}

static void an_sgi_reaches_the_cpus_that_are_named(void **state)
{
    AxVCpuExit exit;

    (void)state;
    enable_group1();
    for (uint32_t vector = 0; vector < 16; vector++) {
        exit = ipi(0, 1, vector);
        assert_sgi_reaches(&exit, true, false);
        exit = ipi(0, 2, vector);
        assert_sgi_reaches(&exit, false, true);
        exit = ipi(0, 0xffff, vector);
        assert_sgi_reaches(&exit, true, true);
        exit = ipi(0, 0, vector);
        assert_sgi_reaches(&exit, false, false);
        exit = ipi(0x100, 0xffff, vector);
        assert_sgi_reaches(&exit, false, false);
        exit = ipi(1, 1, vector);
        assert_sgi_reaches(&exit, false, true);
        exit = ipi(UINT64_MAX, UINT64_MAX, vector);
        assert_sgi_reaches(&exit, true, true); // wraps: CPUs -1 + 1, -1 + 2
        exit = ipi(0, 0, vector);
        exit.ipi.to_all = true;
        assert_sgi_reaches(&exit, false, true);
        exit.ipi.to_all = false;
        exit.ipi.to_self = true;
        assert_sgi_reaches(&exit, true, false);
    }
}

static void an_sgi_in_group_0_is_not_sent(void **state)
{
    const AxVCpuExit exit = ipi(0, 3, SGI);

    (void)state;
    assert_sgi_reaches(&exit, false, false);
    redist_write(REDIST(1) + SGI_FRAME + IGROUPR, AX_WIDTH_DWORD, 1u << SGI);
    assert_sgi_reaches(&exit, false, true);
}

static void an_exit_that_is_no_sgi_is_refused(void **state)
{
    AxVCpuExit exit = ipi(0, 3, 16);

    (void)state;
    assert_error(axvm_gicv3_send_sgi(&gic, &vcpus[0], &exit), AX_ERANGE);
    exit.ipi.vector = UINT32_MAX;
    assert_error(axvm_gicv3_send_sgi(&gic, &vcpus[0], &exit), AX_ERANGE);
    exit = (AxVCpuExit){.reason = AX_EXIT_IDLE};
    assert_error(axvm_gicv3_send_sgi(&gic, &vcpus[0], &exit), AX_EINVAL);
}

// ---- resets ----

static void a_reset_vcpu_is_told_everything_again(void **state)
{
    (void)state;
    enable_group1();
    for (size_t i = 0; i < COUNT_OF(some); i++) {
        set_bit(ISENABLER, some[i]);
    }
    dist_write(IPRIORITYR + SPI, AX_WIDTH_BYTE, 0x50);
    axvm_gicv3_set_spi(&gic, SPI, true);
    axvm_gicv3_set_ppi(&gic, 0, PPI, true);
    route_to(OTHER_SPI, 1);
    assert_error(axvcpu_reset(&vcpus[0]), AX_OK);
    axvm_gicv3_vcpu_reset(&gic, 0);
    axvm_gicv3_vcpu_reset(&gic, 2);
    assert_true(is_enabled(0, SGI) && is_enabled(0, PPI) && is_enabled(0, SPI));
    assert_false(is_enabled(0, OTHER_SPI) || is_enabled(0, SPI + 1) || is_enabled(0, 1023));
    assert_true(is_high(0, SPI) && is_high(0, PPI));
    assert_int_equal(axvcpu_events_priority(&vcpus[0].events, SPI), 0x50);
    assert_true(is_enabled(1, OTHER_SPI));
}

static void reset_brings_back_power_on_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(regs); i++) {
        reg_write(&regs[i], UINT64_MAX);
    }
    redist_write(0x14, AX_WIDTH_DWORD, 0);
    axvm_gicv3_set_spi(&gic, SPI, true);
    route_to(OTHER_SPI, 1);
    axvm_gicv3_set_spi(&gic, OTHER_SPI, true);
    axvm_gicv3_set_ppi(&gic, 1, PPI, true);
    assert_error(axvcpu_reset(&vcpus[0]), AX_OK);
    assert_error(axvcpu_reset(&vcpus[1]), AX_OK);
    axvm_gicv3_reset(&gic);
    registers_have_the_values_after_reset(state);
    a_new_vcpu_has_everything_disabled(state);
    assert_false(is_high(0, SPI) || is_high(1, OTHER_SPI) || is_high(1, PPI));
    axvm_gicv3_set_spi(&gic, SPI, true); // rises again
    assert_true(is_high(0, SPI));
}

static void reset_lowers_all_inputs(void **state)
{
    (void)state;
    axvm_gicv3_set_spi(&gic, SPI, true);
    axvm_gicv3_set_ppi(&gic, 1, PPI, true);
    axvm_gicv3_reset(&gic);
    assert_false(is_high(0, SPI) || is_high(1, PPI));
}

static void a_lost_vcpu_disturbs_nobody(void **state)
{
    (void)state;
    enable_group1();
    assert_error(axvcpu_destroy(&vcpus[1]), AX_OK);
    route_to(SPI, 1);
    axvm_gicv3_set_spi(&gic, SPI, true);
    set_bit(ISENABLER, SPI);
    redist_write(REDIST(1) + SGI_FRAME + ISPENDR, AX_WIDTH_DWORD, UINT32_MAX);
    create_vcpu(1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(registers_have_the_values_after_reset),
        TEST(registers_read_back_their_writable_bits_only),
        TEST(a_write_of_the_wrong_width_changes_nothing),
        TEST(every_access_of_the_frames_is_harmless),
        TEST(the_last_redistributor_says_so),
        TEST(the_number_of_lines_follows_the_configuration),
        TEST(bad_cpus_are_refused),
        TEST(a_new_vcpu_has_everything_disabled),
        TEST(an_interrupt_needs_its_enable_its_group_and_the_distributor),
        TEST(enabling_one_interrupt_leaves_the_others),
        TEST(private_interrupts_are_those_of_the_redistributor),
        TEST(priorities_reach_the_target),
        TEST(a_level_input_is_followed),
        TEST(an_edge_input_latches_when_it_rises),
        TEST(a_change_of_trigger_looks_at_the_input_again),
        TEST(sgis_stay_edges),
        TEST(inputs_that_do_not_exist_are_ignored),
        TEST(a_ppi_belongs_to_one_cpu),
        TEST(pending_is_set_and_cleared_by_software),
        TEST(clearing_pending_leaves_a_high_level),
        TEST(active_is_what_the_vcpu_says),
        TEST(clearing_what_is_clear_asks_nothing_of_oneself),
        TEST(a_route_moves_enable_priority_and_level),
        TEST(a_route_moves_an_edge_that_waits),
        TEST(a_route_moves_an_edge_that_waits_in_hardware),
        TEST(the_same_route_again_changes_nothing),
        TEST(an_interrupt_without_a_cpu_waits_in_the_distributor),
        TEST(an_sgi_reaches_the_cpus_that_are_named),
        TEST(an_sgi_in_group_0_is_not_sent),
        TEST(an_exit_that_is_no_sgi_is_refused),
        TEST(a_reset_vcpu_is_told_everything_again),
        TEST(reset_brings_back_power_on_values),
        TEST(reset_lowers_all_inputs),
        TEST(a_lost_vcpu_disturbs_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
