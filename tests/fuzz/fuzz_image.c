// SPDX-License-Identifier: Apache-2.0
/* Kernel images from anywhere in a VM from anywhere: a layout that is made must be sound. */
#include <axvm/image.h>
#include <span.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The head of the input describes the VM, the rest is its kernel. */
typedef struct Head {
    uint64_t ram_base[2];
    uint64_t ram_size[2];
    uint64_t load;
    uint64_t ramdisk_load;
    uint64_t ramdisk_size;
    uint64_t entry;
    uint8_t format;
    uint8_t automatic; /* bit n: AX_ADDR_AUTO for the n-th address */
} Head;

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static GuestPhysAddr address(const Head *head, unsigned bit, uint64_t value)
{
    return (head->automatic >> bit & 1) != 0 ? AX_ADDR_AUTO : ax_gpa(value);
}

static bool in_ram(const AxVMConfig *config, AxSpan span)
{
    for (uint32_t i = 0; i < config->memory_count; i++) {
        if (axvm_span_inside(span,
                             (AxSpan){config->memory[i].base.value, config->memory[i].size})) {
            return true;
        }
    }
    return false;
}

static void check(const AxVMConfig *config, const AxImageInfo *info, const AxBootLayout *layout)
{
    const AxSpan kernel = {layout->kernel.value, info->memory_size};
    const AxSpan ramdisk = {layout->ramdisk.value, config->ramdisk.size};
    const AxSpan boot_block = {layout->boot_block.value, AX_BOOT_BLOCK_ROOM};

    require(in_ram(config, kernel) && in_ram(config, boot_block));
    require(ramdisk.size == 0 || in_ram(config, ramdisk));
    require(!axvm_spans_overlap(kernel, ramdisk) && !axvm_spans_overlap(kernel, boot_block) &&
            !axvm_spans_overlap(ramdisk, boot_block));
    require(boot_block.base % 8 == 0);
    require((kernel.base - info->load_offset) % info->load_align == 0);
    require(info->limit == 0 || (kernel.base + kernel.size <= info->limit &&
                                 boot_block.base + boot_block.size <= info->limit &&
                                 ramdisk.base + ramdisk.size <= info->limit));
}

static AxSpan in_memory(const AxImageSegment *segment)
{
    return (AxSpan){segment->offset, segment->memory_size};
}

static void check_segments(const AxImageInfo *info, uint64_t file_size)
{
    require(info->segment_count > 0 && info->segment_count <= AX_IMAGE_SEGMENTS_MAX);
    require(info->entry_offset < info->memory_size);
    for (uint32_t i = 0; i < info->segment_count; i++) {
        const AxImageSegment *segment = &info->segments[i];

        require(axvm_span_inside((AxSpan){segment->file_offset, segment->file_size},
                                 (AxSpan){0, file_size}));
        require(segment->file_size <= segment->memory_size);
        require(axvm_span_inside(in_memory(segment), (AxSpan){0, info->memory_size}));
        for (uint32_t j = 0; j < i; j++) {
            require(!axvm_spans_overlap(in_memory(segment), in_memory(&info->segments[j])));
        }
    }
}

static void describe(AxVMConfig *config, const Head *head, const uint8_t *kernel, size_t size)
{
    axvm_config_init(config, 0);
    config->kernel = (AxBlob){kernel, size};
    config->ramdisk = (AxBlob){kernel, head->ramdisk_size};
    config->image_format = (AxImageFormat)(head->format % (AX_IMAGE_FORMAT_COUNT + 1));
    config->kernel_load_addr = address(head, 0, head->load);
    config->ramdisk_load_addr = address(head, 1, head->ramdisk_load);
    config->entry_point = address(head, 2, head->entry);
    config->memory_count = 2;
    for (uint32_t i = 0; i < 2; i++) {
        config->memory[i] = (AxVMMemory){ax_gpa(head->ram_base[i]), head->ram_size[i],
                                         AX_MAP_RIGHTS, AX_MAP_TYPE_ALLOC};
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static AxVMConfig config;
    AxImageInfo info;
    AxBootLayout layout;
    const char *why = NULL;
    Head head;

    if (size <= sizeof(head)) {
        return 0;
    }
    memcpy(&head, data, sizeof(head));
    // A block of its own for the kernel: reads behind it are seen.
    size -= sizeof(head);
    uint8_t *kernel = malloc(size);
    require(kernel != NULL);
    memcpy(kernel, data + sizeof(head), size);
    describe(&config, &head, kernel, size);
    if (axvm_config_check(&config, NULL) == AX_OK &&
        axvm_image_probe(axvm_image_all, config.image_format, &config.kernel, &info, &why) ==
            AX_OK) {
        check_segments(&info, size);
        if (axvm_boot_layout(&config, &info, &layout, &why) == AX_OK) {
            check(&config, &info, &layout);
        }
    }
    free(kernel);
    return 0;
}
