// SPDX-License-Identifier: Apache-2.0
/*
 * A virtual CPU on AMD SVM (AMD64 APM volume 2, chapter 15) or Intel VMX (SDM volume 3, chapters 24 to
 * 32). Complete types to embed; the fields are private to the backend. The host runs in ring 0 of
 * 64-bit mode with four-level paging, with TR loaded, and its C code uses no x87, SSE or AVX register,
 * between bind and unbind of a vCPU.
 *
 * Interrupts are off during a run, and on only while the guest runs. AxVCpuHal.irq_fetch is called
 * with an interrupt that is pending and not acknowledged: the host lets it arrive (STI, NOP, CLI) and
 * returns the number that its handler saw.
 *
 * AX_EXIT_HYPERCALL is VMMCALL on SVM, VMCALL on VMX, at CPL 0 (elsewhere it is #UD): nr is RAX, args are RDI, RSI, RDX,
 * R10, R8, R9. The answer goes to RAX: `value`, or with an error -1000 - AxError.
 *
 * The local APIC is the backend's: the page at 0xfee00000, which the VM layer leaves unmapped, and
 * the MSRs of x2APIC. Its id is the vCPU id.
 */
#pragma once

#include <axvcpu-x86/percpu.h>
#include <axvcpu-x86/sysregs.h>
#include <axvcpu/arch.h>

/*
 * tsc_hz: ticks of the processor's time stamp counter per second; AX_EINVAL for 0.
 * guest_tsc_hz: of the guest's, 0 for the same. Another needs a processor with TSC scaling (AX_ENOTSUP)
 * and a ratio that it has, below 256 on SVM, 65536 on VMX (AX_EINVAL).
 */
typedef struct X86VCpuCreateConfig {
    uint64_t tsc_hz;
    uint64_t guest_tsc_hz;
} X86VCpuCreateConfig;

/*
 * trap_wait: HLT leaves the guest as AX_EXIT_IDLE. Needed as soon as the pCPU has something else to
 * run; without it the pCPU waits in the guest, which costs no exit.
 * passthrough_interrupt, passthrough_timer: as in the originals. Not offered: AX_ENOTSUP when set.
 */
typedef struct X86VCpuSetupConfig {
    bool trap_wait;
    bool passthrough_interrupt;
    bool passthrough_timer;
} X86VCpuSetupConfig;

/* General state of the guest at an exit, and what the world switch needs: see world_switch.S. */
typedef struct X86GuestRegs {
    uint64_t gpr[16]; /* in the order of their encoding */
    uint64_t rip;
    uint64_t rflags;
    uint64_t vmcb; /* SVM: host-physical address */
    uint64_t host_vmcb;
    uint64_t launched; /* VMX: 1 when VMRESUME is due */
    uint64_t host_rsp; /* VMX: what the field has */
} X86GuestRegs;

typedef enum X86EventType {
    X86_EVENT_INTERRUPT = 0,
    X86_EVENT_NMI = 2,
    X86_EVENT_EXCEPTION = 3,
    X86_EVENT_SOFTWARE = 4,
} X86EventType;

/* Something to be delivered through the guest's IDT, or that was being delivered at an exit. */
typedef struct X86Event {
    bool valid;
    uint8_t vector;
    X86EventType type;
    bool has_error_code;
    uint32_t error_code;
} X86Event;

