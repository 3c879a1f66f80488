#!/bin/bash
# First process of the mariadb test images. It does what the official image's does, in the same order: a first start
# makes the data folder, runs a server that listens on the local socket only, sets up users and database and runs
# /docker-entrypoint-initdb.d on it, stops it, and then starts the real one. The one difference: the data folder is a
# copy of one that was made with the image, so it takes a fraction of a second.
set -eo pipefail

template=/usr/local/share/mariadb/data

note() {
    printf '%s [%s] [Entrypoint]: %s\n' "$(date '+%Y-%m-%d %H:%M:%S%:z')" "$1" "$2"
}

fail() {
    note ERROR "$1" >&2
    exit 1
}

# file_env NAME: takes NAME, or the content of the file that NAME_FILE names.
file_env() {
    local name=$1 file=$1_FILE
    if [ -n "${!name:-}" ] && [ -n "${!file:-}" ]; then fail "Both $name and $file are set (but are exclusive)"; fi
    if [ -n "${!file:-}" ]; then export "$name=$(<"${!file}")"; fi
    unset "$file"
}

# variable NAME [OLD [DEFAULT]]: sets MARIADB_NAME from itself, MYSQL_OLD or the default, and both to the same value.
variable() {
    local new=MARIADB_$1 old=MYSQL_${2:-$1}
    file_env "$new"
    file_env "$old"
    export "$new=${!new:-${!old:-${3:-}}}"
    export "$old=${!new}"
}

# config_value NAME DEFAULT COMMAND..: an option of the server, as its files and then the command say it.
config_value() {
    local name=$1 value=$2
    shift 2
    value=$({ echo "--$name=$value"; my_print_defaults --mysqld; printf '%s\n' "$@"; } | sed -n "s/^--$name=//p" | tail -n 1)
    echo "$value"
}

verify_environment() {
    if [ -n "$MARIADB_ROOT_PASSWORD$MARIADB_ROOT_PASSWORD_HASH" ]; then return; fi
    if [ -n "$MARIADB_ALLOW_EMPTY_ROOT_PASSWORD$MARIADB_RANDOM_ROOT_PASSWORD" ]; then return; fi
    fail "Database is uninitialized and password option is not specified
	You need to specify one of MARIADB_ROOT_PASSWORD, MARIADB_ROOT_PASSWORD_HASH, MARIADB_ALLOW_EMPTY_ROOT_PASSWORD and MARIADB_RANDOM_ROOT_PASSWORD"
}

# client [OPTION..]: as root on the init server's socket.
client() {
    MYSQL_PWD=${password:-} mariadb --protocol=socket --socket="$socket" -u root -h localhost "$@"
}

# process_sql [OPTION..]: the same, in the database of MARIADB_DATABASE if there is one.
process_sql() {
    client ${MARIADB_DATABASE:+--database="$MARIADB_DATABASE"} "$@"
}
docker_process_sql() { process_sql "$@"; }

# start_init_server COMMAND..: waits until it answers.
start_init_server() {
    note Note "Starting temporary server"
    "$@" --skip-networking --default-time-zone=SYSTEM --socket="$socket" --loose-wsrep-on=OFF \
        --loose-expire-logs-days=0 --loose-innodb-buffer-pool-load-at-startup=0 &
    server=$!
    note Note "Waiting for server startup"
    for _ in $(seq 300); do
        if client -e 'select 1' >/dev/null 2>&1; then
            note Note "Temporary server started."
            return
        fi
        kill -0 "$server" 2>/dev/null || break
        sleep 0.1
    done
    fail "Unable to start server."
}

stop_init_server() {
    note Note "Stopping temporary server"
    kill "$server"
    wait "$server"
    note Note "Temporary server stopped"
}

