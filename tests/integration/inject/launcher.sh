#!/bin/sh
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# launcher.sh: gst-filemem, from the build tree unless a test says otherwise.
#
# Usage: launcher.sh TEST
set -eu
. "$(dirname "$0")/common.sh"

launcher=$FM_BUILD/scripts/gst-filemem
probe=$FM_HERE/probe

# refuses STATUS TEXT ARGUMENT...: does not run, and says why
refuses ()
{
  expected=$1
  text=$2
  shift 2
  status=0
  "$launcher" "$@" >"$tmp/out" 2>"$tmp/err" || status=$?
  same "status of gst-filemem $*" "$expected" "$status"
  quiet "$tmp/out"
  says 'gst-filemem: ' "$tmp/err"
  says "$text" "$tmp/err"
}

# For `sh -c "$variable" sh NAME`: prints the variable NAME.
# shellcheck disable=SC2016
variable='eval "printf %s \"\${$1-unset}\""'

# Both ways into a program.
test_active ()
{
  "$launcher" run --dir "$tmp/dir" "$probe" >"$tmp/out" 2>"$tmp/err"
  on_disk "$(cat "$tmp/out")"
  same 'dir' "$tmp/dir" "$(field dir "$(cat "$tmp/out")")"
  quiet "$tmp/err"

  "$launcher" run --dir="$tmp/dir" -- "$probe" --clearenv >"$tmp/out" \
    2>"$tmp/err"
  on_disk "$(cat "$tmp/out")"
  same 'dir' "$tmp/dir" "$(field dir "$(cat "$tmp/out")")"
  quiet "$tmp/err"

  # Without the shim, by name alone.
  # shellcheck disable=SC2016
  "$launcher" run sh -c 'unset LD_PRELOAD; exec "$1"' sh "$probe" >"$tmp/out"
  on_disk "$(cat "$tmp/out")"

  # The program's standard output is the program's alone.
  "$launcher" run sh -c : >"$tmp/out" 2>"$tmp/err"
  quiet "$tmp/out"
  quiet "$tmp/err"
}

test_options ()
{
  # shellcheck disable=SC2016
  same 'options' "$tmp/dir|8G|128M|stderr" "$("$launcher" run \
    --dir "$tmp/dir" --size 8G --ram=128M --report=stderr -- sh -c \
    'echo "$GST_FILEMEM_DIR|$GST_FILEMEM_SIZE|$GST_FILEMEM_RAM|$GST_FILEMEM_REPORT"')"
  same 'no option' unset \
    "$("$launcher" run sh -c "$variable" sh GST_FILEMEM_SIZE)"
  same 'option from outside' 1G "$(GST_FILEMEM_RAM=1G \
    "$launcher" run sh -c "$variable" sh GST_FILEMEM_RAM)"

  # shellcheck disable=SC2016
  same '--json' 'json|stderr' "$("$launcher" run --json sh -c \
    'echo "$GST_FILEMEM_REPORT_FORMAT|$GST_FILEMEM_REPORT"')"
  # shellcheck disable=SC2016
  same '--json' 'json|stderr' "$(GST_FILEMEM_REPORT=none "$launcher" run --json \
    sh -c 'echo "$GST_FILEMEM_REPORT_FORMAT|$GST_FILEMEM_REPORT"')"
  for order in '--report none --json' '--json --report none'; do
    # shellcheck disable=SC2016,SC2086
    same "$order" 'json|none' "$("$launcher" run $order sh -c \
      'echo "$GST_FILEMEM_REPORT_FORMAT|$GST_FILEMEM_REPORT"')"
  done
  # shellcheck disable=SC2016
  same '--json' "json|$tmp/out" "$("$launcher" run --report "$tmp/out" --json \
    sh -c 'echo "$GST_FILEMEM_REPORT_FORMAT|$GST_FILEMEM_REPORT"')"

  # Relative paths are the caller's.
  cd "$tmp"
  same 'dir' "$tmp/dir" \
    "$("$launcher" run --dir dir sh -c "$variable" sh GST_FILEMEM_DIR)"
  same 'report' "$tmp/out.%p" \
    "$("$launcher" run --report out.%p sh -c "$variable" sh GST_FILEMEM_REPORT)"

  # After the program's name nothing is an option of gst-filemem.
  same 'arguments' '--dir x  y --' \
    "$("$launcher" run printf '%s %s %s' --dir 'x  y' --)"

  "$launcher" --help >"$tmp/out"
  [ "$(grep -c '' "$tmp/out")" -le 24 ] || fail 'the help is over 24 lines long'
  ! grep -q '.\{80\}' "$tmp/out" || fail 'the help is over 79 columns wide'
  "$launcher" run --help | cmp - "$tmp/out"
  same 'version' "gst-filemem $FM_VERSION" "$("$launcher" --version)"
}

