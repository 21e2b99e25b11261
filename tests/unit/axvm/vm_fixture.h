// SPDX-License-Identifier: Apache-2.0
/* A VM on the fake backend, with a machine that writes down what is asked of it. */
#pragma once

#include "test.h"

#include <axvm/vm.h>

#define FRAMES   4096u
#define RAM      GIB(1)
#define RAM_SIZE MIB(4)
#define LENT     GIB(2) /* read-only memory of the host, not mapped by default */
#define TREE     "a description"

#define START_VALUE UINT64_C(0x5ca1ab1e)
#define POLL_AT     UINT64_C(123456789)

/* One device: remembers the last access, answers with `value` or `error`. */
typedef struct TestDevice {
    uint64_t offset;
    uint64_t value;
    AccessWidth width;
    uint32_t reads;
    uint32_t writes;
    AxError error;
} TestDevice;

typedef struct TestMachine {
    AxVM *vm;
    uint32_t resets;
    uint32_t vcpu_resets;
    AxVCpuId last_vcpu_reset;
    uint32_t ipis;
    AxVCpuExit last_ipi;
    const AxVCpu *ipi_sender;
    uint32_t starts;
    uint32_t ends; /* of interrupts */
    uint64_t last_end;
    const AxVCpu *ended_by;
    uint32_t acknowledges;
    bool refuses_acknowledges;
    uint8_t typed;
} TestMachine;

typedef struct Fixture {
    FakeHal host;
    AxPerCpu percpu[2];
    PerCpu fake_percpu[2];
    AxMachineOps machine;
    AxVMConfig config;
    AxVMParams params;
    AxVM vm;
    AxBus devices; /* copied into the VM's three buses when it is built */
    AxBus ports;
    AxBus sysregs;
    const char *why;
} Fixture;

