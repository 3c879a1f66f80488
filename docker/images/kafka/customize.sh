#!/bin/sh
# Run while the image is made, outside it, with the image's root as $1: the broker, which was built before, and the
# script that starts it.
set -eu

root=$1
install -m 755 "${BROKER:?the path of the broker program}" "$root/usr/local/bin/tansu"
cp "$(dirname "$0")/docker-entrypoint.sh" "$root/usr/local/bin/"
rm -rf "$root"/var/cache/debconf/*-old
