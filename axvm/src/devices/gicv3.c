// SPDX-License-Identifier: Apache-2.0
#include <axvm/devices/gicv3.h>

#include <axvcpu/bits.h>
#include <string.h>

#define BITS_PER_BANK 32u
#define SGI_MASK      UINT32_C(0xffff)
#define PRIORITY_MASK 0xf8u // 5 bits, the fewest that a CPU interface has, and enough
#define AFFINITY_MASK UINT64_C(0x00ffffff)
#define RD_FRAME_SIZE (AX_GICV3_REDIST_SIZE / 2)
#define PIDR2_GICV3   0x3bu
#define IIDR_VALUE    UINT32_C(0x7800043b) // product 'x', implementer Arm

#define CTLR_ENABLE_GROUP1 (UINT32_C(1) << 1)
#define CTLR_ARE           (UINT32_C(1) << 4)
#define CTLR_DS            (UINT32_C(1) << 6)
#define TYPER_ID_BITS      (UINT32_C(9) << 19) // INTIDs of 10 bits
#define TYPER_NO_1_OF_N    (UINT32_C(1) << 25)
#define WAKER_SLEEP        (UINT32_C(1) << 1)
#define WAKER_CHILDREN     (UINT32_C(1) << 2)

// One interrupt: where its configuration is and who gets it (NULL: nobody).
typedef struct Irq {
    AxGicv3 *gic;
    AxGicv3Bank *bank;
    AxVCpu *target;
    uint32_t intid;
    uint32_t bit;
} Irq;

// A vCPU that cannot take interrupts any more (Invalid) misses nothing.
static void best_effort(AxError error)
{
    (void)error;
}

// ---- one interrupt ----

static AxVCpu *spi_target(const AxGicv3 *gic, uint32_t intid)
{
    const uint8_t index = gic->targets[intid - AX_GICV3_SPI_FIRST];

    return index == AX_GICV3_NOBODY ? NULL : gic->cpus[index].vcpu;
}

static Irq spi_irq(AxGicv3 *gic, uint32_t intid)
{
    return (Irq){
        .gic = gic,
        .bank = &gic->spis[intid / BITS_PER_BANK - 1],
        .target = spi_target(gic, intid),
        .intid = intid,
        .bit = UINT32_C(1) << (intid % BITS_PER_BANK),
    };
}

static Irq private_irq(AxGicv3 *gic, AxGicv3Cpu *cpu, uint32_t intid)
{
    return (Irq){
        .gic = gic,
        .bank = &cpu->bank,
        .target = cpu->vcpu,
        .intid = intid,
        .bit = UINT32_C(1) << intid,
    };
}

static bool is_forwarded(const Irq *irq)
{
    return irq->gic->group1_enabled && (irq->bank->group1 & irq->bank->enabled & irq->bit) != 0;
}

static bool is_level_high(const Irq *irq)
{
    return (irq->bank->line & ~irq->bank->edge & irq->bit) != 0;
}

static void push_enable(const Irq *irq)
{
    if (irq->target != NULL) {
        best_effort(axvcpu_enable_interrupt(irq->target, irq->intid, is_forwarded(irq)));
    }
}

static void push_priority(const Irq *irq)
{
    if (irq->target != NULL) {
        const uint8_t priority = irq->bank->priority[irq->intid % BITS_PER_BANK];

        best_effort(axvcpu_set_interrupt_priority(irq->target, irq->intid, priority));
    }
}

static void push_level(const Irq *irq)
{
    if (irq->target != NULL) {
        best_effort(axvcpu_set_interrupt_level(irq->target, irq->intid, is_level_high(irq)));
    }
}

static void make_pending(const Irq *irq)
{
    if (irq->target == NULL) {
        irq->bank->homeless |= irq->bit;
    } else {
        best_effort(axvcpu_inject_interrupt(irq->target, irq->intid, AX_TRIGGER_EDGE));
    }
}

static AxIrqState state_of(const Irq *irq)
{
    if (irq->target == NULL) {
        return (AxIrqState){
            .pending = is_level_high(irq) || (irq->bank->homeless & irq->bit) != 0,
            .active = false,
        };
    }
    return axvcpu_interrupt_state(irq->target, irq->intid);
}

