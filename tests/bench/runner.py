# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# runner.py: runs one program of the benchmark and measures it from outside.
#
# Each run is a process of its own, in a memory cgroup of its own that also
# counts the page cache, where root allows it (scripts/demo.d/meter.py makes the
# cgroup). Swap is excluded there, unless a run asks for it: then a swap file is
# made for that run alone, and it is gone again when run() returns, however it
# does.
#
# A program prints one line of name=value. Its exit status says the rest: 77,
# it can't run here (Unavailable); anything else but 0, it failed (Failed).

import contextlib
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "scripts" / "demo.d"))
import meter  # noqa: E402

SAMPLE_SECONDS = 0.1
# A run that takes longer has hung.
LONGEST_SECONDS = 3600
SWAP_NAME = "filemem-bench.swap"


class Failed(Exception):
    """A run that went wrong."""


class Unavailable(Exception):
    """A run that can't be had on this machine."""


class SwappingGroup(meter.MemoryGroup):
    """A memory cgroup with a limit on memory alone."""

    def __init__(self, parent, version, limit):
        super().__init__(parent, version, limit)
        if version == 1:
            self._try_set("memory.memsw.limit_in_bytes", -1)
            self._try_set("memory.swappiness", 60)
        else:
            self._try_set("memory.swap.max", "max")


def cache_of(group):
    """Bytes of page cache that the group is charged with."""
    name = "cache" if group.version == 1 else "file"
    for line in read(os.path.join(group.path, "memory.stat")).splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return int(value)
    return 0


def read(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def named_numbers(path):
    """A file of lines "name: 123" or "name 123"."""
    pairs = (line.replace(":", " ").split() for line in
             read(path).splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs
            if len(pair) >= 2 and pair[1].isdigit()}


def parse_line(text):
    """The figures of a line of name=value; what is no number stays text."""
    figures = {}
    for item in text.split():
        name, is_pair, value = item.partition("=")
        if not is_pair:
            continue
        try:
            figures[name] = float(value)
        except ValueError:
            figures[name] = value
    return figures


@contextlib.contextmanager
def swap_file(directory, length):
    """A swap file that is used as long as the context lasts."""
    path = os.path.join(directory, SWAP_NAME)

    def remove():
        if any(line.split()[0] == path for line in
               read("/proc/swaps").splitlines()[1:]):
            subprocess.run(["swapoff", path], check=True)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)

    if os.geteuid() != 0:
        raise Unavailable("only root may make a swap file")
    path = os.path.realpath(path)
    try:
        # One that a killed run left behind goes first.
        remove()
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, length)
        finally:
            os.close(descriptor)
        for command in (["mkswap", path], ["swapon", path]):
            done = subprocess.run(command, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.PIPE, text=True)
            if done.returncode != 0:
                raise Unavailable(done.stderr.strip())
        yield
    finally:
        # Ctrl-C now must not leave it behind.
        before = {number: signal.signal(number, signal.SIG_IGN) for number in
                  (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        try:
            remove()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class Runner:
    def __init__(self, directory):
        self.directory = directory
        self._parent_group = meter.find_parent_group()

    @property
    def can_limit(self):
        return self._parent_group is not None

    def run(self, argv, limit=None, swap=None, env=None):
        """Runs a program and returns its figures, with those that are seen
        from outside (what it says itself goes before):

            wall, cpu_user, cpu_system      seconds
            rss_peak, group_peak            bytes; the first from samples of
                                            VmHWM, because ru_maxrss starts
                                            with what this driver has
            cache_max, cache_late           bytes of page cache in the cgroup:
                                            the most, and the median of the
                                            second half of the run
            device_read, device_write       bytes (/proc/PID/io), what was
                                            never written out subtracted
            swapped_out, swapped_in         bytes, with swap

        limit: bytes of memory, or None. swap: the size of a swap file that
        the program may use, or None. env: added to the environment.
        """
        with contextlib.ExitStack() as stack:
            if swap is not None:
                if not self.can_limit:
                    raise Unavailable("no memory cgroup can be made here")
                stack.enter_context(swap_file(self.directory, swap))
            group = None
            if self._parent_group is not None:
                make = meter.MemoryGroup if swap is None else SwappingGroup
                group = make(*self._parent_group, limit)
                stack.callback(group.remove)
                argv = group.inside(argv)
            return self._run(argv, group, env, swap is not None, stack)

    @staticmethod
    def _run(argv, group, env, swapping, stack):
        output, errors = (stack.enter_context(tempfile.TemporaryFile("w+"))
                          for _ in range(2))
        vmstat = named_numbers("/proc/vmstat") if swapping else {}
        started_at = time.monotonic()
        # A session of its own: Ctrl-C is for the driver, which ends it itself.
        process = subprocess.Popen(
            [str(item) for item in argv], env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL, stdout=output, stderr=errors,
            start_new_session=True)
        try:
            cache = []
            rss_peak = 0
            # The process stays to be waited for, so that its io can be read.
            while os.waitid(os.P_PID, process.pid,
                            os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                if group is not None:
                    cache.append(cache_of(group))
                status = named_numbers(f"/proc/{process.pid}/status")
                rss_peak = status.get("VmHWM", 0) * 1024 or rss_peak
                if time.monotonic() - started_at > LONGEST_SECONDS:
                    raise Failed(f"no end after {LONGEST_SECONDS} s")
                time.sleep(SAMPLE_SECONDS)
            wall = time.monotonic() - started_at
            io = named_numbers(f"/proc/{process.pid}/io")
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        output.seek(0)
        errors.seek(0)
        complaint = errors.read().strip()
        if process.returncode == 77:
            raise Unavailable(complaint or "it can't run here")
        if process.returncode != 0:
            killed = " (out of memory)" \
                if group is not None and group.oom_kills() > 0 else ""
            raise Failed(f"exit status {process.returncode}{killed}"
                         + (f": {complaint}" if complaint else ""))
        figures = {
            "wall": wall,
            "cpu_user": usage.ru_utime,
            "cpu_system": usage.ru_stime,
            "rss_peak": rss_peak or usage.ru_maxrss * 1024,
            "device_read": io.get("read_bytes", 0),
            "device_write": io.get("write_bytes", 0)
            - io.get("cancelled_write_bytes", 0),
        }
        if group is not None:
            figures["group_peak"] = group.peak()
            figures["cache_max"] = max(cache, default=0)
            figures["cache_late"] = statistics.median(
                cache[len(cache) // 2:] or [0])
        if swapping:
            after = named_numbers("/proc/vmstat")
            page = os.sysconf("SC_PAGE_SIZE")
            figures["swapped_out"] = \
                (after["pswpout"] - vmstat["pswpout"]) * page
            figures["swapped_in"] = (after["pswpin"] - vmstat["pswpin"]) * page
        figures.update(parse_line(output.read()))
        return figures
