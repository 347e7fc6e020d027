# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# command: the command line of gst-filemem report.

import argparse
import os
import sys

from . import figures, names, page, records, schema

NO_RECORDS, FAILED = 1, 2

DESCRIPTION = "Makes a web page, one file, of what filemem recorded while programs ran."
EPILOG = f"""A recording of each process (%p) is made with
  {figures.HOW_TO}

Several recordings, or several processes in one, are compared.

Exit status: 0 if all is well; 1 if there are no records (a page is made with -o
only then, and says how to make them); 2 if a file can't be read or written, or
dygraphs is missing.
"""


class Failure(Exception):
    pass


def say(line):
    print(f"gst-filemem report: {line}", file=sys.stderr)


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="gst-filemem report",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "logs",
        metavar="RECORDING",
        nargs="+",
        help="a file that the option record made",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="the page (default: the first RECORDING with .html; -: standard output)",
    )
    parser.add_argument(
        "--dygraphs",
        metavar="DIR",
        help=f"where dygraph.min.js and dygraph.min.css are (default: "
        f"{page.VARIABLE}, or where packages put them)",
    )
    return parser.parse_args(arguments)


def reason(error):
    return error.strerror or str(error)


def read(logs):
    """The runs of all recordings, and the names of those that have none."""
    runs = []
    empty = []
    for log in logs:
        try:
            found = records.read_recording(log)
        except OSError as error:
            raise Failure(f"{names.printable(log)}: {reason(error)}") from error
        if not found:
            empty.append(names.printable(log))
        runs += found
    return runs, empty


def write(output, logs, text):
    data = text.encode("utf-8")
    try:
        if output == "-":
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
            return
        for log in logs:
            if os.path.exists(output) and os.path.samefile(output, log):
                raise Failure(f"{names.printable(output)}: that is a recording")
        with open(output, "wb") as file:
            file.write(data)
    except OSError as error:
        raise Failure(f"{names.printable(output)}: {reason(error)}") from error
    say(f"wrote {names.printable(output)}")


def report(options):
    output = options.output or options.logs[0] + ".html"
    try:
        maker = page.Maker(options.dygraphs)
        schema.figures("stats")
    except (page.NoLibrary, schema.NoSchema) as error:
        raise Failure(str(error)) from error
    found, empty = read(options.logs)
    runs, notes = figures.choose_runs(found)
    if runs:
        notes += [f"No filemem records in {name}: {figures.HOW_TO}" for name in empty]
    names.label_runs(runs)
    model = figures.model(runs, options.logs, notes)
    # A page that was not asked for by name may stand in for somebody's own.
    if runs or options.output:
        write(output, options.logs, maker.make(model))
    for note in notes:
        say(note)
    for run in model["runs"]:
        for line in run["missing"]:
            say(f"{run['label']}: {line}")
    if not runs:
        say(f"no filemem records; make a recording with: {figures.HOW_TO}")
    return 0 if runs else NO_RECORDS


def main(arguments):
    try:
        return report(parse(arguments))
    except Failure as failure:
        say(failure)
        return FAILED
    except KeyboardInterrupt:
        return 130
