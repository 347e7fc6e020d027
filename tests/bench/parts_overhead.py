# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# parts_overhead.py: what it costs to see what filemem does.
#
# Small buffers run as fast as they can, and what is counted is the CPU time of
# one: a short run is subtracted from a long one, so that what a program takes
# to start is in neither. On several cores the two threads of the pipeline now
# and then fall into a rhythm in which they wake each other for each buffer,
# which costs half as much again: the least of all rounds is what counts. On one
# core they take turns, and the median does. Video runs at its own pace, and what
# is counted is the CPU time of a second: what costs by the second is in there.

import contextlib
import ctypes
import glob
import mmap
import os
import platform
import struct
import tempfile
import threading

from parts_pipelines import launch, missing_element
from report import cell, median
from runner import Unavailable

SMALL = 1316
# As many a second are what the goals are about.
RATE = 100000
PIPELINE = "filesrc location={} blocksize=1316 ! queue ! identity ! fakesink"
VIDEO = ("videotestsrc is-live=true num-buffers={} ! video/x-raw,format=I420,"
         "width=1280,height=720,framerate=30/1 ! queue ! identity ! "
         "fakesink sync=true")
FPS = 30
SYS_FUTEX = {"x86_64": 202, "aarch64": 98, "riscv64": 98}
FUTEX_WAKE = 1
LOG = {"GST_DEBUG": "GST_TRACER:7", "GST_DEBUG_FILE": "/dev/null"}
ALL = "filemem(attribution=on,stats-interval=1)"

# Name: (tracers, has a page, has a viewer, environment)
VARIANTS = {
    "none": (None, False, False, {}),
    "filemem-quiet": ("filemem(queues=none)", False, False, {}),
    "filemem": ("filemem", True, False, {}),
    "filemem-viewed": ("filemem", True, True, {}),
    "filemem-all": (ALL, True, True, {}),
    "none-log": (None, False, False, LOG),
    "filemem-all-log": (ALL, True, True, LOG),
    "latency": ("latency", False, False, {}),
    "stats": ("stats", False, False, {}),
}


class Viewer:
    """Asks for fresh figures each second, of whatever has a page in a
    directory."""

    def __init__(self, directory):
        self.directory = directory
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._ask)
        self.thread.start()

    def close(self):
        self.done.set()
        self.thread.join()

    def _ask(self):
        while not self.done.wait(1):
            for path in glob.glob(f"{self.directory}/gst-filemem/*"):
                with contextlib.suppress(OSError, ValueError):
                    self._ask_one(path)

    @staticmethod
    def _ask_one(path):
        """See tracer/status-page-layout.h."""
        with open(path, "r+b") as file:
            page = mmap.mmap(file.fileno(), 0)
        asked, = struct.unpack_from("=I", page, 16)
        struct.pack_into("=I", page, 16, (asked + 1) % 2**32)
        word = ctypes.c_char.from_buffer(page, 16)
        ctypes.CDLL(None).syscall(
            ctypes.c_long(SYS_FUTEX[platform.machine()]), ctypes.byref(word),
            FUTEX_WAKE, 1, None, None, 0)
        del word
        page.close()


def run(context, name, description, wrapper=()):
    tracers, has_page, has_viewer, env = VARIANTS[name]
    if has_viewer and platform.machine() not in SYS_FUTEX:
        raise Unavailable("the number of futex() is not known here")
    with tempfile.TemporaryDirectory() as directory, \
            contextlib.ExitStack() as stack:
        if has_viewer:
            stack.enter_context(contextlib.closing(Viewer(directory)))
        return launch(description, {
            **context.environment(tracers),
            "GST_FILEMEM_DIR": context.options.dir,
            "XDG_RUNTIME_DIR": directory if has_page else "", **env}, wrapper)


def one_buffer(context, name, files, wrapper=()):
    (few, short), (many, long) = files
    before = run(context, name, PIPELINE.format(short), wrapper)
    after = run(context, name, PIPELINE.format(long), wrapper)
    return (after["cpu"] - before["cpu"]) / (many - few) * 1e9


