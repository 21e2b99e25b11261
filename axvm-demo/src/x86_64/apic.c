// SPDX-License-Identifier: Apache-2.0
#include "apic.h"

#include "cpu.h"
#include "layout.h"
#include "platform.h"

#include <axvcpu/hal.h>

// Registers of the local APIC: offset / 16
#define APIC_TPR       0x08u
#define APIC_EOI       0x0bu
#define APIC_SVR       0x0fu
#define APIC_ICR       0x30u
#define APIC_ICR_HIGH  0x31u
#define APIC_LVT_TIMER 0x32u
#define APIC_LVT_LAST  0x37u
#define APIC_INITIAL   0x38u
#define APIC_CURRENT   0x39u
#define APIC_DIVIDE    0x3eu

#define APIC_BASE_EXTENDED (UINT64_C(1) << 10)
#define APIC_BASE_ENABLE   (UINT64_C(1) << 11)
#define SVR_ENABLE         (UINT32_C(1) << 8)
#define LVT_MASKED         (UINT32_C(1) << 16)
#define LVT_PERIODIC       (UINT32_C(1) << 17)
#define LVT_DEADLINE       (UINT32_C(2) << 17)
#define DIVIDE_BY_1        UINT32_C(0xb)
#define ICR_PENDING        (UINT32_C(1) << 12)
#define ICR_ASSERT         (UINT32_C(1) << 14)
#define ICR_INIT           (UINT32_C(5) << 8)
#define ICR_STARTUP        (UINT32_C(6) << 8)

#define LEAF_FEATURES 1u
#define LEAF_TOPOLOGY 0xbu
#define ECX_X2APIC    (UINT32_C(1) << 21)
#define ECX_DEADLINE  (UINT32_C(1) << 24)

#define IOAPIC_SELECT  0x00u
#define IOAPIC_WINDOW  0x10u
#define IOAPIC_VERSION 0x01u
#define IOAPIC_ENTRY   0x10u // + 2 * input
#define ENTRY_LOW      (UINT32_C(1) << 13)
#define ENTRY_LEVEL    (UINT32_C(1) << 15)
#define ENTRY_MASKED   (UINT32_C(1) << 16)

#define PIC1        0x20u
#define PIC2        0xa0u
#define PIC_DATA    1u
#define PIC_ICW1    0x11u // cascaded, ICW4 follows
#define PIC_ICW4    0x01u // 8086 mode
#define PIC_CASCADE 2u

typedef struct ApicAccess {
    uint32_t (*read)(uint32_t reg);
    void (*write)(uint32_t reg, uint32_t value);
    void (*command)(uint64_t id, uint32_t command);
} ApicAccess;

static uint64_t lapic;
static uint64_t ioapic;
static const ApicAccess *access;
static bool has_deadline;
static uint64_t ids[HOST_CPUS_MAX];
// Vectors that were taken and not fetched: each has a priority class, vector / 16, of its own.
static uint32_t noted[HOST_CPUS_MAX];

static uint32_t xapic_read(uint32_t reg)
{
    return mmio_read32(lapic + UINT64_C(16) * reg);
}

static void xapic_write(uint32_t reg, uint32_t value)
{
    mmio_write32(lapic + UINT64_C(16) * reg, value);
}

static void xapic_command(uint64_t id, uint32_t command)
{
    while ((xapic_read(APIC_ICR) & ICR_PENDING) != 0) {
        cpu_pause();
    }
    xapic_write(APIC_ICR_HIGH, (uint32_t)id << 24);
    xapic_write(APIC_ICR, command);
}

static uint32_t x2apic_read(uint32_t reg)
{
    return (uint32_t)msr_read(MSR_X2APIC + reg);
}

static void x2apic_write(uint32_t reg, uint32_t value)
{
    msr_write(MSR_X2APIC + reg, value);
}

static void x2apic_command(uint64_t id, uint32_t command)
{
    msr_write(MSR_X2APIC + APIC_ICR, id << 32 | command);
}

static const ApicAccess xapic = {xapic_read, xapic_write, xapic_command};
static const ApicAccess x2apic = {x2apic_read, x2apic_write, x2apic_command};

static uint32_t ioapic_read(uint32_t reg)
{
    mmio_write32(ioapic + IOAPIC_SELECT, reg);
    return mmio_read32(ioapic + IOAPIC_WINDOW);
}

static void ioapic_write(uint32_t reg, uint32_t value)
{
    mmio_write32(ioapic + IOAPIC_SELECT, reg);
    mmio_write32(ioapic + IOAPIC_WINDOW, value);
}

static uint32_t ioapic_inputs(void)
{
    return (ioapic_read(IOAPIC_VERSION) >> 16 & 0xff) + 1;
}

static void ioapic_mask_all(void)
{
    for (uint32_t pin = 0; ioapic != 0 && pin < ioapic_inputs(); pin++) {
        ioapic_write(IOAPIC_ENTRY + 2 * pin, ENTRY_MASKED);
    }
}