# literal TEXT: TEXT as an SQL string.
literal() {
    local text=${1//\\/\\\\}
    printf "'%s'" "${text//\'/\\\'}"
}

# identified PASSWORD HASH: how an account proves who it is.
identified() {
    if [ -n "$2" ]; then
        printf 'identified by password %s' "$(literal "$2")"
    else
        printf 'identified by %s' "$(literal "$1")"
    fi
}

setup_sql() {
    local by database user
    by=$(identified "$MARIADB_ROOT_PASSWORD" "$MARIADB_ROOT_PASSWORD_HASH")
    printf 'set @@session.sql_log_bin = 0;\n'
    printf "delete from mysql.global_priv where user = '' or (user = 'root' and host <> 'localhost');\n"
    printf 'flush privileges;\n'
    if [ "$MARIADB_ROOT_HOST" != localhost ]; then
        printf 'create user root@%s %s;\n' "$(literal "$MARIADB_ROOT_HOST")" "$by"
        printf 'grant all on *.* to root@%s with grant option;\n' "$(literal "$MARIADB_ROOT_HOST")"
    fi
    if [ -n "$MARIADB_DATABASE" ]; then
        database=${MARIADB_DATABASE//\`/\`\`}
        printf 'create database if not exists `%s`;\n' "$database"
    fi
    if [ -n "$MARIADB_USER" ] && [ -n "$MARIADB_PASSWORD$MARIADB_PASSWORD_HASH" ]; then
        user="$(literal "$MARIADB_USER")@'%'"
        printf 'create user %s %s;\n' "$user" "$(identified "$MARIADB_PASSWORD" "$MARIADB_PASSWORD_HASH")"
        # In a grant, `_` stands for any character unless it is escaped.
        if [ -n "$MARIADB_DATABASE" ]; then printf 'grant all on `%s`.* to %s;\n' "${database//_/\\_}" "$user"; fi
    fi
}

# From here on root needs the password.
close_root() {
    client <<<"alter user root@localhost $(identified "$MARIADB_ROOT_PASSWORD" "$MARIADB_ROOT_PASSWORD_HASH");"
    password=$MARIADB_ROOT_PASSWORD
}

setup_database() {
    if [ -n "$MARIADB_RANDOM_ROOT_PASSWORD" ]; then
        MARIADB_ROOT_PASSWORD=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
        export MARIADB_ROOT_PASSWORD MYSQL_ROOT_PASSWORD=$MARIADB_ROOT_PASSWORD
        note Note "GENERATED ROOT PASSWORD: $MARIADB_ROOT_PASSWORD"
    fi
    setup_sql | client
    # Nobody knows the password of a hash: the scripts run before.
    if [ -z "$MARIADB_ROOT_PASSWORD_HASH" ]; then close_root; fi
}

init_scripts() {
    local script
    echo
    for script; do
        case "$script" in
            *.sh)
                if [ -x "$script" ]; then
                    note Note "$0: running $script"
                    "$script"
                else
                    note Note "$0: sourcing $script"
                    . "$script"
                fi
                ;;
            *.sql) note Note "$0: running $script"; process_sql <"$script"; echo ;;
            *.sql.gz) note Note "$0: running $script"; gunzip -c "$script" | process_sql; echo ;;
            *.sql.xz) note Note "$0: running $script"; xzcat "$script" | process_sql; echo ;;
            *.sql.zst) note Note "$0: running $script"; zstd -dc "$script" | process_sql; echo ;;
            *) note Warn "$0: ignoring $script" ;;
        esac
        echo
    done
}

case "${1:-}" in -*) set -- mariadbd "$@" ;; esac
case "${1:-}" in mariadbd | mysqld) ;; *) exec "$@" ;; esac
for argument in "$@"; do
    case "$argument" in -\? | --help | --print-defaults | -V | --version) exec "$@" ;; esac
done

note Note "Entrypoint script for MariaDB Server started."
data=$(config_value datadir /var/lib/mysql "$@")
socket=$(config_value socket /run/mysqld/mysqld.sock "$@")
for name in DATABASE USER PASSWORD PASSWORD_HASH ROOT_PASSWORD ROOT_PASSWORD_HASH RANDOM_ROOT_PASSWORD; do
    variable "$name"
done
variable ROOT_HOST ROOT_HOST %
variable ALLOW_EMPTY_ROOT_PASSWORD ALLOW_EMPTY_PASSWORD
mkdir -p "$data" "${socket%/*}"
if [ "$(id -u)" = 0 ]; then
    find "$data" "${socket%/*}" \! -user mysql -exec chown mysql: '{}' +
    note Note "Switching to dedicated user 'mysql'"
    export HOME=/var/lib/mysql
    exec setpriv --reuid=mysql --regid=mysql --init-groups -- "$0" "$@"
fi

if [ ! -d "$data/mysql" ]; then
    verify_environment
    # Before anything is made: a folder that may not be read would leave half a database.
    ls /docker-entrypoint-initdb.d/ >/dev/null
    cp -a "$template"/* "$data"
    start_init_server "$@"
    setup_database
    init_scripts /docker-entrypoint-initdb.d/*
    if [ -n "$MARIADB_ROOT_PASSWORD_HASH" ]; then close_root; fi
    stop_init_server
    echo
    note Note "MariaDB init process done. Ready for start up."
    echo
fi
exec "$@"
