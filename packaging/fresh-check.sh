#!/usr/bin/env bash
# Proves README's two commands on a machine that has nothing: makes a minimal bookworm, clones this checkout's HEAD into it, and runs both
# commands there, once as root without sudo and once as a user with sudo. Needs root and mmdebstrap; takes as long as two full builds and test runs.
#   packaging/fresh-check.sh [root|user …] [--ccache DIR]     default: root user, each from an empty cache; with CI set as CI builds
# The package mirror, certificates and pip settings of this machine are used, so that it works behind a company's proxy too.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=${SERIGRAPH_FRESH:-/var/tmp/serigraph-fresh}
modes=() ccache=
while [ $# -gt 0 ]; do
    case $1 in
        root | user) modes+=("$1") ;;
        --ccache) ccache=$2; shift ;;
        *) echo "fresh-check.sh: unknown argument '$1'" >&2; exit 2 ;;
    esac
    shift
done
[ ${#modes[@]} -gt 0 ] || modes=(root user)
[ "$(id -u)" = 0 ] || { echo "fresh-check.sh: needs root, to make a machine" >&2; exit 1; }
command -v mmdebstrap >/dev/null || { echo "fresh-check.sh: apt install mmdebstrap" >&2; exit 1; }

# Nothing may stay mounted below a folder that is about to be removed.
leave() {
    local part
    for part in proc sys dev ccache; do
        mountpoint -q "$1/$part" 2>/dev/null || continue
        umount -R "$1/$part" || umount -R -l "$1/$part"
    done
    if grep -q " $1/" /proc/mounts; then
        echo "fresh-check.sh: something is still mounted below $1" >&2
        exit 1
    fi
}

make_machine() {
    local machine=$1 sources
    leave "$machine"
    rm -rf --one-file-system "$machine"
    mkdir -p "$machine"
    sources=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/debian.sources 2>/dev/null || true)
    mmdebstrap --quiet --variant=minbase --include=git,ca-certificates"${2:+,$2}" bookworm "$machine" - <<<"$sources"
    cp /etc/resolv.conf "$machine/etc/resolv.conf"
    cp -L --remove-destination /etc/ssl/certs/ca-certificates.crt "$machine/etc/ssl/certs/"
    [ ! -e /etc/pip.conf ] || cp /etc/pip.conf "$machine/etc/pip.conf"
    cp -r /etc/apt/apt.conf.d/. "$machine/etc/apt/apt.conf.d/" 2>/dev/null || true
    mkdir -p "$machine/source"
    git clone -q --bare "$root" "$machine/source/serigraph.git"
    chmod -R a+rX "$machine/source"
}

# What the new user types. Runs inside the machine, in the user's home.
new_user() {
    cat <<'SCRIPT'
set -euo pipefail
cd
git clone -q /source/serigraph.git serigraph
cd serigraph
echo "== $(date +%T) $(id -un): packaging/dev.sh run"
packaging/dev.sh run >run.log 2>run.err &
server=$!
trap 'kill $server 2>/dev/null || :' EXIT
for _ in $(seq 1800); do
    grep -q 'listening on' run.log && break
    kill -0 $server 2>/dev/null || { tail -n 30 run.err; echo "run ended before it listened"; exit 1; }
    sleep 1
done
cat run.log
sed -n '/^curl -s localhost/,/^```/p' README.md | grep -v '```' >first-picture.sh
bash first-picture.sh
python3 - <<'PYTHON'
import struct
head = open("star.png", "rb").read(33)
assert head[:8] == b"\x89PNG\r\n\x1a\n", head[:8]
print("first picture: star.png, %d x %d" % struct.unpack(">II", head[16:24]))
PYTHON
kill -TERM $server
wait $server
echo "== $(date +%T) $(id -un): packaging/dev.sh test"
time packaging/dev.sh test
echo "== $(date +%T) $(id -un): second build"
time packaging/dev.sh build
SCRIPT
}

enter() {
    local machine=$1 who=$2
    mkdir -p "$machine/proc" "$machine/sys" "$machine/dev"
    mount -t proc proc "$machine/proc"
    mount -t sysfs sys "$machine/sys" 2>/dev/null || true
    mount --rbind /dev "$machine/dev"
    mount --make-rslave "$machine/dev"
    local keep=(HOME="$3" PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8)
    local name
    for name in CI SSL_CERT_FILE PIP_CERT REQUESTS_CA_BUNDLE CURL_CA_BUNDLE PIP_INDEX_URL PIP_DEFAULT_TIMEOUT http_proxy https_proxy no_proxy; do
        [ -z "${!name:-}" ] || keep+=("$name=${!name}")
    done
    if [ -n "$ccache" ]; then
        mkdir -p "$machine$3/.cache/serigraph" "$machine/ccache"
        chmod -R a+rwX "$ccache"   # the user's own, in that machine
        mount --bind "$ccache" "$machine/ccache"
        ln -sfn /ccache "$machine$3/.cache/serigraph/ccache"
        chroot "$machine" chown -hR "$who" "$3/.cache"
    fi
    new_user >"$machine/source/new-user.sh"
    chroot --userspec="$who" "$machine" env -i "${keep[@]}" bash /source/new-user.sh </dev/null
}

for mode in "${modes[@]}"; do
    machine=$work/$mode
    echo "== $(date +%T) a new machine for $mode"
    if [ "$mode" = root ]; then
        make_machine "$machine"
        (enter "$machine" root /root)
    else
        make_machine "$machine" sudo
        chroot "$machine" useradd -m -s /bin/bash guest
        chroot "$machine" chown -R guest /source
        echo 'guest ALL=(ALL) NOPASSWD: ALL' >"$machine/etc/sudoers.d/guest"
        (enter "$machine" guest /home/guest)
    fi
    leave "$machine"
    echo "== $(date +%T) $mode: all of it worked"
    [ -n "${SERIGRAPH_FRESH_KEEP:-}" ] || rm -rf --one-file-system "$machine"
done
