// SPDX-License-Identifier: Apache-2.0
/*
 * Output of several writers on one serial line. The hypervisor's own lines always begin at column
 * 0. A guest that is alone is passed on byte by byte; with several guests each line is collected
 * and gets the guest's name in front.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONSOLE_LINE_SIZE 200u

typedef struct ConsoleStream ConsoleStream;

typedef struct Console {
    void (*put)(uint8_t byte);
    bool line_open;               /* the last byte written was no newline */
    const ConsoleStream *speaker; /* who wrote the open line */
} Console;

struct ConsoleStream {
    Console *console;
    const char *name; /* NULL: alone, no prefix, no collecting */
    size_t length;
    char line[CONSOLE_LINE_SIZE];
};

void console_init(Console *console, void (*put)(uint8_t byte));

/* A line of the hypervisor, `text` without a newline. */
void console_line(Console *console, const char *text);

void console_stream_init(ConsoleStream *stream, Console *console, const char *name);
void console_stream_put(ConsoleStream *stream, uint8_t byte);
/* Writes out what was collected of an unfinished line, such as a prompt. */
void console_stream_flush(ConsoleStream *stream);
