// SPDX-License-Identifier: Apache-2.0
/*
 * What was typed, between the interrupt of a UART and uart_get(). A full ring leaves the rest in the
 * UART with its interrupt masked, so that the sender has to wait.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Takes what the UART has received; in its interrupt. Not while uart_get() runs. */
void receive_all(void);

/* ---- <arch>/uart.c ---- */
/* A byte out of the UART; false when it has none. */
bool uart_fetch(uint8_t *byte);
/* Whether it interrupts when it has received something. */
void uart_listen(bool on);
