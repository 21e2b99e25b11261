// SPDX-License-Identifier: Apache-2.0
/* The demo as a host of axvcpu. */
#pragma once

#include "frames.h"

#include <axvcpu/hal.h>

extern const AxVCpuHal demo_hal;

/* Memory for demo_hal: all of `free`, which must be mapped. Once. */
void hal_init(const RangeList *free);

/* Frames that are free now. */
uint64_t hal_free_frames(void);
