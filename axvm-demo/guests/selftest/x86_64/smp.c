// SPDX-License-Identifier: Apache-2.0
// Several CPUs: INIT and start-up of each and of all at once, messages by each kind of destination,
// NMIs, one time for all.
#include "selftest.h"

#define VECTOR_PING 0x60
#define VECTOR_PONG 0x61
#define PINGS       1000u
#define PATIENCE    UINT64_C(20000000000) // ticks
#define A_WHILE     UINT64_C(5000000)
#define TIME_ROUNDS 20000u

typedef struct Cpu {
    volatile uint32_t starts;
    volatile uint32_t id;
    volatile uint32_t irqs;
    volatile uint32_t nmis;
} Cpu;

static Cpu cpus[GUEST_CPUS];
static volatile uint32_t pings;
static volatile uint32_t pongs;
static uint32_t count;

static void on_irq(uint8_t vector)
{
    Cpu *cpu = &cpus[guest_cpu()];

    if (vector == VECTOR_NMI) {
        cpu->nmis = cpu->nmis + 1;
        return;
    }
    lapic_write(LAPIC_EOI, 0);
    cpu->irqs = cpu->irqs + 1;
    if (vector == VECTOR_PING) {
        pings = pings + 1;
        lapic_send(0, VECTOR_PONG);
    } else if (vector == VECTOR_PONG) {
        pongs = pongs + 1;
    }
}

static void be_present(void)
{
    Cpu *cpu = &cpus[guest_cpu()];

    lapic_write(LAPIC_SVR, SVR_ENABLE | 0xff);
    lapic_write(LAPIC_LDR, UINT32_C(1) << (24 + guest_cpu()));
    cpu->id = guest_cpuid(1, 0).ebx >> 24;
    cpu->starts = cpu->starts + 1;
}

static void wait_for_interrupts(void)
{
    be_present();
    for (;;) {
        __asm__ volatile("sti\n\thlt\n\tcli" : : : "memory");
    }
}

static void wait_with_interrupts_off(void)
{
    be_present();
    for (;;) {
        __asm__ volatile("cli\n\thlt" : : : "memory");
    }
}

// True as soon as *counter is `value`.
static bool comes(const volatile uint32_t *counter, uint32_t value)
{
    const uint64_t begin = guest_ticks();

    while (*counter != value && guest_ticks() - begin < PATIENCE) {
        __asm__ volatile("pause");
    }
    return *counter == value;
}

static void wait_a_while(void)
{
    const uint64_t begin = guest_ticks();

    while (guest_ticks() - begin < A_WHILE) {
        __asm__ volatile("pause");
    }
}

// ---- starts ----

static void start_each(void)
{
    bool all = true;
    bool right_ids = true;

    for (uint32_t i = 1; i < count; i++) {
        guest_cpu_start(i, wait_for_interrupts);
        all = comes(&cpus[i].starts, 1) && all;
        right_ids = cpus[i].id == i && right_ids;
    }
    GUEST_CHECK(all, "each other CPU starts");
    GUEST_CHECK(right_ids, "it has its own APIC id");
    lapic_send(1, ICR_STARTUP | GUEST_LOAD >> 12);
    wait_a_while();
    GUEST_CHECK_EQ(cpus[1].starts, 1, "a start-up message to a running CPU is nothing");
}

static void start_again(void)
{
    guest_cpu_start(1, wait_for_interrupts);
    GUEST_CHECK(comes(&cpus[1].starts, 2), "INIT and a start-up message start a CPU anew");
    lapic_send(1, ICR_INIT);
    wait_a_while();
    lapic_send(1, VECTOR_PING);
    wait_a_while();
    GUEST_CHECK_EQ(pings, 0, "between them it takes no interrupt");
    lapic_send(1, ICR_STARTUP | GUEST_LOAD >> 12);
    GUEST_CHECK(comes(&cpus[1].starts, 3), "and then it starts");
}

static void start_all(void)
{
    uint32_t before[GUEST_CPUS] = {0};
    bool all = true;

    for (uint32_t i = 1; i < count; i++) {
        before[i] = cpus[i].starts;
    }
    lapic_write(LAPIC_ICR, ICR_INIT | ICR_OTHERS);
    wait_a_while();
    lapic_write(LAPIC_ICR, ICR_STARTUP | ICR_OTHERS | GUEST_LOAD >> 12);
    for (uint32_t i = 1; i < count; i++) {
        all = comes(&cpus[i].starts, before[i] + 1) && all;
    }
    GUEST_CHECK(all, "all others start by one message");
}

// ---- messages ----

