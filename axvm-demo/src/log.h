// SPDX-License-Identifier: Apache-2.0
/* The hypervisor's own lines: "[axvm] ..." on the one console of the machine. */
#pragma once

#include "console.h"

#include <axvcpu/hal.h>

#include <stdarg.h>

/* The machine's console; to be written by the functions below. */
extern Console log_console;

/* Lines above `level` are dropped; AX_LOG_INFO at the start. */
void log_set_level(AxLogLevel level);

void log_line(AxLogLevel level, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_vline(AxLogLevel level, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

/* What a guest writes; several pCPUs may do so at once. */
void log_guest_put(ConsoleStream *stream, uint8_t byte);
void log_guest_flush(ConsoleStream *stream);
/* How many bytes of an unfinished line wait to be flushed. */
size_t log_guest_waiting(ConsoleStream *stream);

/* In a fault, which may have come while the console was locked. */
void log_break_lock(void);

/* A line of level ERROR, then the machine ends with failure. */
_Noreturn void demo_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
