// SPDX-License-Identifier: Apache-2.0
/* Life of a VM: built, booted, paused, stopped, reset, destroyed; and all that can go wrong. */
#include "vm_fixture.h"

// ---- create ----

static void incomplete_parameters_are_refused(void **state)
{
    AxVMParams params = fx.params;
    const char *why = NULL;

    (void)state;
    assert_error(axvm_create(NULL, &params, &why), AX_EINVAL);
    assert_non_null(why);
    assert_error(axvm_create(&fx.vm, NULL, NULL), AX_EINVAL);
    params.hal = NULL;
    assert_error(axvm_create(&fx.vm, &params, NULL), AX_EINVAL);
    params = fx.params;
    params.config = NULL;
    assert_error(axvm_create(&fx.vm, &params, NULL), AX_EINVAL);
    params = fx.params;
    params.machine = NULL;
    assert_error(axvm_create(&fx.vm, &params, NULL), AX_EINVAL);
#define WITHOUT(member)                                       \
    fx.machine = test_machine;                                \
    memset(&fx.machine.member, 0, sizeof(fx.machine.member)); \
    assert_error(axvm_create(&fx.vm, &fx.params, NULL), AX_EINVAL)
    WITHOUT(name);
    WITHOUT(state_size);
    WITHOUT(images);
    WITHOUT(defaults);
    WITHOUT(init);
    WITHOUT(reset);
    WITHOUT(describe);
    WITHOUT(start);
    WITHOUT(vcpu_reset);
    WITHOUT(send_ipi);
    WITHOUT(interrupt_end);
    WITHOUT(interrupt_acknowledge);
    WITHOUT(poll);
    WITHOUT(console_input);
    WITHOUT(console_take);
#undef WITHOUT
    assert_int_equal(fx.host.alloc_calls, 0);
}

static void assert_guest_holds(GuestPhysAddr gpa, const void *data, size_t size)
{
    uint8_t bytes[64];

    assert_true(size <= sizeof(bytes));
    assert_error(axvm_copy_from_guest(&fx.vm.memory, gpa, bytes, size), AX_OK);
    assert_memory_equal(bytes, data, size);
}

static void assert_loaded(void)
{
    assert_int_equal(axvm_status(&fx.vm), AX_VM_LOADED);
    assert_guest_holds(fx.vm.layout.kernel, kernel_image, sizeof(kernel_image));
    assert_guest_holds(fx.vm.layout.ramdisk, ramdisk_image, sizeof(ramdisk_image));
    assert_guest_holds(fx.vm.layout.boot_block, TREE, sizeof(TREE));
    assert_int_equal(axvcpu_state(axvm_vcpu(&fx.vm, 0)), AX_VCPU_FREE);
    assert_int_equal(fake_reg(fake(0), AX_REG_PC), fx.vm.layout.entry.value);
    assert_int_equal(fake_reg(fake(0), AX_REG_ARG(0)), fx.vm.layout.boot_block.value);
    assert_int_equal(fake_reg(fake(0), AX_REG_GPR(3)), START_VALUE);
    assert_ptr_equal(fake(0)->root, &fx.vm.memory.root);
    for (AxVCpuId id = 1; id < axvm_vcpu_count(&fx.vm); id++) {
        assert_int_equal(axvcpu_state(axvm_vcpu(&fx.vm, id)), AX_VCPU_CREATED);
        assert_int_equal(atomic_load(&fx.vm.vcpus[id].power), AX_CPU_OFF);
    }
}

static void a_new_vm_is_loaded_and_its_first_vcpu_ready(void **state)
{
    (void)state;
    fx.params.trap_wait = true;
    assert_error(create(), AX_OK);
    assert_null(fx.why);
    assert_loaded();
    assert_true(fake(0)->setup.trap_wait);
    assert_int_equal(axvm_vcpu_count(&fx.vm), 3);
    for (AxVCpuId id = 0; id < 3; id++) {
        assert_int_equal(axvcpu_id(axvm_vcpu(&fx.vm, id)), id);
        assert_int_equal(axvcpu_vm_id(axvm_vcpu(&fx.vm, id)), 5);
        assert_int_equal(fake(id)->create.cpu_address, axvcpu_arch_cpu_address(id));
        assert_false(axvm_vcpu_runnable(&fx.vm, id));
    }
    assert_null(axvm_vcpu(&fx.vm, 3));
    assert_false(axvm_vcpu_runnable(&fx.vm, 3));
}

