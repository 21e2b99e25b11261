// SPDX-License-Identifier: Apache-2.0
#include "receive.h"

#include "platform.h"

#define RING_SIZE 256u // a power of two

static uint8_t ring[RING_SIZE];
static uint32_t ring_in;
static uint32_t ring_out;
static bool masked;

void receive_all(void)
{
    while (ring_in - ring_out < RING_SIZE) {
        if (!uart_fetch(&ring[ring_in % RING_SIZE])) {
            return;
        }
        ring_in++;
    }
    masked = true;
    uart_listen(false);
}

// What waits in the UART may not interrupt again: it is fetched without.
static void unmask(void)
{
    masked = false;
    uart_listen(true);
    receive_all();
}

bool uart_get(uint8_t *byte)
{
    if (ring_in == ring_out && masked) {
        unmask();
    }
    if (ring_in == ring_out) {
        return false;
    }
    *byte = ring[ring_out++ % RING_SIZE];
    return true;
}