def small(context, name, files):
    """ns of CPU for one buffer, on all cores and on one."""
    core = str(max(os.sched_getaffinity(0)))
    return {"ns": one_buffer(context, name, files),
            "ns_one_core": one_buffer(context, name, files,
                                      ["taskset", "-c", core])}


def video(context, name, seconds):
    """ms of CPU for a second."""
    before = run(context, name, VIDEO.format(FPS // 2))
    after = run(context, name, VIDEO.format(FPS * seconds + FPS // 2))
    return {"ms": (after["cpu"] - before["cpu"]) / seconds * 1e3,
            "cpu": after["cpu"], "wall": after["wall"]}


def make_files(context, stack):
    """Two files of zeros, with the number of small buffers in them."""
    files = []
    for number in (RATE // 10, RATE if context.quick else 10 * RATE):
        file = stack.enter_context(
            tempfile.NamedTemporaryFile(dir=context.options.dir))
        os.truncate(file.name, number * SMALL)
        files.append((number, file.name))
    return files


def least(runs, figure):
    return min(run[figure] for run in runs)


def more(runs, name, figure, than, of=median):
    """How much more a variant takes; None if one is missing."""
    if not runs.get(name) or not runs.get(than):
        return None
    return of(runs[name], figure) - of(runs[than], figure)


def compared(name):
    return "none-log" if name.endswith("log") else "none"


def say_table(context, small_runs, video_runs):
    rows = [["", f"ns a buffer, {SMALL} bytes", "more", "on one core", "more",
             "video, ms a second", "more"]]

    def shown(value):
        return "-" if value is None else f"{value:+.2f}"

    for name in VARIANTS:
        if not small_runs.get(name):
            continue
        than = compared(name)
        rows.append([
            name,
            f"{least(small_runs[name], 'ns'):.0f}",
            shown(more(small_runs, name, "ns", than, least)),
            cell(small_runs[name], "ns_one_core"),
            shown(more(small_runs, name, "ns_one_core", than)),
            cell(video_runs.get(name, []), "ms", "{:.1f}"),
            shown(more(video_runs, name, "ms", than))])
    context.table(rows, "CPU time; more than with no tracer, or than with the "
                  f"log of the tracers on and none to write to it. At {RATE} "
                  "buffers a second 100 ns are 1% of a core")


def goals(context, small_runs, video_runs):
    percent = RATE / 1e7
    for name, most_small, most_video in (
            ("filemem", 1, 0.1), ("filemem-viewed", 1, 0.1),
            ("filemem-all", 2, 2)):
        for figure, where, of in (("ns", "all cores", least),
                                  ("ns_one_core", "one core", median)):
            extra = more(small_runs, name, figure, "filemem-quiet", of)
            context.goal(9, f"{name}: % of a core more than with all off, "
                         f"{RATE} small buffers a second, {where}",
                         None if extra is None else extra * percent,
                         at_most=most_small)
        extra = more(video_runs, name, "ms", "filemem-quiet")
        context.goal(9, f"{name}: the same, video",
                     None if extra is None else extra / 10,
                     at_most=most_video)


def overhead(context):
    """what it costs to see what filemem does"""
    missing = missing_element(PIPELINE) or missing_element(VIDEO)
    if missing:
        raise Unavailable(f"no element {missing}")
    with contextlib.ExitStack() as stack:
        files = make_files(context, stack)
        small_runs, rows = context.rounds(
            {name: lambda name=name: small(context, name, files)
             for name in VARIANTS}, note={"what": "small"})
        seconds = 2 if context.quick else 5
        video_runs, more_rows = context.rounds(
            {name: lambda name=name: video(context, name, seconds)
             for name in VARIANTS}, note={"what": "video"})
    context.csv("overhead", rows + more_rows)
    say_table(context, small_runs, video_runs)
    goals(context, small_runs, video_runs)


PARTS = {"overhead": overhead}
