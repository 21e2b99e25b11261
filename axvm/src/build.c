// SPDX-License-Identifier: Apache-2.0
/* Putting a VM together from its description, and taking it apart. */
#include "vm_internal.h"

#include "why.h"

#define DEVICE_FLAGS (AX_MAP_READ | AX_MAP_WRITE | AX_MAP_DEVICE)

// ---- memory of the VM itself ----

static size_t frames_for(size_t size)
{
    return (size + AX_PAGE_SIZE - 1) / AX_PAGE_SIZE;
}

void *axvm_alloc_bytes(const AxVCpuHal *hal, size_t size)
{
    HostPhysAddr first;

    if (hal->alloc_frames(hal->ctx, frames_for(size), AX_PAGE_SIZE, &first) != AX_OK) {
        return NULL;
    }
    return ax_ptr_from_hva(hal->phys_to_virt(hal->ctx, first));
}

void axvm_free_bytes(const AxVCpuHal *hal, void *memory, size_t size)
{
    if (memory != NULL) {
        hal->dealloc_frames(hal->ctx, hal->virt_to_phys(hal->ctx, ax_hva_from_ptr(memory)),
                            frames_for(size));
    }
}

// ---- guest memory ----

static bool is_made_for(const AxImageInfo *image, uint16_t machine)
{
    return image->machine == AX_MACHINE_ANY || image->machine == machine ||
           (image->machine == AX_MACHINE_I386 && machine == AX_MACHINE_X86_64);
}

static uint64_t text_length(const char *text)
{
    uint64_t length = 0;

    while (text[length] != '\0') {
        length++;
    }
    return length;
}

static AxError check_image(const AxVM *vm, const char **why)
{
    const AxImageInfo *image = &vm->image;

    if (!is_made_for(image, vm->machine->image_machine)) {
        return axvm_because(why, AX_ENOTSUP, "kernel: made for another architecture");
    }
    if (image->cmdline_max != 0 && text_length(vm->config.cmdline) > image->cmdline_max) {
        return axvm_because(why, AX_ERANGE, "cmdline: longer than the kernel can take");
    }
    return AX_OK;
}

AxError axvm_plan(AxVM *vm, const char **why)
{
    AxImageInfo *image = &vm->image;
    AxError error = AX_OK;

    *image = (AxImageInfo){.format = AX_IMAGE_RAW, .load_align = AX_PAGE_SIZE};
    if (vm->config.kernel.size != 0) {
        error = axvm_image_probe(vm->machine->images, vm->config.image_format, &vm->config.kernel,
                                 image, why);
    }
    if (error == AX_OK) {
        error = check_image(vm, why);
    }
    if (image->format == AX_IMAGE_RAW) {
        image->load_offset = vm->machine->raw_offset;
    }
    return error != AX_OK ? error : axvm_boot_layout(&vm->config, image, &vm->layout, why);
}

static AxError map_memory(AxVM *vm, const AxVMMemory *memory)
{
    if (memory->type == AX_MAP_TYPE_ALLOC) {
        return axvm_map_ram(&vm->memory, memory->base, memory->size, memory->flags, true);
    }
    return axvm_map_linear(&vm->memory, memory->base, ax_hpa(memory->base.value), memory->size,
                           memory->flags);
}

static AxError explain_memory(AxError error, const char **why)
{
    static const struct {
        AxError error;
        const char *text;
    } texts[] = {
        {AX_ENOMEM, "memory_regions: the host has not enough memory"},
        {AX_ERANGE, "memory_regions or passthrough_devices: an address is beyond what the "
                    "machine's guests can use"},
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (texts[i].error == error) {
            return axvm_because(why, error, texts[i].text);
        }
    }
    return axvm_because(why, error, "memory_regions or passthrough_devices: cannot be mapped");
}

static AxError map_all(AxVM *vm)
{
    const AxVMConfig *config = &vm->config;
    AxError error = AX_OK;

    for (uint32_t i = 0; error == AX_OK && i < config->memory_count; i++) {
        error = map_memory(vm, &config->memory[i]);
    }
    for (uint32_t i = 0; error == AX_OK && i < config->passthrough_count; i++) {
        const AxVMPassthrough *device = &config->passthrough[i];

        error = axvm_map_linear(&vm->memory, device->gpa, device->hpa, device->length,
                                DEVICE_FLAGS);
    }
    return error;
}

