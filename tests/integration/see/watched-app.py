#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# watched-app.py: a program that does what it is told on stdin, a line each, and
# answers each with a line, so that it can be looked at in between.
#
# With --handler it has a handler of its own for SIGUSR2 before GStreamer is
# there.

import os
import random
import signal
import sys
import threading

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402

SIZE = 65536
caught = []
kept = []


def allocate(n):
    for _ in range(int(n)):
        kept.append(Gst.Buffer.new_allocate(None, SIZE, None))
    return n


def jump(n):
    """Looks at that many of those that are kept, any of them."""
    choice = random.Random(1)
    for _ in range(int(n)):
        buffer = choice.choice(kept)
        mapped, info = buffer.map(Gst.MapFlags.READ)
        assert mapped and info.size == SIZE
        buffer.unmap(info)
    return n


def recycle(n):
    """Buffers of which each is gone before the next comes."""
    for _ in range(int(n)):
        Gst.Buffer.new_allocate(None, SIZE, None)
    return n


def tracer():
    for active in Gst.tracing_get_active_tracers():
        if "FileMem" in active.__gtype__.name:
            return active
    return None


def get_report(kind):
    return tracer().emit("get-report", kind == "json").replace("\n", "|")


def emit(name):
    tracer().emit(name)
    return "emitted"


def active():
    return " ".join(tracer.__gtype__.name
                    for tracer in Gst.tracing_get_active_tracers())


def pages():
    """The files that this process has in the directory of pages."""
    directory = os.path.join(os.environ["XDG_RUNTIME_DIR"], "gst-filemem")
    own = f"{os.getpid()}-"
    return " ".join(name for name in os.listdir(directory)
                    if name.startswith(own)) if os.path.isdir(directory) else ""


def fork(how):
    """A child without exec, which ends in one way or another; its status."""
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(300)
        if how == "allocates":
            allocate(3)
            while not pages():
                pass
            os.write(writable, pages().encode())
        if how == "leaves":
            os._exit(0)
        # as C programs do: all atexit handlers
        import ctypes
        ctypes.CDLL(None).exit(0)
    os.close(writable)
    said = os.read(readable, 1000).decode()
    os.close(readable)
    _, status = os.waitpid(child, 0)
    return f"{child} {status} {said}"


def fork_while_logging(n):
    """Children of a program whose other threads log records."""
    done = threading.Event()

    def log():
        mine = tracer()
        while not done.is_set():
            mine.emit("log-records")

    thread = threading.Thread(target=log)
    thread.start()
    statuses = {fork("exits").split()[1] for _ in range(int(n))}
    done.set()
    thread.join()
    return " ".join(sorted(statuses))


def log_in_threads(n):
    """Records logged by several threads at once."""
    mine = tracer()
    threads = [threading.Thread(target=lambda: [
        mine.emit("log-records") for _ in range(int(n))]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return n


def close_descriptors():
    """As daemons do; those of filemem too."""
    os.closerange(3, 256)
    return "closed"


def handled():
    return str(len(caught))


COMMANDS = {function.__name__.replace("_", "-"): function for function in (
    allocate, jump, recycle, get_report, emit, active, pages, fork,
    fork_while_logging, log_in_threads, close_descriptors, handled)}


def main():
    if "--handler" in sys.argv:
        signal.signal(signal.SIGUSR2, lambda *_: caught.append(1))
    Gst.init(None)
    print("ready", flush=True)
    for line in sys.stdin:
        name, *args = line.split()
        print(COMMANDS[name](*args), flush=True)
    kept.clear()


main()
