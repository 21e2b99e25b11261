// SPDX-License-Identifier: Apache-2.0
#include <axvm/devices/ns16550a.h>

#include <string.h>

#define IER_RECEIVED 0x01u
#define IER_THR      0x02u
#define IER_LINE     0x04u
#define IER_MODEM    0x08u
#define IER_ALL      0x0fu

#define IIR_NONE     0x01u
#define IIR_MODEM    0x00u
#define IIR_THR      0x02u
#define IIR_RECEIVED 0x04u
#define IIR_LINE     0x06u
#define IIR_TIMEOUT  0x0cu
#define IIR_FIFO_ON  0xc0u

#define FCR_ON            0x01u
#define FCR_CLEAR_RECEIVE 0x02u
#define FCR_TRIGGER_SHIFT 6

#define LCR_DLAB 0x80u

#define MCR_DTR      0x01u
#define MCR_RTS      0x02u
#define MCR_OUT1     0x04u
#define MCR_OUT2     0x08u
#define MCR_LOOPBACK 0x10u
#define MCR_ALL      0x1fu

#define LSR_READY   0x01u
#define LSR_OVERRUN 0x02u
#define LSR_THRE    0x20u
#define LSR_TEMT    0x40u

#define MSR_DELTA_SHIFT 4 // from the bit of a line to that of its change
#define MSR_CTS         0x10u
#define MSR_DSR         0x20u
#define MSR_RI          0x40u
#define MSR_DCD         0x80u

// All below: with the lock held, except where it says otherwise.

// ---- interrupts ----

static bool received_is_due(const AxNs16550a *uart)
{
    return uart->count >= uart->trigger;
}

// Without FIFOs, one byte is due as received already.
static bool timeout_is_due(const AxNs16550a *uart)
{
    return uart->count > 0;
}

static bool line_is_due(const AxNs16550a *uart)
{
    return uart->lsr_errors != 0;
}

static bool thr_is_due(const AxNs16550a *uart)
{
    return uart->thr_interrupt;
}

static bool modem_is_due(const AxNs16550a *uart)
{
    return uart->msr_deltas != 0;
}

// The sources in the order of their priorities (data sheet, table "Interrupt Control Functions").
static const struct {
    uint8_t enable;
    uint8_t id;
    bool (*is_due)(const AxNs16550a *uart);
} sources[] = {
    {IER_LINE, IIR_LINE, line_is_due},           {IER_RECEIVED, IIR_RECEIVED, received_is_due},
    {IER_RECEIVED, IIR_TIMEOUT, timeout_is_due}, {IER_THR, IIR_THR, thr_is_due},
    {IER_MODEM, IIR_MODEM, modem_is_due},
};

static uint8_t interrupt_id(const AxNs16550a *uart)
{
    for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
        if ((uart->ier & sources[i].enable) != 0 && sources[i].is_due(uart)) {
            return sources[i].id;
        }
    }
    return IIR_NONE;
}

static void update_line(AxNs16550a *uart)
{
    const bool high = interrupt_id(uart) != IIR_NONE;

    if (high != uart->line_high) {
        uart->line_high = high;
        axvm_irq_set(&uart->line, high);
    }
}

// ---- receiving ----

static bool is_in_loopback(const AxNs16550a *uart)
{
    return (uart->mcr & MCR_LOOPBACK) != 0;
}

static uint32_t fifo_depth(const AxNs16550a *uart)
{
    return uart->fifo_on ? AX_NS16550A_FIFO : 1;
}

static void push_byte(AxNs16550a *uart, uint8_t byte)
{
    uart->fifo[(uart->head + uart->count) % AX_NS16550A_FIFO] = byte;
    uart->count++;
}

static uint8_t pop_byte(AxNs16550a *uart)
{
    uint8_t byte;

    if (uart->count == 0) {
        return 0;
    }
    byte = uart->fifo[uart->head];
    uart->head = (uart->head + 1) % AX_NS16550A_FIFO;
    uart->count--;
    return byte;
}

static void flush(AxNs16550a *uart)
{
    uart->head = 0;
    uart->count = 0;
}

// A byte that nobody can hold back. Without FIFO it replaces the one before, a full FIFO keeps what
// it has.
static void loop_back(AxNs16550a *uart, uint8_t byte)
{
    if (uart->count == fifo_depth(uart)) {
        uart->lsr_errors |= LSR_OVERRUN;
        if (uart->fifo_on) {
            return;
        }
        flush(uart);
    }
    push_byte(uart, byte);
}

