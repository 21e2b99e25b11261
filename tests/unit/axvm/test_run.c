// SPDX-License-Identifier: Apache-2.0
/* The exit loop: who answers what, what the host gets to see, and when a VM ends. */
#include "vm_fixture.h"

#include <vm_internal.h>

#define DEVICE UINT64_C(0x9000000)
#define PORT   0x3f8u
#define SYSREG UINT64_C(0x300010)

static TestDevice device;
static TestDevice port_device;
static TestDevice sysreg_device;

static int set_up_run(void **state)
{
    set_up(state);
    memset(&device, 0, sizeof(device));
    memset(&port_device, 0, sizeof(port_device));
    memset(&sysreg_device, 0, sizeof(sysreg_device));
    axvm_bus_init(&fx.devices);
    axvm_bus_init(&fx.ports);
    axvm_bus_init(&fx.sysregs);
    add_device(&fx.devices, DEVICE, 0x1000, &device);
    add_device(&fx.ports, PORT, 8, &port_device);
    add_device(&fx.sysregs, SYSREG, 4, &sysreg_device);
    assert_error(create(), AX_OK);
    assert_error(axvm_boot(&fx.vm), AX_OK);
    return 0;
}

#define RUN_TEST(test) cmocka_unit_test_setup_teardown(test, set_up_run, tear_down)

static AxError run_on(AxVCpuId id, uint32_t pcpu, AxVCpuExitReason *reason)
{
    const AxVCpuExit *exit = NULL;
    AxError error;

    fake_hal_set_pcpu(pcpu);
    error = axvm_run_vcpu(&fx.vm, id, &fx.percpu[pcpu], &exit);
    if (error == AX_OK) {
        *reason = exit->reason;
    }
    return error;
}

// Runs vCPU 0 through the script; it must come back because of `wanted`.
static void run_to(AxVCpuExitReason wanted)
{
    AxVCpuExitReason reason = AX_EXIT_COUNT;

    assert_error(run_on(0, 0, &reason), AX_OK);
    assert_string_equal(axvcpu_exit_name(reason), axvcpu_exit_name(wanted));
}

static void push(AxVCpuExit exit)
{
    assert_true(fake_push_exit(fake(0), exit));
}

// One exit, then IDLE to come back.
static void run_exit(AxVCpuExit exit)
{
    push(exit);
    push((AxVCpuExit){.reason = AX_EXIT_IDLE});
    run_to(AX_EXIT_IDLE);
    assert_int_equal(axvm_status(&fx.vm), AX_VM_RUNNING);
}

static void assert_faulted(bool wanted)
{
    assert_int_equal(fake(0)->calls[FAKE_COMPLETE_FAULT], wanted ? 1 : 0);
    fake(0)->calls[FAKE_COMPLETE_FAULT] = 0;
}

static AxVCpuExit mmio_read(uint64_t addr)
{
    return (AxVCpuExit){
        .reason = AX_EXIT_MMIO_READ,
        .mmio = {
            .addr = ax_gpa(addr), .width = AX_WIDTH_WORD, .reg = 4, .reg_width = AX_WIDTH_QWORD}};
}

static AxVCpuExit mmio_write(uint64_t addr, uint64_t data)
{
    return (AxVCpuExit){.reason = AX_EXIT_MMIO_WRITE,
                        .mmio = {.addr = ax_gpa(addr), .width = AX_WIDTH_DWORD, .data = data}};
}

// ---- devices ----

static void a_device_answers_reads(void **state)
{
    (void)state;
    device.value = 0x12345678;
    run_exit(mmio_read(DEVICE + 0x18));
    assert_int_equal(device.offset, 0x18);
    assert_int_equal(device.width, AX_WIDTH_WORD);
    assert_int_equal(fake_reg(fake(0), AX_REG_GPR(4)), 0x5678);
    assert_int_equal(fake_reg(fake(0), AX_REG_PC), fx.vm.layout.entry.value + FAKE_INSN_SIZE);
}

static void a_device_gets_writes(void **state)
{
    (void)state;
    run_exit(mmio_write(DEVICE + 0x20, UINT64_C(0xaabbccdd11223344)));
    assert_int_equal(device.offset, 0x20);
    assert_int_equal(device.value, 0x11223344);
    assert_int_equal(device.writes, 1);
    assert_int_equal(fake_reg(fake(0), AX_REG_PC), fx.vm.layout.entry.value + FAKE_INSN_SIZE);
}

static void a_device_may_refuse(void **state)
{
    static const AxError errors[] = {AX_EFAULT, AX_ENOENT, AX_EBACKEND, AX_ENOMEM};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(errors); i++) {
        device.error = errors[i];
        run_exit(mmio_read(DEVICE));
        assert_faulted(true);
        run_exit(mmio_write(DEVICE, 1));
        assert_faulted(true);
    }
}

