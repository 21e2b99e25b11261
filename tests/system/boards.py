# SPDX-License-Identifier: Apache-2.0
"""What the system tests know of each architecture: {name: module}. All modules define the same names."""
import board_aarch64
import board_riscv64
import board_x86_64

BOARDS = {"aarch64": board_aarch64, "riscv64": board_riscv64, "x86_64": board_x86_64}