bool axvm_ns16550a_receive(AxNs16550a *uart, uint8_t byte)
{
    bool taken;

    ax_lock(&uart->lock);
    taken = !is_in_loopback(uart) && uart->count < fifo_depth(uart);
    if (taken) {
        push_byte(uart, byte);
        update_line(uart);
    }
    ax_unlock(&uart->lock);
    return taken;
}

bool axvm_ns16550a_take(AxNs16550a *uart, uint8_t *byte)
{
    bool taken;

    ax_lock(&uart->lock);
    taken = uart->count > 0;
    if (taken) {
        *byte = pop_byte(uart);
        update_line(uart);
    }
    ax_unlock(&uart->lock);
    return taken;
}

// ---- modem lines ----

// In loopback the four outputs are wired to the four inputs.
static uint8_t modem_lines(const AxNs16550a *uart)
{
    static const struct {
        uint8_t output;
        uint8_t input;
    } wires[] = {{MCR_RTS, MSR_CTS}, {MCR_DTR, MSR_DSR}, {MCR_OUT1, MSR_RI}, {MCR_OUT2, MSR_DCD}};
    uint8_t lines = 0;

    if (!is_in_loopback(uart)) {
        return MSR_CTS | MSR_DSR | MSR_DCD;
    }
    for (size_t i = 0; i < sizeof(wires) / sizeof(wires[0]); i++) {
        lines |= (uart->mcr & wires[i].output) != 0 ? wires[i].input : 0;
    }
    return lines;
}

// Changes since the last read of MSR; of the ring indicator only its end counts.
static void note_deltas(AxNs16550a *uart, uint8_t before)
{
    const uint8_t now = modem_lines(uart);
    const uint8_t changed = before ^ now;

    const uint8_t noted = changed & (MSR_CTS | MSR_DSR | MSR_DCD | (before & MSR_RI));

    uart->msr_deltas |= noted >> MSR_DELTA_SHIFT;
}

// ---- registers ----

static uint8_t read_rbr(AxNs16550a *uart)
{
    return pop_byte(uart);
}

// The byte leaves in ns16550a_write(), without the lock, and the transmitter is empty again.
static void write_thr(AxNs16550a *uart, uint8_t value)
{
    uart->thr_interrupt = true;
    if (is_in_loopback(uart)) {
        loop_back(uart, value);
    }
}

static uint8_t read_ier(AxNs16550a *uart)
{
    return uart->ier;
}

// Switched on while the transmitter is empty, its interrupt comes at once.
static void write_ier(AxNs16550a *uart, uint8_t value)
{
    if ((value & ~uart->ier & IER_THR) != 0) {
        uart->thr_interrupt = true;
    }
    uart->ier = value & IER_ALL;
}

static uint8_t read_iir(AxNs16550a *uart)
{
    const uint8_t id = interrupt_id(uart);

    if (id == IIR_THR) {
        uart->thr_interrupt = false;
    }
    return id | (uart->fifo_on ? IIR_FIFO_ON : 0);
}

// With the FIFOs off the other bits are not taken, and they cannot be switched and keep a byte.
static void write_fcr(AxNs16550a *uart, uint8_t value)
{
    static const uint8_t levels[4] = {1, 4, 8, 14};
    const bool on = (value & FCR_ON) != 0;

    if (on != uart->fifo_on || (on && (value & FCR_CLEAR_RECEIVE) != 0)) {
        flush(uart);
    }
    uart->fifo_on = on;
    uart->trigger = on ? levels[value >> FCR_TRIGGER_SHIFT] : 1;
}

static uint8_t read_lcr(AxNs16550a *uart)
{
    return uart->lcr;
}

static void write_lcr(AxNs16550a *uart, uint8_t value)
{
    uart->lcr = value;
}

static uint8_t read_mcr(AxNs16550a *uart)
{
    return uart->mcr;
}

static void write_mcr(AxNs16550a *uart, uint8_t value)
{
    const uint8_t before = modem_lines(uart);

    uart->mcr = value & MCR_ALL;
    note_deltas(uart, before);
}

static uint8_t read_lsr(AxNs16550a *uart)
{
    const uint8_t errors = uart->lsr_errors;

    uart->lsr_errors = 0;
    return LSR_THRE | LSR_TEMT | errors | (uart->count > 0 ? LSR_READY : 0);
}

