#!/bin/sh
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# confined.sh: a queue six times as deep as its budget, in a program that may do
# little. It comes out as it went in, through the disk, and filemem has nothing
# to complain of.
#
# Usage: confined.sh TEST
set -eu
. "$(dirname "$0")/common.sh"

launcher=$FM_BUILD/scripts/gst-filemem

command -v gst-launch-1.0 >/dev/null || skip 'no gst-launch-1.0'
elements=$FM_GST_PLUGINS/libgstcoreelements.so
[ -f "$elements" ] || skip "no $elements"
ln -s "$elements" "$tmp/plugins"

# deep_queue COMMAND...: COMMAND runs what is given to it, confined. The queue
# lets nothing out before the whole file is in it.
deep_queue ()
{
  head -c 100663296 /dev/urandom >"$tmp/in"
  status=0
  "$@" "$launcher" run --ram 16M --dir "$tmp/dir" --report "$tmp/report" -- \
    gst-launch-1.0 -q filesrc "location=$tmp/in" blocksize=65536 ! \
    queue max-size-buffers=0 max-size-bytes=0 max-size-time=0 \
    min-threshold-bytes=200000000 ! filesink "location=$tmp/out" \
    >"$tmp/said" 2>"$tmp/err" || status=$?
  [ "$status" != 77 ] || skip "$(cat "$tmp/err")"
  [ "$status" = 0 ] || fail "status $status: $(cat "$tmp/err")"
  quiet "$tmp/said"
  quiet "$tmp/err"
  cmp "$tmp/in" "$tmp/out" || fail 'the output differs'
  cat "$tmp/report"
  grep -Eq 'in [1-9][0-9]* spills.* in [1-9][0-9]* fills' "$tmp/report" \
    || fail 'nothing was on disk'
  same 'files left' '' "$(ls "$tmp/dir")"
}

test_seccomp ()
{
  deep_queue "$FM_HERE/forbid"
}

# Nobody: no capability, no way to get one, and no user of any name in a user
# namespace without a map.
test_nobody ()
{
  set -- unshare --user --
  if [ "$(id -u)" = 0 ]; then
    command -v setpriv >/dev/null || skip 'no setpriv'
    chown -R 65534:65534 "$tmp"
    set -- setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs \
      --bounding-set=-all --inh-caps=-all "$@"
  fi
  "$@" true 2>"$tmp/err" || skip "no user namespace: $(cat "$tmp/err")"
  "$@" test -r "$plugin" || skip "not everybody may read $FM_BUILD"
  deep_queue "$@" "$FM_HERE/forbid"
}

"test_$1"
