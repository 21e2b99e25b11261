# SPDX-License-Identifier: Apache-2.0
"""Machine code of small guests, written down as words."""


def code(*words):
    return b"".join(word.to_bytes(4, "little") for word in words)


def numbers(*values):
    """The 32-bit words of 64-bit numbers."""
    return [half for value in values for half in (value & 0xFFFFFFFF, value >> 32)]
