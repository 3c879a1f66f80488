#!/bin/sh
# First process of the mariadb test images. It understands what the official image understands (MARIADB_ROOT_PASSWORD,
# _DATABASE, _USER, _PASSWORD, _ALLOW_EMPTY_ROOT_PASSWORD, _RANDOM_ROOT_PASSWORD, their MYSQL_ and _FILE forms,
# /docker-entrypoint-initdb.d), but a first start copies a data folder that was made with the image.
set -eu

template=/usr/local/share/mariadb/data
data=/var/lib/mysql
setup=/run/mysqld/setup.sql

# variable NAME: sets MARIADB_NAME from MARIADB_NAME, MYSQL_NAME, or the file that one of them with _FILE names.
variable() {
    eval "value=\${MARIADB_$1:-\${MYSQL_$1:-}} file=\${MARIADB_$1_FILE:-\${MYSQL_$1_FILE:-}}"
    if [ -z "$value" ] && [ -n "$file" ]; then value=$(cat "$file"); fi
    eval "MARIADB_$1=\$value"
}

# quoted TEXT MARK: sets `text` to TEXT as an SQL string or name, with every MARK inside doubled.
quoted() {
    text=$1
    case "$1" in *["\\$2"]*) text=$(printf '%s' "$1" | sed "s/[\\\\$2]/&&/g") ;; esac
    text=$2$text$2
}

as_mysql() {
    mkdir -p "$data" /run/mysqld
    chown mysql:mysql "$data" /run/mysqld
    exec setpriv --reuid=mysql --regid=mysql --init-groups -- "$0" "$@"
}

require_password() {
    if [ -n "$MARIADB_RANDOM_ROOT_PASSWORD" ]; then
        MARIADB_ROOT_PASSWORD=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
        echo "GENERATED ROOT PASSWORD: $MARIADB_ROOT_PASSWORD"
    fi
    if [ -z "$MARIADB_ROOT_PASSWORD$MARIADB_ALLOW_EMPTY_ROOT_PASSWORD" ]; then
        cat >&2 <<-'END'
		[ERROR] [Entrypoint]: Database is uninitialized and password option is not specified
		    You need to specify one of MARIADB_ROOT_PASSWORD, MARIADB_ALLOW_EMPTY_ROOT_PASSWORD and
		    MARIADB_RANDOM_ROOT_PASSWORD
		END
        exit 1
    fi
}

# `echo` would read backslashes.
say() {
    printf '%s\n' "$1"
}

# One statement a line: the server runs this file before it answers anyone.
setup_sql() {
    say "delete from mysql.global_priv where user = '' or (user = 'root' and host <> 'localhost');"
    say "flush privileges;"
    quoted "$MARIADB_ROOT_PASSWORD" "'"
    say "alter user root@localhost identified by $text;"
    say "create user root@'%' identified by $text;"
    say "grant all on *.* to root@'%' with grant option;"
    if [ -n "$MARIADB_DATABASE" ]; then
        quoted "$MARIADB_DATABASE" '`'
        database=$text
        say "create database if not exists $database;"
    fi
    if [ -n "$MARIADB_USER" ] && [ -n "$MARIADB_PASSWORD" ]; then
        quoted "$MARIADB_USER" "'"
        user=$text
        quoted "$MARIADB_PASSWORD" "'"
        say "create user $user@'%' identified by $text;"
        if [ -n "$MARIADB_DATABASE" ]; then say "grant all on $database.* to $user@'%';"; fi
    fi
}

# Runs the image user's own scripts against a server that listens on the local socket only.
init_scripts() {
    "$@" --skip-networking --init-file="$setup" &
    server=$!
    export MYSQL_PWD="$MARIADB_ROOT_PASSWORD"
    for _ in $(seq 600); do
        if mariadb-admin -u root ping >/dev/null 2>&1; then break; fi
        kill -0 "$server"
        sleep 0.1
    done
    for script in /docker-entrypoint-initdb.d/*; do
        echo "$0: running $script"
        case "$script" in
            *.sh) if [ -x "$script" ]; then "$script"; else . "$script"; fi ;;
            *.sql) mariadb -u root "$MARIADB_DATABASE" <"$script" ;;
            *.sql.gz) gunzip -c "$script" | mariadb -u root "$MARIADB_DATABASE" ;;
            *) echo "$0: ignoring $script" ;;
        esac
    done
    mariadb-admin -u root shutdown
    wait "$server"
    rm "$setup"
    unset MYSQL_PWD
}

case "${1:-}" in -*) set -- mariadbd "$@" ;; esac
case "${1:-}" in mariadbd | mysqld) ;; *) exec "$@" ;; esac
for argument in "$@"; do
    case "$argument" in -\? | --help | -V | --version) exec "$@" ;; esac
done
if [ "$(id -u)" = 0 ]; then as_mysql "$@"; fi

rm -f "$setup"
if [ ! -d "$data/mysql" ]; then
    for name in ROOT_PASSWORD DATABASE USER PASSWORD ALLOW_EMPTY_ROOT_PASSWORD RANDOM_ROOT_PASSWORD; do
        variable "$name"
    done
    require_password
    cp -a "$template/." "$data"
    (umask 077 && setup_sql >"$setup")
    if [ -n "$(ls -A /docker-entrypoint-initdb.d 2>/dev/null)" ]; then init_scripts "$@"; fi
    echo "MariaDB init process done. Ready for start up."
    if [ -e "$setup" ]; then exec "$@" --init-file="$setup"; fi
fi
exec "$@"
