#!/bin/sh
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# shim.sh: the shim in real programs, one kind of program a test. Where filemem
# should be active the default allocator has to be filemem's and the program's
# bytes have to come from it; where it should not, nothing may be printed.
#
# Usage: shim.sh TEST
set -eu
. "$(dirname "$0")/common.sh"

probe=$FM_HERE/probe

# preload COMMAND...: output to $tmp/out, messages to $tmp/err
preload ()
{
  LD_PRELOAD=$shim "$@" >"$tmp/out" 2>"$tmp/err" \
    || fail "status $? of $*: $(cat "$tmp/err")"
}

# launch COMMAND...: the same by gst-filemem, which names the tracer as well
launch ()
{
  "$FM_BUILD/scripts/gst-filemem" run "$@" >"$tmp/out" 2>"$tmp/err" \
    || fail "status $? of $*: $(cat "$tmp/err")"
}

# active COMMAND...: runs it with the shim, and filemem is active
active ()
{
  preload "$@"
  on_disk "$(cat "$tmp/out")"
  same_sum "$(cat "$tmp/out")"
  quiet "$tmp/err"
}

# inert COMMAND...: runs it with the shim, and filemem is not
inert ()
{
  preload "$@"
  in_memory "$(cat "$tmp/out")"
  quiet "$tmp/err"
}

link_core_tracers ()
{
  core=$FM_GST_PLUGINS/libgstcoretracers.so
  [ -f "$core" ] || skip 'GStreamer came without its own tracers'
  ln -s "$core" "$tmp/plugins"
}

# A program linked with GStreamer, and the same without the shim.
test_linked ()
{
  in_memory "$("$probe")"
  GST_FILEMEM_DIR=$tmp/dir active "$probe"
  same 'dir' "$tmp/dir" "$(field dir "$(cat "$tmp/out")")"
}

# Programs that initialise GStreamer in other ways, or are at work before.
test_ways ()
{
  for way in --option-group --rewriteenv --threads; do
    active "$probe" "$way"
  done
}

# GStreamer is in a library that a library has loaded, all of it RTLD_LOCAL.
test_plugin_of_plugin ()
{
  active "$FM_HERE/probe-outermost" "$FM_HERE/libprobe-outer.so" \
    "$FM_HERE/libprobe-inner.so"
}

# Others preload as well, before and behind.
test_preloads ()
{
  found=
  for name in libeatmydata.so libfaketime.so.1 faketime/libfaketime.so.1; do
    for dir in /usr/lib /usr/lib/"$(uname -m)"-linux-gnu; do
      [ ! -e "$dir/$name" ] || found="$found $dir/$name"
    done
  done
  [ -n "$found" ] || skip 'neither libeatmydata nor libfaketime is installed'
  for other in $found; do
    for both in "$other:$shim" "$shim $other"; do
      LD_PRELOAD=$both "$probe" >"$tmp/out" 2>"$tmp/err" \
        || fail "status $? with $both"
      on_disk "$(cat "$tmp/out")"
      same_sum "$(cat "$tmp/out")"
      quiet "$tmp/err"
    done
  done
}

# A program that sets another default allocator later.
test_replace ()
{
  preload "$probe" --replace
  on_disk "$(cat "$tmp/out")"
  same_sum "$(cat "$tmp/out")"
  same 'lines' 1 "$(grep -c '' "$tmp/err")"
  says 'filemem: the program sets another default allocator' "$tmp/err"
  says 'on-replace=yield' "$tmp/err"

  GST_FILEMEM_ON_REPLACE=yield inert "$probe" --replace
  GST_TRACERS='filemem(on-replace=yield)' inert "$probe" --replace
  # In programs without filemem nothing changes.
  GST_FILEMEM_EXE=another inert "$probe" --replace
  # Nor where the functions of GStreamer are not for all to see.
  for name in another probe-outermost; do
    GST_FILEMEM_EXE=$name GST_FILEMEM_ON_REPLACE=yield \
      inert "$FM_HERE/probe-outermost" "$FM_HERE/libprobe-outer.so" \
      "$FM_HERE/libprobe-inner.so" --replace-other
    same 'default allocator' Other "$(field type "$(cat "$tmp/out")")"
  done

  # A mistake of the program's is GStreamer's to complain of.
  preload "$probe" --replace-null
  on_disk "$(cat "$tmp/out")"
  says 'GStreamer-CRITICAL' "$tmp/err"
}

# child COMMAND...: what a child of a program with filemem prints, in $said; not
# on standard output, because a substitution would hide that it failed
child ()
{
  "$way" "$probe" --spawn "$@"
  on_disk "$(head -n 1 "$tmp/out")"
  quiet "$tmp/err"
  said=$(sed 1d "$tmp/out")
}

