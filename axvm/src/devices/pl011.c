// SPDX-License-Identifier: Apache-2.0
#include <axvm/devices/pl011.h>

#include <string.h>

#define DR_OVERRUN (UINT32_C(1) << 11)
#define DR_FLAGS   UINT32_C(0xf00)
#define RSR_OE     (UINT32_C(1) << 3)

#define FR_CTS_DSR_DCD UINT32_C(7) // a terminal that is always there
#define FR_RXFE        (UINT32_C(1) << 4)
#define FR_RXFF        (UINT32_C(1) << 6)
#define FR_TXFE        (UINT32_C(1) << 7)

#define LCR_H_FEN   (UINT32_C(1) << 4)
#define LCR_H_RESET (LCR_H_FEN | UINT32_C(0x60)) // 8 bits, FIFOs on

#define CR_UARTEN UINT32_C(1)
#define CR_LBE    (UINT32_C(1) << 7)
#define CR_TXE    (UINT32_C(1) << 8)
#define CR_RXE    (UINT32_C(1) << 9)
#define CR_RESET  (CR_UARTEN | CR_TXE | CR_RXE)

#define IFLS_RESET UINT32_C(0x12)

#define INT_RX  (UINT32_C(1) << 4)
#define INT_TX  (UINT32_C(1) << 5)
#define INT_RT  (UINT32_C(1) << 6)
#define INT_OE  (UINT32_C(1) << 10)
#define INT_ALL UINT32_C(0x7ff)

// All below: with the lock held, except where it says otherwise.

static void update_line(AxPl011 *uart)
{
    const bool high = (uart->ris & uart->imsc) != 0;

    if (high != uart->line_high) {
        uart->line_high = high;
        axvm_irq_set(&uart->line, high);
    }
}

// ---- receiving ----

static bool fifo_is_on(const AxPl011 *uart)
{
    return (uart->lcr_h & LCR_H_FEN) != 0;
}

static uint32_t fifo_depth(const AxPl011 *uart)
{
    return fifo_is_on(uart) ? AX_PL011_FIFO : 1;
}

// Bytes at which the receive interrupt comes: 1/8, 1/4, 1/2, 3/4, 7/8 of the FIFO.
static uint32_t receive_trigger(const AxPl011 *uart)
{
    static const uint8_t levels[8] = {4, 8, 16, 24, 28, 28, 28, 28}; // 5..7 are reserved

    return fifo_is_on(uart) ? levels[(uart->ifls >> 3) & 7] : 1;
}

static bool is_receiving(const AxPl011 *uart)
{
    return (uart->cr & (CR_UARTEN | CR_RXE)) == (CR_UARTEN | CR_RXE);
}

static void push_byte(AxPl011 *uart, uint8_t byte)
{
    const uint32_t flags = uart->overrun ? DR_OVERRUN : 0;

    uart->overrun = false;
    uart->fifo[(uart->head + uart->count) % AX_PL011_FIFO] = (uint16_t)(byte | flags);
    uart->count++;
    if (fifo_is_on(uart)) {
        uart->ris |= INT_RT;
    }
    if (uart->count >= receive_trigger(uart)) {
        uart->ris |= INT_RX;
    }
}

static uint32_t pop_byte(AxPl011 *uart)
{
    uint32_t value;

    if (uart->count == 0) {
        return 0;
    }
    value = uart->fifo[uart->head];
    uart->head = (uart->head + 1) % AX_PL011_FIFO;
    uart->count--;
    uart->errors = (uart->errors & RSR_OE) | (value & DR_FLAGS) >> 8;
    if (uart->count == 0) {
        uart->ris &= ~INT_RT;
    }
    if (uart->count < receive_trigger(uart)) {
        uart->ris &= ~INT_RX;
    }
    return value;
}

static void flush(AxPl011 *uart)
{
    uart->head = 0;
    uart->count = 0;
    uart->ris &= ~(INT_RX | INT_RT);
}

// A byte that nobody can hold back.
static void loop_back(AxPl011 *uart, uint8_t byte)
{
    if (!is_receiving(uart)) {
        return;
    }
    if (uart->count < fifo_depth(uart)) {
        push_byte(uart, byte);
        return;
    }
    uart->overrun = true;
    uart->errors |= RSR_OE;
    uart->ris |= INT_OE;
}

