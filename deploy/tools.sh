#!/usr/bin/env bash
# Finds the tools that the Makefile needs, and installs those that are missing.
#
#   deploy/tools.sh need TOOL…      each TOOL is there afterwards, or the reason is said and it fails
#   deploy/tools.sh run COMMAND…    runs COMMAND with the tools in its environment
#   deploy/tools.sh on-postgres …   the same beside a PostgreSQL server that is thrown away, for `bellhop bench`
#
# What is installed goes to the folder BELLHOP_TOOLS (.bellhop/tools here, if unset), save for
# packages of the system. A second run finds what the first one left.
set -euo pipefail

TEMPORAL_VERSION=v1.5.1 # the last one that `go install` accepts
CARGO_DENY_VERSION=0.20.2
KUBERNETES_VALIDATE_VERSION=1.37.0

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
mkdir -p "${BELLHOP_TOOLS:=$root/.bellhop/tools}/bin"
tools=$(cd "$BELLHOP_TOOLS" && pwd)

say() { printf 'bellhop: %s\n' "$*" >&2; }

fail() {
    say "$@"
    exit 1
}

have() { command -v "$1" >/dev/null; }

# Installs packages of the system where that needs no questions: as root on Debian and its kin.
system_packages() {
    [[ $EUID -eq 0 ]] && have apt-get || return 1
    say "installing $* with apt-get"
    {
        apt-get update -q
        DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"
    } >&2
}

need_cargo() {
    have cargo || fail "cargo is missing: install Rust 1.95 or newer, see https://rustup.rs"
    # ring and SQLite bring C sources.
    have cc || system_packages gcc libc6-dev ||
        fail "a C compiler is missing: install gcc or clang, so that there is a command cc"
}

need_lints() {
    cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 && return
    have rustup || fail "cargo fmt or cargo clippy is missing: install rustfmt and clippy"
    rustup component add rustfmt clippy >&2
}

# The Temporal CLI, whose development server is the engine of `make dev` and of the tests.
need_temporal() {
    [[ -z $(temporal) ]] || return 0
    if have go; then
        say "building the Temporal CLI $TEMPORAL_VERSION with go, once: takes about 4 minutes"
        GOBIN=$tools/bin go install "github.com/temporalio/cli/cmd/temporal@$TEMPORAL_VERSION" >&2 &&
            return
    fi
    if have curl; then
        say "downloading the Temporal CLI's latest release"
        download_temporal && return
    fi
    fail "the Temporal CLI is missing: put \`temporal\` on the PATH (https://docs.temporal.io/cli)," \
        "or install Go, so that it can be built here"
}

download_temporal() {
    local platform arch archive
    platform=$(uname -s | tr '[:upper:]' '[:lower:]')
    case $(uname -m) in
        x86_64) arch=amd64 ;;
        aarch64 | arm64) arch=arm64 ;;
        *) return 1 ;;
    esac
    archive=$tools/temporal.tar.gz
    curl -fsSL --retry 2 --connect-timeout 10 -o "$archive" \
        "https://temporal.download/cli/archive/latest?platform=$platform&arch=$arch" &&
        tar -xzf "$archive" -C "$tools/bin" temporal &&
        rm "$archive"
}

# The Temporal CLI's path: the one that is set, else that on the PATH, else ours; nothing if none.
temporal() {
    local found
    for found in "${BELLHOP_TEMPORAL_CLI:-}" "$(type -P temporal || true)" "$tools/bin/temporal"; do
        if [[ -x $found ]]; then
            echo "$found"
            return
        fi
    done
}

# The server's own programs, with which the tests start PostgreSQL servers that they throw away.
need_postgres() {
    [[ -z $(postgres) ]] || return 0
    system_packages postgresql || true
    [[ -n $(postgres) ]] ||
        fail "the PostgreSQL server is missing: install it, so that initdb, postgres and pg_ctl" \
            "are on the PATH or in /usr/lib/postgresql/*/bin"
}

# The folder of initdb, postgres and pg_ctl: that on the PATH, else the newest of Debian's.
postgres() {
    local bin found=
    for bin in "$(dirname "$(type -P initdb || true)")" $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV); do
        if [[ -x $bin/initdb && -x $bin/postgres && -x $bin/pg_ctl ]]; then
            found=$bin
            break
        fi
    done
    echo "$found"
}

need_cargo-deny() {
    [[ $("$tools/bin/cargo-deny" --version 2>/dev/null) != "cargo-deny $CARGO_DENY_VERSION" ]] || return 0
    say "building cargo-deny $CARGO_DENY_VERSION, once: takes a few minutes"
    # Not into the target folder of the project: nothing there is of use to it.
    env -u CARGO_TARGET_DIR cargo install -q --locked --force --root "$tools" \
        "cargo-deny@$CARGO_DENY_VERSION" >&2
}

need_kubernetes-validate() {
    [[ $("$tools/bin/kubernetes-validate" --version 2>/dev/null) != "$KUBERNETES_VALIDATE_VERSION" ]] || return 0
    say "installing kubernetes-validate $KUBERNETES_VALIDATE_VERSION with pip"
    python3 -c 'import ensurepip, venv' 2>/dev/null || system_packages python3 python3-venv ||
        fail "python3 with its modules venv and ensurepip is missing: install Python 3.9 or newer"
    python3 -m venv --clear "$tools/python" >&2
    "$tools/python/bin/pip" install -q "kubernetes-validate==$KUBERNETES_VALIDATE_VERSION" >&2
    ln -sf ../python/bin/kubernetes-validate "$tools/bin/kubernetes-validate"
}

run() {
    local cli bin
    cli=$(temporal)
    bin=$(postgres)
    [[ -z $cli ]] || export BELLHOP_TEMPORAL_CLI=$cli
    export BELLHOP_TOOLS=$tools PATH=$tools/bin:$PATH${bin:+:$bin}
    exec "$@"
}

# Starts a PostgreSQL server as its packages configure it, and ends it with the command. It refuses
# to run as root, who therefore needs the account that its package makes.
on_postgres() {
    bin=$(postgres) folder=$(mktemp -d) as=()
    trap 'cd "$folder"; "${as[@]}" "$bin/pg_ctl" -D data -m immediate -s stop || true; rm -rf "$folder"' EXIT
    if [[ $EUID -eq 0 ]]; then
        id -u postgres >/dev/null || fail "root needs an account named postgres to run PostgreSQL as"
        chown postgres "$folder"
        as=(runuser -u postgres --)
    fi
    cd "$folder"
    "${as[@]}" "$bin/initdb" -D "$folder/data" -U postgres --auth=trust --encoding=UTF8 >/dev/null
    "${as[@]}" "$bin/pg_ctl" -D "$folder/data" -l "$folder/log" -w -s start \
        -o "-k $folder -c listen_addresses= -c max_connections=400"
    cd "$root"
    export BELLHOP_BENCH_DATABASE_URL="postgres://postgres@localhost/postgres?host=$folder"
    (run "$@")
}

case ${1:-} in
    need) for tool in "${@:2}"; do "need_$tool"; done ;;
    run) run "${@:2}" ;;
    on-postgres) on_postgres "${@:2}" ;;
    *) fail "usage: deploy/tools.sh need TOOL… | run COMMAND… | on-postgres COMMAND…" ;;
esac
