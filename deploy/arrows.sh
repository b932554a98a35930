#!/usr/bin/env bash
# Checks the arrows between the rooms: which crates each of ours may depend on, tests left out.
set -euo pipefail
cd "$(dirname "$0")/.."

failed=

# The names of the crates below bellhop-$1, for every platform; more arguments go to cargo tree.
below() {
    cargo tree --locked --package "bellhop-$1" --edges no-dev --target all --prefix none \
        --format '{p}' "${@:2}" | awk -v self="bellhop-$1" '$1 != self { print $1 }' | sort -u
}

broken() {
    printf 'bellhop-%s must not depend on %s\n' "$1" "$2" >&2
    failed=1
}

# rooms CRATE ROOM…: of our own crates, CRATE reaches these and no others.
rooms() {
    local names name
    names=$(below "$1")
    for name in $names; do
        [[ $name != bellhop-* || " ${*:2} " == *" ${name#bellhop-} "* ]] || broken "$1" "$name"
    done
}

# never CRATE PATTERN [ARGUMENT…]: nothing below CRATE has a name that is PATTERN.
never() {
    local names name
    names=$(below "$1" "${@:3}")
    for name in $names; do
        [[ ! $name =~ ^($2)$ ]] || broken "$1" "$name"
    done
}

rooms domain
rooms store domain
rooms workflows domain
rooms activities domain workflows store
rooms api domain workflows store
rooms workers domain workflows activities store api

never domain 'temporalio-.*|tokio|sqlx|reqwest|axum'
never store 'temporalio-.*|reqwest|axum'
never workflows 'temporalio-(sdk.*|client|common)|sqlx|reqwest|axum'
# Direct dependencies only: the engine's protocol crate brings tokio along.
never workflows 'tokio.*' --depth 1
# A call to a partner belongs into an activity.
never api 'reqwest'

[[ -z $failed ]] || exit 1
echo "arrows ok"
