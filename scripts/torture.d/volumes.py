# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# volumes.py: file systems to torture, each in an image of its own, and what each
# of them can do.
#
# All mounts are in a mount namespace of this process (own_mounts), and the kernel
# lets a loop device go with its last mount: whatever ends this process, none of
# them is left. The image has no blocks but those that were written.

import ctypes
import errno
import fcntl
import os
import pathlib
import shutil
import subprocess
import time

MIB = 1 << 20
SIZE = 320 * MIB
# Of the page, and of any sector.
BLOCK = 4096
FICLONE = 0x40049409
CLONE_NEWNS = 0x20000
PUNCH = 0x3  # FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE
SERVER_SECONDS = 60

libc = ctypes.CDLL(None, use_errno=True)


class Lacking(Exception):
    """It can't be done here; the text says what is missing."""


def own_mounts():
    if libc.unshare(CLONE_NEWNS) != 0:
        raise Lacking(f"no mount namespace: {os.strerror(ctypes.get_errno())}")
    command("mount", "--make-rprivate", "/")


def command(*argv):
    """What it printed; Lacking if it is not there, or fails."""
    argv = [str(word) for word in argv]
    if shutil.which(argv[0]) is None:
        raise Lacking(f"there is no {argv[0]}")
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines() or ["failed"]
        raise Lacking(f"{argv[0]}: {said[0].rpartition(': ')[2]}")
    return done.stdout


def fallocate(fd, mode, offset, length):
    """0, or the errno."""
    if libc.fallocate(fd, mode, ctypes.c_int64(offset),
                      ctypes.c_int64(length)) == 0:
        return 0
    return ctypes.get_errno()


def is_mounted(path):
    """Asked of the table: a file system that is shut down can't be looked at."""
    lines = pathlib.Path("/proc/self/mounts").read_text().splitlines()
    return any(line.split()[1] == str(path) for line in lines)


class Volume:
    """A file system, mounted below a directory; filemem's files go to `buffers`
    in it."""

    kind = None
    format = ()
    options = ()
    is_memory = False
    # Room in one piece for a file, before it is written.
    reserves = True

    def __init__(self, work, host=None):
        """HOST: where the image is, if not beside the mount."""
        self.work = pathlib.Path(work)
        self.image = pathlib.Path(host or work) / "image"
        # Of the disk, and of what the program sees: one, but for overlays.
        self.base = self.root = self.work / "volume"
        self.device = None
        self.server = None

    @property
    def buffers(self):
        return self.root / "buffers"

    def make(self):
        self.make_image()
        self.mount()
        self.buffers.mkdir()

    def make_image(self):
        with open(self.image, "wb") as image:
            image.truncate(SIZE)
        command(*self.format, self.image)

    def mount(self):
        self.base.mkdir()
        command("mount", "-t", self.kind, "-o",
                ",".join(("loop", *self.options)), self.image, self.base)
        self.device = command("findmnt", "-no", "SOURCE", self.base).strip()

    def remove(self):
        """Unmounts all of it. What is still there then, or None."""
        for path in {self.root: 0, self.base: 0}:
            while is_mounted(path):
                command("umount", path)
        if self.server is not None:
            self.server.wait(SERVER_SECONDS)
        # A device is let go a moment after its mount.
        end = time.monotonic() + SERVER_SECONDS
        while self.device and command("losetup", "-j", self.image):
            if time.monotonic() > end:
                return f"{self.device} still has its image"
            time.sleep(0.05)
        self.image.unlink(missing_ok=True)
        for path in {self.root: 0, self.base: 0}:
            if path.exists():
                path.rmdir()
        return None

    def left(self):
        """Files that somebody has left in the directory of buffers."""
        try:
            return os.listdir(self.buffers)
        except OSError:
            return []  # removed, unmounted or shut down


class Ext4(Volume):
    kind = "ext4"
    format = ("mkfs.ext4", "-q", "-F", "-b", "4096")
    # A disk's errors make it read-only, as most systems have it.
    options = ("errors=remount-ro",)


