# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# parts_shim.py: the part about the shim, which is loaded into every program
# that is started where LD_PRELOAD names it, GStreamer or not.

from report import cell, columns_table, median

WAYS = ("plain", "again", "shim", "variables", "launcher")
# What the shim passes on is what GLib answers; a name that is there, one that
# is not, one that begins as the one that matters.
NAMES = ("HOME", "FILEMEM_NOT_THERE", "GST_DEBUG_FILE")


def of_build(context, *path):
    return str(context.options.build.joinpath(*path))


def shim_file(context):
    return of_build(context, "inject", "libgstfilemem-inject.so")


def starts(context):
    count = 50 if context.quick else 500
    # A program of the C library alone, and one with GLib.
    programs = {"true": ["/bin/true"], "GLib": [context.program("asks"), "HOME"]}
    runs, rows = context.rounds({
        name: lambda argv=argv: context.run(
            [context.program("starts"), f"--shim={shim_file(context)}",
             "--launcher=" + of_build(context, "scripts", "gst-filemem"),
             f"--runs={count}", *argv])
        for name, argv in programs.items()})
    context.csv("shim-starts", rows)
    context.table(
        columns_table("program", [(way, f"{way}_us", "{:.0f}")
                                  for way in WAYS], runs),
        f"Microseconds from a program's start to its end, medians of {count}"
        "\nplain and again: without the shim; shim: with it; variables: with it"
        " and four variables;\nlauncher: by gst-filemem run, which is a shell"
        " script")
    for name, list_ in runs.items():
        for way in ("shim", "variables"):
            added = median(list_, f"{way}_us") - median(list_, "plain_us")
            context.say(f"{name}, {way}: {added / 1000:.3f} ms more than plain "
                        "(wanted: less than 1)")


def asks(context):
    calls = 10 ** 6 if context.quick else 10 ** 7
    runs, rows = context.rounds({
        f"{name} {way}": lambda name=name, env=env: context.run(
            [context.program("asks"), f"--calls={calls}", name], env=env)
        for name in NAMES
        for way, env in (("plain", {"HOME": "/"}),
                         ("shim", {"HOME": "/",
                                   "LD_PRELOAD": shim_file(context)}))})
    context.csv("shim-asks", rows)
    context.table(
        [["variable", "plain", "shim"],
         *([name, *(cell(runs.get(f"{name} {way}", []), "ns", "{:.1f}")
                    for way in ("plain", "shim"))] for name in NAMES)],
        f"ns of one g_getenv(), of {calls} calls")


def shim(context):
    """what the shim costs a program: its start, and g_getenv()"""
    starts(context)
    asks(context)


PARTS = {"shim": shim}