static void what_cpus_can_and_count_is_for_the_machine_to_describe(void **state)
{
    (void)state;
    fx.params.counter_hz = 62500000;
    assert_error(create(), AX_OK);
    assert_string_equal(fx.vm.isa, "");
    assert_int_equal(fx.vm.counter_hz, 62500000);
    assert_int_equal(fake(2)->create.counter_hz, 62500000);
    assert_error(axvm_destroy(&fx.vm), AX_OK);
    fx.params.host_isa = "abc_def";
    assert_error(create(), AX_OK);
    assert_string_equal(fx.vm.isa, "abc_def");
}

static void a_raw_image_goes_where_the_machine_wants_it(void **state)
{
    (void)state;
    fx.machine.raw_offset = MIB(2);
    assert_error(create(), AX_OK);
    assert_int_equal(fx.vm.layout.kernel.value, RAM + MIB(2));
    assert_loaded();
    assert_error(axvm_destroy(&fx.vm), AX_OK);
    fx.config.kernel_load_addr = ax_gpa(RAM + KIB(8));
    assert_error(create(), AX_OK);
    assert_int_equal(fx.vm.layout.kernel.value, RAM + KIB(8));
    assert_error(axvm_destroy(&fx.vm), AX_OK);
    fx.config.kernel_load_addr = AX_ADDR_AUTO;
    fx.machine.raw_offset = RAM_SIZE;
    assert_error(create(), AX_ERANGE);
}

// For the machine of the fixture: text, and data of which the file has one byte of nine.
static uint8_t *make_elf(void)
{
    static uint8_t elf[0x200];
    static const uint64_t segments[2][7] = {
        {UINT64_C(0x500000001), 0x100, 0, RAM + KIB(64), 8, 8, 8},
        {UINT64_C(0x600000001), 0x110, 0, RAM + KIB(72), 1, 9, 8},
    };
    static const uint64_t words[] = {RAM + KIB(64) + 4, 0x40};

    memset(elf, 0, sizeof(elf));
    memset(elf + 0x100, 0x77, 0x100);
    memcpy(elf, "\177ELF\2\1\1", 7);
    elf[0x10] = 2;
    elf[0x12] = AX_MACHINE_AARCH64;
    memcpy(elf + 0x18, words, sizeof(words));
    elf[0x36] = 56;
    elf[0x38] = 2;
    memcpy(elf + 0x40, segments, sizeof(segments));
    fx.config.kernel = (AxBlob){elf, sizeof(elf)};
    return elf;
}

static void an_image_in_pieces_is_loaded_piece_by_piece(void **state)
{
    static const uint8_t text[] = {0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0};
    static const uint8_t data[] = {0x77, 0, 0, 0, 0, 0, 0, 0, 0};
    static const uint8_t dirt[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};

    (void)state;
    make_elf();
    assert_error(create(), AX_OK);
    assert_int_equal(fx.vm.layout.kernel.value, RAM + KIB(64));
    assert_int_equal(fake_reg(fake(0), AX_REG_PC), RAM + KIB(64) + 4);
    assert_guest_holds(ax_gpa(RAM + KIB(64)), text, sizeof(text));
    assert_guest_holds(ax_gpa(RAM + KIB(72)), data, sizeof(data));
    // Loaded again, also over what was there.
    assert_error(axvm_copy_to_guest(&fx.vm.memory, ax_gpa(RAM + KIB(72)), dirt, sizeof(dirt)),
                 AX_OK);
    assert_error(axvm_stop(&fx.vm, AX_VM_STOP_HOST), AX_OK);
    assert_error(axvm_reset(&fx.vm, &fx.why), AX_OK);
    assert_guest_holds(ax_gpa(RAM + KIB(72)), data, sizeof(data));
}

static void images_of_other_architectures_are_refused(void **state)
{
    static const struct {
        uint16_t machine;
        uint16_t image;
        AxError error;
    } cases[] = {
        {AX_MACHINE_AARCH64, AX_MACHINE_RISCV, AX_ENOTSUP},
        {AX_MACHINE_AARCH64, AX_MACHINE_X86_64, AX_ENOTSUP},
        {AX_MACHINE_RISCV, AX_MACHINE_RISCV, AX_OK},
        {AX_MACHINE_X86_64, AX_MACHINE_X86_64, AX_OK},
        {AX_MACHINE_X86_64, AX_MACHINE_I386, AX_OK},
        {AX_MACHINE_I386, AX_MACHINE_X86_64, AX_ENOTSUP},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        tear_down(state);
        set_up(state);
        fx.machine.image_machine = cases[i].machine;
        make_elf()[0x12] = (uint8_t)cases[i].image;
        assert_error(create(), cases[i].error);
        assert_int_equal(fx.why == NULL, cases[i].error == AX_OK);
    }
}

