#!/bin/sh
# Run while the image is made, outside it, with the image's root as $1 and the major version as $2: makes the data
# folder that a first start copies, puts the programs on PATH, and removes what a test image never needs.
set -eu

root=$1
version=$2
cp "$(dirname "$0")/docker-entrypoint.sh" "$root/usr/local/bin/"
programs=/usr/lib/postgresql/$version/bin

# Debian's own commands of these names are Perl programs that choose between versions; here there is one version.
for program in "$root$programs"/*; do
    ln -sf "$programs/${program##*/}" "$root/usr/bin/${program##*/}"
done

mkdir -p "$root/usr/local/share/postgres/data" "$root/docker-entrypoint-initdb.d" "$root/var/run/postgresql" \
    "$root/var/lib/postgresql/data"
chroot "$root" chown -R postgres:postgres /usr/local/share/postgres /var/lib/postgresql /var/run/postgresql
# As in the official image: any `--user` may make its folder and socket there.
chmod 1777 "$root/var/lib/postgresql/data"
chroot "$root" chmod 3777 /var/run/postgresql
chroot "$root" setpriv --reuid=postgres --regid=postgres --init-groups -- \
    "$programs/initdb" --no-sync --username=postgres --auth=trust --encoding=UTF8 --locale=C.UTF-8 \
    --wal-segsize=1 -D /usr/local/share/postgres/data
cat >"$root/usr/local/share/postgres/settings.conf" <<'END'
listen_addresses = '*'
dynamic_shared_memory_type = posix
log_timezone = 'Etc/UTC'
timezone = 'Etc/UTC'
# A test database is thrown away: nothing is gained by waiting for the disk.
fsync = off
END
cat "$root/usr/local/share/postgres/settings.conf" >"$root/usr/local/share/postgres/data/postgresql.auto.conf"

rm -rf "$root"/usr/lib/*/perl "$root"/usr/share/perl "$root"/usr/lib/*/libperl.so* "$root"/usr/lib/*/libz3.so* \
    "$root"/usr/share/i18n "$root"/usr/lib/*/gconv "$root"/var/cache/debconf/*-old