static Fixture fx;
static AxError init_error;
static AxError describe_error;
static AxError start_error;
static void (*before_setup)(AxVM *vm);
static const uint8_t kernel_image[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
static const uint8_t ramdisk_image[] = {0xaa, 0xbb, 0xcc};

/* ---- devices ---- */

static AxError test_read(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                         uint64_t *value)
{
    TestDevice *self = device;

    (void)vcpu;
    self->reads++;
    self->offset = offset;
    self->width = width;
    *value = self->value;
    return self->error;
}

static AxError test_write(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                          uint64_t value)
{
    TestDevice *self = device;

    (void)vcpu;
    self->writes++;
    self->offset = offset;
    self->width = width;
    self->value = value;
    return self->error;
}

static const AxDeviceOps test_ops = {"test", test_read, test_write};

static inline void add_device(AxBus *bus, uint64_t base, uint64_t size, TestDevice *device)
{
    const AxBusRange range = {base, size, &test_ops, device};

    assert_error(axvm_bus_add(bus, &range, NULL), AX_OK);
}

/* ---- machine ---- */

static void machine_defaults(AxVMConfig *config)
{
    if (config->memory_count == 0) {
        config->memory[0] = (AxVMMemory){ax_gpa(RAM), RAM_SIZE, AX_MAP_RIGHTS, AX_MAP_TYPE_ALLOC};
        config->memory_count = 1;
    }
}

static AxError machine_init(void *state, AxVM *vm, AxConsoleSink sink, const char **why)
{
    TestMachine *self = state;

    (void)sink;
    self->vm = vm;
    vm->mmio = fx.devices;
    vm->ports = fx.ports;
    vm->sysregs = fx.sysregs;
    if (before_setup != NULL) {
        before_setup(vm);
    }
    *why = init_error == AX_OK ? *why : "the machine does not want";
    return init_error;
}

static void machine_reset(void *state)
{
    TestMachine *self = state;

    self->resets++;
}

static AxError machine_describe(void *state, const AxVM *vm, void *buffer, size_t room,
                                size_t *size)
{
    (void)state;
    (void)vm;
    assert_int_equal(room, AX_BOOT_BLOCK_ROOM);
    memcpy(buffer, TREE, sizeof(TREE));
    *size = sizeof(TREE);
    return describe_error;
}

/* A register that no boot leaves 0, so that it is seen to come after the setup. */
static AxError machine_start(void *state, const AxVM *vm, AxVCpu *vcpu)
{
    TestMachine *self = state;

    self->starts++;
    assert_ptr_equal(vcpu, axvm_vcpu(vm, 0));
    assert_int_equal(axvcpu_state(vcpu), AX_VCPU_FREE);
    assert_error(axvcpu_set_reg(vcpu, AX_REG_GPR(3), START_VALUE), AX_OK);
    return start_error;
}

static void machine_interrupt_end(void *state, AxVCpu *vcpu, uint64_t vector)
{
    TestMachine *self = state;

    self->ends++;
    self->last_end = vector;
    self->ended_by = vcpu;
}

static AxError machine_interrupt_acknowledge(void *state, AxVCpu *vcpu, uint64_t *vector)
{
    TestMachine *self = state;

    self->acknowledges++;
    assert_ptr_equal(vcpu, axvm_vcpu(self->vm, 0));
    *vector = 0x30;
    return self->refuses_acknowledges ? AX_ENOTSUP : AX_OK;
}

static uint64_t machine_poll(void *state)
{
    const TestMachine *self = state;

    return POLL_AT + self->resets;
}

static void machine_vcpu_reset(void *state, AxVCpuId id)
{
    TestMachine *self = state;

    self->vcpu_resets++;
    self->last_vcpu_reset = id;
}

static AxError machine_send_ipi(void *state, AxVCpu *sender, const AxVCpuExit *exit)
{
    TestMachine *self = state;

    self->ipis++;
    self->last_ipi = *exit;
    self->ipi_sender = sender;
    return exit->ipi.vector > 15 ? AX_ERANGE : AX_OK;
}

static bool machine_console_input(void *state, uint8_t byte)
{
    TestMachine *self = state;

    self->typed = byte;
    return byte != 0xff;
}

/* What was typed can be taken once. */
static bool machine_console_take(void *state, uint8_t *byte)
{
    TestMachine *self = state;
    const bool typed = self->typed != 0;

    *byte = self->typed;
    self->typed = 0;
    return typed;
}

static const AxMachineOps test_machine = {
    .name = "test",
    .state_size = sizeof(TestMachine),
    .gpa_bits = 40,
    .images = axvm_image_all,
    .image_machine = AX_MACHINE_AARCH64,
    .defaults = machine_defaults,
    .init = machine_init,
    .reset = machine_reset,
    .describe = machine_describe,
    .start = machine_start,
    .vcpu_reset = machine_vcpu_reset,
    .send_ipi = machine_send_ipi,
    .interrupt_end = machine_interrupt_end,
    .interrupt_acknowledge = machine_interrupt_acknowledge,
    .poll = machine_poll,
    .console_input = machine_console_input,
    .console_take = machine_console_take,
};

static inline TestMachine *machine_of(const AxVM *vm)
{
    return vm->machine_state;
}

/* ---- the VM ---- */

static inline void make_percpu(uint32_t index)
{
    fake_hal_set_pcpu(index);
    assert_error(
        axvcpu_arch_percpu_init(&fx.percpu[index], &fx.fake_percpu[index], &fx.host.hal, index),
        AX_OK);
    assert_error(axvcpu_percpu_enable(&fx.percpu[index]), AX_OK);
}

/* Everything but the VM, which the test may describe otherwise before create(). */
static inline int set_up(void **state)
{
    (void)state;
    memset(&fx, 0, sizeof(fx));
    init_error = AX_OK;
    describe_error = AX_OK;
    start_error = AX_OK;
    before_setup = NULL;
    fake_hal_init(&fx.host, FRAMES);
    make_percpu(1);
    make_percpu(0);
    fx.machine = test_machine;
    axvm_config_init(&fx.config, 5);
    fx.config.cpu_num = 3;
    fx.config.kernel = (AxBlob){kernel_image, sizeof(kernel_image)};
    fx.config.ramdisk = (AxBlob){ramdisk_image, sizeof(ramdisk_image)};
    fx.params = (AxVMParams){.hal = &fx.host.hal, .machine = &fx.machine, .config = &fx.config};
    return 0;
}

static inline AxError create(void)
{
    fx.why = NULL;
    return axvm_create(&fx.vm, &fx.params, &fx.why);
}

static inline FakeVCpu *fake(AxVCpuId id)
{
    return &fx.vm.vcpus[id].arch;
}

static inline void unbind_all(void)
{
    for (AxVCpuId id = 0; id < fx.vm.vcpu_count; id++) {
        AxPerCpu *percpu = atomic_load(&fx.vm.vcpus[id].vcpu.percpu);

        if (percpu != NULL) {
            fake_hal_set_pcpu(percpu->id);
            assert_error(axvcpu_unbind(&fx.vm.vcpus[id].vcpu), AX_OK);
        }
    }
    fake_hal_set_pcpu(0);
}

/* Destroys what is left; every frame must be back and no rule of a backend broken. */
static inline int tear_down(void **state)
{
    (void)state;
    if (fx.vm.hal != NULL) {
        unbind_all();
        for (AxVCpuId id = 0; id < fx.vm.vcpu_count; id++) {
            assert_int_equal(fake(id)->violations, 0);
        }
        assert_error(axvm_destroy(&fx.vm), AX_OK);
    }
    fake_hal_set_pcpu(0);
    assert_int_equal(fx.host.bad_frees, 0);
    assert_int_equal(fake_hal_fini(&fx.host), 0);
    return 0;
}

#define VM_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
