#!/bin/sh
# filemem: GStreamer's buffers on disk
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

# active COMMAND...: runs it with the shim, and filemem is active
active ()
{
  preload "$@"
  on_disk "$(cat "$tmp/out")"
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
  GST_TRACERS=stats active "$probe"
  case ,$(field tracers "$(cat "$tmp/out")"), in
    *,GstStatsTracer,*) ;;
    *) fail "the program's own tracer is gone: $(cat "$tmp/out")" ;;
  esac
}

# GST_TRACERS names filemem, and no plugin path leads to it.
test_named ()
{
  in_memory "$(GST_TRACERS=filemem "$probe" 2>/dev/null)"
  GST_TRACERS=filemem active "$probe"
  GST_TRACERS="filemem(dir=$tmp/dir)" active "$probe"
  same 'dir' "$tmp/dir" "$(field dir "$(cat "$tmp/out")")"
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

# The dynamic linker does not preload a file into a set-uid program, so that
# would prove nothing: probe-with-shim is linked with the shim.
test_setuid ()
{
  probe=$FM_HERE/probe-with-shim
  on_disk "$("$probe")"

  [ "$(id -u)" = 0 ] || skip 'only root can make a set-uid program of root'
  command -v setpriv >/dev/null || skip 'no setpriv'
  chmod 755 "$tmp"
  cp "$probe" "$tmp/probe"
  chmod 4755 "$tmp/probe"
  setpriv --reuid 65534 --regid 65534 --clear-groups "$tmp/probe" \
    >"$tmp/out" 2>"$tmp/err" || fail "status $?: $(cat "$tmp/err")"
  [ "$(field secure "$(cat "$tmp/out")")" = 1 ] \
    || skip "set-uid has no effect in $tmp"
  in_memory "$(cat "$tmp/out")"
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
