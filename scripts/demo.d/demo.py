# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# demo.py: two real jobs, plain and with filemem, and a table of what came of
# it. Start it as scripts/demo.
#
# Each job is one gst-launch-1.0 command line that runs three times: plain,
# which gives the checksum to compare with; plain in a memory cgroup that is too
# small for its queue, where the kernel must kill it; and in a cgroup of the
# same size with filemem in the environment, where it must end well with the
# same output. Nothing else differs. The exit status is 0 if all of that came
# true.

import argparse
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import meter

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
MIB, GIB = 1 << 20, 1 << 30
PACKET = 1316
SIGNALS = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
ELEMENTS = """aacparse audiotestsrc fdsink fdsrc filesink h264parse mpegtsmux queue
              tsdemux udpsrc videotestsrc voaacenc x264enc""".split()


class Trouble(Exception):
    """The demo can't go on; the text says why."""


def say(text):
    print(text, flush=True)


def amount(number):
    if number >= 10 * GIB:
        return f"{number / GIB:.0f} GiB"
    if number >= GIB:
        return f"{number / GIB:.1f} GiB"
    return f"{number / MIB:.0f} MiB"


class Run:
    """One of the runs of a job. filemem is what it adds to the environment."""

    def __init__(self, name, limit=None, filemem=None):
        self.name = name
        self.limit = limit
        self.filemem = filemem or {}


class Demo:
    def __init__(self, scratch, environment):
        self.scratch = scratch
        self.environment = environment
        self.parent_group = meter.find_parent_group()
        self.rows = []
        self.references = {}
        self.good = True

    def path(self, name):
        return os.path.join(self.scratch, name)

    def runs(self, job):
        filemem = {"GST_TRACERS": "filemem",
                   "GST_FILEMEM_RAM": f"{job.ram // MIB}M",
                   "GST_FILEMEM_DIR": self.scratch,
                   "GST_FILEMEM_SIZE": f"{job.size // MIB}M"}
        yield Run("plain, no limit")
        if self.parent_group is None:
            yield Run("filemem", filemem=filemem)
        else:
            yield Run(f"plain, {amount(job.limit)}", job.limit)
            yield Run(f"filemem, {amount(job.limit)}", job.limit, filemem)

    def start(self, run, command, pass_fds=()):
        say(f"  {run.name}:")
        words = [f"{name}={value}" for name, value in run.filemem.items()]
        say("    " + " ".join(words + [command]))
        with open(self.path("errors"), "w") as errors:
            return meter.Program(
                command.split(), {**self.environment, **run.filemem},
                self.parent_group, run.limit, self.scratch, errors, pass_fds)

    def take_output(self, name):
        """Removes a file that a run has left, and returns its checksum, or
        None if there was no file or nothing in it."""
        path = self.path(name)
        if not os.path.exists(path):
            return None
        digest = hashlib.sha256()
        with open(path, "rb") as file:
            while chunk := file.read(MIB):
                digest.update(chunk)
        size = os.path.getsize(path)
        os.unlink(path)
        return digest.hexdigest() if size else None

    def verdict(self, job, run, program, output, lost):
        """(whether it went as it should, in words)"""
        if run.limit is not None and not run.filemem:
            # This one must not survive, or the limit shows nothing.
            if program.oom_killed:
                return True, "killed: out of memory, as expected"
            return False, "was not killed, so the limit shows nothing"
        if program.oom_killed:
            return False, "killed: out of memory"
        if program.status != 0:
            return False, f"failed with status {program.status}"
        if output is None:
            return False, "no output"
        if lost:
            return False, f"{lost} packets lost, so nothing to compare"
        if not run.filemem:
            self.references[job] = output
            return True, "the output to compare with"
        if job not in self.references:
            return False, "nothing to compare with"
        if output != self.references[job]:
            return False, "output differs"
        if program.disk_peak == 0:
            return False, "same output, but nothing went to disk"
        if run.limit is None and program.memory_peak > job.limit:
            return False, f"same output, but above {amount(job.limit)}"
        return True, "same output"

    def judge(self, job, run, program, output, lost=0):
        good, verdict = self.verdict(job, run, program, output, lost)
        self.good = self.good and good
        if not good:
            with open(self.path("errors"), errors="replace") as errors:
                for line in errors.readlines()[-15:]:
                    say("    " + line.rstrip())
        say(f"    {verdict}")
        self.rows.append([
            job.name, run.name, amount(program.memory_peak),
            amount(program.disk_peak) if program.disk_peak else "-",
            f"{program.seconds:.0f}",
            output[:12] if output and program.status == 0 else "-", verdict])

    def table(self):
        rows = [["job", "run", "peak memory", "on disk", "seconds",
                 "checksum", "verdict"]]
        rows += self.rows
        widths = [max(map(len, column)) for column in zip(*rows)]
        say("")
        for row in rows:
            cells = [cell.rjust(width) if 2 <= i <= 4 else cell.ljust(width)
                     for i, (cell, width) in enumerate(zip(row, widths))]
            say("  ".join(cells).rstrip())