static void a_command_line_that_is_longer_than_the_kernel_takes_is_refused(void **state)
{
    static uint8_t bzimage[0x1000];
    static const struct {
        uint32_t room;
        AxError error;
    } cases[] = {{8, AX_ERANGE}, {9, AX_OK}};

    memset(bzimage, 0, sizeof(bzimage));
    bzimage[0x1fe] = 0x55;
    bzimage[0x1ff] = 0xaa;
    bzimage[0x201] = 0x3a;
    memcpy(bzimage + 0x202, "HdrS\6\2", 6);
    bzimage[0x211] = 1;
    bzimage[0x22f] = 0x7f;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        tear_down(state);
        set_up(state);
        fx.machine.image_machine = AX_MACHINE_X86_64;
        fx.config.kernel = (AxBlob){bzimage, sizeof(bzimage)};
        fx.config.memory[0] = (AxVMMemory){ax_gpa(0), MIB(2), AX_MAP_RIGHTS, AX_MAP_TYPE_ALLOC};
        fx.config.memory_count = 1;
        memcpy(fx.config.cmdline, "root=/abc", 10);
        bzimage[0x238] = (uint8_t)cases[i].room;
        assert_error(create(), cases[i].error);
        if (cases[i].error != AX_OK) {
            assert_non_null(strstr(fx.why, "cmdline"));
        }
    }
}

static void spoil_isa(void)
{
    fx.params.host_isa = "";
}

static void images_may_be_absent(void **state)
{
    (void)state;
    fx.config.kernel.size = 0;
    fx.config.ramdisk.size = 0;
    fx.config.entry_point = ax_gpa(RAM + 0x40);
    assert_error(create(), AX_OK);
    assert_int_equal(fake_reg(fake(0), AX_REG_PC), RAM + 0x40);
    assert_guest_holds(fx.vm.layout.boot_block, TREE, sizeof(TREE));
}

typedef struct BadVM {
    void (*spoil)(void);
    AxError error;
    const char *word;
} BadVM;

static void spoil_name(void)
{
    fx.config.name[0] = '\0';
}

static void spoil_image(void)
{
    fx.config.image_format = AX_IMAGE_LINUX_ARM64;
}

static void spoil_layout(void)
{
    fx.config.kernel_load_addr = ax_gpa(0x1000);
}

static void spoil_entry(void)
{
    fx.config.entry_point = ax_gpa(RAM + 2);
}

static void spoil_memory_size(void)
{
    machine_defaults(&fx.config);
    fx.config.memory[0].size = FRAMES * AX_PAGE_SIZE;
}

static void spoil_memory_place(void)
{
    machine_defaults(&fx.config);
    fx.config.memory[0].base = ax_gpa(UINT64_C(1) << 41);
}

static void spoil_memory_count(void)
{
    machine_defaults(&fx.config);
    for (uint32_t i = 0; i < AX_VM_MEMORY_MAX; i++) {
        fx.config.memory[i] = fx.config.memory[0];
        fx.config.memory[i].base.value += MIB(16) * i;
        fx.config.memory[i].size = MIB(1);
    }
    fx.config.memory_count = AX_VM_MEMORY_MAX;
    fx.config.passthrough_count = AX_VM_DEVICES_MAX;
    for (uint32_t i = 0; i < AX_VM_DEVICES_MAX; i++) {
        fx.config.passthrough[i] = (AxVMPassthrough){"", ax_gpa(i * MIB(1)), ax_hpa(i * MIB(1)),
                                                     KIB(4), 0};
        fx.config.passthrough[i].name[0] = (char)('a' + i);
    }
    fx.config.passthrough[AX_VM_DEVICES_MAX - 1].gpa = ax_gpa(UINT64_C(1) << 41);
}

static void spoil_gpa_bits(void)
{
    fx.machine.gpa_bits = 52;
}

static void spoil_machine(void)
{
    init_error = AX_ENOTSUP;
}

static void spoil_description(void)
{
    describe_error = AX_ENOSPC;
}

