#!/bin/sh
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# system.sh: the files with which an administrator covers many programs, or a
# service, as they are shipped; the paths alone are those of the build tree.
#
# Usage: system.sh TEST
set -eu
. "$(dirname "$0")/common.sh"

probe=$FM_HERE/probe

# shipped NAME: the file in $tmp, with the shim of the build tree
shipped ()
{
  sed "s|=/.*/libgstfilemem-inject.so\$|=$shim|" "$FM_BUILD/data/$1" >"$tmp/$1"
  says "$shim" "$tmp/$1"
}

# /etc/environment is read by pam_env(8): NAME=VALUE, and comments.
test_environment ()
{
  shipped environment
  set --
  while read -r line; do
    case $line in
      '#'* | '') ;;
      *) set -- "$@" "$line" ;;
    esac
  done <"$tmp/environment"
  cp "$probe" "$tmp/gst-play-1.0"
  env "$@" "$tmp/gst-play-1.0" >"$tmp/out" 2>"$tmp/err"
  on_disk "$(cat "$tmp/out")"
  env "$@" "$probe" >"$tmp/out" 2>>"$tmp/err"
  in_memory "$(cat "$tmp/out")"
  env "$@" sh -c 'echo hello' >"$tmp/out" 2>>"$tmp/err"
  same 'a shell' hello "$(cat "$tmp/out")"
  quiet "$tmp/err"
}

# The unit, with the drop-in as the administrator would put it there.
make_unit ()
{
  shipped gst-filemem.conf
  mkdir -p "$1/$unit.service.d"
  cp "$tmp/gst-filemem.conf" "$1/$unit.service.d"
  cat >"$1/$unit.service" <<END
[Unit]
Description=a test of filemem
[Service]
Type=oneshot
RemainAfterExit=yes
Environment=GST_REGISTRY=$tmp/registry
ExecStart=$probe
StandardOutput=file:$tmp/out
StandardError=file:$tmp/err
END
}

test_unit_file ()
{
  command -v systemd-analyze >/dev/null || skip 'no systemd-analyze'
  unit=filemem-test
  make_unit "$tmp/units"
  SYSTEMD_UNIT_PATH=$tmp/units: systemd-analyze verify \
    "$tmp/units/$unit.service" >"$tmp/said" 2>&1 \
    || fail "systemd-analyze: $(cat "$tmp/said")"
  if grep -F "$unit" "$tmp/said" >"$tmp/about"; then
    fail "systemd-analyze: $(cat "$tmp/about")"
  fi
}

test_service ()
{
  [ -d /run/systemd/system ] || skip 'systemd does not run here'
  [ "$(id -u)" = 0 ] || skip 'only root can start a service'
  unit=filemem-test-$$
  make_unit /run/systemd/system
  trap 'systemctl stop "$unit" 2>/dev/null || :
    rm -rf "$tmp" "/run/systemd/system/$unit.service"*
    systemctl daemon-reload' EXIT
  systemctl daemon-reload
  systemctl start "$unit" || fail "systemctl start: $(cat "$tmp/err")"
  on_disk "$(cat "$tmp/out")"
  same 'dir' "/var/cache/gst-filemem/$unit" "$(field dir "$(cat "$tmp/out")")"
  same 'the limit' MemoryMax=536870912 \
    "$(systemctl show -p MemoryMax "$unit")"
  says 'filemem report of process' "$tmp/err"
}

"test_$1"
