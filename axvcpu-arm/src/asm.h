// SPDX-License-Identifier: Apache-2.0
// For .S files: symbols with type and size.
#pragma once

#define FUNC(name)        \
    .globl name;          \
    .hidden name;         \
    .type name, STT_FUNC; \
    name:

#define END(name) .size name, .- name