static void request(const Irq *irq, AxIrqRequest what)
{
    if (irq->target != NULL) {
        best_effort(axvcpu_request_interrupt(irq->target, irq->intid, what));
    }
}

// Everything the target must know, for one that knows nothing.
static void push_all(const Irq *irq)
{
    push_priority(irq);
    push_enable(irq);
    if (is_level_high(irq)) {
        push_level(irq);
    }
}

static void drive(const Irq *irq, bool high)
{
    const bool was_high = (irq->bank->line & irq->bit) != 0;

    if (high == was_high) {
        return;
    }
    irq->bank->line ^= irq->bit;
    if ((irq->bank->edge & irq->bit) == 0) {
        push_level(irq);
    } else if (high) {
        make_pending(irq);
    }
}

// ---- routing ----

static uint8_t find_cpu(const AxGicv3 *gic, uint64_t affinity)
{
    for (uint32_t i = 0; i < gic->cpu_count; i++) {
        if (gic->cpus[i].affinity == affinity) {
            return (uint8_t)i;
        }
    }
    return AX_GICV3_NOBODY;
}

// Takes the interrupt away from its target; true when an edge has to go along. The target may be
// about to take it: then it is delivered twice, which a driver must expect, rather than never.
static bool withdraw(const Irq *irq)
{
    const bool latched = state_of(irq).pending && !is_level_high(irq);

    irq->bank->homeless &= ~irq->bit;
    if (irq->target != NULL) {
        best_effort(axvcpu_enable_interrupt(irq->target, irq->intid, false));
        best_effort(axvcpu_set_interrupt_level(irq->target, irq->intid, false));
        request(irq, AX_IRQ_CLEAR_PENDING);
    }
    return latched;
}

static void route(AxGicv3 *gic, uint32_t intid, uint32_t affinity)
{
    const uint8_t target = find_cpu(gic, affinity);
    const uint32_t n = intid - AX_GICV3_SPI_FIRST;
    Irq irq = spi_irq(gic, intid);
    bool latched;

    gic->routes[n] = affinity;
    if (target == gic->targets[n]) {
        return;
    }
    latched = withdraw(&irq);
    gic->targets[n] = target;
    irq = spi_irq(gic, intid);
    push_all(&irq);
    if (latched) {
        make_pending(&irq);
    }
}

static uint32_t spi_end(const AxGicv3 *gic)
{
    return AX_GICV3_SPI_FIRST + gic->bank_count * BITS_PER_BANK;
}

// ---- registers ----

// An access to a register or an array of registers.
typedef struct Access {
    AxGicv3 *gic;
    AxVCpu *vcpu;    // who makes it
    AxGicv3Cpu *cpu; // whose redistributor; NULL: the distributor
    uint32_t offset; // from the first byte of the register or array
    AccessWidth width;
} Access;

typedef struct Register {
    uint32_t offset;
    uint32_t size;
    uint32_t widths; // sum of the allowed ones
    uint64_t (*read)(const Access *access);
    void (*write)(const Access *access, uint64_t value);
} Register;

#define WORD      AX_WIDTH_DWORD
#define BYTES     (AX_WIDTH_BYTE | AX_WIDTH_DWORD)
#define LONG_WORD (AX_WIDTH_DWORD | AX_WIDTH_QWORD)

static uint64_t read_zero(const Access *access)
{
    (void)access;
    return 0;
}

static void write_ignored(const Access *access, uint64_t value)
{
    (void)access;
    (void)value;
}

// Bank n of the frame that is accessed; NULL: reserved there. The distributor's bank 0 is in the
// redistributors.
static AxGicv3Bank *bank_at(const Access *access, uint32_t n)
{
    if (access->cpu != NULL) {
        return n == 0 ? &access->cpu->bank : NULL;
    }
    return n >= 1 && n <= access->gic->bank_count ? &access->gic->spis[n - 1] : NULL;
}

// Interrupt `intid` of a bank that bank_at gave.
static Irq irq_at(const Access *access, uint32_t intid)
{
    return access->cpu != NULL ? private_irq(access->gic, access->cpu, intid)
                               : spi_irq(access->gic, intid);
}