static void many_accesses_need_one_call(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < FAKE_SCRIPT_MAX - 1; i++) {
        push(mmio_write(DEVICE, i));
    }
    push((AxVCpuExit){.reason = AX_EXIT_IDLE});
    run_to(AX_EXIT_IDLE);
    assert_int_equal(device.writes, FAKE_SCRIPT_MAX - 1);
    assert_int_equal(fake(0)->calls[FAKE_BIND], 1);
}

static void nobody_at_an_address_is_a_fault(void **state)
{
    (void)state;
    run_exit(mmio_read(0x1000));
    assert_faulted(true);
    run_exit(mmio_write(0x1000, 1));
    assert_faulted(true);
    run_exit(mmio_write(UINT64_MAX - 3, 1));
    assert_faulted(true);
    run_exit(mmio_read(DEVICE + 0xfff));
    assert_faulted(true);
}

static void ports_are_a_bus_of_their_own(void **state)
{
    AxVCpuExit exit = {.reason = AX_EXIT_IO_READ, .io = {{PORT + 1}, AX_WIDTH_BYTE, 0}};

    (void)state;
    port_device.value = 0x1ff;
    run_exit(exit);
    assert_int_equal(fake(0)->answer, 0xff);
    exit = (AxVCpuExit){.reason = AX_EXIT_IO_WRITE, .io = {{PORT + 2}, AX_WIDTH_WORD, 0x77}};
    run_exit(exit);
    assert_int_equal(port_device.value, 0x77);
    assert_int_equal(port_device.offset, 2);
    assert_faulted(false);
    port_device.error = AX_EPERM;
    run_exit(exit);
    assert_faulted(true);
    exit.reason = AX_EXIT_IO_READ;
    run_exit(exit);
    assert_faulted(true);
}

static void ports_that_nobody_has_read_as_ones(void **state)
{
    AxVCpuExit exit = {.reason = AX_EXIT_IO_WRITE, .io = {{0x80}, AX_WIDTH_WORD, 0x77}};

    (void)state;
    run_exit(exit);
    assert_faulted(false);
    exit.reason = AX_EXIT_IO_READ;
    run_exit(exit);
    assert_faulted(false);
    assert_int_equal(fake(0)->answer, 0xffff);
}

static void system_registers_are_whole(void **state)
{
    AxVCpuExit exit = {.reason = AX_EXIT_SYSREG_READ, .sysreg = {{SYSREG + 3}, 0, 6}};

    (void)state;
    sysreg_device.value = UINT64_MAX;
    run_exit(exit);
    assert_int_equal(fake_reg(fake(0), AX_REG_GPR(6)), UINT64_MAX);
    assert_int_equal(sysreg_device.offset, 3);
    assert_int_equal(sysreg_device.width, AX_WIDTH_QWORD);
    exit = (AxVCpuExit){.reason = AX_EXIT_SYSREG_WRITE, .sysreg = {{SYSREG}, 99, 0}};
    run_exit(exit);
    assert_int_equal(sysreg_device.value, 99);
    assert_faulted(false);
    sysreg_device.error = AX_EPERM;
    run_exit(exit);
    assert_faulted(true);
    exit.sysreg.addr.value = SYSREG + 4;
    run_exit(exit);
    assert_faulted(true);
    exit.reason = AX_EXIT_SYSREG_READ;
    run_exit(exit);
    assert_faulted(true);
}

// ---- memory ----

#define DEMAND GIB(2)

static void map_on_demand(MappingFlags flags)
{
    assert_error(axvm_map_ram(&fx.vm.memory, ax_gpa(DEMAND), KIB(64), flags, false), AX_OK);
}

static void memory_on_demand_appears_and_the_access_is_repeated(void **state)
{
    const uint64_t pc = fx.vm.layout.entry.value;
    HostPhysAddr hpa;

    (void)state;
    map_on_demand(AX_MAP_READ | AX_MAP_WRITE);
    run_exit(mmio_read(DEMAND + 0x1008));
    assert_error(axvm_translate(&fx.vm.memory, ax_gpa(DEMAND + 0x1008), AX_MAP_WRITE, &hpa, NULL),
                 AX_OK);
    run_exit(mmio_write(DEMAND + 0x2008, 1));
    run_exit((AxVCpuExit){.reason = AX_EXIT_NESTED_PAGE_FAULT,
                          .page_fault = {.addr = ax_gpa(DEMAND + 0x3008),
                                         .access = AX_MAP_READ,
                                         .page_table_walk = true}});
    assert_int_equal(fx.vm.memory.ram_frames, RAM_SIZE / AX_PAGE_SIZE + 3);
    assert_int_equal(fake_reg(fake(0), AX_REG_PC), pc);
    assert_faulted(false);
    assert_int_equal(fake(0)->calls[FAKE_COMPLETE_READ], 0);
}

