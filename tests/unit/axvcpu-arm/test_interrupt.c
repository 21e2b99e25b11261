// SPDX-License-Identifier: Apache-2.0
// List registers against a simulated CPU interface: single properties, then long random runs whose
// every acknowledge is compared with what a GIC of unlimited size would deliver.
#include "gic_cpu.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define SPI       40u
#define OTHER_SPI 41u
#define THIRD_SPI 200u

static AxEvents events;
static AxVCpuStats stats;
static AxVCpuHal hal;
static Aarch64PerCpu percpu;
static Aarch64VCpu vcpu;

static void irq_set_active(void *ctx, uint64_t vector, bool active)
{
    (void)ctx;
    assert_true(vector == AARCH64_PPI_VTIMER || vector == AARCH64_PPI_PTIMER);
    assert_int_not_equal(gic_cpu.physical_active[vector], active);
    gic_cpu.physical_active[vector] = active;
}

static uint64_t now_ns(void *ctx)
{
    (void)ctx;
    return 0;
}

static void set_lr_count(unsigned count)
{
    percpu.features.lr_count = (uint8_t)count;
    gic_cpu.lr_count = count;
    for (unsigned n = 0; n < AARCH64_LR_MAX; n++) {
        *cpu_lr(n) = UINT64_MAX; // left there by somebody else
    }
}

static void bind(void)
{
    vcpu.percpu = &percpu;
    aarch64_timer_load(&vcpu);
    aarch64_gic_load(&vcpu);
    aarch64_timer_unmute(&vcpu);
}

static void unbind(void)
{
    aarch64_timer_mute(&vcpu);
    aarch64_gic_save(&vcpu);
    aarch64_timer_save(&vcpu);
    vcpu.percpu = NULL;
}

static void start(unsigned lr_count)
{
    arm_sim_reset();
    memset(&gic_cpu, 0, sizeof(gic_cpu));
    memset(&vcpu, 0, sizeof(vcpu));
    memset(&percpu, 0, sizeof(percpu));
    axvcpu_events_init(&events);
    hal.irq_set_active = irq_set_active;
    hal.now_ns = now_ns;
    vcpu.env = (AxArchVCpuEnv){.hal = &hal, .events = &events, .stats = &stats};
    percpu.features.apr_count = 1;
    set_lr_count(lr_count);
    aarch64_gic_reset(&vcpu);
    aarch64_timer_reset(&vcpu);
    bind();
}

static int setup(void **state)
{
    (void)state;
    start(4);
    return 0;
}

static void enter(void)
{
    aarch64_gic_enter(&vcpu, axvcpu_events_take_summary(&events));
}

static void leave(void)
{
    aarch64_gic_exit(&vcpu);
}

static void reenter(void)
{
    leave();
    enter();
}

// ---- what tests say ----

static void edge(uint32_t intid)
{
    assert_int_equal(axvcpu_events_post_irq(&events, intid), AX_OK);
}

static void level(uint32_t intid, bool high)
{
    assert_int_equal(axvcpu_events_set_level(&events, intid, high), AX_OK);
}

static void enable(uint32_t intid, bool on)
{
    assert_int_equal(axvcpu_events_enable_irq(&events, intid, on), AX_OK);
}

static void prioritise(uint32_t intid, uint8_t priority)
{
    assert_int_equal(axvcpu_events_set_priority(&events, intid, priority), AX_OK);
}

static void request(uint32_t intid, AxIrqRequest what)
{
    assert_int_equal(axvcpu_events_request(&events, intid, what), AX_OK);
}

static void set_timer(ArmReg ctl, uint64_t ctl_value, ArmReg cval, uint64_t cval_value)
{
    arm_sim.reg[ctl] = ctl_value;
    arm_sim.reg[cval] = cval_value;
}

// The virtual timer is due, or far from it.
static void set_vtimer(bool due)
{
    arm_sim.reg[ARM_REG_CNTPCT_EL0] = 1000;
    set_timer(ARM_REG_CNTV_CTL_EL0, CNT_CTL_ENABLE, ARM_REG_CNTV_CVAL_EL0, due ? 500 : 5000);
}

static void fire_vtimer(void)
{
    set_vtimer(true);
    gic_cpu.physical_active[AARCH64_PPI_VTIMER] = true; // irq_fetch
    leave();
    assert_true(aarch64_timer_interrupt(&vcpu, AARCH64_PPI_VTIMER));
    enter();
}

static AxIrqState irq_state(uint32_t intid)
{
    AxIrqState state = aarch64_gic_irq_state(&vcpu, intid);

    state.pending = state.pending || axvcpu_events_level(&events, intid) ||
                    ((atomic_load(&events.pending[intid / 64]) >> (intid % 64)) & 1);
    return state;
}

static void assert_acknowledges(uint32_t intid)
{
    assert_int_equal(cpu_acknowledge(), intid);
}