// Calls `action` for each interrupt whose bit is set in the written word of a bit array.
static void for_each_bit(const Access *access, uint32_t bits, void (*action)(const Irq *irq))
{
    for (; bits != 0; bits &= bits - 1) {
        const Irq irq = irq_at(access, access->offset * 8 + ax_lowest_bit(bits));

        action(&irq);
    }
}

// -- group and enable

static uint64_t read_group(const Access *access)
{
    const AxGicv3Bank *bank = bank_at(access, access->offset / 4);

    return bank != NULL ? bank->group1 : 0;
}

static void write_group(const Access *access, uint64_t value)
{
    AxGicv3Bank *bank = bank_at(access, access->offset / 4);

    if (bank != NULL) {
        const uint32_t changed = bank->group1 ^ (uint32_t)value;

        bank->group1 = (uint32_t)value;
        for_each_bit(access, changed & bank->enabled, push_enable);
    }
}

static uint64_t read_enable(const Access *access)
{
    const AxGicv3Bank *bank = bank_at(access, access->offset / 4);

    return bank != NULL ? bank->enabled : 0;
}

static void change_enable(const Access *access, uint32_t set, uint32_t clear)
{
    AxGicv3Bank *bank = bank_at(access, access->offset / 4);

    if (bank != NULL) {
        const uint32_t changed = (~bank->enabled & set) | (bank->enabled & clear);

        bank->enabled ^= changed;
        for_each_bit(access, changed, push_enable);
    }
}

static void write_set_enable(const Access *access, uint64_t value)
{
    change_enable(access, (uint32_t)value, 0);
}

static void write_clear_enable(const Access *access, uint64_t value)
{
    change_enable(access, 0, (uint32_t)value);
}

// -- pending and active: the state is the target's

static uint64_t read_state(const Access *access, bool (*test)(AxIrqState state))
{
    uint32_t bits = 0;

    if (bank_at(access, access->offset / 4) == NULL) {
        return 0;
    }
    for (uint32_t i = 0; i < BITS_PER_BANK; i++) {
        const Irq irq = irq_at(access, access->offset * 8 + i);

        bits |= test(state_of(&irq)) ? irq.bit : 0;
    }
    return bits;
}

static bool is_pending(AxIrqState state)
{
    return state.pending;
}

static bool is_active(AxIrqState state)
{
    return state.active;
}

static uint64_t read_pending(const Access *access)
{
    return read_state(access, is_pending);
}

static uint64_t read_active(const Access *access)
{
    return read_state(access, is_active);
}

static void clear_pending(const Irq *irq)
{
    irq->bank->homeless &= ~irq->bit;
    request(irq, AX_IRQ_CLEAR_PENDING);
}

static void set_active(const Irq *irq)
{
    request(irq, AX_IRQ_SET_ACTIVE);
}

static void clear_active(const Irq *irq)
{
    request(irq, AX_IRQ_CLEAR_ACTIVE);
}

static void write_state(const Access *access, uint64_t value, void (*action)(const Irq *irq))
{
    if (bank_at(access, access->offset / 4) != NULL) {
        for_each_bit(access, (uint32_t)value, action);
    }
}

// Drivers clear whole words at start. What a CPU asks about itself is exact, so nothing needs to be
// asked of it for interrupts that are clear.
static void write_clear(const Access *access, uint64_t value, bool (*test)(AxIrqState state),
                        void (*action)(const Irq *irq))
{
    uint32_t bits = bank_at(access, access->offset / 4) != NULL ? (uint32_t)value : 0;

    for (; bits != 0; bits &= bits - 1) {
        const Irq irq = irq_at(access, access->offset * 8 + ax_lowest_bit(bits));

        if (irq.target != access->vcpu || test(state_of(&irq))) {
            action(&irq);
        }
    }
}

static void write_set_pending(const Access *access, uint64_t value)
{
    write_state(access, value, make_pending);
}

static void write_clear_pending(const Access *access, uint64_t value)
{
    write_clear(access, value, is_pending, clear_pending);
}

static void write_set_active(const Access *access, uint64_t value)
{
    write_state(access, value, set_active);
}

static void write_clear_active(const Access *access, uint64_t value)
{
    write_clear(access, value, is_active, clear_active);
}

// -- priority, one byte each

