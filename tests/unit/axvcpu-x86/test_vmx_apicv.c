// SPDX-License-Identifier: Apache-2.0
// The local APIC with virtual-interrupt delivery, which most tests do without.
#include "x86_fixture.h"

#include "vmx/vmcs.h"

#define MSR_BASE    (X86_APIC_PAGE | X86_BIT(10) | X86_BIT(11))
#define OFFSET_TPR  UINT32_C(0x80)
#define OFFSET_LDR  UINT32_C(0xd0)
#define OFFSET_SVR  UINT32_C(0xf0)
#define OFFSET_ISR  UINT32_C(0x100)
#define OFFSET_IRR  UINT32_C(0x200)
#define SVR_ENABLED UINT64_C(0x1ff)

static X86Fixture f;

static void write(uint32_t offset, uint64_t value)
{
    X86Next next = X86_RESUME;

    assert_true(x86_lapic_write(&f.vcpu, offset, value, &f.exit, &next));
}

static int start(void **state)
{
    fixture_choose(state);
    fixture_has_apicv = true;
    fixture_start_bound_as(&f, 2);
    write(OFFSET_SVR, SVR_ENABLED);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fixture_stop(&f);
    return 0;
}

static void edge(uint32_t vector)
{
    assert_int_equal(axvcpu_events_post_irq(&f.events, vector), AX_OK);
}

static uint32_t *in_page(uint32_t offset)
{
    return (uint32_t *)(uintptr_t)(*fixture_vmcs(&f, VMCS_VIRTUAL_APIC_ADDRESS) + offset);
}

static uint32_t *bit_word(uint32_t bank, uint8_t vector)
{
    return in_page(bank + 16u * (vector / 32));
}

static void a_vector_that_the_flag_holds_back_waits_for_its_window(void **state)
{
    (void)state;
    edge(0x45);
    (void)fixture_run_halt(&f);
    assert_int_equal(scripted.event_seen, 0);
    assert_true(fixture_has_interrupt_window(&f));
    assert_int_equal(*fixture_vmcs(&f, VMCS_GUEST_INTERRUPT_STATUS), 0x45);
    assert_int_equal(*bit_word(OFFSET_IRR, 0x45), UINT32_C(1) << (0x45 % 32));
}

// The handler that begins has the flag clear, and its end of interrupt leaves nothing in the way.
static void a_vector_behind_one_that_is_injected_waits_for_its_window(void **state)
{
    (void)state;
    f.vcpu.regs.rflags |= RFLAGS_IF;
    edge(0x45);
    edge(0x85);
    (void)fixture_run_halt(&f);
    assert_int_equal(scripted.event_seen & 0xff, 0x85);
    assert_true(fixture_has_interrupt_window(&f));
    assert_int_equal(*fixture_vmcs(&f, VMCS_GUEST_INTERRUPT_STATUS), 0x8545);
}

static void a_vector_behind_one_in_service_is_left_to_the_processor(void **state)
{
    (void)state;
    f.vcpu.regs.rflags |= RFLAGS_IF;
    edge(0x85);
    (void)fixture_run_halt(&f);
    edge(0x45);
    (void)fixture_run_halt(&f);
    assert_int_equal(scripted.event_seen, 0);
    assert_false(fixture_has_interrupt_window(&f));
    assert_int_equal(*fixture_vmcs(&f, VMCS_GUEST_INTERRUPT_STATUS), 0x8545);
    f.vcpu.regs.rflags &= ~RFLAGS_IF;
    (void)fixture_run_halt(&f);
    assert_true(fixture_has_interrupt_window(&f));
}

static void one_that_tpr_holds_back_needs_no_threshold(void **state)
{
    (void)state;
    f.vcpu.regs.rflags |= RFLAGS_IF;
    write(OFFSET_TPR, 0x50);
    edge(0x45);
    (void)fixture_run_halt(&f);
    assert_int_equal(scripted.event_seen, 0);
    assert_false(fixture_has_tpr_window(&f));
    assert_int_equal(*fixture_vmcs(&f, VMCS_GUEST_INTERRUPT_STATUS), 0x45);
}

static void an_apic_that_is_off_requests_nothing(void **state)
{
    (void)state;
    edge(0x45);
    write(OFFSET_SVR, 0xff);
    (void)fixture_run_halt(&f);
    assert_int_equal(*fixture_vmcs(&f, VMCS_GUEST_INTERRUPT_STATUS), 0);
    assert_int_equal(*bit_word(OFFSET_IRR, 0x45), UINT32_C(1) << (0x45 % 32));
}

static void the_line_of_the_8259_still_has_its_window(void **state)
{
    (void)state;
    edge(0x45);
    assert_int_equal(axvcpu_events_set_level(&f.events, X86_IRQ_EXTINT, true), AX_OK);
    write(0x350, 0x700); // LINT0 is ExtINT
    (void)fixture_run_halt(&f);
    assert_true(fixture_has_interrupt_window(&f));
}

