#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# watch.py: what a program tells while it runs: the report on a signal, records
# at intervals, the status page; and what forks and the end do to them.

import ctypes
import json
import mmap
import os
import pathlib
import platform
import re
import signal
import struct
import subprocess
import sys
import time

from seen import main
from harness import Skipped, between, equal, python_with_gi, wait_until

APP = str(pathlib.Path(__file__).with_name("watched-app.py"))
FUTEX_WAKE = 1
SYS_FUTEX = {"x86_64": 202, "aarch64": 98, "riscv64": 98}
SECONDS = 300
INTERVAL = 10**9  # of stats-interval=1, in ns


class App:
    """watched-app.py, with one command after the other."""

    def __init__(self, runner, *args, env=None, tracers="filemem"):
        self.err = runner.dir / "stderr"
        self.process = subprocess.Popen(
            [python_with_gi(), "-B", APP, *args], text=True, cwd=runner.dir,
            env=runner.environment(env, tracers),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=open(self.err, "w"))

    def __enter__(self):
        line = self.process.stdout.readline().strip()
        assert line == "ready", self.err.read_text()
        return self

    def __exit__(self, *error):
        if error[0] is not None:
            self.process.kill()
        self.process.stdin.close()
        self.process.wait(SECONDS)
        self.process.stdout.close()

    def do(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def end(self):
        self.process.stdin.close()
        equal(self.process.wait(SECONDS), 0, "exit code")
        return self.err.read_text()


class Page:
    """What a viewer does."""

    def __init__(self, path):
        with open(path, "r+b") as file:
            self.bytes = mmap.mmap(file.fileno(), 0)
        equal(bytes(self.bytes[:8]), b"filemem\0", "the magic")

    def word(self, offset):
        return struct.unpack_from("=I", self.bytes, offset)[0]

    def poke(self):
        number = SYS_FUTEX.get(platform.machine())
        if number is None:
            raise Skipped("the number of futex() is not known here")
        struct.pack_into("=I", self.bytes, 16, (self.word(16) + 1) % 2**32)
        word = ctypes.c_char.from_buffer(self.bytes, 16)
        ctypes.CDLL(None).syscall(ctypes.c_long(number), ctypes.byref(word),
                                  FUTEX_WAKE, 100, None, None, 0)
        del word

    def read(self, asked):
        """What answers a question later than that, if it is whole."""
        before = self.word(20)
        answered = self.word(28)
        text = bytes(self.bytes[32:32 + self.word(24)])
        if before % 2 or self.word(20) != before \
                or not 0 < (answered - asked) % 2**32 < 2**31:
            return None
        return json.loads(text)

    def ask(self):
        """Fresh figures."""
        before = self.word(16)
        self.poke()
        return wait_until(lambda: self.read(before), "the answer")


def runtime(runner):
    directory = runner.dir / "runtime"
    directory.mkdir(mode=0o700, exist_ok=True)
    return {"XDG_RUNTIME_DIR": str(directory)}


def pages(runner):
    """Those that are finished: a viewer does not look at others, either."""
    directory = runner.dir / "runtime" / "gst-filemem"
    return sorted(path for path in directory.iterdir()
                  if not path.name.startswith(".")) \
        if directory.exists() else []


def page_of(runner):
    wait_until(lambda: pages(runner), "the page")
    equal(len(pages(runner)), 1, "number of pages")
    return Page(pages(runner)[0])


# ---- the signal ----

def ask_by_signal(app, path):
    """The report that a signal makes; the file is gone before."""
    path.unlink(missing_ok=True)
    app.process.send_signal(signal.SIGUSR2)
    wait_until(lambda: path.exists() and path.read_text().endswith("\n"),
               "the report")
    return json.loads(path.read_text())


def test_report_on_signal(runner):
    path = runner.dir / "report"
    with App(runner, tracers=f"filemem(report-signal=USR2,report={path},"
             "report-format=json)") as app:
        equal(ask_by_signal(app, path)["stats"]["allocs"], 0)
        for i in range(1, 6):
            app.do("allocate 10")
            equal(ask_by_signal(app, path)["stats"]["allocs"], 10 * i)
        equal(app.end(), "")
    equal(json.loads(path.read_text())["stats"]["allocs"], 50)


def test_report_on_signal_to_stderr(runner):
    with App(runner, tracers="filemem(report-signal=USR2)") as app:
        app.do("allocate 10")
        app.process.send_signal(signal.SIGUSR2)
        wait_until(lambda: "page faults" in app.err.read_text(), "the report")
        # not at the end
        equal(app.end().count("filemem report of process"), 1)


def test_many_signals(runner):
    path = runner.dir / "report"
    with App(runner, tracers=f"filemem(report-signal=USR2,report={path})") \
            as app:
        app.do("allocate 1")
        # until its end, too
        for i in range(500):
            app.process.send_signal(signal.SIGUSR2)
            if i == 400:
                app.process.stdin.close()
        equal(app.process.wait(SECONDS), 0, "exit code")


def test_handler_of_its_own(runner):
    path = runner.dir / "report"
    with App(runner, "--handler",
             tracers=f"filemem(report-signal=USR2,report={path})") as app:
        app.do("allocate 1")
        app.process.send_signal(signal.SIGUSR2)
        wait_until(lambda: app.do("handled") == "1", "its handler")
        assert not path.exists()
        lines = app.end().splitlines()
        equal(len(lines), 1, "lines of warning")
        assert "'report-signal'" in lines[0] and \
            lines[0].startswith("filemem: "), lines[0]


# ---- intervals ----

def stamps(log):
    """When records were written, in ns."""
    return [int(ts) for ts in re.findall(
        r" filemem, .*?\bts=\(guint64\)(\d+),", log.read_text())]


def test_interval(runner):
    # Those that a stop kept away are not made up for: what is late may have
    # the next one right behind it, but no three come in one interval.
    log = runner.dir / "log"
    with App(runner, env={"GST_DEBUG": "GST_TRACER:7", "GST_DEBUG_NO_COLOR":
                          "1", "GST_DEBUG_FILE": str(log)},
             tracers="filemem(stats-interval=1)") as app:
        app.do("allocate 1")
        wait_until(lambda: len(stamps(log)) >= 4, "records")
        found = stamps(log)
        # What came late makes one distance longer and the next one shorter.
        between((found[-1] - found[0]) / (len(found) - 1), INTERVAL / 2,
                INTERVAL * 20, "time between records")
        app.process.send_signal(signal.SIGSTOP)
        os.waitpid(app.process.pid, os.WUNTRACED)
        before = len(stamps(log))
        time.sleep(4)
        app.process.send_signal(signal.SIGCONT)
        wait_until(lambda: len(stamps(log)) >= before + 3,
                   "records after a stop")
        found = stamps(log)
        for first, third in zip(found, found[2:]):
            between(third - first, INTERVAL, 2**63, "time of three records")
        app.end()


# ---- the page ----

def test_page(runner):
    with App(runner, env=runtime(runner)) as app:
        equal(pages(runner), [], "pages before the first buffer")
        app.do("allocate 5")
        page = page_of(runner)
        equal(page.ask()["pid"], app.process.pid)
        for i in range(2, 20):
            app.do("allocate 5")
            equal(page.ask()["stats"]["allocs"], 5 * i, "allocs")
        found = page.ask()
        assert found["uptime-ns"] < page.ask()["uptime-ns"]
        assert found["program"].startswith("python3")
        equal(app.end(), "")
    equal(pages(runner), [], "pages afterwards")


def test_page_with_long_names(runner):
    # Less than all, but something.
    path = runner.file(100 * 65536)
    queues = " ! ".join(f"queue name=q{i}{'x' * 1500}" for i in range(70))
    process = runner.start(
        [runner.driver, f"filesrc location={path} blocksize=65536 ! {queues} ! "
         "fakesink sync=false name=sink filesrc location=/dev/zero ! "
         "identity sleep-time=100000 ! fakesink"],
        runtime(runner), "filemem(attribution=on)")
    try:
        page = page_of(runner)

        def complete():
            found = page.ask()
            return 5 < len(found["queues"]) < 64 and found["elements"] \
                and found["threads"]
        wait_until(complete, "some of everything")
    finally:
        process.kill()
        process.communicate()


def test_nowhere(runner):
    path = runner.dir / "report"
    for value in "", "relative", "/nowhere", str(runner.file(1)):
        with App(runner, env={"XDG_RUNTIME_DIR": value},
                 tracers=f"filemem(report={path},report-format=json)") as app:
            equal(app.do("allocate 5"), "5")
            equal(app.end(), "")
        equal(json.loads(path.read_text())["stats"]["allocs"], 5, "allocs")
        path.unlink()
    for name in "gst-filemem", "relative":
        assert not (runner.dir / name).exists(), f"{name} was made"


def test_inspect(runner):
    # It allocates nothing: there was no page, not for a moment.
    path = runner.dir / "report"
    runner.run(["gst-inspect-1.0", "fakesink"], runtime(runner),
               f"filemem(report={path})")
    assert "nothing was allocated" in path.read_text(), path.read_text()
    equal(list((runner.dir / "runtime").iterdir()), [], "what was made")


def test_killed(runner):
    with App(runner, env=runtime(runner)) as app:
        app.do("allocate 5")
        page_of(runner)
        app.process.kill()
        app.process.wait()
    # for viewers to remove
    equal(len(pages(runner)), 1)


def test_closed_descriptors(runner):
    with App(runner, env=runtime(runner)) as app:
        app.do("allocate 5")
        page = page_of(runner)
        app.do("close-descriptors")
        # who removes the pages of the dead
        with App(runner, env=runtime(runner)) as other:
            other.do("allocate 5")
            wait_until(lambda: len(pages(runner)) == 2, "both pages")
            other.end()
        equal(len(pages(runner)), 1)
        equal(page.ask()["pid"], app.process.pid)
        app.end()
    equal(pages(runner), [])


# ---- nobody looks ----

def watch_thread(app):
    """Its directory in /proc."""
    for thread in pathlib.Path(f"/proc/{app.process.pid}/task").iterdir():
        if (thread / "comm").read_text() == "filemem-watch\n":
            return thread
    raise AssertionError("there is no thread filemem-watch")


def sleeps(thread, timer):
    """Whether it waits for the word of the page, with or without a timer. The
    kernel tells no system call of a thread that is still on its way there."""
    try:
        call = (thread / "syscall").read_text().split()
    except OSError as error:
        raise Skipped(f"its system calls can't be seen: {error}")
    return call[0] == str(SYS_FUTEX.get(platform.machine())) and \
        (call[4] != "0x0") == timer


def switches(thread):
    """How often it went to sleep."""
    return int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)$",
                         (thread / "status").read_text(), re.M)[1])