static uint32_t accesses_of_list_registers(void)
{
    uint32_t count = 0;

    for (unsigned reg = ARM_REG_ICH_HCR_EL2; reg <= ARM_REG_ICH_LR15_EL2; reg++) {
        count += arm_sim.reads[reg] + arm_sim.writes[reg];
    }
    return count;
}

// ---- single properties ----

static void an_idle_round_trip_touches_no_list_register(void **state)
{
    (void)state;
    enter();
    leave();
    arm_sim_clear_log();
    enter();
    leave();
    assert_int_equal(accesses_of_list_registers(), 0);
}

static void a_used_list_register_costs_one_read_per_exit(void **state)
{
    (void)state;
    edge(SPI);
    enter();
    leave();
    arm_sim_clear_log();
    enter();
    leave();
    assert_int_equal(accesses_of_list_registers(), 1);
}

static void binding_clears_what_another_vcpu_left(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 4; n++) {
        assert_int_equal(*cpu_lr(n), 0);
    }
    assert_int_equal(arm_sim.reg[ARM_REG_ICH_HCR_EL2], ICH_HCR_EN);
    assert_int_equal(arm_sim.reg[ARM_REG_ICC_SRE_EL1], 7);
}

static void an_edge_is_delivered_once(void **state)
{
    (void)state;
    edge(SPI);
    enter();
    assert_int_equal(*cpu_lr(0), SPI | ICH_LR_GROUP1 | ICH_LR_PENDING);
    assert_true(irq_state(SPI).pending);
    assert_acknowledges(SPI);
    reenter();
    assert_false(irq_state(SPI).pending);
    assert_true(irq_state(SPI).active);
    cpu_end(SPI);
    assert_false(cpu_maintenance());
    reenter();
    assert_false(irq_state(SPI).active);
    assert_acknowledges(NO_INTID);
}

static void an_edge_while_active_becomes_pending_and_active(void **state)
{
    (void)state;
    edge(SPI);
    enter();
    assert_acknowledges(SPI);
    edge(SPI);
    reenter();
    assert_int_equal(*cpu_lr(0) & ICH_LR_STATE, ICH_LR_STATE);
    assert_true(irq_state(SPI).pending && irq_state(SPI).active);
    assert_acknowledges(NO_INTID);
    cpu_end(SPI);
    assert_acknowledges(SPI);
    cpu_end(SPI);
    reenter();
    assert_acknowledges(NO_INTID);
}

static void a_high_level_comes_again_after_its_end(void **state)
{
    (void)state;
    level(SPI, true);
    enter();
    for (int i = 0; i < 3; i++) {
        assert_acknowledges(SPI);
        assert_false(cpu_maintenance());
        cpu_end(SPI);
        assert_true(cpu_maintenance());
        leave();
        assert_false(cpu_maintenance());
        enter();
    }
    assert_true(irq_state(SPI).pending);
}

static void a_level_lowered_by_the_handler_ends_without_an_exit(void **state)
{
    (void)state;
    level(SPI, true);
    enter();
    assert_acknowledges(SPI);
    level(SPI, false);
    reenter();
    cpu_end(SPI);
    assert_false(cpu_maintenance());
    assert_acknowledges(NO_INTID);
}

static void a_lowered_level_leaves_its_list_register(void **state)
{
    (void)state;
    level(SPI, true);
    enter();
    level(SPI, false);
    reenter();
    assert_int_equal(*cpu_lr(0), 0);
    assert_false(irq_state(SPI).pending);
    assert_acknowledges(NO_INTID);
}

static void a_level_raised_while_an_edge_is_handled_is_not_missed(void **state)
{
    (void)state;
    edge(SPI);
    enter();
    assert_acknowledges(SPI);
    level(SPI, true);
    edge(SPI);
    reenter();
    cpu_end(SPI);
    assert_true(cpu_maintenance());
    reenter();
    assert_acknowledges(SPI);
    cpu_end(SPI);
    reenter();
    assert_acknowledges(SPI); // the level; the edge was taken with the first one
}

static void disabling_takes_an_edge_back_and_keeps_it(void **state)
{
    (void)state;
    edge(SPI);
    enter();
    enable(SPI, false);
    reenter();
    assert_acknowledges(NO_INTID);
    assert_true(irq_state(SPI).pending);
    enable(SPI, true);
    reenter();
    assert_acknowledges(SPI);
}

static void disabling_keeps_the_active_state(void **state)
{
    (void)state;
    edge(SPI);
    enter();
    assert_acknowledges(SPI);
    edge(SPI);
    reenter();
    enable(SPI, false);
    reenter();
    assert_int_equal(*cpu_lr(0) & ICH_LR_STATE, ICH_LR_ACTIVE);
    assert_true(irq_state(SPI).pending && irq_state(SPI).active);
    cpu_end(SPI);
    reenter();
    assert_acknowledges(NO_INTID);
    enable(SPI, true);
    reenter();
    assert_acknowledges(SPI);
}

