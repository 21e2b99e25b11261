// SPDX-License-Identifier: Apache-2.0
// Readable dumps of our own exceptions (SDM 3, 6.15).
#include "fault.h"

#include "cpu.h"
#include "crash.h"
#include "log.h"
#include "platform.h"

// By vector.
static const char *const exceptions[] = {
    [0] = "divide error (#DE)",
    [1] = "debug exception (#DB)",
    [2] = "non-maskable interrupt",
    [3] = "breakpoint (#BP)",
    [4] = "overflow (#OF)",
    [5] = "BOUND range exceeded (#BR)",
    [6] = "invalid opcode (#UD)",
    [7] = "no FPU (#NM)",
    [8] = "double fault (#DF)",
    [10] = "invalid TSS (#TS)",
    [11] = "segment not present (#NP)",
    [12] = "stack-segment fault (#SS)",
    [13] = "general protection (#GP)",
    [14] = "page fault (#PF)",
    [16] = "x87 error (#MF)",
    [17] = "alignment check (#AC)",
    [18] = "machine check (#MC)",
    [19] = "SIMD error (#XM)",
    [20] = "virtualization exception (#VE)",
    [21] = "control protection (#CP)",
    [30] = "security exception (#SX)",
};

static void report_registers(const FaultFrame *frame)
{
    log_line(AX_LOG_ERROR, "rax 0x%016lx  rbx 0x%016lx  rcx 0x%016lx", frame->rax, frame->rbx,
             frame->rcx);
    log_line(AX_LOG_ERROR, "rdx 0x%016lx  rsi 0x%016lx  rdi 0x%016lx", frame->rdx, frame->rsi,
             frame->rdi);
    log_line(AX_LOG_ERROR, "rbp 0x%016lx  rsp 0x%016lx  rip 0x%016lx", frame->rbp, frame->rsp,
             frame->rip);
    for (size_t i = 0; i < 8; i += 2) {
        log_line(AX_LOG_ERROR, "r%-2zu 0x%016lx  r%-2zu 0x%016lx", i + 8, frame->r[i], i + 9,
                 frame->r[i + 1]);
    }
    log_line(AX_LOG_ERROR, "cs 0x%lx  ss 0x%lx  rflags 0x%lx  cr0 0x%lx  cr3 0x%lx  cr4 0x%lx",
             frame->cs, frame->ss, frame->rflags, CPU_READ(cr0), CPU_READ(cr3), CPU_READ(cr4));
}

void fault_report(const FaultFrame *frame)
{
    crash_begin();
    log_line(AX_LOG_ERROR, "the hypervisor took an exception");
    log_line(AX_LOG_ERROR, "vector %lu: %s, error code 0x%lx, cr2 0x%016lx", frame->vector,
             crash_name(exceptions, sizeof(exceptions) / sizeof(exceptions[0]), frame->vector),
             frame->error, CPU_READ(cr2));
    report_registers(frame);
    crash_backtrace(frame->rbp);
    platform_exit(false);
}
