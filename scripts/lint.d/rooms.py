#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# rooms.py: what belongs to whom (docs/design.md), as far as a text tells:
#
#   - nobody includes a header of a room above his own, and the examples know no
#     more than what is installed;
#   - below the subclass nothing in the library knows GStreamer;
#   - no header includes itself by way of others;
#   - a comment that names a file names one that is there.
#
# rooms.py FILE...     all files of the project, from its top directory

import os
import re
import sys

# Each may include its own headers and those of the rooms named.
ROOMS = {
    "allocator": (),
    "tracer": ("allocator",),
    "commands": ("allocator", "tracer"),
    "inject": (),
    "examples": ("allocator/gst",),
    "tests": ("allocator", "tracer", "commands", "inject"),
    "docs": ("allocator", "tracer"),
}
EXCEPTIONS = {
    # With FM_SCHEDULER alone.
    ("allocator/sync.h", "tests/protocol/scheduler.h"),
    # Knows nothing but C.
    ("inject/inject.c", "allocator/tracer-params.h"),
}
KNOWS_GSTREAMER = ("allocator/gst/", "allocator/gstfilemem")
# Files of others that comments name.
ELSEWHERE = {
    "gst/gstallocator.c", "gst/gstminiobject.c", "gsttracerrecord.c", "gsttr-stats.py",
    "linux/magic.h", "linux/seccomp.h", "linux/filter.h", "term.h", "config.h",
    # stand for any
    "FILE.py", "session.sh", "nightly.sh",
}

INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]', re.M)
COMMENT = re.compile(r"/\*.*?\*/", re.S)
MENTION = re.compile(r"(?<![\w./<{}*$@-])((?:[\w-]+/)*[\w-]+\.(?:c|h|py|sh))\b"
                     r"(?![\w-]|\.\w)")


def room_of(path):
    return path.partition("/")[0]


class Includes:
    """Which file of ours each #include names."""

    def __init__(self, paths):
        self.paths = set(paths)
        self.by_name = {}
        for path in paths:
            self.by_name.setdefault(os.path.basename(path), []).append(path)

    def find(self, path, kind, name):
        beside = os.path.normpath(os.path.join(os.path.dirname(path), name))
        if kind == '"' and beside in self.paths:
            return beside
        if kind == "<":
            public = "allocator/" + name
            return public if public in self.paths else None
        found = [other for other in self.by_name.get(os.path.basename(name), [])
                 if other.endswith("/" + name)]
        # In the room itself, or in one below.
        return min(found, key=lambda other: room_of(other) != room_of(path),
                   default=None)

    def of(self, path, text):
        for kind, name in INCLUDE.findall(text):
            yield name, self.find(path, kind, name)


def check_rooms(path, includes):
    room = room_of(path)
    for name, other in includes:
        if name.startswith("gst/") and other is None and room == "allocator" \
                and not path.startswith(KNOWS_GSTREAMER):
            yield f"{path}: only the subclass includes <{name}>"
        if other is None or room not in ROOMS or room_of(other) == room \
                or (path, other) in EXCEPTIONS:
            continue
        if not any(other.startswith(allowed + "/") for allowed in ROOMS[room]):
            yield f"{path}: {other} is of a room that {room} does not know"


def check_circles(graph):
    done = set()

    def visit(path, way):
        if path in way:
            circle = way[way.index(path):] + [path]
            yield "a circle of #include: " + " -> ".join(circle)
        elif path not in done:
            for other in graph.get(path, ()):
                yield from visit(other, way + [path])
            done.add(path)

    for path in sorted(graph):
        yield from visit(path, [])


def comments(path, text):
    """(line number, text) of each."""
    if path.endswith((".c", ".h")):
        for found in COMMENT.finditer(text):
            yield text.count("\n", 0, found.start()) + 1, found[0]
    elif path.endswith(".md"):
        yield 1, text
    else:
        for number, line in enumerate(text.splitlines(), 1):
            if line.lstrip().startswith("#"):
                yield number, line


def check_mentions(path, text, names):
    for number, comment in comments(path, text):
        for found in MENTION.finditer(comment):
            if found[1] not in names and found[1] not in ELSEWHERE:
                line = number + comment.count("\n", 0, found.start())
                yield f"{path}:{line}: there is no file {found[1]}"


def main():
    paths = sys.argv[1:]
    # A name may be given from any directory on.
    names = {path.split("/", n)[-1] for path in paths
             for n in range(path.count("/") + 1)}
    names |= {name.removesuffix(".in") for name in names}
    includes = Includes(paths)
    findings, graph = [], {}
    for path in paths:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
        if path.endswith((".c", ".h")):
            found = list(includes.of(path, text))
            findings += check_rooms(path, found)
            if path.endswith(".h"):
                graph[path] = [other for _, other in found if other]
        if not path.endswith((".svg", ".png", ".css")):
            findings += check_mentions(path, text, names)
    findings += check_circles(graph)
    print("\n".join(findings), end="\n" if findings else "")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
