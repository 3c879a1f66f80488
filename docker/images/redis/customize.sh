#!/bin/sh
# Run while the image is made, outside it, with the image's root as $1: the data folder, and removal of what a test
# image never needs.
set -eu

root=$1
cp "$(dirname "$0")/docker-entrypoint.sh" "$root/usr/local/bin/"
mkdir -p "$root/data"
chroot "$root" chown redis:redis /data
rm -rf "$root"/usr/lib/*/perl "$root"/usr/share/perl "$root"/usr/lib/*/libperl.so* "$root"/usr/lib/*/gconv \
    "$root"/var/cache/debconf/*-old