static void a_new_priority_reaches_the_list_register(void **state)
{
    (void)state;
    prioritise(SPI, 0xa7);
    prioritise(OTHER_SPI, 0x80);
    edge(SPI);
    edge(OTHER_SPI);
    enter();
    prioritise(SPI, 0x10);
    reenter();
    assert_acknowledges(SPI);
    assert_int_equal(cpu_running(), 0x10);
}

static void priority_bits_that_do_not_exist_are_cut(void **state)
{
    (void)state;
    prioritise(SPI, 0xa7);
    edge(SPI);
    enter();
    assert_int_equal(ax_get(*cpu_lr(0), ICH_LR_PRIORITY), 0xa0);
}

static void the_most_urgent_ones_are_listed_first(void **state)
{
    (void)state;
    start(2);
    for (uint32_t i = 0; i < 6; i++) {
        prioritise(SPI + i, (uint8_t)(0xf0 - 0x10 * i));
        edge(SPI + i);
    }
    enter();
    for (uint32_t i = 6; i-- > 0;) {
        assert_acknowledges(SPI + i);
        cpu_end(SPI + i);
        if (cpu_maintenance()) {
            reenter();
            assert_false(cpu_maintenance());
        }
    }
    assert_acknowledges(NO_INTID);
}

static void an_urgent_one_displaces_a_pending_one(void **state)
{
    (void)state;
    start(1);
    prioritise(SPI, 0x80);
    prioritise(OTHER_SPI, 0x40);
    edge(SPI);
    enter();
    edge(OTHER_SPI);
    reenter();
    assert_true(irq_state(SPI).pending);
    assert_acknowledges(OTHER_SPI);
    assert_true(cpu_maintenance());
    reenter();
    assert_acknowledges(NO_INTID); // not more urgent than the running one
    cpu_end(OTHER_SPI);
    reenter();
    assert_acknowledges(SPI);
}

static void an_active_one_makes_room_and_its_end_is_counted(void **state)
{
    (void)state;
    start(1);
    prioritise(SPI, 0x80);
    prioritise(OTHER_SPI, 0x40);
    level(SPI, true);
    enter();
    assert_acknowledges(SPI);
    edge(OTHER_SPI);
    reenter();
    assert_true(irq_state(SPI).active);
    assert_acknowledges(OTHER_SPI);
    assert_false(cpu_maintenance());
    cpu_end(OTHER_SPI);
    cpu_end(SPI);
    assert_true(cpu_maintenance());
    leave();
    assert_false(irq_state(SPI).active);
    enter();
    assert_acknowledges(SPI); // still high
}

static void special_intids_are_never_listed(void **state)
{
    (void)state;
    for (uint32_t intid = 1020; intid < 1024; intid++) {
        edge(intid);
        request(intid, AX_IRQ_SET_ACTIVE);
    }
    enter();
    assert_acknowledges(NO_INTID);
    assert_int_equal(vcpu.gic.active_outside, 0);
    edge(1019);
    reenter();
    assert_acknowledges(1019);
}

static void clear_pending_takes_the_edge_out(void **state)
{
    (void)state;
    edge(SPI);
    level(OTHER_SPI, true);
    enter();
    request(SPI, AX_IRQ_CLEAR_PENDING);
    request(OTHER_SPI, AX_IRQ_CLEAR_PENDING);
    request(THIRD_SPI, AX_IRQ_CLEAR_PENDING);
    reenter();
    assert_acknowledges(OTHER_SPI); // a level cannot be cleared
    assert_acknowledges(NO_INTID);
    assert_false(irq_state(SPI).pending);
}

static void clear_pending_leaves_a_later_edge(void **state)
{
    (void)state;
    edge(SPI);
    enter();
    request(SPI, AX_IRQ_CLEAR_PENDING);
    edge(SPI);
    reenter();
    assert_acknowledges(SPI);
}

static void set_active_holds_an_interrupt_back(void **state)
{
    (void)state;
    edge(SPI);
    enter();
    request(SPI, AX_IRQ_SET_ACTIVE);
    request(OTHER_SPI, AX_IRQ_SET_ACTIVE);
    edge(OTHER_SPI);
    reenter();
    assert_acknowledges(NO_INTID);
    assert_true(irq_state(SPI).active && irq_state(OTHER_SPI).active);
    request(SPI, AX_IRQ_SET_ACTIVE); // again: nothing changes
    request(SPI, AX_IRQ_CLEAR_ACTIVE);
    reenter();
    assert_acknowledges(SPI);
    cpu_end(SPI);
    request(OTHER_SPI, AX_IRQ_CLEAR_ACTIVE);
    reenter();
    assert_acknowledges(OTHER_SPI);
}

static void an_end_does_not_deactivate_what_was_never_acknowledged(void **state)
{
    (void)state;
    start(1);
    request(OTHER_SPI, AX_IRQ_SET_ACTIVE);
    prioritise(SPI, 0x80);
    prioritise(OTHER_SPI, 0x10);
    prioritise(THIRD_SPI, 0x40);
    edge(SPI);
    enter();
    assert_acknowledges(SPI);
    edge(THIRD_SPI);
    reenter();
    assert_acknowledges(THIRD_SPI);
    cpu_end(THIRD_SPI);
    cpu_end(SPI);
    leave();
    assert_false(irq_state(SPI).active);
    assert_true(irq_state(OTHER_SPI).active);
}

