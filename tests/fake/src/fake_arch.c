// SPDX-License-Identifier: Apache-2.0
#include <fake_arch.h>

#include <string.h>

// Positions in FakeVCpu.regs after the general registers.
enum { REG_PC = FAKE_GPR_COUNT, REG_SP, REG_ANY, REG_PICKY, REG_NONE };
_Static_assert(REG_NONE == FAKE_REG_COUNT, "every register has its place");

#define GPRS(x) AX_REG_GPR(x), AX_REG_GPR((x) + 1), AX_REG_GPR((x) + 2), AX_REG_GPR((x) + 3)
static const AxRegId reg_ids[] = {
    GPRS(0),   GPRS(4),   GPRS(8),        GPRS(12),       GPRS(16),
    GPRS(20),  GPRS(24),  AX_REG_GPR(28), AX_REG_GPR(29), AX_REG_GPR(30),
    AX_REG_PC, AX_REG_SP, FAKE_REG_ANY,   FAKE_REG_PICKY,
};
#undef GPRS
_Static_assert(sizeof(reg_ids) / sizeof(reg_ids[0]) == FAKE_REG_COUNT, "ids name all registers");

// ---- script, failures, log ----

bool fake_push_exit(FakeVCpu *vcpu, AxVCpuExit exit)
{
    if (vcpu->script_tail - vcpu->script_head == FAKE_SCRIPT_MAX) {
        return false;
    }
    vcpu->script[vcpu->script_tail++ % FAKE_SCRIPT_MAX] = exit;
    return true;
}

bool fake_push_reason(FakeVCpu *vcpu, AxVCpuExitReason reason)
{
    return fake_push_exit(vcpu, (AxVCpuExit){.reason = reason});
}

void fake_fail(FakeVCpu *vcpu, FakeOp op, AxError error, uint32_t skip)
{
    vcpu->fail[op] = error;
    vcpu->fail_skip[op] = skip;
}

// Writes the call down; returns the failure that is due.
static AxError begin(FakeVCpu *vcpu, FakeOp op)
{
    const AxError error = vcpu->fail[op];

    vcpu->calls[op]++;
    if (op < FAKE_GET_REG && vcpu->log_count < FAKE_LOG_MAX) {
        vcpu->log[vcpu->log_count++] = op;
    }
    if (error == AX_OK || vcpu->fail_skip[op] > 0) {
        vcpu->fail_skip[op] -= error != AX_OK;
        return AX_OK;
    }
    vcpu->fail[op] = AX_OK;
    return error;
}

static void expect(FakeVCpu *vcpu, bool rule)
{
    vcpu->violations += !rule;
}

// ---- life ----

static void to_reset_state(FakeVCpu *vcpu)
{
    memset(vcpu->regs, 0, sizeof(vcpu->regs));
    vcpu->regs[0] = vcpu->create.dtb_addr.value;
    vcpu->root = NULL;
    vcpu->is_setup = false;
    vcpu->masked = false;
    memset(vcpu->held, 0, sizeof(vcpu->held));
    memset(vcpu->active, 0, sizeof(vcpu->active));
    vcpu->wakeup = false;
    vcpu->deadline = AX_DEADLINE_NONE;
}

static AxError create(void *arch, const AxArchVCpuEnv *env, const void *create_config)
{
    FakeVCpu *vcpu = arch;
    const FakeVCpuCreateConfig *config = create_config;

    if (config == NULL) {
        return AX_EINVAL;
    }
    memset(vcpu, 0, sizeof(*vcpu));
    vcpu->self = vcpu;
    vcpu->env = *env;
    vcpu->create = *config;
    if (config->create_error != AX_OK) {
        return config->create_error;
    }
    to_reset_state(vcpu);
    (void)begin(vcpu, FAKE_CREATE);
    return axvcpu_alloc_frame(env->hal, &vcpu->frame);
}

static void destroy(void *arch)
{
    FakeVCpu *vcpu = arch;

    (void)begin(vcpu, FAKE_DESTROY);
    expect(vcpu, vcpu->percpu == NULL);
    axvcpu_dealloc_frame(vcpu->env.hal, vcpu->frame);
}