bool axvm_pl011_receive(AxPl011 *uart, uint8_t byte)
{
    bool taken;

    ax_lock(&uart->lock);
    taken = is_receiving(uart) && (uart->cr & CR_LBE) == 0 && uart->count < fifo_depth(uart);
    if (taken) {
        push_byte(uart, byte);
        update_line(uart);
    }
    ax_unlock(&uart->lock);
    return taken;
}

// ---- registers ----

static uint32_t read_dr(AxPl011 *uart)
{
    return pop_byte(uart);
}

// The byte leaves in write(), without the lock.
static void write_dr(AxPl011 *uart, uint32_t value)
{
    if ((uart->cr & (CR_UARTEN | CR_TXE)) != (CR_UARTEN | CR_TXE)) {
        return;
    }
    uart->ris |= INT_TX; // the transmitter has become empty
    if ((uart->cr & CR_LBE) != 0) {
        loop_back(uart, (uint8_t)value);
    }
}

static uint32_t read_rsr(AxPl011 *uart)
{
    return uart->errors;
}

static void write_ecr(AxPl011 *uart, uint32_t value)
{
    (void)value;
    uart->errors = 0;
}

static uint32_t read_fr(AxPl011 *uart)
{
    return FR_TXFE | FR_CTS_DSR_DCD | (uart->count == 0 ? FR_RXFE : 0) |
           (uart->count >= fifo_depth(uart) ? FR_RXFF : 0);
}

static uint32_t read_ilpr(AxPl011 *uart)
{
    return uart->ilpr;
}

static void write_ilpr(AxPl011 *uart, uint32_t value)
{
    uart->ilpr = value & 0xff;
}

static uint32_t read_ibrd(AxPl011 *uart)
{
    return uart->ibrd;
}

static void write_ibrd(AxPl011 *uart, uint32_t value)
{
    uart->ibrd = value & 0xffff;
}

static uint32_t read_fbrd(AxPl011 *uart)
{
    return uart->fbrd;
}

static void write_fbrd(AxPl011 *uart, uint32_t value)
{
    uart->fbrd = value & 0x3f;
}

static uint32_t read_lcr_h(AxPl011 *uart)
{
    return uart->lcr_h;
}

static void write_lcr_h(AxPl011 *uart, uint32_t value)
{
    if (((uart->lcr_h ^ value) & LCR_H_FEN) != 0) {
        flush(uart);
    }
    uart->lcr_h = value & 0xff;
}

static uint32_t read_cr(AxPl011 *uart)
{
    return uart->cr;
}

static void write_cr(AxPl011 *uart, uint32_t value)
{
    uart->cr = value & 0xff87;
}

static uint32_t read_ifls(AxPl011 *uart)
{
    return uart->ifls;
}

static void write_ifls(AxPl011 *uart, uint32_t value)
{
    uart->ifls = value & 0x3f;
}

static uint32_t read_imsc(AxPl011 *uart)
{
    return uart->imsc;
}

static void write_imsc(AxPl011 *uart, uint32_t value)
{
    uart->imsc = value & INT_ALL;
}

static uint32_t read_ris(AxPl011 *uart)
{
    return uart->ris;
}

static uint32_t read_mis(AxPl011 *uart)
{
    return uart->ris & uart->imsc;
}

static void write_icr(AxPl011 *uart, uint32_t value)
{
    uart->ris &= ~value;
}

static uint32_t read_dmacr(AxPl011 *uart)
{
    return uart->dmacr;
}

static void write_dmacr(AxPl011 *uart, uint32_t value)
{
    uart->dmacr = value & 7;
}

static uint32_t read_zero(AxPl011 *uart)
{
    (void)uart;
    return 0;
}

static void write_ignored(AxPl011 *uart, uint32_t value)
{
    (void)uart;
    (void)value;
}

typedef struct Register {
    uint32_t (*read)(AxPl011 *uart);
    void (*write)(AxPl011 *uart, uint32_t value);
} Register;