static void icc_dir_deactivates_what_is_outside(void **state)
{
    (void)state;
    request(SPI, AX_IRQ_SET_ACTIVE);
    enter();
    assert_true((arm_sim.reg[ARM_REG_ICH_HCR_EL2] & ICH_HCR_TDIR) != 0);
    leave();
    aarch64_gic_deactivate(&vcpu, SPI);
    assert_true(irq_state(SPI).active); // EOImode 0: ignored
    arm_sim.reg[ARM_REG_ICH_VMCR_EL2] |= ICH_VMCR_VEOIM;
    aarch64_gic_deactivate(&vcpu, UINT64_MAX);
    aarch64_gic_deactivate(&vcpu, 1023);
    aarch64_gic_deactivate(&vcpu, OTHER_SPI);
    aarch64_gic_deactivate(&vcpu, SPI);
    assert_false(irq_state(SPI).active);
    enter();
    assert_int_equal(arm_sim.reg[ARM_REG_ICH_HCR_EL2], ICH_HCR_EN);
}

static void the_host_never_sees_a_maintenance_interrupt(void **state)
{
    (void)state;
    start(1);
    edge(SPI);
    edge(OTHER_SPI);
    level(THIRD_SPI, true);
    enter();
    assert_acknowledges(SPI);
    assert_true(cpu_maintenance());
    leave();
    assert_false(cpu_maintenance());
    assert_int_equal(arm_sim.reg[ARM_REG_ICH_HCR_EL2], ICH_HCR_EN);
}

// ---- linked ----

static void the_timer_is_linked_to_the_physical_interrupt(void **state)
{
    (void)state;
    fire_vtimer();
    assert_int_equal(*cpu_lr(0),
                     27 | (UINT64_C(27) << 32) | ICH_LR_HW | ICH_LR_GROUP1 | ICH_LR_PENDING);
    assert_acknowledges(27);
    set_vtimer(false);
    reenter();
    assert_true(irq_state(27).active);
    assert_false(irq_state(27).pending);
    cpu_end(27);
    assert_false(gic_cpu.physical_active[27]);
    assert_false(cpu_maintenance());
    reenter();
    assert_int_equal(vcpu.gic.linked, 0);
    assert_acknowledges(NO_INTID);
}

static void a_timer_set_anew_takes_its_interrupt_back(void **state)
{
    (void)state;
    fire_vtimer();
    set_vtimer(false);
    reenter();
    assert_acknowledges(NO_INTID);
    assert_false(gic_cpu.physical_active[27]);
    assert_false(irq_state(27).pending);
}

static void a_disabled_timer_interrupt_stays_with_the_vcpu(void **state)
{
    (void)state;
    enable(27, false);
    fire_vtimer();
    assert_acknowledges(NO_INTID);
    assert_true(gic_cpu.physical_active[27]);
    enable(27, true);
    reenter();
    assert_acknowledges(27);
}

static void a_half_handled_timer_interrupt_moves_with_the_vcpu(void **state)
{
    (void)state;
    fire_vtimer();
    assert_acknowledges(27);
    leave();
    unbind();
    assert_false(gic_cpu.physical_active[27]);
    assert_int_equal(arm_sim.reg[ARM_REG_ICH_HCR_EL2], 0);
    set_lr_count(2);
    bind();
    assert_true(gic_cpu.physical_active[27]);
    enter();
    cpu_end(27);
    assert_false(gic_cpu.physical_active[27]);
}

static void a_software_edge_on_a_handled_timer_is_not_missed(void **state)
{
    (void)state;
    fire_vtimer();
    assert_acknowledges(27);
    set_vtimer(false);
    edge(27);
    reenter();
    assert_true(irq_state(27).pending && irq_state(27).active);
    cpu_end(27);
    assert_true(cpu_maintenance());
    reenter();
    assert_false(gic_cpu.physical_active[27]);
    assert_acknowledges(27);
    cpu_end(27);
    reenter();
    assert_acknowledges(NO_INTID);
}

static void clear_active_frees_the_physical_timer(void **state)
{
    (void)state;
    fire_vtimer();
    assert_acknowledges(27);
    request(27, AX_IRQ_CLEAR_ACTIVE);
    reenter();
    assert_false(gic_cpu.physical_active[27]);
    assert_false(irq_state(27).active);
}

static void an_evicted_timer_interrupt_is_freed_at_its_end(void **state)
{
    (void)state;
    start(1);
    prioritise(27, 0x80);
    fire_vtimer();
    assert_acknowledges(27);
    set_vtimer(false);
    edge(SPI);
    reenter();
    assert_true(gic_cpu.physical_active[27]);
    assert_acknowledges(SPI);
    cpu_end(SPI);
    cpu_end(27);
    assert_true(cpu_maintenance());
    reenter();
    assert_false(gic_cpu.physical_active[27]);
}