static AxError reset(void *arch)
{
    FakeVCpu *vcpu = arch;
    const AxError error = begin(vcpu, FAKE_RESET);

    expect(vcpu, vcpu->percpu == NULL);
    if (error == AX_OK) {
        to_reset_state(vcpu);
    }
    return error;
}

static AxError set_entry(void *arch, GuestPhysAddr entry)
{
    FakeVCpu *vcpu = arch;
    const AxError error = begin(vcpu, FAKE_SET_ENTRY);

    expect(vcpu, !vcpu->is_setup);
    if (error != AX_OK) {
        return error;
    }
    if (entry.value % FAKE_INSN_SIZE != 0) {
        return AX_EALIGN;
    }
    vcpu->regs[REG_PC] = entry.value;
    return AX_OK;
}

static AxError set_ept_root(void *arch, AxEptRoot *root)
{
    FakeVCpu *vcpu = arch;
    const AxError error = begin(vcpu, FAKE_SET_EPT_ROOT);

    expect(vcpu, vcpu->root == NULL && !vcpu->is_setup);
    if (error != AX_OK) {
        return error;
    }
    if (root->base.value % AX_PAGE_SIZE != 0) {
        return AX_EALIGN;
    }
    vcpu->root = root;
    return AX_OK;
}

static AxError setup(void *arch, const void *setup_config)
{
    FakeVCpu *vcpu = arch;
    const FakeVCpuSetupConfig *config = setup_config;
    const AxError error = begin(vcpu, FAKE_SETUP);

    expect(vcpu, vcpu->root != NULL && !vcpu->is_setup);
    if (error != AX_OK) {
        return error;
    }
    if (config == NULL) {
        return AX_EINVAL;
    }
    vcpu->setup = *config;
    vcpu->is_setup = true;
    return AX_OK;
}

// ---- on a pCPU ----

static bool is_here(const FakeVCpu *vcpu)
{
    const AxVCpuHal *hal = vcpu->env.hal;

    return vcpu->percpu != NULL && hal->this_pcpu(hal->ctx) == vcpu->percpu->id;
}

static AxError bind(void *arch, void *arch_percpu)
{
    FakeVCpu *vcpu = arch;
    FakePerCpu *percpu = arch_percpu;
    const AxError error = begin(vcpu, FAKE_BIND);

    expect(vcpu, vcpu->is_setup && vcpu->percpu == NULL && percpu->bound == NULL);
    expect(vcpu, percpu->enabled && percpu->hal->this_pcpu(percpu->hal->ctx) == percpu->id);
    if (error == AX_OK) {
        vcpu->percpu = percpu;
        percpu->bound = vcpu;
    }
    return error;
}

// Lets go in any case, like a backend whose registers are saved but whose hardware complained.
static AxError unbind(void *arch)
{
    FakeVCpu *vcpu = arch;
    const AxError error = begin(vcpu, FAKE_UNBIND);

    expect(vcpu, is_here(vcpu));
    vcpu->percpu->bound = NULL;
    vcpu->percpu = NULL;
    return error;
}

static void apply_requests(FakeVCpu *vcpu, uint32_t word)
{
    AxEvents *events = vcpu->env.events;

    vcpu->held[word] &= ~axvcpu_events_take_requests(events, AX_IRQ_CLEAR_PENDING, word);
    vcpu->active[word] |= axvcpu_events_take_requests(events, AX_IRQ_SET_ACTIVE, word);
    vcpu->active[word] &= ~axvcpu_events_take_requests(events, AX_IRQ_CLEAR_ACTIVE, word);
}

static void take_irq(FakeVCpu *vcpu, uint32_t irq)
{
    const uint64_t bit = UINT64_C(1) << irq % 64;

    if (axvcpu_events_take_pending(vcpu->env.events, irq)) {
        vcpu->held[irq / 64] |= bit;
    }
    if (vcpu->masked) {
        return;
    }
    if ((vcpu->held[irq / 64] & bit) != 0) {
        vcpu->held[irq / 64] &= ~bit;
        vcpu->irq_taken[irq]++;
    }
    vcpu->level_taken[irq] += axvcpu_events_level(vcpu->env.events, irq);
}

static void take_irqs(FakeVCpu *vcpu)
{
    for (uint32_t word = 0; word < AX_IRQ_WORDS; word++) {
        apply_requests(vcpu, word);
        uint64_t left = axvcpu_events_signalled(vcpu->env.events, word) | vcpu->held[word];
        for (; left != 0; left &= left - 1) {
            take_irq(vcpu, word * 64 + (uint32_t)__builtin_ctzll(left));
        }
    }
}

