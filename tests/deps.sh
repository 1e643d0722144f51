#!/bin/sh
# Fetch what the integration and interop tests need, once.
#
#   tests/deps.sh
#
# System packages come from apt (as root, or with sudo that asks no password;
# otherwise the script says what to install and stops). The rest stays under build/:
#
#   build/venv                   Python with pytest, kazoo and gRPC, and linters of what deploy/ has
#   build/peers/zookeeper-3.9    Apache ZooKeeper and its client, 3.9.5
#   build/peers/zookeeper-3.8    the same, 3.8.6
#   build/peers/node             ZooKeeper client and gRPC for Node
#   build/peers/browser          what drives a browser: playwright-core, without browsers of its own
#   build/peers/promtool         what checks Prometheus' rules, without Prometheus and its service
#
# A stamp holds the checksum of everything that decides the result, so that a run with
# nothing to do takes a few milliseconds.
set -eu

tests=$(cd "$(dirname "$0")" && pwd)
build=${CAUCUS_BUILD:-$(dirname "$tests")/build}
stamp=$build/peers/.stamp

inputs_checksum() {
    cat "$tests/deps.sh" "$tests/requirements.txt" "$tests/interop/java/pom.xml" \
        "$tests/interop/node/package.json" "$tests/interop/node/package-lock.json" \
        "$tests/rest/browser/package.json" "$tests/rest/browser/package-lock.json" | cksum
}

everything_is_there() {
    [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(inputs_checksum)" ] || return 1
    [ -x "$build/venv/bin/pytest" ] || return 1
    [ -f "$build/peers/zookeeper-3.9/lib/zookeeper-3.9.5.jar" ] || return 1
    [ -f "$build/peers/zookeeper-3.8/lib/zookeeper-3.8.6.jar" ] || return 1
    [ -d "$build/peers/node/node_modules/node-zookeeper-client" ] || return 1
    [ -d "$build/peers/node/node_modules/@grpc/grpc-js" ] || return 1
    [ -d "$build/peers/browser/node_modules/playwright-core" ] || return 1
    [ -x "$build/peers/promtool" ] || return 1
    [ -f /usr/share/java/zookeeper.jar ] || return 1
    [ -f /usr/include/zookeeper/zookeeper.h ] || return 1
    for program in java node chromium-headless-shell bwrap systemd-analyze lintian dpkg-shlibdeps; do
        command -v "$program" >/dev/null || return 1
    done
}

say() { printf '%s\n' "tests/deps.sh: $*" >&2; }

# The packages whose programs or files are missing. libzookeeper-java is the jar of
# Debian's zookeeper package without its service user and start scripts.
missing_packages() {
    command -v cc >/dev/null || echo gcc libc6-dev
    command -v javac >/dev/null || echo default-jdk-headless
    command -v mvn >/dev/null || echo maven
    command -v node >/dev/null || echo nodejs
    command -v npm >/dev/null || echo npm
    command -v chromium-headless-shell >/dev/null || echo chromium-headless-shell
    command -v bwrap >/dev/null || echo bubblewrap
    command -v systemd-analyze >/dev/null || echo systemd
    command -v lintian >/dev/null || echo lintian
    command -v dpkg-shlibdeps >/dev/null || echo dpkg-dev
    python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3 python3-venv
    [ -f /usr/share/java/zookeeper.jar ] || echo libzookeeper-java
    [ -f /usr/include/zookeeper/zookeeper.h ] || echo libzookeeper-mt-dev
}

install_packages() {
    packages=$(missing_packages | tr '\n' ' ')
    [ -n "$packages" ] || return 0
    if [ "$(id -u)" = 0 ]; then
        as_root=
    elif sudo -n true 2>/dev/null; then
        as_root=sudo\ -n
    else
        say "needs packages and may not install them. Run:"
        say "    sudo apt-get install --no-install-recommends $packages"
        exit 1
    fi
    say "installing $packages"
    # shellcheck disable=SC2086
    {
        $as_root apt-get update -q
        $as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get install -q -y --no-install-recommends $packages
    } >"$build/peers/apt.log" 2>&1 || {
        tail -20 "$build/peers/apt.log" >&2
        exit 1
    }
}

# Run a step with its output in a log that is shown only if the step fails. A step is
# one chain of &&: "set -e" does not reach into a command that is being tested.
step() {
    log=$build/peers/$1.log
    shift
    "$@" >"$log" 2>&1 || {
        say "failed: $*"
        tail -30 "$log" >&2
        exit 1
    }
}

python_env() {
    { [ -x "$build/venv/bin/python" ] || python3 -m venv "$build/venv"; } &&
        "$build/venv/bin/pip" install -q -r "$tests/requirements.txt"
}

# copy_jars PROFILE: the jars of one Apache release, as the profile in pom.xml names it.
copy_jars() {
    rm -rf "$build/peers/$1" &&
        mvn -q -B -f "$tests/interop/java/pom.xml" -P "$1" dependency:copy-dependencies \
            -DincludeScope=runtime -DoutputDirectory="$build/peers/$1/lib" &&
        rm -f "$build/peers/$1"/lib/netty-tcnative-boringssl-static-*.jar
}

# One program out of Debian's package: installed, that would start a server.
promtool() {
    (cd "$build/peers" && apt-get download -q prometheus && dpkg-deb --fsys-tarfile prometheus_*.deb |
        tar -xO ./usr/bin/promtool >promtool && chmod +x promtool && rm prometheus_*.deb)
}

# node_modules NAME FOLDER: what the folder's package.json names.
node_modules() {
    mkdir -p "$build/peers/$1" &&
        cp "$2/package.json" "$2/package-lock.json" "$build/peers/$1/" &&
        (cd "$build/peers/$1" && npm ci --no-audit --no-fund --ignore-scripts)
}

if everything_is_there; then
    exit 0
fi

mkdir -p "$build/peers"
install_packages
say "fetching test peers into $build"
step python python_env
step java-3.9 copy_jars zookeeper-3.9
step java-3.8 copy_jars zookeeper-3.8
step node node_modules node "$tests/interop/node"
step browser node_modules browser "$tests/rest/browser"
step promtool promtool
inputs_checksum >"$stamp"