// ---- registers ----

static const AxRegId reg_ids[] = {
    AARCH64_REG_ICH_VMCR,    AARCH64_REG_ICH_AP0R(0), AARCH64_REG_ICH_AP0R(3),
    AARCH64_REG_ICH_AP1R(0), AARCH64_REG_ICH_AP1R(3),
};

static void registers_read_back_and_move_with_the_vcpu(void **state)
{
    uint64_t value;

    (void)state;
    for (size_t i = 0; i < sizeof(reg_ids) / sizeof(reg_ids[0]); i++) {
        const uint64_t written = UINT64_C(0xf0000000) | ((i + 1) << 18);

        assert_int_equal(aarch64_gic_set_reg(&vcpu, reg_ids[i], written), AX_OK);
        assert_int_equal(aarch64_gic_get_reg(&vcpu, reg_ids[i], &value), AX_OK);
        assert_int_equal(value, written);
    }
    assert_int_equal(arm_sim.reg[ARM_REG_ICH_VMCR_EL2], UINT64_C(0xf0040000));
    assert_int_equal(arm_sim.reg[ARM_REG_ICH_AP1R0_EL2], UINT64_C(0xf0100000));
    assert_int_equal(arm_sim.reg[ARM_REG_ICH_AP1R3_EL2], 0); // this CPU has one word
    unbind();
    arm_sim.reg[ARM_REG_ICH_VMCR_EL2] = 0;
    arm_sim.reg[ARM_REG_ICH_AP1R0_EL2] = 0;
    assert_int_equal(aarch64_gic_get_reg(&vcpu, AARCH64_REG_ICH_AP1R(0), &value), AX_OK);
    assert_int_equal(value, UINT64_C(0xf0100000));
    assert_int_equal(aarch64_gic_set_reg(&vcpu, AARCH64_REG_ICH_AP1R(0), 5), AX_OK);
    bind();
    assert_int_equal(arm_sim.reg[ARM_REG_ICH_VMCR_EL2], UINT64_C(0xf0040000));
    assert_int_equal(arm_sim.reg[ARM_REG_ICH_AP1R0_EL2], 5);
}

static const struct BadValue {
    AxRegId reg;
    uint64_t value;
    AxError error;
} bad_values[] = {
    {AARCH64_REG_ICH_VMCR, UINT64_C(1) << 32, AX_EINVAL},
    {AARCH64_REG_ICH_VMCR, UINT64_C(1) << 5, AX_EINVAL},
    {AARCH64_REG_ICH_AP0R(0), UINT64_C(1) << 32, AX_EINVAL},
    {AARCH64_REG_ICH_LR(0), ICH_LR_PENDING | ICH_LR_GROUP1 | 1020, AX_EINVAL},
    {AARCH64_REG_ICH_LR(0), ICH_LR_PENDING | ICH_LR_GROUP1 | 1024, AX_EINVAL},
    {AARCH64_REG_ICH_LR(0), ICH_LR_PENDING | 40, AX_EINVAL},
    {AARCH64_REG_ICH_LR(0), ICH_LR_PENDING | ICH_LR_GROUP1 | ICH_LR_HW | 40, AX_EINVAL},
    {AARCH64_REG_ICH_LR(0), ICH_LR_PENDING | ICH_LR_GROUP1 | ICH_LR_HW | (UINT64_C(40) << 32) | 40,
     AX_EINVAL},
    {AARCH64_REG_ICH_LR(0), ICH_LR_PENDING | ICH_LR_GROUP1 | ICH_LR_HW | (UINT64_C(30) << 32) | 27,
     AX_EINVAL},
    {AARCH64_REG_ICH_LR(0), ICH_LR_STATE | ICH_LR_GROUP1 | ICH_LR_HW | (UINT64_C(27) << 32) | 27,
     AX_EINVAL},
    {AARCH64_REG_ICH_LR(0), ICH_LR_PENDING | ICH_LR_GROUP1 | (UINT64_C(27) << 32) | 27, AX_EINVAL},
    {AARCH64_REG_ICH_VMCR + 1, 0, AX_ENOENT},
    {AARCH64_REG_ICH_LR(16), 0, AX_ENOENT},
    {AX_REG_PC, 0, AX_ENOENT},
};

static void bad_register_values_change_nothing(void **state)
{
    const Aarch64VGic before = vcpu.gic;
    uint64_t value;

    (void)state;
    for (size_t i = 0; i < sizeof(bad_values) / sizeof(bad_values[0]); i++) {
        const struct BadValue *bad = &bad_values[i];

        assert_int_equal(aarch64_gic_set_reg(&vcpu, bad->reg, bad->value), bad->error);
        if (bad->error == AX_ENOENT) {
            assert_int_equal(aarch64_gic_get_reg(&vcpu, bad->reg, &value), AX_ENOENT);
        }
    }
    assert_memory_equal(&vcpu.gic, &before, sizeof(before));
}

