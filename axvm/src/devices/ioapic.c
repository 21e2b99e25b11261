// SPDX-License-Identifier: Apache-2.0
#include <axvm/devices/ioapic.h>

#include <string.h>

// The address map (82093AA data sheet, table 2; EOI: I/O Controller Hub).
#define IOREGSEL UINT64_C(0x00)
#define IOWIN    UINT64_C(0x10)
#define EOI      UINT64_C(0x40)

#define INDEX_ID      0x00u
#define INDEX_VERSION 0x01u
#define INDEX_ARB     0x02u
#define INDEX_ENTRIES 0x10u // two each: bits 31:0, then 63:32

#define VERSION     (UINT32_C(0x20) | (AX_IOAPIC_INPUTS - 1) << 16)
#define ID_SHIFT    24
#define ID_MASK     0x0fu
#define INPUTS_MASK (UINT32_MAX >> (32 - AX_IOAPIC_INPUTS))

#define ENTRY_VECTOR            UINT64_C(0xff)
#define ENTRY_MODE_SHIFT        8
#define ENTRY_MODE_MASK         7u
#define ENTRY_LOGICAL           (UINT64_C(1) << 11)
#define ENTRY_ACTIVE_LOW        (UINT64_C(1) << 13)
#define ENTRY_REMOTE_IRR        (UINT64_C(1) << 14)
#define ENTRY_LEVEL             (UINT64_C(1) << 15)
#define ENTRY_MASKED            (UINT64_C(1) << 16)
#define ENTRY_DESTINATION_SHIFT 56
// Remote IRR and delivery status (always idle: messages leave at once) are read-only.
#define ENTRY_LOW_WRITABLE  UINT64_C(0x1afff)
#define ENTRY_HIGH_WRITABLE (UINT64_C(0xff) << ENTRY_DESTINATION_SHIFT)

// All below: with the lock held, except where it says otherwise.

// ---- messages ----

// By delivery mode.
static const struct {
    bool sends;
    bool knows_levels;
} modes[ENTRY_MODE_MASK + 1] = {
    [AX_APIC_FIXED] = {true, true}, [AX_APIC_LOWEST] = {true, true},  [AX_APIC_NMI] = {true, false},
    [AX_APIC_INIT] = {true, false}, [AX_APIC_EXTINT] = {true, false},
};

static uint32_t mode_of(uint64_t entry)
{
    return (uint32_t)(entry >> ENTRY_MODE_SHIFT) & ENTRY_MODE_MASK;
}

static bool is_level(uint64_t entry)
{
    return (entry & ENTRY_LEVEL) != 0 && modes[mode_of(entry)].knows_levels;
}

static void send(const AxIoApic *ioapic, uint64_t entry)
{
    const AxApicMessage message = {
        .mode = (AxApicMode)mode_of(entry),
        .logical = (entry & ENTRY_LOGICAL) != 0,
        .level = is_level(entry),
        .destination = (uint8_t)(entry >> ENTRY_DESTINATION_SHIFT),
        .vector = (uint8_t)(entry & ENTRY_VECTOR),
    };

    if (modes[mode_of(entry)].sends && ioapic->bus.deliver != NULL) {
        ioapic->bus.deliver(ioapic->bus.ctx, &message);
    }
}

// Whether the entry sees its input active, in the polarity it was told.
static bool is_active(const AxIoApic *ioapic, uint32_t input)
{
    const bool pin_high = ((ioapic->asserted ^ ioapic->active_low) >> input & 1) != 0;

    return pin_high != ((ioapic->entries[input] & ENTRY_ACTIVE_LOW) != 0);
}

// A level sends once until the local APIC ends it.
static void serve_level(AxIoApic *ioapic, uint32_t input)
{
    uint64_t *entry = &ioapic->entries[input];

    if (!is_level(*entry) || (*entry & (ENTRY_MASKED | ENTRY_REMOTE_IRR)) != 0 ||
        !is_active(ioapic, input)) {
        return;
    }
    *entry |= ENTRY_REMOTE_IRR;
    send(ioapic, *entry);
}

static void serve_change(AxIoApic *ioapic, uint32_t input)
{
    const uint64_t entry = ioapic->entries[input];

    if (is_level(entry)) {
        serve_level(ioapic, input);
    } else if ((entry & ENTRY_MASKED) == 0 && is_active(ioapic, input)) {
        send(ioapic, entry);
    }
}

static void end_interrupt(AxIoApic *ioapic, uint8_t vector)
{
    for (uint32_t input = 0; input < AX_IOAPIC_INPUTS; input++) {
        uint64_t *entry = &ioapic->entries[input];

        if ((*entry & ENTRY_VECTOR) == vector && (*entry & ENTRY_REMOTE_IRR) != 0) {
            *entry &= ~ENTRY_REMOTE_IRR;
            serve_level(ioapic, input);
        }
    }
}

// ---- registers ----