static void a_missing_right_is_a_fault(void **state)
{
    static const MappingFlags accesses[] = {AX_MAP_WRITE, AX_MAP_EXECUTE,
                                            AX_MAP_READ | AX_MAP_WRITE};

    (void)state;
    map_on_demand(AX_MAP_READ);
    run_exit(mmio_write(DEMAND, 1));
    assert_faulted(true);
    for (size_t i = 0; i < COUNT_OF(accesses); i++) {
        run_exit((AxVCpuExit){
            .reason = AX_EXIT_NESTED_PAGE_FAULT,
            .page_fault = {.addr = ax_gpa(DEMAND), .access = accesses[i], .permission = true}});
        assert_faulted(true);
    }
    run_exit((AxVCpuExit){.reason = AX_EXIT_NESTED_PAGE_FAULT,
                          .page_fault = {.addr = ax_gpa(DEVICE), .access = AX_MAP_EXECUTE}});
    assert_faulted(true);
}

static void no_memory_for_a_page_ends_the_vm(void **state)
{
    AxVCpuExitReason reason;

    (void)state;
    map_on_demand(AX_MAP_READ);
    fake_hal_fail_alloc(&fx.host, 1);
    push(mmio_read(DEMAND));
    assert_error(run_on(0, 0, &reason), AX_ENOMEM);
    assert_int_equal(axvm_status(&fx.vm), AX_VM_STOPPED);
    assert_int_equal(axvm_stop_reason(&fx.vm), AX_VM_STOP_FAILURE);
    assert_error(fx.vm.failure.error, AX_ENOMEM);
    assert_int_equal(fx.vm.failure.exit.reason, AX_EXIT_MMIO_READ);
    assert_int_equal(fx.vm.failure.vcpu, 0);
}

// ---- hypercalls ----

static AxError hypercall(void *ctx, AxVM *vm, AxVCpu *vcpu, uint64_t nr, const uint64_t args[6],
                         uint64_t *result)
{
    assert_ptr_equal(ctx, &device);
    assert_ptr_equal(vm, &fx.vm);
    assert_ptr_equal(vcpu, axvm_vcpu(vm, 0));
    *result = args[0] + args[5];
    if (nr == 2) {
        return axvm_stop(vm, AX_VM_STOP_HOST);
    }
    return nr == 1 ? AX_OK : AX_ENOTSUP;
}

static AxVCpuExit hypercall_exit(uint64_t nr)
{
    return (AxVCpuExit){.reason = AX_EXIT_HYPERCALL,
                        .hypercall = {.nr = nr, .args = {30, 0, 0, 0, 0, 12}}};
}

static void hypercalls_go_to_the_host(void **state)
{
    (void)state;
    run_exit(hypercall_exit(1));
    assert_error(fake(0)->answer_result, AX_ENOTSUP);
    fx.vm.hypercall = hypercall;
    fx.vm.hypercall_ctx = &device;
    run_exit(hypercall_exit(1));
    assert_error(fake(0)->answer_result, AX_OK);
    assert_int_equal(fake(0)->answer, 42);
    run_exit(hypercall_exit(3));
    assert_error(fake(0)->answer_result, AX_ENOTSUP);
}

static void a_hypercall_may_stop_the_vm(void **state)
{
    (void)state;
    fx.vm.hypercall = hypercall;
    fx.vm.hypercall_ctx = &device;
    push(hypercall_exit(2));
    run_to(AX_EXIT_NOTHING);
    assert_int_equal(axvm_stop_reason(&fx.vm), AX_VM_STOP_HOST);
    assert_error(fake(0)->answer_result, AX_OK);
}

// ---- power ----

static AxVCpuExit cpu_up(uint64_t target, uint64_t entry)
{
    return (AxVCpuExit){.reason = AX_EXIT_CPU_UP,
                        .cpu_up = {.target_cpu = target, .entry = ax_gpa(entry), .arg = 0x5eed}};
}

static void expect_cpu_up(uint64_t target, uint64_t entry, AxError wanted)
{
    run_exit(cpu_up(target, entry));
    assert_error(fake(0)->answer_result, wanted);
}

static void expect_status(uint64_t target, uint32_t level, AxError error, AxCpuPower power)
{
    run_exit((AxVCpuExit){.reason = AX_EXIT_CPU_STATUS,
                          .cpu_status = {.target_cpu = target, .level = level}});
    assert_error(fake(0)->answer_result, error);
    if (error == AX_OK) {
        assert_int_equal(fake(0)->answer, power);
    }
}

static AxVCpuId powered_on;
static uint32_t power_ons;

static void on_power(void *ctx, AxVM *vm, AxVCpuId id)
{
    assert_ptr_equal(ctx, &powered_on);
    assert_ptr_equal(vm, &fx.vm);
    powered_on = id;
    power_ons++;
}