static void defaults_that_overlap(AxVMConfig *config)
{
    machine_defaults(config);
    config->memory[1] = config->memory[0];
    config->memory_count = 2;
}

static void spoil_defaults(void)
{
    fx.machine.defaults = defaults_that_overlap;
}

static void each_mistake_is_named_and_leaves_nothing(void **state)
{
    static const BadVM cases[] = {
        {spoil_name, AX_EINVAL, "name"},
        {spoil_image, AX_EFORMAT, "kernel"},
        {spoil_layout, AX_ERANGE, "kernel_load_addr"},
        {spoil_entry, AX_EALIGN, "entry_point"},
        {spoil_memory_size, AX_ENOMEM, "memory"},
        {spoil_memory_place, AX_ERANGE, "memory_regions"},
        {spoil_memory_count, AX_ERANGE, "passthrough"},
        {spoil_gpa_bits, AX_ENOTSUP, "nested"},
        {spoil_machine, AX_ENOTSUP, "does not want"},
        {spoil_description, AX_ENOSPC, "description"},
        {spoil_defaults, AX_EOVERLAP, "memory_regions"},
        {spoil_isa, AX_EINVAL, "host_isa"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        tear_down(state);
        set_up(state);
        cases[i].spoil();
        assert_error(create(), cases[i].error);
        assert_non_null(strstr(fx.why, cases[i].word));
        assert_int_equal(fx.host.frames_used, 0);
        assert_error(axvm_destroy(&fx.vm), AX_EINVAL);
    }
}

static void each_failing_allocation_leaves_nothing(void **state)
{
    AxError error = AX_ENOMEM;
    uint32_t n;

    (void)state;
    // Small pieces only, so that every frame of RAM is an allocation of its own.
    fx.config.memory[0] = (AxVMMemory){ax_gpa(RAM), KIB(192), AX_MAP_RIGHTS, AX_MAP_TYPE_ALLOC};
    fx.config.memory_count = 1;
    for (n = 1; error != AX_OK; n++) {
        fake_hal_fail_alloc(&fx.host, n);
        error = create();
        if (error != AX_OK) {
            assert_error(error, AX_ENOMEM);
            assert_non_null(fx.why);
            assert_int_equal(fx.host.frames_used, 0);
        }
    }
    // 48 of RAM, tables, 3 vCPUs with their array, machine, buffer of the description.
    assert_in_range(n, 48 + 3 + 4 + 2, 48 + 3 + 4 + 2 + 4);
    assert_loaded();
}

static FakeOp failing_op;

static void fail_first_vcpu(AxVM *vm)
{
    fake_fail(&vm->vcpus[0].arch, failing_op, AX_EBACKEND, 0);
}

static void a_backend_that_fails_leaves_nothing(void **state)
{
    static const FakeOp ops[] = {FAKE_SET_ENTRY, FAKE_SET_EPT_ROOT, FAKE_SETUP};

    (void)state;
    before_setup = fail_first_vcpu;
    for (size_t i = 0; i < COUNT_OF(ops); i++) {
        failing_op = ops[i];
        assert_error(create(), AX_EBACKEND);
        assert_non_null(strstr(fx.why, "entry_point"));
        assert_int_equal(fx.host.frames_used, 0);
    }
}

// ---- memory ----

static void memory_of_each_type_is_mapped(void **state)
{
    HostPhysAddr hpa;

    (void)state;
    fx.config.memory[0] = (AxVMMemory){ax_gpa(RAM), RAM_SIZE, AX_MAP_RIGHTS, AX_MAP_TYPE_ALLOC};
    fx.config.memory[1] = (AxVMMemory){ax_gpa(GIB(3)), MIB(1), AX_MAP_READ, AX_MAP_TYPE_IDENTICAL};
    fx.config.memory[2] = (AxVMMemory){ax_gpa(GIB(4)), MIB(1), AX_MAP_READ | AX_MAP_WRITE,
                                       AX_MAP_TYPE_RESERVED};
    fx.config.memory_count = 3;
    fx.config.passthrough[0] = (AxVMPassthrough){"rtc", ax_gpa(0x9010000), ax_hpa(0x9020000),
                                                 KIB(4), 34};
    fx.config.passthrough_count = 1;
    assert_error(create(), AX_OK);
    assert_error(axvm_translate(&fx.vm.memory, ax_gpa(GIB(3)), AX_MAP_READ, &hpa, NULL), AX_OK);
    assert_int_equal(hpa.value, GIB(3));
    assert_error(axvm_translate(&fx.vm.memory, ax_gpa(GIB(3)), AX_MAP_WRITE, &hpa, NULL), AX_EPERM);
    assert_error(axvm_translate(&fx.vm.memory, ax_gpa(GIB(4)), AX_MAP_WRITE, &hpa, NULL), AX_OK);
    assert_int_equal(hpa.value, GIB(4));
    assert_error(axvm_translate(&fx.vm.memory, ax_gpa(0x9010004), AX_MAP_WRITE, &hpa, NULL), AX_OK);
    assert_int_equal(hpa.value, 0x9020004);
    assert_error(axvm_translate(&fx.vm.memory, ax_gpa(0x9010004), AX_MAP_EXECUTE, &hpa, NULL),
                 AX_EPERM);
    assert_int_equal(fx.vm.memory.ram_frames, RAM_SIZE / AX_PAGE_SIZE);
}

// ---- status ----

typedef AxError (*Call)(AxVM *vm);

static AxError call_stop(AxVM *vm)
{
    return axvm_stop(vm, AX_VM_STOP_HOST);
}

static AxError call_reset(AxVM *vm)
{
    return axvm_reset(vm, &fx.why);
}

static void go_to(AxVMStatus status)
{
    assert_error(create(), AX_OK);
    if (status != AX_VM_LOADED) {
        assert_error(axvm_boot(&fx.vm), AX_OK);
    }
    if (status == AX_VM_PAUSED) {
        assert_error(axvm_pause(&fx.vm), AX_OK);
    }
    if (status == AX_VM_STOPPED) {
        assert_error(axvm_stop(&fx.vm, AX_VM_STOP_RESET), AX_OK);
    }
    assert_int_equal(axvm_status(&fx.vm), status);
}

static void every_call_in_every_status(void **state)
{
    static const Call calls[] = {axvm_boot, axvm_pause, axvm_resume, call_stop, call_reset};
#define NO AX_VM_STATUS_COUNT
    static const AxVMStatus next[AX_VM_STATUS_COUNT][COUNT_OF(calls)] = {
        [AX_VM_LOADED] = {AX_VM_RUNNING, NO, NO, AX_VM_STOPPED, NO},
        [AX_VM_RUNNING] = {NO, AX_VM_PAUSED, NO, AX_VM_STOPPED, NO},
        [AX_VM_PAUSED] = {NO, NO, AX_VM_RUNNING, AX_VM_STOPPED, NO},
        [AX_VM_STOPPED] = {NO, NO, NO, NO, AX_VM_LOADED},
    };

    (void)state;
    for (AxVMStatus status = 0; status < AX_VM_STATUS_COUNT; status++) {
        for (size_t i = 0; i < COUNT_OF(calls); i++) {
            const AxVMStatus wanted = next[status][i];

            go_to(status);
            assert_error(calls[i](&fx.vm), wanted == NO ? AX_ESTATE : AX_OK);
            assert_int_equal(axvm_status(&fx.vm), wanted == NO ? status : wanted);
            assert_int_equal(axvm_vcpu_runnable(&fx.vm, 0), axvm_status(&fx.vm) == AX_VM_RUNNING);
            assert_error(axvm_destroy(&fx.vm), AX_OK);
            assert_int_equal(fx.host.frames_used, 0);
        }
    }
#undef NO
}

static void the_first_reason_to_stop_counts(void **state)
{
    (void)state;
    assert_error(create(), AX_OK);
    assert_error(axvm_stop(&fx.vm, AX_VM_STOP_NONE), AX_EINVAL);
    assert_error(axvm_stop(&fx.vm, AX_VM_STOP_COUNT), AX_EINVAL);
    assert_error(axvm_stop(&fx.vm, AX_VM_STOP_POWER_OFF), AX_OK);
    assert_error(axvm_stop(&fx.vm, AX_VM_STOP_FAILURE), AX_ESTATE);
    assert_int_equal(axvm_stop_reason(&fx.vm), AX_VM_STOP_POWER_OFF);
}

static void pausing_and_stopping_reach_every_vcpu(void **state)
{
    (void)state;
    go_to(AX_VM_RUNNING);
    assert_error(axvcpu_block(axvm_vcpu(&fx.vm, 0)), AX_OK);
    assert_false(axvm_vcpu_runnable(&fx.vm, 0));
    assert_error(axvm_pause(&fx.vm), AX_OK);
    assert_int_equal(axvcpu_state(axvm_vcpu(&fx.vm, 0)), AX_VCPU_FREE);
    for (AxVCpuId id = 0; id < 3; id++) {
        assert_true(axvcpu_wakeup_pending(axvm_vcpu(&fx.vm, id)));
    }
}

static void names_are_known_and_others_are_not(void **state)
{
    (void)state;
    assert_string_equal(axvm_status_name(AX_VM_LOADED), "Loaded");
    assert_string_equal(axvm_status_name(AX_VM_STOPPED), "Stopped");
    assert_string_equal(axvm_status_name(AX_VM_STATUS_COUNT), "?");
    assert_string_equal(axvm_stop_name(AX_VM_STOP_POWER_OFF), "power-off");
    assert_string_equal(axvm_stop_name(AX_VM_STOP_COUNT), "?");
    for (unsigned i = 0; i < AX_VM_STOP_COUNT; i++) {
        assert_true(strlen(axvm_stop_name((AxVMStopReason)i)) > 1);
    }
}

static void typed_bytes_go_to_the_machine(void **state)
{
    (void)state;
    assert_error(create(), AX_OK);
    assert_true(axvm_console_input(&fx.vm, 'x'));
    assert_int_equal(machine_of(&fx.vm)->typed, 'x');
    assert_false(axvm_console_input(&fx.vm, 0xff));
}

// ---- destroy and reset ----

static void a_machine_that_cannot_start_its_first_vcpu_leaves_nothing(void **state)
{
    (void)state;
    start_error = AX_EINVAL;
    assert_error(create(), AX_EINVAL);
    assert_string_equal(fx.why, "entry_point: the virtual CPU cannot start there");
    assert_int_equal(fx.host.frames_used, 0);
}

static void the_machine_says_when_to_look_again(void **state)
{
    (void)state;
    assert_error(create(), AX_OK);
    assert_int_equal(axvm_poll(&fx.vm), POLL_AT);
    machine_of(&fx.vm)->resets = 4;
    assert_int_equal(axvm_poll(&fx.vm), POLL_AT + 4);
}

static void a_bound_vcpu_keeps_its_vm(void **state)
{
    (void)state;
    go_to(AX_VM_STOPPED);
    assert_error(axvcpu_bind(axvm_vcpu(&fx.vm, 0), &fx.percpu[0]), AX_OK);
    assert_error(axvm_destroy(&fx.vm), AX_EBUSY);
    assert_error(axvm_reset(&fx.vm, &fx.why), AX_EBUSY);
    assert_non_null(strstr(fx.why, "bound"));
    assert_int_equal(axvm_status(&fx.vm), AX_VM_STOPPED);
    assert_error(axvcpu_unbind(axvm_vcpu(&fx.vm, 0)), AX_OK);
    assert_error(axvm_destroy(&fx.vm), AX_OK);
    assert_error(axvm_destroy(&fx.vm), AX_EINVAL);
    assert_error(axvm_destroy(NULL), AX_EINVAL);
}

static void a_reset_vm_is_as_new(void **state)
{
    const uint64_t stamp = 0x1234567890abcdef;
    uint64_t seen = 1;

    (void)state;
    go_to(AX_VM_STOPPED);
    atomic_store(&fx.vm.vcpus[1].power, AX_CPU_ON);
    fake(0)->regs[4] = 77;
    assert_error(axvm_copy_to_guest(&fx.vm.memory, fx.vm.layout.kernel, &stamp, 8), AX_OK);
    assert_error(axvm_copy_to_guest(&fx.vm.memory, ax_gpa(RAM + MIB(2) + 8), &stamp, 8), AX_OK);
    assert_error(axvm_reset(&fx.vm, &fx.why), AX_OK);
    assert_loaded();
    assert_int_equal(fake_reg(fake(0), AX_REG_GPR(4)), 0);
    assert_int_equal(machine_of(&fx.vm)->resets, 1);
    assert_int_equal(axvm_stop_reason(&fx.vm), AX_VM_STOP_NONE);
    assert_error(axvm_copy_from_guest(&fx.vm.memory, ax_gpa(RAM + MIB(2) + 8), &seen, 8), AX_OK);
    assert_int_equal(seen, 0);
    assert_error(axvm_boot(&fx.vm), AX_OK);
}

static void reset_leaves_reserved_memory_alone(void **state)
{
    HostPhysAddr lent;
    uint8_t *bytes;

    (void)state;
    assert_error(axvcpu_alloc_frame(&fx.host.hal, &lent), AX_OK);
    bytes = ax_ptr_from_hva(fx.host.hal.phys_to_virt(&fx.host, lent));
    for (uint32_t i = 0; i < 2; i++) {
        memset(bytes, 0x77, AX_PAGE_SIZE);
        fx.config.memory[0] = (AxVMMemory){ax_gpa(RAM), RAM_SIZE, AX_MAP_RIGHTS, AX_MAP_TYPE_ALLOC};
        fx.config.memory[1] = (AxVMMemory){ax_gpa(lent.value), AX_PAGE_SIZE, AX_MAP_READ,
                                           i == 0 ? AX_MAP_TYPE_RESERVED : AX_MAP_TYPE_IDENTICAL};
        fx.config.memory_count = 2;
        go_to(AX_VM_STOPPED);
        assert_error(axvm_reset(&fx.vm, &fx.why), AX_OK);
        assert_int_equal(bytes[100], i == 0 ? 0x77 : 0);
        assert_error(axvm_destroy(&fx.vm), AX_OK);
    }
    axvcpu_dealloc_frame(&fx.host.hal, lent);
}

static void a_failed_reset_can_be_repeated(void **state)
{
    (void)state;
    go_to(AX_VM_STOPPED);
    fake_fail(fake(1), FAKE_RESET, AX_EBACKEND, 0);
    assert_error(axvm_reset(&fx.vm, &fx.why), AX_EBACKEND);
    assert_non_null(strstr(fx.why, "reset"));
    assert_int_equal(axvm_status(&fx.vm), AX_VM_STOPPED);
    fake_hal_fail_alloc(&fx.host, 1);
    assert_error(axvm_reset(&fx.vm, &fx.why), AX_ENOMEM);
    assert_int_equal(axvm_status(&fx.vm), AX_VM_STOPPED);
    fake_fail(fake(0), FAKE_SETUP, AX_EBACKEND, 0);
    assert_error(axvm_reset(&fx.vm, NULL), AX_EBACKEND);
    assert_error(axvm_reset(&fx.vm, &fx.why), AX_OK);
    assert_loaded();
}

static void images_that_no_longer_fit_fail_the_reset(void **state)
{
    (void)state;
    go_to(AX_VM_STOPPED);
    assert_error(axvm_unmap(&fx.vm.memory, fx.vm.layout.kernel, AX_PAGE_SIZE), AX_OK);
    assert_error(axvm_reset(&fx.vm, &fx.why), AX_EFAULT);
    assert_non_null(strstr(fx.why, "kernel"));
    assert_int_equal(axvm_status(&fx.vm), AX_VM_STOPPED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VM_TEST(incomplete_parameters_are_refused),
        VM_TEST(a_new_vm_is_loaded_and_its_first_vcpu_ready),
        VM_TEST(what_cpus_can_and_count_is_for_the_machine_to_describe),
        VM_TEST(a_raw_image_goes_where_the_machine_wants_it),
        VM_TEST(an_image_in_pieces_is_loaded_piece_by_piece),
        VM_TEST(images_of_other_architectures_are_refused),
        VM_TEST(a_command_line_that_is_longer_than_the_kernel_takes_is_refused),
        VM_TEST(images_may_be_absent),
        VM_TEST(each_mistake_is_named_and_leaves_nothing),
        VM_TEST(each_failing_allocation_leaves_nothing),
        VM_TEST(a_backend_that_fails_leaves_nothing),
        VM_TEST(memory_of_each_type_is_mapped),
        VM_TEST(every_call_in_every_status),
        VM_TEST(the_first_reason_to_stop_counts),
        VM_TEST(pausing_and_stopping_reach_every_vcpu),
        VM_TEST(names_are_known_and_others_are_not),
        VM_TEST(typed_bytes_go_to_the_machine),
        VM_TEST(a_machine_that_cannot_start_its_first_vcpu_leaves_nothing),
        VM_TEST(the_machine_says_when_to_look_again),
        VM_TEST(a_bound_vcpu_keeps_its_vm),
        VM_TEST(a_reset_vm_is_as_new),
        VM_TEST(reset_leaves_reserved_memory_alone),
        VM_TEST(a_failed_reset_can_be_repeated),
        VM_TEST(images_that_no_longer_fit_fail_the_reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
