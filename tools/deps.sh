#!/bin/sh
# deps.sh [build|test]: installs what building (and testing) needs on Debian or Ubuntu, as root or by
# sudo; anywhere else it says what to install. Quick when nothing is missing.
set -eu
cd "$(dirname "$0")/.."

build_packages="gcc make cmake ninja-build pkg-config libuv1-dev libssl-dev zlib1g-dev libsnappy-dev
libmicrohttpd-dev libgnutls28-dev libxxhash-dev libedit-dev libsasl2-dev libsasl2-modules libnghttp2-dev
libprotobuf-c-dev protobuf-c-compiler"
test_packages="libcmocka-dev clang-14 clang-format-14 clang-tidy-14 libclang-rt-14-dev python3
python3-venv g++ curl iproute2 netcat-openbsd procps binutils zsh mandoc krb5-kdc krb5-admin-server krb5-user
libsasl2-modules-gssapi-mit"

what=${1:-build}
case $what in
build) wanted=$build_packages ;;
test) wanted="$build_packages $test_packages" ;;
*) echo "usage: tools/deps.sh [build|test]" >&2; exit 2 ;;
esac

# What no package database can tell. What testing needs besides is not looked for: tests say so.
by_hand() {
    missing=
    for tool in gcc make cmake ninja pkg-config protoc-c; do
        command -v "$tool" >/dev/null 2>&1 || missing="$missing $tool"
    done
    for lib in libuv libssl libcrypto zlib libmicrohttpd gnutls libxxhash libedit libnghttp2 libprotobuf-c; do
        pkg-config --exists "$lib" 2>/dev/null || missing="$missing $lib"
    done
    for header in sasl/sasl.h snappy-c.h; do
        echo "#include <$header>" | gcc -E - >/dev/null 2>&1 || missing="$missing $header"
    done
    [ -z "$missing" ] && exit 0
    echo "deps: this is not Debian or Ubuntu. Please install, with headers:$missing" >&2
    exit 1
}

if ! command -v dpkg-query >/dev/null 2>&1 || ! command -v apt-get >/dev/null 2>&1; then
    by_hand
fi

# shellcheck disable=SC2086
there=$(dpkg-query -W -f '/${Package} ${db:Status-Status}/' $wanted 2>/dev/null || true)
missing=
for package in $wanted; do
    case $there in
    *"/$package installed/"*) ;;
    *) missing="$missing $package" ;;
    esac
done
if [ -n "$missing" ]; then
    if [ "$(id -u)" = 0 ]; then
        sudo=
    elif command -v sudo >/dev/null 2>&1; then
        sudo=sudo
    else
        echo "deps: as root, please run: apt-get install$missing" >&2
        exit 1
    fi
    echo "deps: installing$missing"
    export DEBIAN_FRONTEND=noninteractive
    apt() { $sudo apt-get -q -o DPkg::Lock::Timeout=300 "$@" >/dev/null; }
    # shellcheck disable=SC2086
    install() { apt install -y --no-install-recommends $missing; }
    # The lists of packages that are there will mostly do. Else, or without any, new ones are fetched; and whoever was killed while
    # he installed left dpkg half way: apt-get says so, and refuses to go on.
    install 2>/dev/null || { apt update && install; } ||
        { [ -n "$(ls /var/lib/dpkg/updates)" ] && $sudo dpkg --configure -a >/dev/null && install; }
fi
[ "$what" != test ] || exec tests/deps.sh
