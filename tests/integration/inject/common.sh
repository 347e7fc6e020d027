# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# common.sh: what the tests of the shim and the launcher share; they read it
# with `.`. It gives them a temporary directory and an environment in which
# nothing of filemem and no plugin is set, and in which GStreamer writes no file
# outside that directory.
#
# From meson: FM_BUILD (the top build directory), FM_HERE (this one's),
# FM_SANITIZE (b_sanitize).
# shellcheck shell=sh disable=SC2034,SC2154

shim=$FM_BUILD/inject/libgstfilemem-inject.so
plugin=$FM_BUILD/tracer/libgstfilemem.so
allocated=$((64 * 64 * 1024))

fail ()
{
  printf 'FAILED: %s\n' "$1" >&2
  exit 1
}

skip ()
{
  printf 'skipped: %s\n' "$1"
  exit 77
}

# same WHAT EXPECTED GOT
same ()
{
  [ "$2" = "$3" ] || fail "$1
expected: $2
got:      $3"
}

# field NAME LINE: the value of NAME= in the probe's line
field ()
{
  printf '%s\n' "$2" | tr ' ' '\n' | sed -n "s|^$1=||p"
}

# on_disk LINE: the probe's buffers came from filemem
on_disk ()
{
  same 'type of the default allocator' GstFileMemAllocator "$(field type "$1")"
  [ "$(field alloc-bytes "$1")" -ge "$allocated" ] \
    || fail "buffers did not come from filemem: $1"
}

# same_sum LINE: what the probe read back is what it reads without filemem
same_sum ()
{
  same 'checksum of what was read' "$(field sum "$("$probe")")" \
    "$(field sum "$1")"
}

# in_memory LINE: the probe's buffers are system memory
in_memory ()
{
  same 'bytes from filemem' 0 "$(field alloc-bytes "$1")"
  [ "$(field type "$1")" != GstFileMemAllocator ] || fail "filemem is active: $1"
}

# quiet FILE: nothing was written there
quiet ()
{
  [ ! -s "$1" ] || fail "unexpected output: $(cat "$1")"
}

# says TEXT FILE
says ()
{
  grep -qF -e "$1" "$2" || fail "no \"$1\" in: $(cat "$2")"
}

case $FM_SANITIZE in
  '' | none | '[]') ;;
  *) skip 'the runtime of a sanitizer cannot be preloaded over' ;;
esac

for name in $(env | sed -n 's/^\(GST_[A-Z0-9_]*\)=.*/\1/p'); do
  unset "$name"
done
unset LD_PRELOAD

tmp=$(mktemp -d "${TMPDIR:-/var/tmp}/filemem-test.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
mkdir "$tmp/plugins" "$tmp/dir"
export GST_REGISTRY="$tmp/registry"
export GST_PLUGIN_SYSTEM_PATH_1_0="$tmp/plugins"
