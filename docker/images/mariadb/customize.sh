#!/bin/sh
# Run while the image is made, outside it, with the image's root as $1: makes the data folder that a first start
# copies, lets the server answer from every address, and removes what a test image never needs.
set -eu

root=$1
cp "$(dirname "$0")/docker-entrypoint.sh" "$root/usr/local/bin/"
mkdir -p "$root/usr/local/share/mariadb" "$root/docker-entrypoint-initdb.d" "$root/run/mysqld" "$root/etc/mysql/conf.d"
cat >"$root/etc/mysql/conf.d/image.cnf" <<'END'
[mariadbd]
bind-address = *
skip-name-resolve
# A test database is thrown away: nothing is gained by waiting for the disk.
innodb-flush-log-at-trx-commit = 0
innodb-flush-method = nosync
innodb-log-file-size = 4M
innodb-use-native-aio = OFF
END
sed -i '/^bind-address/d' "$root/etc/mysql/mariadb.conf.d/50-server.cnf"
rm -rf "$root"/var/lib/mysql/* "$root"/usr/local/share/mariadb/data
chroot "$root" mariadb-install-db --force --user=mysql --datadir=/usr/local/share/mariadb/data --skip-test-db \
    --auth-root-authentication-method=normal >/dev/null
chroot "$root" chown -R mysql:mysql /usr/local/share/mariadb /run/mysqld /var/lib/mysql
# Any `--user` may copy the data and make its socket.
chmod -R go+rX "$root/usr/local/share/mariadb"
chmod 1777 "$root/run/mysqld"
if [ ! -e "$root/usr/bin/mariadb-admin" ]; then ln -s mysqladmin "$root/usr/bin/mariadb-admin"; fi
if [ ! -e "$root/usr/sbin/mariadbd" ]; then ln -s mysqld "$root/usr/sbin/mariadbd"; fi

rm -rf "$root"/usr/lib/*/perl "$root"/usr/share/perl "$root"/usr/share/perl5 "$root"/usr/lib/*/libperl.so* \
    "$root"/usr/lib/*/gconv "$root"/var/cache/debconf/*-old
