#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# applications.py: applications as Debian packages them, not changed, run plain
# and by `gst-filemem run`.
#
#   applications.py --list
#   applications.py --launcher GST-FILEMEM --scratch DIR NAME
#
# Both runs must have the same output: the file that the application wrote, or
# what it printed. In the second one filemem's own report must say that the
# pictures went through it, and nothing may be left in its directory.
#
# APPLICATIONS is the table; an application of another language or library is a
# small program beside this file. The scratch directory keeps media files and
# GStreamer's registries.
# Exit code: 0 all well, 1 not, 77 where the application is not installed.

import argparse
import contextlib
import dataclasses
import hashlib
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import harness  # noqa: E402
from driving import locked, made_once  # noqa: E402
from harness import MIB, PYTHON, Failed, Skipped, bytes_of  # noqa: E402

TIMEOUT = 280
BUDGET = "4M"
# For the reports.
PATIENCE = 240

X264 = ("x264enc speed-preset=ultrafast threads=1 sliced-threads=false "
        "pass=quant quantizer=18 ! h264parse ! mp4mux ! filesink location=")
# Snow: no two pictures are alike, and they stay large when they are encoded.
# `slow` is for players that drop pictures when they are late: 200 ms each.
MEDIA = {
    "video.mp4": "videotestsrc pattern=snow num-buffers=60 ! video/x-raw,"
                 "format=I420,width=640,height=480,framerate=25/1 ! " + X264,
    "slow.mp4": "videotestsrc pattern=snow num-buffers=12 ! video/x-raw,"
                "format=I420,width=1280,height=720,framerate=5/1 ! " + X264,
}
VIDEO_BYTES = 60 * 640 * 480 * 3 // 2
SLOW_BYTES = 12 * 1280 * 720 * 3 // 2
ELEMENTS = ("x264enc", "h264parse", "avdec_h264")
RAW_AVI = "video/x-msvideo:video/x-raw,format=I420"


@dataclasses.dataclass
class Application:
    """command: {video.mp4} and {slow.mp4} are media files, {out} what it
    writes; without {out} its output is what it prints. probes: commands of which
    one fails where the packages are not installed. least: the bytes that have to
    come from filemem; spills: whether some have to be on disk. prepare: a command
    that builds the application in {work}. display: whether it needs an X server.
    env: added to the environment. live: it plays at its own speed, and prints a
    time and a digest of each picture. process: the program that uses GStreamer, where
    it is not the one that is started; no other is covered then. says: the
    beginnings of what filemem may say of it."""

    name: str
    command: list
    packages: str
    probes: list
    least: int
    spills: bool = True
    prepare: list = ()
    display: bool = False
    live: bool = False
    env: dict = dataclasses.field(default_factory=dict)
    process: str = ""
    says: tuple = ()


def beside(name):
    return str(HERE / name)


APPLICATIONS = [
    Application(
        "gst-launch",
        ["gst-launch-1.0", "-q", "playbin3", "uri=file://{video.mp4}",
         "video-sink=filesink location={out}"],
        "gstreamer1.0-tools", [], VIDEO_BYTES),
    Application(
        "gst-play",
        ["gst-play-1.0", "--no-interactive",
         "--videosink=videoconvert ! video/x-raw,format=I420 ! "
         "filesink location={out}", "{video.mp4}"],
        "gstreamer1.0-plugins-base-apps", [["gst-play-1.0", "--version"]],
        VIDEO_BYTES),
    Application(
        "gst-discoverer", ["gst-discoverer-1.0", "-v", "{video.mp4}"],
        "gstreamer1.0-plugins-base-apps", [["gst-discoverer-1.0", "--help"]],
        # It looks at the first pictures only.
        2 * MIB, spills=False),
    Application(
        "gst-transcoder",
        ["gst-transcoder-1.0", "file://{video.mp4}", "file://{out}", RAW_AVI],
        "gstreamer1.0-plugins-bad-apps", [["gst-transcoder-1.0", "--help"]],
        VIDEO_BYTES),
    Application(
        "ges-launch",
        ["ges-launch-1.0", "+clip", "{video.mp4}", "duration=1.6",
         "+clip", "{slow.mp4}", "duration=0.8", "-o", "file://{out}",
         "-f", RAW_AVI + ",width=640,height=480,framerate=25/1"],
        "ges1.0-tools", [["ges-launch-1.0", "--help"]], VIDEO_BYTES),
    Application(
        "opencv", [PYTHON, "-B", beside("opencv-capture.py"), "{video.mp4}"],
        "python3-opencv",
        [[PYTHON, "-B", beside("opencv-capture.py"), "--probe"]],
        VIDEO_BYTES),
    Application(
        "qt", [PYTHON, "-B", beside("qt-player.py"), "{slow.mp4}"],
        "python3-pyqt5.qtmultimedia or libqt5multimedia5-plugins",
        [[PYTHON, "-B", beside("qt-player.py"), "--probe"]],
        SLOW_BYTES, live=True, env={"QT_QPA_PLATFORM": "offscreen"}),
    Application(
        "webkit",
        [PYTHON, "-B", beside("webkit-page.py"), "{slow.mp4}"],
        "one of gir1.2-webkit2-4.1, python3-gi, xvfb",
        [[PYTHON, "-B", beside("webkit-page.py"), "--probe"],
         ["Xvfb", "-help"]],
        SLOW_BYTES, display=True, process="WebKitWebProcess",
        says=("filemem: the program sets another default allocator",)),
    Application(
        "ruby", ["ruby", beside("decode.rb"), "{video.mp4}", "{out}"],
        "ruby-gstreamer", [["ruby", "-e", 'require "gst"']], VIDEO_BYTES),
    Application(
        "vala", ["{work}/decode", "{video.mp4}", "{out}"],
        "valac", [["valac", "--version"]], VIDEO_BYTES,
        prepare=["valac", "--pkg", "gstreamer-1.0", "--directory", "{work}",
                 "--output", "decode", beside("decode.vala")]),
]


