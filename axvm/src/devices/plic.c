// SPDX-License-Identifier: Apache-2.0
#include <axvm/devices/plic.h>

#include <axvcpu/bits.h>
#include <string.h>

#define PRIORITY_MASK UINT32_C(7)
#define CLAIM_NONE    0u

// The address map (PLIC specification, chapter 3): blocks of registers of one kind.
#define PRIORITY_BASE  UINT64_C(0x0)
#define PENDING_BASE   UINT64_C(0x1000)
#define PENDING_END    UINT64_C(0x1080)
#define ENABLE_BASE    UINT64_C(0x2000)
#define ENABLE_STRIDE  UINT64_C(0x80)
#define CONTEXT_BASE   UINT64_C(0x200000)
#define CONTEXT_STRIDE UINT64_C(0x1000)
#define THRESHOLD      UINT64_C(0x0)
#define CLAIM          UINT64_C(0x4)

// All below: with the lock held, except where it says otherwise.

// ---- sources ----

static uint32_t bit_of(uint32_t source)
{
    return UINT32_C(1) << source % 32;
}

static bool is_set(const uint32_t *words, uint32_t source)
{
    return (words[source / 32] & bit_of(source)) != 0;
}

static bool exists(const AxPlic *plic, uint32_t source)
{
    return source != CLAIM_NONE && source <= plic->source_count;
}

static uint32_t word_count(const AxPlic *plic)
{
    return plic->source_count / 32 + 1;
}

// Bits of `word` that stand for sources.
static uint32_t source_mask(const AxPlic *plic, uint32_t word)
{
    const uint32_t last = plic->source_count % 32;
    uint32_t mask = UINT32_MAX;

    if (word == plic->source_count / 32) {
        mask = UINT32_MAX >> (31 - last);
    }
    return word == 0 ? mask & ~UINT32_C(1) : mask;
}

// A gateway passes a request on once, and again after its completion while the line is high.
static void forward(AxPlic *plic, uint32_t source)
{
    if (is_set(plic->line, source) && !is_set(plic->claimed, source)) {
        plic->pending[source / 32] |= bit_of(source);
    }
}

// ---- contexts ----

static bool is_better(const AxPlic *plic, uint32_t source, uint32_t best)
{
    return plic->priority[source] > plic->priority[best];
}

// What a claim would get: the highest priority, then the lowest number. Source 0 has priority 0, so
// nothing of priority 0 ever wins. The threshold has no say in it.
static uint32_t best_source(const AxPlic *plic, const AxPlicContext *context)
{
    uint32_t best = CLAIM_NONE;

    for (uint32_t word = 0; word < word_count(plic); word++) {
        for (uint32_t bits = plic->pending[word] & context->enabled[word]; bits != 0;
             bits &= bits - 1) {
            const uint32_t source = word * 32 + ax_lowest_bit(bits);

            best = is_better(plic, source, best) ? source : best;
        }
    }
    return best;
}

static void drive(const AxPlic *plic, const AxPlicContext *context)
{
    const uint8_t priority = plic->priority[best_source(plic, context)];

    // A vCPU that cannot take interrupts any more (Invalid) misses nothing.
    (void)!axvcpu_set_interrupt_level(context->vcpu, AX_PLIC_IRQ, priority > context->threshold);
}

static void drive_all(const AxPlic *plic)
{
    for (uint32_t i = 0; i < plic->context_count; i++) {
        drive(plic, &plic->contexts[i]);
    }
}

static uint32_t claim(AxPlic *plic, const AxPlicContext *context)
{
    const uint32_t source = best_source(plic, context);

    if (source != CLAIM_NONE) {
        plic->pending[source / 32] &= ~bit_of(source);
        plic->claimed[source / 32] |= bit_of(source);
        drive_all(plic);
    }
    return source;
}

