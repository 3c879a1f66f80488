#!/bin/bash
# First process of the postgres test images. It does what the official image's does, in the same order: a first start
# makes the data folder, runs a server that listens on the local socket only, makes the database and runs
# /docker-entrypoint-initdb.d on it, stops it, and then starts the real one. The one difference: the data folder is a
# copy of one that was made with the image, unless something asks for another one, so it takes a fraction of a second.
set -Eeo pipefail

template=/usr/local/share/postgres/data

# file_env NAME [DEFAULT]: takes NAME, or the content of the file that NAME_FILE names, or the default.
file_env() {
    local name=$1 file=$1_FILE
    if [ -n "${!name:-}" ] && [ -n "${!file:-}" ]; then
        echo "error: both $name and $file are set (but are exclusive)" >&2
        exit 1
    fi
    local value=${!name:-${2:-}}
    if [ -n "${!file:-}" ]; then value=$(<"${!file}"); fi
    export "$name=$value"
    unset "$file"
}

# What cannot be changed here (`--user`, a volume of somebody else's) is left to the server to judge.
make_folders() {
    mkdir -p "$PGDATA"
    chmod 0700 "$PGDATA" || :
    mkdir -p /var/run/postgresql || :
    chmod 3775 /var/run/postgresql || :
    if [ -n "${POSTGRES_INITDB_WALDIR:-}" ]; then
        mkdir -p "$POSTGRES_INITDB_WALDIR"
        chmod 0700 "$POSTGRES_INITDB_WALDIR"
    fi
    if [ "$(id -u)" = 0 ]; then
        find "$PGDATA" /var/run/postgresql ${POSTGRES_INITDB_WALDIR:+"$POSTGRES_INITDB_WALDIR"} \
            \! -user postgres -exec chown postgres '{}' +
    fi
}

verify_environment() {
    if [ -n "$POSTGRES_PASSWORD" ] || [ "$POSTGRES_HOST_AUTH_METHOD" = trust ]; then return; fi
    cat >&2 <<-'END'
		Error: Database is uninitialized and superuser password is not specified.
		       You must specify POSTGRES_PASSWORD to a non-empty value for the
		       superuser. For example, "-e POSTGRES_PASSWORD=password" on "docker run".

		       You may also use "POSTGRES_HOST_AUTH_METHOD=trust" to allow all
		       connections without a password. This is *not* recommended.
	END
    exit 1
}

# The statements that turn the template into what the variables ask for. Each ends with an empty line: that is how
# the server's single-user mode tells statements apart.
setup_sql() {
    local user="\"${POSTGRES_USER//\"/\"\"}\""
    if [ "$POSTGRES_USER" != postgres ]; then
        printf 'create role "pg-setup" superuser;\n\nset session authorization "pg-setup";\n\n'
        printf 'alter role postgres rename to %s;\n\n' "$user"
        printf 'set session authorization %s;\n\ndrop role "pg-setup";\n\n' "$user"
    fi
    if [ -n "$POSTGRES_PASSWORD" ]; then
        printf "alter role %s password '%s';\n\n" "$user" "${POSTGRES_PASSWORD//\'/\'\'}"
    fi
}

copy_template() {
    cp -a "$template/." "$PGDATA"
    if [ "$POSTGRES_USER" != postgres ] || [ -n "$POSTGRES_PASSWORD" ]; then
        setup_sql | postgres --single -j -c log_checkpoints=off -D "$PGDATA" postgres >/dev/null
    fi
}

# initdb wants to find its user in /etc/passwd; with `--user` a library tells it of one.
run_initdb() {
    local wrapper names
    if ! getent passwd "$(id -u)" >/dev/null; then
        wrapper=$(find /usr/lib -name libnss_wrapper.so | head -n 1)
        names=$(mktemp -d)
        printf 'postgres:x:%s:%s:PostgreSQL:%s:/bin/false\n' "$(id -u)" "$(id -g)" "$PGDATA" >"$names/passwd"
        printf 'postgres:x:%s:\n' "$(id -g)" >"$names/group"
        export LD_PRELOAD=$wrapper NSS_WRAPPER_PASSWD=$names/passwd NSS_WRAPPER_GROUP=$names/group
    fi
    # Read as a shell reads it: an argument may be quoted.
    eval "set -- $POSTGRES_INITDB_ARGS"
    if [ -n "${POSTGRES_INITDB_WALDIR:-}" ]; then set -- --waldir "$POSTGRES_INITDB_WALDIR" "$@"; fi
    initdb --no-sync --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") "$@"
    unset LD_PRELOAD NSS_WRAPPER_PASSWD NSS_WRAPPER_GROUP
    cat "${template%/*}/settings.conf" >"$PGDATA/postgresql.auto.conf"
}