# Paused live TV.

def udp_socket(port):
    """(bytes waiting, packets dropped) of the socket on that port, or None."""
    wanted = f"0100007F:{port:04X}"
    with open("/proc/net/udp") as file:
        for line in file:
            words = line.split()
            if words[1] == wanted:
                return int(words[4].split(":")[1], 16), int(words[-1])
    return None


def free_udp_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Viewer(threading.Thread):
    """Reads what the program plays; does not read while it has paused."""

    def __init__(self, fd, play, pause):
        super().__init__(daemon=True)
        self.fd = fd
        self.play = play
        self.pause = pause
        self.digest = hashlib.sha256()
        self.received = 0
        self.gone = threading.Event()

    def run(self):
        pause_at = None
        while chunk := os.read(self.fd, MIB):
            self.digest.update(chunk)
            self.received += len(chunk)
            now = time.monotonic()
            if pause_at is None:
                pause_at = now + self.play
            elif now >= pause_at:
                pause_at = float("inf")
                say(f"    pause, for {self.pause:g} s")
                if not self.gone.wait(self.pause):
                    say("    play")
        os.close(self.fd)


def send_packets(path, port, rate, program):
    """Sends the file, evenly paced, until its end or the receiver's. Returns
    (packets, of which lost)."""
    start = time.monotonic()
    sent = lost = 0
    with (open(path, "rb") as file,
          socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender):
        sender.connect(("127.0.0.1", port))
        while packet := file.read(PACKET):
            early = start + sent * PACKET * 8 / rate - time.monotonic()
            if early > 0.001:
                time.sleep(early)
            if program.ended.is_set():
                return sent, lost
            try:
                sender.send(packet)
            except ConnectionRefusedError:
                # The receiver has just gone; the next turn sees it.
                time.sleep(meter.SAMPLE_SECONDS)
            sent += 1
    # What is in the socket now is not in the program yet.
    for _ in range(100):
        state = udp_socket(port)
        if state is None:
            break
        waiting, lost = state
        if waiting == 0:
            break
        time.sleep(0.05)
    return sent, lost