// Who completes need not be who claimed: what counts is that the source is enabled there.
static void complete(AxPlic *plic, const AxPlicContext *context, uint32_t source)
{
    if (!exists(plic, source) || !is_set(context->enabled, source)) {
        return;
    }
    plic->claimed[source / 32] &= ~bit_of(source);
    forward(plic, source);
    drive_all(plic);
}

// ---- registers ----

// One register: which block it is in, and where there.
typedef struct Place {
    AxPlic *plic;
    uint32_t index; // source, word, or context
    uint32_t word;  // of a context's enable bits
} Place;

typedef uint32_t (*Reader)(const Place *place);
typedef void (*Writer)(const Place *place, uint32_t value);

static uint32_t read_priority(const Place *place)
{
    return place->plic->priority[place->index];
}

static void write_priority(const Place *place, uint32_t value)
{
    place->plic->priority[place->index] = (uint8_t)(value & PRIORITY_MASK);
    drive_all(place->plic);
}

static uint32_t read_pending(const Place *place)
{
    return place->plic->pending[place->index];
}

static uint32_t read_enable(const Place *place)
{
    return place->plic->contexts[place->index].enabled[place->word];
}

static void write_enable(const Place *place, uint32_t value)
{
    AxPlicContext *context = &place->plic->contexts[place->index];

    context->enabled[place->word] = value & source_mask(place->plic, place->word);
    drive(place->plic, context);
}

static uint32_t read_threshold(const Place *place)
{
    return place->plic->contexts[place->index].threshold;
}

static void write_threshold(const Place *place, uint32_t value)
{
    AxPlicContext *context = &place->plic->contexts[place->index];

    context->threshold = (uint8_t)(value & PRIORITY_MASK);
    drive(place->plic, context);
}

static uint32_t read_claim(const Place *place)
{
    return claim(place->plic, &place->plic->contexts[place->index]);
}

static void write_complete(const Place *place, uint32_t value)
{
    complete(place->plic, &place->plic->contexts[place->index], value);
}

static void write_ignored(const Place *place, uint32_t value)
{
    (void)place;
    (void)value;
}

typedef struct Register {
    Reader read;
    Writer write;
} Register;

static const Register priority_register = {read_priority, write_priority};
static const Register pending_register = {read_pending, write_ignored};
static const Register enable_register = {read_enable, write_enable};
static const Register threshold_register = {read_threshold, write_threshold};
static const Register claim_register = {read_claim, write_complete};

static const Register *find_priority(Place *place, uint64_t offset)
{
    place->index = (uint32_t)((offset - PRIORITY_BASE) / 4);
    return exists(place->plic, place->index) ? &priority_register : NULL;
}

static const Register *find_pending(Place *place, uint64_t offset)
{
    place->index = (uint32_t)((offset - PENDING_BASE) / 4);
    return place->index < word_count(place->plic) ? &pending_register : NULL;
}

static const Register *find_enable(Place *place, uint64_t offset)
{
    place->index = (uint32_t)((offset - ENABLE_BASE) / ENABLE_STRIDE);
    place->word = (uint32_t)((offset - ENABLE_BASE) % ENABLE_STRIDE / 4);
    return place->index < place->plic->context_count && place->word < word_count(place->plic)
               ? &enable_register
               : NULL;
}

static const Register *find_context(Place *place, uint64_t offset)
{
    const uint64_t within = (offset - CONTEXT_BASE) % CONTEXT_STRIDE;

    place->index = (uint32_t)((offset - CONTEXT_BASE) / CONTEXT_STRIDE);
    if (place->index >= place->plic->context_count) {
        return NULL;
    }
    if (within == THRESHOLD) {
        return &threshold_register;
    }
    return within == CLAIM ? &claim_register : NULL;
}

// By address; what a finder is not asked for belongs to nobody.
static const struct {
    uint64_t base;
    uint64_t end;
    const Register *(*find)(Place *place, uint64_t offset);
} blocks[] = {
    {CONTEXT_BASE, AX_PLIC_SIZE, find_context},
    {ENABLE_BASE, CONTEXT_BASE, find_enable},
    {PRIORITY_BASE, PENDING_BASE, find_priority},
    {PENDING_BASE, PENDING_END, find_pending},
};