def test_nobody_looks(runner):
    for tracers, timer in (("filemem", False),
                           ("filemem(stats-interval=3600)", True)):
        with App(runner, env=runtime(runner), tracers=tracers) as app:
            app.do("allocate 1")
            page = page_of(runner)
            page.ask()
            thread = watch_thread(app)
            wait_until(lambda: sleeps(thread, timer), "its sleep")
            before = switches(thread)
            app.do("recycle 100000")
            equal(switches(thread), before, "number of its sleeps")
            equal(page.ask()["stats"]["allocs"], 100001, "allocs")
            app.end()


# ---- forks ----

PARAMS = "stats-interval=1,report-signal=USR2,attribution=on"


def check_fork(runner, how):
    with App(runner, env=runtime(runner), tracers=f"filemem({PARAMS})") as app:
        app.do("allocate 5")
        page = page_of(runner)
        before = page.ask()["stats"]["allocs"]
        child, status, *said = app.do(f"fork {how}").split()
        equal(status, "0", "status of the child")
        # the parent's is as before
        equal(len(pages(runner)), 1)
        app.do("allocate 5")
        found = page.ask()
        equal(found["stats"]["allocs"], before + 5)
        equal(found["pid"], app.process.pid)
        app.end()
    equal(pages(runner), [])
    return child, said


