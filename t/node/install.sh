#!/bin/sh
# SPDX-License-Identifier: ISC
#
# t/node/install.sh DIRECTORY: what package-lock.json names, from the npm registry, into DIRECTORY/node_modules, unless it is
# there already.
set -eu
here=$(dirname "$0")
dir=$1
cmp -s "$here/package-lock.json" "$dir/installed" && exit 0
mkdir -p "$dir"
cp "$here/package.json" "$here/package-lock.json" "$dir/"
npm ci --prefix "$dir" --ignore-scripts --no-audit --no-fund --loglevel=error >&2
cp "$here/package-lock.json" "$dir/installed"