// The processor delivers 0x45 and the guest does not end it.
static void take_45(void)
{
    *bit_word(OFFSET_IRR, 0x45) = 0;
    *bit_word(OFFSET_ISR, 0x45) = UINT32_C(1) << (0x45 % 32);
    *x86_sim_field(VMCS_GUEST_INTERRUPT_STATUS) = 0x4500;
}

static void what_the_processor_delivered_is_in_service_afterwards(void **state)
{
    (void)state;
    edge(0x45);
    scripted.act = take_45;
    (void)fixture_run_halt(&f);
    assert_true(x86_interrupt_state(&f.vcpu, 0x45).active);
    assert_false(x86_interrupt_state(&f.vcpu, 0x45).pending);
}

static void leave_by_eoi(struct X86GuestRegs *regs)
{
    (void)regs;
    fixture_leave(VMX_EXIT_VIRTUALIZED_EOI, 0x45, 0);
    *x86_sim_field(VMCS_GUEST_INTERRUPT_STATUS) = 0;
    *bit_word(OFFSET_IRR, 0x45) = 0;
}

static void the_end_of_a_level_interrupt_is_told(void **state)
{
    (void)state;
    assert_int_equal(axvcpu_events_set_level(&f.events, 0x45, true), AX_OK);
    x86_sim.vmx.guest = leave_by_eoi;
    assert_int_equal(x86_vcpu_ops.run(&f.vcpu, &f.exit), AX_OK);
    assert_int_equal(f.exit.reason, AX_EXIT_INTERRUPT_END);
    assert_int_equal(f.exit.interrupt.vector, 0x45);
    assert_int_equal(*fixture_vmcs(&f, VMCS_EOI_EXIT_BITMAP_1), X86_BIT(0x45 % 64));
    assert_false(x86_interrupt_state(&f.vcpu, 0x45).pending);
}

static void x2apic_has_its_registers_in_the_page(void **state)
{
    const uint64_t plain = f.percpu.frames.msr_bitmap.value;

    (void)state;
    (void)fixture_run_halt(&f);
    assert_int_equal(*fixture_vmcs(&f, VMCS_MSR_BITMAP), plain);
    assert_true(x86_set_apic_base(&f.vcpu, MSR_BASE));
    (void)fixture_run_halt(&f);
    assert_int_equal(*fixture_vmcs(&f, VMCS_MSR_BITMAP), plain + AX_PAGE_SIZE);
    assert_true((*fixture_vmcs(&f, VMCS_SECONDARY_CONTROLS) & SECONDARY_X2APIC_MODE) != 0);
    assert_int_equal(*in_page(0x20), 2);
    assert_int_equal(*in_page(OFFSET_LDR), 4);
    assert_int_equal(*in_page(OFFSET_SVR), SVR_ENABLED);
}

// A bit per MSR, 0: no exit. Reads first, writes in the second half.
static bool passes(uint32_t msr, bool is_write)
{
    const uint8_t *bitmap = (const uint8_t *)(uintptr_t)(f.percpu.frames.msr_bitmap.value +
                                                         AX_PAGE_SIZE);

    return (bitmap[(is_write ? 2048 : 0) + msr / 8] >> (msr % 8) & 1) == 0;
}

static void of_x2apic_only_what_the_processor_answers_passes(void **state)
{
    (void)state;
    for (uint32_t msr = MSR_X2APIC; msr <= MSR_X2APIC_LAST; msr++) {
        const bool is_written = msr == MSR_X2APIC + 0x08 || msr == MSR_X2APIC + 0x0b;
        uint64_t value;

        assert_int_equal(passes(msr, true), is_written);
        if (passes(msr, false)) {
            assert_true(x86_lapic_read(&f.vcpu, (msr - MSR_X2APIC) << 4, &value));
        }
    }
    assert_true(passes(MSR_X2APIC + 0x08, false));
    assert_false(passes(MSR_X2APIC + 0x39, false)); // the current count
}

static void priorities_are_whole_after_an_exit(void **state)
{
    (void)state;
    (void)fixture_run_halt(&f);
    *in_page(OFFSET_TPR) = 0x35;
    (void)fixture_run_halt(&f);
    assert_int_equal(x86_lapic_tpr(&f.vcpu), 0x35);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_VMX(a_vector_that_the_flag_holds_back_waits_for_its_window),
        ON_VMX(a_vector_behind_one_that_is_injected_waits_for_its_window),
        ON_VMX(a_vector_behind_one_in_service_is_left_to_the_processor),
        ON_VMX(one_that_tpr_holds_back_needs_no_threshold),
        ON_VMX(an_apic_that_is_off_requests_nothing),
        ON_VMX(the_line_of_the_8259_still_has_its_window),
        ON_VMX(what_the_processor_delivered_is_in_service_afterwards),
        ON_VMX(the_end_of_a_level_interrupt_is_told),
        ON_VMX(x2apic_has_its_registers_in_the_page),
        ON_VMX(of_x2apic_only_what_the_processor_answers_passes),
        ON_VMX(priorities_are_whole_after_an_exit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