class Ext4Journal(Ext4):
    """What is written goes by way of the journal, and so by the page cache,
    though O_DIRECT is not refused."""
    options = (*Ext4.options, "data=journal")


class Ext2(Volume):
    """No journal, blocks of 1 KiB, and no fallocate()."""
    kind = "ext2"
    reserves = False
    format = ("mkfs.ext2", "-q", "-F", "-b", "1024")
    options = ("errors=remount-ro",)


class Xfs(Volume):
    kind = "xfs"
    format = ("mkfs.xfs", "-q", "-f")


class Btrfs(Volume):
    kind = "btrfs"
    format = ("mkfs.btrfs", "-q", "-f")


class BtrfsForced(Btrfs):
    """Mounted so that it compresses whatever may be compressed."""
    options = ("compress-force=zstd",)


class BtrfsCompressed(Btrfs):
    """The directory itself is compressed, so its files can't be without
    copy-on-write."""

    def make(self):
        super().make()
        command("chattr", "+c", self.buffers)


class Tmpfs(Volume):
    is_memory = True

    def make_image(self):
        pass

    def mount(self):
        self.base.mkdir()
        command("mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", self.base)


class Overlay(Ext4):
    """Over a directory of an ext4."""

    def mount(self):
        super().mount()
        self.root = self.work / "overlay"
        self.root.mkdir()
        parts = [self.base / name for name in ("lower", "upper", "work")]
        for part in parts:
            part.mkdir()
        command("mount", "-t", "overlay", "-o",
                "lowerdir={},upperdir={},workdir={}".format(*parts), "overlay",
                self.root)


class Fuse(Volume):
    """An ext4 served by a program (fuse2fs), which may stop or die."""

    reserves = False
    format = ("mkfs.ext4", "-q", "-F", "-b", "4096")

    def mount(self):
        if shutil.which("fuse2fs") is None:
            raise Lacking("there is no fuse2fs")
        self.base.mkdir()
        self.server = subprocess.Popen(
            ["fuse2fs", "-f", "-o", "rw", self.image, self.base],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        end = time.monotonic() + SERVER_SECONDS
        while not is_mounted(self.base):
            if self.server.poll() is not None or time.monotonic() > end:
                raise Lacking("fuse2fs can't mount here")
            time.sleep(0.01)


VOLUMES = {
    "ext4": Ext4, "ext4-journal": Ext4Journal, "ext2": Ext2, "xfs": Xfs,
    "btrfs": Btrfs, "btrfs-zstd": BtrfsForced, "btrfs+c": BtrfsCompressed,
    "overlay": Overlay, "tmpfs": Tmpfs, "fuse": Fuse,
}


# ---- what it can do ----

def can_clone(path, fd):
    with open(path, "wb") as copy:
        try:
            fcntl.ioctl(copy, FICLONE, fd)
        except OSError:
            return False
        finally:
            os.unlink(path)
    return True


def can_be_nameless(directory):
    try:
        os.close(os.open(directory, os.O_TMPFILE | os.O_RDWR, 0o600))
    except OSError:
        return False
    return True


def abilities(volume):
    """Of the file system as it is: a dictionary of words and truths."""
    path = volume.buffers / "asked"
    fd = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        can = {"fallocate": fallocate(fd, 0, 0, 16 * BLOCK) == 0}
        os.pwrite(fd, bytes(16 * BLOCK), 0)
        os.fsync(fd)
        before = os.fstat(fd).st_blocks
        can["punch"] = (fallocate(fd, PUNCH, 0, 8 * BLOCK)
                        != errno.EOPNOTSUPP)
        os.fsync(fd)
        can["punch"] = can["punch"] and os.fstat(fd).st_blocks < before
        can["clone"] = can_clone(volume.buffers / "clone", fd)
    finally:
        os.close(fd)
        os.unlink(path)
    can["nameless"] = can_be_nameless(volume.buffers)
    return can
