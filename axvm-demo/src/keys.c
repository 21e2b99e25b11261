// SPDX-License-Identifier: Apache-2.0
#include "keys.h"

#include "input.h"
#include "log.h"
#include "platform.h"
#include "summary.h"
#include "vms.h"

static InputParser parser;
static InputEvent held; // text that the guest could not take yet
static uint32_t focus;

bool keys_waiting(void)
{
    return held.kind == INPUT_TEXT;
}

static void set_focus(uint32_t number)
{
    const Vm *vm = vms_get(number);

    if (vm == NULL || !vm->live) {
        log_line(AX_LOG_INFO, "there is no vm %u", number);
        return;
    }
    focus = number;
    log_line(AX_LOG_INFO, "keys go to vm %u \"%s\"", number, vm->name);
}

static void next_focus(void)
{
    for (uint32_t i = 1; i <= vms_count(); i++) {
        const uint32_t number = (focus + i) % vms_count();

        if (vms_get(number)->live) {
            set_focus(number);
            return;
        }
    }
}

// Keys for a VM that is gone are dropped.
static bool type(uint8_t byte)
{
    Vm *vm = vms_get(focus);

    if (vm == NULL || !vm->live) {
        return true;
    }
    log_guest_flush(&vm->console);
    return axvm_console_input(&vm->vm, byte);
}

static void obey(const InputEvent *event)
{
    switch (event->kind) {
    case INPUT_TEXT: held = type(event->byte) ? (InputEvent){0} : *event; break;
    case INPUT_FOCUS: set_focus(event->number); break;
    case INPUT_NEXT: next_focus(); break;
    case INPUT_STOP: vms_stop_all(); break;
    case INPUT_SUMMARY: summary_print(); break;
    case INPUT_HELP: log_line(AX_LOG_INFO, "%s", input_help); break;
    case INPUT_NOTHING: break;
    }
}

void keys_poll(void)
{
    uint8_t byte;

    if (keys_waiting()) {
        obey(&(InputEvent){.kind = INPUT_TEXT, .byte = held.byte});
    }
    while (!keys_waiting() && uart_get(&byte)) {
        const InputEvent event = input_parse(&parser, byte);

        obey(&event);
    }
}