static uint64_t read_priority(const Access *access)
{
    const AxGicv3Bank *bank = bank_at(access, access->offset / BITS_PER_BANK);
    uint64_t value = 0;

    for (uint32_t i = 0; bank != NULL && i < (uint32_t)access->width; i++) {
        value |= (uint64_t)bank->priority[(access->offset + i) % BITS_PER_BANK] << (8 * i);
    }
    return value;
}

static void write_priority(const Access *access, uint64_t value)
{
    AxGicv3Bank *bank = bank_at(access, access->offset / BITS_PER_BANK);

    for (uint32_t i = 0; bank != NULL && i < (uint32_t)access->width; i++) {
        const Irq irq = irq_at(access, access->offset + i);

        bank->priority[irq.intid % BITS_PER_BANK] = (uint8_t)(value >> (8 * i)) & PRIORITY_MASK;
        push_priority(&irq);
    }
}

// -- trigger, two bits each: the higher one is 1 for edge

static uint64_t read_config(const Access *access)
{
    const AxGicv3Bank *bank = bank_at(access, access->offset / 8);
    uint32_t value = 0;

    for (uint32_t i = 0; bank != NULL && i < 16; i++) {
        const uint32_t n = access->offset * 4 % BITS_PER_BANK + i;

        value |= ((bank->edge >> n) & 1) << (2 * i + 1);
    }
    return value;
}

static void set_trigger(const Irq *irq, bool edge)
{
    const bool was_edge = (irq->bank->edge & irq->bit) != 0;

    if (edge != was_edge) {
        irq->bank->edge ^= irq->bit;
        push_level(irq);
    }
}

static void write_config(const Access *access, uint64_t value)
{
    if (bank_at(access, access->offset / 8) == NULL) {
        return;
    }
    for (uint32_t i = 0; i < 16; i++) {
        const Irq irq = irq_at(access, access->offset * 4 + i);

        if (irq.intid >= AX_GICV3_PPI_FIRST) { // SGIs are edges
            set_trigger(&irq, ((value >> (2 * i + 1)) & 1) != 0);
        }
    }
}

// -- distributor only

static uint64_t read_ctlr(const Access *access)
{
    return CTLR_DS | CTLR_ARE | (access->gic->group1_enabled ? CTLR_ENABLE_GROUP1 : 0);
}

static void push_bank(const Access *access, AxGicv3Cpu *cpu, uint32_t n)
{
    const Access view = {.gic = access->gic, .cpu = cpu, .offset = n * 4};

    for_each_bit(&view, bank_at(&view, n)->enabled, push_enable);
}

static void write_ctlr(const Access *access, uint64_t value)
{
    AxGicv3 *gic = access->gic;
    const bool enable = (value & CTLR_ENABLE_GROUP1) != 0;

    if (enable == gic->group1_enabled) {
        return;
    }
    gic->group1_enabled = enable;
    for (uint32_t i = 0; i < gic->cpu_count; i++) {
        push_bank(access, &gic->cpus[i], 0);
    }
    for (uint32_t n = 1; n <= gic->bank_count; n++) {
        push_bank(access, NULL, n);
    }
}

static uint64_t read_typer(const Access *access)
{
    return TYPER_NO_1_OF_N | TYPER_ID_BITS | access->gic->bank_count;
}

static uint64_t read_iidr(const Access *access)
{
    (void)access;
    return IIDR_VALUE;
}

static uint64_t read_pidr2(const Access *access)
{
    (void)access;
    return PIDR2_GICV3;
}

// Registers of 64 bits may be accessed in halves.
static uint64_t half(const Access *access, uint64_t value)
{
    return value >> (access->offset % 8 * 8);
}

static bool is_spi(const AxGicv3 *gic, uint32_t intid)
{
    return intid >= AX_GICV3_SPI_FIRST && intid < spi_end(gic);
}

static uint64_t read_router(const Access *access)
{
    const uint32_t intid = access->offset / 8;

    return is_spi(access->gic, intid)
               ? half(access, access->gic->routes[intid - AX_GICV3_SPI_FIRST])
               : 0;
}

static void write_router(const Access *access, uint64_t value)
{
    const uint32_t intid = access->offset / 8;

    // The upper half has nothing but Aff3, which is not supported (GICD_TYPER.A3V = 0).
    if (is_spi(access->gic, intid) && access->offset % 8 == 0) {
        route(access->gic, intid, (uint32_t)(value & AFFINITY_MASK));
    }
}

