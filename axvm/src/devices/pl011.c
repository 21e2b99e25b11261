// SPDX-License-Identifier: Apache-2.0
#include <axvm/devices/pl011.h>

#define UARTDR  0x000u
#define UARTFR  0x018u
#define UARTRIS 0x03cu
#define UARTMIS 0x040u
#define UARTICR 0x044u
#define UART_ID 0xfe0u // UARTPeriphID0..3, UARTPCellID0..3

#define FR_CTS  (UINT32_C(1) << 0)
#define FR_RXFE (UINT32_C(1) << 4)
#define FR_RXFF (UINT32_C(1) << 6)
#define FR_TXFE (UINT32_C(1) << 7)

#define LCR_H_FEN   (UINT32_C(1) << 4)
#define LCR_H_WLEN8 (UINT32_C(3) << 5)

#define CR_UARTEN (UINT32_C(1) << 0)
#define CR_LBE    (UINT32_C(1) << 7)
#define CR_TXE    (UINT32_C(1) << 8)
#define CR_RXE    (UINT32_C(1) << 9)

#define INT_RX  (UINT32_C(1) << 4)
#define INT_TX  (UINT32_C(1) << 5)
#define INT_RT  (UINT32_C(1) << 6)
#define INT_ALL UINT32_C(0x7ff)

#define IFLS_HALF UINT32_C(0x12) // both FIFOs at one half

typedef struct KeptRegister {
    uint32_t offset;
    uint32_t writable;
    uint32_t initial;
} KeptRegister;

static const KeptRegister kept_registers[PL011_KEPT_COUNT] = {
    [PL011_ILPR] = {0x020, 0xff, 0},
    [PL011_IBRD] = {0x024, 0xffff, 0},
    [PL011_FBRD] = {0x028, 0x3f, 0},
    [PL011_LCR_H] = {0x02c, 0xff, LCR_H_FEN | LCR_H_WLEN8},
    [PL011_CR] = {0x030, 0xff87, CR_UARTEN | CR_TXE | CR_RXE},
    [PL011_IFLS] = {0x034, 0x3f, IFLS_HALF},
    [PL011_IMSC] = {0x038, INT_ALL, 0},
    [PL011_DMACR] = {0x048, 0x7, 0},
};

