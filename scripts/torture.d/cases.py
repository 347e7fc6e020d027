# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# cases.py: what happens to a file system while a pipeline has its queue there,
# whether bytes may be lost by it, and what filemem may and has to say of it.
#
# A case is begun when some of the queue is on disk and more is on its way. It is
# ended when half of the stream has come out, or after its `seconds`.

import fcntl
import os
import pathlib
import random
import signal
import subprocess
import threading
import time

from volumes import MIB, Lacking, command, fallocate

FIFREEZE, FITHAW = 0xC0045877, 0xC0045878
SHUT_DOWN, WITHOUT_LOG = 0x8004587D, 2

FULL = r"the disk is full, with "
REFUSED = r"the disk refused a write \("
NOT_GIVEN_BACK = r"the disk did not give back what was written to it \("
OVER_BUDGET = r"over the budget of "
QUOTA = r"the disk quota is used up, "
NO_FILE = r"no file can be made in .*: buffers stay in system memory"
NO_ROOM = r"size is .*, less than one extent of .*: buffers stay in system memory"
IN_ALL = r"in total, .* became system memory: \d+ no usable directory or size$"
IN_MEMORY = r"\".*\" is tmpfs, which is memory itself"


def on_directory(what, path, request, argument):
    """An ioctl of a file system, to do WHAT."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.ioctl(fd, request, argument)
    except OSError as error:
        raise Lacking(f"it can't be {what}: {error.strerror}") from error
    finally:
        os.close(fd)


class Case:
    name = None
    text = None
    seconds = None
    may_lose = False
    # Lines of filemem's that may be there, and those of which one has to.
    says = ()
    must_say = ()
    settings = ()
    # Whether the image is on a disk that can be made too small for it.
    is_thin = False

    def __init__(self, volume, host):
        self.volume = volume
        self.host = host
        self.note = ""

    def check(self):
        """Lacking, where the kernel or the file system can't do it."""

    def words(self):
        """What the command line begins with."""
        return ()

    def prepare(self):
        """Before the program starts, on the mounted file system."""

    def begin(self, run):
        pass

    def end(self):
        """Also where it was not begun."""


class Plain(Case):
    name = "plain"
    text = "nothing happens"


def fill(path, leave=0):
    """A file that takes what the file system has left."""
    fd = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        for piece in 16 * MIB, MIB, MIB // 16, 4096:
            while True:
                room = os.fstatvfs(fd)
                end = os.fstat(fd).st_size
                if room.f_bavail * room.f_frsize < leave + piece:
                    break
                if fallocate(fd, 0, end, piece) != 0:
                    try:
                        if os.pwrite(fd, os.urandom(piece), end) < piece:
                            break
                    except OSError:
                        break
        os.fsync(fd)
    finally:
        os.close(fd)


class Filled(Case):
    name = "filled"
    text = "somebody fills the disk, and empties it when half has come out"
    says = must_say = (FULL,)

    def begin(self, run):
        fill(self.volume.root / "filler")

    def end(self):
        (self.volume.root / "filler").unlink(missing_ok=True)


class NearlyFull(Case):
    name = "nearly-full"
    text = "24 MiB are free, in which others write and delete"
    says = (FULL, OVER_BUDGET)
    # Half of what is free, the default, would be no size to speak of.
    settings = (("GST_FILEMEM_SIZE", "128M"), ("GST_FILEMEM_RESERVE", "0"))
    LEFT = 24 * MIB

    def prepare(self):
        fill(self.volume.root / "filler", self.LEFT)
        self.stop = threading.Event()
        self.writer = threading.Thread(target=self.write)
        self.writer.start()

    def write(self):
        chance = random.Random(1)
        while not self.stop.wait(0.01):
            path = self.volume.root / f"other{chance.randrange(4)}"
            try:
                path.unlink(missing_ok=True)
                path.write_bytes(bytes(chance.randrange(4 * MIB)))
            except OSError:
                pass

    def end(self):
        if not hasattr(self, "writer"):
            return
        self.stop.set()
        self.writer.join()


class FullBefore(Case):
    name = "full-before"
    text = "the disk is full before the program starts"
    says = (IN_ALL,)
    must_say = (NO_FILE, NO_ROOM)

    def prepare(self):
        fill(self.volume.root / "filler")


