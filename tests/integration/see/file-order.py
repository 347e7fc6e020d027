# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# file-order.py: calls go one way.
#
#   file-order.py [--nm NM] DESIGN CORE ARCHIVE...
#
# In none of the archives do files call each other in a circle. The files of
# CORE, which is one of them, are all named in DESIGN (docs/design.md) in the
# list of what the library consists of, and none calls one that comes before it
# there.
#
# Exit code: 0 all well, 1 not, 77 where nm can't read the objects.

import argparse
import collections
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness import Failed, Skipped, run_alone  # noqa: E402

# What meson calls the object of a file: of one in another folder with that
# before it.
MEMBER = re.compile(r"^(?:.*[_/])?([^_/]+\.c)\.o:$")
LIST_BEGINS = "    allocator/  the library:"
NAME = re.compile(r"\b[\w-]+\.c\b")


def calls_in(nm, archive):
    """For each file the symbols of other files that it asks for, by file."""
    defined, asked = {}, collections.defaultdict(set)
    file = None
    for line in subprocess.run([nm, archive], text=True, capture_output=True,
                               check=True).stdout.splitlines():
        member = MEMBER.match(line)
        words = line.split()
        if member:
            file = member[1]
            asked[file] = set()
        elif file and len(words) >= 2:
            if words[-2] in "TDBR":
                defined[words[-1]] = file
            elif words[-2] == "U":
                asked[file].add(words[-1])
    if not defined:
        raise Skipped("nm does not tell what the objects define (LTO?)")
    calls = {file: collections.defaultdict(list) for file in asked}
    for file, symbols in asked.items():
        for symbol in symbols:
            if defined.get(symbol, file) != file:
                calls[file][defined[symbol]].append(symbol)
    return calls


def circles(calls):
    """The first circle that is found from each file, as a line."""
    done, found = set(), []

    def visit(file, path):
        if file in path:
            found.append(" calls ".join([*path[path.index(file):], file]))
        elif file not in done:
            done.add(file)
            for other in sorted(calls[file]):
                visit(other, [*path, file])
    for file in sorted(calls):
        visit(file, [])
    return found


def listed(design):
    lines = pathlib.Path(design).read_text().splitlines()
    names = []
    for line in lines[lines.index(LIST_BEGINS) + 1:]:
        if not line.startswith("      "):
            break
        # The names come before what they are for.
        names += NAME.findall(re.split(r" {2}|(?<=\.c) (?=\w)", line.strip())[0])
    return names


def upward_calls(calls, names):
    for file in sorted(set(calls) - set(names)):
        yield f"{file} is not in the list of docs/design.md"
    place = {name: i for i, name in enumerate(names)}
    for file, others in sorted(calls.items()):
        for other, symbols in sorted(others.items()):
            if place.get(other, len(names)) < place.get(file, 0):
                yield f"{file} calls {other}, which comes before it: " \
                    + ", ".join(sorted(symbols))


def test(options):
    problems = []
    for archive in (options.core, *options.archives):
        calls = calls_in(options.nm, archive)
        print(f"{pathlib.Path(archive).name}: {len(calls)} files")
        problems += circles(calls)
    problems += upward_calls(calls_in(options.nm, options.core),
                             listed(options.design))
    if problems:
        raise Failed("\n".join(problems))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--nm", default="nm")
    parser.add_argument("design")
    parser.add_argument("core")
    parser.add_argument("archives", nargs="*")
    return run_alone(test, parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
