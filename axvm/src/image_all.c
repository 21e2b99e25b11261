// SPDX-License-Identifier: Apache-2.0
// A file of its own, so that a machine's image has no more readers than the machine.
#include <axvm/image.h>

const AxImageReader *const axvm_image_all[] = {
    &axvm_image_linux_arm64,
    &axvm_image_linux_riscv64,
    &axvm_image_bzimage,
    &axvm_image_multiboot,
    &axvm_image_elf,
    &axvm_image_raw,
    NULL,
};
