// SPDX-License-Identifier: Apache-2.0
/* One pair of functions per image format; the blob is not empty. */
#pragma once

#include <axvm/image.h>

bool axvm_linux_arm64_matches(const AxBlob *image);
AX_MUST_CHECK AxError axvm_linux_arm64_probe(const AxBlob *image, AxImageInfo *info,
                                             const char **why);

bool axvm_linux_riscv64_matches(const AxBlob *image);
AX_MUST_CHECK AxError axvm_linux_riscv64_probe(const AxBlob *image, AxImageInfo *info,
                                               const char **why);
