#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs the test suites; scripts/test.sh --help lists them.
set -euo pipefail
scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
command -v python3 >/dev/null || "$scripts/setup.sh" base
exec python3 "$scripts/suites.py" "$@"
