#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds axvm-demo and runs a guest on it in an emulator; scripts/demo.sh --help tells the rest.
set -euo pipefail
scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
command -v python3 >/dev/null || "$scripts/setup.sh" base
exec python3 "$scripts/demo.py" "$@"
