#!/bin/bash
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# completion.bash: what bash would offer after each beginning of a command line.
#
# Usage: completion.bash COMPLETION-FILE GST-FILEMEM
set -eu

# Every option that the help knows.
options_of ()
{
  "$launcher" "$1" --help \
    | sed -nE 's/^ +(-.*)/\1/p' | grep -oE '^(-[a-z]|--[a-z-]+)|, --[a-z-]+' \
    | sed 's/, //' | paste -s -d '|'
}
launcher=$2

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$tmp/run/gst-filemem" "$tmp/a dir" "$tmp/bin"
: >"$tmp/a log"
: >"$tmp/run/gst-filemem/4711-abcdef"
: >"$tmp/run/gst-filemem/4812-abcdef"
printf '#!/bin/sh\n' >"$tmp/bin/my-own-program"
chmod +x "$tmp/bin/my-own-program"
export XDG_RUNTIME_DIR="$tmp/run" PATH="$tmp/bin:$PATH"

# shellcheck source=../../../scripts/gst-filemem.bash-completion
. "$1"
cd "$tmp"

in_order ()
{
  printf '%s\n' "$@" | LC_ALL=C sort | paste -s -d '|'
}

# offers EXPECTED WORD...: the last word is being typed; EXPECTED is what is
# offered, in any order, separated by `|`
offers ()
{
  local -a expected
  local wanted got
  IFS='|' read -ra expected <<<"$1"
  wanted=$(in_order "${expected[@]}")
  shift
  COMP_WORDS=(gst-filemem "$@")
  COMP_CWORD=$#
  COMP_LINE="${COMP_WORDS[*]}"
  COMP_POINT=${#COMP_LINE}
  COMPREPLY=(left from before)
  _gst_filemem || :
  got=$(in_order "${COMPREPLY[@]}")
  if [[ $got != "$wanted" ]]; then
    printf 'FAILED: gst-filemem %s\nexpected: %s\ngot:      %s\n' "$*" \
      "$wanted" "$got" >&2
    exit 1
  fi
}

[[ $(complete -p gst-filemem) == *'-F _gst_filemem gst-filemem' ]]

offers 'run|doctor|report|top|-h|--help|--version' ''
offers 'run|report' r
offers '--help|--version' --
offers '' x

offers "$(options_of run)|--" run -
offers '--ram|--record|--report' run --r
offers '--json' run --js
offers 'a dir' run --dir a
offers 'a dir' run --dir = a
offers 'a dir|run|bin' run --dir =
offers '' run --ram ''
offers '' run --ram = ''
offers 'stderr' run --report st
offers 'a log|a dir' run --report = a
offers '--size' run --dir x --si
offers '--size' run --dir = x --si

# The program and its arguments: without bash-completion, by bash itself.
offers 'my-own-program' run my-own-p
offers 'my-own-program' run --ram 64M -- my-own-p
offers 'my-own-program' run --ram = 64M my-own-p
offers 'bin/my-own-program' run bin/my
offers 'a log|a dir' run my-own-program --dir a
offers '' run my-own-program --ra

# With it, by what it has for that program.
# shellcheck disable=SC2317
_command_offset ()
{
  COMPREPLY=("offset $1")
}
offers 'offset 2' run my-own-p
offers 'offset 2' run gst-launch-1.0 --dir a
offers 'offset 5' run --ram 64M -- gst-launch-1.0 --dir a
offers 'offset 5' run --ram = 64M gst-launch-1.0 x
offers '--dir' run --d
unset -f _command_offset

offers "$(options_of doctor)" doctor ''
offers 'a dir' doctor --dir a
offers 'a dir' doctor --dir = a
offers "$(options_of report)" report -
offers 'a log|a dir' report a
offers 'a log|a dir' report -o a
offers 'a log|a dir' report --output = a
offers 'a log|a dir' report x a
offers '4711|4812' top ''
offers '4812' top 48
offers "$(options_of top)" top -
unset XDG_RUNTIME_DIR
offers '' top ''
