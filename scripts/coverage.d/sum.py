#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# sum.py: the lines that were run, of what gcov says on standard input, one JSON
# document a line.
#
#   sum.py DIRECTORY/...     what is to be counted, from the top directory
#
# A source that is compiled into several programs counts once: a line was run if
# it was in any of them.

import collections
import json
import os
import sys

TOP = os.getcwd()


def counts(text):
    """path: {line: how often it was run}"""
    found = collections.defaultdict(collections.Counter)
    for document in filter(None, text.splitlines()):
        report = json.loads(document)
        for file in report["files"]:
            path = os.path.relpath(os.path.join(
                report["current_working_directory"], file["file"]), TOP)
            for line in file["lines"]:
                found[path][line["line_number"]] += line["count"]
    return found


def print_row(name, lines, run):
    print(f"{name:48}{lines:8}{run:8}{run / max(lines, 1):8.1%}")


def main():
    found = {path: lines for path, lines in counts(sys.stdin.read()).items()
             if path.startswith(tuple(sys.argv[1:]))}
    print(f"\n{'file':48}{'lines':>8}{'run':>8}{'share':>8}")
    for directory in sys.argv[1:]:
        total = run = 0
        for path in sorted(found):
            if not path.startswith(directory):
                continue
            each = [count > 0 for count in found[path].values()]
            print_row(path, len(each), sum(each))
            total += len(each)
            run += sum(each)
        print_row(f"all of {directory}", total, run)
    return 0


if __name__ == "__main__":
    sys.exit(main())