// Interrupts are looked at before every entry: a level needs no new event to be signalled again.
static uint32_t take_events(FakeVCpu *vcpu)
{
    const uint32_t summary = axvcpu_events_take_summary(vcpu->env.events);

    if (axvcpu_events_take_exception(vcpu->env.events, &vcpu->last_exception)) {
        vcpu->exceptions_taken++;
    }
    if ((summary & AX_EVENT_FENCE) != 0 &&
        axvcpu_events_take_fence(vcpu->env.events, &vcpu->last_fence)) {
        vcpu->fences_taken++;
    }
    vcpu->nmi_taken += (summary & AX_EVENT_NMI) != 0;
    vcpu->kicks_taken += (summary & AX_EVENT_KICK) != 0;
    take_irqs(vcpu);
    return summary;
}

static AxError run(void *arch, AxVCpuExit *exit)
{
    FakeVCpu *vcpu = arch;
    const AxError error = begin(vcpu, FAKE_RUN);

    expect(vcpu, is_here(vcpu));
    if (error != AX_OK) {
        return error;
    }
    if ((take_events(vcpu) & AX_EVENT_KICK) != 0) {
        *exit = (AxVCpuExit){.reason = AX_EXIT_NOTHING};
        return AX_OK;
    }
    if (vcpu->script_head != vcpu->script_tail) {
        *exit = vcpu->script[vcpu->script_head++ % FAKE_SCRIPT_MAX];
        return AX_OK;
    }
    if (vcpu->guest != NULL) {
        return vcpu->guest(vcpu, exit);
    }
    *exit = (AxVCpuExit){.reason = AX_EXIT_UNHANDLED, .unhandled.cause = FAKE_CAUSE_SCRIPT_END};
    return AX_OK;
}

// ---- completions ----

static uint64_t extended(const AxVCpuExit *exit, uint64_t value)
{
    const AccessWidth width = exit->mmio.width;

    if (!exit->mmio.sign_extend) {
        return value & ax_width_mask(width);
    }
    return ax_sign_extend(value, width) & ax_width_mask(exit->mmio.reg_width);
}

static void write_destination(FakeVCpu *vcpu, const AxVCpuExit *exit, uint64_t value)
{
    uint32_t reg = 0;

    if (exit->reason == AX_EXIT_MMIO_READ) {
        reg = exit->mmio.reg;
        value = extended(exit, value);
    } else if (exit->reason == AX_EXIT_SYSREG_READ) {
        reg = exit->sysreg.reg;
    } else {
        value &= ax_width_mask(exit->io.width);
    }
    if (reg < FAKE_GPR_COUNT) {
        vcpu->regs[reg] = value;
    }
}

static AxError complete_read(void *arch, const AxVCpuExit *exit, uint64_t value)
{
    FakeVCpu *vcpu = arch;
    const AxError error = begin(vcpu, FAKE_COMPLETE_READ);

    expect(vcpu, is_here(vcpu));
    if (error == AX_OK) {
        vcpu->answer = value;
    }
    // A vector is the result of no instruction.
    if (error == AX_OK && exit->reason != AX_EXIT_INTERRUPT_ACKNOWLEDGE) {
        write_destination(vcpu, exit, value);
        vcpu->regs[REG_PC] += FAKE_INSN_SIZE;
    }
    return error;
}

static AxError complete_write(void *arch, const AxVCpuExit *exit)
{
    FakeVCpu *vcpu = arch;
    const AxError error = begin(vcpu, FAKE_COMPLETE_WRITE);

    (void)exit;
    expect(vcpu, is_here(vcpu));
    if (error == AX_OK) {
        vcpu->regs[REG_PC] += FAKE_INSN_SIZE;
    }
    return error;
}

static AxError complete_call(void *arch, const AxVCpuExit *exit, AxError result, uint64_t value)
{
    FakeVCpu *vcpu = arch;
    const AxError error = begin(vcpu, FAKE_COMPLETE_CALL);

    (void)exit;
    expect(vcpu, is_here(vcpu));
    if (error == AX_OK) {
        vcpu->answer = value;
        vcpu->answer_result = result;
        // Stands for the code of a firmware interface: minus the number of the error.
        vcpu->regs[0] = result == AX_OK ? value : UINT64_C(0) - (uint64_t)result;
        vcpu->regs[REG_PC] += FAKE_INSN_SIZE;
    }
    return error;
}