test_children ()
{
  for way in preload launch; do
    unset GST_FILEMEM_CHILDREN
    child "$probe"
    on_disk "$said"
    child env "$probe"
    on_disk "$said"
    child sh -c "\"$probe\""
    on_disk "$said"
    child sh -c 'echo hello'
    same 'echo of a shell' hello "$said"

    export GST_FILEMEM_CHILDREN=no
    child "$probe"
    in_memory "$said"
    child sh -c "\"$probe\""
    in_memory "$said"
    # shellcheck disable=SC2016
    child sh -c 'printf "%s|%s" "$LD_PRELOAD" "${GST_TRACERS-}"'
    same 'LD_PRELOAD and GST_TRACERS of a child' '|' "$said"
    # Before GStreamer is there nothing is decided: a shell passes it on.
    "$way" sh -c "\"$probe\""
    on_disk "$(cat "$tmp/out")"
  done

  # What others have put there stays.
  found=/usr/lib/$(uname -m)-linux-gnu/libeatmydata.so
  [ -e "$found" ] || return 0
  # shellcheck disable=SC2016
  same 'LD_PRELOAD of a child' "$found" "$(LD_PRELOAD=$shim:$found \
    GST_TRACERS='filemem(children=no)' "$probe" --spawn \
    sh -c 'printf %s "$LD_PRELOAD"' | sed 1d)"
}

# GStreamer as it is without tracer hooks: nobody asks for GST_TRACERS.
test_without_hooks ()
{
  library=$(ldd "$probe" | sed -n 's/.*libgstreamer-1.0.so.0 => \([^ ]*\).*/\1/p')
  mkdir "$tmp/lib"
  sed 's/GST_TRACERS/GST_NOTHERE/g' "$library" >"$tmp/lib/libgstreamer-1.0.so.0"
  export LD_LIBRARY_PATH="$tmp/lib"
  in_memory "$(GST_TRACERS=filemem "$probe")"
  active "$probe"
  GST_FILEMEM_DIR=$tmp/dir active "$probe" --clearenv
  same 'dir' "$tmp/dir" "$(field dir "$(cat "$tmp/out")")"
  GST_FILEMEM_REPORT=$tmp/report active "$probe"
  says 'filemem report of process' "$tmp/report"
}

# The dynamic linker is not there to preload anything.
test_static ()
{
  [ -x "$FM_HERE/plain-static" ] || skip 'there is no static C library'
  preload "$FM_HERE/plain-static"
  quiet "$tmp/out"
  quiet "$tmp/err"
}

test_ten_at_once ()
{
  "$probe" >/dev/null # the registry
  for n in 0 1 2 3 4 5 6 7 8 9; do
    { LD_PRELOAD=$shim "$probe" >"$tmp/out.$n" 2>"$tmp/err.$n" || :; } &
  done
  wait
  for n in 0 1 2 3 4 5 6 7 8 9; do
    on_disk "$(cat "$tmp/out.$n")"
    same_sum "$(cat "$tmp/out.$n")"
    quiet "$tmp/err.$n"
  done
}

test_python ()
{
  for python in python3 /usr/bin/python3; do
    if "$python" -c 'import gi
gi.require_version("Gst", "1.0")
from gi.repository import Gst' 2>/dev/null; then
      active "$python" "$FM_SOURCE/probe.py"
      return
    fi
  done
  skip 'no Python with GStreamer'
}

test_dlopen ()
{
  active "$FM_HERE/probe-dlopen"
}

# The option reaches the tracer although the environment does not.
test_clearenv ()
{
  GST_FILEMEM_DIR=$tmp/dir active "$probe" --clearenv
  same 'dir' "$tmp/dir" "$(field dir "$(cat "$tmp/out")")"

  # Without a variable there is nothing to pass on.
  active "$probe" --clearenv
}

# The program's own tracer runs as well.
test_tracers ()
{
  link_core_tracers
  for tracers in stats 'stats;filemem' 'filemem;stats'; do
    GST_TRACERS=$tracers active "$probe"
    same 'tracers' GstStatsTracer "$(field tracers "$(cat "$tmp/out")")"
  done
}

# GST_TRACERS names filemem, and no plugin path leads to it.
test_named ()
{
  in_memory "$(GST_TRACERS=filemem "$probe" 2>/dev/null)"
  GST_TRACERS=filemem active "$probe"
  # From 1.28 on GStreamer lists all that it makes, and traces for them.
  same 'tracers' '' "$(field tracers "$(cat "$tmp/out")")"
  for type in '' '(string)'; do
    GST_TRACERS="filemem(ram=${type}64M,dir=$type$tmp/dir)" active "$probe"
    same 'dir' "$tmp/dir" "$(field dir "$(cat "$tmp/out")")"
    # Without the shim, from GStreamer itself.
    line=$(GST_TRACERS="filemem(ram=${type}64M,dir=$type$tmp/dir)" \
      GST_PLUGIN_PATH=$FM_BUILD/tracer "$probe")
    on_disk "$line"
    same 'dir' "$tmp/dir" "$(field dir "$line")"
  done
}