static AxError build_memory(AxVM *vm, const AxVMParams *params, const char **why)
{
    AxError error;

    (void)params;
    error = axvm_addrspace_init(&vm->memory, vm->hal, axvcpu_arch_ept_format(),
                                vm->machine->gpa_bits);
    if (error != AX_OK) {
        vm->memory.hal = NULL;
        return axvm_because(why, error, "nested page tables: out of memory, or not in hardware");
    }
    error = map_all(vm);
    return error == AX_OK ? AX_OK : explain_memory(error, why);
}

// ---- vCPUs ----

static AxError create_vcpu(AxVM *vm, AxVCpuId id)
{
    AxVMVCpu *self = &vm->vcpus[id];
    // Only the first starts with the description; others get what CPU_UP says.
    const GuestPhysAddr boot_block = id == 0 ? vm->layout.boot_block : ax_gpa(0);
    const CreateConfig config = axvcpu_arch_create_config(id, boot_block, vm->counter_hz);
    const AxVCpuParams params = {
        .hal = vm->hal, .vm_id = vm->config.id, .id = id, .preferred_pcpu = AX_PCPU_NONE};

    self->cpu_address = axvcpu_arch_cpu_address(id);
    atomic_store_explicit(&self->power, AX_CPU_OFF, memory_order_relaxed);
    return axvcpu_arch_create(&self->vcpu, params, &self->arch, &config);
}

static AxError build_vcpus(AxVM *vm, const AxVMParams *params, const char **why)
{
    (void)params;
    vm->vcpus = axvm_alloc_bytes(vm->hal, vm->config.cpu_num * sizeof(AxVMVCpu));
    if (vm->vcpus == NULL) {
        return axvm_because(why, AX_ENOMEM, "cpu_num: the host has not enough memory for them");
    }
    for (AxVCpuId id = 0; id < vm->config.cpu_num; id++) {
        const AxError error = create_vcpu(vm, id);

        if (error != AX_OK) {
            return axvm_because(why, error, "cpu_num: a virtual CPU cannot be made");
        }
        vm->vcpu_count++;
    }
    vm->memory.root.owner = vm;
    vm->memory.root.recall = axvm_recall;
    return AX_OK;
}

static void destroy_vcpu(AxVM *vm, AxVCpu *vcpu)
{
    const AxError error = axvcpu_destroy(vcpu);

    // It neither runs nor is bound, so this is a mistake of ours.
    if (error != AX_OK) {
        vm->hal->log(vm->hal->ctx, AX_LOG_ERROR, "vm %u: vCPU %u is not destroyed: %s",
                     vm->config.id, axvcpu_id(vcpu), axvcpu_error_text(error));
    }
}

static void unbuild_vcpus(AxVM *vm)
{
    vm->memory.root.recall = NULL;
    while (vm->vcpu_count > 0) {
        destroy_vcpu(vm, &vm->vcpus[--vm->vcpu_count].vcpu);
    }
    axvm_free_bytes(vm->hal, vm->vcpus, vm->config.cpu_num * sizeof(AxVMVCpu));
    vm->vcpus = NULL;
}

AxError axvm_setup_vcpu(AxVM *vm, AxVMVCpu *self, GuestPhysAddr entry)
{
    const SetupConfig config = axvcpu_arch_setup_config(vm->trap_wait);
    AxError error = axvcpu_set_entry(&self->vcpu, entry);

    if (error == AX_OK) {
        error = axvcpu_set_ept_root(&self->vcpu, &vm->memory.root);
    }
    return error == AX_OK ? axvcpu_arch_setup(&self->vcpu, &config) : error;
}

AxError axvm_prepare_first_vcpu(AxVM *vm, const char **why)
{
    AxVMVCpu *first = &vm->vcpus[0];
    AxError error = axvm_setup_vcpu(vm, first, vm->layout.entry);

    if (error == AX_OK) {
        error = vm->machine->start(vm->machine_state, vm, &first->vcpu);
    }
    if (error != AX_OK) {
        return axvm_because(why, error, "entry_point: the virtual CPU cannot start there");
    }
    atomic_store_explicit(&first->power, AX_CPU_ON, memory_order_release);
    return AX_OK;
}

