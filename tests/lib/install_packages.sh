#!/bin/sh
# Installs the Debian packages that are missing, through sudo when not root.
# Usage: install_packages.sh build|test|demo|readers …
set -eu

build='gcc make pkg-config libgpgme-dev libassuan-dev libgmime-3.0-dev libevent-dev libconfuse-dev libgsasl-dev
       libldap-dev libsqlite3-dev libssl-dev libunbound-dev libjansson-dev libsystemd-dev libcrypt-dev libidn2-dev
       libp11-dev libp11-kit-dev libcurl4-openssl-dev zlib1g-dev libopendkim-dev
       gnupg dns-root-data'
demo='swaks libnet-ssleay-perl libio-socket-ssl-perl gnupg openssl python3 procps'
test="$demo libcmocka-dev python3-pytest python3-pytest-xdist python3-cryptography python3-dkim msmtp s-nail curl mutt gsasl nodejs node-nodemailer sq rnp
      softhsm2 opensc gnupg-pkcs11-scd gpgsm neomutt notmuch
      postfix libnss-wrapper libgnutls-dane0 nsd ldnsutils dovecot-core slapd ldap-utils haproxy testssl.sh systemd
      clang libclang-rt-14-dev clang-format universal-ctags mandoc sqlite3 libxml2-utils iproute2 procps"
readers='thunderbird'
# Node.js from elsewhere than Debian brings npm along, and Debian's does not install beside it.
command -v npm >/dev/null 2>&1 || test="$test npm"

missing=
for set in "$@"; do
    eval "wanted=\$$set"
    for package in $wanted; do
        status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$status" = installed ] || missing="$missing $package"
    done
done
[ -n "$missing" ] || exit 0

as_root=
[ "$(id -u)" -eq 0 ] || as_root=sudo
echo "installing:$missing"
$as_root apt-get update -qq
# Postfix is a test peer run from private folders: its own service must not start here.
echo 'postfix postfix/main_mailer_type select No configuration' | $as_root debconf-set-selections
echo 'slapd slapd/no_configuration boolean true' | $as_root debconf-set-selections
# So are these, which would take their ports now and at each boot. Where one is installed already it is left as it is.
for service in nsd dovecot-core slapd haproxy; do
    case "$missing " in
        *" $service "*) $as_root sh -c "mkdir -p /etc/systemd/system && ln -sf /dev/null /etc/systemd/system/${service%-core}.service" ;;
    esac
done
# shellcheck disable=SC2086
$as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
    apt-get install -y -qq --no-install-recommends $missing >/dev/null