// NULL where there is no register. What it reads of the controller never changes: needs no lock.
static const Register *find_register(Place *place, uint64_t offset)
{
    for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
        if (offset >= blocks[i].base && offset < blocks[i].end) {
            return blocks[i].find(place, offset);
        }
    }
    return NULL;
}

static bool is_whole_register(uint64_t offset, AccessWidth width)
{
    return width == AX_WIDTH_DWORD && offset % 4 == 0;
}

static AxError plic_read(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                         uint64_t *value)
{
    Place place = {.plic = device};
    const Register *reg = find_register(&place, offset);

    (void)vcpu;
    *value = 0;
    if (!is_whole_register(offset, width)) {
        return AX_EFAULT;
    }
    if (reg != NULL) {
        ax_lock(&place.plic->lock);
        *value = reg->read(&place);
        ax_unlock(&place.plic->lock);
    }
    return AX_OK;
}

static AxError plic_write(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                          uint64_t value)
{
    Place place = {.plic = device};
    const Register *reg = find_register(&place, offset);

    (void)vcpu;
    if (!is_whole_register(offset, width)) {
        return AX_EFAULT;
    }
    if (reg != NULL) {
        ax_lock(&place.plic->lock);
        reg->write(&place, (uint32_t)value);
        ax_unlock(&place.plic->lock);
    }
    return AX_OK;
}

const AxDeviceOps axvm_plic_ops = {
    .name = "PLIC",
    .read = plic_read,
    .write = plic_write,
};

// ---- inputs ----

void axvm_plic_set_source(void *controller, uint32_t source, bool high)
{
    AxPlic *plic = controller;

    if (!exists(plic, source)) {
        return;
    }
    ax_lock(&plic->lock);
    if (high) {
        plic->line[source / 32] |= bit_of(source);
        forward(plic, source);
        drive_all(plic);
    } else {
        plic->line[source / 32] &= ~bit_of(source);
    }
    ax_unlock(&plic->lock);
}

// ---- life ----

AxError axvm_plic_init(AxPlic *plic, uint32_t source_count)
{
    if (source_count == 0 || source_count > AX_PLIC_SOURCE_MAX) {
        return AX_EINVAL;
    }
    memset(plic, 0, sizeof(*plic));
    plic->source_count = source_count;
    return AX_OK;
}

AxError axvm_plic_add_cpu(AxPlic *plic, AxVCpu *vcpu)
{
    if (vcpu == NULL) {
        return AX_EINVAL;
    }
    if (plic->context_count == AX_VM_CPUS_MAX) {
        return AX_ENOSPC;
    }
    plic->contexts[plic->context_count++] = (AxPlicContext){.vcpu = vcpu};
    return AX_OK;
}

static void reset_context(AxPlicContext *context)
{
    context->threshold = 0;
    memset(context->enabled, 0, sizeof(context->enabled));
}

void axvm_plic_reset(AxPlic *plic)
{
    ax_lock(&plic->lock);
    memset(plic->line, 0, sizeof(plic->line));
    memset(plic->pending, 0, sizeof(plic->pending));
    memset(plic->claimed, 0, sizeof(plic->claimed));
    memset(plic->priority, 0, sizeof(plic->priority));
    for (uint32_t i = 0; i < plic->context_count; i++) {
        reset_context(&plic->contexts[i]);
    }
    drive_all(plic);
    ax_unlock(&plic->lock);
}

void axvm_plic_vcpu_reset(AxPlic *plic, uint32_t index)
{
    ax_lock(&plic->lock);
    if (index < plic->context_count) {
        drive(plic, &plic->contexts[index]);
    }
    ax_unlock(&plic->lock);
}