static void list_registers_can_be_put_back(void **state)
{
    uint64_t saved[AARCH64_LR_MAX];

    (void)state;
    edge(SPI);
    enter();
    assert_acknowledges(SPI);
    level(OTHER_SPI, true);
    edge(THIRD_SPI);
    leave();
    fire_vtimer();
    leave();
    unbind();
    for (unsigned n = 0; n < AARCH64_LR_MAX; n++) {
        assert_int_equal(aarch64_gic_get_reg(&vcpu, AARCH64_REG_ICH_LR(n), &saved[n]), AX_OK);
    }
    start(8);
    unbind();
    level(OTHER_SPI, true);
    for (unsigned n = 0; n < AARCH64_LR_MAX; n++) {
        assert_int_equal(aarch64_gic_set_reg(&vcpu, AARCH64_REG_ICH_LR(n), saved[n]), AX_OK);
    }
    bind();
    set_vtimer(true);
    enter();
    assert_true(irq_state(SPI).active);
    assert_true(gic_cpu.physical_active[27]);
    assert_acknowledges(27);
    gic_cpu.depth = 0;
    assert_acknowledges(OTHER_SPI);
    gic_cpu.depth = 0;
    assert_acknowledges(THIRD_SPI);
}

static void putting_an_interrupt_into_a_second_list_register_moves_it(void **state)
{
    const uint64_t lr = SPI | ICH_LR_GROUP1 | ICH_LR_ACTIVE;
    const uint64_t timer = 27 | (UINT64_C(27) << 32) | ICH_LR_HW | ICH_LR_GROUP1 | ICH_LR_ACTIVE;

    (void)state;
    request(SPI, AX_IRQ_SET_ACTIVE);
    enter();
    leave();
    assert_int_equal(aarch64_gic_set_reg(&vcpu, AARCH64_REG_ICH_LR(1), lr), AX_OK);
    assert_int_equal(vcpu.gic.active_outside, 0);
    assert_int_equal(aarch64_gic_set_reg(&vcpu, AARCH64_REG_ICH_LR(2), lr), AX_OK);
    assert_int_equal(vcpu.gic.used, 1u << 2);
    assert_int_equal(aarch64_gic_set_reg(&vcpu, AARCH64_REG_ICH_LR(2), timer), AX_OK);
    assert_true(gic_cpu.physical_active[27]);
    assert_false(irq_state(SPI).active);
    assert_int_equal(aarch64_gic_set_reg(&vcpu, AARCH64_REG_ICH_LR(2), 0), AX_OK);
    assert_false(gic_cpu.physical_active[27]);
    assert_int_equal(vcpu.gic.used, 0);
}

static void an_interrupt_in_a_list_register_ends_a_wait(void **state)
{
    (void)state;
    assert_false(aarch64_gic_wakeup_pending(&vcpu));
    edge(SPI);
    enter();
    leave();
    assert_true(aarch64_gic_wakeup_pending(&vcpu));
    enter();
    assert_acknowledges(SPI);
    leave();
    assert_false(aarch64_gic_wakeup_pending(&vcpu));
    assert_false(aarch64_gic_irq_state(&vcpu, AX_IRQ_COUNT).pending);
}

// ---- random runs ----

// What a GIC of unlimited size would know.
typedef struct Reference {
    bool latch;
    bool level;
    bool enabled;
    bool active;
    bool asked; // active by request
    uint8_t priority;
} Reference;

static const uint32_t pool[] = {0,  1,  5,   15,  20,  27,  30,  31,  32,   33,   63,
                                64, 65, 100, 127, 128, 191, 200, 511, 1000, 1018, 1019};
#define POOL (sizeof(pool) / sizeof(pool[0]))

static Reference reference[AX_IRQ_COUNT];
static uint32_t handled[STACK_SIZE]; // INTIDs, parallel to gic_cpu.running
static uint64_t random_state;

static uint32_t random_below(uint32_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 20) % limit;
}

static bool is_timer(uint32_t intid)
{
    return intid == AARCH64_PPI_VTIMER || intid == AARCH64_PPI_PTIMER;
}

static bool is_due(uint32_t intid)
{
    return arm_sim.reg[intid == 27 ? ARM_REG_CNTV_CVAL_EL0 : ARM_REG_CNTP_CVAL_EL0] <= 1000;
}

static bool is_deliverable(uint32_t intid)
{
    const Reference *ref = &reference[intid];

    return ref->enabled && !ref->active && (ref->latch || ref->level) &&
           (ref->priority & 0xf8u) < cpu_running();
}

static unsigned most_urgent(void)
{
    unsigned best = 0x100;

    for (size_t i = 0; i < POOL; i++) {
        const unsigned priority = reference[pool[i]].priority & 0xf8u;

        if (is_deliverable(pool[i]) && priority < best) {
            best = priority;
        }
    }
    return best;
}

