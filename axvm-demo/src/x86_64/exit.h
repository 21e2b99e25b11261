// SPDX-License-Identifier: Apache-2.0
/* What platform_exit() needs to know. */
#pragma once

#include "acpi.h"

/* How ACPI powers off; its registers are mapped. */
void exit_use_acpi(const AcpiInfo *info);
