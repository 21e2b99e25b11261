// SPDX-License-Identifier: Apache-2.0
// Loads and stores that trap, form by form, at the scratch page: it is memory, but each access traps.
#include "selftest.h"

#include <string.h>

#define AT(offset) (GUEST_SCRATCH_BASE + (offset))

static uint64_t load(uint64_t offset)
{
    return *(volatile uint64_t *)AT(offset);
}

static void store(uint64_t offset, uint64_t value)
{
    *(volatile uint64_t *)AT(offset) = value;
}

#define PATTERN  UINT64_C(0x8182838485868788)
#define REGISTER UINT64_C(0x1122334455667788)

// An instruction with rax in and out and the scratch page at rbx. False when it faulted.
#define RUN_FORM(code, rax)                                                \
    ({                                                                     \
        store(0, PATTERN);                                                 \
        GUEST_TRY(code, : "+a"(rax) : "b"(AT(0)) : "r11", "memory", "cc"); \
        !guest_fault.taken;                                                \
    })

#define LOAD_FORM(code, expected)                               \
    do {                                                        \
        uint64_t rax = REGISTER;                                \
        check_form(RUN_FORM(code, rax), rax, (expected), code); \
    } while (0)

#define STORE_FORM(code, expected)                   \
    do {                                             \
        uint64_t rax = REGISTER;                     \
        const bool done = RUN_FORM(code, rax);       \
        check_form(done, load(0), (expected), code); \
    } while (0)

static void check_form(bool done, uint64_t actual, uint64_t expected, const char *code)
{
    (void)(done ? GUEST_CHECK_EQ(actual, expected, code) : GUEST_CHECK(false, code));
}

static void loads(void)
{
    LOAD_FORM("movb (%%rbx), %%al", UINT64_C(0x1122334455667788));
    LOAD_FORM("movb 1(%%rbx), %%ah", UINT64_C(0x1122334455668788));
    LOAD_FORM("movw (%%rbx), %%ax", UINT64_C(0x1122334455668788));
    LOAD_FORM("movl (%%rbx), %%eax", UINT64_C(0x85868788));
    LOAD_FORM("movq (%%rbx), %%rax", PATTERN);
    LOAD_FORM("movzbl (%%rbx), %%eax", UINT64_C(0x88));
    LOAD_FORM("movzwq (%%rbx), %%rax", UINT64_C(0x8788));
    LOAD_FORM("movsbw (%%rbx), %%ax", UINT64_C(0x112233445566ff88));
    LOAD_FORM("movsbq (%%rbx), %%rax", UINT64_C(0xffffffffffffff88));
    LOAD_FORM("movslq (%%rbx), %%rax", UINT64_C(0xffffffff85868788));
    LOAD_FORM("xchgl %%eax, (%%rbx)", UINT64_C(0x85868788));
    LOAD_FORM("andl (%%rbx), %%eax", UINT64_C(0x05060788));
}

static void stores(void)
{
    STORE_FORM("movb %%al, (%%rbx)", UINT64_C(0x8182838485868788));
    STORE_FORM("movb %%ah, (%%rbx)", UINT64_C(0x8182838485868777));
    STORE_FORM("movw %%ax, (%%rbx)", UINT64_C(0x8182838485867788));
    STORE_FORM("movl %%eax, (%%rbx)", UINT64_C(0x8182838455667788));
    STORE_FORM("movq %%rax, (%%rbx)", UINT64_C(0x1122334455667788));
    STORE_FORM("movb $0x5a, (%%rbx)", UINT64_C(0x818283848586875a));
    STORE_FORM("movl $0x12345678, 4(%%rbx)", UINT64_C(0x1234567885868788));
    STORE_FORM("movq $-2, (%%rbx)", UINT64_C(0xfffffffffffffffe));
    STORE_FORM("andl $0xff, (%%rbx)", UINT64_C(0x8182838400000088));
    STORE_FORM("orl $1, (%%rbx)", UINT64_C(0x8182838485868789));
    STORE_FORM("xchgq %%rax, (%%rbx)", UINT64_C(0x1122334455667788));
}

static void strings(void)
{
    static const char text[] = "sixteen letters.";
    char back[16] = {0};
    uint64_t to = AT(0x100);
    uint64_t from = (uint64_t)text;
    uint64_t count = sizeof(back);

    GUEST_TRY("rep movsb", : "+D"(to), "+S"(from), "+c"(count) : : "r11", "memory");
    to = (uint64_t)back;
    from = AT(0x100);
    count = sizeof(back) / 4;
    if (!guest_fault.taken) {
        GUEST_TRY("rep movsl", : "+D"(to), "+S"(from), "+c"(count) : : "r11", "memory");
    }
    check_form(!guest_fault.taken, memcmp(back, text, sizeof(back)) == 0, true,
               "rep movs to and from the scratch page");
    to = AT(0x200);
    count = 4;
    GUEST_TRY("rep stosl", : "+D"(to), "+c"(count) : "a"(0x01020304) : "r11", "memory");
    check_form(!guest_fault.taken, load(0x208), UINT64_C(0x0102030401020304),
               "rep stosl to the scratch page");
}

#define ZERO_FLAG UINT64_C(0x40)

static void flags(void)
{
    uint64_t rflags = 0;

    store(0, 5);
    GUEST_TRY("cmpl $5, (%1)\n\tpushfq\n\tpopq %0",
              : "=r"(rflags)
              : "b"(AT(0))
              : "r11", "memory", "cc");
    check_form(!guest_fault.taken, rflags & ZERO_FLAG, ZERO_FLAG, "cmp with the scratch page");
    GUEST_TRY("testl $2, (%1)\n\tpushfq\n\tpopq %0",
              : "=r"(rflags)
              : "b"(AT(0))
              : "r11", "memory", "cc");
    check_form(!guest_fault.taken, rflags & ZERO_FLAG, ZERO_FLAG, "test with the scratch page");
}

void test_memory(void)
{
    loads();
    stores();
    strings();
    flags();
}
