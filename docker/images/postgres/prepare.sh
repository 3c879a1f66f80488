#!/bin/sh
# Run before the packages are installed, with the image's root as $1: Debian would make a cluster that nobody uses.
set -eu

mkdir -p "$1/etc/postgresql-common"
echo "create_main_cluster = false" >"$1/etc/postgresql-common/createcluster.conf"
