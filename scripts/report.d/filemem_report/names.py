# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# names: what logs, runs and pads are called on a page and on a terminal.

import os
import re


def printable(name):
    """A name of a file or a pad for a line of text or a title: without
    what a terminal would take for commands. Sizes have a space that does not
    break, which is none to Python."""
    name = name.encode("utf-8", "backslashreplace").decode("utf-8")
    name = name.replace("\u00a0", " ")
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in name
    )


# Up to the name of a pad: its type is the last, whatever the element is called.
_PAD = re.compile(r"\A(.*)\.[A-Za-z_][\w+-]*:", re.S)


def short_names(paths):
    """For each path of a pad what a legend has room for: names without types,
    and without the pipeline that all are in."""

    def short(path):
        parts = [part.split(":", 1)[-1] for part in path.split("/")]
        return printable("/".join([*parts[2:-1], _PAD.sub(r"\1.", parts[-1])]))

    def short_or_whole(path):
        name = short(path)
        return name if name and names.count(name) == 1 else printable(path)

    names = [short(path) for path in paths]
    return {path: short_or_whole(path) for path in paths}


def label_runs(runs):
    """Gives each run its `label`: the name of the log, and as much more as it
    takes to tell it from the others."""
    paths = {run.log for run in runs}
    bases = [os.path.basename(path) for path in paths]
    seen = {}
    for run in runs:
        base = os.path.basename(run.log)
        name = printable(base if bases.count(base) == 1 else run.log)
        if sum(other.log == run.log for other in runs) > 1:
            name += f", pid {run.pid}" if run.pid is not None else ", pid unknown"
        seen[name] = seen.get(name, 0) + 1
        run.label = name if seen[name] == 1 else f"{name} ({seen[name]})"
