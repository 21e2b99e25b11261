// SPDX-License-Identifier: Apache-2.0
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef struct Output {
    char *buffer;
    size_t size;
    size_t length; // of the whole text, stored or not
} Output;

typedef struct Spec {
    bool left;
    bool zero;
    size_t width;
    unsigned length; // how many l; z counts as one
} Spec;

// The arguments in a structure of their own, so that helpers can take the next one.
typedef struct Args {
    va_list list;
} Args;

#define DIGITS_MAX 20u // of a 64-bit number in decimal

static void put(Output *out, char c)
{
    if (out->length + 1 < out->size) {
        out->buffer[out->length] = c;
    }
    out->length++;
}

static void pad(Output *out, char c, size_t used, size_t width)
{
    for (; used < width; used++) {
        put(out, c);
    }
}

static void put_text(Output *out, const Spec *spec, const char *text, size_t length)
{
    if (!spec->left) {
        pad(out, ' ', length, spec->width);
    }
    for (size_t i = 0; i < length; i++) {
        put(out, text[i]);
    }
    if (spec->left) {
        pad(out, ' ', length, spec->width);
    }
}

// Zeros go between the prefix (sign, 0x) and the digits, blanks before the prefix.
static void put_number(Output *out, const Spec *spec, const char *prefix, uint64_t value,
                       unsigned base)
{
    const size_t prefix_length = strlen(prefix);
    char digits[DIGITS_MAX];
    size_t at = DIGITS_MAX;

    do {
        digits[--at] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);

    const size_t length = prefix_length + DIGITS_MAX - at;
    const bool zero = spec->zero && !spec->left;

    if (!spec->left && !zero) {
        pad(out, ' ', length, spec->width);
    }
    put_text(out, &(Spec){0}, prefix, prefix_length);
    if (zero) {
        pad(out, '0', length, spec->width);
    }
    put_text(out, &(Spec){0}, digits + at, DIGITS_MAX - at);
    if (spec->left) {
        pad(out, ' ', length, spec->width);
    }
}

static uint64_t take_unsigned(Args *args, const Spec *spec)
{
    return spec->length == 0 ? va_arg(args->list, unsigned) : va_arg(args->list, unsigned long);
}

static int64_t take_signed(Args *args, const Spec *spec)
{
    return spec->length == 0 ? va_arg(args->list, int) : va_arg(args->list, long);
}

_Static_assert(sizeof(long) == 8 && sizeof(long long) == 8 && sizeof(size_t) == 8,
               "l, ll and z are one length");

static void put_signed(Output *out, const Spec *spec, int64_t value)
{
    const uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    put_number(out, spec, value < 0 ? "-" : "", magnitude, 10);
}

static void put_string(Output *out, const Spec *spec, const char *text)
{
    const char *shown = text != NULL ? text : "(null)";

    put_text(out, spec, shown, strlen(shown));
}

// False when `conversion` is none.
static bool convert(Output *out, const Spec *spec, char conversion, Args *args)
{
    switch (conversion) {
    case 's': put_string(out, spec, va_arg(args->list, const char *)); return true;
    case 'c': put_text(out, spec, &(char){(char)va_arg(args->list, int)}, 1); return true;
    case 'd':
    case 'i': put_signed(out, spec, take_signed(args, spec)); return true;
    case 'u': put_number(out, spec, "", take_unsigned(args, spec), 10); return true;
    case 'x': put_number(out, spec, "", take_unsigned(args, spec), 16); return true;
    case 'p': put_number(out, spec, "0x", (uintptr_t)va_arg(args->list, void *), 16); return true;
    case '%': put(out, '%'); return true;
    default: return false;
    }
}

static const char *parse_flags(const char *at, Spec *spec)
{
    for (;; at++) {
        if (*at == '-') {
            spec->left = true;
        } else if (*at == '0') {
            spec->zero = true;
        } else {
            return at;
        }
    }
}

static const char *parse_width(const char *at, Spec *spec, Args *args)
{
    if (*at == '*') {
        const int width = va_arg(args->list, int);

        spec->left |= width < 0;
        spec->width = width < 0 ? 0 - (size_t)width : (size_t)width;
        return at + 1;
    }
    for (; *at >= '0' && *at <= '9' && spec->width < INT_MAX / 16; at++) {
        spec->width = spec->width * 10 + (size_t)(*at - '0');
    }
    return at;
}

static const char *parse_length(const char *at, Spec *spec)
{
    for (; *at == 'l' || *at == 'z'; at++) {
        spec->length++;
    }
    return at;
}

// `at` points behind a '%'; returns where the text goes on.
static const char *format_one(Output *out, const char *at, Args *args)
{
    Spec spec = {0};
    const char *conversion = parse_flags(at, &spec);

    conversion = parse_width(conversion, &spec, args);
    conversion = parse_length(conversion, &spec);
    if (convert(out, &spec, *conversion, args)) {
        return conversion + 1;
    }
    put(out, '%');
    return at;
}

int vsnprintf(char *buffer, size_t size, const char *format, va_list args)
{
    Output out = {.buffer = buffer, .size = size};
    Args copy;

    va_copy(copy.list, args);
    while (*format != '\0') {
        if (*format == '%') {
            format = format_one(&out, format + 1, &copy);
        } else {
            put(&out, *format++);
        }
    }
    va_end(copy.list);
    if (size > 0) {
        buffer[out.length < size ? out.length : size - 1] = '\0';
    }
    return out.length > INT_MAX ? INT_MAX : (int)out.length;
}

int snprintf(char *buffer, size_t size, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    const int length = vsnprintf(buffer, size, format, args);
    va_end(args);
    return length;
}
