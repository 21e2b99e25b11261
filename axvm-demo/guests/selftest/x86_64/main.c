// SPDX-License-Identifier: Apache-2.0
// What the hypervisor promises a guest of this architecture, as TAP.
#include "selftest.h"

void guest_main(void)
{
    guest_printf("TAP version 13\n");
    test_firmware();
    test_identity();
    test_msrs();
    test_ports();
    test_load_store();
    test_exceptions();
    test_interrupts();
    test_timers();
    test_board();
    test_fp();
    test_smp();
    test_tsc_write();
}