static uint8_t read_msr(AxNs16550a *uart)
{
    const uint8_t deltas = uart->msr_deltas;

    uart->msr_deltas = 0;
    return modem_lines(uart) | deltas;
}

static uint8_t read_scr(AxNs16550a *uart)
{
    return uart->scr;
}

static void write_scr(AxNs16550a *uart, uint8_t value)
{
    uart->scr = value;
}

static uint8_t read_dll(AxNs16550a *uart)
{
    return uart->dll;
}

static void write_dll(AxNs16550a *uart, uint8_t value)
{
    uart->dll = value;
}

static uint8_t read_dlm(AxNs16550a *uart)
{
    return uart->dlm;
}

static void write_dlm(AxNs16550a *uart, uint8_t value)
{
    uart->dlm = value;
}

static void write_ignored(AxNs16550a *uart, uint8_t value)
{
    (void)uart;
    (void)value;
}

typedef struct Register {
    uint8_t (*read)(AxNs16550a *uart);
    void (*write)(AxNs16550a *uart, uint8_t value);
} Register;

static const Register registers[] = {
    {read_rbr, write_thr},     {read_ier, write_ier}, {read_iir, write_fcr},
    {read_lcr, write_lcr},     {read_mcr, write_mcr}, {read_lsr, write_ignored},
    {read_msr, write_ignored}, {read_scr, write_scr},
};

#define REGISTER_COUNT (sizeof(registers) / sizeof(registers[0]))

// In place of the first two while LCR.DLAB is set.
static const Register divisor[] = {{read_dll, write_dll}, {read_dlm, write_dlm}};

#define DIVISOR_COUNT (sizeof(divisor) / sizeof(divisor[0]))

// With the lock held; NULL where nothing is.
static const Register *find_register(const AxNs16550a *uart, uint64_t offset)
{
    if (offset < DIVISOR_COUNT && (uart->lcr & LCR_DLAB) != 0) {
        return &divisor[offset];
    }
    return offset < REGISTER_COUNT ? &registers[offset] : NULL;
}

static AxError ns16550a_read(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                             uint64_t *value)
{
    AxNs16550a *uart = device;
    const Register *reg;

    (void)vcpu;
    (void)width;
    ax_lock(&uart->lock);
    reg = find_register(uart, offset);
    *value = reg != NULL ? reg->read(uart) : 0;
    update_line(uart);
    ax_unlock(&uart->lock);
    return AX_OK;
}

// Whether a byte written to `reg` goes out.
static bool is_sending(const AxNs16550a *uart, const Register *reg)
{
    return reg->write == write_thr && !is_in_loopback(uart);
}

static AxError ns16550a_write(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                              uint64_t value)
{
    AxNs16550a *uart = device;
    const Register *reg;
    bool sends = false;

    (void)vcpu;
    (void)width;
    ax_lock(&uart->lock);
    reg = find_register(uart, offset);
    if (reg != NULL) {
        reg->write(uart, (uint8_t)value);
        update_line(uart);
        sends = is_sending(uart, reg);
    }
    ax_unlock(&uart->lock);
    if (sends && uart->sink.put != NULL) {
        uart->sink.put(uart->sink.ctx, (uint8_t)value);
    }
    return AX_OK;
}

const AxDeviceOps axvm_ns16550a_ops = {
    .name = "NS16550A",
    .read = ns16550a_read,
    .write = ns16550a_write,
};

// ---- life ----

void axvm_ns16550a_init(AxNs16550a *uart, AxIrqLine line, AxConsoleSink sink)
{
    memset(uart, 0, sizeof(*uart));
    uart->line = line;
    uart->sink = sink;
    axvm_ns16550a_reset(uart);
}

void axvm_ns16550a_reset(AxNs16550a *uart)
{
    ax_lock(&uart->lock);
    flush(uart);
    uart->thr_interrupt = false;
    uart->fifo_on = false;
    uart->trigger = 1;
    uart->ier = 0;
    uart->lcr = 0;
    uart->mcr = 0;
    uart->lsr_errors = 0;
    uart->msr_deltas = 0;
    uart->scr = 0;
    uart->dll = 0;
    uart->dlm = 0;
    update_line(uart);
    ax_unlock(&uart->lock);
}
