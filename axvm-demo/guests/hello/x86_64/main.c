// SPDX-License-Identifier: Apache-2.0
// The smallest guest: says hello, asks the CPU who it is, and powers off.
#include "arch.h"

#include <string.h>

void guest_main(void)
{
    char name[13] = {0};
    uint32_t leaf = 0;
    uint32_t words[3];

    __asm__ volatile("cpuid" : "+a"(leaf), "=b"(words[0]), "=d"(words[1]), "=c"(words[2]) : "c"(0));
    memcpy(name, words, sizeof(words));
    guest_printf("hello from 64-bit mode, CPU %s\n", name);
    port_write16(GUEST_PM1, GUEST_PM1_OFF);
}
