#!/usr/bin/env bash
# Dumps the services' schemas into a directory, while they work: deploy/backup.sh DIRECTORY
#
# The servers are those of the environment, as for `sigmasight migrate`: DATABASE_URL, and where a service has a server of
# its own <SERVICE>_DATABASE_URL. pg_dump must be of the servers' version or newer.
set -euo pipefail
directory=${1:?the directory to write to must be given}

dump() { # NAME URL SCHEMA...
    local schemas=()
    for schema in "${@:3}"; do schemas+=(--schema="$schema"); done
    pg_dump --format=custom "${schemas[@]}" --file="$directory/$1.partial" "$2"
    # A dump that was broken off has no name.
    mv "$directory/$1.partial" "$directory/$1.dump"
    echo "$directory/$1.dump has ${*:3}"
}

shared=()
for service in scheduler market_data symbol_analytics portfolio risk; do
    own=${service^^}_DATABASE_URL
    [ -n "${!own:-}" ] || shared+=("$service")
done
if [ ${#shared[@]} != 0 ] && [ -z "${DATABASE_URL:-}" ]; then
    echo "$0: DATABASE_URL must be set: it is the server of ${shared[*]}" >&2
    exit 2
fi
mkdir -p "$directory"
# Where the scheduler is comes first: what its ledger has as done, the others have done by then. The rest of what they lack
# of one another is published again after a restore. What is on one server is one snapshot.
for name in scheduler shared market_data symbol_analytics portfolio risk; do
    own=${name^^}_DATABASE_URL
    if [ "$name" = shared ]; then
        [ ${#shared[@]} = 0 ] || dump shared "$DATABASE_URL" "${shared[@]}"
    elif [ -n "${!own:-}" ]; then
        dump "$name" "${!own}" "$name"
    fi
done