class ReadOnlyBefore(Case):
    name = "ro-before"
    text = "the file system is read-only before the program starts"
    says = (IN_ALL,)
    must_say = (NO_FILE,)

    def check(self):
        if self.volume.server is not None:
            raise Lacking("that is for its server to say")

    def prepare(self):
        command("mount", "-o", "remount,ro", self.volume.root)


class Quota(Case):
    name = "quota"
    text = "the quota of the directory's owner is 24 MiB"
    says = must_say = (QUOTA,)

    def check(self):
        if self.volume.kind != "btrfs":
            raise Lacking("only btrfs has a quota that is root's, too")

    def prepare(self):
        command("btrfs", "quota", "enable", self.volume.root)
        command("btrfs", "qgroup", "limit", "24M", "0/5", self.volume.root)


class Snapshot(Filled):
    name = "snapshot"
    text = "a snapshot voids what is reserved, and the disk is filled"

    def check(self):
        if self.volume.kind != "btrfs":
            raise Lacking("it has no snapshots")

    def begin(self, run):
        command("btrfs", "subvolume", "snapshot", self.volume.root,
                self.volume.root / "snapshot")
        super().begin(run)


class Maintained(Case):
    name = "maintained"
    text = "its free space is trimmed; btrfs is balanced, too"

    def begin(self, run):
        if self.volume.device is None:
            raise Lacking("it has no disk")
        command("fstrim", self.volume.base)
        if self.volume.kind == "btrfs":
            command("btrfs", "balance", "start", "--full-balance",
                    self.volume.base)


class ShutDown(Case):
    name = "shut-down"
    text = "the file system shuts down, as one does whose disk is gone"
    may_lose = True
    says = must_say = (REFUSED, NOT_GIVEN_BACK)

    def begin(self, run):
        argument = WITHOUT_LOG.to_bytes(4, "little")
        on_directory("shut down", self.volume.base, SHUT_DOWN, argument)


class Frozen(Case):
    name = "frozen"
    text = "the file system is frozen for 12 s, as for a snapshot"
    seconds = 12
    says = (OVER_BUDGET,)

    def begin(self, run):
        on_directory("frozen", self.volume.base, FIFREEZE, 0)
        self.frozen = True

    def end(self):
        if getattr(self, "frozen", False):
            self.frozen = False
            on_directory("thawed", self.volume.base, FITHAW, 0)


class Remounted(Case):
    name = "read-only"
    text = "somebody remounts it read-only"

    def check(self):
        if self.volume.server is not None:
            raise Lacking("that is for its server to say")

    def begin(self, run):
        try:
            command("mount", "-o", "remount,ro", self.volume.root)
            self.note = "done"
        except Lacking as reason:
            self.note = f"refused: {reason}"

    def end(self):
        if self.note == "done":
            command("mount", "-o", "remount,rw", self.volume.root)


class Failed(Case):
    name = "error"
    text = "the file system finds an error, and makes itself read-only"
    may_lose = True
    says = must_say = (REFUSED, NOT_GIVEN_BACK)

    def trigger(self):
        device = os.path.basename(self.volume.device or "none")
        return pathlib.Path(f"/sys/fs/ext4/{device}/trigger_fs_error")

    def check(self):
        if not self.trigger().exists():
            raise Lacking("only ext4 and ext2 can be told to find an error")

    def begin(self, run):
        self.trigger().write_text("a test\n")


class Removed(Case):
    name = "removed"
    text = "the directory is removed"

    def begin(self, run):
        try:
            self.volume.buffers.rmdir()
        except OSError as error:
            # FUSE gives a file that is open and has no name another one.
            self.note = f"refused: {error.strerror}"


class Unmounted(Case):
    name = "unmounted"
    text = "the file system is unmounted lazily"

    def begin(self, run):
        for path in {self.volume.root: 0, self.volume.base: 0}:
            command("umount", "-l", path)


# ---- slow disks ----