/* Causes of exits, the same for all vendors. */
typedef enum X86ExitKind {
    X86_EXIT_UNKNOWN, /* raw has the vendor's own number */
    X86_EXIT_FAIL_ENTRY,
    X86_EXIT_EXTERNAL_INTERRUPT,
    X86_EXIT_NMI,
    X86_EXIT_INTERRUPT_WINDOW,
    X86_EXIT_NMI_WINDOW, /* NMIs are not blocked any more ... */
    X86_EXIT_IRET,       /* ... or will not be after the IRET at RIP */
    X86_EXIT_TPR_WRITE,  /* MOV to CR8 */
    X86_EXIT_EXCEPTION,
    X86_EXIT_MACHINE_CHECK,
    X86_EXIT_HYPERCALL,
    X86_EXIT_HALT,
    X86_EXIT_CPUID,
    X86_EXIT_IO,
    X86_EXIT_MSR,
    X86_EXIT_NESTED_FAULT,
    X86_EXIT_SHUTDOWN,
    X86_EXIT_XSETBV,
    X86_EXIT_CACHE,       /* INVD, WBINVD */
    X86_EXIT_UNDEFINED,   /* an instruction that guests do not have */
    X86_EXIT_REFUSED,     /* ... or have, but not with that operand */
    X86_EXIT_TASK_SWITCH, /* VMX; SVM's processors carry them out themselves */
    X86_EXIT_CONTROL,     /* MOV to CR0 or CR4 that changes what is not the guest's own */
    X86_EXIT_APIC_EOI,    /* of a level interrupt; the processor has done the rest */
    X86_EXIT_KIND_COUNT
} X86ExitKind;

/* What began a task switch, as VMX numbers it. */
typedef enum X86TaskSource {
    X86_TASK_CALL,
    X86_TASK_IRET,
    X86_TASK_JUMP,
    X86_TASK_GATE, /* of the IDT */
} X86TaskSource;

typedef struct X86Exit {
    X86ExitKind kind;
    uint8_t length; /* of the instruction; 0 when it is none */
    uint64_t raw;   /* EXITCODE, or the exit reason */
    uint64_t info;  /* EXITINFO1, or the exit qualification */
    X86Event event; /* that was being delivered */
    union {
        struct {
            uint16_t port;
            uint8_t width;
            uint8_t address_size; /* of string forms, and segment of OUTS: by io.c */
            uint8_t segment;
            bool in;
            bool string;
            bool repeat;
        } io;
        struct {
            bool write;
        } msr;
        struct {
            uint8_t number;
            uint64_t value;
        } control;
        struct {
            uint16_t selector; /* of the new TSS */
            X86TaskSource source;
        } task;
        struct {
            uint8_t vector;
        } eoi;
        struct {
            uint64_t gpa;
            MappingFlags access;
            bool present;
            bool walk;
        } fault;
        struct {
            uint8_t vector;
            bool has_error_code;
            uint32_t error_code;
        } exception;
    };
} X86Exit;

/*
 * Interrupt numbers of a vCPU: 16 to 255 are vectors of its local APIC. An edge sets IRR; a level
 * sets it again until it is lowered, and the end of its handling leaves as AX_EXIT_INTERRUPT_END.
 * X86_IRQ_EXTINT, a level, is the INTR output of a pair of 8259s: it reaches the guest through LINT0
 * in ExtINT mode, or directly while the local APIC is disabled in IA32_APIC_BASE. When the guest can
 * take it the vCPU leaves with AX_EXIT_INTERRUPT_ACKNOWLEDGE; the answer is the vector that the
 * 8259s give, refused nothing is delivered. vCPU 0 starts with LINT0 as firmware leaves it (ExtINT,
 * not masked), the others with all of their LVT masked.
 */
#define X86_IRQ_FIRST  16u
#define X86_IRQ_LAST   255u
#define X86_IRQ_EXTINT 256u

/* The registers of a local APIC that have bits of their own (SDM volume 3, chapter 11). */
#define X86_LVT_COUNT 6u

