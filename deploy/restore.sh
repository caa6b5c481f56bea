#!/usr/bin/env bash
# Fills empty databases with what deploy/backup.sh has written: deploy/restore.sh DIRECTORY
#
# The servers are those of the environment, as for the backup. All of a database comes back, or nothing where there is
# something already. `sigmasight migrate` afterwards gives the roles their passwords and brings the tables to this version;
# `sigmasight requeue` publishes what the broker may lack.
set -euo pipefail
directory=${1:?the directory of the backup must be given}

stop() { # WHY
    echo "$0: $1" >&2
    exit 2
}
shopt -s nullglob
files=("$directory"/*.dump)
[ ${#files[@]} != 0 ] || stop "$directory has no backup: what deploy/backup.sh writes ends with .dump"
# Before anything is restored.
for file in "${files[@]}"; do
    case $(basename "$file" .dump) in
    shared) own=DATABASE_URL ;;
    scheduler | market_data | symbol_analytics | portfolio | risk) own=$(basename "${file^^}" .DUMP)_DATABASE_URL ;;
    *) stop "$file is of no service: deploy/backup.sh has not written it" ;;
    esac
    [ -n "${!own:-}" ] || stop "$own must be set: it is the server that $file is for"
done

restore() { # FILE URL OPTION...
    pg_restore --single-transaction --exit-on-error "${@:3}" --dbname="$2" "$1"
    echo "$1 is restored"
}

for file in "${files[@]}"; do
    name=$(basename "$file" .dump)
    own=${name^^}_DATABASE_URL
    if [ "$name" != shared ]; then
        # A server of its own has a role of its own: everything belongs to that.
        restore "$file" "${!own}" --no-owner --no-privileges
        continue
    fi
    for role in scheduler market_data symbol_analytics portfolio risk scheduler_reader portfolio_reader risk_reader; do
        psql --quiet --set=ON_ERROR_STOP=1 "$DATABASE_URL" <<SQL
            DO \$\$ BEGIN
                IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '$role') THEN CREATE ROLE $role; END IF;
                GRANT $role TO CURRENT_USER;
            END \$\$;
SQL
    done
    restore "$file" "$DATABASE_URL"
done
