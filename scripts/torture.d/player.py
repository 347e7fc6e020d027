# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# player.py: a real pipeline with a deep queue, run by gst-launch-1.0, whose output
# is taken here at the pace of the test.
#
# Frames of noise, no two of them alike, leave by a pipe. So a frame that is
# wrong, missing or at another place is known by its digest, and what has come
# out so far tells how far the pipeline is.

import dataclasses
import fcntl
import hashlib
import os
import pathlib
import re
import select
import shutil
import subprocess
import tempfile
import time

MIB = 1 << 20
RAM = "8M"
PIPELINE = ("videotestsrc pattern=snow num-buffers={0.frames} ! video/x-raw,"
            "format=GRAY8,width={0.width},height={0.height},framerate=30/1 ! "
            "queue max-size-bytes={0.depth} max-size-buffers=0 max-size-time=0 ! "
            "fdsink fd={1}")
# Seconds. Of a program that has used no processor time for so long nothing is to
# be expected until somebody reads.
QUIET = 0.5
# What nobody waits for any longer: it hangs.
PATIENCE = 120


@dataclasses.dataclass(frozen=True)
class Stream:
    width: int
    height: int
    frames: int
    depth: int  # bytes of the queue

    @property
    def frame(self):
        """Bytes of one."""
        return self.width * self.height


class Hung(Exception):
    """It neither went on nor ended; the text says where its threads were."""


class Player:
    def __init__(self, tracer, directory, stream, settings=(), before=()):
        """TRACER: the directory of the plugin; none: without filemem. BEFORE: words
        before the command."""
        self.stream = stream
        self.digests = []
        self.rest = b""
        self.n_bytes = 0
        self.file = None
        self.memory = 0
        self.directory = str(directory)
        self.out, self.err = (tempfile.TemporaryFile("w+") for _ in range(2))
        self.pipe, end = os.pipe()
        fcntl.fcntl(end, fcntl.F_SETPIPE_SZ, MIB)
        environment = {
            name: value for name, value in os.environ.items()
            if not re.match("GST_(FILEMEM_|DEBUG|TRACERS)|G_DEBUG", name)}
        if tracer is not None:
            environment.update(
                {"GST_TRACERS": "filemem", "GST_FILEMEM_DIR": self.directory,
                 "GST_FILEMEM_RAM": RAM, **dict(settings)})
            environment["GST_PLUGIN_PATH"] = str(tracer)
        text = PIPELINE.format(stream, end)
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [*before, "gst-launch-1.0", *text.split()], env=environment, cwd="/",
            stdin=subprocess.DEVNULL, stdout=self.out, stderr=self.err,
            pass_fds=[end])
        os.close(end)

    # ---- while it runs ----

    def backing_file(self):
        """Its path under /proc; None before there is one. It is found once: the
        kernel forgets where it was with the mount."""
        if self.file is None:
            descriptors = pathlib.Path(f"/proc/{self.process.pid}/fd")
            for path in descriptors.iterdir():
                try:
                    target = os.readlink(path)
                except FileNotFoundError:
                    continue
                if target.startswith(self.directory + "/"):
                    self.file = path
        return self.file

    def on_disk(self):
        """Bytes that the file takes; 0 when it can't be asked."""
        try:
            path = self.backing_file()
            return path.stat().st_blocks * 512 if path else 0
        except OSError:
            return 0

    def cached(self):
        """Bytes of the file in the page cache; 0 where that can't be known."""
        path = self.backing_file()
        if path is None or shutil.which("fincore") is None:
            return 0
        done = subprocess.run(["fincore", "-nbo", "RES", path], text=True,
                              capture_output=True)
        return int(done.stdout) if done.returncode == 0 else 0

    def is_direct(self):
        path = self.backing_file()
        if path is None:
            return None
        text = (path.parents[1] / "fdinfo" / path.name).read_text()
        flags = re.search(r"^flags:\s*(\d+)", text, re.M)[1]
        return int(flags, 8) & os.O_DIRECT != 0

    def _used(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text()
        user, system = fields.rpartition(")")[2].split()[11:13]
        return int(user) + int(system)

    def measure_memory(self):
        """The most that was resident, as long as it is there. (What wait4() tells
        is no less than this process had when it forked.)"""
        try:
            text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        except FileNotFoundError:
            return
        found = re.search(r"^VmHWM:\s*(\d+) kB", text, re.M)
        if found:
            self.memory = int(found[1]) * 1024

    def wait_for_disk(self, n_bytes):
        """Until so many are on disk, or nothing happens any longer."""
        used, since = -1, time.monotonic()
        end = since + PATIENCE
        while self.process.poll() is None and self.on_disk() < n_bytes:
            now = time.monotonic()
            if self._used() != used:
                used, since = self._used(), now
            if self.digests or used > 0 and now > since + QUIET or now > end:
                return
            time.sleep(0.005)

    def read(self, until=None, deadline=None):
        """Takes what comes, until so many bytes have come, or the end. FALSE at
        the end."""
        end = deadline or time.monotonic() + PATIENCE
        while until is None or self.n_bytes < until:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.pipe], [], [], left)[0]:
                raise Hung(self._where())
            data = os.read(self.pipe, MIB)
            if not data:
                return False
            self.n_bytes += len(data)
            self.measure_memory()
            self._take(data)
            if deadline is None:
                end = time.monotonic() + PATIENCE
        return True

    def _take(self, data):
        data = self.rest + data
        frame = self.stream.frame
        whole = len(data) // frame * frame
        for start in range(0, whole, frame):
            self.digests.append(
                hashlib.blake2b(data[start:start + frame]).digest())
        self.rest = data[whole:]

    def _where(self):
        lines = []
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            try:
                name = (task / "comm").read_text().strip()
                place = (task / "stack").read_text().split("\n")[0]
            except OSError:
                continue
            lines.append(f"{name}: {place.split(' ', 1)[-1]}")
        return (f"it hangs after {self.n_bytes // MIB} MiB; "
                + "; ".join(sorted(lines)))

    # ---- at its end ----

    def finish(self):
        """Its exit status, when it has ended by itself."""
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            if time.monotonic() > end:
                raise Hung(self._where())
            time.sleep(0.01)
        self.seconds = time.monotonic() - self.started
        return self.process.returncode

    def said(self):
        """(stdout, lines of filemem's, all else of stderr)"""
        texts = []
        for file in self.out, self.err:
            file.seek(0)
            texts.append(file.read())
        lines = texts[1].splitlines()
        ours = [line for line in lines if line.startswith("filemem:")]
        return texts[0], ours, [line for line in lines if line not in ours]

    def close(self):
        """Ends it if it is still there."""
        if self.process.returncode is None:
            self.process.kill()
            self.process.wait()
        for file in self.out, self.err:
            file.close()
        os.close(self.pipe)


def is_part_of(digests, plain):
    """Whether these frames are some of the plain run's, in their order."""
    rest = iter(plain)
    return all(digest in rest for digest in digests)