static void there_and_back(void)
{
    pings = 0;
    for (uint32_t i = 1; i <= PINGS; i++) {
        lapic_send(1, VECTOR_PING);
        while (pongs < i) {
            __asm__ volatile("sti\n\thlt\n\tcli" : : : "memory");
        }
    }
    GUEST_CHECK_EQ(pings, PINGS, "interrupts go there and back");
}

static void let_in(void)
{
    __asm__ volatile("sti\n\tnop\n\tnop\n\tcli" : : : "memory");
}

// `targets` has a bit for each CPU that takes it.
static bool reaches(uint32_t high, uint32_t command, uint32_t targets)
{
    uint32_t before[GUEST_CPUS] = {0};
    bool all = true;

    for (uint32_t i = 0; i < count; i++) {
        before[i] = cpus[i].irqs;
    }
    lapic_write(LAPIC_ICR_HIGH, high);
    lapic_write(LAPIC_ICR, command | 0x62);
    let_in();
    for (uint32_t i = 0; i < count; i++) {
        if ((targets >> i & 1) != 0) {
            all = comes(&cpus[i].irqs, before[i] + 1) && all;
        }
    }
    wait_a_while();
    for (uint32_t i = 0; i < count; i++) {
        all = cpus[i].irqs == before[i] + (targets >> i & 1) && all;
    }
    return all;
}

static void each_destination(void)
{
    const uint32_t all = (UINT32_C(1) << count) - 1;

    lapic_write(LAPIC_LDR, 0x01000000);
    GUEST_CHECK(reaches(1u << 24, 0, 2), "a message to one CPU");
    GUEST_CHECK(reaches(0, 0, 1), "to oneself");
    GUEST_CHECK(reaches(0xff000000, 0, all), "to the id of all");
    GUEST_CHECK(reaches(0, ICR_ALL, all), "to all by the shorthand");
    GUEST_CHECK(reaches(0, ICR_OTHERS, all & ~1u), "to all others");
    GUEST_CHECK(reaches(0x02000000, ICR_LOGICAL, 2), "to a logical id");
    GUEST_CHECK(reaches(0x03000000, ICR_LOGICAL, 3), "to two logical ids");
    GUEST_CHECK(reaches(0xff000000, ICR_LOGICAL, all), "to all logical ids");
    GUEST_CHECK(reaches(0x02000000, ICR_LOGICAL | ICR_LOWEST, 2), "to the lowest priority of one");
    GUEST_CHECK(reaches(0xc8000000, 0, 0), "to a CPU that is not there");
}

static void nmis(void)
{
    const uint32_t before = cpus[1].nmis;

    lapic_send(1, ICR_NMI);
    GUEST_CHECK(comes(&cpus[1].nmis, before + 1), "an NMI to another CPU");
    guest_cpu_start(1, wait_with_interrupts_off);
    (void)comes(&cpus[1].starts, 5);
    lapic_send(1, VECTOR_PING);
    wait_a_while();
    lapic_send(1, ICR_NMI);
    GUEST_CHECK(comes(&cpus[1].nmis, before + 2), "an NMI ends HLT with interrupts off");
    lapic_write(LAPIC_ICR, ICR_NMI | ICR_OTHERS);
    GUEST_CHECK(comes(&cpus[1].nmis, before + 3) && cpus[0].nmis == 0, "an NMI to all others");
}

// ---- time ----

static volatile uint64_t last_time;
static volatile uint32_t backwards;
static volatile uint32_t time_users;

// Reads the time under a lock and compares it with what the reader before saw.
static void watch_time(void)
{
    static volatile uint32_t lock;

    for (uint32_t i = 0; i < TIME_ROUNDS; i++) {
        while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE) != 0) {
            __asm__ volatile("pause");
        }
        const uint64_t now = guest_ticks();

        backwards = backwards + (now < last_time ? 1 : 0);
        last_time = now;
        __atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
    }
    __atomic_fetch_add(&time_users, 1, __ATOMIC_SEQ_CST);
}

static void one_time(void)
{
    for (uint32_t i = 1; i < count; i++) {
        guest_cpu_start(i, watch_time);
    }
    watch_time();
    GUEST_CHECK(comes(&time_users, count), "each CPU reads the time");
    GUEST_CHECK_EQ(backwards, 0, "time never goes back");
}

void test_smp(void)
{
    count = selftest_cpus();
    if (count < 2) {
        guest_skip("other CPUs", "there is one");
        return;
    }
    guest_irq_handler(on_irq);
    lapic_write(LAPIC_SVR, SVR_ENABLE | 0xff);
    lapic_write(LAPIC_TPR, 0);
    start_each();
    start_again();
    start_all();
    there_and_back();
    each_destination();
    nmis();
    one_time();
    guest_irq_handler(NULL);
}