// What they may have pending must not look like an exception.
static void pic_mask(void)
{
    port_write8(PIC1, PIC_ICW1);
    port_write8(PIC2, PIC_ICW1);
    port_write8(PIC1 + PIC_DATA, VECTOR_PIC);
    port_write8(PIC2 + PIC_DATA, VECTOR_PIC + 8);
    port_write8(PIC1 + PIC_DATA, 1u << PIC_CASCADE);
    port_write8(PIC2 + PIC_DATA, PIC_CASCADE);
    port_write8(PIC1 + PIC_DATA, PIC_ICW4);
    port_write8(PIC2 + PIC_DATA, PIC_ICW4);
    port_write8(PIC1 + PIC_DATA, 0xff);
    port_write8(PIC2 + PIC_DATA, 0xff);
}

uint64_t apic_id(void)
{
    if (cpuid(0, 0).eax >= LEAF_TOPOLOGY && cpuid(LEAF_TOPOLOGY, 0).ebx != 0) {
        return cpuid(LEAF_TOPOLOGY, 0).edx;
    }
    return cpuid(LEAF_FEATURES, 0).ebx >> 24;
}

void apic_init(const AcpiInfo *acpi)
{
    const uint32_t features = cpuid(LEAF_FEATURES, 0).ecx;

    lapic = acpi->lapic;
    ioapic = acpi->ioapic;
    access = (features & ECX_X2APIC) != 0 ? &x2apic : &xapic;
    has_deadline = (features & ECX_DEADLINE) != 0;
    pic_mask();
    ioapic_mask_all();
}

// A firmware may have left any of the local interrupts enabled.
void apic_init_pcpu(AxPCpuId pcpu, uint64_t id)
{
    const uint64_t base = msr_read(MSR_APIC_BASE) | APIC_BASE_ENABLE;

    ids[pcpu] = id;
    // The way to an x2APIC leads over an xAPIC that is enabled.
    msr_write(MSR_APIC_BASE, base);
    if (access == &x2apic) {
        msr_write(MSR_APIC_BASE, base | APIC_BASE_EXTENDED);
    }
    access->write(APIC_SVR, SVR_ENABLE | VECTOR_SPURIOUS);
    access->write(APIC_TPR, 0);
    for (uint32_t reg = APIC_LVT_TIMER + 1; reg <= APIC_LVT_LAST; reg++) {
        access->write(reg, LVT_MASKED);
    }
    access->write(APIC_DIVIDE, DIVIDE_BY_1);
    access->write(APIC_LVT_TIMER, VECTOR_TIMER | (has_deadline ? LVT_DEADLINE : LVT_PERIODIC));
    cpu_fence();
}

bool apic_enable_uart(const AcpiInfo *acpi)
{
    const uint64_t id = ids[this_pcpu()];

    if (ioapic == 0 || acpi->uart_pin >= ioapic_inputs() || id > UINT8_MAX) {
        return false;
    }
    ioapic_write(IOAPIC_ENTRY + 2 * acpi->uart_pin + 1, (uint32_t)id << 24);
    ioapic_write(IOAPIC_ENTRY + 2 * acpi->uart_pin, VECTOR_UART |
                                                        (acpi->uart_active_low ? ENTRY_LOW : 0) |
                                                        (acpi->uart_level ? ENTRY_LEVEL : 0));
    return true;
}

bool apic_has_deadline(void)
{
    return has_deadline;
}

void apic_timer_start(void)
{
    access->write(APIC_INITIAL, UINT32_MAX);
}

uint32_t apic_timer_elapsed(void)
{
    return UINT32_MAX - access->read(APIC_CURRENT);
}

void apic_arm(uint64_t when)
{
    if (has_deadline) {
        msr_write(MSR_TSC_DEADLINE, when);
    } else {
        access->write(APIC_INITIAL, when > UINT32_MAX ? UINT32_MAX : (uint32_t)when);
    }
}

void apic_end_of_interrupt(void)
{
    access->write(APIC_EOI, 0);
}

void apic_send_init(uint64_t id)
{
    access->command(id, ICR_ASSERT | ICR_INIT);
}

void apic_send_startup(uint64_t id, uint32_t addr)
{
    cpu_fence();
    access->command(id, ICR_ASSERT | ICR_STARTUP | addr / PAGE_SIZE);
}

// Called by vectors.S.
void irq_note(uint64_t vector);
void irq_note(uint64_t vector)
{
    noted[this_pcpu()] |= UINT32_C(1) << vector / 16;
}

// Of several the one of the highest priority, which is what the end of interrupt refers to.
uint64_t apic_next_noted(void)
{
    uint32_t *mine = &noted[this_pcpu()];

    if (*mine == 0) {
        return AX_IRQ_NONE;
    }
    const uint32_t class = 31 - (uint32_t)__builtin_clz(*mine);

    *mine &= ~(UINT32_C(1) << class);
    return UINT64_C(16) * class;
}

uint64_t irq_fetch(void)
{
    cpu_take_interrupts();
    return apic_next_noted();
}

// Nothing of an interrupt is left here between its fetch and its end.
void irq_set_active(uint64_t vector, bool active)
{
    (void)vector;
    (void)active;
}

void irq_kick(AxPCpuId pcpu)
{
    cpu_fence();
    access->command(ids[pcpu], ICR_ASSERT | VECTOR_KICK);
}

void irq_wait(void)
{
    if (noted[this_pcpu()] == 0) {
        cpu_wait();
    }
}
