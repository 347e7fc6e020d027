#!/bin/sh
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# answers.sh: what exactly the shim answers, and what it tells the tracer, with a
# library that only says that it is libgstreamer, and a plugin that is another
# (see ask.c and fake-gstreamer.c).
set -eu
. "$(dirname "$0")/common.sh"

fake=$FM_HERE/libgstreamer-1.0.so
plugin=$tmp/libgstfilemem.so
cp "$fake" "$plugin"
export GST_FILEMEM_PLUGIN="$plugin"

# ask [VARIABLE=VALUE...] [-- MODE]: sets answer, inner, file, params
ask ()
{
  mode=
  for argument; do
    shift
    case $argument in
      --) ;;
      *=*) set -- "$@" "$argument" ;;
      *) mode=$argument ;;
    esac
  done
  env "$@" "LD_PRELOAD=$shim" "$FM_HERE/ask" "$fake" "$mode" \
    >"$tmp/out" 2>"$tmp/err" || fail "status $?: $(cat "$tmp/err")"
  { IFS= read -r answer && IFS= read -r inner && IFS= read -r file \
    && IFS= read -r params; } <"$tmp/out"
}

# Nothing of the program's own.
ask
same 'answer' - "$answer"
same 'answer during the load' - "$inner"
same 'plugin' "$plugin" "$file"
same 'parameters' '' "$params"
quiet "$tmp/err"
ask GST_TRACERS=
same 'answer to an empty value' '' "$answer"
same 'parameters' '' "$params"

# The program's own tracers stay.
ask 'GST_TRACERS=latency(flags=pipeline);stats'
same 'answer' 'latency(flags=pipeline);stats' "$answer"
same 'answer during the load' 'latency(flags=pipeline);stats' "$inner"
same 'parameters' '' "$params"
quiet "$tmp/err"

# Named already, by GStreamer's rules: it is made by then.
while IFS='|' read -r old left own; do
  ask "GST_TRACERS=$old" GST_FILEMEM_RAM=8M
  same "answer to $old" "$left" "$answer"
  same 'answer during the load' "$old" "$inner"
  same 'plugin' "$plugin" "$file"
  same "parameters of $old" "$own" "$params"
done <<'END'
filemem||
stats;filemem|stats|
filemem;stats|stats|
stats;filemem(ram=1G);x|stats;x|ram=1G
filemem(ram=1G,dir=/a b);x(y);filemem(ram=2G)|x(y)|ram=1G,dir=/a b
filemem(ram=1G||ram=1G
END
for old in filemem,latency ' filemem' filemem2 'stats(filemem)' afilemem; do
  ask "GST_TRACERS=$old"
  same 'answer' "$old" "$answer"
  same 'parameters' '' "$params"
done

# Variables that are still there are not repeated.
ask GST_FILEMEM_RAM=8M
same 'parameters' '' "$params"

# A cleared environment. The order is that of the environment.
ask GST_FILEMEM_RAM=8M GST_TRACERS=stats -- clearenv
same 'answer' - "$answer"
same 'parameters' 'ram=8M,' "$params"
same 'plugin' "$plugin" "$file"
ask GST_FILEMEM_DIR='/a b' GST_FILEMEM_MIN_SIZE=4K GST_FILEMEM_SIZE=50% \
  GST_FILEMEM_REPORT= -- clearenv
same 'parameters' ' dir=/a b min-size=4K size=50%' "$(printf '%s\n' "$params" \
  | tr , '\n' | sort | paste -sd ' ' -)"
quiet "$tmp/err"
ask -- clearenv
same 'parameters' '' "$params"
# These are not options.
ask GST_FILEMEM_DYGRAPHS=/js GST_FILEMEM_RAM=8M -- clearenv
same 'parameters' 'ram=8M,' "$params"
quiet "$tmp/err"
for value in 'a,b' 'a;b' 'a)b'; do
  ask "GST_FILEMEM_DIR=$value" GST_FILEMEM_RAM=8M -- clearenv
  same 'parameters' 'ram=8M,' "$params"
  same 'lines' 1 "$(grep -c '' "$tmp/err")"
  says "filemem: GST_FILEMEM_DIR=$value is not used" "$tmp/err"
done

# The last parameter wins, as one does over a variable.
ask 'GST_TRACERS=filemem(ram=1G)' GST_FILEMEM_RAM=8M -- remove
same 'parameters' 'ram=8M,ram=1G' "$params"

# Several threads at once.
ask 'GST_TRACERS=stats;filemem(ram=1G)' -- threads
same 'answer' stats "$answer"
same 'parameters' 'ram=1G' "$params"

# Programs that are not meant.
ask GST_FILEMEM_EXE=other 'GST_TRACERS=stats;filemem'
same 'answer' 'stats;filemem' "$answer"
same 'plugin' - "$file"

# A load that fails: one line, and the old value.
ask FAKE_FAIL=1 'GST_TRACERS=stats;filemem'
same 'answer' 'stats;filemem' "$answer"
same 'parameters' - "$params"
same 'lines' 1 "$(grep -c '' "$tmp/err")"
says "filemem: cannot load $plugin: the fake fails" "$tmp/err"
ask FAKE_FAIL=1
same 'answer' - "$answer"
ask GST_FILEMEM_PLUGIN=libgstfilemem.so
same 'answer' - "$answer"
same 'plugin' - "$file"
says 'not an absolute path' "$tmp/err"
ask "GST_FILEMEM_PLUGIN=$shim" GST_TRACERS=filemem
same 'answer' filemem "$answer"
same 'plugin' - "$file"
same 'lines' 1 "$(grep -c '' "$tmp/err")"
says "filemem: cannot load $shim: it is of another version" "$tmp/err"

# The plugin beside the shim, installed and in the build tree.
unset GST_FILEMEM_PLUGIN
mkdir -p "$tmp/lib/gstreamer-1.0" "$tmp/build/inject" "$tmp/build/tracer"
cp "$plugin" "$tmp/lib/gstreamer-1.0"
cp "$plugin" "$tmp/build/tracer"
cp "$shim" "$tmp/lib"
cp "$shim" "$tmp/build/inject"
shim=$tmp/lib/libgstfilemem-inject.so
ask
same 'plugin' "$tmp/lib/gstreamer-1.0/libgstfilemem.so" "$file"
shim=$tmp/build/inject/libgstfilemem-inject.so
ask
same 'plugin' "$tmp/build/tracer/libgstfilemem.so" "$file"

# A relative path holds for the directory in which the program was started.
cd "$tmp"
shim=./lib/libgstfilemem-inject.so
ask -- chdir
same 'plugin' "$tmp/lib/gstreamer-1.0/libgstfilemem.so" "$file"

# No plugin anywhere.
if [ ! -e "$FM_PLUGINS_DIR/libgstfilemem.so" ]; then
  rm "$tmp/lib/gstreamer-1.0/libgstfilemem.so"
  shim=$tmp/lib/libgstfilemem-inject.so
  ask GST_TRACERS=stats
  same 'answer' stats "$answer"
  same 'plugin' - "$file"
  same 'lines' 1 "$(grep -c '' "$tmp/err")"
  says 'GST_FILEMEM_PLUGIN can name it' "$tmp/err"
fi
