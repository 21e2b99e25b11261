// SPDX-License-Identifier: Apache-2.0
#include "sip.h"

bool sip_shows(uint32_t irq)
{
    return (READ_CSR(sip) & IRQ_BIT(irq)) != 0;
}

bool sip_is_complete(void)
{
    (void)guest_sbi3(SBI_TIME, 0, 0, 0, 0);
    const bool shown = sip_shows(GUEST_IRQ_TIMER);

    (void)guest_sbi3(SBI_TIME, 0, UINT64_MAX, 0, 0);
    return shown;
}

void check_sip(bool shown, const char *name)
{
    if (shown || sip_is_complete()) {
        GUEST_CHECK(shown, name);
        return;
    }
    guest_skip(name, "sip of this CPU shows a guest neither STIP nor SEIP");
}