static void bad_targets_and_entries_are_refused(void **state)
{
    (void)state;
    expect_cpu_up(0, RAM, AX_EEXIST);
    expect_cpu_up(3, RAM, AX_EINVAL);
    expect_cpu_up(0x100, RAM, AX_EINVAL);
    expect_cpu_up(UINT64_MAX, RAM, AX_EINVAL);
    expect_cpu_up(1, RAM + RAM_SIZE, AX_EFAULT);
    expect_cpu_up(1, 0, AX_EFAULT);
    expect_cpu_up(1, DEVICE, AX_EFAULT);
    expect_cpu_up(1, UINT64_MAX, AX_EFAULT);
    expect_status(1, 0, AX_OK, AX_CPU_OFF);
    expect_status(0, 0, AX_OK, AX_CPU_ON);
    expect_status(3, 0, AX_EINVAL, 0);
    expect_status(0, 1, AX_EINVAL, 0);
    assert_false(axvm_vcpu_runnable(&fx.vm, 1));
}

static void a_second_vcpu_starts_where_it_is_told(void **state)
{
    AxVCpuExitReason reason = AX_EXIT_COUNT;

    (void)state;
    power_ons = 0;
    fx.vm.power_on = on_power;
    fx.vm.power_on_ctx = &powered_on;
    expect_cpu_up(2, RAM + 0x100, AX_OK);
    assert_int_equal(power_ons, 1);
    assert_int_equal(powered_on, 2);
    expect_status(2, 0, AX_OK, AX_CPU_ON_PENDING);
    expect_cpu_up(2, RAM, AX_EBUSY);
    assert_int_equal(power_ons, 1);
    assert_true(axvm_vcpu_runnable(&fx.vm, 2));
    assert_false(axvm_vcpu_runnable(&fx.vm, 1));

    assert_true(fake_push_reason(fake(2), AX_EXIT_IDLE));
    assert_error(run_on(2, 1, &reason), AX_OK);
    assert_int_equal(reason, AX_EXIT_IDLE);
    assert_int_equal(fake_reg(fake(2), AX_REG_PC), RAM + 0x100);
    assert_int_equal(fake_reg(fake(2), AXVCPU_ARCH_START_ARG), 0x5eed);
    assert_ptr_equal(fake(2)->root, &fx.vm.memory.root);
    expect_status(2, 0, AX_OK, AX_CPU_ON);
    expect_cpu_up(2, RAM, AX_EEXIST);
    assert_int_equal(machine_of(&fx.vm)->vcpu_resets, 0);
}

static void start_second(uint64_t entry)
{
    AxVCpuExitReason reason;

    expect_cpu_up(1, entry, AX_OK);
    assert_true(fake_push_reason(fake(1), AX_EXIT_CPU_DOWN));
    assert_error(run_on(1, 1, &reason), AX_OK);
    assert_int_equal(reason, AX_EXIT_CPU_DOWN);
    assert_false(axvm_vcpu_runnable(&fx.vm, 1));
    assert_int_equal(fake_reg(fake(1), AX_REG_PC), entry);
}

static void a_vcpu_can_go_off_and_on_again(void **state)
{
    AxVCpuExitReason reason;

    (void)state;
    start_second(RAM + 0x100);
    expect_status(1, 0, AX_OK, AX_CPU_OFF);
    assert_error(run_on(1, 1, &reason), AX_ESTATE);
    // Once while it is still bound to its pCPU, once after the host took it away.
    fake(1)->regs[7] = 1;
    start_second(RAM + 0x200);
    assert_int_equal(fake(1)->regs[7], 0);
    assert_int_equal(machine_of(&fx.vm)->vcpu_resets, 1);
    assert_int_equal(machine_of(&fx.vm)->last_vcpu_reset, 1);
    assert_error(axvcpu_unbind(axvm_vcpu(&fx.vm, 1)), AX_OK);
    start_second(RAM + 0x300);
    assert_int_equal(machine_of(&fx.vm)->vcpu_resets, 2);
    assert_int_equal(axvm_status(&fx.vm), AX_VM_RUNNING);
}

static void a_vcpu_that_is_elsewhere_is_not_touched(void **state)
{
    AxVCpuExitReason reason;

    (void)state;
    start_second(RAM + 0x100);
    expect_cpu_up(1, RAM + 0x200, AX_OK);
    assert_error(run_on(1, 0, &reason), AX_EWRONGCPU);
    fake_hal_set_pcpu(0);
    assert_error(axvm_run_vcpu(&fx.vm, 1, &fx.percpu[1], &(const AxVCpuExit *){NULL}),
                 AX_EWRONGCPU);
    assert_int_equal(axvm_status(&fx.vm), AX_VM_RUNNING);
    assert_int_equal(fake(1)->calls[FAKE_RESET], 0);
    assert_true(fake_push_reason(fake(1), AX_EXIT_IDLE));
    assert_error(run_on(1, 1, &reason), AX_OK);
}

static void the_last_vcpu_that_goes_off_ends_the_vm(void **state)
{
    (void)state;
    start_second(RAM + 0x100);
    push((AxVCpuExit){.reason = AX_EXIT_CPU_DOWN});
    run_to(AX_EXIT_CPU_DOWN);
    assert_int_equal(axvm_stop_reason(&fx.vm), AX_VM_STOP_POWER_OFF);
}

