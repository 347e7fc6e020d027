#!/bin/sh
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# silent.sh: until GStreamer asks, the shim allocates nothing, makes no system
# call in g_getenv(), and says nothing (see silent.c). Where variables of
# filemem's are set its constructor keeps them, in one allocation.
set -eu
. "$(dirname "$0")/common.sh"

# The last ones look like the one that matters, or are it, but it is not
# libgstreamer that asks.
names='HOME PATH FILEMEM_NOT_THERE G_MESSAGES_DEBUG GST_DEBUG GST_TRACER
  GST_TRACERS2 GST_FILEMEM_RAM GST_TRACERS GST_PLUGIN_FEATURE_RANK'

# silent [VARIABLE=VALUE...]: sets before, asking
silent ()
{
  status=0
  # shellcheck disable=SC2086
  env "$@" "$FM_HERE/silent" $names >"$tmp/out" 2>"$tmp/err" || status=$?
  [ "$status" != 77 ] || skip "$(cat "$tmp/err")"
  [ "$status" = 0 ] || fail "status $status of silent with $*"
  quiet "$tmp/err"
  same 'lines' 1 "$(grep -c '' "$tmp/out")"
  read -r before _ asking _ <"$tmp/out"
}

silent
plain=$before
same 'allocations of g_getenv() without the shim' 0 "$asking"

# The program counts: an allocation of GLib's own is seen.
[ "$plain" -gt 0 ] || fail 'no allocation was seen before main()'

silent "LD_PRELOAD=$shim"
same 'allocations of g_getenv()' 0 "$asking"
same 'allocations before main()' "$plain" "$before"

silent "LD_PRELOAD=$shim" GST_TRACERS=stats
same 'allocations of g_getenv()' 0 "$asking"
same 'allocations before main()' "$plain" "$before"

silent "LD_PRELOAD=$shim" GST_FILEMEM_RAM=8M GST_FILEMEM_DIR=/x \
  GST_FILEMEM_SIZE=1G
same 'allocations of g_getenv()' 0 "$asking"
same 'allocations before main()' $((plain + 1)) "$before"

# An empty variable is none; a program that is not meant keeps nothing.
silent "LD_PRELOAD=$shim" GST_FILEMEM_RAM=
same 'allocations before main()' "$plain" "$before"
silent "LD_PRELOAD=$shim" GST_FILEMEM_RAM=8M GST_FILEMEM_EXE=other
same 'allocations before main()' "$plain" "$before"
same 'allocations of g_getenv()' 0 "$asking"
