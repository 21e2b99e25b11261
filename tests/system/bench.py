# SPDX-License-Identifier: Apache-2.0
"""What the built-in guest measures when one instruction is one nanosecond (-icount shift=0)."""
import functools
import re

import driver
import expectations as expected

TIMEOUT = 120
ICOUNT = ("-icount", "shift=0,sleep=off")


def run_round_trips(arch, image):
    with driver.emulator("bench-builtin", arch, image, TIMEOUT, extra=ICOUNT) as console:
        status = console.finish()
        if status:
            console.fail(f"exit status {status}")
        found = re.findall(expected.BENCH, console.text, re.M)
        if not found:
            console.fail("no measurement was printed")
        return ", ".join(f"{what} {count} instructions" for what, count in found)


def cases(arch):
    yield "round trips", functools.partial(run_round_trips, arch)
