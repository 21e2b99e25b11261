// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include <stdio.h>
#include <string.h>

// One word, not terminated.
typedef struct Word {
    const char *text;
    size_t length;
} Word;

typedef struct Option {
    const char *prefix;
    bool (*set)(Options *options, Word value);
    const char *values; // what is allowed, for the message
} Option;

static bool word_is(Word word, const char *text)
{
    return strlen(text) == word.length && memcmp(text, word.text, word.length) == 0;
}

static bool set_guest(Options *options, Word value)
{
    if (value.length == 0 || value.length >= sizeof(options->guest)) {
        return false;
    }
    memcpy(options->guest, value.text, value.length);
    options->guest[value.length] = '\0';
    return true;
}

static bool set_vcpus(Options *options, Word value)
{
    if (value.length != 1 || value.text[0] < '1' || value.text[0] > '0' + (char)AX_VM_CPUS_MAX) {
        return false;
    }
    options->vcpus = (uint32_t)(value.text[0] - '0');
    return true;
}

static bool set_log(Options *options, Word value)
{
    static const char *const levels[] = {"error", "warn", "info", "debug"};

    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        if (word_is(value, levels[i])) {
            options->log = (AxLogLevel)i;
            return true;
        }
    }
    return false;
}

_Static_assert(AX_VM_CPUS_MAX <= 9, "one digit");

static const Option options_known[] = {
    {"axvm.guest=", set_guest, "the name of a built-in guest"},
    {"axvm.vcpus=", set_vcpus, "1 to 8"},
    {"axvm.log=", set_log, "error, warn, info or debug"},
};

// The next word from *at on; false at the end.
static bool next_word(const char **at, Word *word)
{
    while (**at == ' ' || **at == '\t' || **at == '\n') {
        (*at)++;
    }
    word->text = *at;
    while (**at != '\0' && **at != ' ' && **at != '\t' && **at != '\n') {
        (*at)++;
    }
    word->length = (size_t)(*at - word->text);
    return word->length > 0;
}

static const Option *find_option(Word word)
{
    for (size_t i = 0; i < sizeof(options_known) / sizeof(options_known[0]); i++) {
        const size_t length = strlen(options_known[i].prefix);

        if (word.length >= length && memcmp(word.text, options_known[i].prefix, length) == 0) {
            return &options_known[i];
        }
    }
    return NULL;
}

// The word as far as it fits, for a message.
static void show(Word word, char *buffer, size_t size)
{
    const size_t length = word.length < size ? word.length : size - 1;

    memcpy(buffer, word.text, length);
    buffer[length] = '\0';
}

static bool apply(Options *options, Word word, char *why)
{
    const Option *option = find_option(word);
    char shown[64];

    show(word, shown, sizeof(shown));
    if (option == NULL) {
        (void)snprintf(
            why, OPTIONS_WHY_SIZE,
            "unknown option '%s': there are axvm.guest=, axvm.vcpus= and axvm.log=", shown);
        return false;
    }
    const size_t length = strlen(option->prefix);
    const Word value = {.text = word.text + length, .length = word.length - length};

    if (!option->set(options, value)) {
        (void)snprintf(why, OPTIONS_WHY_SIZE, "option '%s': the value must be %s", shown,
                       option->values);
        return false;
    }
    return true;
}

bool options_parse(Options *options, const char *words, char why[OPTIONS_WHY_SIZE])
{
    Word word;

    *options = (Options){.log = AX_LOG_INFO};
    while (next_word(&words, &word)) {
        if (!apply(options, word, why)) {
            return false;
        }
    }
    return true;
}
