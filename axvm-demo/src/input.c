// SPDX-License-Identifier: Apache-2.0
#include "input.h"

#include <stddef.h>

typedef struct Command {
    uint8_t key;
    InputKind kind;
} Command;

static const Command commands[] = {
    {'n', INPUT_NEXT},
    {'x', INPUT_STOP},
    {'s', INPUT_SUMMARY},
    {'?', INPUT_HELP},
};

const char input_help[] = "keys after Ctrl-]: a digit: that VM gets the keys; n: the next VM; "
                          "s: summary; x: stop all VMs; Ctrl-]: itself; ?: this";

static InputEvent parse_command(uint8_t byte)
{
    if (byte == INPUT_ESCAPE) {
        return (InputEvent){.kind = INPUT_TEXT, .byte = byte};
    }
    if (byte >= '0' && byte <= '9') {
        return (InputEvent){.kind = INPUT_FOCUS, .number = (uint32_t)(byte - '0')};
    }
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (commands[i].key == byte) {
            return (InputEvent){.kind = commands[i].kind};
        }
    }
    return (InputEvent){.kind = INPUT_NOTHING};
}

InputEvent input_parse(InputParser *parser, uint8_t byte)
{
    if (parser->escaped) {
        parser->escaped = false;
        return parse_command(byte);
    }
    if (byte == INPUT_ESCAPE) {
        parser->escaped = true;
        return (InputEvent){.kind = INPUT_NOTHING};
    }
    return (InputEvent){.kind = INPUT_TEXT, .byte = byte};
}