// ---- machine ----

static AxError build_machine(AxVM *vm, const AxVMParams *params, const char **why)
{
    axvm_bus_init(&vm->mmio);
    axvm_bus_init(&vm->ports);
    axvm_bus_init(&vm->sysregs);
    vm->machine_state = axvm_alloc_bytes(vm->hal, vm->machine->state_size);
    if (vm->machine_state == NULL) {
        return axvm_because(why, AX_ENOMEM, "emu_devices: the host has not enough memory");
    }
    return vm->machine->init(vm->machine_state, vm, params->console, why);
}

// ---- contents ----

static AxError write_description(AxVM *vm, void *buffer)
{
    size_t size = 0;
    const AxError error = vm->machine->describe(vm->machine_state, vm, buffer, AX_BOOT_BLOCK_ROOM,
                                                &size);

    return error == AX_OK ? axvm_copy_to_guest(&vm->memory, vm->layout.boot_block, buffer, size)
                          : error;
}

static AxError load_description(AxVM *vm)
{
    void *buffer = axvm_alloc_bytes(vm->hal, AX_BOOT_BLOCK_ROOM);
    AxError error;

    if (buffer == NULL) {
        return AX_ENOMEM;
    }
    error = write_description(vm, buffer);
    axvm_free_bytes(vm->hal, buffer, AX_BOOT_BLOCK_ROOM);
    return error;
}

static AxError load_segment(AxVM *vm, const AxImageSegment *segment)
{
    const GuestPhysAddr start = ax_gpa(vm->layout.kernel.value + segment->offset);

    // What is not in the file is zero, also in memory that the host lends.
    axvm_zero_guest(&vm->memory, ax_gpa(start.value + segment->file_size),
                    segment->memory_size - segment->file_size);
    return axvm_copy_to_guest(&vm->memory, start, vm->config.kernel.data + segment->file_offset,
                              segment->file_size);
}

static AxError load_kernel(AxVM *vm)
{
    AxError error = AX_OK;

    for (uint32_t i = 0; error == AX_OK && i < vm->image.segment_count; i++) {
        error = load_segment(vm, &vm->image.segments[i]);
    }
    return error;
}

AxError axvm_load(AxVM *vm, const char **why)
{
    const AxBlob *ramdisk = &vm->config.ramdisk;
    AxError error = load_kernel(vm);

    if (error == AX_OK) {
        error = axvm_copy_to_guest(&vm->memory, vm->layout.ramdisk, ramdisk->data, ramdisk->size);
    }
    if (error != AX_OK) {
        return axvm_because(why, error, "kernel or ramdisk: cannot be copied into the guest");
    }
    error = load_description(vm);
    return error == AX_OK
               ? AX_OK
               : axvm_because(why, error, "the guest's description cannot be made or does not fit");
}

static AxError build_plan(AxVM *vm, const AxVMParams *params, const char **why)
{
    (void)params;
    return axvm_plan(vm, why);
}

static AxError build_contents(AxVM *vm, const AxVMParams *params, const char **why)
{
    (void)params;
    return axvm_load(vm, why);
}

static AxError build_first_vcpu(AxVM *vm, const AxVMParams *params, const char **why)
{
    (void)params;
    return axvm_prepare_first_vcpu(vm, why);
}

AxError axvm_build(AxVM *vm, const AxVMParams *params, const char **why)
{
    static AxError (*const steps[])(AxVM *, const AxVMParams *, const char **) = {
        build_plan, build_memory, build_vcpus, build_machine, build_contents, build_first_vcpu,
    };

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        const AxError error = steps[i](vm, params, why);

        if (error != AX_OK) {
            return error;
        }
    }
    return AX_OK;
}

void axvm_unbuild(AxVM *vm)
{
    axvm_free_bytes(vm->hal, vm->machine_state, vm->machine->state_size);
    vm->machine_state = NULL;
    unbuild_vcpus(vm);
    if (vm->memory.hal != NULL) {
        axvm_addrspace_destroy(&vm->memory);
        vm->memory.hal = NULL;
    }
}
