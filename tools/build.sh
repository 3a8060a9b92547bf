#!/bin/sh
# SPDX-License-Identifier: ISC
#
# tools/build.sh DIRECTORY [CONFIGURE-OPTION...]: builds out of the tree, doing what is needed and no more.
set -eu
cd "$(dirname "$0")/.."
dir=$1
shift

# True if the file is missing or older than one of the others.
stale() {
    made=$1
    shift
    [ ! -e "$made" ] || [ -n "$(find "$@" -newer "$made")" ]
}

if stale configure configure.ac Makefile.am || [ ! -e Makefile.in ]; then
    autoreconf -fi
    touch configure
fi
if stale "$dir/config.status" configure Makefile.am nginx/*.in; then
    mkdir -p "$dir"
    (cd "$dir" && ../configure "$@")
    touch "$dir/config.status"
fi
make -C "$dir" -j"$(nproc)"
