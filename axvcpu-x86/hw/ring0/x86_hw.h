// SPDX-License-Identifier: Apache-2.0
// The privileged instructions of the backend, for ring 0. hw/sim/x86_hw.h has the same interface.
#pragma once

#include "../x86_hw_regs.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct X86GuestRegs;
extern const char vmx_world_exit[]; // world_switch.S

typedef struct X86CpuidResult {
    uint32_t eax;
    uint32_t ebx;
    uint32_t ecx;
    uint32_t edx;
} X86CpuidResult;

static inline X86CpuidResult x86_hw_cpuid(uint32_t leaf, uint32_t subleaf)
{
    X86CpuidResult r;

    __asm__ volatile("cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(subleaf));
    return r;
}

// X86_READ(X) and X86_WRITE(X, v) for each name of the two lists, and XCR0. They keep their order
// among themselves and against memory.
#define X86_DEFINE_MSR(name, number)                                                            \
    static inline uint64_t x86_read_##name(void)                                                \
    {                                                                                           \
        uint32_t low;                                                                           \
        uint32_t high;                                                                          \
                                                                                                \
        __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"((uint32_t)(number)) : "memory"); \
        return (uint64_t)high << 32 | low;                                                      \
    }                                                                                           \
    static inline void x86_write_##name(uint64_t value)                                         \
    {                                                                                           \
        __asm__ volatile("wrmsr"                                                                \
                         :                                                                      \
                         : "a"((uint32_t)value), "d"((uint32_t)(value >> 32)),                  \
                           "c"((uint32_t)(number))                                              \
                         : "memory");                                                           \
    }
X86_HW_MSRS(X86_DEFINE_MSR)
#undef X86_DEFINE_MSR

#define X86_DEFINE_CONTROL(name, reg)                                      \
    static inline uint64_t x86_read_##name(void)                           \
    {                                                                      \
        uint64_t value;                                                    \
                                                                           \
        __asm__ volatile("mov %%" #reg ", %0" : "=r"(value) : : "memory"); \
        return value;                                                      \
    }                                                                      \
    static inline void x86_write_##name(uint64_t value)                    \
    {                                                                      \
        __asm__ volatile("mov %0, %%" #reg : : "r"(value) : "memory");     \
    }
X86_HW_CONTROLS(X86_DEFINE_CONTROL)
#undef X86_DEFINE_CONTROL

static inline uint64_t x86_read_XCR0(void)
{
    uint32_t low;
    uint32_t high;

    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0) : "memory");
    return (uint64_t)high << 32 | low;
}

static inline void x86_write_XCR0(uint64_t value)
{
    __asm__ volatile("xsetbv"
                     :
                     : "a"((uint32_t)value), "d"((uint32_t)(value >> 32)), "c"(0)
                     : "memory");
}

#define X86_READ(name)         x86_read_##name()
#define X86_WRITE(name, value) x86_write_##name(value)

// Clears RFLAGS.IF; returns RFLAGS as it was.
static inline uint64_t x86_irq_mask(void)
{
    uint64_t flags;

    __asm__ volatile("pushfq\n\tpopq %0\n\tcli" : "=r"(flags) : : "memory");
    return flags;
}

static inline void x86_irq_restore(uint64_t flags)
{
    if ((flags & 0x200) != 0) {
        __asm__ volatile("sti" : : : "memory");
    }
}

static inline uint64_t x86_hw_tsc(void)
{
    uint32_t low;
    uint32_t high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

static inline void x86_hw_wbinvd(void)
{
    __asm__ volatile("wbinvd" : : : "memory");
}

// The machine check that ended a stay in the guest, for the host's own handler.
static inline void x86_hw_machine_check(void)
{
    __asm__ volatile("int $18" : : : "memory");
}

// x87, SSE and, with `mask` not 0, the components of `mask` that XCR0 has. 64-byte aligned.
static inline void x86_fp_save(void *area, uint64_t mask)
{
    if (mask == 0) {
        __asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
        return;
    }
    __asm__ volatile("xsave64 (%0)"
                     :
                     : "r"(area), "a"((uint32_t)mask), "d"((uint32_t)(mask >> 32))
                     : "memory");
}

static inline void x86_fp_load(const void *area, uint64_t mask)
{
    if (mask == 0) {
        __asm__ volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
        return;
    }
    __asm__ volatile("xrstor64 (%0)"
                     :
                     : "r"(area), "a"((uint32_t)mask), "d"((uint32_t)(mask >> 32))
                     : "memory");
}

// What VMLOAD loads: FS, GS, TR, LDTR, and the MSRs of SYSCALL, SYSENTER and SWAPGS.
static inline void x86_svm_vmsave(uint64_t vmcb)
{
    __asm__ volatile("vmsave %%rax" : : "a"(vmcb) : "memory");
}

// Enters the guest with `regs`, RFLAGS.IF clear, and returns after its exit. The assembly keeps RSP,
// RBP and what VMSAVE saves; all other registers are the guest's afterwards, and the compiler saves
// those it needs. So the loop around this pays for callee-saved registers once, not per entry.
static inline void x86_svm_enter(struct X86GuestRegs *regs)
{
    __asm__ volatile("call svm_world_switch"
                     : "+D"(regs)
                     :
                     : "rax", "rbx", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "r12", "r13",
                       "r14", "r15", "cc", "memory");
}

// ---- VMX ----
// Those that return bool: false is VMfail, by CF or ZF.

static inline bool x86_vmx_on(uint64_t region)
{
    bool ok;

    __asm__ volatile("vmxon %1" : "=@cca"(ok) : "m"(region) : "memory");
    return ok;
}

static inline void x86_vmx_off(void)
{
    __asm__ volatile("vmxoff" : : : "cc", "memory");
}

static inline bool x86_vmx_clear(uint64_t vmcs)
{
    bool ok;

    __asm__ volatile("vmclear %1" : "=@cca"(ok) : "m"(vmcs) : "memory");
    return ok;
}

static inline bool x86_vmx_load(uint64_t vmcs)
{
    bool ok;

    __asm__ volatile("vmptrld %1" : "=@cca"(ok) : "m"(vmcs) : "memory");
    return ok;
}

// Of the VMCS that was loaded last; a field that is none reads as 0.
static inline uint64_t x86_vmx_read(uint32_t field)
{
    uint64_t value = 0;

    __asm__ volatile("vmread %1, %0" : "+r"(value) : "r"((uint64_t)field) : "cc", "memory");
    return value;
}

static inline bool x86_vmx_write(uint32_t field, uint64_t value)
{
    bool ok;

    __asm__ volatile("vmwrite %1, %2" : "=@cca"(ok) : "r"(value), "r"((uint64_t)field) : "memory");
    return ok;
}

static inline bool x86_vmx_invept(uint64_t type, uint64_t eptp)
{
    const uint64_t descriptor[2] = {eptp, 0};
    bool ok;

    __asm__ volatile("invept %1, %2" : "=@cca"(ok) : "m"(descriptor), "r"(type) : "memory");
    return ok;
}

static inline bool x86_vmx_invvpid(uint64_t type, uint16_t vpid)
{
    const uint64_t descriptor[2] = {vpid, 0};
    bool ok;

    __asm__ volatile("invvpid %1, %2" : "=@cca"(ok) : "m"(descriptor), "r"(type) : "memory");
    return ok;
}

// Where exits arrive, for HOST_RIP.
static inline uint64_t x86_vmx_exit_address(void)
{
    return (uint64_t)(uintptr_t)vmx_world_exit;
}

// As x86_svm_enter. False when the processor refused VMLAUNCH or VMRESUME: INSTRUCTION_ERROR says
// why. The assembly keeps RSP and RBP; the segments are what the host-state fields say.
static inline bool x86_vmx_enter(struct X86GuestRegs *regs)
{
    bool ok;

    __asm__ volatile("call vmx_world_switch\n\tseta %%al"
                     : "+D"(regs), "=a"(ok)
                     :
                     : "rbx", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
                       "r15", "cc", "memory");
    return ok;
}

// The NMI of the host that ended a stay in the guest, for its own handler, whose IRET ends blocking.
static inline void x86_hw_nmi(void)
{
    __asm__ volatile("int $2" : : : "memory");
}

typedef struct X86TableRegister {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed)) X86TableRegister;

// The base of a task state segment, from its descriptor of 16 bytes.
static inline uint64_t x86_hw_task_base(uint64_t gdt_base, uint16_t selector)
{
    const uint64_t *descriptor = (const uint64_t *)(uintptr_t)(gdt_base + (selector & 0xfff8));

    return (descriptor[0] >> 16 & 0xffffff) | (descriptor[0] >> 56 << 24) | descriptor[1] << 32;
}

static inline void x86_hw_tables_save(X86HostTables *tables)
{
    X86TableRegister gdtr;
    X86TableRegister idtr;

    __asm__ volatile("sgdt %0" : "=m"(gdtr));
    __asm__ volatile("sidt %0" : "=m"(idtr));
    __asm__ volatile("mov %%es, %0" : "=rm"(tables->es));
    __asm__ volatile("mov %%cs, %0" : "=rm"(tables->cs));
    __asm__ volatile("mov %%ss, %0" : "=rm"(tables->ss));
    __asm__ volatile("mov %%ds, %0" : "=rm"(tables->ds));
    __asm__ volatile("mov %%fs, %0" : "=rm"(tables->fs));
    __asm__ volatile("mov %%gs, %0" : "=rm"(tables->gs));
    __asm__ volatile("sldt %0" : "=rm"(tables->ldtr));
    __asm__ volatile("str %0" : "=rm"(tables->tr));
    tables->gdt_base = gdtr.base;
    tables->gdt_limit = gdtr.limit;
    tables->idt_base = idtr.base;
    tables->idt_limit = idtr.limit;
    tables->tr_base = x86_hw_task_base(gdtr.base, tables->tr);
}

// What an exit leaves different: the limits of GDTR and IDTR, and LDTR.
static inline void x86_hw_tables_restore(const X86HostTables *tables)
{
    const X86TableRegister gdtr = {tables->gdt_limit, tables->gdt_base};
    const X86TableRegister idtr = {tables->idt_limit, tables->idt_base};

    __asm__ volatile("lgdt %0" : : "m"(gdtr) : "memory");
    __asm__ volatile("lidt %0" : : "m"(idtr) : "memory");
    __asm__ volatile("lldt %0" : : "rm"(tables->ldtr) : "memory");
}
