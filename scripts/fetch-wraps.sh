#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fills subprojects/packagecache with the source archives of the wraps, so that Meson needs no network.
# The archives come from the package mirrors that this machine's own apt sources name; Debian's
# "orig" archives are byte for byte the upstream ones that the .wrap files pin by SHA-256.
set -eu

usage() {
    cat <<'USAGE'
usage: scripts/fetch-wraps.sh [--check]
  (no option)  download what is missing or damaged, then check every archive
  --check      only say whether the cache is complete (status 0) or not (status 1)
USAGE
}

root=$(cd "$(dirname "$0")/.." && pwd)
cache=$root/subprojects/packagecache

# wrap name, path below the mirror
archives='
dtc     pool/main/d/device-tree-compiler/device-tree-compiler_1.7.2.orig.tar.xz
cmocka  pool/main/c/cmocka/cmocka_1.1.7.orig.tar.xz
'

wrap_value() { # WRAP KEY
    sed -n "s/^$2 *= *//p" "$root/subprojects/$1.wrap"
}

intact() { # FILE SHA256
    [ -f "$1" ] && [ "$(sha256sum "$1" | cut -d' ' -f1)" = "$2" ]
}

mirrors() {
    apt-get indextargets --no-release-info --format '$(SITE)' 'Created-By: Packages' | sort -u
}

download() { # URL FILE SHA256
    helper=/usr/lib/apt/apt-helper
    if [ -x "$helper" ]; then
        "$helper" download-file "$1" "$2" "SHA256:$3" >/dev/null 2>&1
    else
        wget -q -T 60 -O "$2" "$1"
    fi
}

fetch() { # FILE SHA256 POOL_PATH
    for site in $(mirrors); do
        rm -f "$1.part"
        if download "$site/$3" "$1.part" "$2" && intact "$1.part" "$2"; then
            mv "$1.part" "$1"
            return 0
        fi
    done
    rm -f "$1.part"
    return 1
}

provide() { # WRAP POOL_PATH MODE
    name=$(wrap_value "$1" source_filename)
    hash=$(wrap_value "$1" source_hash)
    if intact "$cache/$name" "$hash"; then
        return 0
    fi
    if [ "$3" = check ]; then
        echo "fetch-wraps: $name is missing or damaged" >&2
        return 1
    fi
    if ! fetch "$cache/$name" "$hash" "$2"; then
        echo "fetch-wraps: no mirror of this machine's apt sources has $2 (sha256 $hash)" >&2
        return 1
    fi
    echo "fetch-wraps: $name"
}

mode=fetch
case "${1-}" in
'') ;;
--check) mode=check ;;
-h | --help) usage; exit 0 ;;
*) usage >&2; exit 2 ;;
esac

mkdir -p "$cache"

status=0
while read -r wrap path; do
    [ -z "$wrap" ] || provide "$wrap" "$path" "$mode" || status=1
done <<EOT
$archives
EOT
exit $status
