// SPDX-License-Identifier: Apache-2.0
/*
 * I/O APIC (Intel 82093AA data sheet) with the EOI register of version 0x20 (I/O Controller Hub
 * data sheets): 24 inputs that become messages to local APICs.
 *
 * Registers are 32 bits wide. A read of another width gets the low bits, or zero above them. A
 * write of another width reaches IOREGSEL and EOI, of which only the low byte counts; IOWIN ignores
 * it, so no entry is torn. Other addresses and indices read 0 and ignore writes.
 *
 * An edge that finds its input masked is lost; a level is seen again when it is unmasked. Only
 * fixed and lowest-priority delivery know levels: the other modes act on edges, whatever the entry
 * says. SMI and the reserved modes send nothing. A change of the polarity bit alone is no edge.
 *
 * All functions but init may be called on any pCPU at any time.
 */
#pragma once

#include <axvm/device.h>
#include <axvm/lock.h>

#define AX_IOAPIC_SIZE   UINT64_C(0x1000)
#define AX_IOAPIC_INPUTS 24u

/* Values as in bits 10:8 of a redirection entry. */
typedef enum AxApicMode {
    AX_APIC_FIXED = 0,
    AX_APIC_LOWEST = 1,
    AX_APIC_NMI = 4,
    AX_APIC_INIT = 5,
    AX_APIC_EXTINT = 7, /* the vector comes from the 8259 */
} AxApicMode;

/* What goes over the bus to the local APICs. Every field is the guest's: `vector` may be < 16. */
typedef struct AxApicMessage {
    AxApicMode mode;
    bool logical; /* `destination` is a set of logical destinations, else one physical APIC ID */
    bool level;   /* answered by axvm_ioapic_eoi(); only fixed and lowest priority */
    uint8_t destination;
    uint8_t vector;
} AxApicMessage;

/*
 * Called on any pCPU with the I/O APIC's lock held, in the order of the messages; may not call the
 * I/O APIC. NULL drops them.
 */
typedef struct AxApicBus {
    void (*deliver)(void *ctx, const AxApicMessage *message);
    void *ctx;
} AxApicBus;

typedef struct AxIoApic {
    AxLock lock;
    AxApicBus bus;
    uint32_t active_low; /* bit n: a device that asserts input n pulls it low */
    uint32_t asserted;
    uint8_t select;
    uint8_t id;
    uint8_t arbitration;
    uint64_t entries[AX_IOAPIC_INPUTS];
} AxIoApic;

/*
 * `active_low` is the wiring of the board, one bit per input, what the guest learns from the MADT;
 * an entry whose polarity does not fit sees its input the wrong way round.
 */
void axvm_ioapic_init(AxIoApic *ioapic, AxApicBus bus, uint32_t active_low);

/* Power-on values: all entries masked; nothing is asserted until driven anew. */
void axvm_ioapic_reset(AxIoApic *ioapic);

/*
 * A local APIC ended a level-triggered interrupt: every level entry with this vector may send
 * again, and does at once when its input is still active.
 */
void axvm_ioapic_eoi(AxIoApic *ioapic, uint8_t vector);

/* `device` is the AxIoApic, the range AX_IOAPIC_SIZE. */
extern const AxDeviceOps axvm_ioapic_ops;

/* An AxIrqLine.set; `high` = asserted, whatever the wiring. Inputs past the last are ignored. */
void axvm_ioapic_set_input(void *controller, uint32_t input, bool high);

static inline AxIrqLine axvm_ioapic_line(AxIoApic *ioapic, uint32_t input)
{
    return (AxIrqLine){.set = axvm_ioapic_set_input, .controller = ioapic, .irq = input};
}