static void a_vcpu_that_halts_for_good_leaves_the_others_running(void **state)
{
    AxVCpuExitReason reason;

    (void)state;
    expect_cpu_up(1, RAM + 0x100, AX_OK);
    assert_true(fake_push_reason(fake(1), AX_EXIT_HALT));
    assert_error(run_on(1, 1, &reason), AX_OK);
    assert_int_equal(reason, AX_EXIT_HALT);
    assert_false(axvm_vcpu_runnable(&fx.vm, 1));
    expect_status(1, 0, AX_OK, AX_CPU_ON);
    push((AxVCpuExit){.reason = AX_EXIT_HALT});
    run_to(AX_EXIT_HALT);
    assert_int_equal(axvm_stop_reason(&fx.vm), AX_VM_STOP_FAILURE);
    assert_int_equal(fx.vm.failure.vcpu, 0);
}

static void halt_second(void)
{
    AxVCpuExitReason reason;

    assert_true(fake_push_reason(fake(1), AX_EXIT_HALT));
    assert_error(run_on(1, 1, &reason), AX_OK);
    assert_int_equal(reason, AX_EXIT_HALT);
}

static void a_sibling_s_nmi_or_init_ends_a_halt(void **state)
{
    (void)state;
    expect_cpu_up(1, RAM, AX_OK);
    halt_second();
    assert_false(axvm_vcpu_runnable(&fx.vm, 1));
    axvm_power_nmi(&fx.vm, &fx.vm.vcpus[1]);
    assert_true(axvm_vcpu_runnable(&fx.vm, 1));
    halt_second();
    axvm_power_init(&fx.vm, &fx.vm.vcpus[1]);
    expect_status(1, 0, AX_OK, AX_CPU_OFF);
    expect_cpu_up(1, RAM + 0x100, AX_OK);
    assert_true(axvm_vcpu_runnable(&fx.vm, 1));
}

static void a_vcpu_that_cannot_start_ends_the_vm(void **state)
{
    static const FakeOp ops[] = {FAKE_SET_ENTRY, FAKE_SET_EPT_ROOT, FAKE_SETUP, FAKE_SET_REG,
                                 FAKE_BIND};

    for (size_t i = 0; i < COUNT_OF(ops); i++) {
        AxVCpuExitReason reason;

        tear_down(state);
        set_up_run(state);
        expect_cpu_up(1, RAM, AX_OK);
        fake_fail(fake(1), ops[i], AX_EBACKEND, 0);
        assert_error(run_on(1, 1, &reason), AX_EBACKEND);
        assert_int_equal(axvm_stop_reason(&fx.vm), AX_VM_STOP_FAILURE);
        assert_int_equal(fx.vm.failure.vcpu, 1);
        assert_error(fx.vm.failure.error, AX_EBACKEND);
    }
}

static void a_second_life_that_cannot_begin_ends_the_vm(void **state)
{
    AxVCpuExitReason reason;

    (void)state;
    start_second(RAM);
    expect_cpu_up(1, RAM, AX_OK);
    fake_fail(fake(1), FAKE_RESET, AX_EBACKEND, 0);
    assert_error(run_on(1, 1, &reason), AX_EBACKEND);
    assert_int_equal(axvm_stop_reason(&fx.vm), AX_VM_STOP_FAILURE);
}

static void interrupts_between_vcpus_go_to_the_machine(void **state)
{
    AxVCpuExit exit = {.reason = AX_EXIT_SEND_IPI, .ipi = {.target_list = 2, .vector = 5}};

    (void)state;
    run_exit(exit);
    assert_int_equal(machine_of(&fx.vm)->ipis, 1);
    assert_int_equal(machine_of(&fx.vm)->last_ipi.ipi.vector, 5);
    assert_ptr_equal(machine_of(&fx.vm)->ipi_sender, axvm_vcpu(&fx.vm, 0));
    assert_error(fake(0)->answer_result, AX_OK);
    exit.ipi.vector = 99;
    run_exit(exit);
    assert_int_equal(machine_of(&fx.vm)->ipis, 2);
    // What the machine says goes back to the sender.
    assert_error(fake(0)->answer_result, AX_ERANGE);
    assert_int_equal(fake(0)->calls[FAKE_COMPLETE_CALL], 2);
}

static void the_machine_hears_of_interrupts_that_end(void **state)
{
    (void)state;
    run_exit((AxVCpuExit){.reason = AX_EXIT_INTERRUPT_END, .interrupt = {.vector = 0x31}});
    assert_int_equal(machine_of(&fx.vm)->ends, 1);
    assert_int_equal(machine_of(&fx.vm)->last_end, 0x31);
    assert_ptr_equal(machine_of(&fx.vm)->ended_by, axvm_vcpu(&fx.vm, 0));
}

