// SPDX-License-Identifier: Apache-2.0
/* What typed keys mean: text for the guest, or a command after the escape key Ctrl-]. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define INPUT_ESCAPE 0x1d /* Ctrl-] */

typedef enum InputKind {
    INPUT_NOTHING, /* swallowed: the escape key, or an unknown command */
    INPUT_TEXT,    /* .byte is for the guest */
    INPUT_FOCUS,   /* .number of the VM that gets the keys from now on */
    INPUT_NEXT,    /* the next VM gets them */
    INPUT_STOP,
    INPUT_SUMMARY,
    INPUT_HELP,
} InputKind;

typedef struct InputEvent {
    InputKind kind;
    uint8_t byte;
    uint32_t number;
} InputEvent;

typedef struct InputParser {
    bool escaped;
} InputParser;

/* One line that explains the commands. */
extern const char input_help[];

InputEvent input_parse(InputParser *parser, uint8_t byte);
