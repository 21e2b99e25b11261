// SPDX-License-Identifier: Apache-2.0
/* Registers of a vCPU, and the answers to its exits. */
#include "internal.h"

// ---- completing an exit ----

static inline AxError check_answer(const AxVCpu *vcpu, unsigned answers)
{
    if (!axvcpu_is_ready(vcpu)) {
        return AX_ESTATE;
    }
    if (!axvcpu_on_bound_pcpu(vcpu)) {
        return AX_EWRONGCPU;
    }
    if ((vcpu->answers_due & answers) == 0) {
        return AX_ENOEXIT;
    }
    return AX_OK;
}

static inline AxError answered(AxVCpu *vcpu, AxError error)
{
    vcpu->answers_due = 0;
    return axvcpu_settle(vcpu, error);
}

AxError axvcpu_complete_read(AxVCpu *vcpu, uint64_t value)
{
    const AxError error = check_answer(vcpu, AX_COMPLETE_READ);

    if (error != AX_OK) {
        return error;
    }
    return answered(vcpu, vcpu->ops->complete_read(vcpu->arch, &vcpu->exit, value));
}

AxError axvcpu_complete_write(AxVCpu *vcpu)
{
    const AxError error = check_answer(vcpu, AX_COMPLETE_WRITE);

    if (error != AX_OK) {
        return error;
    }
    return answered(vcpu, vcpu->ops->complete_write(vcpu->arch, &vcpu->exit));
}

AxError axvcpu_complete_call(AxVCpu *vcpu, AxError result, uint64_t value)
{
    const AxError error = check_answer(vcpu, AX_COMPLETE_CALL);

    if (error != AX_OK) {
        return error;
    }
    return answered(vcpu, vcpu->ops->complete_call(vcpu->arch, &vcpu->exit, result, value));
}

AxError axvcpu_complete_retry(AxVCpu *vcpu)
{
    const AxError error = check_answer(vcpu, AX_COMPLETE_RETRY);

    if (error != AX_OK) {
        return error;
    }
    return answered(vcpu, AX_OK);
}

AxError axvcpu_complete_fault(AxVCpu *vcpu)
{
    const AxError error = check_answer(vcpu, UINT32_MAX);

    if (error != AX_OK) {
        return error;
    }
    return answered(vcpu, vcpu->ops->complete_fault(vcpu->arch, &vcpu->exit));
}

// ---- registers ----

static AxError check_registers(const AxVCpu *vcpu)
{
    const uint32_t state = axvcpu_raw_state(vcpu);

    if (state == AX_VCPU_INVALID || state == AX_VCPU_RUNNING) {
        return AX_ESTATE;
    }
    // The live values of a bound vCPU may be in registers of its pCPU.
    return axvcpu_on_bound_pcpu(vcpu) ? AX_OK : AX_EWRONGCPU;
}

static AxError check_register_file(const AxVCpu *vcpu, const void *values, size_t count)
{
    if (values == NULL) {
        return AX_EINVAL;
    }
    const AxError error = check_registers(vcpu);

    if (error == AX_OK && count != vcpu->ops->reg_id_count) {
        return AX_ERANGE;
    }
    return error;
}

AxError axvcpu_get_reg(const AxVCpu *vcpu, AxRegId reg, uint64_t *value)
{
    if (value == NULL) {
        return AX_EINVAL;
    }
    const AxError error = check_registers(vcpu);

    return error != AX_OK ? error : vcpu->ops->get_reg(vcpu->arch, reg, value);
}

AxError axvcpu_set_reg(AxVCpu *vcpu, AxRegId reg, uint64_t value)
{
    const AxError error = check_registers(vcpu);

    if (error != AX_OK) {
        return error;
    }
    return axvcpu_settle_setter(vcpu, vcpu->ops->set_reg(vcpu->arch, reg, value));
}

AxError axvcpu_set_gpr(AxVCpu *vcpu, uint32_t n, uint64_t value)
{
    // Numbers from here on have other meanings; the backend refuses those between.
    return n < AX_REG_PC ? axvcpu_set_reg(vcpu, AX_REG_GPR(n), value) : AX_ENOENT;
}

AxError axvcpu_set_return_value(AxVCpu *vcpu, uint64_t value)
{
    return axvcpu_set_reg(vcpu, AX_REG_RETURN, value);
}

const AxRegId *axvcpu_reg_ids(const AxVCpu *vcpu, size_t *count)
{
    *count = vcpu->ops->reg_id_count;
    return vcpu->ops->reg_ids;
}

AxError axvcpu_get_regs(const AxVCpu *vcpu, uint64_t *values, size_t count)
{
    AxError error = check_register_file(vcpu, values, count);

    for (size_t i = 0; error == AX_OK && i < count; i++) {
        error = vcpu->ops->get_reg(vcpu->arch, vcpu->ops->reg_ids[i], &values[i]);
    }
    return error;
}

// Whether the backend takes the value, found by trying it and putting the old one back.
static AxError try_reg(AxVCpu *vcpu, AxRegId reg, uint64_t value)
{
    const AxArchVCpuOps *ops = vcpu->ops;
    uint64_t old;
    AxError error = ops->get_reg(vcpu->arch, reg, &old);

    if (error == AX_OK) {
        error = ops->set_reg(vcpu->arch, reg, value);
    }
    if (error != AX_OK) {
        return axvcpu_settle_setter(vcpu, error);
    }
    return axvcpu_settle(vcpu, ops->set_reg(vcpu->arch, reg, old));
}

AxError axvcpu_set_regs(AxVCpu *vcpu, const uint64_t *values, size_t count)
{
    AxError error = check_register_file(vcpu, values, count);

    // All are tried before the first is kept, which needs no memory for the old values.
    for (size_t i = 0; error == AX_OK && i < count; i++) {
        error = try_reg(vcpu, vcpu->ops->reg_ids[i], values[i]);
    }
    if (error != AX_OK) {
        return error;
    }
    for (size_t i = 0; error == AX_OK && i < count; i++) {
        error = vcpu->ops->set_reg(vcpu->arch, vcpu->ops->reg_ids[i], values[i]);
    }
    return axvcpu_settle(vcpu, error);
}
