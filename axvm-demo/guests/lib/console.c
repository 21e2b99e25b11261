// SPDX-License-Identifier: Apache-2.0
#include "guest.h"

#include <stdarg.h>

static void put_string(const char *s)
{
    while (*s != '\0') {
        guest_putc(*s++);
    }
}

static void put_number(uint64_t value, unsigned base)
{
    char digits[20];
    size_t n = 0;

    do {
        digits[n++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    while (n > 0) {
        guest_putc(digits[--n]);
    }
}

static void put_signed(int64_t value)
{
    if (value < 0) {
        guest_putc('-');
        put_number(0 - (uint64_t)value, 10);
        return;
    }
    put_number((uint64_t)value, 10);
}

static void put_argument(char conversion, bool is_long, va_list *args)
{
    switch (conversion) {
    case 's': put_string(va_arg(*args, const char *)); break;
    case 'c': guest_putc((char)va_arg(*args, int)); break;
    case 'd': put_signed(is_long ? va_arg(*args, int64_t) : va_arg(*args, int)); break;
    case 'u': put_number(is_long ? va_arg(*args, uint64_t) : va_arg(*args, unsigned), 10); break;
    case 'x': put_number(is_long ? va_arg(*args, uint64_t) : va_arg(*args, unsigned), 16); break;
    default: guest_putc(conversion); break;
    }
}

void guest_printf(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    for (; *format != '\0'; format++) {
        if (*format != '%') {
            guest_putc(*format);
            continue;
        }
        format++;
        const bool is_long = *format == 'l';
        if (is_long) {
            format++;
        }
        put_argument(*format, is_long, &args);
    }
    va_end(args);
}