def run(argv, env, **more):
    """What the program printed; a session of its own, so that a program that
    hangs can be ended with its children."""
    return harness.run(argv, env, TIMEOUT, start_new_session=True, **more)


def works(argv, env):
    try:
        run(argv, env)
        return True
    except (Failed, Skipped, OSError):
        return False


@contextlib.contextmanager
def display(wanted):
    """What is to be added to the environment. The X server stays until after the
    last report: GTK leaves with _exit(), and without one, where it has gone."""
    if not wanted:
        yield {}
        return
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x1024x24"],
        pass_fds=[write], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL)
    os.close(write)
    try:
        with open(read) as number:
            line = number.readline().strip()
        if not line:
            raise Failed("Xvfb does not start")
        yield {"DISPLAY": f":{line}"}
    finally:
        server.terminate()
        server.wait()


class Scratch:
    """What the tests share, and the environment of a run."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory).resolve()
        self.directory.mkdir(parents=True, exist_ok=True)

    def environment(self, work, registry):
        """Nobody's own settings; nothing is written to anybody's home. The
        plugin path is part of a registry, so each kind of run has its own."""
        home = work / "home"
        home.mkdir(mode=0o700, exist_ok=True)
        return harness.environment(
            "GST_*", "XDG_*", "QT_*", "LD_*", "MALLOC_PERTURB_",
            HOME=str(home), XDG_RUNTIME_DIR=str(home), LC_ALL="C.UTF-8",
            GST_REGISTRY=str(self.directory / f"{registry}.bin"))

    def scan(self, prefix, env):
        """Makes the registry, if there is none."""
        with locked(env["GST_REGISTRY"] + ".lock"):
            if not os.path.exists(env["GST_REGISTRY"]):
                run([*prefix, "gst-inspect-1.0", "fakesrc"], env)

    def media(self, name, env):
        return made_once(
            self.directory, name, MEDIA[name], lambda part: run(
                ["gst-launch-1.0", "-q", *f"{MEDIA[name]}{part}".split()], env))


def check_report(application, reports):
    """The reports of all processes that allocated anything."""
    allocated = spilled = 0
    for report in reports:
        text = report.read_text()
        print(text, end="")
        allocated += bytes_of(re.search(
            r"allocated +\d+ blocks?, ([\d.]+\s\w+)", text).group(1))
        written = re.search(r"transfers +([\d.]+\s\w+) written", text)
        spilled += bytes_of(written.group(1)) if written else 0
        if not re.search(r"fallbacks +none", text):
            raise Failed("some allocations became system memory")
    if allocated < application.least:
        raise Failed(f"{allocated:.0f} bytes were allocated, "
                     f"{application.least} were expected")
    if application.spills and not spilled:
        raise Failed("nothing was on disk")


class Case:
    """One application, in a directory of its own."""

    def __init__(self, application, scratch, work):
        self.application = application
        self.scratch = scratch
        self.work = work
        self.fields = {"out": work / "out", "work": work}
        self.display = {}

    def argv(self, command):
        return [re.sub(r"{([\w.]+)}", lambda found: str(
            self.fields[found.group(1)]), word) for word in command]

    def missing(self):
        """What the test needs and is not installed, as text."""
        env = self.scratch.environment(self.work, "plain")
        if not works(["gst-launch-1.0", "--version"], env):
            return "gstreamer1.0-tools"
        self.scratch.scan([], env)
        for element in ELEMENTS:
            if not works(["gst-inspect-1.0", "--exists", element], env):
                return f"the element {element}"
        if not all(works(probe, env) for probe in self.application.probes):
            return self.application.packages
        return None

    def prepare(self):
        env = self.scratch.environment(self.work, "plain")
        for name in MEDIA:
            if any("{" + name + "}" in word
                   for word in self.application.command):
                self.fields[name] = self.scratch.media(name, env)
        if self.application.prepare:
            run(self.argv(self.application.prepare), env)

    def output(self, prefix, env):
        """The bytes that come of a run, and what it complained of."""
        env.update(self.application.env, **self.display)
        printed, complaints = run(
            [*prefix, *self.argv(self.application.command)], env,
            cwd=self.work)
        if any("{out}" in word for word in self.application.command):
            printed = self.fields["out"].read_bytes()
            self.fields["out"].unlink()
            return printed, complaints
        return printed.encode(), complaints

    def run_plain(self):
        return self.output([], self.scratch.environment(self.work, "plain"))[0]

    def run_filemem(self, launcher):
        directory = self.work / "buffers"
        directory.mkdir()
        env = self.scratch.environment(self.work, "filemem")
        if self.application.process:
            env["GST_FILEMEM_EXE"] = self.application.process
        else:
            self.scratch.scan([launcher, "run"], env)
        output, complaints = self.output(
            [launcher, "run", "--ram", BUDGET, "--dir", str(directory),
             "--report", str(self.work / "report.%p"), "--"], env)
        # Two pictures that are in use at once are most of this budget.
        expected = ("filemem: over the budget", *self.application.says)
        said = [line for line in complaints.splitlines()
                if line.startswith(("filemem:", "gst-filemem:"))
                and not line.startswith(expected)]
        if said:
            raise Failed("\n".join(said))
        if os.listdir(directory):
            raise Failed(f"files are left: {os.listdir(directory)}")
        check_report(self.application, self.reports())
        return output

    def reports(self):
        """Those that are whole. A process that was not started by the test may
        end after the one that was."""
        return harness.wait_until(
            lambda: [path for path in sorted(self.work.glob("report.*"))
                     if "page faults of the process" in path.read_text()],
            "a report: filemem was not active", PATIENCE)


def shown_in_both(plain, with_filemem):
    """Of two outputs with a time and a digest on each line those lines whose
    time is in both: a player drops pictures that come late, on a busy machine
    with filemem or without. Most have to be there."""
    runs = [dict(line.split(b" ", 1) for line in output.splitlines())
            for output in (plain, with_filemem)]
    common = sorted(set(runs[0]) & set(runs[1]), key=int)
    if len(common) < max(map(len, runs)) * 3 / 4:
        raise Failed(f"of {len(runs[0])} and {len(runs[1])} pictures "
                     f"{len(common)} were shown in both runs")
    return [b"\n".join(run[time] for time in common) for run in runs]


def test(case, launcher):
    missing = case.missing()
    if missing:
        raise Skipped(f"{missing} is not installed")
    case.prepare()
    with display(case.application.display) as case.display:
        plain = case.run_plain()
        if not plain:
            raise Failed("no output: nothing can be compared")
        with_filemem = case.run_filemem(launcher)
    print(f"output: {len(plain)} bytes, "
          f"{hashlib.sha256(plain).hexdigest()[:16]}")
    if case.application.live:
        plain, with_filemem = shown_in_both(plain, with_filemem)
    if with_filemem != plain:
        raise Failed(f"the output differs: {len(with_filemem)} bytes, "
                     f"{hashlib.sha256(with_filemem).hexdigest()[:16]}")


def main():
    applications = {one.name: one for one in APPLICATIONS}
    parser = argparse.ArgumentParser()
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--launcher")
    parser.add_argument("--scratch")
    parser.add_argument("name", nargs="?", choices=applications)
    options = parser.parse_args()

    if options.list:
        print("\n".join(applications))
        return 0
    if not (options.launcher and options.scratch and options.name):
        parser.error("--launcher, --scratch and a name are needed")
    scratch = Scratch(options.scratch)
    with tempfile.TemporaryDirectory(dir=scratch.directory) as work:
        case = Case(applications[options.name], scratch, pathlib.Path(work))
        return harness.run_alone(test, case, os.path.abspath(options.launcher))


if __name__ == "__main__":
    sys.exit(main())