class Throttle:
    """A cgroup whose programs get only so many bytes a second of a device."""

    def __init__(self, device):
        if device is None:
            raise Lacking("it has no disk")
        status = os.stat(device)
        self.number = f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
        self.path, self.limits = self.find()
        try:
            self.path.mkdir()
        except OSError as error:
            raise Lacking(f"no cgroup: {error.strerror}") from error

    @staticmethod
    def find():
        """The directory to make, and for each of its files the text of a limit."""
        name = f"filemem-torture-{os.getpid()}"
        for line in pathlib.Path("/proc/self/mounts").read_text().splitlines():
            _, place, kind, options = line.split()[:4]
            place = pathlib.Path(place)
            if kind == "cgroup" and "blkio" in options.split(","):
                file = "blkio.throttle.{}_bps_device"
                if (place / file.format("read")).exists():
                    return place / name, {file.format(way): "{} {}"
                                          for way in ("read", "write")}
            elif kind == "cgroup2":
                handed = (place / "cgroup.subtree_control").read_text().split()
                if "io" in handed:
                    return place / name, {"io.max": "{0} rbps={1} wbps={1}"}
        raise Lacking("no cgroup limits disks")

    def limit(self, bytes_per_second):
        """0: none"""
        for file, text in self.limits.items():
            rate = bytes_per_second
            if rate == 0 and file == "io.max":
                rate = "max"
            (self.path / file).write_text(text.format(self.number, rate))

    def words(self):
        return ("sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"',
                str(self.path))

    def remove(self):
        subprocess.run(["rmdir", str(self.path)], stderr=subprocess.DEVNULL)


class Slow(Case):
    name = "slow"
    text = "the disk takes and gives 1 MB/s for 20 s (a cgroup's limit)"
    seconds = 20
    rate = 1000 * 1000
    says = (OVER_BUDGET,)
    throttle = None

    def check(self):
        if self.volume.server is not None:
            raise Lacking("its disk is another process's")
        self.throttle = Throttle(self.volume.device)

    def words(self):
        return self.throttle.words()

    def begin(self, run):
        self.throttle.limit(self.rate)

    def end(self):
        if self.throttle is not None:
            self.throttle.limit(0)
            self.throttle.remove()


class Stalled(Slow):
    name = "stalled"
    text = "the disk does nothing for 30 s (a cgroup's limit)"
    seconds = 30
    rate = 1


class Thin(Case):
    name = "thin"
    text = "the disk below, which has less than it promised, is full"
    may_lose = True
    is_thin = True
    says = must_say = (REFUSED, NOT_GIVEN_BACK, FULL)
    PAUSE = 0.5

    def check(self):
        if not self.volume.image.exists():
            raise Lacking("it has no disk")
        if not self.volume.reserves:
            raise Lacking("a loop device would hide that a write fell short")

    def begin(self, run):
        """A loop device takes a write that fell short for a whole one, and the
        bytes are gone: the room has to end between two writes."""
        run.process.send_signal(signal.SIGSTOP)
        time.sleep(self.PAUSE)
        room = os.statvfs(self.host)
        used = (room.f_blocks - room.f_bfree) * room.f_frsize
        command("mount", "-o", f"remount,size={used}", self.host)
        run.process.send_signal(signal.SIGCONT)

    def end(self):
        if self.host is not None:
            command("mount", "-o", "remount,size=1G", self.host)


# ---- servers ----

class ServerStopped(Case):
    name = "server-stopped"
    text = "who serves the file system stops for 30 s"
    seconds = 30
    says = (OVER_BUDGET,)

    def check(self):
        if self.volume.server is None:
            raise Lacking("the kernel itself serves it")

    def begin(self, run):
        self.volume.server.send_signal(signal.SIGSTOP)

    def end(self):
        if self.volume.server is not None:
            self.volume.server.send_signal(signal.SIGCONT)


class ServerKilled(ServerStopped):
    name = "server-killed"
    text = "who serves the file system is killed"
    seconds = None
    may_lose = True
    says = must_say = (REFUSED, NOT_GIVEN_BACK)

    def begin(self, run):
        self.volume.server.kill()

    def end(self):
        pass


CASES = {case.name: case for case in (
    Plain, Filled, NearlyFull, FullBefore, ReadOnlyBefore, Quota, Snapshot,
    Maintained, ShutDown, Frozen, Remounted, Failed, Removed, Unmounted, Thin,
    Slow, Stalled, ServerStopped, ServerKilled)}