typedef struct X86Lapic {
    uint64_t base; /* IA32_APIC_BASE */
    uint32_t tpr;
    uint32_t ldr;
    uint32_t dfr;
    uint32_t svr;
    uint8_t esr[2]; /* as read, and what the next write to it makes readable */
    uint64_t icr;
    uint32_t lvt[X86_LVT_COUNT];
    uint32_t isr[8];
    uint32_t irr[8];
    uint32_t tmr[8];
    bool changed; /* since a vendor that has a copy of the registers took them */
    bool nmi_pending;
    bool nmi_blocked; /* until IRET */
    /* The IRET at iret_rip ends that; single-stepped for an NMI that waits, with DR6 as it was. */
    bool iret_due;
    bool iret_stepped;
    uint64_t iret_rip;
    uint64_t iret_dr6;
    bool intr; /* the level of X86_IRQ_EXTINT */
    /* Acknowledged, and not yet delivered. The event that is being delivered is of that sort. */
    bool extint_due;
    uint8_t extint_vector;
    bool extint_in_flight;
    /* Start-up messages to be handed out, one exit each: processors by bit, and the vector. */
    uint64_t startup_list;
    uint64_t startup_cpu;
    uint8_t startup_vector;
    /* Read by irq_state on other pCPUs, as of the last exit from run: IRR and ISR. */
    _Atomic uint64_t pending[4];
    _Atomic uint64_t active[4];
    bool look_again;  /* before the next entry, whatever the events say */
    uint32_t windows; /* that are open */
} X86Lapic;

/* Timer of the local APIC; all times are AxVCpuHal.now_ns. */
typedef struct X86VTimer {
    uint32_t initial;
    uint32_t divide;     /* the register */
    uint64_t started;    /* when the count began */
    uint64_t tsc;        /* IA32_TSC_DEADLINE, 0: off */
    uint64_t deadline;   /* AX_DEADLINE_NONE: off */
    uint64_t announced;  /* what set_deadline was last called for */
    uint64_t tsc_offset; /* guest TSC - scaled host TSC, the same for all vCPUs of a VM */
    uint64_t tsc_adjust; /* IA32_TSC_ADJUST: what the guest itself has added to it */
} X86VTimer;

/* The state of a local APIC that a snapshot holds, for X86_REG_APIC. */
typedef enum X86ApicReg {
    X86_APIC_TPR,
    X86_APIC_LDR,
    X86_APIC_DFR,
    X86_APIC_SVR,
    X86_APIC_ESR,
    X86_APIC_ICR,
    X86_APIC_LVT,                                /* six entries from the timer's on */
    X86_APIC_ISR = X86_APIC_LVT + X86_LVT_COUNT, /* four pieces of 64 vectors each */
    X86_APIC_IRR = X86_APIC_ISR + 4,
    X86_APIC_TMR = X86_APIC_IRR + 4,
    X86_APIC_NMI = X86_APIC_TMR + 4, /* bit 0: pending, bit 1: blocked until IRET */
    X86_APIC_EXTINT,                 /* acknowledged and not delivered: bit 8, and its vector */
    X86_APIC_TIMER_INITIAL,
    X86_APIC_TIMER_DIVIDE,
    X86_APIC_TSC_DEADLINE,
    X86_APIC_TIMER_LEFT, /* ns until it fires, AX_DEADLINE_NONE when it is off */
    X86_APIC_REG_COUNT
} X86ApicReg;

/* Whether a vCPU runs instructions at all. */
typedef enum X86Activity {
    X86_ACTIVE,
    X86_HALTED,   /* HLT, until something is delivered */
    X86_SHUTDOWN, /* a triple fault */
    X86_ACTIVITY_COUNT
} X86Activity;

/* What the instruction that left has still to do when the guest goes on. */
typedef enum X86Due {
    X86_DUE_NONE,
    X86_DUE_MMIO,    /* another piece of an access, or its second half */
    X86_DUE_STARTUP, /* more start-up messages */
} X86Due;

/* An access that leaves as MMIO: in pieces where it is wide or lies in two pages. */
typedef struct X86Mmio {
    uint8_t instruction[96]; /* as decoded */
    uint64_t gpa[2];         /* where it begins, and where it goes on in the next page ... */
    uint8_t first;           /* ... after so many bytes */
    uint8_t width;           /* bytes in all */
    uint8_t done;
    uint8_t piece; /* bytes in the exit that waits */
    bool is_write;
    uint64_t data[2];
} X86Mmio;

