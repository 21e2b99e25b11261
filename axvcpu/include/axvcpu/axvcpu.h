// SPDX-License-Identifier: Apache-2.0
/* The generic virtual-CPU core: everything a host needs. */
#pragma once

#include <axvcpu/arch.h>
#include <axvcpu/bits.h>
#include <axvcpu/ept.h>
#include <axvcpu/error.h>
#include <axvcpu/event.h>
#include <axvcpu/exit.h>
#include <axvcpu/fence.h>
#include <axvcpu/hal.h>
#include <axvcpu/percpu.h>
#include <axvcpu/types.h>
#include <axvcpu/vcpu.h>
