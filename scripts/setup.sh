#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the packages that scripts/packages.txt lists and are missing, and fills Meson's cache of
# third-party sources. Says nothing and needs no network when there is nothing to do.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: scripts/setup.sh [demo|test]
  demo   only what scripts/demo.sh needs
  test   everything (the default)
USAGE
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() {
    echo "setup.sh: $*" >&2
}

wanted() { # GROUP
    awk -v group="$1" '/^#/ || NF != 2 { next } $1 == "demo" || group == "test" { print $2 }' \
        "$root/scripts/packages.txt"
}

is_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing() { # GROUP
    local package
    for package in $(wanted "$1"); do
        is_installed "$package" || echo "$package"
    done
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

# One log, shown only when something fails.
quietly() {
    local log
    log=$(mktemp)
    if ! "$@" >"$log" 2>&1 </dev/null; then
        tail -n 30 "$log" >&2
        rm -f "$log"
        say "failed: $*"
        return 1
    fi
    rm -f "$log"
}

install_missing() { # GROUP
    local packages
    packages=$(missing "$1")
    [ -n "$packages" ] || return 0
    if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
        say "neither root nor sudo to install the missing packages: ${packages//$'\n'/ }"
        return 1
    fi
    say "installing ${packages//$'\n'/ }"
    quietly as_root apt-get update -q
    # shellcheck disable=SC2086  # a list of words
    quietly as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-install-recommends $packages
}

group=${1-test}
case $group in
demo | test) ;;
-h | --help) usage && exit 0 ;;
*)
    say "no such group '$group'"
    usage >&2
    exit 2
    ;;
esac
[ $# -le 1 ] || { usage >&2 && exit 2; }

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    say "this is no Debian: install the equivalents of scripts/packages.txt by hand"
    exit 1
fi
install_missing "$group"
quietly "$root/scripts/fetch-wraps.sh"