// -- redistributor only

static uint64_t read_redist_typer(const Access *access)
{
    const AxGicv3 *gic = access->gic;
    const uint64_t index = (uint64_t)(access->cpu - gic->cpus);
    const uint64_t last = index + 1 == gic->cpu_count ? UINT64_C(1) << 4 : 0;

    return half(access, access->cpu->affinity << 32 | index << 8 | last);
}

static uint64_t read_waker(const Access *access)
{
    return access->cpu->asleep ? WAKER_SLEEP | WAKER_CHILDREN : 0;
}

static void write_waker(const Access *access, uint64_t value)
{
    access->cpu->asleep = (value & WAKER_SLEEP) != 0;
}

// What the distributor and the SGI frame of a redistributor have in common.
#define INTERRUPT_REGISTERS                                     \
    {0x080, 0x80, WORD, read_group, write_group},               \
        {0x100, 0x80, WORD, read_enable, write_set_enable},     \
        {0x180, 0x80, WORD, read_enable, write_clear_enable},   \
        {0x200, 0x80, WORD, read_pending, write_set_pending},   \
        {0x280, 0x80, WORD, read_pending, write_clear_pending}, \
        {0x300, 0x80, WORD, read_active, write_set_active},     \
        {0x380, 0x80, WORD, read_active, write_clear_active},   \
        {0x400, 0x400, BYTES, read_priority, write_priority},   \
    {                                                           \
        0xc00, 0x100, WORD, read_config, write_config           \
    }

// GICD_IGRPMODR, GICD_NSACR, GICD_ITARGETSR, GICD_SGIR, GICD_STATUSR and all that is reserved are
// not here: they read as zero and ignore writes.
static const Register dist_registers[] = {
    {0x0000, 4, WORD, read_ctlr, write_ctlr},
    {0x0004, 4, WORD, read_typer, write_ignored},
    {0x0008, 4, WORD, read_iidr, write_ignored},
    INTERRUPT_REGISTERS,
    {0x6000, 0x2000, LONG_WORD, read_router, write_router},
    {0xffe8, 4, WORD, read_pidr2, write_ignored},
};

static const Register rd_registers[] = {
    {0x0000, 4, WORD, read_zero, write_ignored}, // GICR_CTLR: no LPIs
    {0x0004, 4, WORD, read_iidr, write_ignored},
    {0x0008, 8, LONG_WORD, read_redist_typer, write_ignored},
    {0x0014, 4, WORD, read_waker, write_waker},
    {0xffe8, 4, WORD, read_pidr2, write_ignored},
};

static const Register sgi_registers[] = {INTERRUPT_REGISTERS};

typedef struct RegisterFile {
    const Register *registers;
    size_t count;
} RegisterFile;

#define REGISTER_FILE(table) ((RegisterFile){table, sizeof(table) / sizeof((table)[0])})

// NULL: nothing is there, or not for this width (then, and for an unaligned one, the access has no
// effect, as IHI 0069 12.1.3 allows).
static const Register *find_register(RegisterFile file, uint64_t offset, AccessWidth width)
{
    for (size_t i = 0; i < file.count; i++) {
        const Register *reg = &file.registers[i];

        if (offset >= reg->offset && offset - reg->offset < reg->size) {
            return (reg->widths & (uint32_t)width) != 0 && offset % width == 0 ? reg : NULL;
        }
    }
    return NULL;
}

static uint64_t read_file(RegisterFile file, Access access, uint64_t offset)
{
    const Register *reg = find_register(file, offset, access.width);
    uint64_t value;

    if (reg == NULL) {
        return 0;
    }
    access.offset = (uint32_t)(offset - reg->offset);
    ax_lock(&access.gic->lock);
    value = reg->read(&access);
    ax_unlock(&access.gic->lock);
    return value & ax_width_mask(access.width);
}

static void write_file(RegisterFile file, Access access, uint64_t offset, uint64_t value)
{
    const Register *reg = find_register(file, offset, access.width);

    if (reg == NULL) {
        return;
    }
    access.offset = (uint32_t)(offset - reg->offset);
    ax_lock(&access.gic->lock);
    reg->write(&access, value);
    ax_unlock(&access.gic->lock);
}