// Part 0x011, designer Arm, revision r1p5; PrimeCell component class.
static const uint8_t identification[8] = {0x11, 0x10, 0x34, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

static uint32_t fifo_depth(const Pl011 *uart)
{
    return (uart->kept[PL011_LCR_H] & LCR_H_FEN) != 0 ? AX_PL011_FIFO : 1;
}

// Bytes in the receive FIFO from which UARTRXINTR is asserted, by UARTIFLS.RXIFLSEL.
static uint32_t receive_trigger(const Pl011 *uart)
{
    static const uint8_t eighths[8] = {1, 2, 4, 6, 7, 7, 7, 7};
    const uint32_t level = fifo_depth(uart) * eighths[(uart->kept[PL011_IFLS] >> 3) & 7] / 8;

    return level == 0 ? 1 : level;
}

static void update_line(const Pl011 *uart)
{
    axvm_irq_set(&uart->irq, (uart->raw & uart->kept[PL011_IMSC]) != 0);
}

// The receive time-out of 32 bit times passes at once: a byte that waits is announced.
static void raise_receive(Pl011 *uart)
{
    uart->raw |= uart->fifo_count >= receive_trigger(uart) ? INT_RX : INT_RT;
}

static void lower_receive(Pl011 *uart)
{
    if (uart->fifo_count < receive_trigger(uart)) {
        uart->raw &= ~INT_RX;
    }
    if (uart->fifo_count == 0) {
        uart->raw &= ~INT_RT;
    } else if ((uart->raw & INT_RX) == 0) {
        uart->raw |= INT_RT;
    }
}

static bool push(Pl011 *uart, uint8_t byte)
{
    if (uart->fifo_count >= fifo_depth(uart)) {
        return false;
    }
    uart->fifo[(uart->fifo_head + uart->fifo_count) % AX_PL011_FIFO] = byte;
    uart->fifo_count++;
    raise_receive(uart);
    return true;
}

static uint32_t pop(Pl011 *uart)
{
    uint32_t byte;

    if (uart->fifo_count == 0) {
        return 0;
    }
    byte = uart->fifo[uart->fifo_head];
    uart->fifo_head = (uart->fifo_head + 1) % AX_PL011_FIFO;
    uart->fifo_count--;
    lower_receive(uart);
    return byte;
}

// The byte leaves at once, so the transmit FIFO falls through its trigger level with each byte.
static void transmit(Pl011 *uart, uint8_t byte)
{
    if ((uart->kept[PL011_CR] & CR_LBE) != 0) {
        (void)push(uart, byte);
    } else if (uart->sink.put != NULL) {
        uart->sink.put(uart->sink.ctx, byte);
    }
    uart->raw |= INT_TX;
}

static uint32_t flags(const Pl011 *uart)
{
    return FR_TXFE | FR_CTS | (uart->fifo_count == 0 ? FR_RXFE : 0) |
           (uart->fifo_count >= fifo_depth(uart) ? FR_RXFF : 0);
}

static const KeptRegister *find_kept(uint64_t offset)
{
    for (size_t i = 0; i < PL011_KEPT_COUNT; i++) {
        if (kept_registers[i].offset == offset) {
            return &kept_registers[i];
        }
    }
    return NULL;
}

static uint32_t read_register(Pl011 *uart, uint64_t offset)
{
    const KeptRegister *const kept = find_kept(offset);

    if (kept != NULL) {
        return uart->kept[kept - kept_registers];
    }
    switch (offset) {
    case UARTDR: return pop(uart);
    case UARTFR: return flags(uart);
    case UARTRIS: return uart->raw;
    case UARTMIS: return uart->raw & uart->kept[PL011_IMSC];
    default: return offset >= UART_ID ? identification[(offset - UART_ID) / 4] : 0;
    }
}

static void write_register(Pl011 *uart, uint64_t offset, uint32_t value)
{
    const KeptRegister *const kept = find_kept(offset);

    if (kept != NULL) {
        uart->kept[kept - kept_registers] = value & kept->writable;
    } else if (offset == UARTDR) {
        transmit(uart, (uint8_t)value);
    } else if (offset == UARTICR) {
        uart->raw &= ~value;
    }
}

// Turning the FIFOs off or on empties them (DDI 0183, 3.3.7).
static void flush_on_mode_change(Pl011 *uart, uint32_t depth_before)
{
    if (fifo_depth(uart) != depth_before) {
        uart->fifo_head = 0;
        uart->fifo_count = 0;
        lower_receive(uart);
    }
}

static AxError pl011_read(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                          uint64_t *value)
{
    Pl011 *const uart = device;

    (void)vcpu;
    (void)width;
    *value = 0;
    if (offset % 4 != 0) {
        return AX_OK;
    }
    ax_lock(&uart->lock);
    *value = read_register(uart, offset);
    update_line(uart);
    ax_unlock(&uart->lock);
    return AX_OK;
}

static AxError pl011_write(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                           uint64_t value)
{
    Pl011 *const uart = device;
    uint32_t depth;

    (void)vcpu;
    (void)width;
    if (offset % 4 != 0) {
        return AX_OK;
    }
    ax_lock(&uart->lock);
    depth = fifo_depth(uart);
    write_register(uart, offset, (uint32_t)value);
    flush_on_mode_change(uart, depth);
    update_line(uart);
    ax_unlock(&uart->lock);
    return AX_OK;
}

const AxDeviceOps axvm_pl011_ops = {
    .name = "pl011",
    .read = pl011_read,
    .write = pl011_write,
};

static void set_initial(Pl011 *uart)
{
    for (size_t i = 0; i < PL011_KEPT_COUNT; i++) {
        uart->kept[i] = kept_registers[i].initial;
    }
    uart->raw = 0;
    uart->fifo_head = 0;
    uart->fifo_count = 0;
}

void axvm_pl011_init(Pl011 *uart, AxIrqLine irq, AxConsoleSink sink)
{
    uart->lock = AX_LOCK_INIT;
    uart->irq = irq;
    uart->sink = sink;
    set_initial(uart);
}

void axvm_pl011_reset(Pl011 *uart)
{
    ax_lock(&uart->lock);
    set_initial(uart);
    update_line(uart);
    ax_unlock(&uart->lock);
}

bool axvm_pl011_receive(Pl011 *uart, uint8_t byte)
{
    bool taken;

    ax_lock(&uart->lock);
    taken = push(uart, byte);
    update_line(uart);
    ax_unlock(&uart->lock);
    return taken;
}