class LiveTv:
    """A receiver whose viewer pauses: a queue of small blocks, paced by the
    clock."""

    name = "paused TV"
    STREAM = "tv.ts"
    AUDIO = "audio.aac"

    def __init__(self, options):
        self.pause = options.pause
        self.play, after = (2, 3) if options.quick else (3, 8)
        self.seconds = self.play + self.pause + after
        self.megabit = 40 if options.quick else 20
        self.paused = int(self.pause * self.megabit * 1000 * 1000 / 8)
        self.ram = 16 * MIB
        # What a small box has to spare, whatever comes in the pause.
        self.limit = 48 * MIB
        self.size = GIB + 2 * self.paused
        self.stream_size = self.seconds * self.megabit * 1100 * 1000 // 8
        self.disk = self.size + self.stream_size

    def run(self, demo):
        say(f"\nPaused live TV: {self.megabit} Mbit/s of H.264 and AAC come in "
            "over UDP, in real time.\nThe viewer watches for "
            f"{self.play:g} s, pauses for {self.pause:g} s, and then plays on "
            "as fast as it comes.\nWhat comes during the pause, "
            f"{amount(self.paused)}, waits in a queue, in packets of {PACKET} "
            "bytes,\nwhich have "
            f"{amount(self.paused / PACKET * 512)} of GStreamer's own objects "
            "besides.")
        self.make_stream(demo)
        stream = demo.path(self.STREAM)
        rate = os.path.getsize(stream) * 8 / self.seconds
        for run in demo.runs(self):
            self.receive(demo, run, stream, rate)
        os.unlink(stream)

    def make_stream(self, demo):
        say(f"  makes {self.seconds:g} s of it")
        # Snow, because it can't be compressed: its bytes are all different.
        # The buffer model holds the rate; sound and packets come on top.
        frames = int(self.seconds * 25)
        blocks = int(self.seconds * 48000 / 1024)
        done = subprocess.run(
            ("gst-launch-1.0 -q mpegtsmux name=m alignment=7 ! "
             f"filesink location={self.STREAM} "
             f"videotestsrc pattern=snow num-buffers={frames} ! "
             "video/x-raw,format=I420,width=640,height=360,framerate=25/1 ! "
             f"x264enc bitrate={self.megabit * 1000} speed-preset=ultrafast "
             "key-int-max=25 vbv-buf-capacity=1000 option-string=nal-hrd=cbr "
             "! h264parse ! m. "
             "audiotestsrc wave=ticks samplesperbuffer=1024 "
             f"num-buffers={blocks} ! audio/x-raw,rate=48000,channels=2 ! "
             "voaacenc bitrate=128000 ! aacparse ! m.").split(),
            env=demo.environment, cwd=demo.scratch,
            stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise Trouble("the stream to send could not be made")

    def receive(self, demo, run, stream, rate):
        port = free_udp_port()
        ours, theirs = os.pipe()
        program = demo.start(
            run, f"gst-launch-1.0 -q -e udpsrc address=127.0.0.1 port={port} "
            "buffer-size=4194304 caps=video/mpegts,systemstream=true,"
            "packetsize=188 ! queue max-size-bytes=0 max-size-buffers=0 "
            "max-size-time=0 ! tsdemux name=d "
            f"d. ! h264parse ! fdsink fd={theirs} sync=false async=false "
            f"d. ! aacparse ! filesink location={self.AUDIO} sync=false "
            "async=false", [theirs])
        os.close(theirs)
        viewer = Viewer(ours, self.play, self.pause)
        viewer.start()
        sent = lost = 0
        while not program.wait(0.05):
            if udp_socket(port) is not None:
                sent, lost = send_packets(stream, port, rate, program)
                break
        # With -e this is the end of the stream for it, behind all it has.
        program.signal(signal.SIGINT)
        if not program.wait(120):
            say("    it does not end; ended by force")
            program.signal(signal.SIGKILL)
            program.wait()
        viewer.gone.set()
        viewer.join()
        say(f"    {sent} packets sent, {lost} lost")
        output = None
        sound = demo.take_output(self.AUDIO)
        if viewer.received and sound:
            both = viewer.digest.hexdigest() + sound
            output = hashlib.sha256(both.encode()).hexdigest()
        demo.judge(self, run, program, output, lost)


# An hour of it.

class Feeder(threading.Thread):
    """Writes a file into a pipe again and again, until that is so many bytes,
    or nobody reads it any more."""

    def __init__(self, fd, path, total):
        super().__init__(daemon=True)
        self.fd = fd
        self.path = path
        self.left = total
        self.digest = hashlib.sha256()

    def run(self):
        with open(self.path, "rb") as file:
            stream = memoryview(file.read())
        try:
            while self.left:
                chunk = stream[:self.left]
                self.digest.update(chunk)
                self.left -= len(chunk)
                while chunk:
                    chunk = chunk[os.write(self.fd, chunk):]
        except BrokenPipeError:
            pass
        os.close(self.fd)


class PausedHour(LiveTv):
    """The same pause, for an hour: faster than real time, through pipes."""

    name = "paused hour"

    def __init__(self, options):
        self.megabit, self.seconds = 40, 10
        self.paused = 3600 * self.megabit * 1000 * 1000 // 8
        self.ram = 48 * MIB
        self.limit = 128 * MIB
        self.size = self.paused + self.paused // 10
        self.disk = self.size + self.seconds * self.megabit * 140000

    def run(self, demo):
        say(f"\nAn hour of {self.megabit} Mbit/s, {amount(self.paused)}, comes "
            f"in packets of {PACKET} bytes while\nthe viewer has paused, as "
            "fast as it goes. Then it is played.")
        self.make_stream(demo)
        for run in list(demo.runs(self))[1:]:
            self.fill_and_play(demo, run)
        os.unlink(demo.path(self.STREAM))

    def fill_and_play(self, demo, run):
        feed, into = os.pipe()
        out, play = os.pipe()
        program = demo.start(
            run, f"gst-launch-1.0 -q fdsrc fd={feed} blocksize={PACKET} ! "
            "queue max-size-bytes=0 max-size-buffers=0 max-size-time=0 ! "
            f"fdsink fd={play} sync=false", [feed, play])
        os.close(feed)
        os.close(play)
        feeder = Feeder(into, demo.path(self.STREAM), self.paused)
        feeder.start()
        feeder.join()
        if not program.ended.is_set():
            say("    play")
        digest = hashlib.sha256()
        received = 0
        while chunk := os.read(out, MIB):
            digest.update(chunk)
            received += len(chunk)
        os.close(out)
        program.wait()
        if feeder.left == 0:
            demo.references[self] = feeder.digest.hexdigest()
        demo.judge(self, run, program,
                   digest.hexdigest() if received else None)


# A slow encoder.

class SlowEncoder:
    """Raw frames that wait for an encoder: a queue of large blocks, as fast as
    it goes."""

    name = "slow encoder"
    OUTPUT = "encoded.h264"

    def __init__(self, options):
        self.frames = 220 if options.quick else 800
        self.depth = 512 * MIB if options.quick else 2 * GIB
        self.limit = 256 * MIB if options.quick else 384 * MIB
        self.ram = 64 * MIB if options.quick else 128 * MIB
        self.size = GIB if options.quick else 3 * GIB
        self.disk = self.size

    def run(self, demo):
        say(f"\nA slow encoder: {self.frames} raw frames of 1920x1080 come "
            "faster than H.264 can be made of them,\nand wait in a queue of "
            f"{amount(self.depth)}.")
        for run in demo.runs(self):
            self.encode(demo, run)

    def encode(self, demo, run):
        depth = self.depth
        if (run.limit is None and not run.filemem
                and meter.memory_available() < depth + 512 * MIB):
            say(f"  This machine has no {amount(depth)} of memory for a plain "
                "run without limit: its queue is shorter.")
            depth = self.limit // 4
        program = demo.start(
            run, f"gst-launch-1.0 -q videotestsrc num-buffers={self.frames} "
            "pattern=smpte horizontal-speed=7 ! video/x-raw,format=I420,"
            "width=1920,height=1080,framerate=25/1 ! "
            f"queue max-size-bytes={depth} max-size-buffers=0 max-size-time=0 "
            "! x264enc threads=1 speed-preset=slow tune=zerolatency "
            f"rc-lookahead=0 ref=2 ! filesink location={self.OUTPUT}")
        program.wait()
        demo.judge(self, run, program, demo.take_output(self.OUTPUT))


JOBS = {"tv": LiveTv, "encoder": SlowEncoder}
EXTRA_JOBS = {"hour": PausedHour}


def prepare(options, jobs, scratch):
    """Looks whether all is there, and returns the environment of the runs."""
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith("GST_")}
    tracer = os.path.join(options.build, "tracer")
    environment["GST_PLUGIN_PATH"] = tracer
    # Scanned here, once, so that no run does it in its cgroup.
    environment["GST_REGISTRY"] = os.path.join(scratch, "registry")
    if not shutil.which("gst-launch-1.0"):
        raise Trouble("gst-launch-1.0 is missing (scripts/setup demo)")
    missing = [name for name in ELEMENTS if subprocess.run(
        ["gst-inspect-1.0", "--exists", name], env=environment,
        stdin=subprocess.DEVNULL).returncode != 0]
    if missing:
        raise Trouble("GStreamer has no " + ", ".join(missing)
                      + " (scripts/setup demo)")
    if not os.path.exists(os.path.join(tracer, "libgstfilemem.so")):
        raise Trouble(f"filemem is not built in {options.build} "
                      "(scripts/setup demo)")
    # filemem leaves up to 1 GiB of a disk alone.
    needed = GIB + max(job.disk for job in jobs)
    free = shutil.disk_usage(scratch).free
    if free < needed:
        raise Trouble(f"{options.dir} has {amount(free)} free, and "
                      f"{amount(needed)} may be needed; --dir names another "
                      "directory")
    return environment