static AxError dist_read(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                         uint64_t *value)
{
    const Access access = {.gic = device, .vcpu = vcpu, .width = width};

    *value = read_file(REGISTER_FILE(dist_registers), access, offset);
    return AX_OK;
}

static AxError dist_write(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                          uint64_t value)
{
    const Access access = {.gic = device, .vcpu = vcpu, .width = width};

    write_file(REGISTER_FILE(dist_registers), access, offset, value);
    return AX_OK;
}

// The redistributor and the frame that `offset` of the region is in.
static RegisterFile select_frame(Access *access, uint64_t offset)
{
    AxGicv3 *gic = access->gic;
    const uint64_t index = offset / AX_GICV3_REDIST_SIZE;

    if (index >= gic->cpu_count) {
        return (RegisterFile){NULL, 0};
    }
    access->cpu = &gic->cpus[index];
    return offset % AX_GICV3_REDIST_SIZE < RD_FRAME_SIZE ? REGISTER_FILE(rd_registers)
                                                         : REGISTER_FILE(sgi_registers);
}

static AxError redist_read(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                           uint64_t *value)
{
    Access access = {.gic = device, .vcpu = vcpu, .width = width};
    const RegisterFile file = select_frame(&access, offset);

    *value = read_file(file, access, offset % RD_FRAME_SIZE);
    return AX_OK;
}

static AxError redist_write(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                            uint64_t value)
{
    Access access = {.gic = device, .vcpu = vcpu, .width = width};
    const RegisterFile file = select_frame(&access, offset);

    write_file(file, access, offset % RD_FRAME_SIZE, value);
    return AX_OK;
}

const AxDeviceOps axvm_gicv3_dist_ops = {
    .name = "GICv3 distributor",
    .read = dist_read,
    .write = dist_write,
};

const AxDeviceOps axvm_gicv3_redist_ops = {
    .name = "GICv3 redistributor",
    .read = redist_read,
    .write = redist_write,
};

// ---- inputs ----

void axvm_gicv3_set_spi(void *controller, uint32_t intid, bool high)
{
    AxGicv3 *gic = controller;

    if (!is_spi(gic, intid)) {
        return;
    }
    ax_lock(&gic->lock);
    const Irq irq = spi_irq(gic, intid);

    drive(&irq, high);
    ax_unlock(&gic->lock);
}

void axvm_gicv3_set_ppi(AxGicv3 *gic, uint32_t index, uint32_t intid, bool high)
{
    if (index >= gic->cpu_count || intid < AX_GICV3_PPI_FIRST || intid >= AX_GICV3_SPI_FIRST) {
        return;
    }
    ax_lock(&gic->lock);
    const Irq irq = private_irq(gic, &gic->cpus[index], intid);

    drive(&irq, high);
    ax_unlock(&gic->lock);
}

static void send_to(AxGicv3 *gic, AxGicv3Cpu *cpu, uint32_t intid)
{
    const Irq irq = private_irq(gic, cpu, intid);

    if ((irq.bank->group1 & irq.bit) != 0) {
        make_pending(&irq);
    }
}

static bool is_named(const AxVCpuExit *exit, const AxGicv3Cpu *cpu, const AxVCpu *sender)
{
    const uint64_t distance = cpu->affinity - exit->ipi.target_cpu;

    if (exit->ipi.to_all) {
        return cpu->vcpu != sender;
    }
    if (exit->ipi.to_self) {
        return cpu->vcpu == sender;
    }
    return distance < 64 && ((exit->ipi.target_list >> distance) & 1) != 0;
}

AxError axvm_gicv3_send_sgi(AxGicv3 *gic, const AxVCpu *sender, const AxVCpuExit *exit)
{
    if (exit->reason != AX_EXIT_SEND_IPI) {
        return AX_EINVAL;
    }
    if (exit->ipi.vector >= AX_GICV3_PPI_FIRST) {
        return AX_ERANGE;
    }
    ax_lock(&gic->lock);
    for (uint32_t i = 0; i < gic->cpu_count; i++) {
        if (is_named(exit, &gic->cpus[i], sender)) {
            send_to(gic, &gic->cpus[i], exit->ipi.vector);
        }
    }
    ax_unlock(&gic->lock);
    return AX_OK;
}

