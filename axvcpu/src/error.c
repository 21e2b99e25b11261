// SPDX-License-Identifier: Apache-2.0
#include <axvcpu/error.h>

typedef struct ErrorWords {
    const char *name;
    const char *text;
} ErrorWords;

#define ERROR_WORDS(symbol, text) [symbol] = {#symbol, text},
static const ErrorWords words[AX_ERROR_COUNT] = {AX_ERROR_LIST(ERROR_WORDS)};
#undef ERROR_WORDS

static const ErrorWords unknown = {"AX_E?", "unknown error"};

static const ErrorWords *words_of(AxError error)
{
    return (unsigned)error < AX_ERROR_COUNT ? &words[error] : &unknown;
}

const char *axvcpu_error_name(AxError error)
{
    return words_of(error)->name;
}

const char *axvcpu_error_text(AxError error)
{
    return words_of(error)->text;
}
