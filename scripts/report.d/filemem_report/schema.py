# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# schema: what the figures of a recording are, from the schema that filemem's own
# tables became when it was built: the one place where a figure has its label.

import functools
import json
import pathlib
import sys
from dataclasses import dataclass

NAME = "gst-filemem-record.schema.json"


class NoSchema(Exception):
    pass


@dataclass(frozen=True)
class Figure:
    name: str
    label: str
    kind: str
    unit: str
    group: str
    description: str = ""

    def title(self):
        """The label where a line begins."""
        return self.label[0].upper() + self.label[1:]


def _places():
    """Beside the program where it is installed; in the build tree, where the
    program is a link, as well as the documentation."""
    program = pathlib.Path(sys.argv[0])
    yield program.resolve().parent / NAME
    yield program.absolute().parent.parent / "docs" / NAME


@functools.cache
def _load():
    for place in _places():
        try:
            return json.loads(place.read_text("utf-8"))
        except OSError:
            pass
    raise NoSchema(f"{NAME} is missing: install filemem as a whole")


@functools.cache
def figures(of):
    """The figures of "stats", a "queue", an "element", a "thread", or "waits", by
    name, in the order in which they are shown."""
    properties = _load()["$defs"][of]["properties"]
    return {
        name: Figure(
            name,
            told["title"],
            told.get("kind", ""),
            told.get("unit", ""),
            told.get("group", ""),
            told["description"],
        )
        for name, told in properties.items()
        if "title" in told
    }


def label(name):
    """Of a figure of the process."""
    return figures("stats")[name].label
