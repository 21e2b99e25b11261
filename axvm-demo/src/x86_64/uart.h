// SPDX-License-Identifier: Apache-2.0
/* The machine's 16550, COM1. */
#pragma once

/* 115200 baud, 8 bits. Output works from here on. */
void uart_init(void);
/* Receives by interrupt from now on. */
void uart_enable_receive(void);
/* Takes what was received. Not while uart_get() runs. */
void uart_interrupt(void);
/* Returns when everything has been sent. */
void uart_drain(void);
