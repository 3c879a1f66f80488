#!/bin/sh
# First process of the postgres test images. It understands what the official image understands (POSTGRES_PASSWORD,
# _USER, _DB, _HOST_AUTH_METHOD, _INITDB_ARGS, their _FILE forms, PGDATA, /docker-entrypoint-initdb.d), but a first
# start copies a data folder that was made with the image, so it takes a fraction of a second.
set -eu

template=/usr/local/share/postgres/data

# file_env NAME: takes NAME, or the content of the file that NAME_FILE names.
file_env() {
    eval "value=\${$1:-} file=\${$1_FILE:-}"
    if [ -n "$value" ] && [ -n "$file" ]; then
        echo "error: both $1 and $1_FILE are set (but are exclusive)" >&2
        exit 1
    fi
    if [ -n "$file" ]; then value=$(cat "$file"); fi
    eval "$1=\$value"
}

# quoted TEXT MARK: sets `text` to TEXT as an SQL string or name, with every MARK inside doubled.
quoted() {
    text=$1
    case "$1" in *"$2"*) text=$(printf '%s' "$1" | sed "s/$2/$2$2/g") ;; esac
    text=$2$text$2
}

as_postgres() {
    mkdir -p "$PGDATA" /var/run/postgresql
    chown postgres:postgres "$PGDATA" /var/run/postgresql
    chmod 0700 "$PGDATA"
    chmod 3777 /var/run/postgresql
    exec setpriv --reuid=postgres --regid=postgres --init-groups -- "$0" "$@"
}

require_password() {
    if [ -z "$POSTGRES_PASSWORD" ] && [ "$POSTGRES_HOST_AUTH_METHOD" != trust ]; then
        cat >&2 <<-'END'
		Error: Database is uninitialized and superuser password is not specified.
		       You must specify POSTGRES_PASSWORD to a non-empty value for the
		       superuser. For example, "-e POSTGRES_PASSWORD=password" on "docker run".

		       You may also use "POSTGRES_HOST_AUTH_METHOD=trust" to allow all
		       connections without a password. This is *not* recommended.
		END
        exit 1
    fi
}

# The statements that turn the template into what the variables ask for. Each ends with an empty line: that is how
# the server's single-user mode tells statements apart.
setup_sql() {
    if [ "$POSTGRES_USER" != postgres ]; then
        quoted "$POSTGRES_USER" '"'
        printf 'create role "pg-setup" superuser;\n\nset session authorization "pg-setup";\n\n'
        printf 'alter role postgres rename to %s;\n\n' "$text"
        printf 'set session authorization %s;\n\ndrop role "pg-setup";\n\n' "$text"
    fi
    if [ -n "$POSTGRES_PASSWORD" ]; then
        quoted "$POSTGRES_USER" '"'
        printf 'alter role %s password ' "$text"
        quoted "$POSTGRES_PASSWORD" "'"
        printf '%s;\n\n' "$text"
    fi
    if [ "$POSTGRES_DB" != postgres ]; then
        quoted "$POSTGRES_DB" '"'
        printf 'create database %s;\n\n' "$text"
    fi
}

init_data() {
    if [ -n "${POSTGRES_INITDB_ARGS:-}" ]; then
        # shellcheck disable=SC2086  # the arguments are meant to be split
        initdb --no-sync --username=postgres --auth=trust -D "$PGDATA" $POSTGRES_INITDB_ARGS
        cat "$template/postgresql.auto.conf" >"$PGDATA/postgresql.auto.conf"
    else
        cp -a "$template/." "$PGDATA"
    fi
    printf '\nhost all all all %s\n' "$POSTGRES_HOST_AUTH_METHOD" >>"$PGDATA/pg_hba.conf"
    setup_sql | postgres --single -j -c log_checkpoints=off -D "$PGDATA" postgres >/dev/null
}

# Runs the image user's own scripts against a server that listens on the local socket only.
init_scripts() {
    pg_ctl -D "$PGDATA" -o "-c listen_addresses=''" -w start
    for script in /docker-entrypoint-initdb.d/*; do
        echo "$0: running $script"
        case "$script" in
            *.sh) if [ -x "$script" ]; then "$script"; else . "$script"; fi ;;
            *.sql) psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" --no-psqlrc -f "$script" ;;
            *.sql.gz) gunzip -c "$script" | psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" --no-psqlrc ;;
            *) echo "$0: ignoring $script" ;;
        esac
    done
    pg_ctl -D "$PGDATA" -m fast -w stop
}

case "${1:-}" in -*) set -- postgres "$@" ;; esac
if [ "${1:-}" != postgres ]; then exec "$@"; fi
for argument in "$@"; do
    case "$argument" in -\? | --help | --describe-config | -V | --version) exec "$@" ;; esac
done
if [ "$(id -u)" = 0 ]; then as_postgres "$@"; fi

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    for name in POSTGRES_PASSWORD POSTGRES_USER POSTGRES_DB POSTGRES_INITDB_ARGS; do file_env "$name"; done
    : "${POSTGRES_USER:=postgres}"
    : "${POSTGRES_DB:=$POSTGRES_USER}"
    : "${POSTGRES_HOST_AUTH_METHOD:=$(postgres -D "$template" -C password_encryption)}"
    export POSTGRES_USER POSTGRES_DB POSTGRES_PASSWORD
    require_password
    init_data
    if [ -n "$(ls -A /docker-entrypoint-initdb.d 2>/dev/null)" ]; then init_scripts; fi
    printf '\nPostgreSQL init process complete; ready for start up.\n\n'
else
    printf '\nPostgreSQL Database directory appears to contain a database; Skipping initialization\n\n'
fi
exec "$@"
