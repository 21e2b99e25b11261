// SPDX-License-Identifier: Apache-2.0
/* The hypervisor's own lines: "[axvm] ..." on the one console of the machine. */
#pragma once

#include "console.h"

#include <axvcpu/hal.h>

#include <stdarg.h>

/* The machine's console. */
extern Console log_console;

/* Lines above `level` are dropped; AX_LOG_INFO at the start. */
void log_set_level(AxLogLevel level);

void log_line(AxLogLevel level, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_vline(AxLogLevel level, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

/* A line of level ERROR, then the machine ends with failure. */
_Noreturn void demo_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
