# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# parts_pipelines.py: the parts with real pipelines: what filemem costs where
# the queues are shallow, and what it does where the disk is slow.

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
import time

from report import cell, columns_table, median
from runner import Failed, Unavailable, read

MIB = 1 << 20
ALLOCATORS = ("system", "filemem")


# ---- pipelines ----

# What the pipelines read. {N} is how many frames.
H264 = ("videotestsrc num-buffers={N} pattern=ball ! video/x-raw,width={W},"
        "height={H},framerate=30/1 ! x264enc speed-preset=ultrafast "
        "key-int-max=60 ! h264parse")
MEDIA = {
    "video.mp4": (H264.replace("{W}", "1280").replace("{H}", "720"),
                  "mp4mux", 600),
    # Small frames: for what is done once a buffer.
    "small.ts": (H264.replace("{W}", "128").replace("{H}", "72"),
                 "mpegtsmux", 20000),
    "small.h264": (H264.replace("{W}", "128").replace("{H}", "72"),
                   "video/x-h264,stream-format=byte-stream", 20000),
}

# Name, its pipeline, and what a run is repeated by to take long enough: {n} is
# a number of buffers, {FILE*} a file that is so many times MEDIA's.
PIPELINES = {
    "decode, scale": "filesrc location={video.mp4} ! qtdemux ! h264parse ! "
    "queue ! avdec_h264 ! queue ! videoconvert ! videoscale ! "
    "video/x-raw,width=640,height=360 ! queue ! fakesink",
    "raw video": "videotestsrc num-buffers={n100} ! video/x-raw,format=I420,"
    "width=1280,height=720 ! queue ! videoconvert ! video/x-raw,format=BGRx ! "
    "queue ! fakesink",
    "encode": "videotestsrc num-buffers={n100} ! video/x-raw,width=640,"
    "height=360 ! queue ! x264enc speed-preset=ultrafast ! queue ! "
    "matroskamux ! queue ! fakesink",
    "audio": "audiotestsrc num-buffers={n5000} ! queue ! audioconvert ! "
    "audioresample ! audio/x-raw,rate=48000 ! queue ! fakesink",
    "audio, tiny buffers": "audiotestsrc num-buffers={n100000} "
    "samplesperbuffer=32 ! queue ! fakesink",
    "parse": "filesrc location={small.h264*} ! h264parse ! queue ! fakesink",
    "demux, mux": "filesrc location={small.ts*} ! tsdemux ! h264parse ! "
    "queue ! matroskamux ! queue ! fakesink",
    "TS, 188 bytes": "filesrc location={small.ts*} ! tsparse alignment=1 ! "
    "queue ! fakesink",
    "TS, 1316 bytes": "filesrc location={small.ts*} blocksize=1316 ! queue ! "
    "fakesink",
    "TS in RTP": "filesrc location={small.ts*} ! tsparse alignment=7 "
    "set-timestamps=true ! rtpmp2tpay ! queue ! fakesink",
}
TARGET_SECONDS = 4
MOST_REPEATED = 2 << 30  # bytes


def elements_of(description):
    for part in re.split(r"[! ]+", description):
        if re.fullmatch(r"[a-z][a-z0-9_]*", part):
            yield part


def missing_element(description):
    for name in elements_of(description):
        if subprocess.run(["gst-inspect-1.0", "--exists", name],
                          stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL).returncode != 0:
            return name
    return None


def launch(description, env, wrapper=()):
    """Runs a pipeline; seconds of the clock and of the CPU."""
    argv = [*wrapper, "gst-launch-1.0", "-q", *description.split()]
    with tempfile.TemporaryFile("w+") as errors:
        started_at = time.monotonic()
        process = subprocess.Popen(
            argv, env={**os.environ, **env}, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True)
        try:
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.monotonic() - started_at
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            if process.returncode is None:
                process.kill()
                process.wait()
        errors.seek(0)
        complaint = errors.read().strip()
    if process.returncode != 0:
        raise Failed(complaint or f"exit status {process.returncode}")
    return {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime,
            "cpu_user": usage.ru_utime, "cpu_system": usage.ru_stime,
            "rss_peak": usage.ru_maxrss * 1024}


