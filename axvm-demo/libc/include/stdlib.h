// SPDX-License-Identifier: Apache-2.0
/* libfdt includes it, and uses nothing of it outside the overlay code, which is not built. */
#pragma once

#include <stddef.h>