static void check_published(void)
{
    for (size_t i = 0; i < POOL; i++) {
        const Reference *ref = &reference[pool[i]];
        const AxIrqState state = irq_state(pool[i]);

        assert_int_equal(state.active, ref->active);
        assert_int_equal(state.pending, ref->latch || ref->level);
        if (is_timer(pool[i])) {
            assert_int_equal(gic_cpu.physical_active[pool[i]], (vcpu.gic.linked >> pool[i]) & 1);
        }
    }
}

// A timer that is not due any more takes its interrupt back at the entry.
static void expect_withdrawals(void)
{
    for (uint32_t intid = 27; intid <= 30; intid += 3) {
        if (reference[intid].level && !is_due(intid)) {
            reference[intid].level = false;
        }
    }
}

static void round_trip(void)
{
    leave();
    assert_false(cpu_maintenance());
    expect_withdrawals();
    enter();
    check_published();
}

// Physical interrupts that arrive in the guest: maintenance and the timers.
static void take_exits(void)
{
    for (int rounds = 0;; rounds++) {
        bool fired = false;

        assert_true(rounds < 4); // otherwise the guest gets nowhere
        for (uint32_t intid = 27; intid <= 30; intid += 3) {
            if (is_due(intid) && !gic_cpu.physical_active[intid]) {
                gic_cpu.physical_active[intid] = true;
                leave();
                assert_true(aarch64_timer_interrupt(&vcpu, intid));
                reference[intid].level = true;
                enter();
                fired = true;
            }
        }
        if (!fired && !cpu_maintenance()) {
            return;
        }
        round_trip();
    }
}

static void guest_acknowledges(void)
{
    const unsigned best = most_urgent();
    const uint32_t intid = cpu_acknowledge();

    if (intid == NO_INTID) {
        assert_true(best == 0x100 || gic_cpu.depth == STACK_SIZE);
        return;
    }
    assert_true(intid < AX_IRQ_COUNT);
    assert_int_equal(reference[intid].priority & 0xf8u, best);
    gic_cpu.depth--;
    assert_true(is_deliverable(intid));
    gic_cpu.depth++;
    reference[intid].latch = false;
    reference[intid].active = true;
    if (is_timer(intid)) {
        reference[intid].level = false;
    }
    handled[gic_cpu.depth - 1] = intid;
}

static void set_timer_due(uint32_t intid, bool due)
{
    arm_sim.reg[intid == 27 ? ARM_REG_CNTV_CVAL_EL0 : ARM_REG_CNTP_CVAL_EL0] = due ? 500 : 5000;
}

static void guest_ends(void)
{
    if (gic_cpu.depth != 0) {
        const uint32_t intid = handled[gic_cpu.depth - 1];

        if (is_timer(intid) && random_below(4) != 0) {
            set_timer_due(intid, false);
        }
        cpu_end(intid);
        reference[intid].active = false;
    }
}

static void post_something(uint32_t intid)
{
    Reference *ref = &reference[intid];

    switch (random_below(8)) {
    case 0:
    case 1:
        edge(intid);
        ref->latch = true;
        break;
    case 2:
    case 3:
        if (!is_timer(intid)) {
            ref->level = random_below(2) != 0;
            level(intid, ref->level);
        } else {
            set_timer_due(intid, random_below(2) != 0);
        }
        break;
    case 4:
        ref->enabled = random_below(3) != 0;
        enable(intid, ref->enabled);
        break;
    case 5:
        if (!ref->active) { // or the running priority is not what the end expects
            ref->priority = (uint8_t)random_below(256);
            prioritise(intid, ref->priority);
        }
        break;
    case 6:
        ref->latch = false;
        request(intid, AX_IRQ_CLEAR_PENDING);
        break;
    default:
        if (!is_timer(intid) && !ref->active && random_below(4) == 0) {
            ref->active = ref->asked = true;
            request(intid, AX_IRQ_SET_ACTIVE);
        } else if (ref->asked) {
            ref->active = ref->asked = false;
            request(intid, AX_IRQ_CLEAR_ACTIVE);
        }
        break;
    }
}

static void move_to_another_cpu(void)
{
    static const unsigned counts[] = {1, 2, 4, 16};

    leave();
    unbind();
    assert_false(gic_cpu.physical_active[27] || gic_cpu.physical_active[30]);
    set_lr_count(counts[random_below(4)]);
    bind();
    expect_withdrawals();
    enter();
}

static void random_step(bool migrate)
{
    const uint32_t what = random_below(100);

    if (what < 35) {
        for (uint32_t n = random_below(6) + 1; n-- > 0;) {
            post_something(pool[random_below(POOL)]);
        }
        round_trip();
    } else if (what < 65) {
        guest_acknowledges();
    } else if (what < 96) {
        guest_ends();
    } else if (what < 98 && migrate) {
        move_to_another_cpu();
    } else {
        round_trip();
    }
    take_exits();
}

