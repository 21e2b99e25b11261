// SPDX-License-Identifier: Apache-2.0
// Every CSR that the backend touches, once: X(name, number), as in the Privileged Architecture. By
// number, because assemblers for plain RV64 do not know those of the extensions. Both hw/hs and
// hw/sim are made from this list.
#pragma once

#define RISCV_CSRS(X)                   \
    /* supervisor */                    \
    X(SSTATUS, 0x100)                   \
    X(SIE, 0x104)                       \
    X(STVEC, 0x105)                     \
    X(SCOUNTEREN, 0x106)                \
    X(SENVCFG, 0x10a)                   \
    X(SSCRATCH, 0x140)                  \
    X(SEPC, 0x141)                      \
    X(SCAUSE, 0x142)                    \
    X(STVAL, 0x143)                     \
    X(SIP, 0x144)                       \
    X(SATP, 0x180)                      \
    /* the guest's supervisor state */  \
    X(VSSTATUS, 0x200)                  \
    X(VSIE, 0x204)                      \
    X(VSTVEC, 0x205)                    \
    X(VSSCRATCH, 0x240)                 \
    X(VSEPC, 0x241)                     \
    X(VSCAUSE, 0x242)                   \
    X(VSTVAL, 0x243)                    \
    X(VSIP, 0x244)                      \
    X(VSTIMECMP, 0x24d) /* Sstc */      \
    X(VSATP, 0x280)                     \
    /* hypervisor */                    \
    X(HSTATUS, 0x600)                   \
    X(HEDELEG, 0x602)                   \
    X(HIDELEG, 0x603)                   \
    X(HIE, 0x604)                       \
    X(HTIMEDELTA, 0x605)                \
    X(HCOUNTEREN, 0x606)                \
    X(HGEIE, 0x607)                     \
    X(HENVCFG, 0x60a)                   \
    X(HSTATEEN0, 0x60c) /* Smstateen */ \
    X(HTVAL, 0x643)                     \
    X(HIP, 0x644)                       \
    X(HVIP, 0x645)                      \
    X(HTINST, 0x64a)                    \
    X(HGATP, 0x680)                     \
    X(HGEIP, 0xe12)                     \
    /* unprivileged */                  \
    X(TIME, 0xc01)