static bool is_entry(uint8_t index)
{
    return index >= INDEX_ENTRIES && index < INDEX_ENTRIES + 2 * AX_IOAPIC_INPUTS;
}

static uint32_t read_entry(const AxIoApic *ioapic, uint32_t word)
{
    return (uint32_t)(ioapic->entries[word / 2] >> word % 2 * 32);
}

// A switch to edges forgets the level that waits for its end.
static void write_entry(AxIoApic *ioapic, uint32_t word, uint32_t value)
{
    const uint64_t writable = word % 2 == 0 ? ENTRY_LOW_WRITABLE : ENTRY_HIGH_WRITABLE;
    uint64_t *entry = &ioapic->entries[word / 2];

    *entry = (*entry & ~writable) | ((uint64_t)value << word % 2 * 32 & writable);
    if ((*entry & ENTRY_LEVEL) == 0) {
        *entry &= ~ENTRY_REMOTE_IRR;
    }
    serve_level(ioapic, word / 2);
}

static uint32_t read_window(const AxIoApic *ioapic)
{
    if (is_entry(ioapic->select)) {
        return read_entry(ioapic, ioapic->select - INDEX_ENTRIES);
    }
    switch (ioapic->select) {
    case INDEX_ID: return (uint32_t)ioapic->id << ID_SHIFT;
    case INDEX_VERSION: return VERSION;
    case INDEX_ARB: return (uint32_t)ioapic->arbitration << ID_SHIFT;
    default: return 0;
    }
}

// The arbitration ID is loaded with the ID.
static void write_window(AxIoApic *ioapic, uint32_t value)
{
    if (is_entry(ioapic->select)) {
        write_entry(ioapic, ioapic->select - INDEX_ENTRIES, value);
    } else if (ioapic->select == INDEX_ID) {
        ioapic->id = (uint8_t)(value >> ID_SHIFT & ID_MASK);
        ioapic->arbitration = ioapic->id;
    }
}

static uint32_t read_register(const AxIoApic *ioapic, uint64_t offset)
{
    switch (offset) {
    case IOREGSEL: return ioapic->select;
    case IOWIN: return read_window(ioapic);
    default: return 0;
    }
}

static void write_register(AxIoApic *ioapic, uint64_t offset, AccessWidth width, uint32_t value)
{
    if (offset == IOREGSEL) {
        ioapic->select = (uint8_t)value;
    } else if (offset == EOI) {
        end_interrupt(ioapic, (uint8_t)value);
    } else if (offset == IOWIN && width == AX_WIDTH_DWORD) {
        write_window(ioapic, value);
    }
}

static AxError ioapic_read(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                           uint64_t *value)
{
    AxIoApic *ioapic = device;

    (void)vcpu;
    ax_lock(&ioapic->lock);
    *value = read_register(ioapic, offset) & ax_width_mask(width);
    ax_unlock(&ioapic->lock);
    return AX_OK;
}

static AxError ioapic_write(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                            uint64_t value)
{
    AxIoApic *ioapic = device;

    (void)vcpu;
    ax_lock(&ioapic->lock);
    write_register(ioapic, offset, width, (uint32_t)value);
    ax_unlock(&ioapic->lock);
    return AX_OK;
}

const AxDeviceOps axvm_ioapic_ops = {
    .name = "I/O APIC",
    .read = ioapic_read,
    .write = ioapic_write,
};

// ---- inputs ----

void axvm_ioapic_set_input(void *controller, uint32_t input, bool high)
{
    AxIoApic *ioapic = controller;

    if (input >= AX_IOAPIC_INPUTS) {
        return;
    }
    ax_lock(&ioapic->lock);
    if (((ioapic->asserted >> input & 1) != 0) != high) {
        ioapic->asserted ^= UINT32_C(1) << input;
        serve_change(ioapic, input);
    }
    ax_unlock(&ioapic->lock);
}

void axvm_ioapic_eoi(AxIoApic *ioapic, uint8_t vector)
{
    ax_lock(&ioapic->lock);
    end_interrupt(ioapic, vector);
    ax_unlock(&ioapic->lock);
}

// ---- life ----

void axvm_ioapic_init(AxIoApic *ioapic, AxApicBus bus, uint32_t active_low)
{
    memset(ioapic, 0, sizeof(*ioapic));
    ioapic->bus = bus;
    ioapic->active_low = active_low & INPUTS_MASK;
    axvm_ioapic_reset(ioapic);
}

void axvm_ioapic_reset(AxIoApic *ioapic)
{
    ax_lock(&ioapic->lock);
    ioapic->asserted = 0;
    ioapic->select = 0;
    ioapic->id = 0;
    ioapic->arbitration = 0;
    for (uint32_t input = 0; input < AX_IOAPIC_INPUTS; input++) {
        ioapic->entries[input] = ENTRY_MASKED;
    }
    ax_unlock(&ioapic->lock);
}