init_data() {
    if [ -z "$POSTGRES_INITDB_ARGS${POSTGRES_INITDB_WALDIR:-}" ] && [ -r "$template/PG_VERSION" ]; then
        copy_template
    else
        run_initdb
    fi
    : "${POSTGRES_HOST_AUTH_METHOD:=$(postgres -C password_encryption "${@:2}")}"
    printf '\nhost all all all %s\n' "$POSTGRES_HOST_AUTH_METHOD" >>"$PGDATA/pg_hba.conf"
}

# process_sql [OPTION..]: psql on the init server's socket, in the database of POSTGRES_DB if there is one.
process_sql() {
    local in_database=()
    if [ -n "$POSTGRES_DB" ]; then in_database=(--dbname "$POSTGRES_DB"); fi
    PGHOST= PGHOSTADDR= psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --no-password --no-psqlrc \
        "${in_database[@]}" "$@"
}

create_database() {
    local known
    known=$(POSTGRES_DB= process_sql --dbname postgres --set db="$POSTGRES_DB" --tuples-only \
        <<<"select 1 from pg_database where datname = :'db';")
    if [ -z "$known" ]; then
        POSTGRES_DB= process_sql --dbname postgres --set db="$POSTGRES_DB" <<<'create database :"db";'
        echo
    fi
}

init_scripts() {
    local script
    # `psql` as older scripts know it.
    psql=(process_sql)
    echo
    for script; do
        case "$script" in
            *.sh)
                if [ -x "$script" ]; then
                    echo "$0: running $script"
                    "$script"
                else
                    echo "$0: sourcing $script"
                    . "$script"
                fi
                ;;
            *.sql) echo "$0: running $script"; process_sql -f "$script"; echo ;;
            *.sql.gz) echo "$0: running $script"; gunzip -c "$script" | process_sql; echo ;;
            *.sql.xz) echo "$0: running $script"; xzcat "$script" | process_sql; echo ;;
            *.sql.zst) echo "$0: running $script"; zstd -dc "$script" | process_sql; echo ;;
            *) echo "$0: ignoring $script" ;;
        esac
        echo
    done
}

# start_init_server [OPTION..]: the server's own options, but no address.
start_init_server() {
    PGUSER=${PGUSER:-$POSTGRES_USER} pg_ctl -D "$PGDATA" -w start \
        -o "$(printf '%q ' "$@" -c listen_addresses= -p "${PGPORT:-5432}")"
}

stop_init_server() {
    PGUSER=${PGUSER:-postgres} pg_ctl -D "$PGDATA" -m fast -w stop
}

case "${1:-}" in -*) set -- postgres "$@" ;; esac
if [ "${1:-}" != postgres ]; then exec "$@"; fi
for argument in "$@"; do
    case "$argument" in -\? | --help | --describe-config | -V | --version) exec "$@" ;; esac
done

file_env POSTGRES_PASSWORD
file_env POSTGRES_USER postgres
file_env POSTGRES_DB "$POSTGRES_USER"
file_env POSTGRES_INITDB_ARGS
: "${POSTGRES_HOST_AUTH_METHOD:=}"
make_folders
if [ "$(id -u)" = 0 ]; then
    export HOME=/var/lib/postgresql
    exec setpriv --reuid=postgres --regid=postgres --init-groups -- "$0" "$@"
fi

if [ -s "$PGDATA/PG_VERSION" ]; then
    printf '\nPostgreSQL Database directory appears to contain a database; Skipping initialization\n\n'
    exec "$@"
fi
verify_environment
# Before anything is made: a folder that may not be read would leave half a database.
ls /docker-entrypoint-initdb.d/ >/dev/null
init_data "$@"
# For a local connection that asks for it.
export PGPASSWORD="${PGPASSWORD:-$POSTGRES_PASSWORD}"
start_init_server "${@:2}"
create_database
init_scripts /docker-entrypoint-initdb.d/*
stop_init_server
unset PGPASSWORD
printf '\nPostgreSQL init process complete; ready for start up.\n\n'
exec "$@"
