// SPDX-License-Identifier: Apache-2.0
/*
 * Writes "#define NAME VALUE" into section .asmoffsets of the object, where the build reads it.
 * The only user is src/asm-offsets.c, inside a function body.
 */
#pragma once

#define AX_ASM_DEFINE(name, value)                             \
    __asm__ volatile(".pushsection .asmoffsets,\"\"\n\t"       \
                     ".ascii \"#define " #name " %c0\\n\"\n\t" \
                     ".popsection"                             \
                     :                                         \
                     : "i"(value))