def test_child_leaves(runner):
    check_fork(runner, "leaves")


def test_child_exits(runner):
    check_fork(runner, "exits")


def test_child_allocates(runner):
    child, said = check_fork(runner, "allocates")
    equal(len(said), 1, "pages of the child")
    assert said[0].startswith(child + "-"), said


def test_children_of_who_logs(runner):
    with App(runner, tracers="latency;filemem",
             env={"GST_DEBUG": "GST_TRACER:7", "GST_DEBUG_FILE": "/dev/null"}) \
            as app:
        app.do("allocate 5")
        equal(app.do("fork-while-logging 200"), "0", "status of the children")
        app.end()


# ---- who jumps ----

def test_jumps(runner):
    path = runner.dir / "report"
    with App(runner, tracers=f"filemem(ram=16M,report={path})") as app:
        app.do("allocate 1000")
        equal(app.do("jump 200"), "200")
        app.end()
    assert re.search(r"; [1-9]\d* single blocks, [\d.]+.MiB, used where they "
                     "are on disk", path.read_text()), path.read_text()


# ---- action signals ----

def test_actions(runner):
    path = runner.dir / "report"
    with App(runner, tracers=f"latency;filemem(report={path})") as app:
        assert "GstFileMemTracer" in app.do("active").split()
        app.do("allocate 7")
        equal(json.loads(app.do("get-report json"))["stats"]["allocs"], 7)
        text = app.do("get-report text")
        assert text.startswith("filemem report of process"), text
        assert "7 blocks" in text, text
        assert not path.exists()
        app.do("emit write-report")
        assert "7 blocks" in path.read_text()
        app.do("emit log-records")
        app.end()


def test_alone(runner):
    # No hook of its own, where it would be the only one.
    with App(runner) as app:
        equal(app.do("active"), "")
        app.end()


if __name__ == "__main__":
    sys.exit(main(globals()))
