// SPDX-License-Identifier: Apache-2.0
#include "console.h"

static void put_byte(Console *console, uint8_t byte)
{
    console->put(byte);
    console->line_open = byte != '\n';
}

static void put_text(Console *console, const char *text)
{
    for (; *text != '\0'; text++) {
        put_byte(console, (uint8_t)*text);
    }
}

static void close_line(Console *console)
{
    if (console->line_open) {
        put_byte(console, '\n');
    }
    console->speaker = NULL;
}

void console_init(Console *console, void (*put)(uint8_t byte))
{
    *console = (Console){.put = put};
}

void console_line(Console *console, const char *text)
{
    close_line(console);
    put_text(console, text);
    close_line(console);
}

void console_stream_init(ConsoleStream *stream, Console *console, const char *name)
{
    *stream = (ConsoleStream){.console = console, .name = name};
}

static void begin_line(ConsoleStream *stream)
{
    Console *console = stream->console;

    if (console->line_open && console->speaker == stream) {
        return;
    }
    close_line(console);
    put_text(console, "[");
    put_text(console, stream->name);
    put_text(console, "] ");
    console->speaker = stream;
}

void console_stream_flush(ConsoleStream *stream)
{
    if (stream->length == 0) {
        return;
    }
    begin_line(stream);
    for (size_t i = 0; i < stream->length; i++) {
        put_byte(stream->console, (uint8_t)stream->line[i]);
    }
    stream->length = 0;
}

void console_stream_put(ConsoleStream *stream, uint8_t byte)
{
    if (stream->name == NULL) {
        put_byte(stream->console, byte);
        return;
    }
    if (byte == '\r') {
        return;
    }
    stream->line[stream->length++] = (char)byte;
    if (byte == '\n' || stream->length == CONSOLE_LINE_SIZE) {
        console_stream_flush(stream);
    }
}
