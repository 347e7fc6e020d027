# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# meter.py: runs one program and measures it: peak memory, bytes on disk,
# seconds, how it ended.
#
# Where root allows it the program runs in a memory cgroup of its own (version
# 1 or 2), below the group that the demo itself is in, so that a limit counts
# the page cache as well. Swap is excluded there. Elsewhere there is no limit,
# and the peak is the kernel's max RSS.
#
# What the program has on disk is seen from outside: the blocks of deleted
# files that it holds open. Nobody's statistics are taken for it.
#
# Everything made here is in a list until it is gone again, and clean_up()
# removes what is left, whatever ended the demo.

import os
import signal
import subprocess
import threading
import time

SAMPLE_SECONDS = 0.1


def _read(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def _write(path, text):
    with open(path, "w") as file:
        file.write(str(text))


def _try_write(path, text):
    try:
        _write(path, text)
    except OSError:
        pass


class MemoryGroup:
    """One memory cgroup. limit is in bytes, or None."""

    alive = []

    def __init__(self, parent, version, limit):
        self.version = version
        self.path = os.path.join(
            parent, f"filemem-demo-{os.getpid()}-{time.monotonic_ns()}")
        os.mkdir(self.path)
        MemoryGroup.alive.append(self)
        if version == 1:
            if limit is not None:
                self._set("memory.limit_in_bytes", limit)
                # Only kernels that account for swap have this one.
                self._try_set("memory.memsw.limit_in_bytes", limit)
            self._try_set("memory.swappiness", 0)
        else:
            if limit is not None:
                self._set("memory.max", limit)
            self._try_set("memory.swap.max", 0)

    def _file(self, name):
        return os.path.join(self.path, name)

    def _set(self, name, value):
        _write(self._file(name), value)

    def _try_set(self, name, value):
        _try_write(self._file(name), value)

    def _number(self, name):
        text = _read(self._file(name)).strip()
        return int(text) if text.isdigit() else 0

    def inside(self, argv):
        """The command, run in this group from its beginning."""
        return ["sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"',
                self.path, *argv]

    def usage(self):
        return self._number("memory.usage_in_bytes" if self.version == 1
                            else "memory.current")

    def peak(self):
        # memory.peak came with Linux 5.19; without it the samples must do.
        return self._number("memory.max_usage_in_bytes" if self.version == 1
                            else "memory.peak")

    def oom_kills(self):
        name = "memory.oom_control" if self.version == 1 else "memory.events"
        for line in _read(self._file(name)).splitlines():
            key, _, value = line.partition(" ")
            if key == "oom_kill":
                return int(value)
        return 0

    def remove(self):
        # The kernel may take a moment to see that the last process has gone.
        for _ in range(50):
            try:
                os.rmdir(self.path)
                break
            except FileNotFoundError:
                break
            except OSError:
                time.sleep(0.1)
        MemoryGroup.alive.remove(self)


def _own_groups():
    """Yields (version, directories): the memory cgroup of this process, and
    what is above it, nearest first, for each hierarchy that is mounted."""
    paths = {}
    for line in _read("/proc/self/cgroup").splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0":
            paths[2] = path
        elif "memory" in controllers.split(","):
            paths[1] = path
    for line in _read("/proc/self/mountinfo").splitlines():
        left, _, right = line.partition(" - ")
        root, mounted_at = left.split()[3:5]
        kind, _, options = right.split(None, 2)
        if kind == "cgroup2":
            version = 2
        elif kind == "cgroup" and "memory" in options.strip().split(","):
            version = 1
        else:
            continue
        path = paths.get(version)
        if path is None:
            continue
        if root != "/" and (path + "/").startswith(root + "/"):
            path = path[len(root):]
        directories = []
        while path.strip("/"):
            directories.append(mounted_at + path.rstrip("/"))
            path = os.path.dirname(path.rstrip("/"))
        directories.append(mounted_at)
        yield version, [d for d in directories if os.path.isdir(d)]


def find_parent_group():
    """Where a memory cgroup can be made: (directory, version), or None."""
    for version, directories in _own_groups():
        for directory in directories:
            # In version 2 only a group that hands the memory controller down
            # will do.
            if version == 2 and "memory" not in _read(
                    os.path.join(directory, "cgroup.subtree_control")).split():
                continue
            try:
                group = MemoryGroup(directory, version, 1 << 30)
            except OSError:
                for group in list(MemoryGroup.alive):
                    group.remove()
                continue
            try:
                works = subprocess.run(
                    ["sh", "-c", 'echo $$ >"$1/cgroup.procs"', "sh",
                     group.path], stderr=subprocess.DEVNULL).returncode == 0
            finally:
                group.remove()
            if works:
                return directory, version
    return None


def memory_available():
    """Bytes that a program could take now without anybody being killed."""
    least = 0
    for line in _read("/proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            least = int(line.split()[1]) * 1024
    for version, directories in _own_groups():
        for directory in directories:
            names = (("memory.limit_in_bytes", "memory.usage_in_bytes")
                     if version == 1 else ("memory.max", "memory.current"))
            limit, usage = (_read(os.path.join(directory, name)).strip()
                            for name in names)
            if limit.isdigit() and usage.isdigit():
                least = min(least, int(limit) - int(usage))
    return least


class Program:
    """One program that runs, or has run, and what was measured of it."""

    alive = []

    def __init__(self, argv, environment, parent_group, limit, directory,
                 errors, pass_fds=()):
        self.group = None
        if parent_group is not None:
            self.group = MemoryGroup(*parent_group, limit)
            argv = self.group.inside(argv)
        self.disk_peak = 0
        self.memory_peak = 0
        self.oom_killed = False
        self.status = None
        self.ended = threading.Event()
        self._started_at = time.monotonic()
        # A session of its own: Ctrl-C is for the demo, which ends the program
        # itself.
        self.process = subprocess.Popen(
            argv, env=environment, cwd=directory, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=errors, pass_fds=pass_fds,
            start_new_session=True)
        Program.alive.append(self)
        self._sampler = threading.Thread(target=self._sample, daemon=True)
        self._sampler.start()

    def _sample(self):
        pid = self.process.pid
        while not self.ended.is_set():
            self.disk_peak = max(self.disk_peak, _deleted_bytes(pid))
            if self.group is not None:
                self.memory_peak = max(self.memory_peak, self.group.usage())
            # The exit status stays for wait(), with its resource usage.
            if os.waitid(os.P_PID, pid,
                         os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                self._finish()
                return
            time.sleep(SAMPLE_SECONDS)

    def _finish(self):
        _, status, usage = os.wait4(self.process.pid, 0)
        self.seconds = time.monotonic() - self._started_at
        self.status = os.waitstatus_to_exitcode(status)
        # So that subprocess does not wait for it a second time.
        self.process.returncode = self.status
        if self.group is None:
            self.memory_peak = usage.ru_maxrss * 1024
        else:
            self.memory_peak = max(self.memory_peak, self.group.peak())
            self.oom_killed = self.group.oom_kills() > 0
            self.group.remove()
        Program.alive.remove(self)
        self.ended.set()

    def signal(self, number):
        if not self.ended.is_set():
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                pass

    def wait(self, seconds=None):
        """True when it has ended."""
        return self.ended.wait(seconds)


def _deleted_bytes(pid):
    total = 0
    directory = f"/proc/{pid}/fd"
    try:
        for name in os.listdir(directory):
            path = os.path.join(directory, name)
            try:
                target = os.readlink(path)
                # memfds, too, are "(deleted)", but they are memory.
                if (target.endswith(" (deleted)")
                        and not target.startswith("/memfd:")):
                    total += os.stat(path).st_blocks * 512
            except OSError:
                pass
    except OSError:
        pass
    return total


def clean_up():
    for program in list(Program.alive):
        program.signal(signal.SIGKILL)
        program.wait(10)
    for group in list(MemoryGroup.alive):
        group.remove()
