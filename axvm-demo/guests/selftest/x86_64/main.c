// SPDX-License-Identifier: Apache-2.0
// What the hypervisor promises a guest of this architecture, as TAP.
#include "selftest.h"

// Comes here again by each reset.
void guest_main(void)
{
    if (test_resets_go_on()) {
        return;
    }
    guest_printf("TAP version 13\n");
    test_firmware();
    test_identity();
    test_msrs();
    test_ports();
    test_load_store();
    test_exceptions();
    test_tasks();
    test_interrupts();
    test_timers();
    test_board();
    test_fp();
    test_smp();
    test_tsc_write();
    test_resets();
}