# What is exported reaches the program, however the launcher calls its own.
test_keeps ()
{
  own=$(sed -nE 's/(^ *|.*[);] )([A-Za-z_]+)=.*/\2/p;s/^ *for ([a-z_]+) in.*/\1/p' \
    "$launcher" | grep -Ev '^(_fm_|GST_|LD_|CDPATH)' || true)
  same 'variables that others may have exported' '' "$own"
  # shellcheck disable=SC2016
  same 'exported variables' 'a b c d e f' "$(dir=a version=b value=c option=d \
    plugin=e build=f GST_FILEMEM_BUILD=$FM_BUILD "$launcher" run --ram 8M sh -c \
    'echo "$dir $version $value $option $plugin $build"')"
}

test_appends ()
{
  same 'LD_PRELOAD' "$shim" \
    "$("$launcher" run sh -c "$variable" sh LD_PRELOAD)"
  cp "$FM_HERE/libgstreamer-1.0.so" "$tmp/other.so"
  same 'LD_PRELOAD' "$tmp/other.so:$shim" "$(LD_PRELOAD=$tmp/other.so \
    "$launcher" run sh -c "$variable" sh LD_PRELOAD)"
  same 'LD_PRELOAD' "$shim $tmp/other.so" "$(LD_PRELOAD="$shim $tmp/other.so" \
    "$launcher" run sh -c "$variable" sh LD_PRELOAD)"

  plugin_dir=$FM_BUILD/tracer
  same 'GST_PLUGIN_PATH' "$plugin_dir" \
    "$("$launcher" run sh -c "$variable" sh GST_PLUGIN_PATH)"
  same 'GST_PLUGIN_PATH' "/x:$plugin_dir" "$(GST_PLUGIN_PATH=/x \
    "$launcher" run sh -c "$variable" sh GST_PLUGIN_PATH)"
  # GStreamer does not look at GST_PLUGIN_PATH if this one is set.
  same 'GST_PLUGIN_PATH_1_0' "/x:$plugin_dir" "$(GST_PLUGIN_PATH_1_0=/x \
    "$launcher" run sh -c "$variable" sh GST_PLUGIN_PATH_1_0)"

  while IFS='|' read -r old new; do
    same 'GST_TRACERS' "$new" "$(GST_TRACERS=$old \
      "$launcher" run sh -c "$variable" sh GST_TRACERS)"
  done <<'END'
|filemem
stats|stats;filemem
latency(flags=pipeline);stats|latency(flags=pipeline);stats;filemem
filemem|filemem
filemem(ram=8M);stats|filemem(ram=8M);stats
filemem,stats|filemem,stats;filemem
END
}

test_refuses ()
{
  refuses 2 'gst-filemem --help'
  refuses 2 'unknown command' start true
  refuses 2 'which program' run
  refuses 2 'which program' run --dir "$tmp/dir" --
  refuses 2 '--ram needs a value' run --ram
  refuses 2 '--ram needs a value' run --ram= true
  refuses 2 '--ram needs a value' run --ram -- true
  refuses 2 '--dir needs a value' run --dir -- true
  refuses 2 "option 'ram': \"abc\" can't be read; accepted: bytes" \
    run --ram abc true
  refuses 2 "option 'ram': \"50%\" can't be read" run --ram=50% true
  refuses 2 "option 'size': \"8X\" can't be read" run --size 8X true
  refuses 2 '--rom=1: unknown option' run --rom=1 true
  refuses 127 "$tmp/none: no such program" run "$tmp/none"
  refuses 127 'no-such-program: no such program' run no-such-program
  # A function of the script and a command of the shell are no programs.
  refuses 127 'own_dir: no such program' run own_dir
  refuses 127 'unset: no such program' run unset
  : >"$tmp/file"
  refuses 126 "$tmp/file: not an executable file" run "$tmp/file"
  refuses 126 "$tmp/dir: not an executable file" run "$tmp/dir"

  export GST_FILEMEM_BUILD="$tmp/dir"
  refuses 2 "$tmp/dir/tracer" run true
  says 'meson compile' "$tmp/err"
  mkdir "$tmp/dir/tracer"
  cp "$plugin" "$tmp/dir/tracer"
  refuses 2 'libgstfilemem-inject.so' run true
  unset GST_FILEMEM_BUILD
  export GST_FILEMEM_PLUGIN="$tmp/none.so"
  refuses 2 "GST_FILEMEM_PLUGIN=$tmp/none.so" run true
}