// By offset / 4. Without functions: nothing there.
static const Register registers[] = {
    [0x00 / 4] = {read_dr, write_dr},       [0x04 / 4] = {read_rsr, write_ecr},
    [0x18 / 4] = {read_fr, write_ignored},  [0x20 / 4] = {read_ilpr, write_ilpr},
    [0x24 / 4] = {read_ibrd, write_ibrd},   [0x28 / 4] = {read_fbrd, write_fbrd},
    [0x2c / 4] = {read_lcr_h, write_lcr_h}, [0x30 / 4] = {read_cr, write_cr},
    [0x34 / 4] = {read_ifls, write_ifls},   [0x38 / 4] = {read_imsc, write_imsc},
    [0x3c / 4] = {read_ris, write_ignored}, [0x40 / 4] = {read_mis, write_ignored},
    [0x44 / 4] = {read_zero, write_icr},    [0x48 / 4] = {read_dmacr, write_dmacr},
};

#define REGISTER_COUNT (sizeof(registers) / sizeof(registers[0]))

// UARTPeriphID0..3 of r1p5, UARTPCellID0..3
#define ID_FIRST UINT64_C(0xfe0)
static const uint8_t ids[] = {0x11, 0x10, 0x34, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

// NULL for what is no register, or no access to one as a whole.
static const Register *find_register(uint64_t offset, AccessWidth width)
{
    const uint64_t n = offset / 4;

    if (offset % 4 != 0 || width > AX_WIDTH_DWORD || n >= REGISTER_COUNT ||
        registers[n].read == NULL) {
        return NULL;
    }
    return &registers[n];
}

static uint8_t read_id(uint64_t offset)
{
    return offset >= ID_FIRST && offset % 4 == 0 && offset < AX_PL011_SIZE
               ? ids[(offset - ID_FIRST) / 4]
               : 0;
}

static AxError pl011_read(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                          uint64_t *value)
{
    const Register *reg = find_register(offset, width);
    AxPl011 *uart = device;

    (void)vcpu;
    if (reg == NULL) {
        *value = width <= AX_WIDTH_DWORD ? read_id(offset) : 0;
        return AX_OK;
    }
    ax_lock(&uart->lock);
    *value = reg->read(uart) & ax_width_mask(width);
    update_line(uart);
    ax_unlock(&uart->lock);
    return AX_OK;
}

// Whether a byte written to UARTDR goes out.
static bool is_sending(const AxPl011 *uart)
{
    return (uart->cr & (CR_UARTEN | CR_TXE | CR_LBE)) == (CR_UARTEN | CR_TXE);
}

static AxError pl011_write(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                           uint64_t value)
{
    const Register *reg = find_register(offset, width);
    AxPl011 *uart = device;
    bool sends;

    (void)vcpu;
    if (reg == NULL) {
        return AX_OK;
    }
    ax_lock(&uart->lock);
    reg->write(uart, (uint32_t)value);
    update_line(uart);
    sends = offset == 0 && is_sending(uart);
    ax_unlock(&uart->lock);
    if (sends && uart->sink.put != NULL) {
        uart->sink.put(uart->sink.ctx, (uint8_t)value);
    }
    return AX_OK;
}

const AxDeviceOps axvm_pl011_ops = {
    .name = "PL011",
    .read = pl011_read,
    .write = pl011_write,
};

// ---- life ----

void axvm_pl011_init(AxPl011 *uart, AxIrqLine line, AxConsoleSink sink)
{
    memset(uart, 0, sizeof(*uart));
    uart->line = line;
    uart->sink = sink;
    axvm_pl011_reset(uart);
}

void axvm_pl011_reset(AxPl011 *uart)
{
    ax_lock(&uart->lock);
    flush(uart);
    uart->overrun = false;
    uart->errors = 0;
    uart->ilpr = 0;
    uart->ibrd = 0;
    uart->fbrd = 0;
    uart->lcr_h = LCR_H_RESET;
    uart->cr = CR_RESET;
    uart->ifls = IFLS_RESET;
    uart->imsc = 0;
    uart->ris = 0;
    uart->dmacr = 0;
    update_line(uart);
    ax_unlock(&uart->lock);
}
