// SPDX-License-Identifier: Apache-2.0
/*
 * A good bzImage, ELF file or Multiboot image (by the first byte) with changes: offset (16 bits)
 * and new byte each. What is taken is described to its guest, all of it inside the room.
 */
#include <machine/x86_64_boot.h>
#include <span.h>

#include <stdlib.h>
#include <string.h>

#define FILE_SIZE 0x1000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void put(uint8_t *file, size_t offset, uint64_t value, size_t size)
{
    memcpy(file + offset, &value, size);
}

static void make_bzimage(uint8_t *file)
{
    put(file, 0x1f1, 2, 1);
    put(file, 0x1f4, 0x80, 4);
    put(file, 0x1fe, 0xaa55, 2);
    put(file, 0x200, 0x6aeb, 2);
    put(file, 0x202, 0x53726448, 4);
    put(file, 0x206, 0x20f, 2);
    put(file, 0x211, 1, 1);
    put(file, 0x22c, 0x7fffffff, 4);
    put(file, 0x230, 0x200000, 4);
    put(file, 0x234, 1, 1);
    put(file, 0x236, 0x7f, 2);
    put(file, 0x238, 2047, 4);
    put(file, 0x258, 0x1000000, 8);
    put(file, 0x260, 0x100000, 4);
}

static void make_elf(uint8_t *file)
{
    static const uint64_t segments[2][7] = {
        {UINT64_C(0x500000001), 0x800, 0x1000000, 0x1000000, 0x100, 0x2000, 0x1000},
        {4, 0x900, 0, 0, 0x18, 0x18, 4},
    };
    static const uint32_t note[] = {4, 8, 18, 0x6e6558, 0x1000010, 0};

    memcpy(file, "\177ELF\2\1\1", 7);
    put(file, 0x10, 2, 2);
    put(file, 0x12, 62, 2);
    put(file, 0x18, 0x1000000, 8);
    put(file, 0x20, 0x40, 8);
    put(file, 0x36, 56, 2);
    put(file, 0x38, 2, 2);
    memcpy(file + 0x40, segments, sizeof(segments));
    memcpy(file + 0x900, note, sizeof(note));
}

static void make_multiboot(uint8_t *file)
{
    static const uint32_t header[] = {0x1badb002, 0x10003,  0xe4514ffb, 0x100080,
                                      0x100000,   0x100800, 0x101000,   0x100010};

    memcpy(file + 0x80, header, sizeof(header));
}

static void change(uint8_t *file, const uint8_t *changes, size_t size)
{
    for (; size >= 3; changes += 3, size -= 3) {
        file[(changes[0] + 256u * changes[1]) % FILE_SIZE] = changes[2];
    }
}

static void describe(AxVM *vm)
{
    static uint8_t block[AX_BOOT_BLOCK_ROOM];
    static const AxAcpiBoard board = {.cpu_count = 1, .timer_irq = 2, .sci_irq = 9};
    size_t used = 0;
    X86Start start;

    if (vm->image.protocol == AX_BOOT_NATIVE) {
        return;
    }
    require(axvm_x86_64_describe(&board, vm, block, sizeof(block), &used) == AX_OK);
    require(used <= sizeof(block));
    require(axvm_x86_64_start(vm, &start));
    require(start.entry.value >= vm->layout.kernel.value &&
            start.entry.value - vm->layout.kernel.value < vm->image.memory_size);
}

static void try_image(const uint8_t *file)
{
    static AxVM vm;
    const char *why = NULL;

    axvm_config_init(&vm.config, 0);
    vm.config.kernel = (AxBlob){file, FILE_SIZE};
    vm.config.ramdisk = (AxBlob){file, FILE_SIZE};
    vm.config.memory[0] = (AxVMMemory){ax_gpa(0), UINT64_C(0xc0000000), AX_MAP_RIGHTS,
                                       AX_MAP_TYPE_ALLOC};
    vm.config.memory_count = 1;
    if (axvm_image_probe(axvm_image_all, AX_IMAGE_AUTO, &vm.config.kernel, &vm.image, &why) !=
            AX_OK ||
        axvm_boot_layout(&vm.config, &vm.image, &vm.layout, &why) != AX_OK) {
        require(why != NULL);
        return;
    }
    describe(&vm);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const makers[])(uint8_t * file) = {make_bzimage, make_elf, make_multiboot};
    uint8_t *file;

    if (size == 0) {
        return 0;
    }
    // A block of its own: reads behind it are seen.
    file = calloc(1, FILE_SIZE);
    require(file != NULL);
    makers[data[0] % (sizeof(makers) / sizeof(makers[0]))](file);
    change(file, data + 1, size - 1);
    try_image(file);
    free(file);
    return 0;
}