static void an_acknowledge_is_answered_by_the_machine(void **state)
{
    const AxVCpuExit exit = {.reason = AX_EXIT_INTERRUPT_ACKNOWLEDGE};

    (void)state;
    run_exit(exit);
    assert_int_equal(machine_of(&fx.vm)->acknowledges, 1);
    assert_int_equal(fake(0)->calls[FAKE_COMPLETE_READ], 1);
    assert_int_equal(fake(0)->answer, 0x30);
    machine_of(&fx.vm)->refuses_acknowledges = true;
    run_exit(exit);
    assert_int_equal(fake(0)->calls[FAKE_COMPLETE_FAULT], 1);
}

// ---- what the host sees ----

static void host_interrupts_are_serviced_then_seen(void **state)
{
    (void)state;
    push((AxVCpuExit){.reason = AX_EXIT_EXTERNAL_INTERRUPT, .interrupt = {.vector = 30}});
    run_to(AX_EXIT_EXTERNAL_INTERRUPT);
    assert_int_equal(fx.host.irq_handled_count, 1);
    assert_int_equal(fx.host.irq_handled_last, 30);
}

static void each_kind_comes_back_as_documented(void **state)
{
    static const struct {
        AxVCpuExitReason reason;
        AxVMStopReason stop; // NONE: goes on
    } cases[] = {
        {AX_EXIT_NOTHING, AX_VM_STOP_NONE},
        {AX_EXIT_EXTERNAL_INTERRUPT, AX_VM_STOP_NONE},
        {AX_EXIT_IDLE, AX_VM_STOP_NONE},
        {AX_EXIT_INTERRUPT_WINDOW, AX_VM_STOP_NONE},
        {AX_EXIT_EXCEPTION, AX_VM_STOP_NONE},
        {AX_EXIT_DEBUG, AX_VM_STOP_NONE},
        {AX_EXIT_SYSTEM_DOWN, AX_VM_STOP_POWER_OFF},
        {AX_EXIT_SYSTEM_RESET, AX_VM_STOP_RESET},
        {AX_EXIT_HALT, AX_VM_STOP_FAILURE},
        {AX_EXIT_TRIPLE_FAULT, AX_VM_STOP_RESET},
        {AX_EXIT_FAIL_ENTRY, AX_VM_STOP_FAILURE},
        {AX_EXIT_UNHANDLED, AX_VM_STOP_FAILURE},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const bool stops = cases[i].stop != AX_VM_STOP_NONE;
        AxVCpuExitReason reason;

        tear_down(state);
        set_up_run(state);
        push((AxVCpuExit){.reason = cases[i].reason});
        run_to(cases[i].reason);
        assert_int_equal(axvm_status(&fx.vm), stops ? AX_VM_STOPPED : AX_VM_RUNNING);
        assert_int_equal(axvm_stop_reason(&fx.vm), cases[i].stop);
        if (cases[i].stop == AX_VM_STOP_FAILURE) {
            assert_error(fx.vm.failure.error, AX_OK);
            assert_int_equal(fx.vm.failure.exit.reason, cases[i].reason);
        }
        if (stops) {
            assert_error(run_on(0, 0, &reason), AX_ESTATE);
        }
    }
}

static void a_backend_that_fails_ends_the_vm(void **state)
{
    static const struct {
        FakeOp op;
        AxVCpuExit exit;
    } cases[] = {
        {FAKE_BIND, {.reason = AX_EXIT_IDLE}},
        {FAKE_RUN, {.reason = AX_EXIT_IDLE}},
        {FAKE_COMPLETE_READ,
         {.reason = AX_EXIT_MMIO_READ, .mmio = {.addr = {DEVICE}, .width = AX_WIDTH_BYTE}}},
        {FAKE_COMPLETE_WRITE,
         {.reason = AX_EXIT_MMIO_WRITE, .mmio = {.addr = {DEVICE}, .width = AX_WIDTH_BYTE}}},
        {FAKE_COMPLETE_FAULT,
         {.reason = AX_EXIT_MMIO_WRITE, .mmio = {.addr = {0}, .width = AX_WIDTH_BYTE}}},
        {FAKE_COMPLETE_CALL, {.reason = AX_EXIT_HYPERCALL}},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AxVCpuExitReason reason;

        tear_down(state);
        set_up_run(state);
        push(cases[i].exit);
        fake_fail(fake(0), cases[i].op, AX_EBACKEND, 0);
        assert_error(run_on(0, 0, &reason), AX_EBACKEND);
        assert_int_equal(axvm_stop_reason(&fx.vm), AX_VM_STOP_FAILURE);
        assert_error(fx.vm.failure.error, AX_EBACKEND);
        assert_false(axvcpu_is_bound(axvm_vcpu(&fx.vm, 0)));
        assert_int_equal(fx.vm.failure.exit.reason,
                         cases[i].op <= FAKE_RUN ? AX_EXIT_NOTHING : cases[i].exit.reason);
    }
}