def parse():
    parser = argparse.ArgumentParser(
        prog="demo", description="Runs two real jobs plain and with filemem, "
        "in too little memory for the plain ones, and compares.")
    parser.add_argument("--quick", action="store_true",
                        help="smaller jobs: about a minute in all")
    parser.add_argument("--pause", type=float, metavar="SECONDS",
                        help="how long the viewer pauses (60; quick: 15)")
    parser.add_argument("--job", choices={**JOBS, **EXTRA_JOBS},
                        action="append", help="only this job")
    parser.add_argument("--hour", dest="job", action="append_const",
                        const="hour",
                        help="an hour of live TV in 128 MiB, some minutes and "
                        "20 GB of disk; the same as --job hour")
    parser.add_argument("--dir", default="/var/tmp",
                        help="where files go; all are removed (%(default)s)")
    parser.add_argument("--build", default=os.path.join(ROOT, "build"),
                        help="where filemem is built")
    options = parser.parse_args()
    options.build = os.path.abspath(options.build)
    # Less fits into any limit that the program itself fits into.
    least = 10 if options.quick else 20
    if options.pause is None:
        options.pause = 15 if options.quick else 60
    elif not least <= options.pause <= 600:
        parser.error(f"--pause: {least} to 600 seconds")
    return options


def stop(number, frame):
    sys.exit(128 + number)


def main():
    options = parse()
    for number in SIGNALS:
        signal.signal(number, stop)
    jobs = [{**JOBS, **EXTRA_JOBS}[name](options)
            for name in options.job or JOBS]
    scratch = None
    try:
        scratch = tempfile.mkdtemp(prefix="filemem-demo-", dir=options.dir)
        demo = Demo(scratch, prepare(options, jobs, scratch))
        if demo.parent_group is None:
            say("No memory cgroup can be made here (it takes root, and some "
                "containers forbid it), so there\nis no limit: nothing is "
                "killed, and peak memory is max RSS.")
        for job in jobs:
            job.run(demo)
        demo.table()
        return 0 if demo.good else 1
    except (Trouble, OSError) as trouble:
        print(f"demo: {trouble}", file=sys.stderr)
        return 1
    finally:
        # A second Ctrl-C must not stop the cleaning up.
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        meter.clean_up()
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)


sys.exit(main())
