#!/bin/sh
# First process of the redis test images: like the official image, options go to redis-server, the server answers
# from every address without a password, and it runs as the user redis.
set -eu

case "${1:-}" in -* | *.conf) set -- redis-server "$@" ;; esac
if [ "${1:-}" != redis-server ]; then exec "$@"; fi
case "${2:-}" in -v | --version | -h | --help) exec "$@" ;; esac

if [ "$(id -u)" = 0 ]; then
    find . \! -user redis -exec chown redis '{}' +
    exec setpriv --reuid=redis --regid=redis --init-groups -- "$0" "$@"
fi
# What it writes is for itself, unless somebody said otherwise.
if [ "$(umask)" = 0022 ]; then umask 0077; fi
# Debian's package asks for a password from other machines unless told otherwise; the official image does not.
case " $* " in
    *" --protected-mode "*) exec "$@" ;;
    *) exec "$@" --protected-mode no ;;
esac
