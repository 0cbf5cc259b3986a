#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# install_missing.sh demo|check|backends...: installs what debian-packages.txt lists for these and is not there yet.
# Says nothing and needs neither root nor network when nothing is missing.

commands=" $* "
list=$(dirname "$0")/debian-packages.txt
[ -r "$list" ] && [ $# -gt 0 ] || { echo "usage: install_missing.sh demo|check|backends..." >&2; exit 2; }

if ! command -v dpkg-query > /dev/null; then
    echo "This is not Debian: please install by hand what $list names for '$*'." >&2
    exit 0
fi

missing=
wanted='!/^#/ { for (i = 2; i <= NF; i++) if (index(commands, " " $i " ")) { print $1; next } }'
for entry in $(awk -v commands="$commands" "$wanted" "$list"); do
    package=${entry%=*}
    case $entry in *=*) command -v "${entry#*=}" > /dev/null && continue ;; esac
    dpkg-query -W -f '${Status}' "$package" 2> /dev/null | grep -q ' installed$' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
    command -v sudo > /dev/null || { echo "Missing packages, to be installed by root:$missing" >&2; exit 1; }
    as_root=sudo
fi
echo "Installing:$missing"

# Some packages would start a service at once (lighttpd, nginx, php-fpm, redis-server...): they are wanted as programs only.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap '$as_root rm -f "$policy"' EXIT
    trap 'exit 1' INT TERM HUP
    printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" > /dev/null
    $as_root chmod 755 "$policy"
fi

install ()
{
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
}

install || { $as_root apt-get -q update && install; } || exit 1

# Nor with the next boot of the machine.
for package in $missing; do
    case $package in
        lighttpd | memcached | nginx | postgresql | redis-server) units=/lib/systemd/system/$package.service ;;
        mariadb-server) units=/lib/systemd/system/mariadb.service ;;
        fcgiwrap) units="/lib/systemd/system/fcgiwrap.socket /lib/systemd/system/fcgiwrap.service" ;;
        php-fpm) units=/lib/systemd/system/php*-fpm.service ;;
        *) continue ;;
    esac
    for unit in $units; do
        $as_root systemctl -q disable "${unit##*/}" 2> /dev/null
    done
done
exit 0