// ---- life ----

// A vCPU starts with everything enabled, also what no interrupt controller sends.
static void silence(AxVCpu *vcpu)
{
    for (uint32_t intid = 0; intid < AX_IRQ_COUNT; intid++) {
        best_effort(axvcpu_enable_interrupt(vcpu, intid, false));
        best_effort(axvcpu_set_interrupt_priority(vcpu, intid, 0));
    }
}

static void push_cpu(AxGicv3 *gic, uint32_t index)
{
    AxGicv3Cpu *cpu = &gic->cpus[index];

    silence(cpu->vcpu);
    for (uint32_t intid = 0; intid < AX_GICV3_SPI_FIRST; intid++) {
        const Irq irq = private_irq(gic, cpu, intid);

        push_all(&irq);
    }
    for (uint32_t intid = AX_GICV3_SPI_FIRST; intid < spi_end(gic); intid++) {
        const Irq irq = spi_irq(gic, intid);

        if (irq.target == cpu->vcpu) {
            push_all(&irq);
        }
    }
}

void axvm_gicv3_vcpu_reset(AxGicv3 *gic, uint32_t index)
{
    ax_lock(&gic->lock);
    if (index < gic->cpu_count) {
        push_cpu(gic, index);
    }
    ax_unlock(&gic->lock);
}

// Inputs that are high would stay high where they went.
static void lower_inputs(AxGicv3 *gic)
{
    for (uint32_t intid = AX_GICV3_SPI_FIRST; intid < spi_end(gic); intid++) {
        const Irq irq = spi_irq(gic, intid);

        drive(&irq, false);
    }
    for (uint32_t i = 0; i < gic->cpu_count; i++) {
        for (uint32_t intid = AX_GICV3_PPI_FIRST; intid < AX_GICV3_SPI_FIRST; intid++) {
            const Irq irq = private_irq(gic, &gic->cpus[i], intid);

            drive(&irq, false);
        }
    }
}

static void reset_spis(AxGicv3 *gic)
{
    const uint8_t target = find_cpu(gic, 0);

    memset(gic->spis, 0, sizeof(gic->spis));
    memset(gic->routes, 0, sizeof(gic->routes));
    memset(gic->targets, target, sizeof(gic->targets));
}

static void reset_cpu(AxGicv3Cpu *cpu)
{
    cpu->asleep = true;
    memset(&cpu->bank, 0, sizeof(cpu->bank));
    cpu->bank.edge = SGI_MASK;
}

void axvm_gicv3_reset(AxGicv3 *gic)
{
    ax_lock(&gic->lock);
    lower_inputs(gic);
    gic->group1_enabled = false;
    reset_spis(gic);
    for (uint32_t i = 0; i < gic->cpu_count; i++) {
        reset_cpu(&gic->cpus[i]);
        push_cpu(gic, i);
    }
    ax_unlock(&gic->lock);
}

AxError axvm_gicv3_init(AxGicv3 *gic, uint32_t spi_count)
{
    if (spi_count == 0 || spi_count > AX_GICV3_SPI_MAX || spi_count % BITS_PER_BANK != 0) {
        return AX_EINVAL;
    }
    memset(gic, 0, sizeof(*gic));
    gic->bank_count = spi_count / BITS_PER_BANK;
    reset_spis(gic);
    return AX_OK;
}

AxError axvm_gicv3_add_cpu(AxGicv3 *gic, AxVCpu *vcpu, uint64_t affinity)
{
    const uint32_t index = gic->cpu_count;

    if (vcpu == NULL || (affinity & ~AFFINITY_MASK) != 0) {
        return AX_EINVAL;
    }
    if (find_cpu(gic, affinity) != AX_GICV3_NOBODY) {
        return AX_EEXIST;
    }
    if (index == AX_VM_CPUS_MAX) {
        return AX_ENOSPC;
    }
    gic->cpus[index] = (AxGicv3Cpu){.vcpu = vcpu, .affinity = affinity};
    gic->cpu_count = index + 1;
    reset_cpu(&gic->cpus[index]);
    // Routes are all 0 yet.
    memset(gic->targets, find_cpu(gic, 0), sizeof(gic->targets));
    push_cpu(gic, index);
    return AX_OK;
}