# From a path with spaces, through symbolic links, from other trees.
test_places ()
{
  mkdir -p "$tmp/a b/scripts" "$tmp/bin"
  cp "$FM_SOURCE_ROOT/scripts/gst-filemem" "$tmp/a b/scripts/gst-filemem"
  cp "$FM_SOURCE_ROOT/meson.build" "$tmp/a b"
  ln -s "$FM_BUILD" "$tmp/a b/build"
  ln -s '../a b/scripts/gst-filemem' "$tmp/bin/relative"
  ln -s "$tmp/bin/relative" "$tmp/bin/absolute"

  # The source tree; a shim with a space in its path is not preloaded.
  for launcher in "$tmp/a b/scripts/gst-filemem" "$tmp/bin/absolute"; do
    "$launcher" run --dir "$tmp/dir" "$probe" >"$tmp/out" 2>"$tmp/err"
    on_disk "$(cat "$tmp/out")"
    says 'cannot be preloaded' "$tmp/err"
    same 'LD_PRELOAD' unset \
      "$("$launcher" run sh -c "$variable" sh LD_PRELOAD 2>/dev/null)"
  done
  same 'version' "gst-filemem $FM_VERSION" "$("$launcher" --version)"
  cd "$tmp"
  same 'a program in a path with spaces' 'x  y' \
    "$("$launcher" run "$(ln -s /bin/echo 'a b/my echo' && echo 'a b/my echo')" \
      'x  y' 2>/dev/null)"

  # The source tree with another build directory.
  launcher=$FM_SOURCE_ROOT/scripts/gst-filemem
  same 'LD_PRELOAD' "$shim" "$(GST_FILEMEM_BUILD=$FM_BUILD "$launcher" run \
    sh -c "$variable" sh LD_PRELOAD)"

  # An installed tree that was moved.
  mkdir -p "$tmp/usr/bin"
  cp "$FM_BUILD/scripts/gst-filemem" "$tmp/usr/bin"
  launcher=$tmp/usr/bin/gst-filemem
  case $FM_LIBDIR_FROM_BINDIR in
    /*) return ;;
  esac
  libdir=$tmp/usr/bin/$FM_LIBDIR_FROM_BINDIR
  mkdir -p "$libdir/gstreamer-1.0"
  cp "$shim" "$libdir"
  cp "$plugin" "$libdir/gstreamer-1.0"
  same 'LD_PRELOAD' "$libdir/libgstfilemem-inject.so" \
    "$("$launcher" run sh -c "$variable" sh LD_PRELOAD)"
  same 'GST_PLUGIN_PATH' "$libdir/gstreamer-1.0" \
    "$("$launcher" run sh -c "$variable" sh GST_PLUGIN_PATH)"
}

# command_in DIR: makes a gst-filemem-top there, which says where it is
command_in ()
{
  mkdir -p "$1"
  # shellcheck disable=SC2016
  printf '#!/bin/sh\nprintf "%%s|" "$0" "$@"\n' >"$1/gst-filemem-top"
  chmod +x "$1/gst-filemem-top"
}

# Programs of sub-commands: source tree, build tree, another build, installed.
test_commands ()
{
  tree=$tmp/tree
  mkdir -p "$tree/scripts" "$tree/build/scripts" "$tmp/usr/bin"
  cp "$FM_SOURCE_ROOT/meson.build" "$tree"
  cp "$FM_SOURCE_ROOT/scripts/gst-filemem" "$tree/scripts"
  cp "$FM_BUILD/scripts/gst-filemem" "$tree/build/scripts"
  cp "$FM_BUILD/scripts/gst-filemem" "$tmp/usr/bin"

  launcher=$tree/scripts/gst-filemem
  refuses 2 'gst-filemem-top was not found' top
  says 'meson compile' "$tmp/err"
  command_in "$tree/scripts"
  same 'source' "$tree/scripts/gst-filemem-top|" "$("$launcher" top)"
  command_in "$tree/build/commands"
  same 'build' "$tree/scripts/../build/commands/gst-filemem-top|a  b||--help|" \
    "$("$launcher" top 'a  b' '' --help)"
  launcher=$tree/build/scripts/gst-filemem
  same 'from build' "$tree/build/scripts/../commands/gst-filemem-top|-x|" \
    "$("$launcher" top -x)"

  command_in "$tmp/other/commands"
  same 'another build' "$tmp/other/commands/gst-filemem-top|" \
    "$(GST_FILEMEM_BUILD=$tmp/other "$launcher" top)"

  case $FM_COMMANDS_FROM_BINDIR in
    /*) return ;;
  esac
  launcher=$tmp/usr/bin/gst-filemem
  installed=$tmp/usr/bin/$FM_COMMANDS_FROM_BINDIR
  command_in "$installed"
  same 'installed' "$installed/gst-filemem-top|" "$("$launcher" top)"
  chmod -x "$installed/gst-filemem-top"
  [ -e "$FM_COMMANDS_DIR/gst-filemem-top" ] ||
    refuses 2 'gst-filemem-top was not found' top
}

# The program takes the launcher's place: its status and its signals.
test_exec ()
{
  status=0
  "$launcher" run sh -c 'exit 3' || status=$?
  same 'status' 3 "$status"

  # shellcheck disable=SC2016
  "$launcher" run sh -c 'trap "exit 7" USR1
echo $$ >"$1.new"
mv "$1.new" "$1"
while [ -e "$1" ]; do sleep 0.1; done' sh "$tmp/pid" &
  pid=$!
  while [ ! -e "$tmp/pid" ]; do
    kill -0 "$pid" 2>/dev/null || fail 'the program ended too early'
    sleep 0.1
  done
  same 'pid' "$pid" "$(cat "$tmp/pid")"
  kill -USR1 "$pid"
  status=0
  wait "$pid" || status=$?
  same 'status after a signal' 7 "$status"
}

"test_$1"