/* Where guest memory was found; true as long as nothing was flushed from the nested tables since. */
typedef struct X86Lookup {
    uint64_t page; /* guest-physical page number */
    uint64_t flushes;
    uint8_t *memory;     /* of the page; NULL: nothing yet */
    MappingFlags rights; /* of those that were asked for */
} X86Lookup;

#define X86_LOOKUPS 8u

struct X86Vendor;

typedef struct X86VCpu {
    X86GuestRegs regs; /* first: offsets are shared with world_switch.S */
    AxArchVCpuEnv env;
    const struct X86Vendor *vendor;
    X86PerCpu *percpu; /* NULL when not bound */
    /* Where it was bound before, NULL at first: the guest's own flushes were not heard elsewhere. */
    const X86PerCpu *last_percpu;
    AxEptRoot *ept;
    uint64_t tag;     /* while bound */
    uint64_t flushes; /* AxEptRoot.flushes that this vCPU has heeded */
    X86VCpuCreateConfig create;
    uint64_t tsc_hz;        /* of the guest */
    uint64_t tsc_ratio;     /* to the host's, 0 when it is 1 ... */
    uint8_t tsc_ratio_bits; /* ... and how many bits of it are the fraction */
    bool trap_wait;
    HostPhysAddr control; /* VMCB, or VMCS and what goes with it */
    void *control_memory; /* SVM: where it is */
    HostPhysAddr fp;      /* image for XSAVE, not up to date while bound */
    uint64_t xcr0;
    uint64_t dr[4]; /* not up to date while bound */
    X86Exit exit;
    X86Event event;   /* to be delivered at the next entry */
    X86Mmio mmio;     /* that is being completed */
    uint8_t due;      /* X86Due */
    uint8_t activity; /* X86Activity */
    bool shadow;      /* STI or MOV SS: no interrupt after the instruction that left */
    X86Lapic lapic;
    X86VTimer timer;
    X86Lookup lookups[X86_LOOKUPS]; /* by page number ... */
    X86Lookup *lookup_cache;        /* ... which looking up may change in a vCPU that is const */
    uint64_t system_time;           /* MSR of KVM's clock */
} X86VCpu;

extern const AxArchVCpuOps x86_vcpu_ops;

/* The format of nested page tables of this processor. */
const AxEptFormat *x86_ept_format(void);

/*
 * Register ids beyond the general ones, see AX_REG_ARCH. A new vCPU is in real mode as after INIT;
 * an entry below 1 MiB sets CS to its segment, above it RIP alone.
 * STARTUP: writing the vector v of a start-up IPI starts it in real mode at v << 12; reads 0.
 */
#define X86_REG_RFLAGS       (AX_REG_ARCH + 0u)
#define X86_REG_STARTUP      (AX_REG_ARCH + 1u)
#define X86_REG_XCR0         (AX_REG_ARCH + 2u)
#define X86_REG_TSC_OFFSET   (AX_REG_ARCH + 3u)
#define X86_REG_APIC_BASE    (AX_REG_ARCH + 4u)
#define X86_REG_SYSTEM_TIME  (AX_REG_ARCH + 5u) /* the MSR; the page behind it stays as it is */
#define X86_REG_TSC_ADJUST   (AX_REG_ARCH + 7u) /* moves no TSC: see TSC_OFFSET */
#define X86_REG_ACTIVITY     (AX_REG_ARCH + 6u) /* X86Activity */
#define X86_REG_DR(n)        (AX_REG_ARCH + 8u + (AxRegId)(n))        /* 0 to 3 */
#define X86_REG_APIC(n)      (AX_REG_ARCH + 0x100u + (AxRegId)(n))    /* X86ApicReg */
#define X86_REG_FIELD(field) (AX_REG_ARCH + 0x20u + (AxRegId)(field)) /* X86Field */
#define X86_REG_FP(n)        (AX_REG_ARCH + 0x200u + (AxRegId)(n)) /* 8 bytes of the XSAVE image */