static void a_backend_that_cannot_even_let_go_is_logged(void **state)
{
    static const FakeOp ops[] = {FAKE_UNBIND, FAKE_RESET};

    for (size_t i = 0; i < COUNT_OF(ops); i++) {
        AxVCpuExitReason reason;

        tear_down(state);
        set_up_run(state);
        fake_fail(fake(0), FAKE_RUN, AX_EBACKEND, 0);
        fake_fail(fake(0), ops[i], AX_EBACKEND, 0);
        assert_error(run_on(0, 0, &reason), AX_EBACKEND);
        assert_non_null(strstr(fake_hal_last_line(&fx.host), "vCPU 0 cannot be reset"));
        assert_error(axvm_destroy(&fx.vm), AX_OK);
    }
}

static void callers_mistakes_change_nothing(void **state)
{
    const AxVCpuExit *exit;
    AxVCpuExitReason reason;

    (void)state;
    assert_error(axvm_run_vcpu(NULL, 0, &fx.percpu[0], &exit), AX_EINVAL);
    assert_error(axvm_run_vcpu(&fx.vm, 3, &fx.percpu[0], &exit), AX_EINVAL);
    assert_error(axvm_run_vcpu(&fx.vm, 0, NULL, &exit), AX_EINVAL);
    assert_error(axvm_run_vcpu(&fx.vm, 0, &fx.percpu[0], NULL), AX_EINVAL);
    assert_error(run_on(1, 0, &reason), AX_ESTATE);
    fake_hal_set_pcpu(1);
    assert_error(axvm_run_vcpu(&fx.vm, 0, &fx.percpu[0], &exit), AX_EWRONGCPU);
    fake_hal_set_pcpu(0);
    assert_error(axvcpu_percpu_disable(&fx.percpu[0]), AX_OK);
    assert_error(run_on(0, 0, &reason), AX_ESTATE);
    assert_error(axvcpu_percpu_enable(&fx.percpu[0]), AX_OK);
    expect_cpu_up(1, RAM, AX_OK);
    assert_error(run_on(1, 0, &reason), AX_EBUSY);
    assert_error(run_on(0, 1, &reason), AX_EWRONGCPU);
    assert_int_equal(axvm_status(&fx.vm), AX_VM_RUNNING);
    fake_hal_set_pcpu(0);
    assert_error(axvcpu_block(axvm_vcpu(&fx.vm, 0)), AX_OK);
    assert_error(run_on(0, 0, &reason), AX_ESTATE);
}

// ---- from outside ----

static void a_kick_brings_the_vcpu_back(void **state)
{
    (void)state;
    axvcpu_kick(axvm_vcpu(&fx.vm, 0));
    run_to(AX_EXIT_NOTHING);
    assert_int_equal(axvm_status(&fx.vm), AX_VM_RUNNING);
}

static AxError pause_in_the_middle(FakeVCpu *vcpu, AxVCpuExit *exit)
{
    if (vcpu->calls[FAKE_RUN] == 3) {
        assert_error(axvm_pause(&fx.vm), AX_OK);
    }
    *exit = mmio_write(DEVICE, 1);
    return AX_OK;
}

static void a_paused_vm_leaves_the_loop_and_goes_on_later(void **state)
{
    AxVCpuExitReason reason;

    (void)state;
    fake(0)->guest = pause_in_the_middle;
    run_to(AX_EXIT_NOTHING);
    assert_int_equal(device.writes, 3);
    assert_error(run_on(0, 0, &reason), AX_ESTATE);
    assert_error(axvm_resume(&fx.vm), AX_OK);
    fake(0)->guest = NULL;
    push((AxVCpuExit){.reason = AX_EXIT_IDLE});
    // The kick of the pause is still due.
    run_to(AX_EXIT_NOTHING);
    run_to(AX_EXIT_IDLE);
}

static AxError storm(FakeVCpu *vcpu, AxVCpuExit *exit)
{
    (void)vcpu;
    *exit = mmio_write(DEVICE, 1);
    return AX_OK;
}

static void an_endless_storm_of_exits_comes_back(void **state)
{
    (void)state;
    fake(0)->guest = storm;
    run_to(AX_EXIT_NOTHING);
    assert_int_equal(device.writes, AX_RUN_EXITS);
    assert_int_equal(axvm_status(&fx.vm), AX_VM_RUNNING);
}

