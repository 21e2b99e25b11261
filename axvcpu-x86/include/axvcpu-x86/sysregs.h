// SPDX-License-Identifier: Apache-2.0
/*
 * The architectural state of a guest that hardware switches, by name. One line per field drives the
 * register ids and the tables of the vendors, which say where each of them keeps it.
 */
#pragma once

/* Segment registers in the order of their encoding, then the two system segments. */
#define X86_SEGMENTS(X) \
    X(ES)               \
    X(CS)               \
    X(SS)               \
    X(DS)               \
    X(FS)               \
    X(GS)               \
    X(LDTR)             \
    X(TR)

/* X(field): all but segments. GDTR and IDTR have no selector and no attributes. */
#define X86_PLAIN_FIELDS(X) \
    X(CR0)                  \
    X(CR2)                  \
    X(CR3)                  \
    X(CR4)                  \
    X(EFER)                 \
    X(PAT)                  \
    X(DR6)                  \
    X(DR7)                  \
    X(GDTR_BASE)            \
    X(GDTR_LIMIT)           \
    X(IDTR_BASE)            \
    X(IDTR_LIMIT)           \
    X(SYSENTER_CS)          \
    X(SYSENTER_ESP)         \
    X(SYSENTER_EIP)         \
    X(STAR)                 \
    X(LSTAR)                \
    X(CSTAR)                \
    X(SFMASK)               \
    X(KERNEL_GS_BASE)

/*
 * ATTRIBUTES: bits 7:0 are byte 5 of a descriptor (type, S, DPL, P), bits 11:8 the upper half of its
 * byte 6 (AVL, L, D/B, G). LIMIT is in bytes.
 */
#define X86_SEGMENT_FIELDS(X, segment) \
    X(segment##_SELECTOR)              \
    X(segment##_ATTRIBUTES)            \
    X(segment##_LIMIT)                 \
    X(segment##_BASE)

#define X86_FIELDS(X)           \
    X86_PLAIN_FIELDS(X)         \
    X86_SEGMENT_FIELDS(X, ES)   \
    X86_SEGMENT_FIELDS(X, CS)   \
    X86_SEGMENT_FIELDS(X, SS)   \
    X86_SEGMENT_FIELDS(X, DS)   \
    X86_SEGMENT_FIELDS(X, FS)   \
    X86_SEGMENT_FIELDS(X, GS)   \
    X86_SEGMENT_FIELDS(X, LDTR) \
    X86_SEGMENT_FIELDS(X, TR)

typedef enum X86Field {
#define X86_FIELD_ENUM(field) X86_FIELD_##field,
    X86_FIELDS(X86_FIELD_ENUM)
#undef X86_FIELD_ENUM
        X86_FIELD_COUNT
} X86Field;