class Media:
    """The files that pipelines read, made when they are asked for."""

    def __init__(self, directory, quick):
        self._directory = directory
        self._quick = quick

    def once(self, name):
        path = os.path.join(self._directory, name)
        if not os.path.exists(path):
            source, form, frames = MEDIA[name]
            description = f"{source} ! {form} ! filesink location={path}"
            missing = missing_element(source + " ! " + form.split(",")[0]
                                      if "/" not in form else source)
            if missing is not None:
                raise Unavailable(f"there is no element {missing}")
            launch(description.replace(
                "{N}", str(frames // 10 if self._quick else frames)), {})
        return path

    def repeated(self, name, times):
        source = self.once(name)
        most = MOST_REPEATED // max(os.path.getsize(source), 1)
        path = os.path.join(self._directory, "repeated-" + name)
        with open(path, "wb") as target:
            for _ in range(max(1, min(times, most))):
                with open(source, "rb") as file:
                    shutil.copyfileobj(file, target, MIB)
        return path

    def fill_in(self, pipeline, times):
        """The description of a pipeline that is @times as long."""
        def value(match):
            name = match.group(1)
            if name in MEDIA:
                return self.once(name)
            if name.endswith("*"):
                return self.repeated(name[:-1], times)
            return str(int(name[1:]) * times)
        text = re.sub(r"\{([^}]*)\}", value, pipeline)
        return re.sub(r"\bfakesink\b", "fakesink sync=false", text)


def overhead(context, name, pipeline, media):
    """Interleaved runs of one pipeline, as long as they ought to be."""
    missing = missing_element(re.sub(r"\S*[{=/]\S*", "", pipeline))
    if missing is not None:
        raise Unavailable(f"there is no element {missing}")
    plain = context.environment()
    description = media.fill_in(pipeline, 1)
    # Once for the caches, then to see how long it takes.
    if not context.quick:
        launch(description, plain)
        took = launch(description, plain)["wall"]
        times = max(1, round(TARGET_SECONDS / took))
        description = media.fill_in(pipeline, times)

    def with_filemem():
        with tempfile.NamedTemporaryFile("r", dir=media._directory) as report:
            figures = launch(description, context.environment(
                f"filemem(dir={context.options.dir},report={report.name})"))
            found = re.search(r"allocated +(\d+) blocks", report.read())
        # GStreamer goes on in silence if it can't load a tracer.
        if found is None or int(found.group(1)) == 0:
            raise Failed("filemem was not in use")
        return {**figures, "blocks": int(found.group(1))}

    # A round takes seconds, and a per cent is what is looked for.
    return context.rounds(
        {"system": lambda: launch(description, plain),
         "filemem": with_filemem},
        rounds=1 if context.quick else max(context.options.rounds, 5),
        note={"pipeline": name})


def ratios(runs, figure):
    """filemem / system: of the medians, and the range over the rounds."""
    pairs = [ours[figure] / theirs[figure] for ours, theirs in
             zip(runs["filemem"], runs["system"])]
    return (median(runs["filemem"], figure) / median(runs["system"], figure),
            min(pairs), max(pairs))


def least_ratio(runs, figure):
    """filemem / system, of the run of each that was disturbed least."""
    return (min(run[figure] for run in runs["filemem"])
            / min(run[figure] for run in runs["system"]))


def pipelines(context):
    """CPU and time of ordinary pipelines with default queues"""
    if shutil.which("gst-launch-1.0") is None:
        raise Unavailable("gst-launch-1.0 is not installed")
    measured, every = {}, []
    with tempfile.TemporaryDirectory(
            prefix="filemem-bench-", dir=context.options.dir) as directory:
        media = Media(directory, context.quick)
        for name, pipeline in PIPELINES.items():
            try:
                runs, rows = overhead(context, name, pipeline, media)
            except Unavailable as error:
                context.say(f"{name}: not here: {error}")
                continue
            except Failed as error:
                context.failures += 1
                context.say(f"{name}: FAILED: {error}")
                continue
            every += rows
            if len(runs) == len(ALLOCATORS):
                measured[name] = runs
    context.csv("pipelines", every)

    table = [["", "CPU s system", "CPU s filemem", "ratio", "of least",
              "wall s system", "wall s filemem", "ratio", "of least",
              "1000 blocks/s"]]
    for name, runs in measured.items():
        row = [name]
        for figure in ("cpu", "wall"):
            row += [cell(runs[allocator], figure, "{:.2f}")
                    for allocator in ALLOCATORS]
            row.append("{:.3f} ({:.3f}-{:.3f})".format(*ratios(runs, figure)))
            row.append(f"{least_ratio(runs, figure):.3f}")
        row.append(cell(runs["filemem"],
                        lambda run: run["blocks"] / run["wall"] / 1000))
        table.append(row)
    context.table(table, "ratio: of the medians, and the range over the "
                  "rounds; of least: of the lowest run of each, which\nsays "
                  "more where other things run on the machine")
    for figure, what in (("cpu", "CPU"), ("wall", "wall")):
        for get, of in ((lambda *a: ratios(*a)[0], "medians"),
                        (least_ratio, "the least")):
            context.goal(4, f"real pipelines, worst {what} of filemem / "
                         f"system ({of})",
                         max((get(runs, figure)
                              for runs in measured.values()), default=None),
                         at_most=1.01, form="{:.3f}")
    context.plot_bars("pipelines", "CPU against system memory's", "ratio", {
        name.replace(" ", "\n"): {"filemem": ratios(runs, "cpu")}
        for name, runs in measured.items()})


# ---- slow-disk ----

SLOW_MEDIUM = 20 * 10**6  # bytes a second, each way


class Throttled:
    """An I/O cgroup in which a device reads and writes so many bytes a second.

    A context; wrapper is what to put before a command line.
    """

    def __init__(self, directory, rate):
        self._device = self._disk_of(directory)
        self._rate = rate
        self._path = None

    @staticmethod
    def _disk_of(directory):
        number = os.stat(directory).st_dev
        name = f"{os.major(number)}:{os.minor(number)}"
        place = f"/sys/dev/block/{name}"
        if not os.path.exists(place):
            raise Unavailable("the directory is not on a disk of its own")
        # Only whole disks can be throttled.
        if os.path.exists(f"{place}/partition"):
            name = read(os.path.realpath(place) + "/../dev").strip()
        return name

    def __enter__(self):
        name = f"filemem-bench-{os.getpid()}"
        for make in (self._make_1, self._make_2):
            for line in read("/proc/self/mountinfo").splitlines():
                left, _, right = line.partition(" - ")
                if make(left.split()[4], right.split(), name):
                    return self
        raise Unavailable("no I/O cgroup can be made here")

    def _make_1(self, mounted_at, kind, name):
        if kind[0] != "cgroup" or "blkio" not in kind[2].split(","):
            return False
        return self._try_make(os.path.join(mounted_at, name), {
            f"blkio.throttle.{way}_bps_device": f"{self._device} {self._rate}"
            for way in ("read", "write")})

    def _make_2(self, mounted_at, kind, name):
        if kind[0] != "cgroup2":
            return False
        return self._try_make(os.path.join(mounted_at, name), {
            "io.max": f"{self._device} rbps={self._rate} wbps={self._rate}"})

    def _try_make(self, path, settings):
        try:
            os.mkdir(path)
        except OSError:
            return False
        self._path = path
        try:
            for name, value in settings.items():
                with open(os.path.join(path, name), "w") as file:
                    file.write(value)
        except OSError:
            self._remove()
            return False
        self.wrapper = ["sh", "-c",
                        'echo $$ >"$0/cgroup.procs" && exec "$@"', path]
        return True

    def _remove(self):
        for _ in range(50):
            try:
                os.rmdir(self._path)
                return
            except OSError:
                time.sleep(0.1)

    def __exit__(self, *_):
        self._remove()


def slow_disk(context):
    """disks of 32 MiB/s and 20 MB/s: who is slowed, and who waits for nothing"""
    rate, ram = 32 * MIB, 64 * MIB
    depth, total, block = (4, 6, 1) if context.quick else (8, 16, 3)
    depth, total, block = depth * ram, total * ram, block * MIB
    with contextlib.ExitStack() as stack:
        throttled = stack.enter_context(Throttled(context.options.dir, rate))
        slow_fifo(context, throttled, rate, ram, depth, total, block)
        slow_pipeline(context, throttled, ram)
    with contextlib.ExitStack() as stack:
        slow_streams(context, stack.enter_context(
            Throttled(context.options.dir, SLOW_MEDIUM)))


def slow_streams(context, throttled):
    """Eight of 5.2 Mbit/s, to a card and back."""
    ram = 16 * MIB
    runs, rows = context.rounds({name: lambda name=name: context.run(
        [*throttled.wrapper, context.program("streams"), name, "--streams=8",
         "--rate=5", f"--ram={ram}", f"--depth={4 * ram}",
         f"--dir={context.options.dir}",
         f"--seconds={3 if context.quick else 15}"])
        for name in ("filemem", "mmap")})
    context.csv("slow-streams", rows)
    columns = [("held MiB/s", "held", "{:.2f}"),
               ("consumer p50 ms", "consumer_p50", "{:.3f}"),
               ("p99", "consumer_p99", "{:.2f}"),
               ("max", "consumer_max", "{:.1f}")]
    context.table(columns_table("", columns, runs),
                  f"Eight streams of 5.2 Mbit/s, {4 * ram // MIB} MiB deep, "
                  f"budget {ram // MIB} MiB, on {SLOW_MEDIUM // 10**6} MB/s "
                  "(the mapping has the machine's memory as its cache)")
    slow = runs.get("filemem", [])
    context.goal(13, "slow streams: held of 5 MiB/s",
                 min((run["held"] for run in slow), default=None),
                 at_least=4.95)
    context.goal(13, "slow streams: the longest wait of a consumer, ms",
                 max((run["consumer_max"] for run in slow), default=None),
                 at_most=100)


def slow_fifo(context, throttled, rate, ram, depth, total, block):
    argv = [context.program("fifo"), "filemem", f"--block={block}",
            f"--depth={depth}", f"--total={total}",
            f"--dir={context.options.dir}", f"--ram={ram}"]
    runs, rows = context.rounds({
        "full speed": lambda: context.run(argv),
        "slow disk": lambda: context.run([*throttled.wrapper, *argv])})
    context.csv("slow-disk", rows)
    columns = [("MiB/s", "mib_s", "{:.0f}"),
               ("producer p50 ms", "producer_p50", "{:.1f}"),
               ("p99", "producer_p99", "{:.0f}"),
               ("max", "producer_max", "{:.0f}"),
               ("consumer p50 ms", "consumer_p50", "{:.1f}"),
               ("max", "consumer_max", "{:.0f}"),
               ("resident peak MiB",
                lambda run: run["resident-peak"] / MIB, "{:.0f}"),
               ("RSS peak MiB", lambda run: run["rss_peak"] / MIB, "{:.0f}"),
               ("over budget", "over-budget", "{:.0f}"),
               ("not in filemem", "fallbacks", "{:.0f}")]
    context.table(columns_table("", columns, runs),
                  f"A FIFO of {depth // MIB} MiB, {total // MIB} MiB in all, "
                  f"blocks of {block // MIB} MiB, budget {ram // MIB} MiB; a "
                  f"block takes {block * 1000 // rate} ms at "
                  f"{rate // MIB} MiB/s")
    slow = runs.get("slow disk", [])
    context.goal(8, "slow disk: resident bytes beyond the budget, MiB",
                 max(((run["resident-peak"] - ram) / MIB for run in slow),
                     default=None), at_most=0)
    if slow:
        longest = max(run["producer_max"] for run in slow) / 1000
        context.say("the producer's longest wait is {:.1f} times what that "
                    "disk needs for an extent of 4 MiB\n".format(
                        longest / (4 * MIB / rate)))


def slow_pipeline(context, throttled, ram):
    frames, waiting = (60, 40) if context.quick else (250, 150)
    description = (
        f"videotestsrc num-buffers={frames} ! video/x-raw,format=I420,"
        "width=1920,height=1080 ! queue max-size-buffers=0 max-size-bytes=0 "
        f"max-size-time=0 min-threshold-buffers={waiting} ! "
        "fakesink sync=false")
    missing = missing_element("videotestsrc ! queue ! fakesink")
    if missing is not None:
        context.say(f"report of a pipeline: not here: no element {missing}")
        return
    with tempfile.NamedTemporaryFile("r") as report:
        figures = launch(description, context.environment(
            f"filemem(dir={context.options.dir},ram={ram},"
            f"report={report.name})"), throttled.wrapper)
        text = report.read().strip()
    context.say(f"What filemem reports of a pipeline with a queue of {waiting} "
                f"frames there, which took {figures['wall']:.1f} s:\n{text}\n")
    said = [line for line in text.splitlines()
            if "disk" in line and re.search(r"limit|slow|keep up", line)]
    context.goal(8, "slow disk: lines in the report that say that the disk is "
                 "the limit", len(said), at_least=1, form="{:.0f}")


PARTS = {"pipelines": pipelines, "slow-disk": slow_disk}