// Anything in an exit may be the guest's choice.
static AxError wild_guest(FakeVCpu *vcpu, AxVCpuExit *exit)
{
    static const AxVCpuExitReason reasons[] = {
        AX_EXIT_HYPERCALL,     AX_EXIT_MMIO_READ,         AX_EXIT_MMIO_WRITE, AX_EXIT_SYSREG_READ,
        AX_EXIT_SYSREG_WRITE,  AX_EXIT_IO_READ,           AX_EXIT_IO_WRITE,   AX_EXIT_SEND_IPI,
        AX_EXIT_CPU_UP,        AX_EXIT_NESTED_PAGE_FAULT, AX_EXIT_CPU_STATUS, AX_EXIT_REMOTE_FENCE,
        AX_EXIT_CONSOLE_WRITE, AX_EXIT_CONSOLE_READ,
    };
    Random *random = vcpu->guest_ctx;
    uint8_t *bytes = (uint8_t *)exit;

    memset(exit, 0, sizeof(*exit));
    for (size_t i = offsetof(AxVCpuExit, hypercall); i < sizeof(*exit); i++) {
        bytes[i] = (uint8_t)random_next(random);
    }
    exit->reason = reasons[random_below(random, COUNT_OF(reasons))];
    // What the backend itself guarantees.
    if (exit->reason == AX_EXIT_IO_READ || exit->reason == AX_EXIT_IO_WRITE) {
        exit->io.width = AX_WIDTH_DWORD;
    }
    if (exit->reason == AX_EXIT_MMIO_READ || exit->reason == AX_EXIT_MMIO_WRITE) {
        exit->mmio.width = (AccessWidth)(1u << random_below(random, 4));
        exit->mmio.reg_width = AX_WIDTH_QWORD;
        exit->mmio.sign_extend = false;
        if (random_below(random, 2) != 0) {
            exit->mmio.addr.value = DEVICE - 8 + random_below(random, 0x1010);
        }
    }
    if (exit->reason == AX_EXIT_NESTED_PAGE_FAULT) {
        exit->page_fault.permission = false;
        exit->page_fault.page_table_walk = false;
    }
    if (exit->reason == AX_EXIT_SEND_IPI) {
        exit->ipi.to_all = false;
        exit->ipi.to_self = false;
    }
    if (exit->reason == AX_EXIT_REMOTE_FENCE) {
        exit->remote_fence.to_all = random_below(random, 4) == 0;
        exit->remote_fence.target_list >>= random_below(random, 64);
        exit->remote_fence.target_cpu = random_below(random, 4);
        exit->remote_fence.fence.instructions = random_below(random, 2) != 0;
        exit->remote_fence.fence.translations = random_below(random, 2) != 0;
        exit->remote_fence.fence.has_asid = random_below(random, 2) != 0;
        exit->remote_fence.fence.nested = false;
    }
    if (exit->reason == AX_EXIT_CONSOLE_WRITE || exit->reason == AX_EXIT_CONSOLE_READ) {
        exit->console.in_register = random_below(random, 2) != 0;
    }
    return AX_OK;
}

static void a_wild_guest_harms_nobody(void **state)
{
    Random random = {99};

    (void)state;
    map_on_demand(AX_MAP_READ);
    fake(0)->guest = wild_guest;
    fake(0)->guest_ctx = &random;
    for (uint32_t i = 0; i < 10; i++) {
        run_to(AX_EXIT_NOTHING);
        assert_int_equal(axvm_status(&fx.vm), AX_VM_RUNNING);
    }
    assert_int_equal(fake(0)->violations, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN_TEST(a_device_answers_reads),
        RUN_TEST(a_device_gets_writes),
        RUN_TEST(a_device_may_refuse),
        RUN_TEST(many_accesses_need_one_call),
        RUN_TEST(nobody_at_an_address_is_a_fault),
        RUN_TEST(ports_are_a_bus_of_their_own),
        RUN_TEST(ports_that_nobody_has_read_as_ones),
        RUN_TEST(system_registers_are_whole),
        RUN_TEST(memory_on_demand_appears_and_the_access_is_repeated),
        RUN_TEST(a_missing_right_is_a_fault),
        RUN_TEST(no_memory_for_a_page_ends_the_vm),
        RUN_TEST(hypercalls_go_to_the_host),
        RUN_TEST(a_hypercall_may_stop_the_vm),
        RUN_TEST(bad_targets_and_entries_are_refused),
        RUN_TEST(a_second_vcpu_starts_where_it_is_told),
        RUN_TEST(a_vcpu_can_go_off_and_on_again),
        RUN_TEST(a_vcpu_that_is_elsewhere_is_not_touched),
        RUN_TEST(the_last_vcpu_that_goes_off_ends_the_vm),
        RUN_TEST(a_vcpu_that_halts_for_good_leaves_the_others_running),
        RUN_TEST(a_sibling_s_nmi_or_init_ends_a_halt),
        RUN_TEST(a_vcpu_that_cannot_start_ends_the_vm),
        RUN_TEST(a_second_life_that_cannot_begin_ends_the_vm),
        RUN_TEST(interrupts_between_vcpus_go_to_the_machine),
        RUN_TEST(the_machine_hears_of_interrupts_that_end),
        RUN_TEST(an_acknowledge_is_answered_by_the_machine),
        RUN_TEST(host_interrupts_are_serviced_then_seen),
        RUN_TEST(each_kind_comes_back_as_documented),
        RUN_TEST(a_backend_that_fails_ends_the_vm),
        RUN_TEST(a_backend_that_cannot_even_let_go_is_logged),
        RUN_TEST(callers_mistakes_change_nothing),
        RUN_TEST(a_kick_brings_the_vcpu_back),
        RUN_TEST(a_paused_vm_leaves_the_loop_and_goes_on_later),
        RUN_TEST(an_endless_storm_of_exits_comes_back),
        RUN_TEST(a_wild_guest_harms_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
