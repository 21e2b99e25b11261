#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the packages that scripts/packages.txt lists and are missing, and fills Meson's cache of
# third-party sources. Says nothing and needs no network when there is nothing to do.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: scripts/setup.sh [base|demo [NAME]|test]
  base        only what starts the scripts
  demo        what scripts/demo.sh needs, for every machine
  demo NAME   the same for one machine
  test        everything (the default)
USAGE
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() {
    echo "setup.sh: $*" >&2
}

listed() { # GROUP; without one, all
    awk -v group="${1-}" '/^#/ || NF != 2 { next } group == "" || $1 == group { print $2 }' \
        "$root/scripts/packages.txt"
}

machines() {
    awk '/^#/ || NF != 2 || $1 ~ /^(base|demo|test)$/ { next } !seen[$1]++ { print $1 }' \
        "$root/scripts/packages.txt"
}

wanted() { # GROUP [MACHINE]
    local machine
    case $1 in
    base) listed base ;;
    test) listed ;;
    demo)
        listed base
        listed demo
        for machine in ${2-$(machines)}; do
            listed "$machine"
        done
        ;;
    esac
}

is_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing() { # GROUP [MACHINE]
    local package
    for package in $(wanted "$@" | awk '!seen[$1]++'); do
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

install_missing() { # GROUP [MACHINE]
    local packages
    packages=$(missing "$@")
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

[ $# -gt 0 ] || set -- test
case $1 in
base | demo | test) ;;
-h | --help) usage && exit 0 ;;
*)
    say "no such group '$1'"
    usage >&2
    exit 2
    ;;
esac
[ $# -le 1 ] || [ "$# $1" = "2 demo" ] || { usage >&2 && exit 2; }
if [ $# = 2 ] && ! machines | grep -qx -e "$2"; then
    say "no such machine '$2'; machines: $(machines | paste -sd ' ')"
    exit 2
fi

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    say "this is no Debian: install the equivalents of scripts/packages.txt by hand"
    exit 1
fi
install_missing "$@"
[ "$1" = base ] || quietly "$root/scripts/fetch-wraps.sh"