// Everything that is left is delivered when the guest does nothing but handle interrupts.
static void drain(void)
{
    for (size_t i = 0; i < POOL; i++) {
        Reference *ref = &reference[pool[i]];

        enable(pool[i], true);
        ref->enabled = true;
        if (is_timer(pool[i])) {
            set_timer_due(pool[i], false);
            continue;
        }
        level(pool[i], false);
        ref->level = false;
        if (ref->asked) {
            request(pool[i], AX_IRQ_CLEAR_ACTIVE);
            ref->active = ref->asked = false;
        }
    }
    round_trip();
    for (int i = 0; i < 200; i++) {
        take_exits();
        guest_acknowledges();
        take_exits();
        guest_ends();
    }
    round_trip();
    for (size_t i = 0; i < POOL; i++) {
        assert_false(reference[pool[i]].latch || reference[pool[i]].active);
    }
    check_published();
    assert_int_equal(vcpu.gic.used, 0);
    assert_int_equal(vcpu.gic.active_outside, 0);
}

static void random_run(unsigned lr_count, bool migrate, uint64_t seed)
{
    start(lr_count);
    random_state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    memset(reference, 0, sizeof(reference));
    for (size_t i = 0; i < POOL; i++) {
        reference[pool[i]].enabled = true;
    }
    arm_sim.reg[ARM_REG_CNTPCT_EL0] = 1000;
    set_timer(ARM_REG_CNTV_CTL_EL0, CNT_CTL_ENABLE, ARM_REG_CNTV_CVAL_EL0, 5000);
    set_timer(ARM_REG_CNTP_CTL_EL0, CNT_CTL_ENABLE, ARM_REG_CNTP_CVAL_EL0, 5000);
    enter();
    for (int i = 0; i < 2500; i++) {
        random_step(migrate);
    }
    drain();
}

static void random_runs(unsigned lr_count, bool migrate)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        random_run(lr_count, migrate, seed);
    }
}

static void nothing_is_lost_or_invented_with_1_list_register(void **state)
{
    (void)state;
    random_runs(1, false);
}

static void nothing_is_lost_or_invented_with_2_list_registers(void **state)
{
    (void)state;
    random_runs(2, false);
}

static void nothing_is_lost_or_invented_with_4_list_registers(void **state)
{
    (void)state;
    random_runs(4, false);
}

static void nothing_is_lost_or_invented_with_16_list_registers(void **state)
{
    (void)state;
    random_runs(16, false);
}

static void nothing_is_lost_or_invented_when_cpus_change(void **state)
{
    (void)state;
    random_runs(4, true);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_idle_round_trip_touches_no_list_register),
        TEST(a_used_list_register_costs_one_read_per_exit),
        TEST(binding_clears_what_another_vcpu_left),
        TEST(an_edge_is_delivered_once),
        TEST(an_edge_while_active_becomes_pending_and_active),
        TEST(a_high_level_comes_again_after_its_end),
        TEST(a_level_lowered_by_the_handler_ends_without_an_exit),
        TEST(a_lowered_level_leaves_its_list_register),
        TEST(a_level_raised_while_an_edge_is_handled_is_not_missed),
        TEST(disabling_takes_an_edge_back_and_keeps_it),
        TEST(disabling_keeps_the_active_state),
        TEST(a_new_priority_reaches_the_list_register),
        TEST(priority_bits_that_do_not_exist_are_cut),
        TEST(the_most_urgent_ones_are_listed_first),
        TEST(an_urgent_one_displaces_a_pending_one),
        TEST(an_active_one_makes_room_and_its_end_is_counted),
        TEST(special_intids_are_never_listed),
        TEST(clear_pending_takes_the_edge_out),
        TEST(clear_pending_leaves_a_later_edge),
        TEST(set_active_holds_an_interrupt_back),
        TEST(an_end_does_not_deactivate_what_was_never_acknowledged),
        TEST(icc_dir_deactivates_what_is_outside),
        TEST(the_host_never_sees_a_maintenance_interrupt),
        TEST(the_timer_is_linked_to_the_physical_interrupt),
        TEST(a_timer_set_anew_takes_its_interrupt_back),
        TEST(a_disabled_timer_interrupt_stays_with_the_vcpu),
        TEST(a_half_handled_timer_interrupt_moves_with_the_vcpu),
        TEST(a_software_edge_on_a_handled_timer_is_not_missed),
        TEST(clear_active_frees_the_physical_timer),
        TEST(an_evicted_timer_interrupt_is_freed_at_its_end),
        TEST(registers_read_back_and_move_with_the_vcpu),
        TEST(bad_register_values_change_nothing),
        TEST(list_registers_can_be_put_back),
        TEST(putting_an_interrupt_into_a_second_list_register_moves_it),
        TEST(an_interrupt_in_a_list_register_ends_a_wait),
        TEST(nothing_is_lost_or_invented_with_1_list_register),
        TEST(nothing_is_lost_or_invented_with_2_list_registers),
        TEST(nothing_is_lost_or_invented_with_4_list_registers),
        TEST(nothing_is_lost_or_invented_with_16_list_registers),
        TEST(nothing_is_lost_or_invented_when_cpus_change),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
