// SPDX-License-Identifier: Apache-2.0
#include "log.h"

#include "platform.h"

#include <axvm/lock.h>

#include <stdio.h>

#define LINE_SIZE 1024u

static const char *const prefixes[] = {
    [AX_LOG_ERROR] = "[axvm] error: ",
    [AX_LOG_WARN] = "[axvm] warning: ",
    [AX_LOG_INFO] = "[axvm] ",
    [AX_LOG_DEBUG] = "[axvm] debug: ",
};

Console log_console = {.put = uart_put};

static AxLock console_lock;
static AxLogLevel log_level = AX_LOG_INFO;

void log_set_level(AxLogLevel level)
{
    log_level = level;
}

void log_vline(AxLogLevel level, const char *format, va_list args)
{
    char line[LINE_SIZE];

    if (level > log_level) {
        return;
    }
    const int used = snprintf(line, sizeof(line), "%s", prefixes[level]);

    (void)vsnprintf(line + used, sizeof(line) - (size_t)used, format, args);
    ax_lock(&console_lock);
    console_line(&log_console, line);
    ax_unlock(&console_lock);
}

void log_guest_put(ConsoleStream *stream, uint8_t byte)
{
    ax_lock(&console_lock);
    console_stream_put(stream, byte);
    ax_unlock(&console_lock);
}

void log_guest_flush(ConsoleStream *stream)
{
    ax_lock(&console_lock);
    console_stream_flush(stream);
    ax_unlock(&console_lock);
}

size_t log_guest_waiting(ConsoleStream *stream)
{
    ax_lock(&console_lock);
    const size_t waiting = stream->length;
    ax_unlock(&console_lock);
    return waiting;
}

void log_break_lock(void)
{
    console_lock = AX_LOCK_INIT;
}

void log_line(AxLogLevel level, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    log_vline(level, format, args);
    va_end(args);
}

void demo_fail(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    log_vline(AX_LOG_ERROR, format, args);
    va_end(args);
    platform_exit(false);
}