static AxError complete_fault(void *arch, const AxVCpuExit *exit)
{
    FakeVCpu *vcpu = arch;
    const AxError error = begin(vcpu, FAKE_COMPLETE_FAULT);

    (void)exit;
    expect(vcpu, is_here(vcpu));
    if (error == AX_OK) {
        vcpu->regs[REG_PC] = FAKE_FAULT_VECTOR;
    }
    return error;
}

// ---- registers ----

static uint32_t index_of(AxRegId reg)
{
    if (reg < FAKE_GPR_COUNT) {
        return reg;
    }
    if (reg >= AX_REG_ARG(0) && reg < AX_REG_ARG(AX_REG_ARG_MAX)) {
        return reg - AX_REG_ARG(0);
    }
    switch (reg) {
    case AX_REG_PC: return REG_PC;
    case AX_REG_SP: return REG_SP;
    case AX_REG_RETURN: return 0;
    case FAKE_REG_ANY: return REG_ANY;
    case FAKE_REG_PICKY: return REG_PICKY;
    default: return REG_NONE;
    }
}

uint64_t fake_reg(const FakeVCpu *vcpu, AxRegId reg)
{
    const uint32_t index = index_of(reg);

    return index == REG_NONE ? 0 : vcpu->regs[index];
}

static AxError get_reg(const void *arch, AxRegId reg, uint64_t *value)
{
    const FakeVCpu *vcpu = arch;
    const AxError error = begin(vcpu->self, FAKE_GET_REG);

    if (error != AX_OK) {
        return error;
    }
    if (index_of(reg) == REG_NONE) {
        return AX_ENOENT;
    }
    *value = vcpu->regs[index_of(reg)];
    return AX_OK;
}

static AxError set_reg(void *arch, AxRegId reg, uint64_t value)
{
    FakeVCpu *vcpu = arch;
    const uint32_t index = index_of(reg);
    const AxError error = begin(vcpu, FAKE_SET_REG);

    if (error != AX_OK) {
        return error;
    }
    if (index == REG_NONE) {
        return AX_ENOENT;
    }
    if (index == REG_PICKY && value >> 63 != 0) {
        return AX_EINVAL;
    }
    vcpu->regs[index] = value;
    return AX_OK;
}

// ---- questions ----

static AxIrqState irq_state(const void *arch, uint32_t irq)
{
    const FakeVCpu *vcpu = arch;
    const uint64_t bit = UINT64_C(1) << irq % 64;

    return (AxIrqState){
        .pending = (vcpu->held[irq / 64] & bit) != 0,
        .active = (vcpu->active[irq / 64] & bit) != 0,
    };
}

static bool wakeup_pending(const void *arch)
{
    const FakeVCpu *vcpu = arch;
    uint64_t held = 0;

    for (uint32_t word = 0; word < AX_IRQ_WORDS; word++) {
        held |= vcpu->held[word];
    }
    return vcpu->wakeup || held != 0;
}

static uint64_t next_deadline(const void *arch)
{
    const FakeVCpu *vcpu = arch;

    return vcpu->deadline;
}

#define FAKE_OPS(nmi)                                                                           \
    {                                                                                           \
        .name = "fake", .has_nmi = (nmi), .create = create, .destroy = destroy, .reset = reset, \
        .set_entry = set_entry, .set_ept_root = set_ept_root, .setup = setup, .bind = bind,     \
        .unbind = unbind, .run = run, .complete_read = complete_read,                           \
        .complete_write = complete_write, .complete_call = complete_call,                       \
        .complete_fault = complete_fault, .get_reg = get_reg, .set_reg = set_reg,               \
        .reg_ids = reg_ids, .reg_id_count = FAKE_REG_COUNT, .irq_state = irq_state,             \
        .wakeup_pending = wakeup_pending, .next_deadline = next_deadline,                       \
    }

const AxArchVCpuOps fake_vcpu_ops = FAKE_OPS(true);
const AxArchVCpuOps fake_vcpu_ops_no_nmi = FAKE_OPS(false);
