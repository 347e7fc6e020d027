# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# verdict: in words, what filemem did for a run, and what the run was.

from .names import printable
from .records import is_figure

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
MS, S = 10**6, 10**9


def size(value):
    for unit, name in ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if value >= unit:
            return f"{value / unit:.1f} {name}"
    return f"{value} bytes"


def duration(ns):
    if ns >= S:
        return f"{ns / S:.1f} s"
    return f"{ns / MS:.0f} ms" if ns >= MS else "less than 1 ms"


def _where(last):
    """Where the buffers were."""
    used, resident = last.get("used-peak", 0), last.get("resident-peak", 0)
    if not last.get("allocs"):
        return "No buffer was allocated through filemem."
    if not last.get("spill-bytes"):
        return (f"Buffers took {size(resident)} of memory at most and fit the budget "
                f"of {size(last.get('ram', 0))}: nothing went to disk.")
    return (f"Kept up to {size(used)} of buffers in {size(resident)} of memory, with "
            f"{size(last.get('disk-peak', 0))} on disk at most.")


def _waits(last):
    maps = last.get("maps-read", 0) + last.get("maps-write", 0)
    waited = last.get("map-waits", 0)
    if not last.get("spill-bytes"):
        return ""
    if not waited:
        return "No access to a buffer waited."
    share = 100 * waited / max(maps, 1)
    return (f"{share:.2g}% of accesses to buffers waited, "
            f"{duration(last.get('map-wait-max-ns', 0))} at most.")


def _rest(last):
    lost = last.get("fallback-bytes", 0)
    return f"{size(lost)} became ordinary memory." if lost else ""


def of(run):
    """What it comes to, in a few sentences."""
    parts = (_where(run.last), _waits(run.last), _rest(run.last))
    return " ".join(part for part in parts if part)


def _text(about, name):
    value = about.get(name)
    return printable(value) if isinstance(value, str) else ""


def _quoted(argument):
    plain = argument and not set(argument) & set(" \t\n\"'$&|;<>()*?`\\!#")
    return argument if plain else "'" + argument.replace("'", "'\\''") + "'"


def _command(about):
    command = about.get("command")
    words = [word for word in command if isinstance(word, str)] \
        if isinstance(command, list) else []
    return printable(" ".join(map(_quoted, words)))


def _machine(about):
    memory, processors = about.get("memory-bytes"), about.get("processors")
    parts = [_text(about, "kernel")]
    if is_figure(processors):
        parts.append(f"{processors} processors")
    if is_figure(memory):
        parts.append(f"{size(memory)} of memory")
    return ", ".join(part for part in parts if part)


def _options(about):
    options = about.get("options")
    pairs = options.items() if isinstance(options, dict) else ()
    return printable(", ".join(f"{name}={value}" for name, value in pairs
                               if isinstance(value, str)))


def about(run):
    """Pairs of words: what the run was of."""
    told = run.about
    versions = ", ".join(part for part in (
        "filemem " * bool(_text(told, "filemem")) + _text(told, "filemem"),
        _text(told, "gstreamer")) if part)
    rows = (("Command", _command(told)), ("Since", _text(told, "since")),
            ("Versions", versions), ("Machine", _machine(told)),
            ("Options", _options(told)))
    return [row for row in rows if row[1]]