test_without_gstreamer ()
{
  # Set, so that the shim has something to keep.
  export GST_FILEMEM_DIR="$tmp/dir"
  for program in /bin/true "$FM_HERE/plain"; do
    preload "$program"
    quiet "$tmp/out"
    quiet "$tmp/err"
  done
  # shellcheck disable=SC2016
  preload sh -c 'printf %s "$GST_FILEMEM_DIR"'
  same 'the environment of a shell' "$tmp/dir" "$(cat "$tmp/out")"
}

# A plugin that does not exist tells by its message where the shim is active.
test_scanner ()
{
  cp "$probe" "$tmp/gst-plugin-scanner"
  cp "$probe" "$tmp/another-name"
  active "$tmp/another-name"
  inert "$tmp/gst-plugin-scanner"

  scanner=$FM_GST_SCANNER
  [ -x "$scanner" ] || skip 'the plugin scanner is not installed'
  export GST_FILEMEM_PLUGIN="$tmp/none.so"
  LD_PRELOAD=$shim "$scanner" -l "$probe" </dev/null >/dev/null 2>"$tmp/err" || :
  quiet "$tmp/err"
  cp "$scanner" "$tmp/another-scanner"
  LD_PRELOAD=$shim "$tmp/another-scanner" -l "$probe" </dev/null >/dev/null \
    2>"$tmp/err" || :
  says 'filemem: ' "$tmp/err"
}

test_exe ()
{
  GST_FILEMEM_EXE=gst-play-1.0:probe active "$probe"
  GST_FILEMEM_EXE=gst-play-1.0:probe2:prob inert "$probe"
  GST_FILEMEM_EXE=gst-play-1.0:probe inert "$FM_HERE/probe-dlopen"
}

# setuid_run PROGRAM: as a user who gets root's rights by it
setuid_run ()
{
  chmod 755 "$tmp"
  cp "$1" "$tmp/setuid-probe"
  chmod 4755 "$tmp/setuid-probe"
  setpriv --reuid 65534 --regid 65534 --clear-groups "$tmp/setuid-probe" \
    >"$tmp/out" 2>"$tmp/err" || fail "status $?: $(cat "$tmp/err")"
  [ "$(field secure "$(cat "$tmp/out")")" = 1 ] \
    || skip "set-uid has no effect in $tmp"
}

# The dynamic linker does not preload a file into a set-uid program, so that
# would prove nothing: probe-with-shim is linked with the shim.
test_setuid ()
{
  probe=$FM_HERE/probe-with-shim
  on_disk "$("$probe")"

  [ "$(id -u)" = 0 ] || skip 'only root can make a set-uid program of root'
  command -v setpriv >/dev/null || skip 'no setpriv'
  setuid_run "$probe"
  in_memory "$(cat "$tmp/out")"
  quiet "$tmp/err"
}

# GStreamer itself heeds GST_TRACERS in a set-uid program. The parameters are its
# user's, who would have files written with root's rights: they are ignored.
# probe-with-library has the library, which would not be found by $ORIGIN. Nor is
# anything made in the user's runtime directory, even if that is root's.
test_setuid_parameters ()
{
  probe=$FM_HERE/probe-with-library
  mkdir -m 700 "$tmp/runtime"
  export XDG_RUNTIME_DIR="$tmp/runtime"
  export GST_PLUGIN_PATH="${plugin%/*}"
  export GST_TRACERS="filemem(dir=$tmp/dir,report=$tmp/report)"
  on_disk "$("$probe")"
  says 'filemem report of process' "$tmp/report"
  same 'dir' "$tmp/dir" "$(field dir "$("$probe")")"
  rm "$tmp/report"
  rmdir "$tmp/runtime/gst-filemem" || fail 'nothing was told at all'

  [ "$(id -u)" = 0 ] || skip 'only root can make a set-uid program of root'
  command -v setpriv >/dev/null || skip 'no setpriv'
  setuid_run "$probe"
  on_disk "$(cat "$tmp/out")"
  same 'dir' /var/tmp "$(field dir "$(cat "$tmp/out")")"
  [ ! -e "$tmp/report" ] || fail 'a report was written where the user said'
  [ ! -e "$tmp/runtime/gst-filemem" ] || fail 'users were told something'
  quiet "$tmp/err"
}

# A plugin that cannot be loaded: one line, and the program runs, even one that
# GLib's warnings kill.
test_broken ()
{
  export G_DEBUG=fatal-warnings
  echo 'not a library' >"$tmp/libgstfilemem.so"
  export GST_FILEMEM_PLUGIN="$tmp/libgstfilemem.so"
  preload "$probe"
  in_memory "$(cat "$tmp/out")"
  same 'lines' 1 "$(grep -c '' "$tmp/err")"
  says "filemem: cannot load $tmp/libgstfilemem.so: " "$tmp/err"
}

"test_$1"
