#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Installs what Debian has and this machine lacks: `tools/packages.sh run` for building and running, `run test` for
# testing too.  Services that come with the packages are neither started nor enabled, and PostgreSQL makes no cluster.
# Prints nothing when nothing is missing.
set -u
PATH=$PATH:/usr/sbin:/sbin

policy=/usr/sbin/policy-rc.d
saved=/usr/sbin/policy-rc.d.before-exedra
cluster=/etc/postgresql-common/createcluster.d/exedra-quickstart.conf

have() { command -v "$1" >/dev/null 2>&1; }

lib() { have pkg-config && pkg-config --exists "$1"; }

# The package's name, unless the command after it succeeds.
unless() {
    package=$1
    shift
    "$@" || echo "$package"
}

compiler() { have gcc && have make && echo 'int main(void) { return 0; }' | gcc -x c - -o /dev/null 2>/dev/null; }

sanitizers() { echo 'int main(void) { return 0; }' | gcc -fsanitize=address,undefined -x c - -o /dev/null 2>/dev/null; }

postgresql_server() { set -- /usr/lib/postgresql/*/bin/initdb; [ -x "$1" ] || have initdb; }

english() { have tesseract && tesseract --list-langs 2>/dev/null | grep -qx eng; }

# What is missing, a package a line.
missing() {
    for purpose; do
        case $purpose in
        run)
            unless build-essential compiler
            unless autoconf have autoconf
            unless automake have automake
            unless pkg-config have pkg-config
            unless libfcgi-dev test -e /usr/include/fcgiapp.h
            unless libjson-c-dev lib json-c
            unless libpq-dev lib libpq
            unless libcurl4-openssl-dev lib libcurl
            unless libssl-dev lib openssl
            unless libsodium-dev lib libsodium
            unless libmagic-dev lib libmagic
            unless libzip-dev lib libzip
            unless libxml2-dev lib libxml-2.0
            unless libgmime-3.0-dev lib gmime-3.0
            unless libpoppler-cpp-dev lib poppler-cpp
            unless poppler-data test -e /usr/share/poppler/cMap
            unless libseccomp-dev lib libseccomp
            unless unrtf have unrtf
            unless ca-certificates test -e /etc/ssl/certs/ca-certificates.crt
            unless postgresql postgresql_server
            unless nginx have nginx
            unless curl have curl
            unless perl perl -MJSON::PP -e 1 2>/dev/null
            unless mandoc have mandoc
            unless procps have ps ;;
        test)
            unless perl perl -MTest::More -MTime::HiRes -e 1 2>/dev/null
            unless libc6-dev sanitizers
            unless apache2-bin have apache2
            unless tesseract-ocr have tesseract
            unless tesseract-ocr-eng english
            unless chromium have chromium
            unless nodejs have node
            unless npm have npm
            unless git have git ;;
        esac
    done | sort -u | tr '\n' ' ' | sed 's/ $//'
}

# While packages are installed no service starts: the policy that invoke-rc.d asks says so.
deny_services() {
    allow_services
    { [ -e $policy ] || [ -L $policy ]; } && mv $policy $saved
    printf '#!/bin/sh\n# exedra: until the installation is over\nexit 101\n' >$policy
    chmod 755 $policy
    made=
    for dir in /etc/postgresql-common /etc/postgresql-common/createcluster.d; do
        [ -d $dir ] || { mkdir $dir && made="$dir $made"; }
    done
    echo 'create_main_cluster = false' >$cluster
}

# Undoes that; also what an installation that was killed has left.
allow_services() {
    if grep -q '^# exedra:' $policy 2>/dev/null; then
        rm -f $policy
    fi
    if [ -e $saved ] || [ -L $saved ]; then
        mv $saved $policy
    fi
    rm -f $cluster
    for dir in ${made-}; do
        rmdir $dir 2>/dev/null
    done
    return 0
}

# A web server that came with us does not take port 80 at the next boot either.
disable_nginx() {
    $had_nginx || ! have nginx || update-rc.d nginx disable >/dev/null 2>&1
}

# apt's own words go to a log, which stays only when something fails.
install() {
    had_nginx=false
    have nginx && had_nginx=true
    log=$(mktemp /tmp/exedra-packages.XXXXXX) || exit 1
    trap allow_services EXIT
    trap 'exit 1' HUP INT TERM
    deny_services
    export DEBIAN_FRONTEND=noninteractive
    echo "installing $*"
    apt-get -q update >"$log" 2>&1 || echo 'packages.sh: apt-get update failed; going on with the lists there are' >&2
    apt-get -q -y --no-install-recommends install "$@" </dev/null >>"$log" 2>&1 || {
        tail -n 5 "$log" >&2
        echo "packages.sh: apt-get could not install the packages; see $log" >&2
        exit 1
    }
    disable_nginx
    rm "$log"
}

case "$*" in
run | test | 'run test') ;;
*) echo "usage: packages.sh run|test|run test" >&2; exit 2 ;;
esac
packages=$(missing "$@")
[ -n "$packages" ] || exit 0
if [ "$(id -u)" != 0 ]; then
    if have sudo; then
        exec sudo -- sh "$0" "$@"
    fi
    echo "missing packages; as root: apt-get install --no-install-recommends $packages" >&2
    exit 1
fi
install $packages
packages=$(missing "$@")
[ -z "$packages" ] || { echo "packages.sh: still missing after the installation: $packages" >&2; exit 1; }
