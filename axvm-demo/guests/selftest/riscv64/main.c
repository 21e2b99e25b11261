// SPDX-License-Identifier: Apache-2.0
// What the hypervisor promises a guest, checked from inside the guest.
#include "selftest.h"

void guest_main(void)
{
    guest_printf("TAP version 13\n");
    guest_plic_init();
    guest_plic_init_cpu();
    test_identity();
    test_firmware();
    test_load_store();
    test_faults();
    test_exceptions();
    test_interrupts();
    test_timers();
    test_fp();
    test_smp();
    test_fences();
}
