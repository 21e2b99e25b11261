// SPDX-License-Identifier: Apache-2.0
#include <axvcpu/exit.h>

#include "internal.h"

#define EXIT_NAME(symbol, name) [symbol] = name,
static const char *const names[AX_EXIT_COUNT] = {AX_EXIT_LIST(EXIT_NAME)};
#undef EXIT_NAME

// The [complete] marks of exit.h. Kinds that are not named here wait for nothing. An MMIO access
// may also turn out to hit RAM that is mapped on demand, which is answered by a retry.
const uint8_t axvcpu_completions[AX_EXIT_COUNT] = {
    [AX_EXIT_HYPERCALL] = AX_COMPLETE_CALL,
    [AX_EXIT_MMIO_READ] = AX_COMPLETE_READ | AX_COMPLETE_RETRY,
    [AX_EXIT_MMIO_WRITE] = AX_COMPLETE_WRITE | AX_COMPLETE_RETRY,
    [AX_EXIT_SYSREG_READ] = AX_COMPLETE_READ,
    [AX_EXIT_SYSREG_WRITE] = AX_COMPLETE_WRITE,
    [AX_EXIT_IO_READ] = AX_COMPLETE_READ,
    [AX_EXIT_IO_WRITE] = AX_COMPLETE_WRITE,
    [AX_EXIT_NESTED_PAGE_FAULT] = AX_COMPLETE_RETRY,
    [AX_EXIT_CPU_UP] = AX_COMPLETE_CALL,
    [AX_EXIT_CPU_STATUS] = AX_COMPLETE_CALL,
    [AX_EXIT_SEND_IPI] = AX_COMPLETE_CALL,
    [AX_EXIT_REMOTE_FENCE] = AX_COMPLETE_CALL,
    [AX_EXIT_INTERRUPT_ACKNOWLEDGE] = AX_COMPLETE_READ,
    [AX_EXIT_CONSOLE_WRITE] = AX_COMPLETE_CALL,
    [AX_EXIT_CONSOLE_READ] = AX_COMPLETE_CALL,
};

const char *axvcpu_exit_name(AxVCpuExitReason reason)
{
    return (unsigned)reason < AX_EXIT_COUNT ? names[reason] : "?";
}
